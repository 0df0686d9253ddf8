"""All data that tasks need from the Hub: what it is, how large, and how it gets into the cache."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from jina_vdr.catalog import Selection
from jina_vdr.data import named, needed_files
from jina_vdr.errors import DataError, OutOfMemory
from jina_vdr.hub import Hub, downloads, free_space, without_bars
from jina_vdr.progress import progress
from jina_vdr.task import Task

UNITS = ("kB", "MB", "GB", "TB")

Place = tuple[str, str]
"""A data set: its path and its revision."""


@dataclass(frozen=True)
class Need:
    """The files that a task needs from the Hub, and those that are missing in the cache: name -> bytes.

    `error` says why they cannot be had. Local data needs none.
    """

    task: Task
    files: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    error: DataError | None = None


@dataclass(frozen=True)
class DataSet:
    """What `tasks` need together of one data set: name -> bytes, and what of it is missing in the cache."""

    tasks: tuple[Task, ...]
    files: dict[str, int]
    missing: dict[str, int]

    @property
    def size(self) -> int:
        """All bytes."""
        return sum(self.files.values())

    @property
    def missing_size(self) -> int:
        """The bytes to fetch."""
        return sum(self.missing.values())


def find_needs(selections: Sequence[Selection], hub: Hub) -> list[Need]:
    """Return what each task needs, in their order; only lists of files and data set cards are fetched."""
    groups: dict[Place, list[Selection]] = {}
    for selection in selections:
        groups.setdefault(_place(selection.task), []).append(selection)

    def find(group: Sequence[Selection]) -> list[Need]:  # one after the other: the first lists for all
        needs = [_need(selection, hub) for selection in group]
        bar.update()
        return needs

    with (
        without_bars(),
        progress(len(groups), "sizes", "data set") as bar,
        downloads() as pool,
    ):
        found = {need.task.name: need for needs in pool.map(find, groups.values()) for need in needs}
    return [found[selection.task.name] for selection in selections]


def data_sets(needs: Sequence[Need]) -> list[DataSet]:
    """Return each data set of the tasks once; tasks that failed are left out."""
    sets: dict[Place, DataSet] = {}
    for need in needs:
        if need.error is None:
            known = sets.get(_place(need.task), DataSet((), {}, {}))
            sets[_place(need.task)] = DataSet(
                (*known.tasks, need.task), known.files | need.files, known.missing | need.missing
            )
    return list(sets.values())


def check_space(sets: Sequence[DataSet]) -> None:
    """Raise OutOfMemory when what is missing does not fit on the disk of the Hub's cache."""
    missing = sum(data.missing_size for data in sets)
    folder, free = free_space()
    if missing > free:
        raise OutOfMemory(
            "JV503",
            f"{human(missing)} are to be fetched, the disk of {folder} has {human(free)} free",
            "make room, or set HF_HOME to a folder on a larger disk",
        )


def fetch_all(needs: Sequence[Need], hub: Hub) -> list[Need]:
    """Fetch what is missing, several files at once.

    A task of which a file does not come has its error; the others go on. Nothing more is asked of a data set
    that did not give a file.
    """
    missing = {
        (_place(need.task), name): size
        for need in needs
        if not need.error
        for name, size in need.missing.items()
    }
    errors: dict[Place, DataError] = {}
    arrived: set[tuple[Place, str]] = set()

    def fetch(file: tuple[Place, str]) -> None:
        place, name = file
        if place not in errors:
            try:
                hub.fetch_file(*place, name)
            except DataError as error:
                errors.setdefault(place, error)
            else:
                arrived.add(file)
                bar.update(missing[file])

    with (
        without_bars(),
        progress(sum(missing.values()), "fetching", "B") as bar,
        downloads() as pool,
    ):
        bar.unit_scale = True
        list(pool.map(fetch, missing))

    def outcome(need: Need) -> Need:
        place = _place(need.task)
        if need.error or arrived.issuperset((place, name) for name in need.missing):
            return need
        return replace(need, error=named(need.task, errors[place]))

    return [outcome(need) for need in needs]


def human(size: int) -> str:
    """Return a number of bytes as a person reads it: `12.3 MB`."""
    if size < 1000:
        return f"{size} bytes"
    power = min((len(str(size)) - 1) // 3, len(UNITS))
    return f"{size / 1000**power:.1f} {UNITS[power - 1]}"


def _place(task: Task) -> Place:
    data = task.dataset
    return (str(task.root / data.path), "") if data.is_local else (data.path, data.revision or "")


def _need(selection: Selection, hub: Hub) -> Need:
    task = selection.task
    if task.dataset.is_local:
        return Need(task)
    try:
        files = needed_files(task, selection.subsets, hub)
    except DataError as error:
        return Need(task, error=error)
    missing = {name: size for name, size in files.items() if not hub.cached(*_place(task), name)}
    return Need(task, files, missing)
