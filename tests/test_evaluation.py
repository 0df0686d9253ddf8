"""An evaluation computes nothing twice and keeps nothing that is not true any more."""

import shutil
from dataclasses import replace

import pyarrow as pa
import pytest
import yaml

from jina_vdr.cli import main
from jina_vdr.evaluation import evaluate
from jina_vdr.result import read_result, write_result
from tests.needs import needs_program
from tests.replicas import beir, evaluated, parquet, prepared, text_task


@pytest.fixture
def root(tmp_path):
    text_task(tmp_path)
    return tmp_path


def run(root, *options, model="fake", tasks=("replica.yaml",)):
    """Evaluate from the command line; return the exit code."""
    places = ["--results", str(root / "results"), "--cache", str(root / "cache")]
    said = [word for task in tasks for word in ("--task", str(root / task))]
    return main(["eval", "--model", model, *said, *places, *options])


def written(root):
    """Return when each file of results and cache was written."""
    files = [path for name in ("results", "cache") for path in (root / name).rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.stat().st_mtime_ns for path in files}


def changed(before, after):
    """Return the names of the files that were written between."""
    return sorted(name.rpartition("/")[2] for name, time in after.items() if before.get(name) != time)


def the_result(root):
    """Return the one result file, and what it says."""
    (path,) = root.glob("results/*/*/*.json")
    return path, read_result(path)


def task_fields(root):
    return yaml.safe_load((root / "replica.yaml").read_text())


def write_task(path, **fields):
    path.write_text(yaml.safe_dump({"schema": 1, **fields}))


def edit(root, **fields):
    """Change fields of the task file."""
    write_task(root / "replica.yaml", **{**task_fields(root), **fields})


def shard(root, part, subset="fr"):
    return root / "data" / subset / part / "test-00000-of-00001.parquet"


def new_query(root):
    """Change one letter of one query."""
    asked = pa.parquet.read_table(shard(root, "queries")).to_pydict()
    asked["query"][0] += "x"
    parquet(shard(root, "queries"), asked)


def identity(root, **settings):
    return prepared(root, **settings)[2].result.id


TASK_CHANGES = {
    "version": {"version": 2},
    "main score": {"main_score": "ndcg_at_10"},
    "metrics": {"metrics": ["ndcg_at_5"]},
    "a language": {"eval_langs": {"de": ["deu-Latn"], "fr": ["fra-Arab"]}},
    "protocol": {"protocol": {"queries_without_positives": "error"}},
}


@pytest.mark.parametrize("change", TASK_CHANGES.values(), ids=TASK_CHANGES)
def test_a_task_file_that_can_change_a_number_changes_the_identity(root, change):
    before = identity(root)
    edit(root, **change)
    assert identity(root) != before


def test_data_of_other_bytes_changes_the_identity(root):
    before = identity(root)
    new_query(root)
    assert identity(root) != before


SETTINGS = {"model": "bm25", "truncate_dim": 64, "vector_type": "multi", "similarity": "dot", "limit": 3}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_that_can_change_a_number_changes_the_identity_and_the_place(root, setting):
    ours = prepared(root, **{setting: SETTINGS[setting]})[2]
    for other in ({}, {"truncate_dim": 32}, {"limit": 2}):
        theirs = prepared(root, **other)[2]
        assert ours.result.id != theirs.result.id
        assert ours.path.parent != theirs.path.parent


def test_what_cannot_change_a_number_is_no_part_of_the_identity(root, tmp_path_factory):
    before = identity(root)
    edit(root, description="Texte", expected={"de": {"queries": 10}}, license="MIT", tags=["x"])
    assert identity(root) == before
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(root, elsewhere, dirs_exist_ok=True)
    assert identity(elsewhere) == before


def test_vectors_of_other_bytes_change_the_identity(root):
    vectors = root / "vectors" / "documents.parquet"
    parquet(vectors, {"id": ["0"], "embedding": [[1.0, 0.0]]})
    before = identity(root, model=f"precomputed:{vectors.parent}")
    parquet(vectors, {"id": ["0"], "embedding": [[1.0, 0.5]]})
    assert identity(root, model=f"precomputed:{vectors.parent}") != before


