"""mteb reads what we export: the same scores in its own layout, and nothing that it wrote is lost."""

import json

import pytest

from jina_vdr.cli import main
from jina_vdr.comparison import compare
from jina_vdr.mteb.exports import variant
from jina_vdr.result import read_result, read_results, write_result
from tests.replicas import evaluated, text_task
from tests.test_mteb_results import run, said

__all__ = ["run"]


OPTIONS = [{}, {"vector_type": "multi"}, {"truncate_dim": 2}, {"truncate_dim": 2, "similarity": "dot"}]


def test_mteb_reads_our_runs_with_the_same_scores(mteb, tmp_path, run):
    text_task(tmp_path, mteb_name="JinaVDRArxivQARetrieval")
    ours = {}
    for options in OPTIONS:
        result = evaluated(tmp_path, **options).result
        ours[tuple(variant(result).items())] = result
    code, out, err = run("export")
    assert (code, len(out.splitlines()), err) == (0, 8, "")
    (tmp_path / "mteb").mkdir()
    (tmp_path / "theirs").rename(tmp_path / "mteb/results")
    cache = mteb.ResultCache(tmp_path / "mteb")
    for result in cache.load_results(load_experiments="match_name").model_results:
        about = mteb.models.ModelMeta.model_validate_json_resolved(json.dumps(dict(result.model_meta)))
        (theirs,), here = result.task_results, ours.pop(tuple((about.experiment_kwargs or {}).items()))
        assert (result.model_name, result.model_revision) == ("jina-vdr/fake", "1")
        assert result.experiment_name == about.experiment_name
        assert result.model_meta.loader == "jina-vdr"
        assert cache.load_task_result("JinaVDRArxivQARetrieval", about) == theirs
        assert (theirs.task_name, theirs.mteb_version) == ("JinaVDRArxivQARetrieval", None)
        assert theirs.dataset_revision == here.task.dataset.revision
        assert theirs.date.isoformat() == here.provenance.started
        assert theirs.evaluation_time == pytest.approx(sum(scores.seconds for scores in here.scores))
        assert theirs.get_score() == pytest.approx(here.main_score, abs=1e-6)
        for entry, scores in zip(theirs.scores["test"], here.scores, strict=True):
            assert (entry["hf_subset"], entry["languages"]) == (scores.subset, scores.languages)
            assert entry["main_score"] == round(scores.main_score, 6)
            assert {name: round(value, 6) for name, value in scores.metrics.items()}.items() <= entry.items()
    assert ours == {}
    assert len(cache.load_results().model_results) == 1


@pytest.mark.parametrize(
    ("name", "vector_type", "asked", "found"),
    [
        ("jinaai/jina-embeddings-v4", "single", {"device": "cuda", "batch_size": 4, "dtype": "bfloat16"}, {}),
        ("jinaai/jina-embeddings-v4", "single", {"vector_type": "both"}, {}),
        ("jinaai/jina-embeddings-v4", "multi", {"vector_type": "both"}, {"vector_type": "multi"}),
        ("jinaai/jina-embeddings-v4", "multi", {"vector_type": "multi"}, {"vector_type": "multi"}),
        ("jinaai/jina-embeddings-v4", "single", {"dtype": "float32"}, {"dtype": "float32"}),
        ("jinaai/jina-embeddings-v4", "single", {"max_pixels": 602_112, "query_prompt": "Query: "}, {}),
        ("vidore/colqwen2.5-v0.2", "multi", {"vector_type": "multi", "similarity": "maxsim"}, {}),
        ("org/unknown", "single", {"vector_type": "single", "base_url": "http://localhost"}, {}),
        ("org/unknown", "multi", {"vector_type": "multi"}, {"vector_type": "multi"}),
    ],
)
def test_a_variant_is_what_the_user_set_and_changes_a_number(tmp_path, name, vector_type, asked, found):
    text_task(tmp_path)
    result = evaluated(tmp_path).result
    model = result.model.model_copy(update={"name": name, "vector_type": vector_type})
    about = result.provenance.model_copy(update={"asked": asked})
    assert variant(result.model_copy(update={"model": model, "provenance": about})) == found


def test_mteb_merges_our_run_with_its_own(mteb, tmp_path, run):
    text_task(tmp_path, mteb_name="TheirName")
    evaluated(tmp_path)
    run("export")
    (path,) = (tmp_path / "theirs").rglob("TheirName.json")
    ours = mteb.TaskResult.from_disk(path)
    other = {**said(dataset_revision=ours.dataset_revision), "mteb_version": "2.26.24"}
    merged = ours.merge(mteb.TaskResult.model_validate(other))
    assert merged.mteb_version == "2.26.24"
    assert [entry["hf_subset"] for entry in merged.scores["test"]] == ["de", "fr", "default"]


