"""Values per query and their intervals, against pytrec_eval, scipy and formulas written out here."""

from math import log2, sqrt

import numpy as np
import pytest
import pytrec_eval
from scipy import stats

from jina_vdr.metrics import (
    correlations,
    first_relevant,
    mean_interval,
    pair_interval,
    per_query,
    tied,
)
from jina_vdr.ranking import best
from jina_vdr.records import Ranking
from jina_vdr.vocabulary import CUTOFFS, RETRIEVAL_METRICS, display_name

PAGES = [f"p{i}" for i in range(150)]


def ranking(*ids, scores=None):
    return Ranking(ids, np.array(range(len(ids), 0, -1) if scores is None else scores, np.float32))


def random_collection(n=25, seed=0):
    """Rankings of 1 to 100 of 150 pages; relevance 0 to 3, for one to eleven pages or more than a hundred."""
    rng = np.random.default_rng(seed)
    run, qrels = {}, {}
    for i in range(n):
        judged = rng.permutation(PAGES)[: rng.integers(*((101, 150) if i % 5 == 0 else (1, 12)))]
        qrels[f"q{i}"] = {str(page): int(rng.integers(0, 4)) for page in judged} | {str(judged[0]): 1}
        run[f"q{i}"] = ranking(*map(str, rng.permutation(PAGES)[: rng.integers(1, 101)]))
    return run, qrels


