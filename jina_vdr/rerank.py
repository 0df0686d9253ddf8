"""A second look at the best pages of a ranking: a reranker, or the vectors of another model."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jina_vdr.composition import composed, label, only_ranks
from jina_vdr.errors import DataError
from jina_vdr.page_text import ReadTexts
from jina_vdr.progress import progress
from jina_vdr.ranking import best, rank_allowed
from jina_vdr.records import Collection, Embeddings, ModelInfo, Page, Pairs, Ranker, Ranking, Run
from jina_vdr.rerankers.base import Pair, Reranker
from jina_vdr.retrieval import EncoderRanker, as_texts, digest, with_reading
from jina_vdr.similarity import score_blocks
from jina_vdr.store import Computed, Store

Shown = dict[str, list[Page]]
"""Query id -> the pages that are looked at again."""

Scores = dict[str, NDArray[np.float32]]
"""Query id -> the score of each of them, in their order."""


class Scorer(Protocol):
    """What looks at pages again."""

    @property
    def info(self) -> ModelInfo:
        """What ran."""
        ...

    def scores(self, collection: Collection, shown: Shown) -> Scores:
        """Return the scores of all pages that are shown."""
        ...


class Reranked:
    """The ranking of one model, whose `top` best pages of each query another puts in a new order.

    What stands below keeps its order, under the reranked pages. The scores there say only that: they fall by
    the smallest step of float32 from the lowest of those above, and tie where the first model's do.
    """

    def __init__(self, first: Ranker, second: Scorer, top: int) -> None:
        self._first = first
        self._second = second
        self._top = top

    @property
    def info(self) -> ModelInfo:
        """What ran."""
        first, second = self._first.info, self._second.info
        name = f"{label(first)}+{label(second)}"
        return composed("rerank", name, {"top": self._top}, {"first": first, "reranker": second})

    def rank(self, collection: Collection, top_k: int) -> Run:
        """Return the `top_k` best pages of each query; what the first model does not rank stays unranked."""
        run = rank_allowed(self._first, collection, max(top_k, self._top))
        pages = {page.id: page for page in collection.corpus}
        shown = {query: [pages[page] for page in r.ids[: self._top]] for query, r in run.items() if r.ids}
        scores = self._second.scores(collection, shown)
        return {
            query: _merged(ranking, scores[query], top_k) if query in shown else ranking
            for query, ranking in run.items()
        }

    def compare(self, pairs: Pairs) -> NDArray[np.float64]:
        """Raise UsageError: where two pages are compared nothing is ranked that could be ranked again."""
        raise only_ranks(self.info.name, pairs)


class PairScorer:
    """A reranker whose scores the store keeps: a query's text and a page's content are scored once, ever."""

    def __init__(self, reranker: Reranker, store: Store, read_texts: ReadTexts | None = None) -> None:
        self._reranker = reranker
        self._store = store
        self._read_texts = read_texts

    @property
    def info(self) -> ModelInfo:
        """What ran; where the text of pages is read for it, with what reads it."""
        return with_reading(self._reranker.info, self._reranker.document_input, self._read_texts)

    def scores(self, collection: Collection, shown: Shown) -> Scores:
        """Return the scores of all pages that are shown."""
        if not shown:
            return {}
        seen = {page.id: page for pages in shown.values() for page in pages}
        if self._reranker.document_input == "text":
            texts = as_texts(list(seen.values()), collection.languages, self._store, self._read_texts)
            seen = {page.id: page for page in texts}
        asked = {query.id: query for query in collection.queries}
        lists = {query: [(asked[query], seen[page.id]) for page in pages] for query, pages in shown.items()}
        keys = [key for pairs in lists.values() for key in self._keys(pairs)]
        values = self._values([pair for pairs in lists.values() for pair in pairs], keys)
        ends = np.cumsum([len(pairs) for pairs in lists.values()])
        return dict(zip(lists, np.split(values, ends[:-1]), strict=True))

    def _keys(self, pairs: Sequence[Pair]) -> list[str]:
        """Return the keys of the pairs of one query; where pages are judged beside others, of all of them."""
        beside = "\0".join(page.content for _, page in pairs) if self._reranker.listwise else ""
        return [digest("\0".join((query.text, page.content, beside))) for query, page in pairs]

    def _values(self, pairs: Sequence[Pair], keys: Sequence[str]) -> NDArray[np.float32]:
        info = self._reranker.info

        def score(positions: list[int]) -> Iterator[Computed]:
            for part, scores in self._reranker.score([pairs[i] for i in positions]):
                places = [positions[i] for i in part]
                _check(scores, [pairs[i] for i in places], info.name)
                yield places, Embeddings(scores[:, None], np.arange(len(scores) + 1))

        producer = {
            "reranker": info.name,
            "family": info.family,
            "revision": info.revision,
            "settings": info.settings,
            "input": self._reranker.document_input,
        }
        with progress(len(pairs), "rerank", "page") as bar:
            kept = self._store.shelf(producer).embeddings(keys, score, bar.update)
        return kept.values[:, 0]


class VectorScorer(EncoderRanker):
    """Any encoder as a reranker: its vectors of the pages that are shown, compared exactly."""

    def scores(self, collection: Collection, shown: Shown) -> Scores:
        """Return the similarity of each page that is shown to its query."""
        if not shown:
            return {}
        pages = list({page.id: page for pages in shown.values() for page in pages}.values())
        place = {page.id: i for i, page in enumerate(pages)}
        documents = self._documents(pages, collection.languages)
        asked = [query for query in collection.queries if query.id in shown]
        queries = self._queries([query.text for query in asked])
        similarity = self.info.similarity or ""
        found: Scores = {}
        for i, query in enumerate(asked):
            some = _picked(documents, [place[page.id] for page in shown[query.id]])
            ((_, scores),) = score_blocks(_picked(queries, [i]), some, similarity)
            found[query.id] = scores[0]
        return found


def _merged(ranking: Ranking, scores: NDArray[np.float32], top_k: int) -> Ranking:
    """Return a ranking, its first pages in the order of their new `scores`."""
    n = len(scores)
    again = best(scores, ranking.ids[:n], n)
    falls = np.diff(ranking.scores[n - 1 :]) != 0
    falls[:1] = True
    below = [again.scores[-1]]
    for fall in falls:
        below.append(np.nextafter(below[-1], np.float32(-np.inf)) if fall else below[-1])
    values = np.concatenate([again.scores, np.array(below[1:], np.float32)])
    return Ranking((*again.ids, *ranking.ids[n:])[:top_k], values[:top_k])


def _picked(embeddings: Embeddings, positions: Sequence[int]) -> Embeddings:
    rows = [embeddings.values[embeddings.offsets[i] : embeddings.offsets[i + 1]] for i in positions]
    offsets = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64)
    return Embeddings(np.concatenate(rows), offsets)


def _check(scores: NDArray[np.float32], pairs: Sequence[Pair], name: str) -> None:
    """Raise DataError for a score that orders nothing."""
    if not np.isfinite(scores).all():
        query, page = pairs[int(np.argmin(np.isfinite(scores)))]
        raise DataError(
            "JV423",
            f"{name} scores page '{page.id}' for '{query.text}' as NaN or infinity",
            "check its --dtype",
        )
