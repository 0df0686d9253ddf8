"""Real PDFs that nobody here made: Debian's manuals, asked about in three languages."""

import gzip
import json
import shutil
from pathlib import Path

import pymupdf
import pytest

from jina_vdr.cli import main
from tests.needs import needs_file, needs_program
from tests.replicas import table, task_file

ACME = Path(__file__).parent / "acme"
MANUALS = (
    "/usr/share/debian-reference/debian-reference.de.pdf",
    "/usr/share/doc/installation-guide-amd64/en/install.en.pdf.gz",
    "/usr/share/doc/installation-guide-amd64/fr/install.fr.pdf.gz",
)


def unpack(manual: str, folder: Path) -> Path:
    """Copy a manual, unpacked, into `folder`."""
    source = needs_file(manual)
    path = folder / source.name.removesuffix(".gz")
    folder.mkdir(parents=True, exist_ok=True)
    data = source.read_bytes()
    path.write_bytes(gzip.decompress(data) if source.suffix == ".gz" else data)
    return path


def evaluated(capsys: pytest.CaptureFixture[str], model: str, task: Path, folder: Path) -> dict[str, float]:
    """Return the metrics of the one subset of `task`."""
    places = ["--results", str(folder / "results"), "--cache", str(folder / "cache")]
    assert main(["eval", "--model", model, "--task", str(task), "--json", *places]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    (scores,) = result["scores"]
    metrics: dict[str, float] = scores["metrics"]
    return metrics


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    for manual in MANUALS:
        unpack(manual, tmp_path / "acme" / "pdfs")
    for name in ("queries.csv", "qrels.tsv"):
        shutil.copy(ACME / name, tmp_path / "acme")
    return Path(shutil.copy(ACME / "acme.yaml", tmp_path))


@pytest.fixture
def chapter(tmp_path: Path) -> Path:
    """Take seven pages out of a manual: reading all 504 with Tesseract takes minutes."""
    first, last = 44, 50
    whole = pymupdf.open(unpack(MANUALS[1], tmp_path))
    whole.select(range(first - 1, last))
    (tmp_path / "data").mkdir()
    whole.save(tmp_path / "data" / "chapter.pdf")
    questions = [line.split(",") for line in (ACME / "queries.csv").read_text().splitlines()]
    judged = [line.split("\t") for line in (ACME / "qrels.tsv").read_text().splitlines()]
    kept = [
        (query, f"chapter_p{number - first + 1}", score)
        for query, page, score in judged[1:]
        if page.startswith("install.en_p") and first <= (number := int(page.rpartition("_p")[2])) <= last
        if query.startswith("en")
    ]
    asked = [row for row in questions[1:] if row[0] in {query for query, *_ in kept}]
    table(tmp_path / "data" / "queries.csv", questions[0], *asked)
    table(tmp_path / "data" / "qrels.tsv", judged[0], *kept)
    render = {"dpi": 110, "max_side": 1600}
    return task_file(tmp_path, {"format": "folder", "render": render}, eval_langs=["eng-Latn"])


def test_bm25_finds_pages_in_the_text_of_504_pages(acme, tmp_path, capsys):
    metrics = evaluated(capsys, "bm25", acme, tmp_path)
    assert 0.5 < metrics["ndcg_at_5"] < 0.7
    assert metrics["recall_at_100"] > 0.9


def test_tesseract_finds_pages_in_their_images_as_bm25_does_in_their_text(chapter, tmp_path, capsys):
    needs_program("tesseract")
    seen, read = (evaluated(capsys, model, chapter, tmp_path) for model in ("tesseract", "bm25"))
    assert read["ndcg_at_5"] > 0.6
    assert abs(seen["ndcg_at_5"] - read["ndcg_at_5"]) < 0.25
