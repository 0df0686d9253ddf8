"""Encode pages and queries, score all pairs exactly, keep the best of each query."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jina_vdr.encoders.base import Encoded, Encoder
from jina_vdr.errors import DataError
from jina_vdr.page_text import ReadTexts, reading_settings
from jina_vdr.progress import progress
from jina_vdr.ranking import best
from jina_vdr.records import Collection, Embeddings, ModelInfo, Page, Pairs, Run
from jina_vdr.similarity import pair_scores, score_blocks
from jina_vdr.store import Computed, Store


class EncoderRanker:
    """Any encoder as a ranker: exact search over its vectors, which the store keeps.

    `read_texts` gives the texts of pages to an encoder that takes text; without it they are the pages' own.
    """

    def __init__(self, encoder: Encoder, store: Store, read_texts: ReadTexts | None = None) -> None:
        self._encoder = encoder
        self._store = store
        self._read_texts = read_texts

    @property
    def info(self) -> ModelInfo:
        """What ran; where the text of pages is read for it, with what reads it."""
        return with_reading(self._encoder.info, self._encoder.document_input, self._read_texts)

    def rank(self, collection: Collection, top_k: int) -> Run:
        """Return the `top_k` best pages of each query."""
        pages = self._documents(collection.corpus, collection.languages)
        queries = self._queries([query.text for query in collection.queries])
        return search(queries, pages, collection, self.info.similarity or "", top_k)

    def compare(self, pairs: Pairs) -> NDArray[np.float64]:
        """Return the similarity of each pair, both sides encoded as documents."""
        first, second = (self._documents(side, pairs.languages) for side in (pairs.first, pairs.second))
        return pair_scores(first, second, self.info.similarity or "")

    def _documents(self, pages: Sequence[Page], languages: Sequence[str]) -> Embeddings:
        if self._encoder.document_input == "text":
            pages = as_texts(pages, languages, self._store, self._read_texts)

        def encode(positions: list[int]) -> Iterator[Encoded]:
            return _placed(self._encoder.encode_documents([pages[i] for i in positions]), positions)

        keys, ids = [page.content for page in pages], [page.id for page in pages]
        with progress(len(pages), "encode pages", "page") as bar:
            return self._kept("document", keys, ids, encode, bar.update)

    def _queries(self, texts: Sequence[str]) -> Embeddings:
        def encode(positions: list[int]) -> Iterator[Encoded]:
            return _placed(self._encoder.encode_queries([texts[i] for i in positions]), positions)

        keys = [digest(text) for text in texts]
        with progress(len(texts), "encode queries", "query") as bar:
            return self._kept("query", keys, texts, encode, bar.update)

    def _kept(
        self,
        side: str,
        keys: Sequence[str],
        ids: Sequence[str],
        encode: Callable[[list[int]], Iterator[Encoded]],
        progress: Callable[[int], object],
    ) -> Embeddings:
        """Return the vectors of all items from the store; what is not there is encoded and kept."""
        info = self._encoder.info
        beside = self._store.shelf(self._producer(info.beside, side)) if info.beside else None

        def compute(positions: list[int]) -> Iterator[Computed]:
            for part in encode(positions):
                here = [ids[i] for i in part.positions]
                if beside and part.beside:
                    beside.keep([keys[i] for i in part.positions], finite(part.beside, here))
                yield part.positions, finite(part.embeddings, here)

        return self._store.shelf(self._producer(info, side)).embeddings(keys, compute, progress)

    def _producer(self, info: ModelInfo, side: str) -> dict[str, object]:
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


def _placed(parts: Iterable[Encoded], positions: Sequence[int]) -> Iterator[Encoded]:
    """Yield what an encoder gives for the items at `positions`, under their places among all."""
    for part in parts:
        yield replace(part, positions=[positions[i] for i in part.positions])


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


def with_reading(info: ModelInfo, document_input: str, read: ReadTexts | None) -> ModelInfo:
    """Return `info`, with what reads the text of pages where a model takes that."""
    if document_input == "image" or not read:
        return info
    return replace(info, settings={**info.settings, "reading": reading_settings()})


def as_texts(
    pages: Sequence[Page], languages: Sequence[str], store: Store, read: ReadTexts | None
) -> list[Page]:
    """Return the pages as what `read` gives, else as their own text.

    Pages of equal texts get equal contents; one without any text keeps its own.
    """
    texts = read(store, pages, languages) if read else [page.read_text() or "" for page in pages]
    return [_text_page(page, text) for page, text in zip(pages, texts, strict=True)]


def _text_page(page: Page, text: str) -> Page:
    return Page(page.id, digest(text or page.content), None, lambda: text)


def digest(text: str) -> str:
    """Return the key of a text in the store."""
    return hashlib.sha256(text.encode()).hexdigest()
