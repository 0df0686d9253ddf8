"""MTEB's own files come in and go out again as they were; mteb reads what we write."""

import csv
import gzip
import hashlib
import io
import json
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_vdr.cli import main
from jina_vdr.comparison import compare
from jina_vdr.errors import UsageError
from jina_vdr.mteb.exports import export_results
from jina_vdr.mteb.imports import import_results
from jina_vdr.result import read_result, read_results, write_result
from jina_vdr.task import load_task
from tests.replicas import evaluated, task_file, text_task
from tests.test_mteb_parity import LANGUAGES, N_PAGES, mteb_task, random_subset, write

REVISION = "0123456789abcdef0123456789abcdef01234567"
PLACE = f"acme__model/{REVISION}"


@pytest.fixture(scope="module")
def measured(mteb, tmp_path_factory):
    """Have MTEB itself evaluate a model and a variant of it; return its cache and the task file."""
    from mteb.models.abs_encoder import AbsEncoder
    from mteb.models.model_meta import ModelMeta

    class Hashed(AbsEncoder):
        def __init__(self, **said):
            about = {"name": "acme/model", "revision": REVISION, "modalities": ["text", "image"]}
            self.mteb_model_meta = ModelMeta.create_empty(about | said)

        def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **kwargs):
            key = "text" if prompt_type == "query" else "id"
            seeds = [zlib.crc32(str(item).encode()) for batch in inputs for item in batch[key]]
            return np.stack([np.random.default_rng(seed).normal(size=8) for seed in seeds])

        def similarity(self, first, second):
            return first @ second.T

    root = tmp_path_factory.mktemp("mteb")
    pages = list(range(N_PAGES))
    path = write(root, "beir", {name: random_subset(i, pages, "dot") for i, name in enumerate(LANGUAGES)})
    cache = mteb.ResultCache(root / "cache")
    for said in ({}, {"experiment_kwargs": {"pooling": "mean", "dim": 4}}):
        task = mteb_task(mteb, load_task(path))
        mteb.evaluate(Hashed(**said), task, cache=cache, show_progress_bar=False)
    return cache, path


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def there_and_back(folder, root, *tasks):
    """Import a results folder of MTEB into `root`, and return what is exported from there, by path."""
    done = import_results([folder], root / "results", tasks, force=False)
    assert done.errors == []
    export_results(list(read_results(root / "results")), root / "theirs", tasks, force=False)
    return contents(root / "theirs")


def test_what_mteb_wrote_comes_out_as_it_went_in(measured, tmp_path):
    cache, path = measured
    before = contents(cache.cache_path / "results")
    assert {name.removeprefix(PLACE) for name in before} == {
        f"{folder}/{name}"
        for folder in ("", "/experiments/dim_4__pooling_mean")
        for name in ("Replica.json", "model_meta.json", "run_settings.jsonl")
    }
    assert b"NaN" in before[f"{PLACE}/Replica.json"]
    assert there_and_back(cache.cache_path / "results", tmp_path, load_task(path)) == before


def test_an_imported_result_has_the_scores_of_the_file(measured, tmp_path):
    cache, path = measured
    import_results([cache.cache_path], tmp_path, [load_task(path)], force=False)
    found = {result.model.settings.get("experiment"): (p, result) for p, result in read_results(tmp_path)}
    assert set(found) == {None, "dim_4__pooling_mean"}
    assert len({path.parent for path, _ in found.values()}) == 2
    result = found[None][1]
    assert (result.model.name, result.model.family, result.model.revision) == ("acme/model", "mteb", REVISION)
    assert (result.origin, result.status, result.publishable) == ("mteb", "complete", False)
    theirs = json.loads((cache.cache_path / "results" / PLACE / "Replica.json").read_text())
    assert result.provenance.packages == {"mteb": theirs["mteb_version"]}
    for scores, entry in zip(result.scores, theirs["scores"]["test"], strict=True):
        assert (scores.subset, scores.main_score) == (entry["hf_subset"], entry["main_score"])
        assert len(scores.metrics) == 30
        assert scores.metrics == {name: entry[name] for name in scores.metrics}


