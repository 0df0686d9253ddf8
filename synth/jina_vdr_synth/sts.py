"""Rendered sentences in pairs, with the similarity (0 to 5) that follows from how they were made."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from jina_vdr_synth.canvas import Style
from jina_vdr_synth.content import Content
from jina_vdr_synth.page import blank

WIDTH, HEIGHT = 420, 110
SIZES = (12, 14, 16)

SAME, PARAPHRASE, OTHER_NUMBER, BOTH_DIFFER, SAME_FIELD, UNRELATED = 5.0, 4.0, 3.0, 2.0, 1.0, 0.0


@dataclass(frozen=True)
class Pair:
    """Two rendered sentences, their texts and their similarity."""

    images: tuple[bytes, bytes]
    texts: tuple[str, str]
    score: float


def pairs(content: Content, random: Random, dpi: int) -> list[Pair]:
    """Return all pairs of one language; both sides differ in size and margin, so pixels tell nothing."""
    made = []
    for first, second, score in _sentences(content, random):
        images = (_draw(content, first, random, dpi), _draw(content, second, random, dpi))
        made.append(Pair(images, (first, second), score))
    return made


def _sentences(content: Content, random: Random) -> Iterator[tuple[str, str, float]]:
    count = len(content.sentences)
    for number, (plain, other) in enumerate(content.sentences):
        n, m = (content.number(value) for value in random.sample(range(13, 24), 2))
        yield plain.format(n=n), plain.format(n=n), SAME
        yield plain.format(n=n), other.format(n=n), PARAPHRASE
        yield plain.format(n=m), plain.format(n=n), OTHER_NUMBER
        yield other.format(n=m), plain.format(n=n), BOTH_DIFFER
        yield plain.format(n=n), content.sentences[(number + 1) % count][1].format(n=m), UNRELATED
    last = content.number(random.randint(13, 23))
    yield content.sentences[0][0].format(n=last), content.topics["library"].ask, SAME_FIELD
    yield content.sentences[1][0].format(n=last), content.topics["transport"].ask, SAME_FIELD


def _draw(content: Content, sentence: str, random: Random, dpi: int) -> bytes:
    canvas = blank(content, WIDTH, HEIGHT)
    margin = random.choice((14, 22, 30))
    canvas.write((margin, 14, WIDTH - margin, HEIGHT - 4), sentence, Style(random.choice(SIZES)))
    return canvas.image(dpi)
