"""Data sets of text, and those whose images lie apart: titles, BEIR's own names and splits, text pairs."""

import gzip
import json

import numpy as np
import pytest

from jina_vdr.errors import DataError
from jina_vdr.measurement import measure_run
from jina_vdr.metrics import DEPTH
from jina_vdr.per_query import open_table
from jina_vdr.ranking import narrowed
from jina_vdr.records import Ranking
from jina_vdr.specfile import InvalidSpec
from jina_vdr.task import load_task
from tests.replicas import beir, card, evaluated, images, load, parquet, png, replica_task, task_file

APART = {
    "corpus": {"data_dir": "corpus"},
    "images": {"data_dir": "images", "columns": {"id": "file_name"}},
    "queries": {"data_dir": "queries"},
    "qrels": {"data_dir": "qrels"},
}


def jsonl(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def beir_itself(root, suffix="jsonl"):
    """Write corpus, queries and qrels as BEIR's own data sets have them on the Hub."""
    rows = [{"_id": "a", "title": "Titel", "text": " Text "}, {"_id": "b", "title": "", "text": "B"}]
    jsonl(root / f"corpus.{suffix}", *rows)
    jsonl(root / f"queries.{suffix}", {"_id": "q", "text": "A?"}, {"_id": "other", "text": "of train"})
    (root / "qrels").mkdir()
    (root / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    (root / "README.md").write_text(
        "---\nconfigs:\n"
        "- config_name: default\n  data_files:\n  - {split: test, path: qrels/test.tsv}\n"
        f"- config_name: corpus\n  data_files:\n  - {{split: corpus, path: corpus.{suffix}}}\n"
        f"- config_name: queries\n  data_files:\n  - {{split: queries, path: queries.{suffix}}}\n---\n"
    )


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_beirs_own_ids_titles_and_splits_are_read(tmp_path, suffix):
    beir_itself(tmp_path / "data", suffix)
    data = load(replica_task(tmp_path, {"format": "mteb"}, type="Retrieval"))
    assert [(page.id, page.read_text()) for page in data.corpus] == [("a", "Titel  Text"), ("b", "B")]
    assert [page.open_image for page in data.corpus] == [None, None]
    assert [query.id for query in data.queries] == ["q"]
    assert data.dropped == {"blank": 0, "no_relevant_page": 1}


def test_a_split_of_another_name_than_the_config_is_not_taken_for_the_one_wanted(tmp_path):
    beir_itself(tmp_path / "data")
    readme = tmp_path / "data/README.md"
    readme.write_text(readme.read_text().replace("split: corpus", "split: train"))
    with pytest.raises(DataError, match=r"JV406.*no split 'test' in config 'corpus'; it has: train"):
        load(replica_task(tmp_path, {"format": "mteb"}))


def test_a_title_stands_before_the_text_in_parquet_too(tmp_path):
    corpus = {"image": None, "title": ["T", "", None, "", "", ""], "text": ["a", "b", " c", "", "e", "f"]}
    beir(tmp_path / "data/default", corpus=corpus)
    data = load(replica_task(tmp_path, {}))
    assert [page.read_text() for page in data.corpus] == ["T a", "b", "c", "", "e", "f"]


def test_a_column_with_an_empty_name_is_not_read(tmp_path):
    beir(tmp_path / "data/default", corpus={"text": list("abcdef")}, qrels={"score": None})
    parts = {"corpus": {"columns": {"text": ""}}, "qrels": {"columns": {"score": ""}}}
    data = load(replica_task(tmp_path, parts))
    assert {page.read_text() for page in data.corpus} == {None}
    assert data.qrels == {"0": {"0": 1, "1": 1}, "1": {"1": 1, "2": 1}, "2": {"2": 1, "3": 1}}


def test_qrels_without_scores_are_refused_unless_the_task_file_says_so(tmp_path):
    beir(tmp_path / "data/default", qrels={"score": None})
    with pytest.raises(DataError, match=r"JV410.*no column 'score'"):
        load(replica_task(tmp_path, {}))


@pytest.mark.parametrize(
    ("dataset", "says"),
    [
        ({"qrels": {"columns": {"corpus-id": ""}}}, "qrels needs the column 'corpus-id'"),
        ({"queries": {"columns": {"text": ""}}}, "queries needs the column 'text'"),
        ({"format": "qa", "pairs": {"columns": {"image": ""}}}, "pairs needs the column 'image'"),
        ({"images": {"config": "x", "columns": {"image": ""}}}, "images needs the column 'image'"),
        ({"images": {"columns": {"id": "x"}}}, "say where the images are: config, data_dir, file"),
        ({"images": {"config": "x", "columns": {"text": "x"}}}, "no column 'text'; known: id, image"),
        ({"format": "qa", "images": {"config": "x"}}, "layout qa has no table of images"),
    ],
)
def test_what_a_part_cannot_be_without_is_said(tmp_path, dataset, says):
    with pytest.raises(InvalidSpec, match="JV313") as caught:
        replica_task(tmp_path, dataset)
    assert says in str(caught.value)


def apart(root, image_ids, names):
    """Write a corpus whose rows name their image in a table apart."""
    beir(root, corpus={"image": None, "image_id": image_ids, "text": list("abcdef")})
    cells = images([png(i) for i in range(len(names))])
    parquet(root / "images/test-00000-of-00001.parquet", {"file_name": names, "image": cells})


def test_images_that_lie_apart_are_joined_to_the_corpus(tmp_path):
    apart(tmp_path / "data", ["f", "e", "d", "c", "b", "b"], list("abcdef"))
    data = load(replica_task(tmp_path, APART))
    shades = [page.open_image().getpixel((0, 0))[0] for page in data.corpus]
    assert ([page.id for page in data.corpus], shades) == (list("012345"), [5, 4, 3, 2, 1, 1])
    assert data.corpus[4].content == data.corpus[5].content != data.corpus[3].content
    assert data.corpus[0].read_text() == "a"


def test_a_page_whose_image_is_not_there_is_named(tmp_path):
    apart(tmp_path / "data", list("abcdeg"), list("abcdef"))
    with pytest.raises(DataError, match=r"JV413.*page '5' .* names the image 'g', which is not there"):
        load(replica_task(tmp_path, APART))


def pairs_task(root, **columns):
    rows = {"sentence1": ["a b", "c"], "sentence2": ["a b", "d"], "score": [5.0, 1.0], **columns}
    jsonl(
        root / "data/test.jsonl.gz",
        *(dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)),
    )
    return replica_task(root, {"format": "pairs"}, type="STS")


def test_text_pairs_are_pages_of_text(tmp_path):
    pairs = load(pairs_task(tmp_path))
    np.testing.assert_array_equal(pairs.scores, [5, 1])
    assert [page.read_text() for page in (*pairs.first, *pairs.second)] == ["a b", "c", "a b", "d"]
    assert pairs.first[0].content == pairs.second[0].content != pairs.first[1].content
    assert pairs.first[0].open_image is None


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"score": [1.0, None]}, "JV433.*pair 1 has no score"),
        ({"sentence2": ["a", None]}, "JV413.*pair 1 of .* has no text in column 'sentence2'"),
        ({"sentence1": [1, 2]}, "JV417.*'sentence1' holds int, not text"),
    ],
)
def test_text_pairs_that_are_not_whole_are_refused(tmp_path, columns, says):
    with pytest.raises(DataError, match=says):
        load(pairs_task(tmp_path, **columns))


