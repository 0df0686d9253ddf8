"""Tasks as text for a terminal: a table of many, a card of one."""

import shlex
from collections.abc import Sequence

from jina_vdr.catalog import Selection
from jina_vdr.metrics import display_name
from jina_vdr.report import text_table
from jina_vdr.task import Expected, Task


def task_table(selections: Sequence[Selection]) -> str:
    """Return one row a task, and the sums."""
    rows = [_row(selection) for selection in selections]
    header = ["task", "type", "subsets", "languages", "queries", "pages", "formats"]
    subsets = sum(len(selection.subsets) for selection in selections)
    sums = f"{counted(len(rows), 'task')}, {counted(subsets, 'subset')}"
    return f"{text_table(header, rows, right=(2, 3, 4, 5))}\n\n{sums}"


def task_card(task: Task, asked_as: str) -> str:
    """Return what a person wants to know of one task, with a command that runs it."""
    data = task.dataset
    facts = {
        "type": f"{task.type} ({task.category}), version {task.version}",
        "score": display_name(task.main_score),
        "data": f"{data.path}{'@' + data.revision if data.revision else ''} ({data.format})",
        "domains": ", ".join(task.domains),
        "pages": ", ".join(task.document_formats),
        "queries": ", ".join(task.query_formats),
        "made": ", ".join(filter(None, [task.annotations_creators, task.sample_creation])),
        "license": task.license,
        "source": task.reference,
        "as": ", ".join(filter(None, [task.mteb_name, *task.adapted_from])),
        "notes": task.notes,
        "file": str(task.path),
    }
    lines = [f"{name + ':':<9}{value}" for name, value in facts.items() if value]
    rows = [[s, " ".join(task.languages(s)), *_counts(task.expected.get(s))] for s in task.subsets]
    table = text_table(["subset", "languages", "queries", "pages", "pairs"], rows, right=(2, 3, 4))
    run = f"run:     jina-vdr eval --model bm25 --task {shlex.quote(asked_as)}"
    title = ": ".join(filter(None, [task.name, task.description]))
    return "\n".join([title, *lines, "", table, "", run])


def counted(count: int, what: str) -> str:
    """Return the number with its noun: `1 task`, `2 tasks`."""
    return f"{count:,} {what}" + ("s" if count != 1 else "")


def _row(selection: Selection) -> list[str]:
    task = selection.task
    languages = {language for subset in selection.subsets for language in task.languages(subset)}
    return [
        task.name,
        task.type,
        str(len(selection.subsets)),
        str(len(languages)),
        _sum(selection, "pairs" if task.dataset.format == "pairs" else "queries"),
        _sum(selection, "documents"),
        ", ".join(task.document_formats),
    ]


def _sum(selection: Selection, what: str) -> str:
    counts = [getattr(selection.task.expected.get(subset), what, None) for subset in selection.subsets]
    return f"{sum(c for c in counts if c):,}" if all(c is not None for c in counts) else "-"


def _counts(expected: Expected | None) -> list[str]:
    counts = [expected.queries, expected.documents, expected.pairs] if expected else [None] * 3
    return ["-" if count is None else f"{count:,}" for count in counts]
