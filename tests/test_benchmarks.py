"""A benchmark is a set of tasks, by name, file or tag, with the means that are reported over it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import jina_vdr
from jina_vdr.benchmark import all_benchmarks, find_benchmark, load_benchmark, resolve
from jina_vdr.catalog import Filters, all_tasks, bundled_root, select
from jina_vdr.errors import InvalidFile, UsageError
from jina_vdr.specfile import InvalidSpec
from tests.replicas import marked, task_file

HEAD = "benchmark: Mine\n"


def write(folder, text, name="mine.benchmark.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def members(folder, *tasks):
    """Return the tasks and subsets of a benchmark with these members."""
    path = write(folder, yaml.safe_dump({"benchmark": "Mine", "tasks": list(tasks)}))
    return [(selection.task.name, selection.subsets) for selection in resolve(load_benchmark(path))]


def wrong(folder, *tasks):
    with pytest.raises(InvalidFile) as caught:
        members(folder, *tasks)
    assert (caught.value.code, caught.value.exit_code) == ("JV315", 3)
    assert str(folder / "mine.benchmark.yaml") in str(caught.value)
    return str(caught.value)


def local_task(folder, name="Manuals", **fields):
    (folder / name).mkdir(parents=True, exist_ok=True)
    path = task_file(folder / name, {}, name=name, **fields)
    return path.rename(folder / f"{name.lower()}.yaml")


ALL = all_tasks()["DemoPages"].subsets


def test_the_bundled_demo_holds_both_tasks_in_twenty_languages():
    demo = find_benchmark("Demo")
    assert demo.path == bundled_root() / "demo.benchmark.yaml"
    assert [s.task.name for s in resolve(demo)] == ["DemoPages", "DemoSTS"]
    assert [len(s.subsets) for s in resolve(demo)] == [20, 20]
    assert demo.primary in [aggregate.name for aggregate in demo.aggregates]


def test_every_bundled_benchmark_resolves():
    for name, benchmark in all_benchmarks().items():
        assert resolve(benchmark), name


def test_a_benchmark_is_a_set_in_the_order_of_the_file(tmp_path):
    twice = ["DemoSTS", "demopages", {"task": "DemoPages", "subsets": ["de"]}, "DemoSTS"]
    assert members(tmp_path, *twice) == [("DemoSTS", ALL), ("DemoPages", ALL)]


def test_subsets_of_one_task_add_up_in_the_order_of_its_file(tmp_path):
    some = [{"task": "DemoPages", "subsets": ["zh", "de"]}, {"task": "DemoPages", "subsets": ["en", "de"]}]
    assert members(tmp_path, *some) == [("DemoPages", ("de", "en", "zh"))]


def test_tasks_may_lie_beside_the_benchmark_or_below(tmp_path):
    local_task(tmp_path)
    (tmp_path / "sub").mkdir()
    local_task(tmp_path / "sub", name="Deep")
    named = ["manuals.yaml", "sub/deep.yaml", {"task": "manuals.yaml", "subsets": ["default"]}]
    assert members(tmp_path, *named) == [("Manuals", ("default",)), ("Deep", ("default",))]


def test_two_files_that_define_one_task_are_refused(tmp_path):
    local_task(tmp_path)
    local_task(tmp_path).rename(tmp_path / "again.yaml")
    local_task(tmp_path)
    with pytest.raises(
        InvalidFile, match=r"JV314.*manuals\.yaml and .*again\.yaml both define task 'Manuals'"
    ):
        members(tmp_path, "manuals.yaml", "again.yaml")


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ("DemoPage", "there is no task 'DemoPage'; did you mean 'DemoPages'?"),
        ({"task": "DemoPages", "subsets": ["de", "jpp"]}, "has no subset 'jpp'; did you mean 'jp'?"),
        ({"tag": "nothing-has-it"}, "no task carries the tag 'nothing-has-it'"),
        ("none.yaml", "there is no task file 'none.yaml' beside it"),
        ("folder.yaml", "there is no task file 'folder.yaml' beside it"),
        ("nul\0.yaml", "there is no task file"),
        ("long" * 99 + ".yaml", "there is no task file"),
        ("loop.yaml", "there is no task file 'loop.yaml' beside it"),
        ("../out.yaml", "'../out.yaml' leads out of the folder"),
        ("{out}", "leads out of the folder"),
        ("link.yaml", "'link.yaml' leads out of the folder"),
    ],
)
def test_a_member_that_is_not_there_is_refused_and_the_file_named(tmp_path, member, says):
    out = local_task(tmp_path, name="Out")
    folder = tmp_path / "in"
    (folder / "folder.yaml").mkdir(parents=True)
    (folder / "link.yaml").symlink_to(out)
    (folder / "loop.yaml").symlink_to("loop.yaml")
    assert says in wrong(folder, str(out) if member == "{out}" else member)


def test_a_task_file_with_a_mistake_is_named_itself(tmp_path):
    write(tmp_path, "name: X\n", name="bad.yaml")
    with pytest.raises(InvalidSpec, match=r"bad\.yaml:1:1: error\[JV312\] 'dataset' is missing"):
        members(tmp_path, "bad.yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("‸tasks: []", "must not be empty"),
        ("‸tasks: DemoPages", "'DemoPages' is not a list"),
        ("tasks: [‸5]", "put it in quotes"),
        ("tasks: [‸[DemoPages]]", "is not text"),
        ("tasks: [‸{}]", "name either a task or a tag"),
        ("tasks: [‸{task: DemoPages, tag: x}]", "name either a task or a tag"),
        ("tasks: [{tag: x, ‸subsets: [de]}]", "subsets belong to one task"),
        ("tasks: [{task: DemoPages, ‸subsets: de}]", "'de' is not a list"),
        ("tasks: [{‸tsk: DemoPages}]", "did you mean 'task'?"),
        ("tasks: [DemoPages]\n‸primary: mean", "'mean' is none of the aggregates: mean over tasks"),
        ("tasks: [DemoPages]\naggregates: [{name: a, ‸over: tasks}]", "did you mean 'task'?"),
        ("tasks: [DemoPages]\naggregates: [‸{name: a}]", "'aggregates.0.over' is missing"),
        ("tasks: [DemoPages]\n‸aggregates: []", "must not be empty"),
        (
            "tasks: [DemoPages]\n‸aggregates: [{name: a, over: task}, {name: a, over: subset}]",
            "two aggregates have one name",
        ),
        ("tasks: [DemoPages]\n‸aggregate: []", "did you mean 'aggregates'?"),
        ("‸schema: 2\ntasks: [DemoPages]", "2 is not one of 1"),
    ],
)
def test_a_wrong_value_is_refused_once_and_at_its_place(tmp_path, text, says):
    text, places = marked(HEAD + text)
    with pytest.raises(InvalidSpec) as caught:
        load_benchmark(write(tmp_path, text))
    assert [(p.position.line, p.position.column) for p in caught.value.problems] == places
    assert says in str(caught.value)


def test_a_benchmark_has_a_mean_over_tasks_unless_it_says_otherwise(tmp_path):
    small = load_benchmark(write(tmp_path, HEAD + "tasks: [DemoPages]\n"))
    assert [(a.name, a.over) for a in small.aggregates] == [("mean over tasks", "task")]


@pytest.mark.parametrize("suffix", [".benchmark.yaml", ".benchmark.yml"])
def test_a_benchmark_is_found_by_the_path_of_its_file(tmp_path, suffix):
    path = write(tmp_path, HEAD + "tasks: [DemoPages]\n", name=f"mine{suffix}")
    assert find_benchmark(str(path)).path == path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("demmo", "there is no benchmark 'demmo'; did you mean 'demo'?"),
        ("zzz", "there is no benchmark 'zzz'; known: demo"),
        ("demopages", "there is no benchmark 'demopages'; it is a task: --task DemoPages"),
        ("none.benchmark.yaml", "there is no benchmark file none.benchmark.yaml"),
    ],
)
def test_an_unknown_benchmark_is_refused_with_a_hint(name, says):
    with pytest.raises(UsageError, match="JV101") as caught:
        find_benchmark(name)
    assert says in str(caught.value)


def test_a_benchmark_is_narrowed_by_a_language():
    selections = select(resolve(find_benchmark("demo")), Filters(languages=["German", "hu"]))
    expected = [("DemoPages", ("de", "hu")), ("DemoSTS", ("de", "hu"))]
    assert [(s.task.name, s.subsets) for s in selections] == expected


@pytest.fixture
def library(tmp_path):
    """Return a copy of the library, as a wheel installs it, that brings along tasks of its own."""
    package = tmp_path / "jina_vdr"
    ignored = shutil.ignore_patterns("__pycache__", "_tasks")
    shutil.copytree(Path(jina_vdr.__file__).parent, package, ignore=ignored)
    (package / "_tasks").mkdir()
    local_task(package / "_tasks", name="One", tags=["pdf", "new"])
    local_task(package / "_tasks", name="Two", tags=["new"], eval_langs={"de": ["deu-Latn"]})
    local_task(package / "_tasks", name="Three")
    return tmp_path


def run(library, *arguments):
    command = [sys.executable, "-m", "jina_vdr", *arguments]
    return subprocess.run(command, cwd=library, capture_output=True, text=True, check=False)


def test_a_tag_stands_for_all_bundled_tasks_that_carry_it(library):
    write(library / "jina_vdr" / "_tasks", "benchmark: New\ntasks: [{tag: new}]\n", "new.benchmark.yaml")
    write(library, "benchmark: Wrong\ntasks: [{tag: pfd}]\n", "wrong.benchmark.yaml")
    assert json.loads(run(library, "benchmarks", "list", "--json").stdout)[0]["benchmark"] == "New"
    shown = run(library, "benchmarks", "show", "new").stdout.split("\n")
    assert [line.split()[0] for line in shown[4:6]] == ["One", "Two"]
    assert "2 tasks, 2 subsets, 1 language" in shown
    refused = run(library, "benchmarks", "show", "wrong.benchmark.yaml")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "JV315" in refused.stderr
    assert "no task carries the tag 'pfd'; did you mean 'pdf'?" in refused.stderr


def test_two_bundled_files_that_define_one_task_are_refused(library):
    one = library / "jina_vdr" / "_tasks" / "one.yaml"
    write(one.parent, one.read_text(), name="z.yaml")
    refused = run(library, "tasks", "list")
    assert refused.returncode == 3
    assert "JV314" in refused.stderr
    assert "both define task" in refused.stderr


def test_two_bundled_files_that_define_one_benchmark_are_refused(library):
    for name in ("a", "b"):
        text = f"benchmark: {name.upper() if name == 'a' else 'a'}\ntasks: [One]\n"
        write(library / "jina_vdr" / "_tasks", text, f"{name}.benchmark.yaml")
    refused = run(library, "benchmarks", "list")
    assert refused.returncode == 3
    assert "JV314" in refused.stderr
    assert "a.benchmark.yaml and" in refused.stderr
    assert "b.benchmark.yaml both define benchmark 'a'" in refused.stderr
