"""Vectors that lie in a folder are found, read as they are and ranked; what is wrong with them is named."""

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from jina_vdr.errors import DataError, UsageError
from jina_vdr.model import Options, parse_model
from jina_vdr.ranker import make_ranker
from jina_vdr.store import Store
from tests.replicas import beir, images, load, parquet, png, replica_task

PAGES = {"0": [1.0, 0.0], "1": [0.0, 1.0], "2": [0.75, 0.25]}
QUERIES = {"0": [4.0, 1.0], "1": [0.0, 2.0]}


def vectors(path, by_id, kind=None):
    return parquet(path, {"id": list(by_id), "embedding": pa.array(list(by_id.values()), kind)})


def folder(root, pages=PAGES, queries=QUERIES, kind=None):
    """Write the vectors of pages and queries at the top of a folder."""
    vectors(root / "vectors/documents.parquet", pages, kind)
    vectors(root / "vectors/queries.parquet", queries, kind)


def collection(root, subset="default"):
    """Return three pages and two queries."""
    beir(root / "data" / subset, n_pages=3, n_queries=2)
    languages = ["deu-Latn"] if subset == "default" else {subset: ["deu-Latn"]}
    return load(replica_task(root, {}, eval_langs=languages), subset)


def ranker(root, similarity=None):
    return make_ranker(
        parse_model(f"precomputed:{root / 'vectors'}", Options(similarity=similarity)), Store(root / "store")
    )


def ranked(root, similarity=None):
    run = ranker(root, similarity).rank(collection(root), 10)
    return {query: dict(zip(r.ids, r.scores.tolist(), strict=True)) for query, r in run.items()}


def refused(root, code, *names):
    """Assert that ranking the vectors in `root` fails with `code`, in one line that holds all `names`."""
    with pytest.raises(DataError) as caught:
        ranked(root)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    for name in names:
        assert name in str(caught.value)


DOT = {"0": {"0": 4.0, "2": 3.25, "1": 1.0}, "1": {"1": 2.0, "2": 0.5, "0": 0.0}}


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.list_(number()) for number in (pa.float16, pa.float32, pa.float64)),
        pa.list_(pa.float32(), 2),
        pa.large_list(pa.float32()),
        pa.list_(pa.float16(), 2),
    ],
    ids=str,
)
def test_single_vectors_of_any_list_of_numbers(tmp_path, kind):
    folder(tmp_path, kind=kind)
    assert ranked(tmp_path, "dot") == DOT


def test_whole_numbers_are_vectors_too(tmp_path):
    folder(tmp_path, {"0": [1, 0], "1": [0, 1], "2": [1, 1]}, {"0": [4, 1], "1": [0, 2]}, pa.list_(pa.int8()))
    assert ranked(tmp_path, "dot")["0"] == {"2": 5.0, "0": 4.0, "1": 1.0}


def test_the_cosine_is_that_of_numpy_and_the_default_of_single_vectors(tmp_path):
    folder(tmp_path)
    assert ranker(tmp_path).info.similarity == "cosine"
    assert ranker(tmp_path).info.vector_type == "single"
    for query, found in ranked(tmp_path).items():
        for page, score in found.items():
            a, b = np.array(QUERIES[query]), np.array(PAGES[page])
            assert score == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-7)


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.list_(pa.float32())),
        pa.list_(pa.list_(pa.float16(), 2)),
        pa.list_(pa.list_(pa.float64(), 2), 2),
        pa.large_list(pa.list_(pa.float32())),
    ],
    ids=str,
)
def test_multi_vectors_are_lists_of_lists_and_ranked_by_maxsim(tmp_path, kind):
    pages = {"0": [[1, 0], [0, 2]], "1": [[-1, 0], [0, -1]], "2": [[3, 0], [0, -1]]}
    folder(tmp_path, pages, {"0": [[1, 0], [0, 1]], "1": [[1, 1], [-1, 0]]}, kind)
    info = ranker(tmp_path).info
    assert (info.vector_type, info.similarity) == ("multi", "maxsim")
    expected = {"0": {"0": 3.0, "2": 3.0, "1": 0.0}, "1": {"2": 3.0, "0": 2.0, "1": 0.0}}
    assert ranked(tmp_path) == expected


def test_items_may_have_different_numbers_of_vectors(tmp_path):
    pages = {"0": [[1, 0]], "1": [[0, 1], [2, 0], [-9, -9]], "2": [[0, -1], [0, -2]]}
    folder(tmp_path, pages, {"0": [[1, 0]], "1": [[0, 1], [0, 1]]})
    assert ranked(tmp_path) == {"0": {"1": 2.0, "0": 1.0, "2": 0.0}, "1": {"1": 2.0, "0": 0.0, "2": -2.0}}


