"""Tables: a topic by quarter, for one place and year."""

from dataclasses import dataclass
from random import Random

from jina_vdr_synth.canvas import Canvas, Style
from jina_vdr_synth.content import Content, Topic
from jina_vdr_synth.page import THEMES, Issue, Made, blank, siblings, two_samples, write_remarks

WIDTH, HEIGHT = 600, 400
LEFT, RIGHT = 36, 564
TOP, ROW = 96, 38
COLUMNS = (LEFT, 150, 232, 314, 396, 478, RIGHT)
QUARTERS = 4


@dataclass(frozen=True)
class _Table:
    key: str
    issue: Issue
    values: list[list[int]]
    remarks: list[str]
    series: str


def pages(content: Content, prefix: str, random: Random, dpi: int) -> list[Made]:
    """Draw two topics, each for two places and years out of a series."""
    made: list[Made] = []
    for key, cities in (("energy", content.cities[1:3]), ("library", content.cities[:2])):
        theme = random.choice(THEMES)
        for table in _tables(content, key, cities, random):
            made.append(_page(f"{prefix}-tables-{len(made) + 1:02}", content, table, theme, dpi))
    return made


def _tables(content: Content, key: str, cities: list[str], random: Random) -> list[_Table]:
    rows = len(content.topics[key].items)
    numbers = iter(random.sample(range(101, 900), 2 * rows * QUARTERS))
    remarks = two_samples(random, content.remarks, 0, 3)
    return [
        _Table(key, issue, [[next(numbers) for _ in range(QUARTERS)] for _ in range(rows)], some, series)
        for (issue, series), some in zip(siblings(content, random, cities), remarks, strict=True)
    ]


def _page(name: str, content: Content, table: _Table, theme: tuple[str, str], dpi: int) -> Made:
    topic, values = content.topics[table.key], table.values
    page = blank(content, WIDTH, HEIGHT)
    page.write((LEFT, 20, RIGHT, 56), topic.title, Style(17, bold=True, color=theme[0]))
    heading = f"{table.issue.heading(content)} ({topic.unit})"
    page.write((LEFT, 58, RIGHT, 88), heading, Style(12))
    _draw_table(page, content, topic, values, theme)
    write_remarks(page, LEFT, 294, RIGHT, table.remarks)
    page.write((LEFT, 352, RIGHT, 372), table.series, Style(9, color="#444444"))
    page.write((LEFT, 376, RIGHT, 396), content.source, Style(8, color="#555555"))
    facts = {
        "city": table.issue.city,
        "year": content.number(table.issue.year),
        "item": topic.items[1],
        "third": content.number(values[1][2]),
        "total": content.number(sum(values[0])),
        "first_item": topic.items[0],
    }
    return Made(name, "tables", table.key, page.image(dpi), page.text, facts)


def _draw_table(
    page: Canvas, content: Content, topic: Topic, values: list[list[int]], theme: tuple[str, str]
) -> None:
    head = ["", *(content.quarter.format(n=content.number(q + 1)) for q in range(QUARTERS)), content.total]
    rows = [
        [item, *map(content.number, row), content.number(sum(row))]
        for item, row in zip(topic.items, values, strict=True)
    ]
    for number, cells in enumerate([head, *rows]):
        top = TOP + number * ROW
        fill = theme[0] if number == 0 else theme[1] if number % 2 else "#ffffff"
        page.fill((LEFT, top, RIGHT, top + ROW), fill)
        for column, cell in enumerate(cells):
            if cell:
                style = Style(
                    11,
                    bold=number == 0 or column == 0,
                    color="#ffffff" if number == 0 else "#1b1b1b",
                    align="end" if column else "start",
                    middle=True,
                )
                page.write(
                    (COLUMNS[column] + 4, top + 1, COLUMNS[column + 1] - 6, top + ROW - 1), cell, style
                )
    bottom = TOP + (len(rows) + 1) * ROW
    page.line((LEFT, bottom), (RIGHT, bottom), theme[0], 1.5)
