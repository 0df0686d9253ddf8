"""Tables: a topic by quarter, for one place and year."""

from random import Random

from jina_vdr_synth.canvas import Canvas, Style
from jina_vdr_synth.content import Content, Topic
from jina_vdr_synth.page import THEMES, Issue, Made, blank, issues, series_line

WIDTH, HEIGHT = 600, 400
LEFT, RIGHT = 36, 564
QUARTERS = 4


def pages(content: Content, prefix: str, random: Random, dpi: int) -> list[Made]:
    """Draw two topics, each for two places and years out of a series of four."""
    made: list[Made] = []
    for key in ("energy", "library"):
        series = issues(content, random)
        dark, light = random.choice(THEMES)
        for issue in (series[0], series[3]):
            values = [[random.randint(101, 899) for _ in range(QUARTERS)] for _ in content.topics[key].items]
            name = f"{prefix}-tables-{len(made) + 1:02}"
            made.append(_page(name, content, key, issue, series, values, (dark, light), dpi))
    return made


def _page(
    name: str,
    content: Content,
    key: str,
    issue: Issue,
    series: list[Issue],
    values: list[list[int]],
    theme: tuple[str, str],
    dpi: int,
) -> Made:
    topic = content.topics[key]
    page = blank(content, WIDTH, HEIGHT)
    page.write((LEFT, 24, RIGHT, 60), topic.title, Style(17, bold=True, color=theme[0]))
    page.write((LEFT, 62, RIGHT, 92), f"{issue.city}, {content.number(issue.year)} ({topic.unit})", Style(12))
    _draw_table(page, content, topic, values, theme)
    page.write((LEFT, 318, RIGHT, 350), series_line(content, series, issue), Style(9, color="#444444"))
    page.write((LEFT, 352, RIGHT, 384), content.source, Style(8, color="#555555"))
    facts = {
        "city": issue.city,
        "year": content.number(issue.year),
        "item": topic.items[1],
        "third": content.number(values[1][2]),
        "total": content.number(sum(values[0])),
        "first_item": topic.items[0],
    }
    return Made(name, "tables", key, page.image(dpi), page.text, facts)


def _draw_table(
    page: Canvas, content: Content, topic: Topic, values: list[list[int]], theme: tuple[str, str]
) -> None:
    head = ["", *(content.quarter.format(n=content.number(q + 1)) for q in range(QUARTERS)), content.total]
    rows = [
        [item, *map(content.number, row), content.number(sum(row))]
        for item, row in zip(topic.items, values, strict=True)
    ]
    columns = [LEFT, 150, 232, 314, 396, 478, RIGHT]
    for number, cells in enumerate([head, *rows]):
        top = 102 + number * 42
        fill = theme[0] if number == 0 else theme[1] if number % 2 else "#ffffff"
        page.fill((LEFT, top, RIGHT, top + 42), fill)
        for column, cell in enumerate(cells):
            if cell:
                color = "#ffffff" if number == 0 else "#1b1b1b"
                style = Style(
                    11, bold=number == 0 or column == 0, color=color, align="end" if column else "start"
                )
                page.write((columns[column] + 4, top + 8, columns[column + 1] - 6, top + 40), cell, style)
    page.line((LEFT, 102 + 5 * 42), (RIGHT, 102 + 5 * 42), theme[0], 1.5)
