"""BM25 over the text of pages, and the words it counts in any language."""

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.metadata import version
from importlib.resources import files
from itertools import chain, pairwise
from math import fsum, log, sqrt

import numpy as np
from numpy.typing import NDArray

from jina_vdr.languages import language_of
from jina_vdr.ocr import SETTINGS as OCR_SETTINGS
from jina_vdr.ocr import tesseract_version
from jina_vdr.page_text import ReadTexts, ocr_texts, own_texts, reading_settings
from jina_vdr.progress import progress
from jina_vdr.ranking import best
from jina_vdr.records import Collection, ModelInfo, Pairs, Run
from jina_vdr.store import Store

TOKENS = 1
"""Version of `tokens` and of the stop words: part of a result's identity, raised when either changes."""

SETTINGS = {"k1": 1.5, "b": 0.75, "method": "lucene"}

_SPACELESS = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3021-\u303c\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\u3040-\u30ff\u31f0-\u31ff\U0001aff0-\U0001b16f"  # Hiragana, Katakana
)
_STACKERS = "\u1039\u17d2"  # the next Burmese or Khmer consonant is written below the last one

_TATWEEL, _ZERO_WIDTH_SPACE, _DECIMAL_MARK, _THOUSANDS_MARK = "\u0640", "\u200b", "\u066b", "\u066c"
_FOLDED = {
    _TATWEEL: None,
    _ZERO_WIDTH_SPACE: " ",
    _DECIMAL_MARK: ".",
    _THOUSANDS_MARK: ",",
    "İ": "i",
    "ı": "i",
}

_GROUPED = re.compile(
    r"(?P<whole>[1-9][0-9]{0,2}(?P<mark>[.,])(?:[0-9]{2,3}(?P=mark))*[0-9]{3})"
    r"(?:(?!(?P=mark))[.,](?P<fraction>[0-9]+))?"
)
_DECIMAL = re.compile(r"[0-9]+[.,][0-9]+")


def tokens(text: str, stopwords: frozenset[str] = frozenset()) -> list[str]:
    """Return the words of `text` in any language, without `stopwords`.

    Text is compared after NFKC and case folding; digits of all scripts become 0-9; invisible characters
    (joiners, soft hyphens, direction marks) and the Arabic tatweel go. A word is a run of letters, digits and
    combining marks. Where words are not spaced (Han, kana, Thai, Lao, Khmer, Burmese) a run becomes its
    overlapping pairs of characters, each with its marks, as in Lucene's CJKBigramFilter.
    A number is one word however it is written: `1,234.5` and `1.234,5` are `1234.5`, `3,14` is `3.14`. A mark
    before exactly three digits groups thousands; other chains (dates, versions) fall into their parts.
    """
    found: list[str] = []
    for match in _pattern().finditer(_folded(text)):
        if match.lastgroup == "word":
            found.append(match[0])
        elif match.lastgroup == "number":
            found += _number(match[0])
        else:
            units = list(match[0]) if match[0].isalnum() else _unit().findall(match[0])
            found += [first + second for first, second in pairwise(units)] or units
    return [word for word in found if word not in stopwords] if stopwords else found


@cache
def stopwords(tag: str) -> frozenset[str]:
    """Return the function words of the language `tag`; none where we have no list.

    There is no list for languages whose words are not spaced: a particle inside a pair of characters is not a
    word, and the pair tells more than the particle.
    """
    language = language_of(tag)
    path = files("jina_vdr") / "stopwords" / f"{language.tag[:3] if language else 'und'}.txt"
    if not path.is_file():
        return frozenset()
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset(chain.from_iterable(tokens(line) for line in lines if not line.startswith("#")))


class BM25:
    """BM25 as Lucene computes it: Kamphuis et al. 2020, "Which BM25 do you mean?", k1 1.5 and b 0.75.

    Pages are indexed with all their words; a query loses the stop words of its own language, unless it has no
    others. Only pages that share a word with the query are ranked.
    """

    def __init__(self, info: ModelInfo, store: Store, read_texts: ReadTexts) -> None:
        self.info = info
        self._read_texts = partial(read_texts, store)

    def rank(self, collection: Collection, top_k: int) -> Run:
        """Return the `top_k` best pages of each query; a query that no page matches has an empty ranking."""
        ids = [page.id for page in collection.corpus]
        score = _index([tokens(text) for text in self._read_texts(collection.corpus, collection.languages)])
        run: Run = {}
        with progress(len(collection.queries), "search", "query") as bar:
            for query in collection.queries:
                words = tokens(query.text, stopwords(query.language)) or tokens(query.text)
                scores = score(words)
                run[query.id] = best(scores, ids, min(top_k, int(np.count_nonzero(scores))))
                bar.update()
        return run

    def compare(self, pairs: Pairs) -> NDArray[np.float64]:
        """Return the cosine of the two tf-idf vectors of each pair, 0 where a side has no word.

        The inverse document frequency is BM25's, over all texts of the pairs.
        """
        texts = self._read_texts([*pairs.first, *pairs.second], pairs.languages)
        bags = [Counter(tokens(text)) for text in texts]
        frequency = Counter(chain.from_iterable(bags))
        idf = {word: log(1 + (len(bags) - n + 0.5) / (n + 0.5)) for word, n in frequency.items()}
        vectors = [{word: n * idf[word] for word, n in bag.items()} for bag in bags]
        half = len(pairs.first)
        cosines = [_cosine(*pair) for pair in zip(vectors[:half], vectors[half:], strict=True)]
        return np.array(cosines, np.float64)


