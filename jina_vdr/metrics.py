"""What a run is worth: values per query through trec_eval, correlations for pairs, intervals of a mean."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jina_vdr.records import Qrels, Ranking, Run
from jina_vdr.vocabulary import PAIR_METRICS, TREC_EVAL_NAMES

DEPTH = 100
"""Rankings are kept and measured to this depth."""

BOOTSTRAP_SAMPLES = 10_000


class Interval(NamedTuple):
    """A 95 % percentile interval of a mean."""

    low: float
    high: float


def per_query(run: Run, qrels: Qrels, metrics: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return the values of each metric, one a query in the order of `qrels`.

    A query of `qrels` without a ranking scores 0. The order of each ranking is taken as it is: trec_eval gets
    ranks, not scores, so it cannot break ties in another way than the ranking did. nDCG takes the relevance
    itself as gain (trec_eval's ndcg_cut); mrr_at_k is 0 when the first relevant page stands below rank k.
    """
    import pytrec_eval

    ranked = {
        query: {page: float(len(ranking.ids) - i) for i, page in enumerate(ranking.ids)}
        for query, ranking in run.items()
        if query in qrels and ranking.ids
    }
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, {_trec_eval_measure(metric) for metric in metrics})
    values: dict[str, dict[str, float]] = evaluator.evaluate(ranked) if ranked else {}
    return {
        metric: np.array([_value(values.get(query, {}), metric) for query in qrels], np.float64)
        for metric in metrics
    }


def _trec_eval_measure(metric: str) -> str:
    kind, _, k = metric.partition("_at_")
    return TREC_EVAL_NAMES[kind] if kind == "mrr" else f"{TREC_EVAL_NAMES[kind]}.{k}"


def _value(measures: dict[str, float], metric: str) -> float:
    kind, _, k = metric.partition("_at_")
    if kind != "mrr":
        return measures.get(f"{TREC_EVAL_NAMES[kind]}_{k}", 0.0)
    reciprocal_rank = measures.get("recip_rank", 0.0)
    return reciprocal_rank if reciprocal_rank * int(k) >= 1 - 1e-9 else 0.0


def first_relevant(ranking: Ranking | None, relevance: dict[str, int]) -> int | None:
    """Return the rank (from 1) of the first relevant page, None where the ranking holds none."""
    for rank, page in enumerate(ranking.ids if ranking else (), start=1):
        if relevance.get(page, 0) > 0:
            return rank
    return None


def tied(ranking: Ranking | None, cutoff: int) -> bool:
    """Say whether a tie touches the first `cutoff` ranks: the order there then rests on page ids alone."""
    if ranking is None:
        return False
    top = ranking.scores[: cutoff + 1]
    return bool((top[1:] == top[:-1]).any())


def correlations(scores: NDArray[Any], gold: NDArray[Any]) -> dict[str, float]:
    """Return Spearman's and Pearson's correlation of `scores` with the human `gold`, both shape [n].

    Ties take their mean rank. A constant side has no correlation; it orders nothing and counts as 0.
    """
    from scipy import stats

    if len(scores) < 2 or np.ptp(scores) == 0 or np.ptp(gold) == 0:
        return dict.fromkeys(PAIR_METRICS, 0.0)
    return {
        "cosine_spearman": float(stats.spearmanr(scores, gold).statistic),
        "cosine_pearson": float(stats.pearsonr(scores, gold).statistic),
    }


def mean_interval(values: NDArray[np.float64], clusters: Sequence[str] = ()) -> Interval | None:
    """Return the bootstrap interval of the mean of `values`, shape [n]; None for fewer than two queries.

    Queries are drawn with replacement, whole `clusters` together where given (translations of one query are
    not independent). Percentile method of Efron (1979), 10,000 samples, seed 0.
    """
    _, group = np.unique(clusters or np.arange(len(values)), return_inverse=True)
    sums, sizes = np.bincount(group, values), np.bincount(group)
    n = len(sums)
    if n < 2:
        return None
    generator = np.random.default_rng(0)
    means = np.empty(BOOTSTRAP_SAMPLES)
    for start in range(0, BOOTSTRAP_SAMPLES, 1000):
        counts = generator.multinomial(n, np.full(n, 1 / n), size=1000)
        means[start : start + 1000] = (counts @ sums) / (counts @ sizes)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(low), float(high))


def pair_interval(scores: NDArray[Any], gold: NDArray[Any]) -> Interval | None:
    """Return the interval of Spearman's correlation by Fisher's z; None for fewer than ten pairs.

    Standard error after Bonett and Wright (2000): sqrt((1 + r^2 / 2) / (n - 3)).
    """
    n, r = len(scores), correlations(scores, gold)["cosine_spearman"]
    if n < 10 or abs(r) >= 1:
        return None
    half = 1.959964 * np.sqrt((1 + r * r / 2) / (n - 3))
    return Interval(float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half)))
