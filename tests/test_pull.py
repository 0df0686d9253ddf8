"""`jina-vdr data pull` fetches what an evaluation needs, once, no more; then nothing opens a connection."""

import json
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from types import SimpleNamespace

import pytest

from jina_vdr.pull import human
from tests.hub_server import TOKEN, environment, run, run_blocked
from tests.test_hub import LAYOUTS, PARTS, SHARD, complaints, scores, task, write

ITALIAN = ("--language", "it")


def named(paths):
    return [word for path in paths for word in ("--task", path)]


@pytest.fixture(scope="module")
def pulled(tmp_path_factory, hub):
    """Pull the Italian data of every layout, of a second task over one of them, and of a folder here."""
    root = tmp_path_factory.mktemp("pulled")
    paths = []
    for layout in LAYOUTS:
        write(root / layout / "data", layout)
        commit = hub.add(f"datasets/org/{layout}", root / layout / "data")
        paths.append(task(root / layout, f"{layout}-hub", f"org/{layout}", commit, layout))
        if layout == "qa":
            paths.append(task(root / layout, "qa-again", "org/qa", commit, layout))
    paths.append(task(root / "beir", "beir-disk", "./data", None))
    pull = partial(
        run, root / "home", hub.url, "data", "pull", *named(paths), *ITALIAN, "--cache", root / "cache"
    )
    hub.requests.clear()
    planned = pull("--dry-run", "--json")
    cards = hub.fetched
    done = pull()
    assert (planned.returncode, done.returncode) == (0, 0), planned.stderr + done.stderr
    return SimpleNamespace(
        root=root,
        paths=paths,
        pull=pull,
        planned=planned,
        cards=cards,
        done=done,
        requests=list(hub.requests),
    )


def sizes(root, layout):
    return sum((root / layout / "data" / name).stat().st_size for name in LAYOUTS[layout])


def test_the_sizes_come_first_and_are_those_of_the_files_that_are_needed(pulled):
    said = json.loads(pulled.planned.stdout)
    assert said["free_bytes"] > 0
    shown = {data["path"]: (data["files"], data["bytes"], data["tasks"]) for data in said["data_sets"]}
    tasks = {"qa": ["qa-hub", "qa-again"]}
    assert shown == {
        **{
            f"org/{layout}": (len(names), sizes(pulled.root, layout), tasks.get(layout, [f"{layout}-hub"]))
            for layout, names in LAYOUTS.items()
        },
        "./data": (0, 0, ["beir-disk"]),
    }
    assert pulled.cards == ["org/mteb/README.md", "org/pairs/README.md", "org/qa/README.md"]


def test_the_table_names_each_data_set_once_with_its_revision_and_what_is_in_the_cache(pulled, hub):
    table, _, total = pulled.done.stdout.rstrip("\n").rpartition("\n\n")
    header, _, *rows = table.splitlines()
    assert header.split("  ")[0] == "task"
    assert len(rows) == len(LAYOUTS) + 1
    card = (pulled.root / "qa/data/README.md").stat().st_size
    (row,) = (row.split("  ") for row in rows if row.startswith("qa"))
    assert [cell.strip() for cell in filter(None, row)] == [
        "qa-hub, qa-again",
        f"org/qa@{hub.repos['datasets/org/qa'].commit[:7]}",
        "2",
        human(sizes(pulled.root, "qa")),
        human(card),
    ]
    assert any("./data (local: nothing to fetch)" in row for row in rows)
    everything = sum(sizes(pulled.root, layout) for layout in LAYOUTS)
    assert total.startswith(f"5 data sets, {sum(map(len, LAYOUTS.values()))} files, {human(everything)}; ")
    assert f"free in {pulled.root / 'home/hf/hub'}: " in total
    assert pulled.done.stderr == "all data is there: jina-vdr eval works with --offline\n"


