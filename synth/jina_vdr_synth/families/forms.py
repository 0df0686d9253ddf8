"""Forms: an application, filled in by hand, in two variants a subject."""

from random import Random

from jina_vdr_synth.canvas import Canvas, Style
from jina_vdr_synth.content import Content, Form
from jina_vdr_synth.page import THEMES, Made, blank

WIDTH, HEIGHT = 480, 560
LEFT, RIGHT = 36, 444
INK = "#1a2f8f"


def pages(content: Content, prefix: str, random: Random, dpi: int) -> list[Made]:
    """Draw two forms, each filled in for two places."""
    made: list[Made] = []
    for number, form in enumerate(content.forms):
        dark, light = random.choice(THEMES)
        for city in random.sample(content.cities, 2):
            name = f"{prefix}-forms-{len(made) + 1:02}"
            made.append(_page(name, content, form, f"form{number}", city, random, (dark, light), dpi))
    return made


def _page(
    name: str,
    content: Content,
    form: Form,
    subject: str,
    city: str,
    random: Random,
    theme: tuple[str, str],
    dpi: int,
) -> Made:
    number, persons, fee = random.randint(20011, 98989), random.randint(1, 6), random.randint(12, 96)
    day = f"{random.randint(2019, 2024)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
    answers = [
        content.number(number),
        city,
        _digits(content, day),
        content.number(persons),
        content.number(fee),
    ]
    page = blank(content, WIDTH, HEIGHT)
    page.fill((0, 0, WIDTH, 14), theme[0])
    page.write((LEFT, 28, RIGHT, 76), form.title, Style(16, bold=True, color=theme[0]))
    for row, (label, answer) in enumerate(zip(content.labels, answers, strict=True)):
        _draw_field(page, 84 + row * 58, label, answer, theme[1])
    _draw_options(page, content, random.randrange(len(content.options)))
    page.write((LEFT, 460, RIGHT, 506), content.declaration, Style(9.5))
    page.write(
        (LEFT, 508, RIGHT, 552),
        f"{content.series}: {' · '.join(content.cities)}",
        Style(8.5, color="#555555"),
    )
    facts = {"city": city, "fee": answers[4], "number": answers[0]}
    return Made(name, "forms", subject, page.image(dpi), page.text, facts)


def _draw_field(page: Canvas, top: float, label: str, answer: str, light: str) -> None:
    page.write((LEFT, top, RIGHT, top + 24), label, Style(9.5, color="#444444"))
    page.fill((LEFT, top + 24, RIGHT, top + 54), light, border="#888888")
    page.write((LEFT + 8, top + 26, RIGHT - 8, top + 54), answer, Style(12, color=INK))


def _draw_options(page: Canvas, content: Content, chosen: int) -> None:
    for row, option in enumerate(content.options):
        top = 378 + row * 27
        page.fill((LEFT, top + 5, LEFT + 12, top + 17), "#ffffff", border="#444444")
        if row == chosen:
            page.line((LEFT + 2, top + 11), (LEFT + 5, top + 15), INK, 1.8)
            page.line((LEFT + 5, top + 15), (LEFT + 11, top + 5), INK, 1.8)
        page.write((LEFT + 20, top, RIGHT, top + 26), option, Style(10.5))


def _digits(content: Content, text: str) -> str:
    return "".join(content.number(int(c)) if c.isdecimal() else c for c in text)
