"""The nouns of retrieval: page, query, qrels, collection, pairs, run, embeddings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Qrels = dict[str, dict[str, int]]
"""Query id -> page id -> relevance; 0 is judged and not relevant."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page that can be found.

    `content` is a sha256 over all that the page is made of: pages with equal content get equal vectors.
    `open_image` decodes the page anew at each call (RGB), None for a page that has only text.
    `read_text` gives the page's text, or None where it has none (a scan without a text layer).
    `read_size` gives (width, height) in pixels without decoding, None where only decoding tells.
    """

    id: str
    content: str
    open_image: "Callable[[], Image] | None"
    read_text: Callable[[], str | None]
    read_size: Callable[[], tuple[int, int]] | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A text that asks. `language` is a tag like `deu-Latn`; `cluster` joins translations of one query."""

    id: str
    text: str
    language: str = "und"
    kind: str = ""
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Collection:
    """Corpus, queries and qrels of one subset; `dropped` counts queries left out, by reason.

    `candidates` holds the ids of the pages that each query may find; it is empty where that is every page.
    """

    task: str
    subset: str
    languages: tuple[str, ...]
    corpus: Sequence[Page]
    queries: Sequence[Query]
    qrels: Qrels
    dropped: dict[str, int] = field(default_factory=dict)
    candidates: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rendered sentences two by two, with the human similarity `scores` (float64, shape [n])."""

    task: str
    subset: str
    languages: tuple[str, ...]
    first: Sequence[Page]
    second: Sequence[Page]
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best pages of one query, best first; `scores` is float32 and has the length of `ids`."""

    ids: tuple[str, ...]
    scores: NDArray[np.float32]


Run = dict[str, Ranking]
"""Query id -> ranking. A query may be absent: it then scores 0."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Packed vectors of n items: item i is `values[offsets[i]:offsets[i + 1]]`, never padded.

    values: float16 or float32, shape [rows, dim]; one row an item when single-vector, one a token when
    multi-vector. offsets: int64, shape [n + 1], from 0 to rows.
    """

    values: NDArray[Any]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What ran, precisely.

    `settings` can change a number and is part of a result's identity; `runtime` (device, batch size) cannot,
    and is recorded beside it. `beside` is the same model with its other kind of vectors, where one pass gives
    both.
    """

    name: str
    family: str
    revision: str | None = None
    vector_type: str | None = None
    similarity: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    runtime: dict[str, Any] = field(default_factory=dict)
    beside: "ModelInfo | None" = None


class Ranker(Protocol):
    """Anything that ranks pages: an encoder with exact search, BM25, OCR."""

    @property
    def info(self) -> ModelInfo:
        """What ran."""
        ...

    def rank(self, collection: Collection, top_k: int) -> Run:
        """Return the `top_k` best pages of each query; ties by page id, descending."""
        ...

    def compare(self, pairs: Pairs) -> NDArray[np.float64]:
        """Return a similarity for each pair, shape [n]."""
        ...
