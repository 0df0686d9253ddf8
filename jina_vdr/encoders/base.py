"""The one interface of all encoders."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jina_vdr.records import Embeddings, ModelInfo, Page


@dataclass(frozen=True, slots=True)
class Encoded:
    """The vectors of some items of a call: item i of `embeddings` belongs to item `positions[i]`.

    It is kept as soon as it is yielded: its size is what a killed run can lose. `beside` holds the same items
    as the vectors of `info.beside`, where the model has one.
    """

    positions: list[int]
    embeddings: Embeddings
    beside: Embeddings | None = None


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

    def encode_queries(self, queries: Sequence[str]) -> Iterator[Encoded]:
        """Yield the vectors of `queries`, each once, in any order."""
        ...

    def encode_documents(self, pages: Sequence[Page]) -> Iterator[Encoded]:
        """Yield the vectors of `pages`, each once, in any order."""
        ...


def pack(items: Sequence[NDArray[Any]], dtype: type[np.floating[Any]]) -> Embeddings:
    """Pack one array [rows, dim] an item; a plain vector [dim] is one row."""
    rows = [np.atleast_2d(item) for item in items]
    offsets = np.cumsum([0, *(len(item) for item in rows)], dtype=np.int64)
    return Embeddings(np.concatenate(rows).astype(dtype), offsets)


def at_once(embeddings: Embeddings) -> Iterator[Encoded]:
    """Yield the vectors of all items of a call, which are in order, in one part."""
    yield Encoded(list(range(len(embeddings))), embeddings)


def gather(parts: Iterable[Encoded]) -> Embeddings:
    """Return the vectors of all items of a call, in order."""
    rows: dict[int, NDArray[Any]] = {}
    for part in parts:
        rows |= zip(
            part.positions, np.split(part.embeddings.values, part.embeddings.offsets[1:-1]), strict=True
        )
    items = [rows[i] for i in sorted(rows)]
    return pack(items, items[0].dtype.type)
