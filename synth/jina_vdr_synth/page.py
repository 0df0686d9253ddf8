"""A rendered page and what is true of it: from this, queries and qrels follow without judging."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from jina_vdr_synth.canvas import Canvas, Color
from jina_vdr_synth.content import Content

THEMES: tuple[tuple[Color, Color], ...] = (
    ("#1f4e79", "#dbe7f3"),
    ("#7a1f3d", "#f6e1e8"),
    ("#2d5f2e", "#e3f0e0"),
    ("#5a3d8a", "#ebe4f5"),
    ("#8a4b08", "#faecd8"),
)
"""Dark and light colour of a page."""


@dataclass(frozen=True)
class Made:
    """A page as an image, with its text and the facts that stand on it."""

    id: str
    document_format: str
    subject: str
    image: bytes
    text: str
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Issue:
    """One of a series: where and when."""

    city: str
    year: int


def issues(content: Content, random: Random) -> list[Issue]:
    """Return the issues of a series: two places, two years each. Every page of a series names all."""
    cities = random.sample(content.cities, 2)
    first = random.randint(2016, 2020)
    return [Issue(city, year) for city in cities for year in (first, first + random.randint(1, 3))]


def series_line(content: Content, series: Sequence[Issue], this: Issue) -> str:
    """Name the other issues: a page cannot be told from its siblings by the place or the year alone."""
    others = [f"{issue.city} {content.number(issue.year)}" for issue in series if issue != this]
    return f"{content.series}: {' · '.join(others)}"


def blank(content: Content, width: float, height: float, paper: Color = "#ffffff") -> Canvas:
    """Return an empty page of the language."""
    return Canvas(width, height, content.tag[:3], rtl=content.language.rtl, paper=paper)