@pytest.mark.parametrize("model", ["bm25", "fake"])
def test_text_pairs_are_evaluated(tmp_path, model):
    words = [f"wort{i} satz{i} gleich" for i in range(12)]
    pairs_task(tmp_path, sentence1=words, sentence2=words[:6] + words[:6], score=[5.0] * 6 + [1.0] * 6)
    task_file(tmp_path, {"format": "pairs"}, type="STS")
    assert evaluated(tmp_path, model).result.main_score > 0.8


def test_a_page_with_the_querys_own_id_is_taken_out_of_its_ranking(tmp_path):
    texts = ["eins zwei", "eins zwei", "drei", "vier", "fünf", "sechs"]
    queries = {"query-id": ["1"], "query": ["eins zwei"]}
    qrels = {"query-id": ["1"], "corpus-id": ["0"], "score": [1]}
    ids = {"corpus-id": list("012345"), "image": None, "text": texts}
    beir(tmp_path / "data/default", corpus=ids, queries=queries, qrels=qrels)
    first = {}
    for ignored in (False, True):
        task_file(tmp_path, {}, protocol={"ignore_identical_ids": ignored})
        first[ignored] = evaluated(tmp_path, "bm25").result.scores[0].metrics["ndcg_at_1"]
    assert first == {False: 0, True: 1}  # of the two equal pages the larger id, 1, stands first


