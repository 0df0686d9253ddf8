"""A second look at the best pages of a ranking: what is reranked, what stays, what is kept."""

import numpy as np
import pytest

from jina_vdr.encoders.fake import Fake
from jina_vdr.errors import DataError, UsageError
from jina_vdr.fusion import Fusion
from jina_vdr.measurement import measure_run
from jina_vdr.model import Options, parse_model
from jina_vdr.pipeline import make_pipeline, resolve_pipeline
from jina_vdr.records import Collection, ModelInfo, Page, Query
from jina_vdr.rerank import PairScorer, Reranked, VectorScorer
from jina_vdr.similarity import LATE_INTERACTION
from jina_vdr.store import Store
from jina_vdr.task import load_task
from jina_vdr.trec import run_lines
from tests.rankers import Listed
from tests.replicas import load, task_file, text_task
from tests.test_retrieval import pairs_task

ALL = 24
"""Pages of the task."""


class Lengths:
    """A reranker: the score is how long a page is, for queries with 'short' in them how short."""

    listwise = False
    document_input = "text"

    def __init__(self, **info):
        self.info = ModelInfo(**{"name": "org/lengths", "family": "l", **info})
        self.seen = []
        self.fails_after = None

    def score(self, pairs):
        for i, (query, page) in enumerate(pairs):
            if i == self.fails_after:
                raise DataError("JV441", "it fails")
            self.seen.append((query.text, page.read_text()))
            yield [i], np.array([self.one(query.text, page.read_text())], np.float32)

    def one(self, query, text):
        return float(len(text)) * (-1 if "short" in query else 1)


class Beside(Lengths):
    """A reranker that judges pages beside each other: the score is the share of all that is shown."""

    listwise = True

    def score(self, pairs):
        for query in dict.fromkeys(query for query, _ in pairs):
            positions = [i for i, pair in enumerate(pairs) if pair[0] == query]
            texts = [pairs[i][1].read_text() for i in positions]
            self.seen.append((query.text, *texts))
            yield positions, np.array([len(text) / len("".join(texts)) for text in texts], np.float32)


TEXTS = ["aaaa", "a", "aaa", "aa", "aaaaaa", "aaaaa"]


def collection(queries=("long", "short"), texts=TEXTS, **fields):
    pages = [Page(str(i), f"content {text}", None, lambda text=text: text) for i, text in enumerate(texts)]
    asked = [Query(str(i), text) for i, text in enumerate(queries)]
    return Collection("t", "s", ("deu-Latn",), pages, asked, {q.id: {"0": 1} for q in asked}, **fields)


def reranked(reranker, root, first, top, data=None, top_k=10):
    data = data or collection()
    ranker = Reranked(Listed(first), PairScorer(reranker, Store(root / "store")), top)
    return ranker.rank(data, top_k)


FIRST = {"0": ["0", "1", "2", "3", "4", "5"], "1": ["5", "4", "3", "2", "1", "0"]}


def ids(run):
    return {query: "".join(ranking.ids) for query, ranking in run.items()}


def test_the_best_pages_come_in_the_order_of_the_reranker_and_the_rest_keep_theirs(tmp_path):
    assert ids(reranked(Lengths(), tmp_path, FIRST, 3)) == {"0": "021345", "1": "354210"}
    assert ids(reranked(Lengths(), tmp_path, FIRST, 6)) == {"0": "450231", "1": "132054"}
    assert ids(reranked(Lengths(), tmp_path, FIRST, 6, top_k=2)) == {"0": "45", "1": "13"}
    assert ids(reranked(Lengths(), tmp_path, FIRST, 3, top_k=4)) == {"0": "0213", "1": "3542"}


def test_only_the_best_pages_are_looked_at(tmp_path):
    reranker = Lengths()
    reranked(reranker, tmp_path, FIRST, 2)
    assert reranker.seen == [("long", "aaaa"), ("long", "a"), ("short", "aaaaa"), ("short", "aaaaaa")]


@pytest.mark.parametrize("top", [1, 3, 5, 6])
def test_scores_fall_from_page_to_page_so_that_a_reader_of_the_run_keeps_the_order(tmp_path, top):
    run = reranked(Lengths(), tmp_path, FIRST, top)
    for query, ranking in run.items():
        assert (np.diff(ranking.scores) < 0).all()
        assert ranking.scores.dtype == np.float32
        lines = [line.split() for line in run_lines({query: ranking}, "tag")]
        by_score = sorted(lines, key=lambda fields: -float(fields[4]))
        assert [fields[2] for fields in by_score] == list(ranking.ids)
        assert [float(fields[4]) for fields in lines] == ranking.scores.tolist()


def test_pages_that_the_reranker_ties_come_by_id_and_below_them_the_ties_of_the_first_model_stay(tmp_path):
    data = collection(["long"], ["aa", "aa", "a", "a", "a", "a"])
    first = Listed({"0": [*"012345"]}, [9, 8, 7, 7, 6, 6])
    run = Reranked(first, PairScorer(Lengths(), Store(tmp_path)), 3).rank(data, 6)
    assert run["0"].ids == tuple("102345")
    ties = (run["0"].scores[1:] == run["0"].scores[:-1]).tolist()
    assert ties == [True, False, False, False, True]


