"""Slides: three points and a small figure about a topic, for one place and year."""

from dataclasses import dataclass
from random import Random

from jina_vdr_synth.canvas import Canvas, Style
from jina_vdr_synth.content import Content
from jina_vdr_synth.page import THEMES, Issue, Made, blank, siblings, two_samples, write_remarks

WIDTH, HEIGHT = 640, 360


@dataclass(frozen=True)
class _Slide:
    key: str
    issue: Issue
    best: int
    change: int
    remarks: list[str]
    series: str


def pages(content: Content, prefix: str, random: Random, dpi: int) -> list[Made]:
    """Draw two topics that tables and charts show too, each for two places that those leave out."""
    made: list[Made] = []
    for key, cities in (("library", content.cities[2:]), ("rain", content.cities[:2])):
        theme = random.choice(THEMES)
        for slide in _slides(content, key, cities, random):
            made.append(_page(f"{prefix}-slides-{len(made) + 1:02}", content, slide, theme, dpi))
    return made


def _slides(content: Content, key: str, cities: list[str], random: Random) -> list[_Slide]:
    bests = random.sample(range(len(content.topics[key].items)), 2)
    changes = random.sample(range(3, 49), 2)
    remarks = two_samples(random, content.remarks, 0, 2)
    together = zip(siblings(content, random, cities), bests, changes, remarks, strict=True)
    return [
        _Slide(key, issue, best, change, some, series) for (issue, series), best, change, some in together
    ]


def _page(name: str, content: Content, slide: _Slide, theme: tuple[str, str], dpi: int) -> Made:
    topic, year = content.topics[slide.key], slide.issue.year
    page = blank(content, WIDTH, HEIGHT, paper=theme[1])
    page.fill((0, 0, WIDTH, 84), theme[0])
    page.write((32, 6, 608, 48), topic.title, Style(19, bold=True, color="#ffffff", middle=True))
    page.write((32, 48, 608, 80), slide.issue.heading(content), Style(13, color="#ffffff"))
    item = topic.items[slide.best]
    words = {"item": item, "year": content.number(year - 1), "n": content.number(slide.change)}
    for row, point in enumerate(content.slide):
        top = 94 + row * 60
        page.fill((34, top + 26, 42, top + 34), theme[0])
        page.write((54, top, 400, top + 60), point.format(**words), Style(15, middle=True))
    _draw_figure(page, len(topic.items), slide.best, theme[0])
    write_remarks(page, 32, 282, 608, slide.remarks)
    page.write((32, 326, 608, 350), slide.series, Style(9.5, color="#444444"))
    facts = {"city": slide.issue.city, "year": content.number(year), "item": item}
    return Made(name, "slides", slide.key, page.image(dpi), page.text, facts)


def _draw_figure(page: Canvas, bars: int, best: int, color: str) -> None:
    for number in range(bars):
        height = 130 if number == best else 40 + 22 * number
        left = 440 + number * 42
        page.fill((left, 266 - height, left + 30, 266), color if number == best else "#a9a9a9")
    page.line((430, 266), (610, 266), "#444444", 1.2)
