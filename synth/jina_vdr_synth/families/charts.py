"""Charts: grouped bars, a topic over three years in one place."""

from dataclasses import dataclass
from random import Random

from jina_vdr_synth.canvas import Canvas, Style
from jina_vdr_synth.content import Content, Topic
from jina_vdr_synth.page import THEMES, Issue, Made, blank, siblings, two_samples, write_remarks

WIDTH, HEIGHT = 600, 456
LEFT, TOP, RIGHT, BOTTOM = 84, 114, 564, 314
YEARS = 3
SHADES = ("#9db8d2", "#4f81bd", "#17375e")


@dataclass(frozen=True)
class _Chart:
    key: str
    issue: Issue
    bars: list[list[int]]
    remarks: list[str]
    series: str


def pages(content: Content, prefix: str, random: Random, dpi: int) -> list[Made]:
    """Draw two topics, each for two places whose years overlap."""
    made: list[Made] = []
    for key, cities in (("rain", content.cities[2:]), ("transport", content.cities[1:3])):
        color = random.choice(THEMES)[0]
        for chart in _charts(content, key, cities, random):
            made.append(_page(f"{prefix}-charts-{len(made) + 1:02}", content, chart, color, dpi))
    return made


def _charts(content: Content, key: str, cities: list[str], random: Random) -> list[_Chart]:
    groups = len(content.topics[key].items)
    numbers = iter(random.sample(range(121, 780, 7), 2 * groups * YEARS))
    remarks = two_samples(random, content.remarks, 0, 3)
    return [
        _Chart(key, issue, [[next(numbers) for _ in range(YEARS)] for _ in range(groups)], some, series)
        for (issue, series), some in zip(siblings(content, random, cities, YEARS), remarks, strict=True)
    ]


def _page(name: str, content: Content, chart: _Chart, color: str, dpi: int) -> Made:
    topic = content.topics[chart.key]
    years = [content.number(chart.issue.year + n) for n in range(YEARS)]
    page = blank(content, WIDTH, HEIGHT)
    page.write((36, 18, RIGHT, 54), topic.title, Style(17, bold=True, color=color))
    page.write((36, 56, 380, 88), chart.issue.heading(content), Style(12))
    _draw_axes(page, content, topic)
    _draw_bars(page, content, topic, chart.bars)
    for n, year in enumerate(years):
        page.fill((396 + 56 * n, 62, 408 + 56 * n, 74), SHADES[n])
        page.write((412 + 56 * n, 56, 454 + 56 * n, 80), year, Style(9, middle=True))
    write_remarks(page, 36, 356, RIGHT, chart.remarks)
    page.write((36, 412, RIGHT, 432), chart.series, Style(9, color="#444444"))
    page.write((36, 434, RIGHT, 454), content.source, Style(8, color="#555555"))
    facts = {
        "city": chart.issue.city,
        "year": years[1],
        "item": topic.items[2],
        "value": content.number(chart.bars[2][1]),
        "unit": topic.unit,
    }
    return Made(name, "charts", chart.key, page.image(dpi), page.text, facts)


def _draw_axes(page: Canvas, content: Content, topic: Topic) -> None:
    for value in range(0, 801, 200):
        y = _height(value)
        page.line((LEFT, y), (RIGHT, y), "#c8c8c8", 0.6)
        page.write((36, y - 10, LEFT - 6, y + 10), content.number(value), Style(8, align="end", middle=True))
    page.write((36, 84, 200, 104), topic.unit, Style(8.5, color="#444444"))
    page.line((LEFT, TOP), (LEFT, BOTTOM), "#333333")
    page.line((LEFT, BOTTOM), (RIGHT, BOTTOM), "#333333")


def _draw_bars(page: Canvas, content: Content, topic: Topic, bars: list[list[int]]) -> None:
    group = (RIGHT - LEFT) / len(topic.items)
    for number, (item, values) in enumerate(zip(topic.items, bars, strict=True)):
        start = LEFT + number * group + 12
        for n, value in enumerate(values):
            left, top = start + n * 33, _height(value)
            page.fill((left, top - 14, left + 29, top - 1), "#ffffff")
            page.fill((left, top, left + 29, BOTTOM), SHADES[n])
            style = Style(8, align="center", middle=True)
            page.write((left - 6, top - 18, left + 35, top), content.number(value), style)
        page.write((start - 10, BOTTOM + 4, start + group - 14, BOTTOM + 38), item, Style(10, align="center"))


def _height(value: int) -> float:
    return BOTTOM - (BOTTOM - TOP) * value / 800
