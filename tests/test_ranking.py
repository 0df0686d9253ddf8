"""The best pages of a query, ties included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_vdr.ranking import best

few_values = st.sampled_from([-1.5, 0.0, 0.25, 0.5, 1.0])
pages = st.lists(st.tuples(st.text(max_size=3), few_values), unique_by=lambda page: page[0], max_size=40)


@given(pages, st.integers(1, 45))
def test_the_ranking_is_that_of_a_full_sort_on_score_then_utf8_bytes(pages, top_k):
    expected = sorted(
        pages, key=lambda page: (page[1], page[0].encode("utf-8", "surrogatepass")), reverse=True
    )
    ranking = best(np.array([score for _, score in pages], np.float32), [page for page, _ in pages], top_k)
    assert list(zip(ranking.ids, ranking.scores.tolist(), strict=True)) == expected[:top_k]


def test_of_many_pages_tied_at_the_cut_the_largest_ids_win():
    scores = np.array([0.5] * 10 + [0.9], np.float32)
    assert best(scores, [f"p{i}" for i in range(11)], 4).ids == ("p10", "p9", "p8", "p7")


def test_ids_compare_as_bytes_not_as_numbers_or_words():
    ids = ["p2", "p10", "P3", "é", "z", "😀", "\uffff"]
    assert best(np.zeros(7, np.float32), ids, 7).ids == ("😀", "\uffff", "é", "z", "p2", "p10", "P3")


def test_the_order_is_that_of_trec_eval():
    import pytrec_eval

    ids = [f"é{i}" if i % 3 else f"z{i}" for i in range(12)]
    run = {"q": dict.fromkeys(ids, 1.0)}
    ranking = best(np.ones(12, np.float32), ids, 12)
    for position, page in enumerate(ranking.ids, start=1):
        evaluator = pytrec_eval.RelevanceEvaluator({"q": {page: 1}}, {"recip_rank"})
        assert evaluator.evaluate(run)["q"]["recip_rank"] == pytest.approx(1 / position)


def test_scores_stay_float32_and_belong_to_their_ids():
    ranking = best(np.array([0.1, 0.3, 0.2], np.float32), ["a", "b", "c"], 2)
    assert ranking.scores.dtype == np.float32
    assert dict(zip(ranking.ids, ranking.scores, strict=True)) == {"b": np.float32(0.3), "c": np.float32(0.2)}


@pytest.mark.parametrize(("n", "top_k"), [(0, 5), (3, 0)])
def test_nothing_to_rank_is_an_empty_ranking(n, top_k):
    ranking = best(np.ones(n, np.float32), [str(i) for i in range(n)], top_k)
    assert ranking.ids == ()
    assert ranking.scores.shape == (0,)
