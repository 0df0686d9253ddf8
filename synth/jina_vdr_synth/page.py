"""A rendered page and what is true of it: from this, queries and qrels follow without judging."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from jina_vdr_synth.canvas import Canvas, Color, Style
from jina_vdr_synth.content import Content

THEMES: tuple[tuple[Color, Color], ...] = (
    ("#1f4e79", "#dbe7f3"),
    ("#7a1f3d", "#f6e1e8"),
    ("#2d5f2e", "#e3f0e0"),
    ("#5a3d8a", "#ebe4f5"),
    ("#8a4b08", "#faecd8"),
)
"""Dark and light colour of a page."""

REMARK = Style(8.5, color="#333333")
LINE = 18
"""Height of a line of remarks, in points: room for every script."""


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
    """One of a series: where, and the years it is about."""

    city: str
    year: int
    years: int = 1

    def span(self, content: Content) -> str:
        """Return the year, or the first and the last one."""
        first, last = content.number(self.year), content.number(self.year + self.years - 1)
        return first if self.years == 1 else f"{first}–{last}"

    def name(self, content: Content) -> str:
        """Return what other pages of the series call it."""
        return f"{self.city} {self.span(content)}"

    def heading(self, content: Content) -> str:
        """Return what its own page calls it."""
        return content.issue.format(city=self.city, year=self.span(content))


def siblings(
    content: Content, random: Random, cities: Sequence[str], years: int = 1
) -> list[tuple[Issue, str]]:
    """Return two issues of a series that differ in place and year, each with the line about the others."""
    first = random.randint(2014, 2017)
    starts = [first, first + 1, first + random.randint(3, 5)]
    names = [Issue(city, start, years).name(content) for city in cities for start in starts]
    places_and_times = zip(random.sample(cities, 2), random.sample(starts[:2], 2), strict=True)
    one, two = (Issue(city, start, years) for city, start in places_and_times)
    lines = series_lines(content, random, names, one.name(content), two.name(content))
    return list(zip((one, two), lines, strict=True))


def series_lines(
    content: Content, random: Random, series: Sequence[str], one: str, two: str
) -> tuple[str, str]:
    """Return what each of two siblings says of the series: it names the other one, and some more."""

    def line(sibling: str) -> str:
        rest = [name for name in series if name not in (one, two)]
        named = [sibling, *random.sample(rest, random.randint(0, len(rest)))]
        return content.series.format(names=" · ".join(name for name in series if name in named))

    return line(two), line(one)


def two_samples(random: Random, texts: Sequence[str], least: int, most: int) -> list[list[str]]:
    """Return some of `texts` for each of two siblings, not the same number: they differ in length."""
    counts = random.sample(range(least, most + 1), 2)
    picks = [random.sample(texts, count) for count in counts]
    return [[text for text in texts if text in pick] for pick in picks]


def write_remarks(page: Canvas, left: float, top: float, right: float, remarks: Sequence[str]) -> None:
    """Write one remark a line."""
    for number, remark in enumerate(remarks):
        page.write((left, top + number * LINE, right, top + (number + 1) * LINE), remark, REMARK)


def blank(content: Content, width: float, height: float, paper: Color = "#ffffff") -> Canvas:
    """Return an empty page of the language."""
    return Canvas(width, height, content.tag[:3], rtl=content.language.rtl, paper=paper)
