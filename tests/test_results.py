"""A result file says what was measured, and so does every format it is exported to."""

import csv
import io
import json
from statistics import fmean

import numpy as np
import pyarrow.parquet as pq
import pytest
import pytrec_eval
from scipy import stats

from jina_vdr.comparison import compare
from jina_vdr.errors import InvalidFile, UsageError
from jina_vdr.export import as_text, rows, write_parquet, write_trec
from jina_vdr.result import ModelRecord, read_result, read_results, result_path, write_result
from jina_vdr.vocabulary import TREC_EVAL_NAMES
from tests.replicas import beir, evaluated, replica_task, text_task

MODELS = [("bm25", {}), ("fake", {}), ("fake", {"vector_type": "multi"}), ("fake", {"truncate_dim": 2})]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two models on one task; pages of equal text make ties."""
    folder = tmp_path_factory.mktemp("results")
    text_task(folder)
    for model, options in MODELS:
        evaluated(folder, model, **options)
    return folder


@pytest.fixture(params=MODELS, ids=["bm25", "single", "multi", "two dimensions"])
def located(root, request):
    """One of the results: its path, and what it says."""
    evaluation = evaluated(root, request.param[0], **request.param[1])
    return evaluation.path, evaluation.result


def table(path, scores):
    return pq.read_table(path.with_suffix("") / scores.per_query.path)


def test_what_is_written_is_read(located, tmp_path):
    path, result = located
    write_result(tmp_path / "copy.json", result)
    assert read_result(tmp_path / "copy.json") == result == read_result(path)
    assert (tmp_path / "copy.json").read_bytes() == path.read_bytes()
    assert json.loads(path.read_text())["schema"] == "jina-vdr/result@1"


PARTS = {
    "": lambda result: result,
    "task": lambda result: result["task"],
    "task.dataset": lambda result: result["task"]["dataset"],
    "model": lambda result: result["model"],
    "provenance": lambda result: result["provenance"],
    "scores.0": lambda result: result["scores"][0],
    "scores.0.per_query": lambda result: result["scores"][0]["per_query"],
}


def refused(path, content, *says):
    """Assert that this is no result file, for a reason that names all of `says`."""
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InvalidFile) as caught:
        read_result(path)
    assert (caught.value.code, caught.value.exit_code) == ("JV351", 3)
    for word in (str(path), *says):
        assert word in str(caught.value)


@pytest.mark.parametrize("where", PARTS)
def test_a_key_too_many_or_too_few_is_refused(root, tmp_path, where):
    original = next(root.glob("results/*/*/*.json")).read_text()
    more = json.loads(original)
    PARTS[where](more)["extra"] = 1
    refused(tmp_path / "result.json", more, f"{where}.extra".lstrip("."))
    key = next(iter(PARTS[where](more)))
    less = json.loads(original)
    del PARTS[where](less)["name" if where == "model" else key]
    if where or key != "schema":
        refused(tmp_path / "result.json", less, where)


WRONG = {
    "id": 7,
    "status": "done",
    "schema": "jina-vdr/result@2",
    "limit": "3",
    "publishable": "yes",
    "task.version": 1.5,
    "task.main_score": "ndcg_at_6",
    "task.dataset": {},
    "model.settings": [],
    "provenance.packages": ["numpy"],
    "provenance.host": "here",
    "scores": [],
    "scores.0.main_score": "0.5",
    "scores.0.n_queries": None,
    "scores.0.n_tied_queries_at_5": None,
    "scores.1.per_query": None,
    "origin": "mteb",
    "source": {"path": "mteb.json.gz", "sha256": "0"},
    "scores.0.seconds": float("nan"),
    "scores.0.ci95": [0.1],
    "scores.0.metrics": {"accuracy": 0.5},
    "scores.0.languages": "deu-Latn",
    "scores.1.subset": "de",
    "scores.0.subset": "../../x",
    "scores.0.split": "a/b",
    "scores.0.per_query.path": "../de.test.per_query.parquet",
}


@pytest.mark.parametrize("where", WRONG)
def test_a_wrong_value_is_refused(root, tmp_path, where):
    result = json.loads(next(root.glob("results/*/*/*.json")).read_text())
    *parents, last = where.split(".")
    part = result
    for name in parents:
        part = part[int(name) if name.isdigit() else name]
    part[last] = WRONG[where]
    refused(tmp_path / "result.json", result)


@pytest.mark.parametrize(
    "path", ["/etc/x.test.per_query.parquet", "a/x.y.per_query.parquet", "x.parquet", "."]
)
def test_a_table_that_lies_elsewhere_is_refused(root, tmp_path, path):
    result = json.loads(next(root.glob("results/*/*/*.json")).read_text())
    result["scores"][0]["per_query"]["path"] = path
    refused(tmp_path / "result.json", result, "scores.0.per_query.path")


def test_what_is_no_whole_json_is_refused(root, tmp_path):
    text = next(root.glob("results/*/*/*.json")).read_text()
    for content in (
        "",
        "[]",
        "null",
        "\ufeff{}",
        *(text[:n] for n in (1, 99, -3)),
    ):
        refused(tmp_path / "result.json", content)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "..", "", ".hidden", "a\0b", "a\\..\\b", "é\n"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    model = ModelRecord(name=name, family="st", revision=None, vector_type=None, similarity=None, settings={})
    path = result_path(tmp_path, name, model, None)
    assert path.resolve().relative_to(tmp_path.resolve()).parts == path.parts[-3:]
    assert not any(part.startswith(".") for part in path.parts[-3:])


def test_metrics_are_means_over_the_table(located):
    path, result = located
    for scores in result.scores:
        queries = table(path, scores)
        assert queries.num_rows == scores.n_queries == scores.per_query.rows == 10
        for metric, value in scores.metrics.items():
            assert fmean(queries[metric].to_pylist()) == pytest.approx(value, abs=1e-12)
        assert scores.main_score == scores.metrics["ndcg_at_5"]
        assert sum(queries["tied_at_5"].to_pylist()) == scores.n_tied_queries_at_5
        assert set(queries["language"].to_pylist()) == set(scores.languages)
        assert 0 < scores.main_score < 1


def test_the_first_relevant_rank_is_that_of_the_ranking(located):
    path, result = located
    for row in table(path, result.scores[0]).to_pylist():
        judged = dict(zip(row["judged_ids"], row["judged_relevance"], strict=True))
        found = [rank for rank, page in enumerate(row["top_ids"], 1) if judged.get(page, 0) > 0]
        assert row["first_relevant_rank"] == (found[0] if found else None)
        assert row["n_relevant"] == sum(grade > 0 for grade in judged.values()) == 2


def exported(path, result, folder):
    """Return runs and qrels per subset, as they are read back from the TREC files."""
    run, qrels = {}, {}
    for written in write_trec([(path, result)], folder):
        subset = written.name.split(".")[1]
        with written.open(encoding="utf-8") as file:
            if written.suffix == ".run":
                run[subset] = pytrec_eval.parse_run(file)
            else:
                qrels[subset] = pytrec_eval.parse_qrel(file)
    return run, qrels


def trec_eval(metric, run, qrels):
    """Return the value of each query that has qrels; one without a ranking counts as 0."""
    kind, _, k = metric.partition("_at_")
    name = TREC_EVAL_NAMES[kind]
    asked, told = (name, name) if kind == "mrr" else (f"{name}.{k}", f"{name}_{k}")
    measured = pytrec_eval.RelevanceEvaluator(qrels, {asked}).evaluate(run)
    values = [measured.get(query, {}).get(told, 0.0) for query in qrels]
    return [0.0 if kind == "mrr" and value * int(k) < 1 - 1e-9 else value for value in values]


def check_by_trec_eval(path, result, folder):
    run, qrels = exported(path, result, folder)
    for scores in result.scores:
        for metric, mean in scores.metrics.items():
            theirs = trec_eval(metric, run[scores.subset], qrels[scores.subset])
            assert theirs == pytest.approx(table(path, scores)[metric].to_pylist(), abs=1e-9), metric
            assert fmean(theirs) == pytest.approx(mean, abs=1e-9)


def test_trec_eval_gives_the_same_numbers_from_the_exported_files(located, tmp_path):
    check_by_trec_eval(*located, tmp_path)


def test_the_exported_run_is_the_ranking_of_the_table(located, tmp_path):
    path, result = located
    write_trec([(path, result)], tmp_path)
    for scores in result.scores:
        (written,) = tmp_path.glob(f"{path.parent.parent.name}/*/Replica.{scores.subset}.test.run")
        lines = [line.split() for line in written.read_text().splitlines()]
        rows = table(path, scores).to_pylist()
        ranked = [(row["query_id"], n, page) for row in rows for n, page in enumerate(row["top_ids"], 1)]
        assert [(query, int(n), page) for query, _, page, n, *_ in lines] == ranked
        assert {(line[1], line[5]) for line in lines} == {("Q0", result.model.name)}
        exact = [score for row in rows for score in row["top_scores"]]
        assert [float(line[4]) for line in lines] == pytest.approx(exact, rel=1e-5)  # ties are told apart


def test_trec_eval_breaks_the_ties_of_any_ids_as_the_ranking_did(tmp_path):
    ids = ["p 1", "p1", "é", "z", "Ω", "日本", "100%", "100", "🙂", "Z\u3000b", "ab", "A"]
    text = {"corpus-id": ids, "image": None, "text": ["Wort"] * len(ids)}
    qrels = {"query-id": list(range(12)), "corpus-id": ids, "score": [1] * 12}
    beir(tmp_path / "data/default", 12, 12, corpus=text, queries={"query": ["Wort"] * 12}, qrels=qrels)
    replica_task(tmp_path, {})
    evaluation = evaluated(tmp_path)
    (scores,) = evaluation.result.scores
    assert scores.n_tied_queries_at_5 == 12
    check_by_trec_eval(evaluation.path, evaluation.result, tmp_path / "trec")
    lines = next(tmp_path.glob("trec/*/*/*.run")).read_text(encoding="utf-8").splitlines()
    assert {len(line.split()) for line in lines} == {6}


@pytest.fixture(scope="module")
def found(root):
    return list(read_results(root / "results"))


def flat(found):
    """Return what an export must hold: the scores of each subset of each result."""
    return [(path, result, scores) for path, result in found for scores in result.scores]


def check_rows(read, found):
    """Compare rows as they were read with the results; a number may have become text."""
    expected = flat(found)
    assert len(read) == len(expected) == 8
    for row, (path, result, scores) in zip(read, expected, strict=True):
        assert row["model"] == result.model.name
        assert row["variant"] == path.parent.name
        assert (row["subset"], row["split"]) == (scores.subset, "test")
        for metric, value in {**scores.metrics, "main_score": scores.main_score, "n_queries": 10}.items():
            assert float(row[metric]) == value
        assert (float(row["ci95_low"]), float(row["ci95_high"])) == scores.ci95


def test_csv_json_and_parquet_say_the_same(found, tmp_path):
    check_rows(list(csv.DictReader(io.StringIO(as_text(rows(found), "csv")))), found)
    check_rows(json.loads(as_text(rows(found), "json")), found)
    write_parquet(rows(found), tmp_path / "all.parquet")
    check_rows(pq.read_table(tmp_path / "all.parquet").to_pylist(), found)


def one(found, start):
    return [located for located in found if located[0].parent.name.startswith(start)]


def test_a_comparison_is_that_of_the_paired_queries(found):
    first, second = one(found, "bm25"), one(found, "multi")
    for difference, subset in zip(compare(first, second), ("de", "fr"), strict=True):
        before, after = (
            np.array(table(path, result.of("test", subset))["ndcg_at_5"].to_pylist())
            for path, result in (*first, *second)
        )
        assert (difference.task, difference.subset, difference.n_queries) == ("Replica", subset, 10)
        assert difference.value == pytest.approx(after.mean() - before.mean())
        assert difference.value == pytest.approx(difference.second - difference.first)
        sample = stats.bootstrap((after - before,), np.mean, n_resamples=20_000, method="percentile", rng=1)
        assert difference.interval == pytest.approx(tuple(sample.confidence_interval), abs=0.006)


def test_of_several_results_those_of_the_same_task_and_data_are_compared(root, found, tmp_path):
    limited = evaluated(root, "bm25", limit=4)
    others = [*one(found, "bm25"), (limited.path, limited.result)]
    assert len(compare(one(found, "multi"), others)) == 2
    assert len(compare(one(found, "multi"), others[::-1])) == 2
    with pytest.raises(UsageError, match="in common"):
        compare(one(found, "multi"), others[1:])
    text_task(tmp_path, n_queries=9)
    other_data = evaluated(tmp_path, "bm25")
    with pytest.raises(UsageError) as caught:
        compare(one(found, "bm25"), [(other_data.path, other_data.result)])
    assert (caught.value.code, caught.value.exit_code) == ("JV114", 2)
