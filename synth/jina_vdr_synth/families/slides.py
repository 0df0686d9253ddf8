"""Slides: three points and a small figure about a topic, for one place and year."""

from random import Random

from jina_vdr_synth.canvas import Style
from jina_vdr_synth.content import Content
from jina_vdr_synth.page import THEMES, Issue, Made, blank, issues, series_line

WIDTH, HEIGHT = 640, 360


def pages(content: Content, prefix: str, random: Random, dpi: int) -> list[Made]:
    """Draw two topics that tables and charts show too, each for two places."""
    made: list[Made] = []
    for key in ("library", "rain"):
        series = issues(content, random)
        theme = random.choice(THEMES)
        for issue in (series[0], series[3]):
            best = random.randrange(len(content.topics[key].items))
            name = f"{prefix}-slides-{len(made) + 1:02}"
            made.append(_page(name, content, key, issue, series, best, random.randint(3, 48), theme, dpi))
    return made


def _page(
    name: str,
    content: Content,
    key: str,
    issue: Issue,
    series: list[Issue],
    best: int,
    change: int,
    theme: tuple[str, str],
    dpi: int,
) -> Made:
    topic = content.topics[key]
    page = blank(content, WIDTH, HEIGHT, paper=theme[1])
    page.fill((0, 0, WIDTH, 84), theme[0])
    page.write((32, 8, 608, 50), topic.title, Style(19, bold=True, color="#ffffff"))
    page.write((32, 48, 608, 82), f"{issue.city}, {content.number(issue.year)}", Style(13, color="#ffffff"))
    words = {"item": topic.items[best], "year": content.number(issue.year - 1), "n": content.number(change)}
    for row, point in enumerate(content.slide):
        top = 104 + row * 62
        page.fill((34, top + 12, 42, top + 20), theme[0])
        page.write((54, top, 400, top + 60), point.format(**words), Style(15))
    for number in range(len(topic.items)):
        height = 130 if number == best else 40 + 22 * number
        left = 440 + number * 42
        page.fill((left, 272 - height, left + 30, 272), theme[0] if number == best else "#a9a9a9")
    page.line((430, 272), (610, 272), "#444444", 1.2)
    page.write((32, 318, 608, 352), series_line(content, series, issue), Style(9.5, color="#444444"))
    facts = {"city": issue.city, "year": content.number(issue.year), "item": topic.items[best]}
    return Made(name, "slides", key, page.image(dpi), page.text, facts)
