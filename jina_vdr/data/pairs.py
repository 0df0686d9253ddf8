"""Two sentences and a human score a row, rendered or as text: the `pairs` layout of STS."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jina_vdr.data.checks import refuse
from jina_vdr.data.pages import row_page, text_page
from jina_vdr.data.source import Source
from jina_vdr.data.tables import ParquetColumn, as_texts, check_columns, parquet_names, read_rows
from jina_vdr.records import Page, Pairs
from jina_vdr.task import Task

SIDES = ("first", "second")


def load_pairs(task: Task, source: Source, subset: str, split: str) -> Pairs:
    """Read one subset: `first`, `second` and their `score`.

    Where sentences are rendered (type VisualSTS) the two are images, and their texts may stand beside them;
    else (type STS) the two are texts.
    """
    columns = task.dataset.pairs.named
    paths = source.tables(task.dataset.pairs, subset, split)
    if task.type == "STS":
        rows = read_rows(paths, {name: columns[name] for name in (*SIDES, "score")}, [*SIDES, "score"])
        first, second = (_as_text_pages(paths, columns[side], side, rows[side]) for side in SIDES)
        scores = rows["score"]
    else:
        for path in paths:
            check_columns(path, parquet_names(path), columns, [*SIDES, "score"])
        first, second = (_rendered_pages(paths, columns, side) for side in SIDES)
        scores = list(ParquetColumn(paths, columns["score"]))
    numbers = np.array([_score(value) for value in scores], np.float64)
    if not np.isfinite(numbers).all():
        pair = int(np.argmin(np.isfinite(numbers)))
        raise refuse("JV433", f"{task.name} ({subset}): pair {pair} has no score that is a number")
    return Pairs(task.name, subset, task.languages(subset), first, second, numbers)


def _as_text_pages(paths: Sequence[Path], column: str, side: str, values: Sequence[Any]) -> list[Page]:
    texts = as_texts(paths, column, values)
    for row, text in enumerate(texts):
        if text is None:
            raise refuse("JV413", f"pair {row} of {paths[0]} has no text in column '{column}'")
    return [text_page(f"{side}-{row}", text) for row, text in enumerate(texts)]


def _rendered_pages(paths: Sequence[Path], columns: dict[str, str], side: str) -> list[Page]:
    cells = ParquetColumn(paths, columns[side])
    text = columns.get(f"{side}_text", "")
    has_text = all(text in parquet_names(path) for path in paths)
    texts = as_texts(paths, text, list(ParquetColumn(paths, text))) if has_text else None
    return [
        row_page(f"{side}-{row}", cells, row, cell, texts[row] if texts else None)
        for row, cell in enumerate(cells)
    ]


def _score(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
