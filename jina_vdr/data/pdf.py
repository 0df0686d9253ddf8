"""PDF files as pages, through PyMuPDF. The only module that knows it: PyMuPDF is AGPL or commercial."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymupdf

from jina_vdr.errors import DataError
from jina_vdr.records import Page

if TYPE_CHECKING:
    from PIL.Image import Image

OPEN_FILES = 4
POINTS_PER_INCH = 72

VERSION = f"MuPDF {pymupdf.mupdf_version}"

UNREADABLE = (RuntimeError, ValueError, IndexError, pymupdf.mupdf.FzErrorBase)
"""What PyMuPDF raises: its own errors, and MuPDF's."""

LOST = (
    "cannot load content stream",
    "cannot load object",
    "content stream is not a stream",
    "non-page object in page tree",
    "premature end of data",
    "read error; treating as end of file",
)
"""What MuPDF only notes in passing when a part of a page is lost; the page would be blank, or half of it."""

_lock = threading.Lock()  # MuPDF is not thread-safe
_open: OrderedDict[Path, Any] = OrderedDict()


def pdf_pages(path: Path, stem: str, dpi: int, max_side: int) -> Iterator[Page]:
    """Yield the pages of a PDF, ids `<stem>_p<number>` from 1, rendered at `dpi` when asked.

    A page longer than `max_side` pixels is rendered smaller. Raises DataError for a file that is encrypted,
    truncated, empty or not a PDF.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for number in range(_page_count(path)):
        made_of = f"pdf:{digest}:{number}:{dpi}:{max_side}:{VERSION}"
        yield Page(
            f"{stem}_p{number + 1}",
            hashlib.sha256(made_of.encode()).hexdigest(),
            partial(_render, path, number, dpi, max_side),
            partial(_text, path, number),
            partial(_size, path, number, dpi, max_side),
        )


def _page_count(path: Path) -> int:
    with _lock, _opening(path):
        document = _document(path)
        if not document.is_pdf:  # MuPDF goes by the content: it opens an HTML error page as well
            raise DataError("JV415", f"{path} is not a readable PDF", "fetch the file again")
        if document.needs_pass:
            raise DataError("JV414", f"{path} is encrypted", "save it without a password")
        if document.is_repaired and b"%%EOF" not in path.read_bytes()[-2048:]:
            raise DataError("JV415", f"{path} is truncated: its end is missing", "fetch the file again")
        if not document.page_count:
            raise DataError("JV415", f"{path} has no pages", "remove it from the folder")
        return int(document.page_count)


def _render(path: Path, number: int, dpi: int, max_side: int) -> "Image":
    from PIL import Image

    with _lock, _reading(path, number):
        page = _document(path)[number]
        scale = _scale(page, dpi, max_side)
        pixels = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), alpha=False)
        if not pixels.width * pixels.height:
            raise ValueError("it has no area")
        return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)


def _size(path: Path, number: int, dpi: int, max_side: int) -> tuple[int, int]:
    with _lock, _reading(path, number):
        page = _document(path)[number]
        scale = _scale(page, dpi, max_side)
        return round(page.rect.width * scale), round(page.rect.height * scale)


def _scale(page: Any, dpi: int, max_side: int) -> float:
    longest: float = max(page.rect.width, page.rect.height)
    return min(dpi / POINTS_PER_INCH, max_side / longest)


def _text(path: Path, number: int) -> str | None:
    with _lock, _reading(path, number):
        text: str = _document(path)[number].get_text()
        return text if text.strip() else None


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise DataError("JV415", f"{path} is not a readable PDF", "fetch the file again") from error


@contextmanager
def _reading(path: Path, number: int) -> Iterator[None]:
    """Raise DataError for a page that cannot be read, or not as a whole; the caller holds the lock."""
    pymupdf.TOOLS.reset_mupdf_warnings()
    try:
        yield
        lost = [line for line in pymupdf.TOOLS.mupdf_warnings().splitlines() if line.startswith(LOST)]
        if lost:
            raise ValueError(lost[0])
    except UNREADABLE as error:
        hint = "fetch the file again, or save it anew"
        raise DataError("JV415", f"{path} page {number + 1} cannot be read ({error})", hint) from error


def _document(path: Path) -> Any:
    """Return the open document; the caller holds the lock."""
    if path in _open:
        _open.move_to_end(path)
        return _open[path]
    pymupdf.TOOLS.mupdf_display_errors(False)
    _open[path] = document = pymupdf.open(path, filetype="pdf")
    while len(_open) > OPEN_FILES:
        _open.popitem(last=False)[1].close()
    return document
