"""A model without weights: hashed words as vectors, the same on every machine."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jina_vdr.encoders.base import pack
from jina_vdr.errors import UsageError
from jina_vdr.lexical import tokens
from jina_vdr.model import ModelSpec
from jina_vdr.records import Embeddings, ModelInfo, Page
from jina_vdr.similarity import LATE_INTERACTION

DIMENSIONS = 256
MAX_TOKENS = 512


class Fake:
    """Each word has a random direction that follows from its letters; a text is their sum, or one row a word.

    It reads a page's text; a page without text has a direction that follows from its content.
    """

    document_input = "text"

    def __init__(self, spec: ModelSpec) -> None:
        vector_type = spec.options.vector_type or "single"
        similarity = spec.options.similarity or ("maxsim" if vector_type == "multi" else "cosine")
        if (vector_type == "multi") != (similarity in LATE_INTERACTION):
            raise UsageError("JV109", f"{vector_type}-vector embeddings cannot be scored by {similarity}")
        self._dimensions = spec.options.truncate_dim or DIMENSIONS
        if not 1 <= self._dimensions <= DIMENSIONS:
            raise UsageError(
                "JV109", f"fake vectors have 1 to {DIMENSIONS} dimensions, not {self._dimensions}"
            )
        settings = {"truncate_dim": spec.options.truncate_dim}
        self.info = ModelInfo("fake", "fake", "1", vector_type, similarity, settings)

    def encode_queries(self, queries: Sequence[str]) -> Embeddings:
        """Encode texts."""
        return self._pack([tokens(query) for query in queries])

    def encode_documents(self, pages: Sequence[Page]) -> Embeddings:
        """Encode the text of pages."""
        return self._pack([tokens(page.read_text() or "") or [page.content] for page in pages])

    def _pack(self, texts: Sequence[Sequence[str]]) -> Embeddings:
        items = [np.stack([self._direction(word) for word in (text or [""])[:MAX_TOKENS]]) for text in texts]
        if self.info.vector_type == "multi":
            return pack(items, np.float16)
        return pack([item.sum(axis=0) for item in items], np.float32)

    def _direction(self, word: str) -> NDArray[np.float64]:
        bits = hashlib.shake_256(word.encode()).digest(DIMENSIONS)
        values = np.frombuffer(bits, np.int8)[: self._dimensions] + 0.5
        unit: NDArray[np.float64] = values / np.linalg.norm(values)
        return unit
