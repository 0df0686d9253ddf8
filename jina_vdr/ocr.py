"""The text in the images of pages, read by the program `tesseract` and kept in the store."""

import hashlib
import io
import os
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jina_vdr.errors import DataError, UsageError
from jina_vdr.languages import language_of
from jina_vdr.progress import progress
from jina_vdr.records import Page
from jina_vdr.store import Store

if TYPE_CHECKING:
    from PIL.Image import Image

SETTINGS = {"psm": 4, "oem": 1}
"""Page segmentation: one column with text of any size. The automatic mode (3) takes Korean and Burmese pages
for vertical text and loses up to all of them; elsewhere the two read the same words, and only where lines of
narrow columns do not stand level is 3 ahead. Engine: LSTM, the only one that Debian's packs hold."""

INSTALL = "run: apt install tesseract-ocr"

BATCH = 32
"""Pages read between two writes: what a killed run can lose at most."""


def read_images(pages: Sequence[Page], languages: Sequence[str], store: Store) -> dict[str, str]:
    """Return the text in the images of `pages`, by content; each content is read once, ever.

    languages: tags of what is written there; a language we do not know is read as English.
    Raises UsageError when the program or a language pack is missing, DataError for a page it cannot read.
    """
    if not pages:
        return {}
    packs = _packs(languages)
    shelf = store.shelf(_producer(packs))
    texts = shelf.texts(page.content for page in pages)
    missing = list({page.content: page for page in pages if page.content not in texts}.values())
    workers = ThreadPoolExecutor(os.cpu_count())
    with progress(len(missing), "read images", "page") as bar, workers:
        for start in range(0, len(missing), BATCH):
            batch = {}
            for content, text in workers.map(partial(_read, packs), missing[start : start + BATCH]):
                batch[content] = text
                bar.update()
            shelf.keep_texts(batch)
            texts |= batch
    return texts


def tesseract_version() -> str:
    """Return the version of the installed program; raise UsageError where there is none."""
    words = _run(["--version"]).stdout.decode(errors="replace").split()
    if len(words) < 2:
        raise UsageError("JV104", "the program tesseract does not say its version", INSTALL)
    return words[1]


def _packs(languages: Sequence[str]) -> list[str]:
    known = [language_of(tag) for tag in languages]
    return list(dict.fromkeys(language.pack if language else "eng" for language in known)) or ["eng"]


def _producer(packs: Sequence[str]) -> dict[str, Any]:
    """Return all that can change a text. Packs of one name come in several sizes, so their bytes count."""
    listing = _run(["--list-langs"]).stdout.decode()
    for pack in packs:
        if pack not in listing.split():
            package = f"tesseract-ocr-{pack.replace('_', '-')}"
            raise UsageError(
                "JV105", f"tesseract has no language pack '{pack}'", f"run: apt install {package}"
            )
    folder = re.search('"(.+)"', listing)
    data = {pack: _digest(Path(folder[1]) / f"{pack}.traineddata") if folder else "" for pack in packs}
    return {"program": "tesseract", "version": tesseract_version(), "packs": list(data.items()), **SETTINGS}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(packs: Sequence[str], page: Page) -> tuple[str, str]:
    assert page.open_image is not None
    options = ["-l", "+".join(packs), "--psm", str(SETTINGS["psm"]), "--oem", str(SETTINGS["oem"])]
    done = _run(["stdin", "stdout", *options], _png(page.open_image()))
    if done.returncode:
        reason = next(iter(done.stderr.decode(errors="replace").splitlines()), f"exit code {done.returncode}")
        raise DataError(
            "JV426", f"tesseract cannot read page '{page.id}': {reason}", "check the page's image"
        )
    return page.content, done.stdout.decode(errors="replace").strip()


def _png(image: "Image") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _run(arguments: Sequence[str], data: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    one_thread = {
        **os.environ,
        "OMP_THREAD_LIMIT": "1",
    }  # pages run in parallel; more threads slow each other down
    try:
        return subprocess.run(["tesseract", *arguments], input=data, capture_output=True, env=one_thread)
    except (FileNotFoundError, PermissionError):
        raise UsageError("JV104", "the program tesseract is not installed", INSTALL) from None