def said(**fields):
    """Return a file of MTEB with one subset; `fields` are added or changed."""
    entry = {
        "ndcg_at_5": 0.5,
        "recall_at_5": 0.25,
        "main_score": 0.5,
        "hf_subset": "default",
        "languages": [],
    }
    return {
        "dataset_revision": REVISION,
        "task_name": "TheirName",
        "mteb_version": "1.38.36",
        "scores": {"test": [entry | {"nauc_ndcg_at_5_max": float("nan")}]},
        "evaluation_time": 1.5,
        "kg_co2_emissions": None,
        **fields,
    }


def lay(root, content, name="TheirName", place=PLACE, meta=None):
    """Write a file, or a text, into MTEB's layout."""
    folder = root / "mteb" / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(
        content if isinstance(content, str) else json.dumps(content, indent=2)
    )
    if meta is not None:
        (folder / "model_meta.json").write_text(meta if isinstance(meta, str) else json.dumps(meta))
    return folder / f"{name}.json"


def task(root, **fields):
    about = {"mteb_name": "TheirName", "expected": {"default": {"queries": 7, "documents": 9}}, **fields}
    form = "pairs" if fields.get("type") == "VisualSTS" else "beir"
    dataset = {"path": "acme/pages", "revision": REVISION, "format": form}
    return load_task(task_file(root, dataset, **about))


