"""Two rendered sentences and a human score a row: the `pairs` layout of visual STS."""

from typing import Any

import numpy as np

from jina_vdr.data.checks import refuse
from jina_vdr.data.pages import row_page
from jina_vdr.data.source import Source
from jina_vdr.data.tables import ParquetColumn, as_texts, check_columns, parquet_names
from jina_vdr.records import Page, Pairs
from jina_vdr.task import Task


def load_pairs(task: Task, source: Source, subset: str, split: str) -> Pairs:
    """Read one subset: images `first` and `second`, their `score`, and their texts where there are any."""
    columns = task.dataset.pairs.columns
    paths = source.tables(task.dataset.pairs, subset, split)
    for path in paths:
        check_columns(path, parquet_names(path), columns, ["first", "second", "score"])

    def side(name: str) -> list[Page]:
        cells = ParquetColumn(paths, columns[name])
        text = columns[f"{name}_text"]
        has_text = all(text in parquet_names(path) for path in paths)
        texts = as_texts(paths, text, list(ParquetColumn(paths, text))) if has_text else None
        return [
            row_page(f"{name}-{row}", cells, row, cell, texts[row] if texts else None)
            for row, cell in enumerate(cells)
        ]

    scores = [_score(value) for value in ParquetColumn(paths, columns["score"])]
    if not np.isfinite(scores).all():
        pair = int(np.argmin(np.isfinite(scores)))
        raise refuse("JV433", f"{task.name} ({subset}): pair {pair} has no score that is a number")
    first, second = side("first"), side("second")
    return Pairs(task.name, subset, task.languages(subset), first, second, np.array(scores, np.float64))


def _score(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
