"""The table beside a result: one row a query with its values and its ranking."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jina_vdr.atomic import replacing
from jina_vdr.errors import InvalidFile
from jina_vdr.metrics import first_relevant, tied
from jina_vdr.records import Collection, Pairs, Qrels, Ranking, Run
from jina_vdr.result import Artifact


def query_table(
    collection: Collection, split: str, run: Run, values: Mapping[str, NDArray[np.float64]]
) -> pa.Table:
    """Return one row a query: who asked, every metric, what is relevant, the whole ranking."""
    queries = collection.queries
    rankings = [run.get(query.id) for query in queries]
    judged = [collection.qrels[query.id] for query in queries]
    return pa.table(
        {
            "query_id": [query.id for query in queries],
            "subset": [collection.subset] * len(queries),
            "split": [split] * len(queries),
            "language": [query.language for query in queries],
            "kind": [query.kind for query in queries],
            "cluster": [query.cluster for query in queries],
            "n_relevant": [sum(r > 0 for r in pages.values()) for pages in judged],
            **values,
            "first_relevant_rank": pa.array(
                [first_relevant(ranking, pages) for ranking, pages in zip(rankings, judged, strict=True)],
                pa.int32(),
            ),
            "tied_at_5": [tied(ranking, 5) for ranking in rankings],
            "judged_ids": pa.array([list(pages) for pages in judged], pa.list_(pa.string())),
            "judged_relevance": pa.array([list(pages.values()) for pages in judged], pa.list_(pa.int32())),
            "top_ids": pa.array([_ids(ranking) for ranking in rankings], pa.list_(pa.string())),
            "top_scores": pa.array([_scores(ranking) for ranking in rankings], pa.list_(pa.float32())),
        }
    )


def pair_table(pairs: Pairs, split: str, scores: NDArray[np.float64]) -> pa.Table:
    """Return one row a pair: the model's score and the human one."""
    n = len(scores)
    return pa.table(
        {
            "pair": np.arange(n),
            "subset": [pairs.subset] * n,
            "split": [split] * n,
            "score": scores,
            "gold": pairs.scores,
        }
    )


def write_table(table: pa.Table, path: Path) -> Artifact:
    """Write `table` as parquet, whole or not at all."""
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
    return Artifact(path=path.name, sha256=digest, rows=table.num_rows)


def open_table(result: Path, artifact: Artifact) -> pa.Table:
    """Return the table beside a result file; raise InvalidFile when it is not as it was written."""
    folder = result.with_suffix("")
    if not is_whole(artifact, folder):
        raise InvalidFile(
            "JV353", f"{folder / artifact.path} is missing or damaged", "evaluate the task again"
        )
    return pq.read_table(folder / artifact.path)


def is_whole(artifact: Artifact | None, folder: Path) -> bool:
    """Say whether there is a file, and lies in `folder` as it was written."""
    if artifact is None:
        return False
    path = folder / artifact.path
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == artifact.sha256


def read_run(table: pa.Table) -> Run:
    """Return the run that a table of `query_table` holds."""
    columns = (table.column(name).to_pylist() for name in ("query_id", "top_ids", "top_scores"))
    return {
        query: Ranking(tuple(ids), np.array(scores, np.float32))
        for query, ids, scores in zip(*columns, strict=True)
    }


def read_qrels(table: pa.Table) -> Qrels:
    """Return the qrels that a table of `query_table` holds."""
    columns = (table.column(name).to_pylist() for name in ("query_id", "judged_ids", "judged_relevance"))
    return {query: dict(zip(ids, grades, strict=True)) for query, ids, grades in zip(*columns, strict=True)}


def _ids(ranking: Ranking | None) -> list[str]:
    return list(ranking.ids) if ranking else []


def _scores(ranking: Ranking | None) -> Any:
    return ranking.scores if ranking else []
