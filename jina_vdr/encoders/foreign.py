"""Encoders that others wrote: they make their own batches; what they give is packed without padding."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jina_vdr.encoders.base import Encoded, pack
from jina_vdr.encoders.halving import Halving
from jina_vdr.errors import DataError
from jina_vdr.records import ModelInfo, Page

KEPT = 64
"""Items a call; they are kept together: what a killed run loses at most."""


class Foreign(ABC):
    """An encoder whose texts and images go to a call of somebody else's code.

    A family sets the three attributes. Single vectors leave as float32, multi-vectors as float16.
    """

    info: ModelInfo
    document_input: str
    _batches: Halving

    def encode_queries(self, queries: Sequence[str]) -> Iterator[Encoded]:
        """Encode texts as queries."""

        def call(part: list[int], size: int) -> Any:
            return self._call_texts([queries[i] for i in part], size, is_query=True)

        return self._encode(range(len(queries)), call)

    def encode_documents(self, pages: Sequence[Page]) -> Iterator[Encoded]:
        """Encode the images of pages, and the text of pages that have none."""

        def call_images(part: list[int], size: int) -> Any:
            return self._call_images([pages[i] for i in part], size)

        def call_texts(part: list[int], size: int) -> Any:
            return self._call_texts([pages[i].read_text() or "" for i in part], size, is_query=False)

        yield from self._encode([i for i, page in enumerate(pages) if page.open_image], call_images)
        yield from self._encode([i for i, page in enumerate(pages) if not page.open_image], call_texts)

    def _encode(self, positions: Sequence[int], call: Callable[[list[int], int], Any]) -> Iterator[Encoded]:
        multi = self.info.vector_type == "multi"
        for start in range(0, len(positions), KEPT):
            part = list(positions[start : start + KEPT])
            found = self._batches.run(len(part), partial(call, part))
            vectors = items(found, len(part), self.info.name, multi=multi)
            yield Encoded(part, pack(vectors, np.float16 if multi else np.float32))

    @abstractmethod
    def _call_texts(self, texts: list[str], size: int, *, is_query: bool) -> Any:
        """Return what the code gives for texts, in batches of `size`."""

    @abstractmethod
    def _call_images(self, pages: list[Page], size: int) -> Any:
        """Return what the code gives for the images of pages, in batches of `size`."""


def items(found: Any, count: int, name: str, *, multi: bool) -> list[NDArray[np.float32]]:
    """Return an array an item, [dim] or for late interaction [rows, dim], of what a call gave for `count`.

    It may be one array or tensor of all items, padded with zeros, a list with one an item, or the item itself
    where there is one. Rows of zeros are padding wherever they stand: a model writes zeros over what it masks
    (on the left, for most), and what is made as long as the longest ends in zeros. A vector that is zero by
    itself goes with them: its product with anything is 0, more than that of a vector which points away. An
    item of nothing else keeps one row. Raises DataError for another number of items, or another shape.
    """
    rank = 2 if multi else 1
    if not isinstance(found, list | tuple):
        found = _array(found)
        found = [found] if found.ndim == rank and count == 1 else list(found)
    vectors = [_array(item) for item in found]
    vectors = [vector[0] if vector.ndim == rank + 1 and len(vector) == 1 else vector for vector in vectors]
    kind = "multi" if multi else "single"
    if len(vectors) != count:
        raise DataError("JV456", f"{name} gave {len(vectors)} vectors for {count} items")
    if wrong := [vector.shape for vector in vectors if vector.ndim != rank]:
        raise DataError("JV456", f"{name} gave {wrong[0]} for an item, which is no {kind}-vector")
    return [_unpadded(vector) for vector in vectors] if multi else vectors


def _array(found: Any) -> NDArray[np.float32]:
    """Return floats, also those of a tensor on another device."""
    return np.asarray(found.detach().float().cpu() if hasattr(found, "detach") else found, np.float32)


def _unpadded(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    filled = rows[rows.any(axis=1)]
    return filled if len(filled) else rows[:1]
