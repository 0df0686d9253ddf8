"""The bundled tasks: how many there are, and that each says what MTEB says of it, but for what we correct."""

import json
from pathlib import Path

import pytest

from jina_vdr.benchmark import all_benchmarks, resolve
from jina_vdr.catalog import all_tasks
from jina_vdr.cli import main
from jina_vdr.languages import find_language

TASKS = {name: task for name, task in all_tasks().items() if not task.dataset.is_local}

CORRECTED = {
    "JinaVDRShiftProjectRetrieval": {"default": ["fra-Latn"]},
    "JinaVDRTabFQuadRetrieval": {"default": ["fra-Latn", "eng-Latn"]},
    "VidoreShiftProjectRetrieval": {"default": ["fra-Latn"]},
    "VidoreTabfquadRetrieval": {"default": ["fra-Latn", "eng-Latn"]},
}
"""Languages that MTEB has wrong."""
PROGRAMMING = "-Code"
"""How MTEB's tags of programming languages end: they are no human languages."""
NO_MTEB_SPLIT = {"STSBenchmarkMultilingualVisualSTS": ["dev"]}
"""Splits of MTEB that its own aggregates leave out."""


def listed(capsys, *arguments):
    assert main(["tasks", "list", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def total(records, what):
    return sum(record["expected"][subset][what] for record in records for subset in record["subsets"])


def test_jinavdr_has_43_tasks_96_subsets_and_20_languages(capsys):
    records = listed(capsys, "--benchmark", "JinaVDR")
    assert (len(records), sum(len(record["subsets"]) for record in records)) == (43, 96)
    assert len({tag for record in records for tag in record["languages"]}) == 20
    assert (total(records, "queries"), total(records, "documents")) == (55_776, 70_615)
    japanese = {subset for r in records for subset in r["subsets"] if r["languages"] != ["jpn-Jpan"]}
    assert "jp" in japanese
    assert "ja" not in japanese


@pytest.mark.parametrize(
    ("benchmark", "tasks", "subsets", "gated"),
    [
        ("ViDoRe(v1)", 10, 10, 0),
        ("ViDoRe(v2)", 4, 13, 0),
        ("ViDoRe(v3)", 10, 60, 2),
        ("ViDoRe(v3.1)", 10, 60, 2),
        ("MIEB(VisualSTS)", 7, 26, 0),
        ("MIEB(DocumentUnderstanding)", 10, 10, 0),
        ("KoViDoRe(v2)", 4, 4, 0),
        ("REAL-MM-RAG", 4, 4, 0),
    ],
)
def test_a_benchmark_has_as_many_tasks_subsets_and_gated_sets(capsys, benchmark, tasks, subsets, gated):
    records = listed(capsys, "--benchmark", benchmark)
    assert (len(records), sum(len(record["subsets"]) for record in records)) == (tasks, subsets)
    assert sum(not record.get("is_public", True) for record in records) == gated


def test_the_six_languages_of_vidore_v3_count_each_page_six_times(capsys):
    records = listed(capsys, "--benchmark", "ViDoRe(v3)")
    assert total(records, "documents") == 160_158


def test_the_page_of_all_tasks_is_what_the_command_writes(capsys):
    assert main(["tasks", "list", "--markdown"]) == 0
    page = Path(__file__).parent.parent / "docs/tasks.md"
    assert capsys.readouterr().out == page.read_text(), "run make docs"


def test_a_selection_may_be_written_as_a_page_too(capsys):
    assert main(["tasks", "list", "--markdown", "--language", "Burmese"]) == 0
    page = capsys.readouterr().out
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == ["demo", "JinaVDR"]
    assert "1 task, 1 subset, 1 language, 60 queries, 73 pages." in page


@pytest.fixture(scope="module")
def registry():
    """Return all tasks of the installed MTEB by name."""
    pytest.importorskip("mteb")
    from mteb.get_tasks import _gather_tasks

    return {task.metadata.name: task for task in _gather_tasks()}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_has_the_data_languages_and_score_that_mteb_says(registry, name):
    task, metadata = TASKS[name], registry[TASKS[name].mteb_name].metadata
    dataset = metadata.dataset
    assert (task.dataset.path, task.dataset.revision) == (dataset["path"], dataset["revision"])
    assert task.is_public == metadata.is_public
    assert (task.main_score, task.category) == (metadata.main_score, metadata.category)
    assert task.eval_splits == [s for s in metadata.eval_splits if s not in NO_MTEB_SPLIT.get(name, [])]
    assert ours(task) == CORRECTED.get(name, theirs(metadata))
    ignored = getattr(registry[name], "ignore_identical_ids", False)
    assert task.protocol.ignore_identical_ids == bool(ignored)
    if task.type in {"VisualDocumentRetrieval", "VisualSTS"}:
        assert task.license == (metadata.license or "not specified")


def ours(task):
    return {subset: list(task.languages(subset)) for subset in task.subsets}


def theirs(metadata):
    languages = metadata.eval_langs
    by_subset = languages if isinstance(languages, dict) else {"default": languages}
    return {
        subset: [find_language(tag).tag for tag in tags if not tag.endswith(PROGRAMMING)]
        for subset, tags in by_subset.items()
    }


@pytest.mark.parametrize("name", TASKS)
def test_a_task_expects_the_counts_that_mteb_has_measured(registry, name):
    task = TASKS[name]
    measured = registry[name].metadata.descriptive_stats
    for split in task.eval_splits:
        by_subset = measured[split].get("hf_subset_descriptive_stats") or {"default": measured[split]}
        for subset in task.subsets:
            expected, stats = task.expected[subset], by_subset[subset]
            if task.dataset.format == "pairs":
                assert expected.pairs == stats["num_samples"]
                continue
            asked = stats["queries_text_statistics"]
            queries = round(asked["total_text_length"] / asked["average_text_length"])
            assert (expected.queries, expected.documents) == (queries, stats["num_samples"] - queries)
            assert expected.qrels in {None, stats["relevant_docs_statistics"]["num_relevant_docs"]}


@pytest.mark.parametrize(
    "name", ["JinaVDR", "ViDoRe(v1)", "ViDoRe(v2)", "ViDoRe(v3)", "ViDoRe(v3.1)", "KoViDoRe(v2)"]
)
def test_a_benchmark_holds_the_tasks_that_mteb_puts_there(name):
    mteb = pytest.importorskip("mteb")
    expected = {task.metadata.name for task in mteb.get_benchmark(name).tasks}
    assert {selection.task.mteb_name for selection in resolve(all_benchmarks()[name])} == expected


def test_what_is_corrected_says_so_in_its_notes(registry):
    for name in CORRECTED:
        assert theirs(registry[name].metadata) != CORRECTED[name]
        assert "eng-Latn" in TASKS[name].notes


def test_one_source_of_jinavdr_has_one_name_in_vidore():
    derived = {task.name: task.adapted_from for task in TASKS.values() if "jinavdr" in task.tags}
    named = [name for names in derived.values() for name in names]
    assert sorted(named) == sorted(s.task.name for s in resolve(all_benchmarks()["ViDoRe(v1)"]))
