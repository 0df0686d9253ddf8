"""A task file moved to another revision of its data set, with the counts there; every other byte stays."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from jina_vdr.atomic import replacing
from jina_vdr.data import load_data, names_task
from jina_vdr.errors import DataError, InvalidFile, UsageError
from jina_vdr.hub import Hub
from jina_vdr.progress import progress
from jina_vdr.records import Collection, Pairs
from jina_vdr.specfile import load
from jina_vdr.task import Task, load_task

Place = tuple[str, ...]
"""The keys that lead to a value of a task file."""

REVISION = ("dataset", "revision")


@dataclass(frozen=True)
class Count:
    """How much of `what` a subset holds at the new revision, and what the task file declares of it."""

    subset: str
    what: str
    declared: int | None
    new: int

    @property
    def moved(self) -> bool:
        """Whether the task file declares another number."""
        return self.declared is not None and self.declared != self.new


@dataclass(frozen=True)
class Pin:
    """A task, a commit of its data set, and what the data has there."""

    task: Task
    commit: str
    counts: Sequence[Count]

    @property
    def changes(self) -> dict[Place, str | int]:
        """What is to be written: place in the task file -> new value."""
        revision: dict[Place, str | int] = {REVISION: self.commit}
        counts = {("expected", count.subset, count.what): count.new for count in self.counts if count.moved}
        return (revision if self.commit != self.task.dataset.revision else {}) | counts


def find_pin(task: Task, revision: str, hub: Hub) -> Pin:
    """Find the commit that a branch, tag or commit stands for, and count what it holds; nothing is written.

    Raises UsageError for a folder here, or where a file that the task file includes would have to change, and
    DataError where the data breaks another rule than its counts.
    """
    if task.dataset.is_local:
        raise UsageError(
            "JV122",
            f"the data of {task.name} is the folder {task.dataset.path}, which has no revision",
            "only data on the Hub is pinned; a folder's files are hashed at each evaluation",
        )
    with names_task(task):
        commit = hub.commit(task.dataset.path, revision)
    _refuse_included(task, Pin(task, commit, ()).changes)
    dataset = task.dataset.model_copy(update={"revision": commit})
    there = task.model_copy(update={"dataset": dataset, "expected": {}})
    with progress(len(task.subsets), task.name, "subset") as bar:
        counts: list[Count] = []
        for subset in task.subsets:
            counts += _counts(task, there, subset, hub)
            bar.update()
    found = Pin(task, commit, counts)
    _refuse_included(task, found.changes)
    return found


def write_pin(pin: Pin) -> None:
    """Write the changes into the task file, each in the place of the old value.

    Raises UsageError, and leaves the file as it is, when it has changed meanwhile, or would then say anything
    else.
    """
    path = pin.task.path
    if load_task(path) != pin.task:
        raise UsageError("JV124", f"{path} has changed meanwhile", "run the same command again")
    with replacing(path) as temporary:
        temporary.write_bytes(_rewritten(path.read_bytes().decode(), pin).encode())
        shutil.copymode(path, temporary)
        if not _says(temporary, pin):
            places = ", ".join(".".join(place) for place in pin.changes)
            hint = "write the old value as a plain word or number"
            raise UsageError("JV124", f"{path} spells one of these in an unusual way: {places}", hint)


def _says(path: Path, pin: Pin) -> bool:
    """Tell whether the file is the pin's task with the changes and nothing else."""
    wanted = pin.task.model_dump()
    for (*way, last), value in pin.changes.items():
        part = wanted
        for step in way:
            part = part[step]
        part[last] = value
    try:
        return load_task(path).model_dump() == wanted
    except InvalidFile:
        return False


def _counts(task: Task, there: Task, subset: str, hub: Hub) -> Iterator[Count]:
    """Yield the counts of one subset; every split must have what the task file declares."""
    splits = {split: _count(load_data(there, subset, split, hub)) for split in task.eval_splits}
    for what, new in splits[task.eval_splits[0]].items():
        declared = getattr(task.expected.get(subset), what, None)
        numbers = {split: counts[what] for split, counts in splits.items()}
        if declared is not None and len(set(numbers.values())) > 1:
            said = ", ".join(f"{number:,} in {split}" for split, number in numbers.items())
            raise DataError(
                "JV418",
                f"{task.name} ({subset}) has {said}: {what} cannot be one number",
                f"take expected.{subset}.{what} out of the task file",
            )
        yield Count(subset, what, declared, new)


def _count(data: Collection | Pairs) -> dict[str, int]:
    if isinstance(data, Pairs):
        return {"pairs": len(data.first)}
    qrels = sum(map(len, data.qrels.values()))
    return {"queries": len(data.queries), "documents": len(data.corpus), "qrels": qrels}


def _refuse_included(task: Task, changes: Iterable[Place]) -> None:
    """Raise UsageError when a value does not stand in the task file itself: other tasks may share it."""
    spec = load(task.path)
    for place in changes:
        where = spec.where(place)
        if where.file != task.path:
            raise UsageError(
                "JV123",
                f"{'.'.join(place)} of {task.path} stands in {where}, which it includes",
                f"change it there by hand, or write it into {task.path.name}",
            )


def _rewritten(text: str, pin: Pin) -> str:
    """Return the text of the task file with the new values in it."""
    nodes = dict(_scalars(yaml.compose(text, Loader=yaml.SafeLoader), ()))
    for place in sorted(pin.changes, key=lambda place: nodes[place].start_mark.index, reverse=True):
        node = nodes[place]
        start, end = node.start_mark.index, node.end_mark.index
        before, _, after = text[start:end].rpartition(node.value)
        text = text[:start] + before + str(pin.changes[place]) + after + text[end:]
    return text


def _scalars(node: yaml.Node | None, place: Place) -> Iterator[tuple[Place, yaml.ScalarNode]]:
    if isinstance(node, yaml.ScalarNode):
        yield place, node
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, (*place, key.value))