def test_the_nearest_file_counts(tmp_path):
    folder(tmp_path)
    data = collection(tmp_path, "de")
    best = []
    for place, winner in [("", "0"), ("Replica/en", "1"), ("Replica", "2"), ("Replica/de", "1")]:
        pages = {page: [1.0, float(page == winner)] for page in PAGES}
        vectors(tmp_path / "vectors" / place / "documents.parquet", pages)
        best.append(ranker(tmp_path, "dot").rank(data, 1)["1"].ids[0])
    assert best == ["0", "0", "2", "1"]


def pair_task(root, **sides):
    """Write three pairs and the vectors of their sides, and return the loaded pairs."""
    for side, by_id in sides.items():
        vectors(root / f"vectors/Replica/{side}.parquet", by_id)
    cells = {"sentence1": images(map(png, range(3))), "sentence2": images(map(png, range(3, 6)))}
    parquet(root / "data/test.parquet", {**cells, "score": [0.0, 1.0, 2.0]})
    return load(replica_task(root, {"format": "pairs"}, type="VisualSTS"))


def test_pairs_are_compared_in_their_order_not_in_that_of_the_file(tmp_path):
    first = {"2": [3.0, 4.0], "0": [1.0, 0.0], "1": [0.0, 2.0]}
    pairs = pair_task(tmp_path, first=first, second={"0": [2.0, 0.0], "1": [1.0, 0.0], "2": [4.0, 3.0]})
    np.testing.assert_allclose(ranker(tmp_path).compare(pairs), [1, 0, 0.96])
    np.testing.assert_allclose(ranker(tmp_path, "dot").compare(pairs), [2, 0, 24])


def test_multi_vectors_of_pairs_are_compared_in_both_directions(tmp_path):
    one = {str(i): [[1.0, 0.0]] for i in range(3)}
    two = {"0": [[1.0, 0.0], [0.0, 1.0]], "1": [[0.0, 1.0]], "2": [[1.0, 0.0]]}
    pairs = pair_task(tmp_path, first=one, second=two)
    np.testing.assert_allclose(ranker(tmp_path).compare(pairs), [(1 + (1 + 0) / 2) / 2, 0, 1])


def test_a_pair_without_a_vector(tmp_path):
    two = {"0": [1.0], "1": [1.0]}
    pairs = pair_task(tmp_path, first=two, second=two)
    with pytest.raises(DataError, match="no vector for '2'") as caught:
        ranker(tmp_path).compare(pairs)
    assert caught.value.code == "JV424"


def test_vectors_of_other_items_do_no_harm(tmp_path):
    folder(tmp_path, {"99": [float("nan"), 1.0], **PAGES, "x": [9.0, 9.0]})
    assert ranked(tmp_path, "dot") == DOT


def test_a_missing_vector_with_the_nearest_id(tmp_path):
    folder(tmp_path, queries={"0": [1.0, 0.0], "q1": [0.0, 1.0]})
    refused(tmp_path, "JV424", "queries.parquet", "no vector for '1'", "did you mean 'q1'?")


@pytest.mark.parametrize("what", ["queries", "documents"])
def test_a_missing_file(tmp_path, what):
    folder(tmp_path)
    (tmp_path / f"vectors/{what}.parquet").unlink()
    refused(tmp_path, "JV424", f"Replica/default/{what}.parquet")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 1e300, None])
@pytest.mark.parametrize("late", [False, True])
def test_a_value_that_is_no_number(tmp_path, bad, late):
    pages = {page: [vector, [1.0, 1.0]] if late else vector for page, vector in PAGES.items()}
    pages["1"] = [[1.0, 1.0], [1.0, bad]] if late else [1.0, bad]
    queries = {query: [vector] if late else vector for query, vector in QUERIES.items()}
    folder(tmp_path, pages, queries)
    refused(tmp_path, "JV423", "'1'", "NaN")


@pytest.mark.parametrize("what", ["queries", "documents"])
def test_ids_that_stand_twice(tmp_path, what):
    folder(tmp_path)
    columns = {"id": ["0", "1", "2", "1"], "embedding": [*PAGES.values(), [1.0, 1.0]]}
    parquet(tmp_path / f"vectors/{what}.parquet", columns)
    refused(tmp_path, "JV431", f"{what}.parquet", "'1'", "twice")


def test_vectors_of_several_lengths_in_one_file(tmp_path):
    folder(tmp_path, {**PAGES, "1": [1.0, 2.0, 3.0]})
    refused(tmp_path, "JV421", "documents.parquet", "[2, 3]")


def test_queries_and_pages_of_two_lengths(tmp_path):
    folder(tmp_path, queries={"0": [1.0, 0.0, 0.0], "1": [1.0, 0.0, 0.0]})
    refused(tmp_path, "JV421", "query vectors have 3 dimensions", "page vectors 2")


