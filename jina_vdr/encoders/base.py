"""The one interface of all encoders."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jina_vdr.records import Embeddings, ModelInfo, Page


class Encoder(Protocol):
    """Turns texts and pages into vectors. Making one is cheap: weights load at the first call.

    `document_input` says what it takes of a page: "image" or "text".
    """

    @property
    def info(self) -> ModelInfo:
        """What runs."""
        ...

    @property
    def document_input(self) -> str:
        """What of a page is encoded."""
        ...

    def encode_queries(self, queries: Sequence[str]) -> Embeddings:
        """Return the vectors of `queries`, in order."""
        ...

    def encode_documents(self, pages: Sequence[Page]) -> Embeddings:
        """Return the vectors of `pages`, in order."""
        ...


def pack(items: Sequence[NDArray[Any]], dtype: type[np.floating[Any]]) -> Embeddings:
    """Pack one array [rows, dim] an item; a plain vector [dim] is one row."""
    rows = [np.atleast_2d(item) for item in items]
    offsets = np.cumsum([0, *(len(item) for item in rows)], dtype=np.int64)
    return Embeddings(np.concatenate(rows).astype(dtype), offsets)
