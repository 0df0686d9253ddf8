"""Tasks as text for a terminal: a table of many, a card of one."""

import shlex
from collections.abc import Mapping, Sequence

from jina_vdr.catalog import Selection
from jina_vdr.report import text_table
from jina_vdr.task import Expected, Task
from jina_vdr.vocabulary import display_name


def task_table(selections: Sequence[Selection], sizes: Mapping[str, str] | None = None) -> str:
    """Return one row a task, and the sums. The type has a column where there are several.

    `sizes` says by the name of a task how large its data is, for a column of that.
    """
    types = {selection.task.type for selection in selections}
    rows = [_row(selection, len(types) > 1) for selection in selections]
    header = ["task", *(["type"] if len(types) > 1 else []), *COLUMNS]
    right = [i for i, name in enumerate(header) if name in {"subsets", "languages", "queries", "pages"}]
    if sizes is not None:
        right.append(len(header))
        header.append("size")
        rows = [[*row, sizes[s.task.name]] for row, s in zip(rows, selections, strict=True)]
    return f"{text_table(header, rows, right=right)}\n\n{sums(selections)}"


COLUMNS = ["subsets", "languages", "queries", "pages", "score", "formats"]


def sums(selections: Sequence[Selection]) -> str:
    """Return the numbers of tasks, subsets and languages, and of the declared queries, pages and pairs."""
    subsets = sum(len(selection.subsets) for selection in selections)
    said = [
        counted(len(selections), "task"),
        counted(subsets, "subset"),
        counted(len(languages(selections)), "language"),
    ]
    for what, name in (("queries", "queries"), ("documents", "pages"), ("pairs", "pairs")):
        total = sum(count(selection, what) or 0 for selection in selections)
        said += [f"{total:,} {name}"] if total else []
    return ", ".join(said)


def task_card(task: Task, asked_as: str) -> str:
    """Return what a person wants to know of one task, with a command that runs it."""
    data = task.dataset
    facts = {
        "type": f"{task.type} ({task.category}), version {task.version}",
        "score": display_name(task.main_score),
        "data": f"{data.path}{'@' + data.revision if data.revision else ''} ({data.format})",
        "access": "" if task.is_public else "gated: accept its terms on its page and set HF_TOKEN",
        "domains": ", ".join(task.domains),
        "pages": ", ".join(task.document_formats),
        "queries": ", ".join(task.query_formats),
        "made": ", ".join(filter(None, [task.annotations_creators, task.sample_creation])),
        "license": task.license,
        "source": task.reference,
        "MTEB": "" if task.mteb_name == task.name else task.mteb_name,
        "from": ", ".join(task.adapted_from),
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


def languages(selections: Sequence[Selection]) -> list[str]:
    """Return the tags of all languages, in order."""
    return sorted({tag for s in selections for subset in s.subsets for tag in s.task.languages(subset)})


def count(selection: Selection, what: str) -> int | None:
    """Return the expected number of `queries`, `documents` or `pairs`, None where a subset does not say."""
    counts = [getattr(selection.task.expected.get(subset), what, None) for subset in selection.subsets]
    return sum(c for c in counts if c) if all(c is not None for c in counts) else None


def _row(selection: Selection, with_type: bool) -> list[str]:
    task = selection.task
    return [
        task.name if task.is_public else f"{task.name} (gated)",
        *([task.type] if with_type else []),
        str(len(selection.subsets)),
        str(len(languages([selection]))),
        _number(count(selection, "pairs" if task.dataset.format == "pairs" else "queries")),
        _number(count(selection, "documents")),
        display_name(task.main_score),
        ", ".join(task.document_formats),
    ]


def _counts(expected: Expected | None) -> list[str]:
    return [_number(getattr(expected, what, None)) for what in ("queries", "documents", "pairs")]


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
