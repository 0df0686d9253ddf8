"""Rendered sentences in pairs, with the similarity (0 to 5) that follows from how they were made.

5  the same text, drawn twice
4  the same in other words: a sentence and its paraphrase, a topic as a heading and as a reader would put it
3  the same but for one thing that matters: another number; what a form or a program is, and what it is for
2  a part is shared: a paraphrase with another number, a topic and a question about it
1  the same field or the same words, and another statement: the bridge opens, the bridge closes
0  nothing in common, though the number may be the same
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from random import Random

from jina_vdr_synth.canvas import Style
from jina_vdr_synth.content import Content
from jina_vdr_synth.page import blank

WIDTH, HEIGHT = 460, 84
SIZES = (12, 14, 16)
MARGINS = (14, 22, 30)
NUMBERS = range(13, 21)
"""Numbers that stand with the same form of a noun in every language, and that a clock can show."""

SAME, PARAPHRASE, ONE_DIFFERS, SHARED, FIELD, UNRELATED = 5.0, 4.0, 3.0, 2.0, 1.0, 0.0

Graded = tuple[str, str, float]


@dataclass(frozen=True)
class Pair:
    """Two rendered sentences, their texts and their similarity."""

    images: tuple[bytes, bytes]
    texts: tuple[str, str]
    score: float


def pairs(content: Content, random: Random, dpi: int) -> list[Pair]:
    """Return all pairs of one language. The two sides of a text differ in size and margin."""
    draw = cache(partial(_draw, content, random, dpi))
    made = []
    for first, second, score in graded(content, random):
        images = draw(first)[0], draw(second)[1]
        made.append(Pair(images, (first, second), score))
    return made


def graded(content: Content, random: Random) -> list[Graded]:
    """Return the texts of all pairs of one language with their similarity."""
    return [*_sentences(content, random), *_topics(content), *_forms(content), *_tools(content)]


def _sentences(content: Content, random: Random) -> Iterator[Graded]:
    for sentence, following in pairwise([*content.sentences, content.sentences[0]]):
        n, m = ({"n": content.number(value)} for value in random.sample(NUMBERS, 2))
        plain = sentence.plain.format(**n)
        yield plain, plain, SAME
        yield plain, sentence.other.format(**n), PARAPHRASE
        yield sentence.plain.format(**m), plain, ONE_DIFFERS
        yield sentence.other.format(**m), plain, SHARED
        yield sentence.near.format(**n), plain, FIELD
        yield plain, following.plain.format(**n), UNRELATED


def _topics(content: Content) -> Iterator[Graded]:
    topics = list(content.topics.values())
    for topic, following in pairwise([*topics, topics[0]]):
        yield topic.title, topic.alt, PARAPHRASE
        yield topic.title, topic.ask, SHARED
        yield topic.alt, topic.ask, SHARED
        yield topic.title, following.title, UNRELATED
        yield topic.alt, following.alt, UNRELATED


def _forms(content: Content) -> Iterator[Graded]:
    parking, library = content.forms
    for form in content.forms:
        yield form.title, form.title, SAME
        yield form.title, form.alt, ONE_DIFFERS
    yield parking.title, library.title, FIELD
    yield library.title, content.topics["library"].title, FIELD
    yield library.alt, content.topics["library"].ask, FIELD


def _tools(content: Content) -> Iterator[Graded]:
    for tool in content.tools:
        yield tool.about, tool.about, SAME
        yield tool.about, tool.alt, ONE_DIFFERS
    yield content.tools[0].about, content.tools[1].about, FIELD
    yield content.tools[0].about, content.tools[1].alt, FIELD


def _draw(content: Content, random: Random, dpi: int, text: str) -> tuple[bytes, bytes]:
    """Draw a text twice, in another size and with another margin."""
    looks = zip(random.sample(SIZES, 2), random.sample(MARGINS, 2), strict=True)
    first, second = (_image(content, dpi, text, size, margin) for size, margin in looks)
    return first, second


def _image(content: Content, dpi: int, text: str, size: int, margin: int) -> bytes:
    canvas = blank(content, WIDTH, HEIGHT)
    canvas.write((margin, 10, WIDTH - margin, HEIGHT - 4), text, Style(size))
    return canvas.image(dpi)
