"""Results in the formats of others: TREC runs and qrels, and one flat table as CSV, JSON or parquet."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jina_vdr.atomic import replacing, write_text
from jina_vdr.per_query import open_table, read_qrels, read_run
from jina_vdr.result import Result
from jina_vdr.trec import qrels_lines, run_lines
from jina_vdr.vocabulary import PAIR_METRICS

Located = tuple[Path, Result]

TABLES = ("csv", "json", "parquet")


def write_trec(results: Sequence[Located], folder: Path) -> list[Path]:
    """Write `<model>/<variant>/<task>.<subset>.<split>.run` and `.qrels` below `folder`; return their paths.

    Pages that tie are written with falling scores, in the order of the ranking. Tasks of pairs have no run,
    nor have results that were imported.
    """
    written: list[Path] = []
    for path, result in results:
        if result.task.main_score in PAIR_METRICS:
            continue
        for scores in result.scores:
            if scores.per_query is None:
                continue
            table = open_table(path, scores.per_query)
            stem = (
                folder
                / path.parent.parent.name
                / path.parent.name
                / f"{path.stem}.{scores.subset}.{scores.split}"
            )
            for suffix, lines in (
                ("run", run_lines(read_run(table), result.model.name)),
                ("qrels", qrels_lines(read_qrels(table))),
            ):
                target = stem.with_name(f"{stem.name}.{suffix}")
                write_text(target, "".join(lines))
                written.append(target)
    return written


def rows(results: Sequence[Located]) -> list[dict[str, Any]]:
    """Return one row a subset: what was measured on what, and every metric as a fraction."""
    return [
        {
            "model": result.model.name,
            "origin": result.origin,
            "variant": path.parent.name,
            "revision": result.model.revision,
            "task": result.task.name,
            "version": result.task.version,
            "split": scores.split,
            "subset": scores.subset,
            "languages": " ".join(scores.languages),
            "n_queries": scores.n_queries,
            "n_documents": scores.n_documents,
            "main_score": scores.main_score,
            "ci95_low": scores.ci95[0] if scores.ci95 else None,
            "ci95_high": scores.ci95[1] if scores.ci95 else None,
            "seconds": scores.seconds,
            **scores.metrics,
        }
        for path, result in results
        for scores in result.scores
    ]


def as_text(table: Sequence[dict[str, Any]], form: str) -> str:
    """Return rows as `csv` or `json`; a metric that a task does not have is empty."""
    if form == "json":
        return json.dumps(table, indent=1, ensure_ascii=False) + "\n"
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_columns(table)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def write_parquet(table: Sequence[dict[str, Any]], path: Path) -> None:
    """Write rows as one parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [row.get(name) for row in table] for name in _columns(table)}
    with replacing(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def _columns(table: Sequence[dict[str, Any]]) -> dict[str, None]:
    return dict.fromkeys(name for row in table for name in row)
