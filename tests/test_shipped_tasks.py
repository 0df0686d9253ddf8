"""Every task that comes with us: read and evaluated from a replica of its data set on the Hub."""

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import yaml

from jina_vdr.catalog import bundled_root, task_files
from jina_vdr.pull import human
from jina_vdr.task import Task, load_task
from jina_vdr.vocabulary import PAIR_TYPES
from tests.hub_replicas import Counts, build, on_disk
from tests.hub_server import TOKEN, Hub, Repo, hub_server, run
from tests.replicas import load, task_file
from tests.test_hub import complaints

ON_THE_HUB = {
    path.name: task for path in task_files(bundled_root()) if not (task := load_task(path)).dataset.is_local
}
PROCESSES = 2


@dataclass(frozen=True)
class Catalog:
    """Copies of all task files in a folder; they expect what the replicas hold, which the Hub serves."""

    folder: Path
    counts: Mapping[str, Counts]
    hub: Hub

    def evaluate(self, names, root, **environment):
        tasks = [word for name in names for word in ("--task", self.folder / name)]
        places = ("--results", root / "results", "--cache", root / "cache")
        return run(root / "home", self.hub.url, "eval", "--model", "fake", *tasks, *places, **environment)


def expect(path: Path, counts: Counts) -> None:
    """Make a task file expect `counts`."""
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**said, "expected": counts}, sort_keys=False), encoding="utf-8")


def place(task: Task, root: Path) -> Path:
    return root / "hub" / task.dataset.path


def serve(hub: Hub, task: Task, root: Path, access: str = "open", revision: str = "") -> None:
    commit = revision or task.dataset.revision
    hub.repos[f"datasets/{task.dataset.path}"] = Repo(commit, place(task, root), access)


def results(root):
    said = [json.loads(path.read_text()) for path in root.glob("results/*/*/*.json")]
    return {result["task"]["name"]: result for result in said}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("shipped")


@pytest.fixture(scope="module")
def catalog(root):
    shutil.copytree(bundled_root(), root / "tasks", ignore=shutil.ignore_patterns("demo*"))
    counts = {name: build(task, place(task, root)) for name, task in ON_THE_HUB.items()}
    with hub_server() as hub:
        for name, task in ON_THE_HUB.items():
            expect(root / "tasks" / name, counts[name])
            serve(hub, task, root, "open" if task.is_public else "private")
        yield Catalog(root / "tasks", counts, hub)


@pytest.fixture(scope="module")
def evaluated(catalog, root):
    """Evaluate all of them, as who may read the gated ones; return the results and what was complained of."""
    names = list(ON_THE_HUB)
    shares = [names[i::PROCESSES] for i in range(PROCESSES)]
    with ThreadPoolExecutor(PROCESSES) as pool:
        outcomes = list(pool.map(partial(catalog.evaluate, root=root, HF_TOKEN=TOKEN), shares))
    return results(root), [line for done in outcomes for line in complaints(done)]


@pytest.mark.parametrize("name", ON_THE_HUB)
def test_a_shipped_task_is_evaluated_whole_from_its_replica(evaluated, catalog, name):
    task, (found, complained) = ON_THE_HUB[name], evaluated
    assert not [line for line in complained if task.name in line]
    result = found[task.name]
    assert result["status"] == "complete"
    assert result["task"]["dataset"] == {"path": task.dataset.path, "revision": task.dataset.revision}
    places = [(split, subset) for split in task.eval_splits for subset in task.subsets]
    assert [(scores["split"], scores["subset"]) for scores in result["scores"]] == places
    for scores in result["scores"]:
        counts = catalog.counts[name][scores["subset"]]
        if task.type in PAIR_TYPES:
            assert (scores["n_queries"], scores["dropped"]) == (counts["pairs"], {})
            assert -1 <= scores["main_score"] <= 1
        else:
            assert (scores["n_queries"], scores["n_documents"]) == (counts["queries"], counts["documents"])
            assert scores["dropped"] == {"blank": 0, "no_relevant_page": 1}
            assert 0 <= scores["main_score"] <= 1


def test_the_scores_of_the_shipped_tasks_are_not_all_alike(evaluated):
    found, complained = evaluated
    assert not complained
    scores = [s["main_score"] for result in found.values() for s in result["scores"]]
    assert len(scores) == sum(len(task.subsets) * len(task.eval_splits) for task in ON_THE_HUB.values())
    assert len(set(scores)) > 50
    assert sum(score in {0, 1} for score in scores) < len(scores) / 2


