"""Charts: grouped bars, a topic over three years in one place."""

from random import Random

from jina_vdr_synth.canvas import Canvas, Style
from jina_vdr_synth.content import Content, Topic
from jina_vdr_synth.page import THEMES, Issue, Made, blank, issues, series_line

WIDTH, HEIGHT = 600, 420
LEFT, TOP, RIGHT, BOTTOM = 84, 104, 564, 316
YEARS = 3
SHADES = ("#9db8d2", "#4f81bd", "#17375e")


def pages(content: Content, prefix: str, random: Random, dpi: int) -> list[Made]:
    """Draw two topics, each for two places whose years overlap."""
    made: list[Made] = []
    for key in ("rain", "transport"):
        series = issues(content, random)
        color = random.choice(THEMES)[0]
        for issue in (series[1], series[2]):
            bars = [random.sample(range(120, 780, 7), YEARS) for _ in content.topics[key].items]
            name = f"{prefix}-charts-{len(made) + 1:02}"
            made.append(_page(name, content, key, issue, series, bars, color, dpi))
    return made


def _page(
    name: str,
    content: Content,
    key: str,
    issue: Issue,
    series: list[Issue],
    bars: list[list[int]],
    color: str,
    dpi: int,
) -> Made:
    topic = content.topics[key]
    years = [content.number(issue.year + n) for n in range(YEARS)]
    page = blank(content, WIDTH, HEIGHT)
    page.write((36, 20, RIGHT, 56), topic.title, Style(17, bold=True, color=color))
    page.write((36, 58, RIGHT, 90), f"{issue.city}, {years[0]}–{years[-1]}", Style(12))
    _draw_axes(page, content, topic)
    _draw_bars(page, content, topic, bars)
    for n, year in enumerate(years):
        page.fill((396 + 56 * n, 64, 408 + 56 * n, 76), SHADES[n])
        page.write((411 + 56 * n, 60, 452 + 56 * n, 84), year, Style(9))
    page.write((36, 356, RIGHT, 384), series_line(content, series, issue), Style(9, color="#444444"))
    page.write((36, 386, RIGHT, 414), content.source, Style(8, color="#555555"))
    facts = {
        "city": issue.city,
        "year": years[1],
        "item": topic.items[2],
        "value": content.number(bars[2][1]),
        "unit": topic.unit,
    }
    return Made(name, "charts", key, page.image(dpi), page.text, facts)


def _draw_axes(page: Canvas, content: Content, topic: Topic) -> None:
    for value in range(0, 801, 200):
        y = _height(value)
        page.line((LEFT, y), (RIGHT, y), "#c8c8c8", 0.6)
        page.write((36, y - 12, LEFT - 6, y + 14), content.number(value), Style(8, align="end"))
    page.write((36, 84, 200, 106), topic.unit, Style(8.5, color="#444444"))
    page.line((LEFT, TOP), (LEFT, BOTTOM), "#333333")
    page.line((LEFT, BOTTOM), (RIGHT, BOTTOM), "#333333")


def _draw_bars(page: Canvas, content: Content, topic: Topic, bars: list[list[int]]) -> None:
    group = (RIGHT - LEFT) / len(topic.items)
    for number, (item, values) in enumerate(zip(topic.items, bars, strict=True)):
        start = LEFT + number * group + 12
        for n, value in enumerate(values):
            left = start + n * 33
            page.fill((left, _height(value), left + 29, BOTTOM), SHADES[n])
            page.write(
                (left - 6, _height(value) - 17, left + 35, _height(value)),
                content.number(value),
                Style(8, align="center"),
            )
        page.write((start - 10, BOTTOM + 4, start + group - 14, BOTTOM + 38), item, Style(10, align="center"))


def _height(value: int) -> float:
    return BOTTOM - (BOTTOM - TOP) * value / 800
