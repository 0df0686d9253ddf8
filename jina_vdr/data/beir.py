"""Corpus, queries and qrels as three tables: the `beir` and `mteb` layouts of the Hub."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jina_vdr.data.checks import Parts, refuse
from jina_vdr.data.pages import joined_pages, table_pages
from jina_vdr.data.source import Source
from jina_vdr.data.tables import as_ids, as_texts, read_rows
from jina_vdr.dataset import QRELS, Part
from jina_vdr.errors import UsageError
from jina_vdr.languages import find_language, is_tag
from jina_vdr.records import Page, Qrels, Query
from jina_vdr.task import Task

MAX_RELEVANCE = 1000
"""Relevance comes in a few grades; trec_eval counts them in a table as long as the largest."""


def load_tables(task: Task, source: Source, subset: str, split: str) -> Parts:
    """Read one subset whose corpus, queries and qrels are tables of their own."""
    data = task.dataset
    corpus = list(_pages(task, source, subset, split))
    queries = read_queries(
        source.tables(data.queries, subset, split), data.queries, subset, task.languages(subset)
    )
    qrels = read_qrels(source.tables(data.qrels, subset, split), data.qrels.named)
    if not data.candidates:
        return Parts(corpus, queries, qrels)
    paths = source.tables(data.candidates, subset, split)
    return Parts(corpus, queries, qrels, candidates=read_candidates(paths, data.candidates.named))


def _pages(task: Task, source: Source, subset: str, split: str) -> Iterator[Page]:
    part, apart = task.dataset.corpus, task.dataset.images
    paths = source.tables(part, subset, split)
    if not apart:
        return table_pages(paths, part.named)
    return joined_pages(paths, part.named, source.tables(apart, subset, split), apart.named)


def read_queries(paths: Sequence[Path], part: Part, subset: str, languages: Sequence[str]) -> list[Query]:
    """Read queries: `id` and `text`, and where they are there `language`, `kind` and `cluster`.

    A query without a language of its own has the subset's when that is one. `part.where` keeps the rows whose
    column equals a value: one config may hold the queries of all languages.
    """
    wanted = {column: value.replace("{subset}", subset) for column, value in part.where.items()}
    columns = {**part.named, **{f"where.{column}": column for column in wanted}}
    rows = read_rows(paths, columns, ["id", "text", *(f"where.{column}" for column in wanted)])
    rows["id"] = as_ids(paths, columns["id"], rows["id"])
    rows["text"] = as_texts(paths, columns["text"], rows["text"])
    default = languages[0] if len(languages) == 1 else "und"
    return [
        Query(
            id=row["id"],
            text=row["text"] or "",
            language=tag(row.get("language"), default),
            kind=str(row.get("kind") or ""),
            cluster=str(row.get("cluster") or ""),
        )
        for row in as_records(rows)
        if all(str(row[f"where.{column}"]) == value for column, value in wanted.items())
    ]


def read_qrels(paths: Sequence[Path], columns: Mapping[str, str]) -> Qrels:
    """Read qrels; a pair judged twice with different relevance is an error.

    Where the task file says that there is no column `score`, every row counts 1.
    """
    qrels: Qrels = {}
    rows = read_rows(paths, columns, [name for name in QRELS if name in columns])
    rows.setdefault("score", [1] * len(rows["query-id"]))
    for ours in ("query-id", "corpus-id"):
        rows[ours] = as_ids(paths, columns[ours], rows[ours])
    for row in as_records(rows):
        query, page = row["query-id"], row["corpus-id"]
        relevance = _relevance(row["score"], query, paths[0])
        if qrels.setdefault(query, {}).setdefault(page, relevance) != relevance:
            raise refuse(
                "JV432", f"{paths[0]}: query '{query}' and page '{page}' are judged twice, differently"
            )
    return qrels


def read_candidates(paths: Sequence[Path], columns: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Read the pages that each query may find: a list of ids a row."""
    rows = read_rows(paths, columns, ["query-id", "corpus-ids"])
    found: dict[str, set[str]] = {}
    for query, pages in zip(
        as_ids(paths, columns["query-id"], rows["query-id"]), rows["corpus-ids"], strict=True
    ):
        if not isinstance(pages, list):
            raise refuse("JV417", f"{paths[0]}: column '{columns['corpus-ids']}' holds no lists of page ids")
        found.setdefault(query, set()).update(as_ids(paths, columns["corpus-ids"], pages))
    return {query: frozenset(pages) for query, pages in found.items()}


def as_records(rows: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Turn columns into one mapping a row."""
    return [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]


def tag(language: Any, default: str) -> str:
    """Return the tag of a language as a data set writes it (`de`, `deu`, `german`), or the default."""
    if not language or is_tag(str(language)):
        return str(language or default)
    try:
        return find_language(str(language)).tag
    except UsageError:
        return default


def _relevance(value: Any, query: str, path: Path) -> int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not number.is_integer() or abs(number) > MAX_RELEVANCE:
        reason = f"is '{value}', not a whole number up to {MAX_RELEVANCE:,}"
        raise refuse("JV433", f"{path}: the relevance of query '{query}' {reason}")
    return int(number)
