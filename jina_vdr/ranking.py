"""The one order of pages that all rankers share: by score, ties by page id, descending."""

from collections.abc import Callable, Sequence
from heapq import nlargest

import numpy as np
from numpy.typing import NDArray

from jina_vdr.records import Collection, Ranker, Ranking, Run


def best(scores: NDArray[np.float32], ids: Sequence[str], top_k: int) -> Ranking:
    """Return the `top_k` highest of `scores` (shape [n], no NaN), best first, with their `ids`.

    Pages with equal scores come in descending order of id, also at the cut: of many pages tied there, the
    largest ids win. Strings compare by code point, which is the order of their UTF-8 bytes and so the order
    of trec_eval (`te_trec_eval.c`, strcmp). Work per call beyond numpy's is for the returned and the tied.
    """
    if 0 < top_k < len(scores):
        cut = np.partition(scores, -top_k)[-top_k]
        above = np.flatnonzero(scores > cut).tolist()
        tied = np.flatnonzero(scores == cut).tolist()
        kept = above + nlargest(top_k - len(above), tied, key=ids.__getitem__)
    else:
        kept = list(range(min(top_k, len(scores))))
    order = sorted(zip(scores[kept].tolist(), [ids[i] for i in kept], kept, strict=True), reverse=True)
    return Ranking(tuple(page for _, page, _ in order), scores[[i for _, _, i in order]])


def rank_allowed(ranker: Ranker, collection: Collection, top_k: int) -> Run:
    """Return the `top_k` best of the pages that each query may find: all, unless it has candidates."""
    candidates = collection.candidates
    if not candidates:
        return ranker.rank(collection, top_k)
    run = ranker.rank(collection, len(collection.corpus))
    return narrowed(run, lambda query, page: page in candidates[query], top_k)


def narrowed(run: Run, keeps: Callable[[str, str], bool], top_k: int) -> Run:
    """Return `run` with the pages that `keeps(query, page)` lets pass, each ranking cut to `top_k`."""
    return {query: _narrowed(query, ranking, keeps, top_k) for query, ranking in run.items()}


def _narrowed(query: str, ranking: Ranking, keeps: Callable[[str, str], bool], top_k: int) -> Ranking:
    kept = [i for i, page in enumerate(ranking.ids) if keeps(query, page)][:top_k]
    return Ranking(tuple(ranking.ids[i] for i in kept), ranking.scores[kept])
