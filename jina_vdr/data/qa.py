"""One row a query-page pair: the `qa` layout, in which pages repeat and some rows have no query."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from jina_vdr.data.checks import Parts, refuse
from jina_vdr.data.pages import row_page
from jina_vdr.data.source import Source
from jina_vdr.data.tables import ParquetColumn, as_ids, as_texts, check_columns, parquet_names
from jina_vdr.records import Page, Qrels, Query
from jina_vdr.task import Task


def load_qa(task: Task, source: Source, subset: str, split: str) -> Parts:
    """Read one subset of a qa table.

    A page is its file name: rows with one name must hold one image. A query is its text: all pages of the
    rows with that text are relevant. Rows with a null or blank query add their page and count as dropped.
    """
    part = task.dataset.pairs
    paths = source.tables(part, subset, split)
    for path in paths:
        check_columns(path, parquet_names(path), part.named, ["query", "image", "page"])
    text = part.named.get("text", "")
    has_text = all(text in parquet_names(path) for path in paths)
    names = as_ids(paths, part.named["page"], list(ParquetColumn(paths, part.named["page"])))
    texts = _texts(paths, text) if has_text else [None] * len(names)
    images = ParquetColumn(paths, part.named["image"])
    pages: dict[str, Page] = {}
    for row, (name, cell, said) in enumerate(zip(names, images, texts, strict=True)):
        page = row_page(name, images, row, cell, said)
        if pages.setdefault(name, page).content != page.content:
            raise refuse("JV439", f"{task.name} ({subset}): page '{name}' stands for two different images")
    return _with_queries(task, subset, pages, names, _texts(paths, part.named["query"]))


def _texts(paths: Sequence[Path], column: str) -> list[str | None]:
    return as_texts(paths, column, list(ParquetColumn(paths, column)))


def _with_queries(
    task: Task, subset: str, pages: dict[str, Page], names: list[str], asked: list[str | None]
) -> Parts:
    languages = task.languages(subset)
    language = languages[0] if len(languages) == 1 else "und"
    queries: dict[str, Query] = {}
    qrels: Qrels = {}
    for text, name in zip(asked, names, strict=True):
        if text and text.strip():
            query = hashlib.sha256(text.encode()).hexdigest()[:16]
            queries.setdefault(query, Query(query, text, language))
            qrels.setdefault(query, {})[name] = 1
    blank = sum(not (text and text.strip()) for text in asked)
    return Parts(list(pages.values()), list(queries.values()), qrels, complete=True, dropped=blank)
