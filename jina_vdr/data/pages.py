"""Pages that decode when asked: rows of a table, image files, pages of PDFs."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jina_vdr import images
from jina_vdr.data.tables import (
    ParquetColumn,
    as_ids,
    as_texts,
    check_columns,
    parquet_names,
    read_rows,
)
from jina_vdr.errors import DataError
from jina_vdr.records import Page


def table_pages(paths: Sequence[Path], columns: Mapping[str, str]) -> Iterator[Page]:
    """Yield one page a row. `columns` maps `id`, `image` and `text` to the names in the files.

    A row needs an image, a text, or both; images are hashed here and decoded later, one row group at a time.
    """
    rows = _light_columns(paths, columns)
    ids = as_ids(paths, columns["id"], rows["id"])
    texts = as_texts(paths, columns["text"], rows.get("text", [None] * len(ids)))
    if not _has_images(paths, columns, has_text="text" in rows):
        yield from (text_page(page, text) for page, text in zip(ids, texts, strict=True))
        return
    cells = ParquetColumn(paths, columns["image"])
    for row, (page, text, cell) in enumerate(zip(ids, texts, cells, strict=True)):
        data = image_bytes(cell, page)
        if data is None and text is None:
            raise DataError(
                "JV413", f"page '{page}' in {paths[0].parent} has neither image nor text", "mend the row"
            )
        if data is None:
            yield text_page(page, text)
        else:
            yield Page(page, _sha256(data), partial(_decode_row, cells, row, page), _constant(text))


def text_page(page: str, text: str | None) -> Page:
    """Return a page that has only text."""
    return Page(page, _sha256((text or "").encode()), None, _constant(text))


def image_file_page(page: str, path: Path) -> Page:
    """Return a page that is an image file."""
    return Page(page, _sha256(path.read_bytes()), partial(images.read, path), _constant(None))


def row_page(page: str, cells: ParquetColumn, row: int, cell: Any, text: str | None) -> Page:
    """Return the page in one cell of an image column."""
    data = image_bytes(cell, page)
    if data is None:
        raise DataError("JV413", f"page '{page}' has no image", "mend the row")
    return Page(page, _sha256(data), partial(_decode_row, cells, row, page), _constant(text))


def image_bytes(cell: Any, page: str) -> bytes | None:
    """Return the encoded image in a cell: plain bytes, or the Hub's {bytes, path}; None for an empty cell."""
    if isinstance(cell, dict):
        if cell.get("bytes") is None and cell.get("path"):
            raise DataError(
                "JV413",
                f"page '{page}' holds the path '{cell['path']}', not an image",
                "embed the image's bytes",
            )
        cell = cell.get("bytes")
    if cell is not None and not isinstance(cell, bytes):
        raise DataError(
            "JV413", f"page '{page}': the image column holds {type(cell).__name__}", "it must hold bytes"
        )
    return cell


def _light_columns(paths: Sequence[Path], columns: Mapping[str, str]) -> dict[str, list[Any]]:
    if any(path.suffix != ".parquet" for path in paths):
        return read_rows(paths, {ours: columns[ours] for ours in ("id", "text")}, ["id", "text"])
    rows: dict[str, list[Any]] = {}
    for path in paths:
        check_columns(path, parquet_names(path), columns, ["id"])
    for ours in ("id", "text"):
        if all(columns[ours] in parquet_names(path) for path in paths):
            rows[ours] = list(ParquetColumn(paths, columns[ours]))
    return rows


def _has_images(paths: Sequence[Path], columns: Mapping[str, str], *, has_text: bool) -> bool:
    """Say whether the rows have images. Raises DataError where only some files do, or none and no text."""
    if any(path.suffix != ".parquet" for path in paths):
        return False
    found = any(columns["image"] in parquet_names(path) for path in paths)
    if found or not has_text:
        for path in paths:
            check_columns(path, parquet_names(path), columns, ["image"])
    return found


def _decode_row(cells: ParquetColumn, row: int, page: str) -> Any:
    data = image_bytes(cells[row], page)
    return images.decode(data or b"", f"page '{page}'")


def _constant(text: str | None) -> Callable[[], str | None]:
    return lambda: text


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
