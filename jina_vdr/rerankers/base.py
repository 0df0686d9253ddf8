"""The one interface of all rerankers."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jina_vdr.records import ModelInfo, Page, Query

Pair = tuple[Query, Page]
"""A query and a page that it may find."""

Scored = tuple[list[int], NDArray[np.float32]]
"""Positions of pairs in a call, and their scores: kept as soon as it is yielded."""


class Reranker(Protocol):
    """Scores a query and a page together. Making one is cheap: weights load at the first call.

    `document_input` says what it takes of a page: "image" or "text". `listwise` says whether the score of a
    page depends on which others are shown with it.
    """

    @property
    def info(self) -> ModelInfo:
        """What runs."""
        ...

    @property
    def document_input(self) -> str:
        """What of a page is looked at."""
        ...

    @property
    def listwise(self) -> bool:
        """Whether pages are judged beside each other."""
        ...

    def score(self, pairs: Sequence[Pair]) -> Iterator[Scored]:
        """Yield the scores of `pairs`, each once, in any order; the pairs of one query stand together."""
        ...