def bm25(store: Store) -> BM25:
    """Return BM25 over the text of pages: their own text, else what Tesseract reads in their image."""
    settings = {**SETTINGS, "tokens": TOKENS, **reading_settings()}
    return BM25(ModelInfo("bm25", "bm25", version("bm25s"), settings=settings), store, own_texts)


def tesseract(store: Store) -> BM25:
    """Return BM25 over what Tesseract reads in the images of pages.

    Raises UsageError when Tesseract is not installed.
    """
    settings = {**SETTINGS, "tokens": TOKENS, "bm25s": version("bm25s"), **OCR_SETTINGS}
    return BM25(ModelInfo("tesseract", "bm25", tesseract_version(), settings=settings), store, ocr_texts)


def _index(corpus: Sequence[Sequence[str]]) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    """Return the function from the words of a query to the score of each text, float32."""
    if not any(corpus):
        return lambda _: np.zeros(len(corpus), np.float32)
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it speaks of each index it builds

    words = {word: i for i, word in enumerate(dict.fromkeys(chain.from_iterable(corpus)))}
    index = bm25s.BM25(k1=SETTINGS["k1"], b=SETTINGS["b"], method=SETTINGS["method"])
    index.index(([[words[word] for word in text] for text in corpus], words), show_progress=False)

    def score(query: Sequence[str]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = index.get_scores_from_ids(
            [words[word] for word in query if word in words]
        )
        return scores

    return score


def _cosine(first: dict[str, float], second: dict[str, float]) -> float:
    """Return the cosine; `fsum` makes it the same whatever the order of words."""
    dot = fsum(first[word] * second[word] for word in first.keys() & second.keys())
    norms = fsum(x * x for x in first.values()) * fsum(x * x for x in second.values())
    return dot / sqrt(norms) if norms else 0.0


def _number(text: str) -> list[str]:
    if match := _GROUPED.fullmatch(text):
        whole = match["whole"].replace(match["mark"], "")
        return [f"{whole}.{match['fraction']}" if match["fraction"] else whole]
    if _DECIMAL.fullmatch(text):
        return [text.replace(",", ".")]
    return re.findall("[0-9]+", text)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(_replacements()).casefold()


@cache
def _replacements() -> dict[int, str | None]:
    """Return what each character becomes after NFKC."""
    table: dict[int, str | None] = {}
    for char in map(chr, chain(range(0x20000), range(0xE0000, 0xE0200))):
        category = unicodedata.category(char)
        if category == "Nd":
            table[ord(char)] = str(unicodedata.digit(char))
        elif category == "Cf" or unicodedata.name(char, "").startswith("VARIATION SELECTOR"):
            table[ord(char)] = None
    for char in re.findall(f"[{_SPACELESS}]", "".join(map(chr, range(0x20000)))):
        if not char.isalnum() and char not in _marks():
            table[ord(char)] = " "
    return table | {ord(char): new for char, new in _FOLDED.items()}


@cache
def _marks() -> str:
    """Return all combining marks."""
    return "".join(char for char in map(chr, range(0x20000)) if unicodedata.category(char)[0] == "M")


@cache
def _unit() -> re.Pattern[str]:
    """Match one character of a script without spaces, with its marks and what is stacked below it."""
    base = f"[^{_marks()}]"
    return re.compile(f"{base}(?:[{_STACKERS}]{base}|[{_marks()}])*")


@cache
def _pattern() -> re.Pattern[str]:
    letter = rf"[^\W_{_SPACELESS}]"
    return re.compile(
        rf"(?P<number>[0-9]+(?:[.,][0-9]+)+)"
        rf"|(?P<word>{letter}+(?:[{_marks()}]+{letter}*)*)"
        rf"|(?P<spaceless>(?![{_marks()}])[{_SPACELESS}][{_SPACELESS}{_marks()}]*)"
    )
