"""Text models over pages: the text column, a PDF's text, or what Tesseract reads, which all share."""

import io
import json
import subprocess
from functools import cache

import pytest
from PIL import Image, ImageDraw
from sentence_transformers import CrossEncoder, SentenceTransformer
from torch.nn import Identity

from jina_vdr.errors import UsageError
from jina_vdr.model import Options
from jina_vdr.pipeline import make_pipeline, resolve_pipeline
from jina_vdr.store import Store
from jina_vdr.task import load_task
from tests import checkpoints, reranker_checkpoints
from tests.needs import needs_program
from tests.replicas import beir, images, load, task_file
from tests.test_ocr import calls  # noqa: F401

WORDS = ["Castle", "River", "Bridge", "Garden"]
TEXTS = ["the castle above", None, "", "a garden"]
QUERIES = ["a castle", "the river"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {
        "text": checkpoints.text_model(root / "text"),
        "image": checkpoints.image_model(root / "image"),
        "reranker": reranker_checkpoints.cross_encoder(root / "reranker"),
    }


def painted(text):
    image = Image.new("RGB", (500, 90), "white")
    ImageDraw.Draw(image).text((20, 20), text, "black", font_size=40)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def written(root, texts):
    """Write four pages with a word in each image, and a column of texts."""
    corpus = {"image": images([painted(word) for word in WORDS]), "text": texts}
    beir(root / "data/default", n_pages=4, n_queries=2, corpus=corpus, queries={"query": QUERIES})
    return task_file(root, {}, eval_langs=["eng-Latn"])


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """Write pages of which two have a text of their own; what is read of the others is kept beside them."""
    return written(tmp_path_factory.mktemp("task"), TEXTS)


@cache
def read(text):
    """Read an image as the documentation says that it is read."""
    command = ["tesseract", "stdin", "stdout", "-l", "eng", "--psm", "4", "--oem", "1"]
    done = subprocess.run(command, input=painted(text), capture_output=True, check=True)
    return done.stdout.decode().strip()


def ranked(task, model, rerank=None, **options):
    pipeline = resolve_pipeline(str(model), rerank and str(rerank), None, Options(**options))
    ranker = make_pipeline(pipeline, Store(task.parent / "store"))
    return ranker.info, ranker.rank(load(load_task(task)), 4)


def by_page(run):
    return [dict(zip(run[q].ids, run[q].scores.tolist(), strict=True)) for q in ("0", "1")]


def expected(folder, texts):
    theirs = SentenceTransformer(str(folder), device="cpu")
    scores = theirs.similarity(theirs.encode_query(QUERIES), theirs.encode_document(texts)).tolist()
    return [{str(i): pytest.approx(score, abs=1e-5) for i, score in enumerate(row)} for row in scores]


@pytest.fixture
def readings(request):
    """Count the images that tesseract has read."""
    needs_program("tesseract")
    log = request.getfixturevalue("calls")
    return lambda: sum("stdin" in line for line in log.read_text().splitlines())


def test_a_text_column_is_encoded_as_it_stands_and_nothing_is_read(models, tmp_path, monkeypatch):
    texts = ["the castle above", "rivers", "some bridge", "a garden"]
    task = written(tmp_path, texts)
    monkeypatch.setenv("PATH", str(tmp_path))
    info, run = ranked(task, models["text"])
    assert by_page(run) == expected(models["text"], texts)
    assert info.settings["reading"] == {"tesseract": None, "psm": 4, "oem": 1}
    _, of_image_model = ranked(task, models["image"], document_input="text")
    assert by_page(of_image_model) == expected(models["image"], [{"text": text} for text in texts])


def test_pages_without_a_text_of_their_own_are_read(models, task):
    needs_program("tesseract")
    texts = [text or read(word) for text, word in zip(TEXTS, WORDS, strict=True)]
    assert texts[1:3] == WORDS[1:3]
    assert by_page(ranked(task, models["text"])[1]) == expected(models["text"], texts)


def test_all_pages_are_read_where_the_user_says_so(models, task):
    needs_program("tesseract")
    for model in ("text", "image"):
        info, run = ranked(task, models[model], document_input="ocr")
        wanted = [{"text": read(word)} if model == "image" else read(word) for word in WORDS]
        assert by_page(run) == expected(models[model], wanted)
        version = subprocess.run(["tesseract", "--version"], capture_output=True, text=True, check=True)
        assert info.settings["reading"]["tesseract"] == version.stdout.split()[1]


def test_a_page_is_read_once_for_all_that_want_its_text(models, tmp_path, readings):
    task = written(tmp_path, TEXTS)
    ranked(task, "tesseract")
    assert readings() == 4
    ranked(task, "bm25")
    ranked(task, models["text"])
    ranked(task, models["text"], document_input="ocr")
    ranked(task, f"rrf:bm25,tesseract,{models['text']}")
    ranked(task, "tesseract", models["reranker"], document_input="ocr")
    assert readings() == 4


def test_what_is_read_of_a_page_is_part_of_the_identity(models, task):
    def settings(model, **options):
        pipeline = resolve_pipeline(str(models[model]), None, None, Options(**options))
        return make_pipeline(pipeline, Store(task.parent / "store")).info.settings

    found = [
        settings("image"),
        settings("image", document_input="text"),
        settings("image", document_input="ocr"),
    ]
    assert len({json.dumps(said, sort_keys=True) for said in found}) == 3
    assert ["reading" in said for said in found] == [False, True, True]


def test_a_cross_encoder_scores_what_is_read(models, task):
    needs_program("tesseract")
    info, run = ranked(task, "fake", models["reranker"], document_input="ocr")
    model = CrossEncoder(str(models["reranker"]), device="cpu")
    for query, found in zip(QUERIES, by_page(run), strict=True):
        scores = model.predict([(query, read(word)) for word in WORDS], activation_fn=Identity()).tolist()
        assert found == {str(i): pytest.approx(score, abs=1e-5) for i, score in enumerate(scores)}
    assert info.settings["reranker"]["settings"]["document_input"] == "ocr"
    assert info.settings["reranker"]["settings"]["reading"]["psm"] == 4


def test_images_without_text_ask_for_tesseract(models, tmp_path, monkeypatch, complains):
    task = written(tmp_path, TEXTS)
    monkeypatch.setenv("PATH", str(task.parent))
    model = f"st:{models['text']}"
    complains(["eval", "--task", task, "--model", model], "JV104", "apt install tesseract-ocr")
    for pipeline in ([f"rrf:fake,{model}"], ["fake", models["reranker"]]):
        with pytest.raises(UsageError, match="JV104"):
            ranked(task, *pipeline)
