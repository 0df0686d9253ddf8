"""Rerankers whose code others wrote: pairs go in some at a time, and the next pages are opened meanwhile."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jina_vdr.encoders.halving import Halving
from jina_vdr.errors import DataError
from jina_vdr.records import ModelInfo, Page
from jina_vdr.rerankers.base import Pair, Scored

TEXTS = 512
IMAGES = 32
"""Pairs a call; they are kept together: what a killed run loses at most."""

Document = Any
"""A text, or an image in RGB."""


class CallReranker(ABC):
    """A reranker that is called with pairs and a batch size. A family sets the attributes."""

    info: ModelInfo
    document_input: str
    listwise = False
    _batches: Halving

    def score(self, pairs: Sequence[Pair]) -> Iterator[Scored]:
        """Score the images of pages, and the text of pages that have none."""
        sees = self.document_input == "image"
        seen = [i for i, (_, page) in enumerate(pairs) if sees and page.open_image]
        read = [i for i, (_, page) in enumerate(pairs) if not (sees and page.open_image)]
        yield from self._score(pairs, _cut(read, TEXTS), _text)
        yield from self._score(pairs, _cut(seen, IMAGES), _image)

    def _score(
        self, pairs: Sequence[Pair], parts: Sequence[list[int]], opened: Callable[[Page], Document]
    ) -> Iterator[Scored]:
        def documents(part: list[int]) -> list[tuple[str, Document]]:
            return [(pairs[i][0].text, opened(pairs[i][1])) for i in part]

        for part, inputs in _ahead(parts, documents):

            def call(size: int, inputs: list[tuple[str, Document]] = inputs) -> Any:
                return self._call(inputs, size, sees=opened is _image)

            yield part, self._checked(self._batches.run(len(part), call), len(part))

    def _checked(self, found: Any, count: int) -> NDArray[np.float32]:
        scores = np.asarray(found, np.float32)
        if scores.shape != (count,):
            raise DataError(
                "JV456", f"{self.info.name} gives scores of shape {scores.shape} for {count} pairs"
            )
        return scores

    @abstractmethod
    def _call(self, pairs: list[tuple[str, Document]], size: int, *, sees: bool) -> Any:
        """Return a score a pair, in batches of `size`; all documents are images, or all texts."""


def _ahead(
    parts: Sequence[list[int]], load: Callable[[list[int]], list[tuple[str, Document]]]
) -> Iterator[tuple[list[int], list[tuple[str, Document]]]]:
    """Yield each part with what `load` gives for it; that of the next one is loaded meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="jina-vdr-open") as pool:
        loading = deque(pool.submit(load, part) for part in parts[:1])
        for number, part in enumerate(parts):
            loading.extend(pool.submit(load, later) for later in parts[number + 1 : number + 2])
            yield part, loading.popleft().result()


def _cut(positions: list[int], size: int) -> list[list[int]]:
    return [positions[i : i + size] for i in range(0, len(positions), size)]


def _text(page: Page) -> str:
    return page.read_text() or ""


def _image(page: Page) -> Document:
    assert page.open_image is not None
    return page.open_image()
