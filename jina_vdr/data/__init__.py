"""From a task to its data: a checked collection or checked pairs, from the Hub or from disk."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from jina_vdr.data.beir import load_tables
from jina_vdr.data.checks import Parts, checked, checked_pairs
from jina_vdr.data.folder import document_names, load_folder
from jina_vdr.data.pairs import load_pairs
from jina_vdr.data.qa import load_qa
from jina_vdr.data.source import Source, fingerprint, open_source
from jina_vdr.errors import DataError
from jina_vdr.hub import Hub
from jina_vdr.records import Collection, Pairs
from jina_vdr.task import Task

LAYOUTS: dict[str, Callable[[Task, Source, str, str], Parts]] = {
    "beir": load_tables,
    "mteb": load_tables,
    "qa": load_qa,
    "folder": load_folder,
}


def load_data(task: Task, subset: str, split: str, hub: Hub) -> Collection | Pairs:
    """Return the data of one subset, checked against what the task file expects.

    Raises DataError, naming the task and what is wrong: nothing is ever skipped.
    """
    with names_task(task):
        source = open_source(task, hub)
        if task.dataset.format == "pairs":
            return checked_pairs(task, subset, load_pairs(task, source, subset, split))
        return checked(task, subset, LAYOUTS[task.dataset.format](task, source, subset, split))


@contextmanager
def names_task(task: Task) -> Iterator[None]:
    """Put the name of the task before an error that does not hold it: the Hub knows data sets alone."""
    try:
        yield
    except DataError as error:
        raise named(task, error) from error.__cause__


def named(task: Task, error: DataError) -> DataError:
    """Return the error with the name of the task in it."""
    if task.name in error.message:
        return error
    return DataError(error.code, f"task {task.name}: {error.message}", error.hint)


def data_revision(task: Task, hub: Hub) -> str:
    """Return what pins the data: its commit on the Hub, or a sha256 over local files and what reads them."""
    if not task.dataset.is_local:
        return task.dataset.revision or ""
    source = open_source(task, hub)
    names = _names(task, source, task.subsets)
    return "sha256:" + fingerprint(source, sorted(names), _reader(names))


def needed_files(task: Task, subsets: Sequence[str], hub: Hub) -> dict[str, int]:
    """Return the files on the Hub that an evaluation of these subsets reads: name -> bytes.

    Raises DataError, naming the task, where a config, folder or split is not there. A data set's card is
    fetched where it says which files are whose.
    """
    with names_task(task):
        source = open_source(task, hub)
        names = _names(task, source, subsets)
        if any(not (part.file or part.data_dir) for part in task.dataset.parts):
            names |= {"README.md"} & set(source.names)
        sizes = hub.files(task.dataset.path, task.dataset.revision or "")
    return {name: sizes[name] for name in sorted(names)}


def _reader(names: set[str]) -> str:
    """Name the version of what renders PDFs, where there are any: pages come out differently from another."""
    if not any(name.lower().endswith(".pdf") for name in names):
        return ""
    from jina_vdr.data.pdf import VERSION

    return VERSION


def _names(task: Task, source: Source, subsets: Sequence[str]) -> set[str]:
    names = {
        name
        for split in task.eval_splits
        for subset in subsets
        for part in task.dataset.parts
        for name in source.table_names(part, subset, split)
    }
    if task.dataset.format == "folder":
        names.update(name for subset in subsets for name in document_names(task, source, subset))
    return names
