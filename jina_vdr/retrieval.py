"""Encode pages and queries, score all pairs exactly, keep the best of each query."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jina_vdr.encoders.base import Encoder
from jina_vdr.errors import DataError
from jina_vdr.progress import progress
from jina_vdr.ranking import best
from jina_vdr.records import Collection, Embeddings, ModelInfo, Page, Pairs, Run
from jina_vdr.similarity import pair_scores, score_blocks
from jina_vdr.store import Store


class EncoderRanker:
    """Any encoder as a ranker: exact search over its vectors, which the store keeps."""

    def __init__(self, encoder: Encoder, store: Store) -> None:
        self._encoder = encoder
        self._store = store

    @property
    def info(self) -> ModelInfo:
        """What ran."""
        return self._encoder.info

    def rank(self, collection: Collection, top_k: int) -> Run:
        """Return the `top_k` best pages of each query."""
        pages = self._documents(collection.corpus)
        queries = self._queries([query.text for query in collection.queries])
        return search(queries, pages, collection, self.info.similarity or "", top_k)

    def compare(self, pairs: Pairs) -> NDArray[np.float64]:
        """Return the similarity of each pair, both sides encoded as documents."""
        first, second = self._documents(pairs.first), self._documents(pairs.second)
        return pair_scores(first, second, self.info.similarity or "")

    def _documents(self, pages: Sequence[Page]) -> Embeddings:
        def encode(positions: list[int]) -> Embeddings:
            embeddings = self._encoder.encode_documents([pages[i] for i in positions])
            return finite(embeddings, [pages[i].id for i in positions])

        if self._encoder.document_input == "image":
            keys = [page.content for page in pages]
        else:
            keys = [_digest(page.read_text() or page.content) for page in pages]
        shelf = self._store.shelf(self._producer("document"))
        with progress(len(keys), "encode pages", "page") as bar:
            return shelf.embeddings(keys, encode, bar.update)

    def _queries(self, texts: Sequence[str]) -> Embeddings:
        def encode(positions: list[int]) -> Embeddings:
            embeddings = self._encoder.encode_queries([texts[i] for i in positions])
            return finite(embeddings, [texts[i] for i in positions])

        shelf = self._store.shelf(self._producer("query"))
        with progress(len(texts), "encode queries", "query") as bar:
            return shelf.embeddings([_digest(text) for text in texts], encode, bar.update)

    def _producer(self, side: str) -> dict[str, object]:
        info = self.info
        return {
            "model": info.name,
            "family": info.family,
            "revision": info.revision,
            "vector_type": info.vector_type,
            "settings": info.settings,
            "input": self._encoder.document_input if side == "document" else "text",
            "side": side,
        }


def search(
    queries: Embeddings, pages: Embeddings, collection: Collection, similarity: str, top_k: int
) -> Run:
    """Rank `pages` (in the order of the corpus) for `queries` (in theirs), exactly."""
    ids = [page.id for page in collection.corpus]
    run: Run = {}
    with progress(len(queries), "score", "query") as bar:
        for block, scores in score_blocks(queries, pages, similarity):
            for query, row in zip(collection.queries[block], scores, strict=True):
                run[query.id] = best(row, ids, top_k)
            bar.update(len(scores))
    return run


def finite(embeddings: Embeddings, ids: Sequence[str]) -> Embeddings:
    """Return `embeddings`; raise DataError naming the first item with a NaN or what float32 cannot hold."""
    bad = ~(np.abs(embeddings.values) <= np.finfo(np.float32).max).all(axis=1)
    if bad.any():
        item = int(np.searchsorted(embeddings.offsets, int(np.argmax(bad)), side="right")) - 1
        raise DataError(
            "JV423",
            f"the vectors of '{ids[item]}' hold NaN, infinity or more than float32 can",
            "check the model's dtype",
        )
    return embeddings


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
