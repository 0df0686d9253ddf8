"""The text of pages: their own (a column, a PDF's text layer), else what Tesseract reads in their image."""

from collections.abc import Callable, Sequence
from shutil import which
from typing import Any

from jina_vdr.ocr import SETTINGS, read_images, tesseract_version
from jina_vdr.records import Page
from jina_vdr.store import Store

ReadTexts = Callable[[Store, Sequence[Page], Sequence[str]], list[str]]
"""The store that keeps what was read, pages, and the tags of their languages -> the text of each page."""


def own_texts(store: Store, pages: Sequence[Page], languages: Sequence[str]) -> list[str]:
    """Return the text of each page; a page without a text of its own is read."""
    texts = [page.read_text() or "" for page in pages]
    bare = [i for i, text in enumerate(texts) if not text.strip()]
    for i, text in zip(bare, ocr_texts(store, [pages[i] for i in bare], languages), strict=True):
        texts[i] = text
    return texts


def ocr_texts(store: Store, pages: Sequence[Page], languages: Sequence[str]) -> list[str]:
    """Return what Tesseract reads in the image of each page; nothing for a page without an image."""
    texts = read_images([page for page in pages if page.open_image], languages, store)
    return [texts.get(page.content, "") for page in pages]


def reading_settings() -> dict[str, Any]:
    """Return all that can change what is read, without its language packs; None for a missing Tesseract."""
    return {"tesseract": tesseract_version() if which("tesseract") else None, **SETTINGS}
