"""Several models as one: reciprocal rank fusion, and what is told of it."""

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytrec_eval import RelevanceEvaluator

from jina_vdr.errors import UsageError
from jina_vdr.fusion import FUSED, Fusion
from jina_vdr.measurement import measure_run
from jina_vdr.metrics import DEPTH
from jina_vdr.model import Options
from jina_vdr.pipeline import make_pipeline, resolve_pipeline
from jina_vdr.records import Collection, Page, Query
from jina_vdr.store import Store
from jina_vdr.task import load_task
from tests.rankers import Listed
from tests.replicas import load, parquet, task_file, text_task
from tests.test_retrieval import pairs_task


def fused(rankings, n_pages=6, top_k=10, **fields):
    """Fuse rankings of one query over pages that are called 0, 1, 2 ..."""
    pages = [Page(str(i), str(i), None, lambda: "") for i in range(n_pages)]
    data = Collection("t", "s", ("deu-Latn",), pages, [Query("q", "q")], {"q": {"0": 1}}, **fields)
    return Fusion([Listed({"q": ranking}) for ranking in rankings]).rank(data, top_k)["q"]


def defined(rankings):
    """Return (score, page) by the formula, in exact fractions, the best first."""
    pages = {page for ranking in rankings for page in ranking}
    sums = {p: sum(Fraction(1, 61 + r.index(p)) for r in rankings if p in r) for p in pages}
    return sorted(((float(np.float32(float(total))), p) for p, total in sums.items()), reverse=True)


def entries(ranking):
    return list(zip(ranking.scores.tolist(), ranking.ids, strict=True))


def ranker(model, root, **options):
    return make_pipeline(resolve_pipeline(model, None, None, Options(**options)), Store(root / "store"))


some_pages = st.permutations([str(i) for i in range(12)]).flatmap(
    lambda pages: st.integers(0, 12).map(lambda n: pages[:n])
)


@given(st.lists(some_pages, min_size=2, max_size=4))
def test_scores_are_those_of_the_formula_and_pages_that_no_model_ranks_are_left_out(rankings):
    assert entries(fused(rankings, 12, 12)) == defined(rankings)


def test_pages_that_tie_come_by_id_descending_also_at_the_cut():
    assert fused([["0", "1", "2"], ["1", "0", "3"]]).ids == ("1", "0", "3", "2")
    assert fused([["0", "1", "2"], ["1", "0", "3"]], top_k=3).ids == ("1", "0", "3")


def test_the_order_of_the_models_changes_no_digit():
    rng = np.random.default_rng(0)
    rankings = [[str(i) for i in rng.permutation(400)] for _ in range(3)]
    turned = fused(rankings[::-1], 400, 400)
    assert entries(fused(rankings, 400, 400)) == entries(turned) == defined(rankings)


def test_each_model_is_fused_to_a_fixed_depth_whatever_is_asked_for():
    rankings = [[str(i) for i in range(FUSED + 9)], [str(i) for i in reversed(range(FUSED + 9))]]
    whole = fused(rankings, FUSED + 9, FUSED + 9)
    cut = [ranking[:FUSED] for ranking in rankings]
    assert entries(whole) == defined(cut) != defined(rankings)
    assert entries(fused(rankings, FUSED + 9, 10)) == defined(cut)[:10]


def test_ranks_are_counted_among_the_pages_that_a_query_may_find():
    rankings = [["5", "4", "0", "1"], ["4", "1", "5", "0"]]
    among = {"candidates": {"q": frozenset({"0", "1"})}}
    assert entries(fused(rankings, **among)) == defined([["0", "1"], ["1", "0"]])


def test_a_query_that_one_model_does_not_rank_has_the_order_of_the_other():
    data = Collection("t", "s", (), [Page("0", "0", None, str)], [Query("a", "a"), Query("b", "b")], {})
    run = Fusion([Listed({"a": ["0"]}), Listed({})]).rank(data, 5)
    assert {query: ranking.ids for query, ranking in run.items()} == {"a": ("0",), "b": ()}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("fusion")
    text_task(root, subsets=["de"])
    return root