def dcg(gains):
    return sum(gain / log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def by_hand(metric, ids, relevance):
    kind, _, k = metric.partition("_at_")
    k = int(k)
    gains = [relevance.get(page, 0) for page in ids[:k]]
    hits = [gain > 0 for gain in gains]
    n_relevant = sum(grade > 0 for grade in relevance.values())
    if kind == "ndcg":
        return dcg(gains) / dcg(sorted(relevance.values(), reverse=True)[:k])
    if kind == "map":
        return sum(sum(hits[: i + 1]) / (i + 1) for i in range(len(hits)) if hits[i]) / n_relevant
    if kind == "mrr":
        return 1 / (hits.index(True) + 1) if any(hits) else 0.0
    return sum(hits) / {"recall": n_relevant, "precision": k}[kind]


def by_trec_eval(metric, ids, relevance):
    """Ask pytrec_eval for one query; mrr_at_k is the reciprocal rank in a run that is cut at k."""
    kind, _, k = metric.partition("_at_")
    name = {"ndcg": "ndcg_cut", "map": "map_cut", "recall": "recall", "precision": "P"}.get(kind)
    ids = ids[: int(k)] if kind == "mrr" else ids
    evaluator = pytrec_eval.RelevanceEvaluator({"q": relevance}, {f"{name}.{k}" if name else "recip_rank"})
    values = evaluator.evaluate({"q": {page: 1000.0 - i for i, page in enumerate(ids)}})["q"]
    return values[f"{name}_{k}" if name else "recip_rank"]


def test_there_are_five_metrics_at_six_cutoffs():
    kinds = ("ndcg", "map", "recall", "precision", "mrr")
    assert set(RETRIEVAL_METRICS) == {f"{kind}_at_{k}" for kind in kinds for k in (1, 3, 5, 10, 20, 100)}


@pytest.mark.parametrize("metric", RETRIEVAL_METRICS)
@pytest.mark.parametrize("oracle", [by_hand, by_trec_eval])
def test_each_metric_is_that_of_the_oracle_for_each_query(metric, oracle):
    run, qrels = random_collection()
    values = per_query(run, qrels, RETRIEVAL_METRICS)[metric]
    assert values == pytest.approx([oracle(metric, run[q].ids, qrels[q]) for q in qrels], abs=1e-12)
    assert len(set(values)) > 1


def test_one_query_with_numbers_worked_out_on_paper():
    qrels = {"q": {"a": 1, "b": 2, "c": 0, "d": 1}}
    values = per_query({"q": ranking("c", "a", "x", "b")}, qrels, RETRIEVAL_METRICS)
    expected = {
        "ndcg_at_3": 0.201515,  # (1 / 1.584963) / (2 + 1 / 1.584963 + 1 / 2)
        "ndcg_at_5": 0.476626,  # (1 / 1.584963 + 2 / 2.321928) / 3.130930
        "map_at_5": 1 / 3,  # (1 / 2 + 2 / 4) / 3
        "recall_at_3": 1 / 3,
        "precision_at_5": 2 / 5,
        "mrr_at_3": 1 / 2,
        "mrr_at_1": 0,
    }
    assert {metric: values[metric][0] for metric in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("k", CUTOFFS)
def test_mrr_is_zero_when_the_first_relevant_page_stands_below_rank_k(k):
    ids = [f"x{i}" for i in range(k + 1)]
    last, below = ({"q": {ids[rank - 1]: 1}} for rank in (k, k + 1))
    run = {"q": ranking(*ids)}
    assert per_query(run, last, [f"mrr_at_{k}"])[f"mrr_at_{k}"] == pytest.approx([1 / k])
    assert per_query(run, below, [f"mrr_at_{k}"])[f"mrr_at_{k}"].tolist() == [0.0]


def test_a_query_without_a_ranking_scores_zero_in_its_place():
    qrels = {query: {"a": 1} for query in ("absent", "found", "empty")}
    values = per_query({"empty": ranking(), "found": ranking("a")}, qrels, RETRIEVAL_METRICS)
    assert all(value[0] == value[2] == 0 < value[1] for value in values.values())
    assert all((value == 0).all() for value in per_query({}, qrels, RETRIEVAL_METRICS).values())


def test_values_come_in_the_order_of_the_qrels_and_a_query_without_qrels_is_ignored():
    run = {"b": ranking("x", "a"), "unknown": ranking("a"), "a": ranking("a")}
    assert per_query(run, {"a": {"a": 1}, "b": {"a": 1}}, ["mrr_at_5"])["mrr_at_5"].tolist() == [1.0, 0.5]


def test_a_constant_scorer_gets_what_its_ids_earn():
    ids = [f"{i:02}" for i in range(50)]
    run = {"q": best(np.zeros(50, np.float32), ids, 100)}
    values = per_query(run, {"q": {"10": 1, "46": 2}}, RETRIEVAL_METRICS)  # ranks 40 and 4
    assert values["mrr_at_5"][0] == pytest.approx(1 / 4)
    assert values["ndcg_at_100"][0] == pytest.approx((2 / log2(5) + 1 / log2(41)) / (2 + 1 / log2(3)))
    assert values["ndcg_at_3"][0] == 0


def test_the_order_of_a_ranking_is_kept_where_its_scores_tie():
    run = {"q": ranking("a", "b", "c", scores=[1, 1, 1])}
    assert per_query(run, {"q": {"a": 1}}, ["mrr_at_5"])["mrr_at_5"].tolist() == [1.0]


def test_the_first_relevant_page_is_the_first_with_a_grade_above_zero():
    assert first_relevant(ranking("a", "b", "c"), {"a": 0, "b": -1, "c": 2}) == 3
    assert first_relevant(ranking("a"), {"b": 1}) is None
    assert first_relevant(None, {"b": 1}) is None


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([3, 3], True),
        ([5, 4, 3, 2, 1, 1], True),
        ([6, 5, 4, 3, 2, 1, 1], False),
        ([3, 2], False),
        ([], False),
    ],
)
def test_a_tie_counts_when_it_touches_the_first_five_ranks(scores, expected):
    assert tied(ranking(*map(str, scores), scores=scores), 5) is expected
    assert tied(None, 5) is False


@pytest.mark.parametrize(
    ("metric", "shown"),
    [("ndcg_at_5", "nDCG@5"), ("mrr_at_10", "MRR@10"), ("precision_at_1", "P@1"), ("map_at_3", "MAP@3"),
     ("recall_at_100", "Recall@100"), ("cosine_spearman", "Spearman"), ("cosine_pearson", "Pearson")],
)  # fmt: skip
def test_a_metric_has_one_name_on_screen(metric, shown):
    assert display_name(metric) == shown


def test_correlations_of_tied_scores_are_those_of_ranks_worked_out_by_hand():
    scores, gold = np.array([0.1, 0.7, 0.7, 0.3, 0.9]), np.array([1.0, 2.0, 2.0, 2.0, 5.0])
    x, y = np.array([1, 3.5, 3.5, 2, 5]) - 3, np.array([1, 3, 3, 3, 5]) - 3
    found = correlations(scores, gold)
    assert found["cosine_spearman"] == pytest.approx((x @ y) / sqrt((x @ x) * (y @ y)), abs=1e-12)
    x, y = scores - scores.mean(), gold - gold.mean()
    assert found["cosine_pearson"] == pytest.approx((x @ y) / sqrt((x @ x) * (y @ y)), abs=1e-12)