def test_the_files_and_the_precision_of_a_checkpoint_count_and_batch_size_and_device_do_not(root):
    checkpoint = root / "tiny"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text('{"architectures": ["BertModel"]}')
    model = f"st:{checkpoint}"
    before = identity(root, model=model)
    assert identity(root, model=model, device="cuda:1", batch_size=3) == before
    assert identity(root, model=model, dtype="float16") != before
    (checkpoint / "model.safetensors").write_bytes(b"weights")
    assert identity(root, model=model) != before


def test_the_program_that_reads_pages_without_text_counts(root, tmp_path, monkeypatch):
    needs_program("tesseract")
    before = identity(root, model="bm25")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert identity(root, model="bm25") != before


def test_the_same_command_again_computes_and_writes_nothing(root, capsys):
    assert run(root) == 0
    table, before = capsys.readouterr().out, written(root)
    assert run(root) == 0
    assert written(root) == before
    assert prepared(root)[2].result == the_result(root)[1]
    said = capsys.readouterr()
    assert said.out == table
    assert "2 subsets, 2 done already" in said.err


def test_force_computes_again(root):
    run(root)
    before, result = written(root), the_result(root)[1]
    run(root, "--force")
    tables = ["de.test.per_query.parquet", "fr.test.per_query.parquet"]
    assert changed(before, written(root)) == ["Replica.json", *tables]
    again = the_result(root)[1]
    assert [s.metrics for s in again.scores] == [s.metrics for s in result.scores]


def test_force_computes_only_what_is_asked_for(root):
    run(root)
    before = written(root)
    run(root, "--force", "--language", "fra")
    assert changed(before, written(root)) == ["Replica.json", "fr.test.per_query.parquet"]
    assert the_result(root)[1].status == "complete"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"PAR1", b"PAR2", 1)),
    ],
    ids=["missing", "truncated", "flipped"],
)
def test_without_its_table_a_subset_alone_is_computed_again(root, damage):
    run(root)
    path, result = the_result(root)
    table = path.with_suffix("") / "fr.test.per_query.parquet"
    before, whole = written(root), table.read_bytes()
    damage(table)
    left = prepared(root)[2].result
    assert (left.status, left.publishable, len(left.scores)) == ("partial", False, 1)
    assert run(root) == 0
    assert changed(before, written(root)) == ["Replica.json", "fr.test.per_query.parquet"]
    assert table.read_bytes() == whole
    assert [s.per_query for s in the_result(root)[1].scores] == [s.per_query for s in result.scores]


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": "jina-vdr/result@2"}', b"\xff\0"])
def test_a_result_file_that_cannot_be_read_is_made_again(root, caplog, content):
    run(root)
    path, result = the_result(root)
    path.write_bytes(content)
    assert run(root) == 0
    assert f"{path} is not a result file" in caplog.text
    assert [s.per_query for s in the_result(root)[1].scores] == [s.per_query for s in result.scores]


def test_another_language_later_adds_to_the_same_result(root):
    run(root, "--language", "fra")
    path, first = the_result(root)
    assert (first.status, first.publishable, first.main_score) == ("partial", False, None)
    made_long_ago = first.provenance.model_copy(update={"python": "2.7"})
    write_result(path, first.model_copy(update={"provenance": made_long_ago}))
    before = written(root)
    run(root, "--language", "deu")
    assert "fr.test.per_query.parquet" not in changed(before, written(root))
    same_path, both = the_result(root)
    assert same_path == path
    assert [scores.subset for scores in both.scores] == ["de", "fr"]
    assert both.of("test", "fr") == first.of("test", "fr")
    assert both.provenance.python == first.provenance.python
    assert (both.id, both.status, both.publishable) == (first.id, "complete", True)
    assert both.main_score == pytest.approx(sum(scores.main_score for scores in both.scores) / 2)


def test_languages_evaluated_side_by_side_end_in_one_result(root):
    ranker, settings, both = prepared(root)
    german, french = (
        replace(both, selection=replace(both.selection, subsets=(subset,))) for subset in ("de", "fr")
    )
    evaluate(german, ranker, settings)
    evaluate(french, ranker, settings)
    _, result = the_result(root)
    assert (result.status, [scores.subset for scores in result.scores]) == ("complete", ["de", "fr"])
    assert result == evaluated(root).result


