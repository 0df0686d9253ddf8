"""A benchmark: a named set of tasks, and the means that are reported over it. `x.benchmark.yaml` each."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, model_validator

from jina_vdr.catalog import (
    BENCHMARKS,
    YAML,
    Filters,
    Selection,
    all_tasks,
    benchmark_files,
    bundled_root,
    find_task,
    is_path,
    merged,
    select,
    whole,
)
from jina_vdr.errors import InvalidFile, UsageError, near
from jina_vdr.schema import MAPPING, MAPPING_OR_OTHER, OTHER, SpecRecord, Text, WrongPart, validated
from jina_vdr.specfile import is_file, leads_out, load
from jina_vdr.task import Task, load_task

DEFAULT = "JinaVDR"
"""What is evaluated where a user names neither a benchmark nor a task."""


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


MemberOrName = Annotated[Annotated[Text, OTHER] | Annotated[Member, MAPPING], MAPPING_OR_OTHER]


class Aggregate(SpecRecord):
    """A mean over the tasks, subsets or languages of a benchmark; there is none while one is missing.

    `of` names the members that it is over where they are not all; each counts as one task, with the mean of
    its subsets.
    """

    name: Text
    over: Literal["task", "subset", "language"]
    of: list[MemberOrName] = []


class Benchmark(SpecRecord):
    """What a benchmark file says. `primary` is the mean that models are ordered by, the first by default."""

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

    def is_primary(self, aggregate: Aggregate) -> bool:
        """Say whether models are ordered by this mean."""
        return aggregate.name == (self.primary or self.aggregates[0].name)


def load_benchmark(path: Path) -> Benchmark:
    """Read a benchmark file; raise InvalidFile with every problem it has."""
    benchmark = validated(Benchmark, load(path))
    benchmark._path = path
    return benchmark


def all_benchmarks() -> dict[str, Benchmark]:
    """Return all bundled benchmarks by name. Raises InvalidFile when two files define one."""
    known: dict[str, Benchmark] = {}
    for path in benchmark_files(bundled_root()):
        benchmark = load_benchmark(path)
        first = known.setdefault(benchmark.benchmark.casefold(), benchmark)
        if first is not benchmark:
            message = f"{first.path} and {path} both define benchmark '{benchmark.benchmark}'"
            raise InvalidFile("JV314", message, "rename one of them")
    return {benchmark.benchmark: benchmark for _, benchmark in sorted(known.items())}


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
        tasks = [f"it is a task: --task {task}" for task in all_tasks() if task.casefold() == name.casefold()]
        hint = "".join(tasks) or near(name, known) or f"known: {', '.join(known)}"
        raise UsageError("JV101", f"there is no benchmark '{name}'", hint)
    return found


def asked_for(
    benchmark: str | None, tasks: Sequence[str], wanted: Filters
) -> tuple[Benchmark | None, list[Selection]]:
    """Return the benchmark and tasks that a user names, JinaVDR by default, as far as they pass the filters.

    Raises UsageError for a name that is not there, or when nothing is left.
    """
    name = benchmark or ("" if tasks else DEFAULT)
    found = find_benchmark(name) if name else None
    selections = [*(resolve(found) if found else ()), *(whole(find_task(task)) for task in tasks)]
    return found, select(selections, wanted)


def resolve(benchmark: Benchmark) -> list[Selection]:
    """Return the tasks of a benchmark with their subsets: a set, in the order of the file."""
    return merged([selection for member in benchmark.tasks for selection in _selections(benchmark, member)])


def aggregated(benchmark: Benchmark, aggregate: Aggregate) -> list[Selection]:
    """Return what a mean is over, as the file has it.

    Raises InvalidFile for a task or subset that is not in the benchmark.
    """
    selections = resolve(benchmark)
    if not aggregate.of:
        return selections
    held = {selection.task.name: set(selection.subsets) for selection in selections}
    parts = [selection for member in aggregate.of for selection in _selections(benchmark, member)]
    for part in parts:
        if not set(part.subsets) <= held.get(part.task.name, set()):
            reason = (
                f"'{aggregate.name}' is over {part.task.name}, which is not in the benchmark, or not whole"
            )
            raise _wrong(benchmark, reason, "add it to tasks:, or take it out of the mean")
    return parts


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
