"""A folder of PDFs and images of one's own, with `queries.csv` and `qrels.tsv`: the `folder` layout."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from jina_vdr.data.beir import read_qrels, read_queries
from jina_vdr.data.checks import Parts, refuse
from jina_vdr.data.pages import image_file_page
from jina_vdr.data.source import Source
from jina_vdr.images import SUFFIXES
from jina_vdr.records import Page
from jina_vdr.task import Task


def load_folder(task: Task, source: Source, subset: str, split: str) -> Parts:
    """Read a folder. Page ids are `manual_p3` for page 3 of manual.pdf and `scan` for scan.png.

    Below the fixed part of the `documents` glob, folders stay in the id: `pdfs/**/*.pdf` gives
    `2024/manual_p3`.
    """
    data = task.dataset
    corpus: list[Page] = []
    for name, path in _documents(task, source, subset):
        stem = str(PurePosixPath(name).with_suffix(""))
        if path.suffix.lower() == ".pdf":
            from jina_vdr.data.pdf import pdf_pages

            corpus += pdf_pages(path, stem, data.render.dpi, data.render.max_side)
        else:
            corpus.append(image_file_page(stem, path))
    queries = read_queries(
        source.tables(data.queries, subset, split), data.queries, subset, task.languages(subset)
    )
    qrels = read_qrels(source.tables(data.qrels, subset, split), data.qrels.named)
    return Parts(corpus, queries, qrels, complete=True)


def document_names(task: Task, source: Source, subset: str) -> list[str]:
    """Return the names of the PDFs and images of one subset."""
    pattern = task.dataset.documents.replace("{subset}", subset)
    return [
        name
        for name in source.names
        if _matches(name, pattern) and PurePosixPath(name).suffix.lower() in {".pdf", *SUFFIXES}
    ]


def _documents(task: Task, source: Source, subset: str) -> list[tuple[str, Path]]:
    pattern = task.dataset.documents.replace("{subset}", subset)
    names = document_names(task, source, subset)
    if not names:
        raise refuse(
            "JV404", f"{source.label}: no PDF or image matches documents: '{pattern}'", "mend the glob"
        )
    base = _fixed_part(pattern)
    return list(zip([name.removeprefix(base) for name in names], source.fetch(names), strict=True))


def _fixed_part(pattern: str) -> str:
    folders = PurePosixPath(pattern).parts[:-1]
    fixed: list[str] = []
    for folder in folders:
        if any(c in folder for c in "*?["):
            break
        fixed.append(folder)
    return "".join(f"{folder}/" for folder in fixed)


def _matches(name: str, pattern: str) -> bool:
    """Match as globs do: `*` within one folder, `**` across any number of them."""
    return _match_parts(PurePosixPath(name).parts, PurePosixPath(pattern).parts)


def _match_parts(name: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "**":
        return any(_match_parts(name[i:], pattern[1:]) for i in range(len(name) + 1))
    return bool(name) and PurePosixPath(name[0]).match(pattern[0]) and _match_parts(name[1:], pattern[1:])
