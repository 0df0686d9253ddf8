"""Forms: an application, filled in by hand, in two variants a subject."""

from collections.abc import Sequence
from random import Random

from jina_vdr_synth.canvas import Canvas, Style
from jina_vdr_synth.content import Content
from jina_vdr_synth.page import THEMES, Made, blank, series_lines, two_samples, write_remarks

WIDTH, HEIGHT = 480, 600
LEFT, RIGHT = 36, 444
INK = "#1a2f8f"


def pages(content: Content, prefix: str, random: Random, dpi: int) -> list[Made]:
    """Draw two forms, each filled in for two places."""
    made: list[Made] = []
    for number, form in enumerate(content.forms):
        theme = random.choice(THEMES)
        cities = random.sample(content.cities, 2)
        answers = _answers(content, cities, random)
        hints = two_samples(random, content.hints, 0, 3)
        lines = series_lines(content, random, content.cities, *cities)
        for filled, some, line in zip(answers, hints, lines, strict=True):
            chosen = random.randrange(len(content.options))
            page = _draw(content, form.title, filled, chosen, some, line, theme)
            name = f"{prefix}-forms-{len(made) + 1:02}"
            facts = {"city": filled[1], "fee": filled[4], "number": filled[0]}
            made.append(Made(name, "forms", f"form{number}", page.image(dpi), page.text, facts))
    return made


def _answers(content: Content, cities: Sequence[str], random: Random) -> list[list[str]]:
    """Return what two persons write into the five fields: number and fee differ."""
    numbers, fees = random.sample(range(20011, 98989), 2), random.sample(range(101, 390), 2)
    filled = []
    for city, number, fee in zip(cities, numbers, fees, strict=True):
        day = f"{random.randint(2019, 2024)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
        persons = content.number(random.randint(1, 6))
        filled.append([content.number(number), city, _digits(content, day), persons, content.number(fee)])
    return filled


def _draw(
    content: Content,
    title: str,
    answers: Sequence[str],
    chosen: int,
    hints: Sequence[str],
    series: str,
    theme: tuple[str, str],
) -> Canvas:
    page = blank(content, WIDTH, HEIGHT)
    page.fill((0, 0, WIDTH, 14), theme[0])
    page.write((LEFT, 26, RIGHT, 74), title, Style(16, bold=True, color=theme[0]))
    for row, (label, answer) in enumerate(zip(content.labels, answers, strict=True)):
        _draw_field(page, 78 + row * 57, label, answer, theme[1])
    _draw_options(page, content, chosen)
    page.write((LEFT, 454, RIGHT, 492), content.declaration, Style(9.5))
    write_remarks(page, LEFT, 498, RIGHT, hints)
    page.write((LEFT, 562, RIGHT, 592), series, Style(8.5, color="#555555"))
    return page


def _draw_field(page: Canvas, top: float, label: str, answer: str, light: str) -> None:
    page.write((LEFT, top, RIGHT, top + 24), label, Style(9.5, color="#444444", middle=True))
    page.fill((LEFT, top + 24, RIGHT, top + 52), light, border="#888888")
    page.write((LEFT + 8, top + 25, RIGHT - 8, top + 51), answer, Style(12, color=INK, middle=True))


def _draw_options(page: Canvas, content: Content, chosen: int) -> None:
    for row, option in enumerate(content.options):
        top = 370 + row * 26
        page.fill((LEFT, top + 7, LEFT + 12, top + 19), "#ffffff", border="#444444")
        if row == chosen:
            page.line((LEFT + 2, top + 9), (LEFT + 10, top + 17), INK, 1.8)
            page.line((LEFT + 2, top + 17), (LEFT + 10, top + 9), INK, 1.8)
        page.write((LEFT + 20, top, RIGHT, top + 26), option, Style(10.5, middle=True))


def _digits(content: Content, text: str) -> str:
    return "".join(content.number(int(c)) if c.isdecimal() else c for c in text)
