"""From a task to its data: a checked collection or checked pairs, from the Hub or from disk."""

from collections.abc import Callable

from jina_vdr.data.beir import load_tables
from jina_vdr.data.checks import Parts, checked, checked_pairs
from jina_vdr.data.folder import document_names, load_folder
from jina_vdr.data.pairs import load_pairs
from jina_vdr.data.qa import load_qa
from jina_vdr.data.source import Source, fingerprint, open_source
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
    source = open_source(task, hub)
    if task.dataset.format == "pairs":
        return checked_pairs(task, subset, load_pairs(task, source, subset, split))
    return checked(task, subset, LAYOUTS[task.dataset.format](task, source, subset, split))


def data_revision(task: Task, hub: Hub) -> str:
    """Return what pins the data: its commit on the Hub, or a sha256 over local files and what reads them."""
    if not task.dataset.is_local:
        return task.dataset.revision or ""
    source = open_source(task, hub)
    names = {
        name
        for subset in task.subsets
        for split in task.eval_splits
        for name in _names(task, source, subset, split)
    }
    return "sha256:" + fingerprint(source, sorted(names), _reader(names))


def _reader(names: set[str]) -> str:
    """Name the version of what renders PDFs, where there are any: pages come out differently from another."""
    if not any(name.lower().endswith(".pdf") for name in names):
        return ""
    from jina_vdr.data.pdf import VERSION

    return VERSION


def _names(task: Task, source: Source, subset: str, split: str) -> list[str]:
    data = task.dataset
    if data.format in {"pairs", "qa"}:
        return source.table_names(data.pairs, subset, split)
    names = [name for part in (data.queries, data.qrels) for name in source.table_names(part, subset, split)]
    if data.format == "folder":
        return names + document_names(task, source, subset)
    return names + source.table_names(data.corpus, subset, split)
