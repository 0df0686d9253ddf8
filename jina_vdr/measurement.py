"""What a ranker did on one subset, measured: the means, their interval, the table of all queries."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jina_vdr.errors import DataError
from jina_vdr.metrics import Interval, correlations, mean_interval, pair_interval, per_query, tied
from jina_vdr.per_query import pair_table, query_table
from jina_vdr.records import Collection, Pairs, Run


@dataclass(frozen=True)
class Measured:
    """The scores of one subset: `metrics` are means over queries, `interval` is that of the main score."""

    metrics: dict[str, float]
    interval: Interval | None
    n_queries: int
    n_documents: int
    dropped: dict[str, int]
    n_tied_at_5: int
    table: pa.Table


def measure_run(
    collection: Collection, split: str, run: Run, metrics: Sequence[str], main_score: str
) -> Measured:
    """Measure a run. Every query counts; one without a ranking scores 0."""
    qrels = {query.id: collection.qrels[query.id] for query in collection.queries}
    values = per_query(run, qrels, metrics)
    return Measured(
        metrics={metric: float(value.mean()) for metric, value in values.items()},
        interval=mean_interval(values[main_score], _clusters(collection)),
        n_queries=len(collection.queries),
        n_documents=len(collection.corpus),
        dropped=collection.dropped,
        n_tied_at_5=sum(tied(run.get(query.id), 5) for query in collection.queries),
        table=query_table(collection, split, run, values),
    )


def measure_pairs(pairs: Pairs, split: str, scores: NDArray[np.float64]) -> Measured:
    """Measure the similarities of pairs against the human scores."""
    if not np.isfinite(scores).all():
        pair = int(np.argmin(np.isfinite(scores)))
        raise DataError(
            "JV423", f"{pairs.task} ({pairs.subset}): pair {pair} has the similarity {scores[pair]}"
        )
    pages = {page.content for page in (*pairs.first, *pairs.second)}
    return Measured(
        metrics=correlations(scores, pairs.scores),
        interval=pair_interval(scores, pairs.scores),
        n_queries=len(scores),
        n_documents=len(pages),
        dropped={},
        n_tied_at_5=0,
        table=pair_table(pairs, split, scores),
    )


def _clusters(collection: Collection) -> list[str]:
    """Return what joins queries that are not independent; a query without a cluster stands alone."""
    return [query.cluster or f"query:{query.id}" for query in collection.queries]
