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
    with_ids,
)
from jina_vdr.errors import DataError
from jina_vdr.records import Page


def table_pages(paths: Sequence[Path], columns: Mapping[str, str]) -> Iterator[Page]:
    """Yield one page a row. `columns` maps `id`, `image`, `text` and `title` to the names in the files.

    A row needs an image, a text, or both; images are hashed here and decoded later, one row group at a time.
    A title stands before its text, as in MTEB.
    """
    rows = _light_columns(paths, columns, ["id"])
    ids = as_ids(paths, columns["id"], rows["id"])
    texts = _texts(paths, columns, rows, len(ids))
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
            yield _image_page(page, _sha256(data), cells, row, text)


def joined_pages(
    paths: Sequence[Path], columns: Mapping[str, str], images: Sequence[Path], named: Mapping[str, str]
) -> Iterator[Page]:
    """Yield one page a row of the corpus; its image is the row of `images` that its `image_id` names.

    `named` maps `id` and `image` to the names of the columns in `images`.
    """
    rows = _light_columns(paths, columns, ["id", "image_id"])
    ids = as_ids(paths, columns["id"], rows["id"])
    wanted = as_ids(paths, columns["image_id"], rows["image_id"])
    texts = _texts(paths, columns, rows, len(ids))
    where = {image: row for row, image in enumerate(_image_ids(images, named))}
    cells = ParquetColumn(images, named["image"])
    content = [_sha256(image_bytes(cell, str(row)) or b"") for row, cell in enumerate(cells)]
    for page, image, text in zip(ids, wanted, texts, strict=True):
        if image not in where:
            raise DataError(
                "JV413",
                f"page '{page}' in {paths[0].parent} names the image '{image}', which is not there",
                "mend the row, or fetch the images again",
            )
        row = where[image]
        yield _image_page(page, content[row], cells, row, text)


def text_page(page: str, text: str | None) -> Page:
    """Return a page that has only text."""
    return Page(page, _sha256((text or "").encode()), None, partial(_same, text))


def image_file_page(page: str, path: Path) -> Page:
    """Return a page that is an image file."""
    content = _sha256(path.read_bytes())
    return Page(
        page, content, partial(images.read, path), partial(_same, None), partial(images.read_size, path)
    )


def row_page(page: str, cells: ParquetColumn, row: int, cell: Any, text: str | None) -> Page:
    """Return the page in one cell of an image column."""
    data = image_bytes(cell, page)
    if data is None:
        raise DataError("JV413", f"page '{page}' has no image", "mend the row")
    return _image_page(page, _sha256(data), cells, row, text)


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


def _light_columns(
    paths: Sequence[Path], columns: Mapping[str, str], required: Sequence[str]
) -> dict[str, list[Any]]:
    """Return all columns but the image's; without images there must be a text."""
    light = {ours: theirs for ours, theirs in columns.items() if ours != "image"}
    if any(path.suffix != ".parquet" for path in paths):
        return read_rows(paths, light, [*required, "text"])
    light = with_ids(light, parquet_names(paths[0]))
    for path in paths:
        check_columns(path, parquet_names(path), {**columns, **light}, required)
    return {
        ours: list(ParquetColumn(paths, theirs))
        for ours, theirs in light.items()
        if all(theirs in parquet_names(path) for path in paths)
    }


def _texts(
    paths: Sequence[Path], columns: Mapping[str, str], rows: Mapping[str, list[Any]], count: int
) -> list[str | None]:
    texts, titles = (
        as_texts(paths, columns.get(name, ""), rows.get(name, [None] * count)) for name in ("text", "title")
    )
    return [
        None if text is None else f"{title or ''} {text}".strip()
        for title, text in zip(titles, texts, strict=True)
    ]


def _image_ids(paths: Sequence[Path], columns: Mapping[str, str]) -> list[str]:
    for path in paths:
        check_columns(path, parquet_names(path), columns, ["id", "image"])
    return as_ids(paths, columns["id"], list(ParquetColumn(paths, columns["id"])))


def _has_images(paths: Sequence[Path], columns: Mapping[str, str], *, has_text: bool) -> bool:
    """Say whether the rows have images. Raises DataError where only some files do, or none and no text."""
    if "image" not in columns or any(path.suffix != ".parquet" for path in paths):
        return False
    found = any(columns["image"] in parquet_names(path) for path in paths)
    if found or not has_text:
        for path in paths:
            check_columns(path, parquet_names(path), columns, ["image"])
    return found


def _image_page(page: str, content: str, cells: ParquetColumn, row: int, text: str | None) -> Page:
    read = partial(_read_row, cells, row, page)
    return Page(page, content, partial(read, images.decode), partial(_same, text), partial(read, images.size))


def _read_row(cells: ParquetColumn, row: int, page: str, read: Callable[[bytes, str], Any]) -> Any:
    return read(image_bytes(cells[row], page) or b"", f"page '{page}'")


def _same(text: str | None) -> str | None:
    return text


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