def test_an_evaluation_is_what_trec_eval_makes_of_the_fused_rankings(data):
    collection = load(load_task(data / "replica.yaml"), "de")
    runs = [ranker(model, data).rank(collection, FUSED) for model in ("bm25", "fake")]
    by_hand = {
        query: {p: s for s, p in defined([run[query].ids for run in runs])} for query in collection.qrels
    }
    judged = RelevanceEvaluator(collection.qrels, {"ndcg_cut_5"}).evaluate(by_hand)
    run = ranker("rrf:bm25,fake", data).rank(collection, DEPTH)
    measured = measure_run(collection, "test", run, ["ndcg_at_5"], "ndcg_at_5")
    theirs = [judged[query]["ndcg_cut_5"] for query in collection.qrels]
    assert measured.table.column("ndcg_at_5").to_pylist() == pytest.approx(theirs)
    alone = [measure_run(collection, "test", r, ["ndcg_at_5"], "ndcg_at_5").metrics for r in runs]
    assert measured.metrics not in alone


def test_vectors_from_a_folder_can_be_a_member(data, tmp_path):
    vectors = {str(i): [1.0 - i / 24, i / 24] for i in range(24)}
    for name in ("queries", "documents"):
        columns = {"id": list(vectors), "embedding": pa.array(vectors.values())}
        parquet(tmp_path / "vectors" / f"{name}.parquet", columns)
    collection = load(load_task(data / "replica.yaml"), "de")
    members = [f"precomputed:{tmp_path / 'vectors'}", "bm25"]
    runs = [ranker(member, tmp_path).rank(collection, FUSED) for member in members]
    run = ranker(f"rrf:{','.join(members)}", tmp_path).rank(collection, 9)
    for query, ranking in run.items():
        assert entries(ranking) == defined([one[query].ids for one in runs])[:9]


def test_what_can_change_a_number_of_a_member_changes_the_identity(tmp_path):
    def identity(*infos):
        members = [Listed({}, **info) for info in infos]
        info = Fusion(members).info
        assert info.settings["model_1"]["name"] == infos[0].get("name", "listed")
        return info.revision

    base = {"name": "org/one", "revision": "1", "vector_type": "single", "similarity": "dot"}
    changes = [{"name": "org/two"}, {"revision": "2"}, {"vector_type": "multi"}, {"similarity": "cosine"}]
    others = [{**base, **change} for change in (*changes, {"settings": {"dtype": "float16"}})]
    ids = [identity(base, base), *(identity(base, other) for other in others), identity(base, base, base)]
    assert len(set(ids)) == len(ids)
    assert identity(base, {**base, "runtime": {"device": "cuda"}}) == ids[0]


def test_the_name_is_what_one_writes_and_what_ran_where_is_kept_apart(tmp_path):
    infos = [{"name": "org/a", "runtime": {"device": "cpu"}}, {"name": "b", "runtime": {"device": "cuda"}}]
    info = Fusion([Listed({}, **info) for info in infos]).info
    assert (info.name, info.family) == ("rrf:a,b", "rrf")
    assert info.runtime == {"model_1.device": "cpu", "model_2.device": "cuda"}
    assert (info.settings["k"], info.settings["depth"]) == (60, 1000)


def test_options_go_to_each_member_that_takes_them_and_one_that_none_takes_is_refused(tmp_path):
    settings = ranker("rrf:bm25,fake", tmp_path, truncate_dim=8).info.settings
    assert settings["model_2"]["settings"]["truncate_dim"] == 8
    with pytest.raises(UsageError, match=r"JV108.*bm25 and fake do not take --device") as refused:
        ranker("rrf:bm25,fake", tmp_path, truncate_dim=8, device="cpu")
    assert "--truncate-dim" in str(refused.value)


@pytest.mark.parametrize("model", ["rrf:", "rrf:bm25", "rrf:bm25,", "rrf:bm25,,fake", "rrf:bm25,nothing"])
def test_what_names_no_two_models_is_refused(model, complains):
    complains(
        ["eval", "--model", model, "--task", "DemoPages"], "JV107", "nothing" if "n" in model[9:] else model
    )


def test_pages_are_not_compared_two_by_two(tmp_path, complains):
    task = pairs_task(tmp_path, ["a", "b", "c"], ["d", "e", "f"])
    path = task_file(tmp_path, {"format": "pairs", "pairs": {"file": "test.parquet"}}, type="VisualSTS")
    complains(["eval", "--model", "rrf:bm25,fake", "--task", path], "JV141", "rrf:bm25,fake", task.name)