def test_correlations_are_those_of_scipy():
    rng = np.random.default_rng(1)
    gold = rng.integers(0, 6, 200).astype(float)
    scores = (gold + rng.normal(0, 2, 200)).round(1)
    found = correlations(scores.astype(np.float32), gold)
    ranks = stats.rankdata(scores), stats.rankdata(gold)
    assert found["cosine_spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-12)
    assert found["cosine_pearson"] == pytest.approx(stats.pearsonr(scores, gold).statistic, abs=1e-7)


@pytest.mark.parametrize(
    ("scores", "gold"), [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [4, 4, 4]), ([1], [1]), ([], [])]
)
def test_a_constant_side_has_the_correlation_zero(scores, gold):
    assert correlations(np.array(scores), np.array(gold)) == {"cosine_spearman": 0, "cosine_pearson": 0}


def test_the_interval_is_the_percentile_bootstrap_of_scipy():
    values = np.random.default_rng(2).beta(0.4, 0.3, 60)
    peer = stats.bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", rng=5)
    low, high = peer.confidence_interval
    assert tuple(mean_interval(values)) == pytest.approx((low, high), abs=0.03 * (high - low))


def test_the_interval_holds_the_true_mean_about_95_times_in_100():
    rng = np.random.default_rng(3)
    intervals = [mean_interval(rng.beta(2, 1, 25)) for _ in range(120)]
    assert 0.9 <= np.mean([low <= 2 / 3 <= high for low, high in intervals]) <= 0.98


def test_the_interval_of_the_same_values_is_always_the_same():
    values = np.random.default_rng(4).random(30)
    assert mean_interval(values) == mean_interval(values.copy())


def test_translations_of_one_query_count_as_one_query():
    values = np.random.default_rng(5).random(30)
    queries = [f"{i:02}" for i in range(30)]
    narrow, wide = mean_interval(np.tile(values, 4)), mean_interval(np.tile(values, 4), queries * 4)
    assert tuple(wide) == pytest.approx(mean_interval(values), abs=1e-12)
    assert wide.high - wide.low == pytest.approx(2 * (narrow.high - narrow.low), rel=0.1)


def test_clusters_of_different_size_are_drawn_whole():
    rng = np.random.default_rng(6)
    clusters = [rng.normal(rng.random(), 0.1, rng.integers(1, 9)) for _ in range(40)]
    drawn = [np.concatenate([clusters[i] for i in rng.integers(0, 40, 40)]).mean() for _ in range(4000)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    near = 0.05 * (high - low)
    names = [str(i) for i, values in enumerate(clusters) for _ in values]
    assert tuple(mean_interval(np.concatenate(clusters), names)) == pytest.approx((low, high), abs=near)


@pytest.mark.parametrize(("values", "clusters"), [([], []), ([0.5], []), ([0.1, 0.9], ["a", "a"])])
def test_one_independent_query_has_no_interval(values, clusters):
    assert mean_interval(np.array(values, float), clusters) is None


def test_the_interval_of_a_correlation_is_that_of_bonett_and_wright():
    rng = np.random.default_rng(7)
    gold = rng.normal(size=30)
    scores = gold + rng.normal(size=30)
    r = stats.spearmanr(scores, gold).statistic
    half = stats.norm.ppf(0.975) * sqrt((1 + r**2 / 2) / 27)
    expected = [np.tanh(np.arctanh(r) + side) for side in (-half, half)]
    assert tuple(pair_interval(scores, gold)) == pytest.approx(expected, abs=1e-6)


def test_the_interval_of_a_correlation_holds_the_true_one_about_95_times_in_100():
    rng = np.random.default_rng(8)
    truth = 6 / np.pi * np.arcsin(0.7 / 2)  # Spearman's correlation of normals whose Pearson's is 0.7
    samples = [rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 50).T for _ in range(300)]
    intervals = [pair_interval(x, y) for x, y in samples]
    assert 0.92 <= np.mean([low <= truth <= high for low, high in intervals]) <= 0.98


def test_few_pairs_or_a_perfect_order_have_no_interval():
    gold = np.arange(12.0)
    assert pair_interval(gold[:9] % 4, gold[:9]) is None
    assert pair_interval(gold[:10] % 4, gold[:10]) is not None
    assert pair_interval(gold, gold) is None