@pytest.mark.parametrize(
    "rows",
    [[[1.0, 2.0], [1.0, 2.0, 3.0, 4.0]], [[1.0, 2.0, 3.0], [4.0]], [[1.0, 2.0, 3.0, 4.0], None]],
    ids=["2 and 4", "3 and 1", "4 and none"],
)
def test_the_vectors_of_one_page_are_never_cut_anew(tmp_path, rows):
    pages = {"0": [[1.0, 0.0]], "1": rows, "2": [[0.0, 1.0]]}
    folder(tmp_path, pages, {"0": [[1.0, 0.0]], "1": [[0.0, 1.0]]})
    refused(tmp_path, "JV421", "documents.parquet", "'1'")


@pytest.mark.parametrize("late", [False, True])
def test_an_item_whose_embedding_is_empty_or_null(tmp_path, late):
    queries = {query: [vector] if late else vector for query, vector in QUERIES.items()}
    for nothing in (None, []):
        pages = {page: [vector] if late else vector for page, vector in PAGES.items()}
        folder(tmp_path, {**pages, "1": nothing}, queries)
        refused(tmp_path, "JV424", "documents.parquet", "no vector for '1'")


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("0.1 0.2", pa.string()),
        (["0.1", "0.2"], pa.list_(pa.string())),
        (0.5, pa.float32()),
        ([[[1.0]]], pa.list_(pa.list_(pa.list_(pa.float32())))),
        (b"1234", pa.binary()),
    ],
    ids=str,
)
def test_an_embedding_column_that_holds_no_lists_of_numbers(tmp_path, cell, kind):
    folder(tmp_path)
    vectors(tmp_path / "vectors/documents.parquet", dict.fromkeys(PAGES, cell), kind)
    refused(tmp_path, "JV424", "documents.parquet", "'embedding'", "not", "lists of numbers; see docs")


@pytest.mark.parametrize("column", ["id", "embedding"])
def test_a_missing_column_with_the_nearest_name(tmp_path, column):
    folder(tmp_path)
    columns = {"id": list(PAGES), "embedding": list(PAGES.values())}
    columns[f"{column}s"] = columns.pop(column)
    parquet(tmp_path / "vectors/documents.parquet", columns)
    refused(tmp_path, "JV410", "documents.parquet", f"no column '{column}'", f"did you mean '{column}s'?")


def test_one_folder_holds_one_kind_of_vectors(tmp_path):
    folder(tmp_path)
    vectors(tmp_path / "vectors/queries.parquet", {query: [vector] for query, vector in QUERIES.items()})
    refused(tmp_path, "JV422", "queries.parquet", "single-vectors")


def test_vectors_without_numbers(tmp_path):
    folder(
        tmp_path,
        {page: [[]] for page in PAGES},
        {query: [[]] for query in QUERIES},
        pa.list_(pa.list_(pa.float32())),
    )
    refused(tmp_path, "JV421", "[0]")


@pytest.mark.parametrize("what", ["queries", "documents"])
@pytest.mark.parametrize("keep", [0, 100, -60])
def test_a_truncated_file(tmp_path, what, keep):
    folder(tmp_path)
    path = tmp_path / f"vectors/{what}.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    refused(tmp_path, "JV408", str(path))


def test_a_folder_that_is_not_there_or_holds_no_vectors(tmp_path):
    for says in ("there is no folder", "holds no parquet file"):
        with pytest.raises(UsageError, match=says) as caught:
            ranker(tmp_path)
        assert (caught.value.code, caught.value.exit_code) == ("JV110", 2)
        (tmp_path / "vectors/empty").mkdir(parents=True, exist_ok=True)


def test_a_changed_moved_or_added_file_is_another_revision(tmp_path):
    folder(tmp_path)
    revisions = [ranker(tmp_path).info.revision]
    assert ranker(tmp_path).info.revision == revisions[0]
    changes = [
        lambda at: folder(at, {**PAGES, "1": [0.0, 1.5]}),
        lambda at: vectors(at / "vectors/Replica/documents.parquet", PAGES),
        lambda at: (at / "vectors/Replica").rename(at / "vectors/Other"),
    ]
    for change in changes:
        change(tmp_path)
        revisions.append(ranker(tmp_path).info.revision)
    assert len(set(revisions)) == 4


def test_the_command_line_scores_new_vectors_anew(tmp_path):
    folder(tmp_path)
    collection(tmp_path)
    command = [sys.executable, "-m", "jina_vdr", "eval", "--model", "precomputed:vectors", "--task"]
    options = ["replica.yaml", "--results", "results", "--cache", "cache", "--similarity", "dot", "--json"]
    found = []
    for pages in (PAGES, {page: vector[::-1] for page, vector in PAGES.items()}):
        folder(tmp_path, pages)
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([*command, *options], cwd=tmp_path, env=env, capture_output=True, check=True)
        (result,) = json.loads(done.stdout)
        found.append((result["id"], result["scores"][0]["metrics"]["precision_at_1"]))
    assert found[0][0] != found[1][0]
    assert [score for _, score in found] == [1.0, 0.5]
