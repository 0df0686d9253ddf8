"""The tasks that come with us, found by name, and the selection that an evaluation runs over."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jina_vdr.errors import InvalidFile, UsageError, near
from jina_vdr.languages import find_language, matches
from jina_vdr.specfile import is_file
from jina_vdr.task import Task, load_task
from jina_vdr.vocabulary import DOCUMENT_FORMATS, DOMAINS, QUERY_FORMATS, TYPES

YAML = {".yaml", ".yml"}
BENCHMARKS = (".benchmark.yaml", ".benchmark.yml")
"""How the names of benchmark files end."""


@dataclass(frozen=True)
class Selection:
    """One task and the subsets of it that are wanted, in the order of the task file."""

    task: Task
    subsets: tuple[str, ...]

    @property
    def some(self) -> tuple[str, ...]:
        """The wanted subsets where they are not all of the task's, else nothing."""
        return () if self.subsets == self.task.subsets else self.subsets


@dataclass(frozen=True)
class Filters:
    """What is wanted: filters intersect, the values of one filter are alternatives; empty means all."""

    languages: Sequence[str] = ()
    domains: Sequence[str] = ()
    document_formats: Sequence[str] = ()
    query_formats: Sequence[str] = ()
    types: Sequence[str] = ()


def bundled_root() -> Path:
    """Return the folder of the task files: inside the wheel, or beside the package in a checkout."""
    installed = Path(__file__).parent / "_tasks"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "tasks"


def task_files(folder: Path) -> list[Path]:
    """Return the task files in a folder, by name: neither `_base.yaml` nor `x.benchmark.yaml` is one."""
    return [
        path
        for path in sorted(folder.glob("*.y*ml"))
        if path.suffix in YAML and not path.name.startswith(("_", ".")) and not path.name.endswith(BENCHMARKS)
    ]


def benchmark_files(folder: Path) -> list[Path]:
    """Return the benchmark files in a folder, by name."""
    return [path for path in sorted(folder.glob("*.benchmark.y*ml")) if path.name.endswith(BENCHMARKS)]


@cache
def all_tasks() -> dict[str, Task]:
    """Return all bundled tasks by name."""
    tasks = [load_task(path) for path in task_files(bundled_root())]
    refuse_namesakes(tasks)
    return {task.name: task for task in tasks}


def refuse_namesakes(tasks: Iterable[Task]) -> None:
    """Refuse two files that define one task: one would stand for both, and overwrite the other's results."""
    known: dict[str, Task] = {}
    for task in tasks:
        first = known.setdefault(task.name.casefold(), task)
        if first.path.resolve() != task.path.resolve():
            raise InvalidFile(
                "JV314", f"{first.path} and {task.path} both define task '{task.name}'", "rename one of them"
            )


def find_task(name: str) -> Task:
    """Return the bundled task of that name, or the task in the file of that path."""
    if is_path(name):
        path = Path(name)
        if name.endswith(BENCHMARKS):
            raise UsageError("JV101", f"{path} is a benchmark, not a task", f"write --benchmark {path}")
        if not is_file(path):
            raise UsageError("JV101", f"there is no task file {path}", "write the path of a YAML file")
        return load_task(path)
    found = next((task for known, task in all_tasks().items() if known.casefold() == name.casefold()), None)
    if found is None:
        hint = near(name, all_tasks()) or "jina-vdr tasks list shows all; a path ends in .yaml"
        raise UsageError("JV101", f"there is no task '{name}'", hint)
    return found


def is_path(name: str) -> bool:
    """Say whether the user wrote a path and not a name."""
    return Path(name).suffix in YAML


def whole(task: Task) -> Selection:
    """Select all of a task."""
    return Selection(task, task.subsets)


def merged(selections: Sequence[Selection]) -> list[Selection]:
    """Make a set of selections: a task named twice stands once, where it is named first, with all subsets.

    Raises InvalidFile when two files define a task of one name.
    """
    refuse_namesakes(selection.task for selection in selections)
    tasks: dict[str, Task] = {}
    wanted: dict[str, set[str]] = {}
    for selection in selections:
        name = tasks.setdefault(selection.task.name, selection.task).name
        wanted.setdefault(name, set()).update(selection.subsets)
    return [
        Selection(task, tuple(subset for subset in task.subsets if subset in wanted[name]))
        for name, task in tasks.items()
    ]


def select(selections: Sequence[Selection], filters: Filters) -> list[Selection]:
    """Return what passes the filters. Raises UsageError for an unknown value, or when nothing is left."""
    languages = [find_language(language) for language in filters.languages]
    for values, known, what in (
        (filters.domains, DOMAINS, "domain"),
        (filters.document_formats, DOCUMENT_FORMATS, "document format"),
        (filters.query_formats, QUERY_FORMATS, "query kind"),
        (filters.types, TYPES, "type"),
    ):
        _check(values, known, what)
    left = []
    for selection in merged(selections):
        subsets = tuple(
            subset
            for subset in selection.subsets
            if not languages
            or any(
                matches(language, tag) for language in languages for tag in selection.task.languages(subset)
            )
        )
        if subsets and _passes(selection.task, filters):
            left.append(Selection(selection.task, subsets))
    if not left:
        raise UsageError("JV106", "no task passes all filters", "take one away, or see jina-vdr tasks list")
    return left


def _passes(task: Task, filters: Filters) -> bool:
    axes: Iterator[tuple[Sequence[str], Sequence[str]]] = iter(
        (
            (filters.domains, task.domains),
            (filters.document_formats, task.document_formats),
            (filters.query_formats, task.query_formats),
            (filters.types, [task.type]),
        )
    )
    return all(
        not wanted or set(map(str.casefold, wanted)) & set(map(str.casefold, has)) for wanted, has in axes
    )


def _check(values: Sequence[str], known: Sequence[str], what: str) -> None:
    for value in values:
        if value.casefold() not in map(str.casefold, known):
            hint = near(value, known) or f"known: {', '.join(known)}"
            raise UsageError("JV112", f"there is no {what} '{value}'", hint)