def test_only_what_is_needed_is_fetched_and_once_and_a_data_set_is_listed_once(pulled):
    gets = [request for request in pulled.requests if request.startswith("GET ")]
    files = [get.rpartition("/resolve/")[2].partition("/")[2] for get in gets if "/resolve/" in get]
    assert sorted(files) == sorted(name for names in LAYOUTS.values() for name in names)
    walked = [get.split("/")[4] for get in gets if "/tree/" in get]
    pages = {layout: -(-len(list((pulled.root / layout / "data").rglob("*.*"))) // 3) for layout in LAYOUTS}
    assert {layout: walked.count(layout) for layout in LAYOUTS} == pages


@pytest.mark.parametrize("model", ["fake", "bm25"])
def test_afterwards_no_layout_needs_a_connection(pulled, hub, model):
    hub.requests.clear()
    evaluate = partial(
        run_blocked, pulled.root / "home", hub.url, "eval", "--model", model, *named(pulled.paths), *ITALIAN
    )
    for flags in (["--offline"], []):
        results = pulled.root / "-".join(["results", model, *flags])
        done = evaluate("--cache", pulled.root / "cache", "--results", results, *flags)
        assert done.returncode == 0, done.stderr
        assert set(scores(results)) == {*(f"{layout}-hub" for layout in LAYOUTS), "qa-again", "beir-disk"}
    assert hub.requests == []


def test_data_is_validated_and_pulled_again_without_a_connection(pulled, hub):
    hub.requests.clear()
    whole_home, cache = pulled.root / "home", pulled.root / "cache"
    for arguments in (
        ["data", "pull", *named(pulled.paths), *ITALIAN],
        ["data", "pull", *named(pulled.paths), *ITALIAN, "--offline"],
        ["tasks", "validate", "--data", "--offline", pulled.root / "beir/beir-disk.yaml"],
    ):
        done = run_blocked(whole_home, hub.url, *arguments, "--cache", cache)
        assert done.returncode == 0, done.stderr
    assert hub.requests == []


def test_what_is_pulled_whole_is_validated_without_a_connection(tmp_path, pulled, hub):
    paths = [path for path in pulled.paths if path.stem.endswith("-hub")]
    cache = ("--cache", tmp_path / "cache")
    assert run(tmp_path / "home", hub.url, "data", "pull", *named(paths), *cache).returncode == 0
    done = run_blocked(tmp_path / "home", hub.url, "tasks", "validate", "--data", "--offline", *paths, *cache)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(LAYOUTS)


@pytest.mark.parametrize("emptied", ["home/hf", "cache/hub"])
def test_with_the_cache_emptied_each_task_says_so_and_still_opens_no_connection(
    tmp_path, pulled, hub, emptied
):
    shutil.copytree(pulled.root / "home", tmp_path / "home", symlinks=True)
    shutil.copytree(pulled.root / "cache", tmp_path / "cache")
    shutil.rmtree(tmp_path / emptied)
    names = [f"{layout}-hub" for layout in LAYOUTS]
    paths = [path for path in pulled.paths if path.stem in names]
    common = [*named(paths), *ITALIAN, "--cache", tmp_path / "cache", "--offline"]
    for command in (["eval", "--model", "fake", "--results", tmp_path / "results"], ["data", "pull"]):
        done = run_blocked(tmp_path / "home", hub.url, *command, *common)
        assert sorted(line.split(": ")[0] for line in complaints(done)) == sorted(
            f"error[JV401] task {name}" for name in names
        )
        assert done.returncode == 4


def test_the_blocked_process_would_notice_a_connection(tmp_path, pulled, hub):
    done = run_blocked(tmp_path / "home", hub.url, "data", "pull", *named(pulled.paths), "--cache", tmp_path)
    assert done.returncode == 99
    assert "network: socket." in done.stderr


@pytest.fixture(scope="module")
def troubled(tmp_path_factory, hub):
    """Pull one data set that is there among several that are not."""
    root = tmp_path_factory.mktemp("troubled")
    for name in ("good", "gated", "private", "cut"):
        write(root / name, "beir")
        hub.add(f"datasets/org/{name}", root / name, name if name in {"gated", "private"} else "open")
    write(root / "cards", "mteb")
    hub.add("datasets/org/cards", root / "cards")
    commits = {
        name: hub.repos[f"datasets/org/{name}"].commit
        for name in ("good", "gated", "private", "cards", "cut")
    }
    paths = [
        task(root / "tasks", f"{name}-task", f"org/{name}", commit)
        for name, commit in commits.items()
        if name != "cards"
    ]
    paths.append(task(root / "tasks", "vanished-task", "org/vanished", "0" * 40))
    config = task(root / "tasks", "config-task", "org/cards", commits["cards"], "mteb")
    config.write_text(
        config.read_text().replace("eval_langs:\n  de:", "eval_langs:\n  nl:").replace("  it:", "  itt:")
    )
    pull = partial(run, root / "home", hub.url, "data", "pull", *ITALIAN, "--cache", root / "cache")
    hub.faults["org/cut"] = "cut"
    done = pull(*named([*paths, config]))
    hub.faults.clear()
    return root, paths, pull, done


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("gated", "JV403", "org/gated is gated; accept its terms"),
        ("private", "JV402", "set HF_TOKEN if it is private"),
        ("vanished", "JV402", "there is no data set org/vanished on the Hub"),
        ("config", "JV405", "org/cards has no config 'itt-corpus'; did you mean 'it-corpus'?"),
        ("cut", "JV401", "a file did not arrive"),
    ],
)
def test_what_cannot_be_had_is_one_line_that_names_the_task(troubled, name, code, says):
    (line,) = (line for line in complaints(troubled[3]) if f"task {name}-task: " in line)
    assert line.startswith(f"error[{code}] ")
    assert says in line


