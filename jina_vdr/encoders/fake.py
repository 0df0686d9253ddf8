"""A model without weights: hashed words as vectors, the same on every machine."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from jina_vdr.encoders.base import Encoded, pack
from jina_vdr.errors import UsageError
from jina_vdr.lexical import tokens
from jina_vdr.model import ModelSpec
from jina_vdr.records import ModelInfo, Page
from jina_vdr.similarity import check_similarity

DIMENSIONS = 256
MAX_TOKENS = 512
BATCH = 64


class Fake:
    """Each word has a random direction that follows from its letters; a text is their sum, or one row a word.

    It reads a page's text; a page without text has a direction that follows from its content.
    """

    document_input = "text"

    def __init__(self, spec: ModelSpec) -> None:
        vector_type = spec.options.vector_type or "single"
        similarity = spec.options.similarity or ("maxsim" if vector_type == "multi" else "cosine")
        check_similarity(vector_type, similarity)
        self._dimensions = spec.options.truncate_dim or DIMENSIONS
        if not 1 <= self._dimensions <= DIMENSIONS:
            raise UsageError(
                "JV109", f"fake vectors have 1 to {DIMENSIONS} dimensions, not {self._dimensions}"
            )
        settings = {"truncate_dim": spec.options.truncate_dim}
        self.info = ModelInfo("fake", "fake", "1", vector_type, similarity, settings)

    def encode_queries(self, queries: Sequence[str]) -> Iterator[Encoded]:
        """Encode texts."""
        return self._encode([tokens(query) for query in queries])

    def encode_documents(self, pages: Sequence[Page]) -> Iterator[Encoded]:
        """Encode the text of pages."""
        return self._encode([tokens(page.read_text() or "") or [page.content] for page in pages])

    def _encode(self, texts: Sequence[Sequence[str]]) -> Iterator[Encoded]:
        for start in range(0, len(texts), BATCH):
            part = texts[start : start + BATCH]
            items = [
                np.stack([self._direction(word) for word in (text or [""])[:MAX_TOKENS]]) for text in part
            ]
            positions = list(range(start, start + len(part)))
            if self.info.vector_type == "multi":
                yield Encoded(positions, pack(items, np.float16))
            else:
                yield Encoded(positions, pack([item.sum(axis=0) for item in items], np.float32))

    def _direction(self, word: str) -> NDArray[np.float64]:
        bits = hashlib.shake_256(word.encode()).digest(DIMENSIONS)
        values = np.frombuffer(bits, np.int8)[: self._dimensions] + 0.5
        unit: NDArray[np.float64] = values / np.linalg.norm(values)
        return unit
