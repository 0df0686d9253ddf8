"""Several models as one: their rankings fused by reciprocal rank."""

from collections import defaultdict
from collections.abc import Sequence
from math import fsum

import numpy as np
from numpy.typing import NDArray

from jina_vdr.composition import composed, label, only_ranks
from jina_vdr.ranking import best, rank_allowed
from jina_vdr.records import Collection, ModelInfo, Pairs, Ranker, Ranking, Run

K = 60
"""The constant of the paper, and of those who use it since."""

FUSED = 1000
"""Pages of each model that are fused."""


class Fusion:
    """Reciprocal rank fusion: a page's score is the sum over models of 1 / (60 + its rank there).

    Cormack, Clarke and Buettcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank
    learning methods". Ranks begin at 1; a model that does not rank a page adds nothing to it.
    """

    def __init__(self, members: Sequence[Ranker]) -> None:
        self._members = members

    @property
    def info(self) -> ModelInfo:
        """What ran."""
        infos = [member.info for member in self._members]
        name = "rrf:" + ",".join(map(label, infos))
        parts = {f"model_{i}": info for i, info in enumerate(infos, start=1)}
        return composed("rrf", name, {"k": K, "depth": FUSED}, parts)

    def rank(self, collection: Collection, top_k: int) -> Run:
        """Return the `top_k` best pages of each query; one that no member ranks has an empty ranking."""
        runs = [rank_allowed(member, collection, FUSED) for member in self._members]
        return {
            query.id: _fused([run[query.id] for run in runs if query.id in run], top_k)
            for query in collection.queries
        }

    def compare(self, pairs: Pairs) -> NDArray[np.float64]:
        """Raise UsageError: where two pages are compared there are no ranks to fuse."""
        raise only_ranks(self.info.name, pairs)


def _fused(rankings: Sequence[Ranking], top_k: int) -> Ranking:
    """Fuse the rankings of one query; `fsum` makes a score the same whatever the order of the members."""
    terms: defaultdict[str, list[float]] = defaultdict(list)
    for ranking in rankings:
        for rank, page in enumerate(ranking.ids, start=1):
            terms[page].append(1 / (K + rank))
    return best(np.array([fsum(values) for values in terms.values()], np.float32), list(terms), top_k)
