"""Opening everything a task file points at, down to the last image."""

from collections.abc import Sequence

from jina_vdr.data import load_data
from jina_vdr.hub import Hub
from jina_vdr.progress import progress
from jina_vdr.records import Page, Pairs
from jina_vdr.task import Task


def inspect(task: Task, hub: Hub) -> str:
    """Load every subset and decode every page; return the counts. Raises DataError at the first fault."""
    queries = pages = pairs = 0
    for split in task.eval_splits:
        for subset in task.subsets:
            data = load_data(task, subset, split, hub)
            if isinstance(data, Pairs):
                pairs += len(data.scores)
                _decode([*data.first, *data.second], subset)
            else:
                queries, pages = queries + len(data.queries), pages + len(data.corpus)
                _decode(data.corpus, subset)
    return f"{pairs:,} pairs" if pairs else f"{queries:,} queries, {pages:,} pages"


def _decode(pages: Sequence[Page], subset: str) -> None:
    with progress(len(pages), subset, "page") as bar:
        for page in pages:
            if page.open_image is not None:
                page.open_image()
            page.read_text()
            bar.update()
