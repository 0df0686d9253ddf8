"""TREC files: what other tools read back is the run and the qrels that were measured."""

import numpy as np
import pytest
import pytrec_eval

from jina_vdr.metrics import per_query
from jina_vdr.ranking import best
from jina_vdr.trec import field, qrels_lines, run_lines

IDS = [
    "manual_p1",
    "z",
    "a!b",
    "a b",
    "a%20b",
    "a%b",
    "100 %",
    "%",
    "",
    "é",
    "e\u0301",
    "日本語.png",
    "نص عربي",
    "tab\there",
    "line\nbreak",
    "no\u00a0break",
    "ideographic\u3000space",
    "line\u2028separator",
    "😀",
    "Q0",
]
MEASURES = {"ndcg_cut.5", "map_cut.20", "recall.3", "P.5", "recip_rank"}
METRICS = ("ndcg_at_5", "map_at_20", "recall_at_3", "precision_at_5", "mrr_at_100")


def collection(ids, distinct_scores, n_queries=12, seed=0):
    """Return a run over all `ids` and graded qrels over six of them, for each query."""
    rng = np.random.default_rng(seed)
    run, qrels = {}, {}
    for i in range(n_queries):
        query = f"Frage {i} ä%"
        scores = rng.permutation(len(ids)) % distinct_scores / 7 - 1
        run[query] = best(scores.astype(np.float32), ids, 100)
        qrels[query] = {str(page): int(rng.integers(0, 3)) for page in rng.permutation(ids)[:6]}
        qrels[query][run[query].ids[i]] = 1
    return run, qrels


def read_back(lines, parse, path):
    path.write_text("".join(lines), encoding="utf-8")
    with path.open(encoding="utf-8") as file:
        return dict(parse(file))


def same_values(run, qrels, tmp_path):
    """Assert that trec_eval, given the files, computes the values that were measured."""
    read_run = read_back(run_lines(run, "a model"), pytrec_eval.parse_run, tmp_path / "x.run")
    read_qrels = read_back(qrels_lines(qrels), pytrec_eval.parse_qrel, tmp_path / "x.qrels")
    found = pytrec_eval.RelevanceEvaluator(read_qrels, MEASURES).evaluate(read_run)
    measured = per_query(run, qrels, METRICS)
    for i, query in enumerate(qrels):
        expected = [measured[metric][i] for metric in METRICS]
        names = ("ndcg_cut_5", "map_cut_20", "recall_3", "P_5", "recip_rank")
        assert [found[field(query)][name] for name in names] == pytest.approx(expected, abs=1e-12)


def test_the_lines_of_a_run_and_its_qrels():
    run = {"q 1": best(np.array([0.1, 0.5], np.float32), ["a", "b c"], 10)}
    assert list(run_lines(run, "my model")) == [
        "q%201 Q0 b%20c 1 0.5 my%20model\n",
        "q%201 Q0 a 2 0.10000000149011612 my%20model\n",
    ]
    assert list(qrels_lines({"q 1": {"b c": 2, "a": 0}})) == ["q%201 0 b%20c 2\n", "q%201 0 a 0\n"]


def test_every_id_is_one_field_of_visible_ascii_and_no_two_are_alike():
    fields = [field(name) for name in IDS]
    assert all(text.split() == [text] and text.isascii() and text.isprintable() for text in fields)
    assert len(set(fields)) == len(IDS)
    assert field("Seite 1_é.pdf") == "Seite%201_%C3%A9.pdf"
    assert field("a-b_c.d~e!f(g)/h:i") == "a-b_c.d~e!f(g)/h:i"


def test_scores_are_read_back_to_the_last_bit():
    scores = np.random.default_rng(1).normal(0, [1e-30, 1, 1e30], (50, 3)).astype(np.float32).ravel()
    run = {"q": best(scores, [str(i) for i in range(150)], 150)}
    read = pytrec_eval.parse_run(run_lines(run, "m"))["q"]
    assert list(read) == list(run["q"].ids)
    assert np.array_equal(np.array(list(read.values()), np.float32), run["q"].scores)


def test_trec_eval_measures_the_files_as_we_measured_the_run(tmp_path):
    same_values(*collection(IDS, distinct_scores=len(IDS)), tmp_path)


def test_ties_of_plain_ids_keep_their_order(tmp_path):
    same_values(*collection([f"page_{i}" for i in range(20)], distinct_scores=3), tmp_path)


def test_ties_of_ids_that_are_encoded_keep_their_order(tmp_path):
    same_values(*collection(IDS, distinct_scores=3), tmp_path)


def test_a_query_without_a_ranking_has_qrels_but_no_line():
    run = {"found": best(np.ones(1, np.float32), ["a"], 5), "empty": best(np.ones(0, np.float32), [], 5)}
    assert [line.split()[0] for line in run_lines(run, "m")] == ["found"]
    assert len(list(qrels_lines({"found": {"a": 1}, "empty": {"a": 1}}))) == 2