def test_a_query_without_a_ranking_stays_without(tmp_path):
    reranker = Lengths()
    run = reranked(reranker, tmp_path, {"0": [], "1": []}, 3)
    assert ids(run) == {"0": "", "1": ""}
    assert reranker.seen == []
    assert ids(reranked(reranker, tmp_path, {"0": ["3", "4"], "1": []}, 3)) == {"0": "43", "1": ""}


def test_of_candidates_the_best_are_reranked_not_of_all_pages(tmp_path):
    data = collection(["long"], candidates={"0": frozenset("345")})
    run = reranked(Lengths(), tmp_path, {"0": [*"012345"]}, 2, data)
    assert ids(run) == {"0": "435"}


def test_pairs_that_were_scored_are_not_scored_again(tmp_path):
    first, again = Lengths(), Lengths()
    wanted = reranked(first, tmp_path, FIRST, 4)
    found = reranked(again, tmp_path, {"0": [*"5410"], "1": [*"5432"]}, 4)
    assert again.seen == [("long", "aaaaa"), ("long", "aaaaaa")]
    assert ids(found) == {"0": "4501", "1": "3254"}
    assert found["1"].ids == wanted["1"].ids[:4]


def test_equal_texts_asked_of_equal_pages_are_scored_once(tmp_path):
    reranker = Lengths()
    run = reranked(
        reranker, tmp_path, FIRST, 6, collection(["long", "long"], ["aa", "a", "aa", "a", "a", "a"])
    )
    assert len(reranker.seen) == 2
    assert ids(run) == {"0": "205431", "1": "205431"}


def test_what_was_scored_before_a_failure_is_kept(tmp_path):
    failing, again = Lengths(), Lengths()
    failing.fails_after = 7
    with pytest.raises(DataError, match="it fails"):
        reranked(failing, tmp_path, FIRST, 6)
    reranked(again, tmp_path, FIRST, 6)
    whole = [("long", text) for text in TEXTS] + [("short", text) for text in reversed(TEXTS)]
    assert (failing.seen, again.seen) == (whole[:7], whole[7:])


@pytest.mark.parametrize(
    "other",
    [{"name": "other"}, {"family": "other"}, {"revision": "2"}, {"settings": {"dtype": "float16"}}],
    ids=lambda other: next(iter(other)),
)
def test_scores_of_another_reranker_are_not_taken(tmp_path, other):
    reranked(Lengths(), tmp_path, FIRST, 6)
    reranker = Lengths(**other)
    reranked(reranker, tmp_path, FIRST, 6)
    assert len(reranker.seen) == 12


def test_where_pages_are_judged_beside_each_other_a_score_is_kept_for_that_list_alone(tmp_path):
    first, same, other = Beside(), Beside(), Beside()
    data = collection(["long", "long"])
    lists = {"0": [*"012"], "1": [*"34"]}
    run = reranked(first, tmp_path, lists, 5, data)
    assert first.seen == [("long", "aaaa", "a", "aaa"), ("long", "aa", "aaaaaa")]
    assert run["0"].scores.tolist() == pytest.approx([4 / 8, 3 / 8, 1 / 8])
    assert reranked(same, tmp_path, lists, 5, data)["0"].scores.tolist() == run["0"].scores.tolist()
    assert same.seen == []
    reranked(other, tmp_path, {"0": [*"0123"], "1": [*"34"]}, 5, data)
    assert other.seen == [("long", "aaaa", "a", "aaa", "aa")]


def test_a_score_that_is_no_number_names_the_query_and_the_page_and_is_not_kept(tmp_path):
    reranker = Lengths()
    reranker.one = lambda query, text: float("nan") if text == "aa" else 1.0
    with pytest.raises(DataError, match=r"JV423.*org/lengths.*page '3' for 'long'"):
        reranked(reranker, tmp_path, FIRST, 6)
    again = Lengths()
    reranked(again, tmp_path, FIRST, 6)
    assert ("long", "aa") in again.seen


def test_what_can_change_a_number_of_any_part_changes_the_identity(tmp_path):
    def identity(first, second, top):
        ranker = Reranked(Listed({}, **first), PairScorer(Lengths(**second), Store(tmp_path)), top)
        return ranker.info.revision

    base = {"name": "a", "revision": "1", "settings": {"dtype": "float32"}}
    others = [
        {**base, **change} for change in ({"name": "b"}, {"revision": "2"}, {"settings": {"dtype": "x"}})
    ]
    ids = [identity(base, base, 3), identity(base, base, 4)]
    ids += [identity(other, base, 3) for other in others] + [identity(base, other, 3) for other in others]
    assert len(set(ids)) == len(ids)
    runtime = {**base, "runtime": {"device": "cuda"}}
    assert identity(runtime, runtime, 3) == ids[0]