def test_the_other_tasks_go_on(troubled, hub):
    _, paths, pull, done = troubled
    assert done.returncode == 1
    assert done.stderr.endswith("1 done, 5 failed\n")
    hub.requests.clear()
    again = pull("--task", paths[0])
    assert (again.returncode, hub.requests) == (0, [])


def test_when_nothing_can_be_had_the_exit_code_is_that_of_the_first_error(troubled):
    _, paths, pull, _ = troubled
    assert pull(*named(paths[1:2]), HF_TOKEN=TOKEN).returncode == 4


def test_data_that_does_not_fit_is_refused_before_anything_is_fetched(troubled, hub):
    root, paths, _, _ = troubled
    hub.requests.clear()
    hub.faults["org/good"] = "huge"
    done = run(root / "other", hub.url, "data", "pull", "--task", paths[0], "--cache", root / "other")
    hub.faults.clear()
    (line,) = complaints(done)
    assert line.startswith("error[JV503] 9000000.0 TB are to be fetched, the disk of ")
    assert " free; make room, or set HF_HOME to a folder on a larger disk" in line
    assert done.returncode == 5
    assert "9000000.0 TB" in done.stdout
    assert hub.fetched == []


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGINT])
def test_a_pull_that_was_killed_goes_on_where_it_was(tmp_path, pulled, hub, with_signal):
    name = f"it/corpus/{SHARD}"
    hub.faults[f"org/beir/{name}"] = "hang"
    hub.go_on.clear()
    hub.requests.clear()
    arguments = ["data", "pull", "--task", pulled.paths[0], *ITALIAN, "--cache", tmp_path / "cache"]
    (tmp_path / "home").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "jina_vdr", *map(str, arguments)],
        env=environment(tmp_path / "home", hub.url),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(list(tmp_path.glob("home/hf/hub/*/snapshots/*/it/*/*"))) < len(PARTS) - 1:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(with_signal)
    _, said = process.communicate(timeout=20)  # the file that hangs is not waited for
    if with_signal == signal.SIGINT:
        assert process.returncode == 130
        assert said.splitlines()[-1].startswith("interrupted; what was finished is kept")
        assert "Traceback" not in said
    hub.go_on.set()
    hub.faults.clear()
    hub.requests.clear()
    done = run(tmp_path / "home", hub.url, *arguments)
    assert done.returncode == 0, done.stderr
    assert hub.fetched == [f"org/beir/{name}"]


def test_without_a_name_the_data_of_jinavdr_is_meant(tmp_path, hub):
    done = run_blocked(tmp_path, hub.url, "data", "pull", "--offline", "--cache", tmp_path / "cache")
    tasks = {line.split(": ")[0].removeprefix("error[JV401] task ") for line in complaints(done)}
    assert len(tasks) == 43
    assert all(name.startswith("JinaVDR") for name in tasks)
    assert done.returncode == 4


def test_a_size_is_told_as_a_person_reads_it():
    assert [human(size) for size in (0, 999, 1000, 12_345_678, 10**9, 10**13)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "12.3 MB",
        "1.0 GB",
        "10.0 TB",
    ]
