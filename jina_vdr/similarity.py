"""Exact scores of queries against pages: dot, cosine and MaxSim, packed and never padded.

Products are summed in float64 and each score is rounded once to float32. A float32 matrix product depends
on where a page stands in the matrix (its last bits come from the kernel that meets it), so two equal pages
could get different scores; the rounded float64 sum does not.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jina_vdr.errors import DataError, UsageError
from jina_vdr.records import Embeddings

SIMILARITIES = ("cosine", "dot", "maxsim", "meanmaxsim")
LATE_INTERACTION = frozenset({"maxsim", "meanmaxsim"})

QUERY_ROWS = 512
PAGE_ROWS = 2048
"""A block of products is at most about QUERY_ROWS x PAGE_ROWS float64 values: 8 MB."""


def check_similarity(vector_type: str, similarity: str) -> None:
    """Raise UsageError where vectors of this type cannot be scored by `similarity`."""
    if similarity not in SIMILARITIES or (similarity in LATE_INTERACTION) != (vector_type == "multi"):
        raise UsageError("JV109", f"{vector_type}-vector embeddings cannot be scored by {similarity}")


def score_blocks(
    queries: Embeddings, pages: Embeddings, similarity: str
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield (queries of the block, their scores against all pages: float32, shape [block, pages]).

    `cosine` and `dot` take one vector an item; the cosine with a zero vector is 0. `maxsim` is the sum over
    query vectors of the largest dot product with a page vector (Khattab and Zaharia 2020, ColBERT, eq. 3);
    `meanmaxsim` divides it by the number of query vectors.
    """
    _check(queries, pages, similarity)
    for block in _blocks(queries.offsets, QUERY_ROWS):
        left = _part(queries, block, similarity)
        scores = np.empty((block.stop - block.start, len(pages)), np.float32)
        for tile in _blocks(pages.offsets, PAGE_ROWS):
            products = left @ _part(pages, tile, similarity).T
            if similarity in LATE_INTERACTION:
                products = _maxsim(products, queries.offsets, block, pages.offsets, tile)
            if similarity == "meanmaxsim":
                products /= np.diff(queries.offsets)[block, None]
            scores[:, tile] = products
        if not np.isfinite(scores).all():
            raise DataError("JV423", "a score is too large for float32", "scale the vectors, or use cosine")
        yield block, scores


def pair_scores(first: Embeddings, second: Embeddings, similarity: str) -> NDArray[np.float64]:
    """Return the similarity of item i of `first` with item i of `second`, shape [n].

    Late interaction is not symmetric: here it is the mean of both directions, each divided by its number of
    vectors.
    """
    _check(first, second, similarity)
    scores = np.empty(len(first))
    for i in range(len(first)):
        item = slice(i, i + 1)
        products = _part(first, item, similarity) @ _part(second, item, similarity).T
        both_ways = (products.max(axis=1).mean() + products.max(axis=0).mean()) / 2
        scores[i] = both_ways if similarity in LATE_INTERACTION else products[0, 0]
    return scores


def _maxsim(
    products: NDArray[Any],
    query_offsets: NDArray[np.int64],
    block: slice,
    page_offsets: NDArray[np.int64],
    tile: slice,
) -> NDArray[Any]:
    best = np.maximum.reduceat(products, _starts(page_offsets, tile), axis=1)
    return np.add.reduceat(best, _starts(query_offsets, block), axis=0)


def _starts(offsets: NDArray[np.int64], items: slice) -> NDArray[np.int64]:
    starts: NDArray[np.int64] = offsets[items] - offsets[items.start]
    return starts


def _blocks(offsets: NDArray[np.int64], rows: int) -> Iterator[slice]:
    """Cut items into runs of about `rows` vectors, at least one item each."""
    start, n = 0, len(offsets) - 1
    while start < n:
        stop = int(np.searchsorted(offsets, offsets[start] + rows, side="right")) - 1
        stop = min(max(stop, start + 1), n)
        yield slice(start, stop)
        start = stop


def _part(embeddings: Embeddings, items: slice, similarity: str) -> NDArray[np.float64]:
    rows = slice(int(embeddings.offsets[items.start]), int(embeddings.offsets[items.stop]))
    values = embeddings.values[rows].astype(np.float64)
    if similarity == "cosine":
        norms = np.linalg.norm(values, axis=1, keepdims=True)
        np.divide(values, norms, out=values, where=norms > 0)
    return values


def _check(queries: Embeddings, pages: Embeddings, similarity: str) -> None:
    if similarity not in SIMILARITIES:
        raise ValueError(f"similarity is '{similarity}', not one of {SIMILARITIES}")
    left, right = queries.values.shape[1], pages.values.shape[1]
    if left != right:
        raise DataError(
            "JV421",
            f"query vectors have {left} dimensions, page vectors {right}",
            "encode both with one model",
        )
    for side, embeddings in (("query", queries), ("page", pages)):
        lengths = np.diff(embeddings.offsets)
        if (lengths == 0).any():
            raise DataError(
                "JV422", f"{side} {int(np.argmin(lengths))} has no vector", "every item needs one or more"
            )
        if similarity not in LATE_INTERACTION and (lengths != 1).any():
            i = int(np.argmax(lengths != 1))
            raise DataError(
                "JV422",
                f"{side} {i} has {lengths[i]} vectors, {similarity} takes one",
                "use similarity maxsim",
            )
