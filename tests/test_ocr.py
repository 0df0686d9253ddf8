"""Tesseract reads page images, and the store remembers what it read."""

import os
import shutil
import stat
from pathlib import Path

import pymupdf
import pytest
from PIL import Image, ImageDraw

from jina_vdr.errors import DataError, UsageError
from jina_vdr.languages import LANGUAGES
from jina_vdr.lexical import tokens
from jina_vdr.ocr import BATCH, read_images
from jina_vdr.records import Page
from jina_vdr.store import Store

SENTENCES = {
    "ara": "عدد سكان المدينة الكبيرة",
    "ben": "শহরের মোট জনসংখ্যা কত",
    "deu": "Die Straße führt über große Brücken",
    "eng": "The castle stands above the river",
    "spa": "La niña corre por la montaña",
    "fra": "Le château est près de la forêt",
    "hin": "भारत की राजधानी दिल्ली है",
    "hun": "A gyönyörű város több nevezetessége",
    "ind": "Rumah besar itu berada di kota",
    "ita": "La città è più bella di sera",
    "jpn": "東京は日本の首都です",
    "kor": "서울은 한국의 수도입니다",
    "mya": "မြန်မာနိုင်ငံ",
    "nld": "Het grote huis staat naast de rivier",
    "por": "A estação fica perto do coração",
    "rus": "Большой дом стоит на берегу реки",
    "tha": "ประเทศไทยมีเมืองใหญ่",
    "urd": "پاکستان کا بڑا شہر",
    "vie": "Thành phố lớn nhất của Việt Nam",
    "zho": "北京是中国的首都",
}


def written(text: str) -> Image.Image:
    """Draw a heading and paragraphs of `text` with the fonts that PyMuPDF brings for all scripts."""
    document = pymupdf.open()
    sheet = document.new_page(width=420, height=330)
    paragraphs = f'<p style="font-size:12px;line-height:1.6">{f"{text} " * 4}</p>' * 4
    sheet.insert_htmlbox(pymupdf.Rect(20, 10, 400, 320), f"<h2>{text}</h2>{paragraphs}")
    pixels = sheet.get_pixmap(dpi=150)
    return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)


def painted(text: str) -> Image.Image:
    image = Image.new("RGB", (500, 90), "white")
    ImageDraw.Draw(image).text((20, 20), text, "black", font_size=40)
    return image


def page(name: str, image, content: str = "") -> Page:
    return Page(name, content or name, image if callable(image) else lambda: image, lambda: None)


def must_not_open() -> Image.Image:
    raise AssertionError("this image is not to be read")


@pytest.fixture
def calls(tmp_path, monkeypatch) -> Path:
    """Put a `tesseract` in front of the real one that notes its arguments and hands over to it."""
    log, folder = tmp_path / "calls", tmp_path / "bin"
    folder.mkdir()
    script = folder / "tesseract"
    script.write_text(
        f'#!/bin/sh\necho "$OMP_THREAD_LIMIT $@" >> "{log}"\nexec "{shutil.which("tesseract")}" "$@"\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return log


@pytest.mark.parametrize("name", SENTENCES)
def test_each_language_is_read_with_its_own_pack(name, tmp_path):
    tag = next(language.tag for language in LANGUAGES if language.tag.startswith(name))
    text = read_images([page("p", written(SENTENCES[name]))], [tag], Store(tmp_path))["p"]
    words = tokens(SENTENCES[name])
    assert len(set(words) & set(tokens(text))) / len(set(words)) >= 0.6


def test_a_text_is_kept_and_its_image_never_opened_again(tmp_path):
    first = read_images([page("a", painted("Castle"), "same")], ["eng-Latn"], Store(tmp_path))
    again = read_images([page("b", must_not_open, "same")], ["eng-Latn"], Store(tmp_path))
    assert again == first == {"same": "Castle"}


def test_pages_of_equal_content_are_read_once(tmp_path, calls):
    pages = [page(f"p{i}", painted("Bridge"), "same") for i in range(3)] + [page("other", painted("Castle"))]
    texts = read_images(pages, ["eng-Latn"], Store(tmp_path / "store"))
    assert texts == {"same": "Bridge", "other": "Castle"}
    assert sum("stdin" in line for line in calls.read_text().splitlines()) == 2


def test_an_empty_page_has_an_empty_text_that_is_kept_too(tmp_path):
    assert read_images([page("p", Image.new("RGB", (200, 200), "white"))], [], Store(tmp_path)) == {"p": ""}
    assert read_images([page("p", must_not_open)], [], Store(tmp_path)) == {"p": ""}


def test_other_languages_do_not_share_texts(tmp_path):
    read_images([page("p", painted("Castle"))], ["eng-Latn"], Store(tmp_path))
    with pytest.raises(AssertionError, match="not to be read"):
        read_images([page("p", must_not_open)], ["deu-Latn"], Store(tmp_path))


@pytest.mark.parametrize(
    ("languages", "packs"),
    [
        ((), "eng"),
        (("und",), "eng"),
        (("xho-Latn",), "eng"),
        (("jpn-Jpan", "eng-Latn", "jpn-Jpan"), "jpn+eng"),
        (("zho-Hans",), "chi_sim"),
    ],
)
def test_packs_follow_the_languages_and_the_program_runs_on_one_thread(languages, packs, tmp_path, calls):
    read_images([page("p", painted("x"))], languages, Store(tmp_path / "store"))
    assert calls.read_text().splitlines()[-1] == f"1 stdin stdout -l {packs} --psm 4 --oem 1"


def test_a_page_that_cannot_be_read_is_named_with_the_reason(tmp_path):
    with pytest.raises(DataError, match=r"JV426.*cannot read page 'wide': Image too large"):
        read_images([page("wide", Image.new("RGB", (40_000, 5), "white"))], ["eng-Latn"], Store(tmp_path))


def test_batches_before_a_failure_are_kept(tmp_path):
    small = Image.new("RGB", (60, 60), "white")
    good = [page(f"p{i}", small) for i in range(BATCH)]
    with pytest.raises(DataError):
        read_images([*good, page("wide", Image.new("RGB", (40_000, 5)))], ["eng-Latn"], Store(tmp_path))
    kept = [page(item.id, must_not_open) for item in good]
    assert len(read_images(kept, ["eng-Latn"], Store(tmp_path))) == BATCH


def test_a_missing_program_is_a_usage_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"JV104.*not installed; run: apt install tesseract-ocr"):
        read_images([page("p", painted("x"))], ["eng-Latn"], Store(tmp_path))


def test_a_program_that_may_not_be_run_is_as_good_as_missing(tmp_path, monkeypatch):
    (tmp_path / "tesseract").write_text("#!/bin/sh\n")
    test_a_missing_program_is_a_usage_error(tmp_path, monkeypatch)


def test_a_missing_pack_is_a_usage_error_that_names_its_package(tmp_path, monkeypatch):
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    with pytest.raises(UsageError, match=r"JV105.*'chi_tra'; run: apt install tesseract-ocr-chi-tra"):
        read_images([page("p", painted("x"))], ["zho-Hant"], Store(tmp_path))


def test_no_page_needs_no_program(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_images([], ["eng-Latn"], Store(tmp_path)) == {}