def test_a_ranking_is_as_deep_without_some_pages_as_with_them():
    scores = np.array([3, 2, 1], np.float32)
    run = {"b": Ranking(("a", "b", "c"), scores), "x": Ranking(("a", "b", "c"), scores)}
    cut = narrowed(run, lambda query, page: query != page, 2)
    assert {query: ranking.ids for query, ranking in cut.items()} == {"b": ("a", "c"), "x": ("a", "b")}
    np.testing.assert_array_equal(cut["b"].scores, [3, 1])


CANDIDATES = {"candidates": {"data_dir": "{subset}/top_ranked"}}


def with_candidates(root, candidates, **fields):
    """Write pages of which 0 and 1 answer query 0 best, and the candidates of some queries."""
    texts = ["eins zwei", "eins zwei drei", "eins", "vier", "fünf", "sechs"]
    changes = {"corpus": {"image": None, "text": texts}, "queries": {"query": ["eins zwei", "vier", "fünf"]}}
    beir(root / "data/default", **changes)
    rows = {"query-id": list(candidates), "corpus-ids": list(candidates.values())}
    parquet(root / "data/default/top_ranked/test-00000-of-00001.parquet", rows)
    return task_file(root, CANDIDATES, **fields)


def test_a_query_finds_its_candidates_alone(tmp_path):
    with_candidates(tmp_path, {0: [2, 1, 5], 1: [0, 1, 2], 2: [3, 2, 4], 9: [77]})
    done = evaluated(tmp_path)
    (scores,) = done.result.scores
    table = open_table(done.path, scores.per_query).to_pydict()
    assert [set(ids) for ids in table["top_ids"]] == [{"1", "2", "5"}, {"0", "1", "2"}, {"2", "3", "4"}]
    assert table["top_ids"][0][:2] == ["1", "2"]
    assert (scores.n_queries, scores.n_documents) == (3, 6)


def test_candidates_and_pages_beside_the_own_one_are_found_below_the_depth_of_a_ranking(tmp_path):
    n = DEPTH + 20
    texts = ["eins"] * (n - 3) + ["zwei"] * 3
    queries = {"query-id": [99, 98], "query": ["eins", "eins"]}  # of pages that tie, 99 and 98 stand first
    qrels = {"query-id": [99, 98], "corpus-id": [n - 1, n - 2], "score": [1, 1]}
    beir(tmp_path / "data/default", n, corpus={"image": None, "text": texts}, queries=queries, qrels=qrels)
    rows = {"query-id": [99, 98], "corpus-ids": [[n - 1, n - 3], [n - 2]]}
    parquet(tmp_path / "data/default/top_ranked/test-00000-of-00001.parquet", rows)
    for dataset, fields in ((CANDIDATES, {}), ({}, {"protocol": {"ignore_identical_ids": True}})):
        task_file(tmp_path, dataset, **fields)
        done = evaluated(tmp_path)
        found = open_table(done.path, done.result.scores[0].per_query).to_pydict()["top_ids"]
        if dataset:
            assert [set(ids) for ids in found] == [{str(n - 1), str(n - 3)}, {str(n - 2)}]
        else:
            assert [len(ids) for ids in found] == [DEPTH, DEPTH]
            assert [ids[0] for ids in found] == ["98", "99"]