def test_the_list_says_how_large_the_data_of_each_task_is(catalog, root):
    arguments = ("tasks", "list", "--benchmark", "ViDoRe(v3)", "--sizes", "--cache", root / "sizes/cache")
    done = run(root / "sizes", catalog.hub.url, *arguments)
    table = done.stdout.partition("\n\n")[0].splitlines()
    sizes = {row.split()[0]: row.split("  ")[-1].strip() for row in table[2:]}
    gated = {"Vidore3NuclearRetrieval", "Vidore3TelecomRetrieval"}
    assert {name for name, size in sizes.items() if size == "-"} == gated
    assert all(any(name in line for line in complaints(done)) for name in gated)
    data = place(ON_THE_HUB["vidore-v3-hr.yaml"], root)
    read = [path for path in data.rglob("*") if path.is_file() and "dev" not in path.name]
    assert sizes["Vidore3HrRetrieval"] == human(sum(path.stat().st_size for path in read))


BROKEN = {
    "jinavdr-tabfquad.yaml": (
        "error[JV438] JinaVDRTabFQuadRetrieval (default) has ",
        " documents, the task file expects 999; fetch the data again",
    ),
    "kovidore-v2-hr.yaml": (
        "error[JV402] task KoVidore2HrRetrieval: whybe-choi/kovidore-v2-hr-mteb has no revision ",
        "; write the 40-hex commit that its page shows, or let jina-vdr tasks pin do it",
    ),
    "vidore-v3-hr.yaml": (
        "error[JV405] task Vidore3HrRetrieval: vidore/vidore_v3_hr_mteb_format has no config 'german-corpus'",
        "",
    ),
    "vidore-v3-nuclear.yaml": (
        "error[JV403] mteb-private/Vidore3NuclearRetrieval is gated",
        "; accept its terms on its page and set HF_TOKEN to a token of yours",
    ),
    "vidore-v3.1-telecom.yaml": (
        "error[JV402] task Vidore3TelecomRetrieval.v2: there is no data set mteb-private/",
        "set HF_TOKEN if it is private",
    ),
}
"""Task file -> how the line about it begins, and what else it says."""

WHOLE = ["irpapers.yaml", "vidore-v3-energy.yaml", "visual-sts-12.yaml"]


@pytest.fixture(scope="module")
def half_broken(catalog, root):
    """Evaluate what is whole among tasks of which each has another fault, and count the lines about them."""
    names = sorted([*BROKEN, *WHOLE])
    here = root / "broken"
    (here / "tasks").mkdir(parents=True)
    for path in root.glob("tasks/*"):
        shutil.copy(path, here / "tasks")
    for name in names:
        shutil.copytree(place(ON_THE_HUB[name], root), place(ON_THE_HUB[name], here))
    counts = catalog.counts["jinavdr-tabfquad.yaml"]["default"]
    expect(here / "tasks/jinavdr-tabfquad.yaml", {"default": {**counts, "documents": 999}})
    card = place(ON_THE_HUB["vidore-v3-hr.yaml"], here) / "README.md"
    card.write_text(card.read_text().replace("german-corpus", "deutsch-corpus"))
    with hub_server() as hub:
        for name in names:
            access = {"vidore-v3-nuclear.yaml": "gated", "vidore-v3.1-telecom.yaml": "private"}
            moved = "f" * 40 if name == "kovidore-v2-hr.yaml" else ""
            serve(hub, ON_THE_HUB[name], here, access.get(name, "open"), moved)
        done = Catalog(here / "tasks", catalog.counts, hub).evaluate(names, here)
    return done, results(here)


@pytest.mark.parametrize("name", BROKEN)
def test_a_task_whose_data_is_not_as_said_is_one_line_that_names_it(half_broken, name):
    begins, says = BROKEN[name]
    (line,) = [line for line in complaints(half_broken[0]) if ON_THE_HUB[name].name in line]
    assert line.startswith(begins)
    assert says in line


def test_the_other_tasks_of_the_command_are_done(half_broken):
    done, found = half_broken
    assert done.returncode == 1
    assert len(complaints(done)) == len(BROKEN)
    assert f"{len(WHOLE)} done, {len(BROKEN)} failed" in done.stderr
    whole = [name for name, result in found.items() if result["status"] == "complete"]
    assert sorted(whole) == sorted(ON_THE_HUB[name].name for name in WHOLE)


def test_the_subsets_before_a_vanished_config_are_kept(half_broken):
    result = half_broken[1]["Vidore3HrRetrieval"]
    assert [scores["subset"] for scores in result["scores"]] == ["french", "spanish", "english"]
    assert not result["publishable"]


def test_a_replica_has_the_layout_of_rows_of_a_query_and_a_page_too(tmp_path):
    dataset = {"path": "org/rows", "revision": "0" * 40, "format": "qa"}
    task = load_task(task_file(tmp_path, dataset, eval_langs={"de": ["deu-Latn"], "fr": ["fra-Latn"]}))
    local = on_disk(task, tmp_path)
    for subset, counts in build(task, tmp_path / "again").items():
        data = load(local, subset)
        assert (len(data.queries), len(data.corpus)) == (counts["queries"], counts["documents"])
        assert data.dropped["blank"] == len(data.corpus)