def test_the_name_says_both_models_and_the_settings_say_all_of_them(tmp_path):
    first = Fusion([Listed({}, name="org/a"), Listed({}, name="b")])
    reranker = Lengths(runtime={"device": "cpu"})
    info = Reranked(first, PairScorer(reranker, Store(tmp_path)), 7).info
    assert (info.name, info.family, info.settings["top"]) == ("rrf:a,b+lengths", "rerank", 7)
    assert info.settings["first"]["settings"]["model_1"]["name"] == "org/a"
    assert info.settings["reranker"]["name"] == "org/lengths"
    assert info.runtime == {"reranker.device": "cpu"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("rerank")
    text_task(root, subsets=["de"])
    return root


def ranked(root, model, rerank=None, top=None, top_k=ALL, **options):
    collection = load(load_task(root / "replica.yaml"), "de")
    pipeline = resolve_pipeline(model, rerank, top, Options(**options))
    run = make_pipeline(pipeline, Store(root / "store")).rank(collection, top_k)
    return collection, run


def exact(run):
    return {q: list(zip(r.ids, r.scores.tolist(), strict=True)) for q, r in run.items()}


@pytest.mark.parametrize("similarity", ["cosine", "dot", "maxsim", "meanmaxsim"])
def test_a_model_that_reranks_all_pages_gives_its_own_ranking_to_the_digit(data, similarity):
    vector_type = "multi" if similarity in LATE_INTERACTION else "single"
    _, alone = ranked(data, "fake", vector_type=vector_type, similarity=similarity)
    _, run = ranked(data, "fake", "fake", ALL, vector_type=vector_type, similarity=similarity)
    assert exact(run) == exact(alone)
    _, over_words = ranked(data, "bm25", "fake", ALL, vector_type=vector_type, similarity=similarity)
    for query, ranking in exact(over_words).items():
        assert ranking == [pair for pair in exact(alone)[query] if pair in ranking]


def test_reranking_finds_nothing_that_the_first_model_has_not_found(data):
    collection, first = ranked(data, "bm25")
    _, run = ranked(data, "bm25", "fake", 5)
    for query, ranking in run.items():
        assert set(ranking.ids[:5]) == set(first[query].ids[:5])
        assert ranking.ids[5:] == first[query].ids[5:]
    recall = [
        measure_run(collection, "test", r, ["recall_at_5"], "recall_at_5").metrics for r in (first, run)
    ]
    assert recall[0] == recall[1]


class Noting:
    """The fake encoder, which notes what it encodes."""

    document_input = "text"

    def __init__(self):
        self._fake = Fake(parse_model("fake"))
        self.info = self._fake.info
        self.seen = []

    def encode_queries(self, queries):
        self.seen += queries
        return self._fake.encode_queries(queries)

    def encode_documents(self, pages):
        self.seen += [page.id for page in pages]
        return self._fake.encode_documents(pages)


def test_vectors_are_made_of_the_pages_that_are_shown_and_kept(tmp_path):
    first, again = Noting(), Noting()
    lists = {"0": [*"012345"], "1": [*"210"]}
    for encoder in (first, again):
        scorer = VectorScorer(encoder, Store(tmp_path))
        run = Reranked(Listed(lists), scorer, 2).rank(collection(["aaaa", "aa"]), 6)
        assert ids(run) == {"0": "012345", "1": "210"}
    assert first.seen == ["0", "1", "2", "aaaa", "aa"]
    assert again.seen == []


@pytest.mark.parametrize(
    ("rerank", "code", "said"),
    [
        ("bm25", "JV142", "bm25 does not rerank"),
        ("tesseract", "JV142", "tesseract does not rerank"),
        ("nothing", "JV107", "'nothing'"),
    ],
)
def test_what_cannot_rerank_is_refused(rerank, code, said, complains):
    complains(["eval", "--model", "bm25", "--rerank", rerank, "--task", "DemoPages"], code, said)


def test_a_depth_without_a_reranker_is_refused(complains):
    complains(
        ["eval", "--model", "bm25", "--rerank-top", "5", "--task", "DemoPages"], "JV142", "--rerank-top"
    )


def test_options_go_to_each_part_that_takes_them(data):
    spec = resolve_pipeline("bm25", "fake", None, Options(truncate_dim=8))
    assert (spec.models[0].options, spec.reranker.options, spec.top) == (
        Options(),
        Options(truncate_dim=8),
        100,
    )
    with pytest.raises(UsageError, match="JV108"):
        resolve_pipeline("bm25", "fake", None, Options(device="cpu"))


def test_pages_are_not_compared_two_by_two(tmp_path, complains):
    task = pairs_task(tmp_path, ["a", "b", "c"], ["d", "e", "f"])
    path = task_file(tmp_path, {"format": "pairs", "pairs": {"file": "test.parquet"}}, type="VisualSTS")
    complains(
        ["eval", "--model", "bm25", "--rerank", "fake", "--task", path], "JV141", "bm25+fake", task.name
    )
