"""A benchmark: a named set of tasks, and the means that are reported over it. `x.benchmark.yaml` each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, model_validator

from jina_vdr.catalog import (
    BENCHMARKS,
    YAML,
    Selection,
    all_tasks,
    benchmark_files,
    bundled_root,
    find_task,
    is_path,
    merged,
)
from jina_vdr.errors import InvalidFile, UsageError, near
from jina_vdr.schema import MAPPING, MAPPING_OR_OTHER, OTHER, SpecRecord, Text, WrongPart, validated
from jina_vdr.specfile import is_file, leads_out, load
from jina_vdr.task import Task, load_task


class Member(SpecRecord):
    """Tasks of a benchmark: one by name or file, with some of its subsets, or all that carry a tag."""

    task: Text = ""
    subsets: list[Text] = []
    tag: Text = ""

    @model_validator(mode="after")
    def _names_something(self) -> "Member":
        if bool(self.task) == bool(self.tag):
            raise ValueError("name either a task or a tag")
        if self.tag and self.subsets:
            raise WrongPart("subsets belong to one task, not to a tag", "subsets")
        return self


class Aggregate(SpecRecord):
    """A mean over the tasks, subsets or languages of a benchmark; there is none while one is missing."""

    name: Text
    over: Literal["task", "subset", "language"]


MemberOrName = Annotated[Annotated[Text, OTHER] | Annotated[Member, MAPPING], MAPPING_OR_OTHER]


class Benchmark(SpecRecord):
    """What a benchmark file says. `primary` is the aggregate that models are ordered by."""

    schema_: Literal[1] = Field(1, alias="schema", description="version of the file format")
    benchmark: Text
    description: Text = ""
    reference: Text = ""
    tasks: Annotated[list[MemberOrName], Field(min_length=1)]
    aggregates: Annotated[list[Aggregate], Field(min_length=1)] = [
        Aggregate(name="mean over tasks", over="task")
    ]
    primary: Text = ""

    _path: Path = PrivateAttr(default=Path())

    @property
    def path(self) -> Path:
        """The benchmark file."""
        return self._path

    @model_validator(mode="after")
    def _aggregates_have_names(self) -> "Benchmark":
        names = [aggregate.name for aggregate in self.aggregates]
        if len(set(names)) < len(names):
            raise WrongPart("two aggregates have one name", "aggregates")
        if self.primary and self.primary not in names:
            raise WrongPart(f"'{self.primary}' is none of the aggregates: {', '.join(names)}", "primary")
        return self


def load_benchmark(path: Path) -> Benchmark:
    """Read a benchmark file; raise InvalidFile with every problem it has."""
    benchmark = validated(Benchmark, load(path))
    benchmark._path = path
    return benchmark


def all_benchmarks() -> dict[str, Benchmark]:
    """Return all bundled benchmarks by name."""
    loaded = [load_benchmark(path) for path in benchmark_files(bundled_root())]
    return {benchmark.benchmark: benchmark for benchmark in loaded}


def find_benchmark(name: str) -> Benchmark:
    """Return the bundled benchmark of that name, or the one in the file of that path."""
    if name.endswith(BENCHMARKS):
        if not is_file(Path(name)):
            raise UsageError(
                "JV101", f"there is no benchmark file {name}", f"write the path of a {BENCHMARKS[0]} file"
            )
        return load_benchmark(Path(name))
    if is_path(name):
        raise UsageError("JV101", f"{name} is no benchmark file", f"its name must end in {BENCHMARKS[0]}")
    known = all_benchmarks()
    found = next(
        (benchmark for other, benchmark in known.items() if other.casefold() == name.casefold()), None
    )
    if found is None:
        hint = near(name, known) or f"known: {', '.join(known)}"
        raise UsageError("JV101", f"there is no benchmark '{name}'", hint)
    return found


def resolve(benchmark: Benchmark) -> list[Selection]:
    """Return the tasks of a benchmark with their subsets: a set, in the order of the file."""
    return merged([selection for member in benchmark.tasks for selection in _selections(benchmark, member)])


def _selections(benchmark: Benchmark, member: str | Member) -> Iterator[Selection]:
    if isinstance(member, str):
        member = Member(task=member)
    if member.task:
        task = _task(benchmark, member.task)
        for subset in member.subsets:
            if subset not in task.subsets:
                hint = near(subset, task.subsets) or f"known: {', '.join(task.subsets)}"
                raise _wrong(benchmark, f"task {task.name} has no subset '{subset}'", hint)
        yield Selection(task, tuple(member.subsets) or task.subsets)
        return
    tagged = [task for task in all_tasks().values() if member.tag in task.tags]
    if not tagged:
        tags = {tag for task in all_tasks().values() for tag in task.tags}
        hint = near(member.tag, tags) or f"known: {', '.join(sorted(tags)) or 'none'}"
        raise _wrong(benchmark, f"no task carries the tag '{member.tag}'", hint)
    yield from (Selection(task, task.subsets) for task in tagged)


def _task(benchmark: Benchmark, name: str) -> Task:
    """Find a task by name, or by the name of a file beside the benchmark's."""
    if Path(name).suffix not in YAML:
        try:
            return find_task(name)
        except UsageError as error:
            raise _wrong(benchmark, error.message, error.hint) from error
    folder = benchmark.path.parent
    path = folder / name
    if leads_out(path, folder):
        raise _wrong(benchmark, f"task file '{name}' leads out of the folder", "name files beside this one")
    if not is_file(path):
        raise _wrong(benchmark, f"there is no task file '{name}' beside it", "")
    return load_task(path)


def _wrong(benchmark: Benchmark, message: str, hint: str) -> InvalidFile:
    return InvalidFile("JV315", f"{benchmark.path}: {message}", hint)
