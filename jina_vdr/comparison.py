"""Two results, query by query: the difference of their means and how sure it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from jina_vdr.errors import UsageError
from jina_vdr.metrics import Interval, mean_interval
from jina_vdr.per_query import open_table
from jina_vdr.result import Result, Scores
from jina_vdr.vocabulary import PAIR_METRICS


@dataclass(frozen=True)
class Difference:
    """`second` minus `first` on one subset, in fractions; the interval is over paired queries."""

    task: str
    subset: str
    split: str
    metric: str
    n_queries: int | None
    first: float
    second: float
    interval: Interval | None

    @property
    def value(self) -> float:
        """How much better the second is."""
        return self.second - self.first


Located = tuple[Path, Result]


def compare(first: Sequence[Located], second: Sequence[Located]) -> list[Difference]:
    """Return the differences on every subset that both have measured on the same task and data.

    A branch (MTEB often says `main`) is taken for the same data as any revision: `at_a_branch` tells. There
    is no interval where one of the two has no table of queries. Raises UsageError when nothing is in common.
    """
    differences = [
        difference
        for one in first
        for other in second
        if _same_task(one[1], other[1])
        for difference in _differences(one, other)
    ]
    if not differences:
        raise UsageError(
            "JV114", "the two have no subset of the same task and data in common", "evaluate both on it"
        )
    return differences


def at_a_branch(first: Sequence[Located], second: Sequence[Located]) -> list[str]:
    """Return the tasks that are compared although one of the two does not say which data it measured."""
    return sorted(
        {
            one.task.name
            for _, one in first
            for _, other in second
            if _same_task(one, other) and not (one.task.dataset.is_pinned and other.task.dataset.is_pinned)
        }
    )


def _same_task(first: Result, second: Result) -> bool:
    one, other = first.task.dataset, second.task.dataset
    same_data = one.revision == other.revision or not (one.is_pinned and other.is_pinned)
    same_task = first.task == second.task.model_copy(update={"dataset": one})
    return same_data and same_task and first.limit == second.limit


def _differences(first: Located, second: Located) -> Iterator[Difference]:
    for scores in first[1].scores:
        other = second[1].of(scores.split, scores.subset)
        if other is not None:
            metric = first[1].task.main_score
            yield Difference(
                first[1].task.name,
                scores.subset,
                scores.split,
                metric,
                other.n_queries if scores.n_queries is None else scores.n_queries,
                scores.main_score,
                other.main_score,
                _paired(first[0], scores, second[0], other, metric),
            )


def _paired(path: Path, scores: Scores, other_path: Path, other: Scores, metric: str) -> Interval | None:
    if metric in PAIR_METRICS or scores.per_query is None or other.per_query is None:
        return None
    left = open_table(path, scores.per_query)
    right = open_table(other_path, other.per_query)
    values = dict(zip(_column(right, "query_id"), _column(right, metric), strict=True))
    ids, clusters = _column(left, "query_id"), _column(left, "cluster")
    differences = np.array([values[i] - value for i, value in zip(ids, _column(left, metric), strict=True)])
    return mean_interval(differences, [c or f"query:{i}" for i, c in zip(ids, clusters, strict=True)])


def _column(table: pa.Table, name: str) -> list[Any]:
    values: list[Any] = table.column(name).to_pylist()
    return values