def test_our_export_is_imported_as_a_result_of_its_own(tmp_path, run):
    text_task(tmp_path, mteb_name="TheirName")
    evaluation = evaluated(tmp_path)
    run("export")
    assert run("import", tmp_path / "theirs")[0] == 0
    results = {result.origin: result for _, result in read_results(tmp_path / "results" / "jina-vdr__fake")}
    assert results["mteb"].main_score == pytest.approx(evaluation.result.main_score, abs=1e-6)
    differences = compare([(evaluation.path, evaluation.result)], [(evaluation.path, results["mteb"])])
    assert [d.value for d in differences] == pytest.approx([0, 0], abs=1e-6)


def test_limited_runs_and_tasks_without_a_counterpart_stay_here(tmp_path, run):
    text_task(tmp_path)
    evaluated(tmp_path)
    code, out, err = run("export")
    assert (code, out, "error[JV120]" in err) == (2, "", True)
    text_task(tmp_path, mteb_name="TheirName")
    evaluated(tmp_path, limit=3)
    code, out, err = run("export")
    assert (code, len(out.splitlines()), err.count("\n")) == (0, 2, 1)
    assert err.startswith("left out 1 (")
    assert "--limit" in err


def test_nothing_is_overwritten_without_force(tmp_path, run):
    text_task(tmp_path, mteb_name="TheirName")
    evaluated(tmp_path)
    assert run("export")[0] == run("export")[0] == 0
    (path,) = (tmp_path / "theirs").rglob("TheirName.json")
    meta = path.with_name("model_meta.json")
    path.write_text("{}")
    code, out, err = run("export")
    assert (code, out, path.read_text()) == (2, "", "{}")
    assert f"error[JV121] {path}" in err
    meta.write_text('{"loader": "theirs"}')
    assert run("export", "--force")[0] == 0
    assert json.loads(path.read_text())["task_name"] == "TheirName"
    assert meta.read_text() == '{"loader": "theirs"}'


def test_two_results_that_want_one_file_are_refused(tmp_path, run):
    text_task(tmp_path, mteb_name="TheirName")
    evaluated(tmp_path)
    (path,) = (tmp_path / "results").rglob("*.json")
    result = read_result(path)
    other = result.model_copy(update={"model": result.model.model_copy(update={"settings": {"prompt": "x"}})})
    write_result(path.parent.with_name("other") / path.name, other)
    code, out, err = run("export")
    assert (code, out, "error[JV121]" in err) == (2, "", True)
    assert not (tmp_path / "theirs").exists()


def test_models_made_of_others_go_to_mteb_under_a_name_and_a_revision_of_their_own(mteb, tmp_path, run):
    task = text_task(tmp_path, mteb_name="JinaVDRArxivQARetrieval")
    folders = [
        "--task",
        str(task),
        "--results",
        str(tmp_path / "results"),
        "--cache",
        str(tmp_path / "cache"),
    ]
    asked = [["rrf:bm25,fake"], ["rrf:bm25,fake", "--truncate-dim", "2"], ["bm25", "--rerank", "fake"]]
    for arguments in asked:
        assert main(["eval", *folders, "--model", *arguments]) == 0
    assert run("export")[0] == 0
    (tmp_path / "mteb").mkdir()
    (tmp_path / "theirs").rename(tmp_path / "mteb/results")
    ours = {result.model.revision: result for _, result in read_results(tmp_path / "results")}
    cache = mteb.ResultCache(tmp_path / "mteb")
    found = cache.load_results(load_experiments="match_name").model_results
    kinds = {"jina-vdr/rrf_bm25_fake": "hybrid", "jina-vdr/bm25_fake": "cross-encoder"}
    assert sorted(result.model_name for result in found) == sorted([*kinds, "jina-vdr/rrf_bm25_fake"])
    for result in found:
        about = mteb.models.ModelMeta.model_validate_json_resolved(json.dumps(dict(result.model_meta)))
        here = ours.pop(about.revision.replace("sha256_", "sha256:"))
        assert about.model_type == [kinds[about.name]]
        assert result.task_results[0].get_score() == pytest.approx(here.main_score, abs=1e-6)
        assert about.loader_kwargs["family"] == here.model.family
    assert ours == {}
