"""Markdown documents: the README of a program, in two versions that differ in a number."""

from collections.abc import Sequence
from random import Random

from jina_vdr_synth.canvas import Canvas, Style
from jina_vdr_synth.content import Content, Tool
from jina_vdr_synth.page import Made, blank, series_lines, two_samples

WIDTH, HEIGHT = 520, 540
LEFT, RIGHT = 36, 484
PACKAGES = ("tidetable", "seedbox")
HEADING = Style(14, bold=True)
CODE = Style(10.5, mono=True, middle=True)


def pages(content: Content, prefix: str, random: Random, dpi: int) -> list[Made]:
    """Draw two programs in two versions each; the later one can do more."""
    made: list[Made] = []
    for package, tool in zip(PACKAGES, content.tools, strict=True):
        first = random.randint(2, 5)
        ports = random.sample(range(3001, 9899), 2)
        series = [f"{tool.title} {content.number(version)}" for version in range(first - 1, first + 4)]
        lines = series_lines(content, random, series, series[1], series[2])
        features = sorted(two_samples(random, content.features, 2, 6), key=len)
        for version, port, some, line in zip((first, first + 1), ports, features, lines, strict=True):
            page = _draw(content, tool, package, version, port, some, line)
            name = f"{prefix}-docs-{len(made) + 1:02}"
            facts = {"version": content.number(version), "port": content.number(port)}
            made.append(Made(name, "markdown-docs", package, page.image(dpi), page.text, facts))
    return made


def _draw(
    content: Content, tool: Tool, package: str, version: int, port: int, features: Sequence[str], series: str
) -> Canvas:
    shown = content.number(version)
    page = blank(content, WIDTH, HEIGHT)
    page.write((LEFT, 22, RIGHT, 64), f"{tool.title} {shown}.{content.number(0)}", Style(19, bold=True))
    page.line((LEFT, 66), (RIGHT, 66), "#cccccc")
    page.write((LEFT, 72, RIGHT, 122), tool.about, Style(11))
    page.write((LEFT, 124, RIGHT, 156), content.headings[0], HEADING)
    page.fill((LEFT, 160, RIGHT, 190), "#f2f2f4", border="#d8d8de")
    page.write((LEFT + 10, 162, RIGHT - 10, 188), f"pip install {package}=={version}.0", CODE)
    page.write((LEFT, 204, RIGHT, 236), content.headings[1], HEADING)
    for row, feature in enumerate(features):
        top = 238 + row * 28
        page.fill((LEFT + 4, top + 11, LEFT + 9, top + 16), "#333333")
        page.write((LEFT + 18, top, RIGHT, top + 28), feature, Style(11, middle=True))
    top = 252 + len(features) * 28
    page.write((LEFT, top, RIGHT, top + 32), content.headings[2], HEADING)
    page.fill((LEFT, top + 36, LEFT + 4, top + 74), "#bbbbbb")
    sentence = content.port.format(n=content.number(port), v=shown)
    page.write((LEFT + 14, top + 34, RIGHT, top + 76), sentence, Style(11, color="#555555", middle=True))
    page.write((LEFT, 506, RIGHT, 536), series, Style(8.5, color="#555555"))
    return page