ODD = {
    "no indent": json.dumps(said()),
    "another order": json.dumps(said(), sort_keys=True, indent=4),
    "a dot and no digit after": json.dumps(said()).replace("0.25", "2.50e-1"),
    "windows": json.dumps(said(), indent=2).replace("\n", "\r\n") + "\r\n",
    "letters": json.dumps(said(notes="é🙂\u2028"), ensure_ascii=False),
    "escapes": json.dumps(said(notes="é🙂\u2028\0")),
    "infinity": json.dumps(said(more=[float("inf"), -float("inf"), None, 10**400, -0.0])),
    "phases": json.dumps(said(evaluation_phases=[{"name": "Scoring", "start": 0.1, "end": 0.2}], date=1.7e9)),
    "a date in words": json.dumps(said(date="2025-06-24T10:00:00Z")),
    "a range of versions": json.dumps(said(mteb_version="2.12.16-2.15.4")),
    "no version": json.dumps(said(mteb_version=None)),
    "a branch": json.dumps(said(dataset_revision="main")),
    "a key twice": json.dumps(said()).replace('"evaluation_time"', '"evaluation_time": 3, "evaluation_time"'),
    "more splits and subsets": json.dumps(
        said(
            scores={
                "dev": [{"main_score": 0.1, "hf_subset": "default", "languages": ["eng-Latn"]}],
                "test": [
                    {"main_score": float("nan"), "hf_subset": "xx", "languages": []},
                    *said()["scores"]["test"],
                ],
            }
        )
    ),
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_any_file_of_mteb_comes_out_as_it_went_in(tmp_path, text):
    lay(tmp_path, "", meta='{"name":  "acme/model", "loader": "é"}')
    (tmp_path / "mteb" / PLACE / "TheirName.json").write_bytes(text.encode())
    assert there_and_back(tmp_path / "mteb", tmp_path, task(tmp_path)) == contents(tmp_path / "mteb")
    (_, result), *more = read_results(tmp_path / "results")
    assert (more, result.main_score, result.scores[0].metrics["recall_at_5"]) == ([], 0.5, 0.25)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abé", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None)
@given(
    entry=st.dictionaries(st.text("abé", max_size=3), values, max_size=5),
    more=values,
    indent=st.integers(0, 4),
)
def test_whatever_else_a_file_says_comes_out_as_it_went_in(entry, more, indent):
    with TemporaryDirectory() as folder:
        root = Path(folder)
        scores = {"test": [entry | said()["scores"]["test"][0]], "other": [entry]}
        lay(root, json.dumps(said(scores=scores, more=more), indent=indent, allow_nan=True))
        assert there_and_back(root / "mteb", root, task(root)) == contents(root / "mteb")


def imported(root, content, **fields):
    """Import one file, and return the result."""
    import_results([lay(root, content)], root / "results", [task(root, **fields)], force=False)
    ((_, result),) = read_results(root / "results")
    return result


def test_counts_are_those_of_the_task_where_the_data_is_the_same(tmp_path):
    result = imported(tmp_path, said())
    counts = [(s.n_queries, s.n_documents) for s in result.scores]
    assert counts == [(7, 9)]
    assert result.task.dataset.path == "acme/pages"


def test_there_are_no_counts_for_a_branch_and_it_cannot_be_published(tmp_path):
    result = imported(tmp_path, said(dataset_revision="main"))
    assert [(s.n_queries, s.n_documents) for s in result.scores] == [(None, None)]
    assert result.task.dataset.path == ""
    assert (result.status, result.publishable) == ("complete", False)


def test_what_is_pinned_and_complete_can_be_published(tmp_path):
    assert imported(tmp_path, said()).publishable


def test_pairs_are_counted_as_pairs(tmp_path):
    entry = {
        "cosine_spearman": 0.7,
        "pearson": 0.6,
        "main_score": 0.7,
        "hf_subset": "default",
        "languages": [],
    }
    result = imported(
        tmp_path,
        said(scores={"dev": [entry], "test": [entry | {"cosine_spearman": 0.8}]}),
        type="VisualSTS",
        expected={"default": {"pairs": 11}},
    )
    ((split, n_queries, metrics),) = [(s.split, s.n_queries, s.metrics) for s in result.scores]
    assert (split, n_queries, metrics) == ("test", 11, {"cosine_spearman": 0.8})


def test_a_subset_that_was_not_measured_leaves_the_result_partial(tmp_path):
    entries = [*said()["scores"]["test"], {"main_score": float("nan"), "hf_subset": "fr", "languages": []}]
    languages = {"default": ["deu-Latn"], "fr": ["fra-Latn"]}
    result = imported(tmp_path, said(scores={"test": entries}), eval_langs=languages)
    assert (result.status, [s.subset for s in result.scores]) == ("partial", ["default"])
    assert result.scores[0].languages == ["deu-Latn"]


@pytest.fixture
def run(tmp_path, capsys):
    """Run `jina-vdr results import` or `export` with the task of `tmp_path`; return exit code and output."""

    def run(command, *arguments):
        way = ["--from", "mteb"] if command == "import" else ["--to", "mteb", "--out", tmp_path / "theirs"]
        common = ["--results", tmp_path / "results", "--task", tmp_path / "replica.yaml"]
        code = main([*map(str, ["results", command, *way, *common, *arguments])])
        return code, *capsys.readouterr()

    return run


NO_RESULTS = {
    "not JSON": "{",
    "a list": "[]",
    "no scores": {"task_name": "TheirName"},
    "a time before mteb 1.11": {"mteb_dataset_name": "TheirName", "test": {"cos_sim": {"spearman": 0.5}}},
    "scores of another kind": said(scores={"test": {"default": 0.5}}),
    "other subsets": said(scores={"test": [{"ndcg_at_5": 0.5, "hf_subset": "xx"}]}),
    "percent": said(scores={"test": [{"ndcg_at_5": 50.0, "hf_subset": "default"}]}),
    "a subset twice": said(scores={"test": said()["scores"]["test"] * 2}),
    "not UTF-8": "\udcff",
}


@pytest.mark.parametrize("content", NO_RESULTS.values(), ids=NO_RESULTS)
def test_a_damaged_file_is_named_and_the_others_are_imported(tmp_path, run, content):
    task(tmp_path)
    path = lay(tmp_path, "")
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(text.encode(errors="surrogateescape"))
    code, out, err = run("import", tmp_path / "mteb")
    assert (code, out, len(err.splitlines())) == (3, "", 1)
    assert f"error[JV354] {path}" in err
    lay(tmp_path, said(), place=f"acme__other/{REVISION}")
    code, out, err = run("import", tmp_path / "mteb")
    assert (code, len(out.splitlines()), len(err.splitlines())) == (1, 1, 1)


def test_files_of_other_tasks_are_left_out_and_counted(tmp_path, run):
    task(tmp_path)
    for name in ("A", "B", "C", "D"):
        lay(tmp_path, said(task_name=name), name)
    code, out, err = run("import", tmp_path / "mteb")
    assert (code, out) == (2, "")
    assert "error[JV119]" in err
    assert "tasks import-mteb" in err
    lay(tmp_path, said())
    code, out, err = run("import", tmp_path / "mteb")
    assert (code, len(out.splitlines())) == (0, 1)
    assert err.startswith("left out 4 (A, B, C, ...): ")
    assert run("import", tmp_path / "mteb" / PLACE / "A.json")[0] == 2


def test_a_folder_without_results_is_an_error(tmp_path, run):
    task(tmp_path)
    (tmp_path / "mteb").mkdir()
    code, out, err = run("import", tmp_path / "mteb")
    assert (code, out) == (2, "")
    assert "error[JV119]" in err


@pytest.mark.parametrize("part", ["", "acme__model", PLACE, f"{PLACE}/TheirName.json"])
def test_any_part_of_a_results_folder_is_taken(tmp_path, run, part):
    task(tmp_path)
    lay(tmp_path, said(), meta={"name": "acme/model"})
    assert run("import", tmp_path / "mteb" / part)[0] == 0
    assert run("export")[0] == 0
    assert contents(tmp_path / "theirs") == contents(tmp_path / "mteb")


def test_a_loose_file_needs_model_meta_beside_it(tmp_path, run):
    task(tmp_path)
    path = lay(tmp_path, said(), name="download (1)", place="loose")
    code, _, err = run("import", path)
    assert (code, "error[JV354]" in err, "model_meta.json" in err) == (3, True, True)
    about = {"name": "acme/a model", "revision": "../x"}
    lay(tmp_path, said(), "download (1)", "loose", about | {"experiment_kwargs": {"dim": 4}})
    assert run("import", path)[0] == 3
    lay(tmp_path, said(), "download (1)", "loose", about)
    assert run("import", path)[0] == 0
    assert run("export")[0] == 0
    names = {f"acme__a_model/__x/{name}.json" for name in ("TheirName", "model_meta")}
    assert set(contents(tmp_path / "theirs")) == names


def test_a_second_import_changes_nothing_and_another_file_needs_force(tmp_path, run):
    task(tmp_path)
    path = lay(tmp_path, said())
    assert run("import", path)[:2] != run("import", path)[:2] == (0, "")
    before = contents(tmp_path / "results")
    (copy,) = (tmp_path / "results").rglob("mteb.json.gz")
    assert copy.read_bytes()[4:8] == bytes(4)  # no time in it: the same import is the same file in git
    path.write_text(json.dumps(said(evaluation_time=9)))
    code, out, err = run("import", path)
    assert (code, out) == (3, "")
    assert "error[JV356]" in err
    assert contents(tmp_path / "results") == before
    assert run("import", path, "--force")[0] == 0
    assert contents(tmp_path / "results") != before


def test_a_damaged_copy_is_an_error_until_it_is_imported_again(tmp_path, run):
    task(tmp_path)
    path = lay(tmp_path, said())
    run("import", path)
    (copy,) = (tmp_path / "results").rglob("mteb.json.gz")
    whole = copy.read_bytes()
    for damaged in (b"", whole[:-9], gzip.compress(b"{}"), None):
        copy.unlink() if damaged is None else copy.write_bytes(damaged)
        code, out, err = run("export")
        assert (code, out) == (3, "")
        assert f"error[JV355] {copy}" in err
        assert run("import", path)[0] == 0
        assert copy.read_bytes() == whole


def test_a_copy_that_names_a_place_elsewhere_is_refused(tmp_path, run):
    task(tmp_path)
    run("import", lay(tmp_path, said()))
    (copy,) = (tmp_path / "results").rglob("mteb.json.gz")
    ((path, result),) = read_results(tmp_path / "results")
    for place in (["..", "x.json"], ["/etc/x.json"], ["", "x"]):
        content = json.dumps(json.loads(gzip.decompress(copy.read_bytes())) | {"place": place}).encode()
        copy.write_bytes(gzip.compress(content))
        source = result.source.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
        write_result(path, result.model_copy(update={"source": source}))
        code, out, err = run("export")
        assert (code, out, "error[JV355]" in err) == (3, "", True)
    assert not (tmp_path / "theirs").exists()


def test_run_settings_of_a_folder_grow(tmp_path, run):
    lines = [json.dumps({"task": name, "splits": ["test"]}) for name in ("TheirName", "Other")]
    task(tmp_path)
    lay(tmp_path, said())
    (tmp_path / "mteb" / PLACE / "run_settings.jsonl").write_text("\n".join([*lines, "no JSON", ""]))
    run("import", tmp_path / "mteb")
    target = tmp_path / "theirs" / PLACE / "run_settings.jsonl"
    target.parent.mkdir(parents=True)
    target.write_text(lines[1] + "\n")
    assert run("export")[0] == run("export")[0] == 0
    assert target.read_text().splitlines() == lines[::-1]


@pytest.fixture
def both(tmp_path, run):
    """Results of one model on one task: our run, and the import of a file that measured a branch."""
    text_task(tmp_path, mteb_name="TheirName")
    path = evaluated(tmp_path).path
    entries = [
        {"ndcg_at_5": value, "main_score": value, "hf_subset": subset, "languages": []}
        for subset, value in (("de", 0.5), ("fr", 0.25))
    ]
    run("import", lay(tmp_path, said(dataset_revision="main", scores={"test": entries}, date=1.7e9)))
    ((theirs, _),) = read_results(tmp_path / "results/acme__model")
    return path, theirs


def test_an_import_is_shown_with_what_is_known_of_it(both, capsys):
    assert main(["results", "show", str(both[1])]) == 0
    out = capsys.readouterr().out
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert lines["de"] == ["de", "deu-Latn", "-", "-", "50.00", "-", "-"]
    assert lines["mean"] == ["mean", "-", "-", "37.50"]
    assert "2023-11-14T22:13:20+00:00 with mteb 1.38.36" in out
    assert "None" not in out
    assert main(["results", "list", "--results", str(both[1].parents[2])]) == 0
    assert "acme/model" in capsys.readouterr().out


def test_a_run_is_compared_with_an_import(both, capsys):
    assert main(["results", "compare", *map(str, both), "--json"]) == 0
    out, err = capsys.readouterr()
    run = read_result(both[0])
    for record, scores, value in zip(json.loads(out), run.scores, (0.5, 0.25), strict=True):
        assert (record["subset"], record["second"], record["interval"]) == (scores.subset, value, None)
        assert (record["n_queries"], record["difference"]) == (10, value - scores.main_score)
    assert err == "of 1 (Replica): one of the two does not say which revision it measured\n"
    assert main(["results", "compare", str(both[1]), str(both[0])]) == 0
    assert "None" not in capsys.readouterr().out


def test_results_at_two_known_revisions_are_not_compared(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = [(tmp_path, imported(tmp_path / "a", said()))]
    second = [(tmp_path, imported(tmp_path / "b", said(dataset_revision="f" * 40)))]
    assert compare(first, first)
    with pytest.raises(UsageError, match="in common"):
        compare(first, second)


def test_imports_stand_in_tables_and_have_no_run(both, tmp_path, capsys):
    root = str(both[1].parents[2])
    assert main(["results", "export", "--to", "csv", "--results", root]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["origin"], row["n_queries"]) for row in rows] == [("mteb", ""), ("mteb", "")] + [
        ("run", "10")
    ] * 2
    for form in ("parquet", "trec"):
        assert (
            main(["results", "export", "--to", form, "--out", str(tmp_path / form), "--results", root]) == 0
        )
    err = capsys.readouterr().err
    assert len(list((tmp_path / "trec").rglob("*.run"))) == 2
    assert err.startswith("left out 1 (")
