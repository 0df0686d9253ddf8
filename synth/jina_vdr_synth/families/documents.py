"""Markdown documents: the README of a program, in two versions that differ in a number."""

from random import Random

from jina_vdr_synth.canvas import Style
from jina_vdr_synth.content import Content, Tool
from jina_vdr_synth.page import Made, blank

WIDTH, HEIGHT = 520, 480
LEFT, RIGHT = 36, 484
CODE = Style(10.5, mono=True)


def pages(content: Content, prefix: str, random: Random, dpi: int) -> list[Made]:
    """Draw two programs in two versions each."""
    made: list[Made] = []
    for number, tool in enumerate(content.tools):
        first = random.randint(1, 4)
        ports = random.sample(range(3001, 9899), 2)
        for version, port in zip((first, first + 1), ports, strict=True):
            name = f"{prefix}-docs-{len(made) + 1:02}"
            made.append(_page(name, content, tool, f"tool{number}", version, port, first, dpi))
    return made


def _page(
    name: str, content: Content, tool: Tool, subject: str, version: int, port: int, first: int, dpi: int
) -> Made:
    shown = content.number(version)
    page = blank(content, WIDTH, HEIGHT)
    page.write((LEFT, 22, RIGHT, 64), f"{tool.title} {shown}.{content.number(0)}", Style(19, bold=True))
    page.line((LEFT, 66), (RIGHT, 66), "#cccccc")
    page.write((LEFT, 74, RIGHT, 130), tool.about, Style(11))
    page.write((LEFT, 134, RIGHT, 168), content.headings[0], Style(14, bold=True))
    page.fill((LEFT, 170, RIGHT, 200), "#f2f2f4", border="#d8d8de")
    page.write(
        (LEFT + 10, 176, RIGHT - 10, 198), f"pip install {subject}=={version}.0", Style(10.5, mono=True)
    )
    page.write((LEFT, 210, RIGHT, 244), content.headings[1], Style(14, bold=True))
    for row, feature in enumerate(content.features):
        top = 246 + row * 32
        page.fill((LEFT + 4, top + 9, LEFT + 9, top + 14), "#333333")
        page.write((LEFT + 18, top, RIGHT, top + 32), feature, Style(11))
    page.write((LEFT, 348, RIGHT, 382), content.headings[2], Style(14, bold=True))
    page.fill((LEFT, 386, LEFT + 4, 430), "#bbbbbb")
    sentence = content.port.format(n=content.number(port), v=shown)
    page.write((LEFT + 14, 386, RIGHT, 432), sentence, Style(11, color="#555555"))
    versions = " · ".join(f"{tool.title} {content.number(first + n)}" for n in range(2))
    page.write((LEFT, 440, RIGHT, 472), f"{content.series}: {versions}", Style(8.5, color="#555555"))
    facts = {"version": shown, "port": content.number(port)}
    return Made(name, "markdown-docs", subject, page.image(dpi), page.text, facts)