def test_changed_data_starts_anew_and_encodes_only_what_is_new(root):
    first, before = evaluated(root), written(root)
    new_query(root)
    second = evaluated(root)
    assert second.path == first.path
    assert second.result.id != first.result.id
    new = [name for name in changed(before, written(root)) if name.endswith(".safetensors")]
    assert len(new) == 1
    assert second.result.scores[0].per_query == first.result.scores[0].per_query
    assert second.result.scores[1].per_query != first.result.scores[1].per_query


def test_every_split_is_measured(root):
    for path in root.glob("data/*/*/test-*"):
        shutil.copy(path, path.with_name(path.name.replace("test", "dev")))
    edit(root, eval_splits=["test", "dev"])
    result = evaluated(root).result
    places = [(scores.split, scores.subset) for scores in result.scores]
    assert places == [("test", "de"), ("test", "fr"), ("dev", "de"), ("dev", "fr")]
    assert [s.metrics for s in result.scores[:2]] == [s.metrics for s in result.scores[2:]]


@pytest.mark.parametrize("tasks", [("replica.yaml", "other.yaml"), ("other.yaml", "replica.yaml")])
@pytest.mark.parametrize("wrong", [{"expected": {"de": {"queries": 99}}}, {"dataset": {"path": "./no"}}])
def test_a_failed_task_does_not_stop_the_others(root, capsys, caplog, tasks, wrong):
    write_task(root / "other.yaml", **{**task_fields(root), "name": "Other", **wrong})
    assert run(root, tasks=tasks) == 1
    assert the_result(root)[1].status == "complete"
    assert "Replica · fake" in capsys.readouterr().out
    assert "error[JV4" in caplog.text


@pytest.mark.parametrize(("tasks", "code"), [(("a.yaml", "b.yaml"), 2), (("b.yaml", "a.yaml"), 4)])
def test_when_all_tasks_fail_the_code_is_that_of_the_first_error(root, monkeypatch, tasks, code):
    beir(root / "images" / "default")
    write_task(root / "a.yaml", name="A", dataset={"path": "./images"}, eval_langs=["deu-Latn"])
    write_task(root / "b.yaml", name="B", dataset={"path": "./nowhere"}, eval_langs=["deu-Latn"])
    monkeypatch.setenv("PATH", str(root))  # no tesseract there, and bm25 needs it for images
    assert run(root, model="bm25", tasks=tasks) == code


def test_limited_results_are_marked_and_kept_apart(root, capsys):
    run(root)
    before = written(root)
    run(root, "--limit", "3")
    assert "first 3 queries" in capsys.readouterr().out
    now = written(root)
    assert {name: now[name] for name in before} == before
    limited = prepared(root, limit=3)[2].result
    assert (limited.limit, limited.publishable, limited.status) == (3, False, "complete")
    assert [scores.n_queries for scores in limited.scores] == [3, 3]
    assert [scores.n_documents for scores in limited.scores] == [24, 24]


def test_a_dry_run_writes_nothing(root, capsys):
    assert run(root, "--dry-run") == 0
    assert "Replica: 2 subsets" in capsys.readouterr().out
    assert written(root) == {}
    assert sorted(path.name for path in root.iterdir()) == ["data", "replica.yaml"]
    run(root)
    before = written(root)
    assert run(root, "--dry-run", "--force") == 0
    assert written(root) == before


def test_a_subset_whose_data_is_bad_leaves_those_before_it(root):
    qrels = pa.parquet.read_table(shard(root, "qrels")).to_pydict()
    parquet(shard(root, "qrels"), {**qrels, "corpus-id": [99] * len(qrels["corpus-id"])})
    assert run(root) == 4
    result = the_result(root)[1]
    assert [scores.subset for scores in result.scores] == ["de"]
    assert (result.status, result.publishable) == ("partial", False)
    before = written(root)
    assert run(root) == 4
    assert written(root) == before


def test_a_mended_expectation_goes_on_from_there(root):
    edit(root, expected={"fr": {"queries": 99}})
    assert run(root) == 4
    before = written(root)
    edit(root, expected={"fr": {"queries": 10}})
    assert run(root) == 0
    assert "de.test.per_query.parquet" not in changed(before, written(root))
    assert the_result(root)[1].status == "complete"