@pytest.mark.parametrize(
    ("candidates", "says"),
    [
        ({0: [1], 1: [1]}, "JV442.*query '2' has no candidates"),
        ({0: [1], 1: [1], 2: []}, "JV442.*query '2' has no candidates"),
        ({0: [1], 1: [1], 2: [6]}, "JV442.*query '2' has the candidate '6', which is not there"),
        ({0: 1, 1: 1, 2: 1}, "JV417.*'corpus-ids' holds no lists of page ids"),
    ],
)
def test_candidates_that_do_not_fit_are_refused(tmp_path, candidates, says):
    with_candidates(tmp_path, candidates)
    with pytest.raises(DataError, match=says):
        load(load_task(tmp_path / "replica.yaml"))


def test_queries_with_equal_judgments_are_one_cluster(tmp_path):
    judged = {"query-id": [0, 0, 1, 1, 2, 2], "corpus-id": [0, 1, 1, 0, 0, 1], "score": [1, 2, 2, 1, 2, 1]}
    beir(tmp_path / "data/default", qrels=judged)
    task = replica_task(tmp_path, {}, protocol={"clusters": "judgments"})
    data = load(task)
    first, second, third = (query.cluster for query in data.queries)
    assert first == second != third
    assert load(replica_task(tmp_path, {})).queries[0].cluster == ""
    run = {"0": Ranking(("1",), np.ones(1, np.float32)), "1": Ranking(("1",), np.ones(1, np.float32))}
    measured = measure_run(data, "test", run, ["ndcg_at_5"], "ndcg_at_5")
    values = measured.table["ndcg_at_5"].to_pylist()
    assert measured.interval.high == pytest.approx((values[0] + values[1]) / 2)


def test_a_cluster_of_the_data_set_gives_way_to_the_judgments(tmp_path):
    beir(tmp_path / "data/default", queries={"cluster": ["x", "x", "x"]})
    assert {q.cluster for q in load(replica_task(tmp_path, {})).queries} == {"x"}
    task = replica_task(tmp_path, {}, protocol={"clusters": "judgments"})
    assert len({query.cluster for query in load(task).queries}) == 3


def test_a_table_of_images_is_part_of_what_pins_local_data(tmp_path):
    from jina_vdr.data import data_revision
    from jina_vdr.hub import Hub

    apart(tmp_path / "data", list("abcdef"), list("abcdef"))
    task, hub = replica_task(tmp_path, APART), Hub(tmp_path / "cache", offline=True)
    before = data_revision(task, hub)
    apart(tmp_path / "data", list("abcdef"), list("abcdefg"))
    assert data_revision(task, hub) != before


def test_configs_may_hold_all_parts_as_splits(tmp_path):
    root = tmp_path / "data"
    jsonl(root / "qmsum/corpus.jsonl", {"doc_id": "d", "text": "Protokoll"}, {"doc_id": "e", "text": "E"})
    jsonl(root / "qmsum/queries.jsonl", {"qid": "q", "text": "Wer?"})
    jsonl(root / "qmsum/qrels.jsonl", {"qid": "q", "doc_id": "d"})
    card(root, {})
    splits = [{"split": part, "path": f"qmsum/{part}.jsonl"} for part in ("corpus", "queries", "qrels")]
    configs = json.dumps([{"config_name": "qmsum", "data_files": splits}])
    (root / "README.md").write_text(f"---\nconfigs: {configs}\n---\n")
    parts = {
        "corpus": {"config": "qmsum", "split": "corpus", "columns": {"id": "doc_id"}},
        "queries": {"config": "qmsum", "split": "queries", "columns": {"id": "qid"}},
        "qrels": {
            "config": "qmsum",
            "split": "qrels",
            "columns": {"query-id": "qid", "corpus-id": "doc_id", "score": ""},
        },
    }
    data = load(replica_task(tmp_path, {"format": "mteb", **parts}))
    assert (data.qrels, len(data.corpus)) == ({"q": {"d": 1}}, 2)
