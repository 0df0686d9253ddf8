"""Cross-encoders of sentence-transformers as rerankers: their own scores, over texts and images."""

import json
import shutil
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from pytrec_eval import RelevanceEvaluator
from sentence_transformers import CrossEncoder

from jina_vdr.checkpoint import open_checkpoint
from jina_vdr.cli import main
from jina_vdr.errors import DataError, OutOfMemory
from jina_vdr.family import RERANKERS
from jina_vdr.model import ModelSpec, Options
from jina_vdr.pipeline import make_pipeline, resolve_pipeline
from jina_vdr.reranker_name import reranker_of, resolve_reranker
from jina_vdr.rerankers.calls import IMAGES
from jina_vdr.rerankers.cross_encoder import CrossEncoders
from jina_vdr.store import Store
from tests import checkpoints, reranker_checkpoints
from tests.checkpoints import starve
from tests.rankers import page, pairs, picture, scored
from tests.replicas import beir, task_file

QUERIES = ["Wie hoch ist der Turm?", "zwei", "", "1.234,5 kg"]
TEXTS = ["Seite 1", "der Turm ist 12 m hoch", "", "zwei drei vier", "Ende der Liste."]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("rerankers")
    return {
        "plain": reranker_checkpoints.cross_encoder(root / "plain"),
        "saved": reranker_checkpoints.saved_cross_encoder(root / "saved"),
        "image": reranker_checkpoints.image_cross_encoder(root / "image"),
        "two": reranker_checkpoints.cross_encoder(root / "two", labels=2),
    }


def reranker(folder, **options):
    return CrossEncoders(ModelSpec("cross-encoder", str(folder), options=Options(device="cpu", **options)))


@cache
def original(folder):
    return CrossEncoder(str(folder), device="cpu")


def theirs(folder, asked, **options):
    return (
        original(folder).predict(asked, activation_fn=torch.nn.Identity(), batch_size=1, **options).tolist()
    )


@pytest.mark.parametrize("name", ["plain", "saved"])
def test_a_pair_has_the_score_of_sentence_transformers_before_the_sigmoid(models, name):
    asked = pairs([page(i, text) for i, text in enumerate(TEXTS)], QUERIES)
    wanted = theirs(models[name], [(query.text, page.read_text()) for query, page in asked])
    assert scored(reranker(models[name]), asked) == pytest.approx(wanted, abs=1e-5)
    assert len(set(np.round(wanted, 4))) > 15


def test_the_prompt_of_the_checkpoint_counts_unless_the_user_chooses_another(models):
    asked = pairs([page(0, "Seite")], QUERIES)
    texts = [(query.text, "Seite") for query, _ in asked]
    for prompt in ("", "was: "):
        wanted = theirs(models["plain"], [(prompt + query, text) for query, text in texts])
        assert scored(reranker(models["plain"], query_prompt=prompt), asked) == pytest.approx(
            wanted, abs=1e-5
        )
    own = [("frage: " + query, text) for query, text in texts]
    wanted = theirs(models["saved"], own, prompt="")
    assert scored(reranker(models["saved"]), asked) == pytest.approx(wanted, abs=1e-5)


def test_pages_are_seen_as_images_and_read_where_they_have_none(models):
    ours = reranker(models["image"])
    assert ours.document_input == "image"
    pages = [page(0, "Text zum Bild", picture(0)), page(1, "nur Text"), page(2, None, picture(2)), page(3)]
    asked = pairs(pages, QUERIES[:2])
    documents = [{"image": picture(0)}, {"text": "nur Text"}, {"image": picture(2)}, {"text": ""}]
    wanted = [
        theirs(models["image"], [({"text": query}, document)])[0]
        for query in QUERIES[:2]
        for document in documents
    ]
    assert scored(ours, asked) == pytest.approx(wanted, abs=1e-5)
    assert len(set(np.round(wanted, 3))) == 8


def test_more_images_than_are_opened_at_a_time_are_scored_each_in_its_place(models):
    images = [Image.new("RGB", (40, 60), (i * 7, 255 - i * 7, 90)) for i in range(IMAGES + 3)]
    asked = pairs([page(i, None, image) for i, image in enumerate(images)], ["zwei"])
    wanted = theirs(models["image"], [({"text": "zwei"}, {"image": image}) for image in images])
    assert scored(reranker(models["image"]), asked) == pytest.approx(wanted, abs=1e-5)
    assert len(set(np.round(wanted, 4))) == len(images)


def test_an_image_model_reads_texts_where_it_is_told_to(models):
    ours = reranker(models["image"], document_input="text")
    assert ours.document_input == "text"
    wanted = theirs(models["image"], [({"text": "zwei"}, {"text": "Text zum Bild"})])
    asked = pairs([page(0, "Text zum Bild", picture(0))], ["zwei"])
    assert scored(ours, asked) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("name", ["plain", "image"])
def test_a_text_that_looks_like_an_image_is_read_as_text(models, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(1).save("page.png")
    texts = ["page.png", "https://example.com/page.png", "data:image/png;base64,AAAA"]
    found = scored(reranker(models[name]), pairs([page(i, text) for i, text in enumerate(texts)], texts))
    masked = [text.replace("page.png", "page.pn").replace("data:", "dita:") for text in texts]
    other = scored(reranker(models[name]), pairs([page(i, text) for i, text in enumerate(masked)], masked))
    assert not np.allclose(found, other, atol=1e-4)
    assert len(set(np.round(found, 4))) == 9


def test_where_memory_runs_out_batches_are_halved_and_stay_so(models):
    ours = reranker(models["plain"], batch_size=100)
    asked = pairs([page(i, text) for i, text in enumerate(TEXTS)], QUERIES[:2])
    wanted = scored(ours, asked)
    sizes = starve(ours._model, fits=3)
    assert scored(ours, asked) == pytest.approx(wanted, abs=1e-5)
    assert sizes == [10, 5, 2, 2, 2, 2, 2]
    scored(ours, asked)
    assert sizes[7:] == [2] * 5


def test_a_pair_that_does_not_fit_ends_the_run(models):
    ours = reranker(models["plain"])
    starve(ours._model, fits=0)
    with pytest.raises(OutOfMemory) as refused:
        scored(ours, pairs([page(0, "Seite")], QUERIES))
    assert refused.value.code == "JV501"


@pytest.mark.parametrize("name", ["two", "empty", "cut weights"])
def test_a_folder_that_is_no_reranker_is_one_line(models, name):
    folder = models["two"] if name == "two" else checkpoints.damaged(models["saved"], name)
    with pytest.raises(DataError) as refused:
        scored(reranker(folder), pairs([page(0, "Seite")], QUERIES))
    assert refused.value.code == "JV441"
    assert "\n" not in str(refused.value)
    assert ("2 scores a pair" if name == "two" else name) in str(refused.value)


def test_what_can_change_a_score_is_in_the_settings(models, tmp_path):
    def said(folder=models["plain"], **options):
        info = reranker(folder, **options).info
        return json.dumps([info.revision, info.settings], sort_keys=True)

    changed = shutil.copytree(models["plain"], tmp_path / "changed")
    (changed / "tokenizer_config.json").write_text('{"model_max_length": 32}')
    options = [
        {"dtype": "bfloat16"},
        {"attention": "eager"},
        {"query_prompt": "x"},
        {"document_input": "ocr"},
        {"max_pixels": 9},
    ]
    found = [said(), said(changed), *(said(**given) for given in options)]
    assert len(set(found)) == len(found)
    assert said(batch_size=3) == said()
    assert reranker(models["plain"], batch_size=3).info.runtime == {"device": "cpu", "batch_size": 3}


@pytest.mark.parametrize("architecture", ["BertForSequenceClassification", "Qwen3ForCausalLM"])
def test_a_bare_classifier_or_language_model_is_a_cross_encoder(tmp_path, architecture):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    assert reranker_of(open_checkpoint(str(tmp_path))) == "cross-encoder"
    (tmp_path / "modules.json").write_text("[]")
    assert reranker_of(open_checkpoint(str(tmp_path))) is None


def test_what_a_checkpoint_says_of_itself_decides_what_reranks(models, tmp_path):
    encoder = checkpoints.text_model(tmp_path / "encoder")
    names = [str(models["plain"]), f"st:{models['plain']}", f"cross-encoder:{models['plain']}"]
    found = [
        resolve_reranker(name).family for name in (*names, str(models["saved"]), f"st:{encoder}", "fake")
    ]
    assert found == ["cross-encoder"] * 4 + ["st", "fake"]
    assert set(found) & set(RERANKERS) == {"cross-encoder"}


def test_of_several_devices_a_reranker_takes_the_first(models, tmp_path):
    for asked, taken in ((None, None), ("cpu", "cpu"), ("cpu,cuda:0", "cpu")):
        pipeline = resolve_pipeline("bm25", str(models["plain"]), None, Options(device=asked))
        assert make_pipeline(pipeline, Store(tmp_path)).info.runtime["reranker.device"] == taken


PAGES = [f"Seite {i} von {i * i}" for i in range(12)]


@pytest.fixture
def task(tmp_path):
    beir(tmp_path / "data/default", n_pages=12, n_queries=5, corpus={"text": PAGES})
    return task_file(tmp_path, {})


def evaluated(task, *arguments, results="results"):
    folders = ["--results", str(task.parent / results), "--cache", str(task.parent / "cache")]
    assert (
        main(["eval", "--model", "fake", "--task", str(task), "--device", "cpu", *folders, *arguments]) == 0
    )
    (path,) = (task.parent / results).glob("*/*/*.json")
    return path, json.loads(path.read_text())


def test_an_evaluation_gives_what_trec_eval_makes_of_the_order_of_predict(models, task, capsys):
    path, result = evaluated(task, "--rerank", str(models["plain"]), "--rerank-top", "12")
    ranked, order = {}, {}
    for i in range(5):
        scores = original(models["plain"]).predict([(f"Frage {i}", text) for text in PAGES]).tolist()
        ranked[str(i)] = {str(p): score for p, score in enumerate(scores)}
        order[str(i)] = [p for _, p in sorted(((s, p) for p, s in ranked[str(i)].items()), reverse=True)]
    judged = {str(q): {str(q): 1, str(q + 1): 2} for q in range(5)}
    values = RelevanceEvaluator(judged, {"ndcg_cut_5"}).evaluate(ranked).values()
    mean = np.mean([value["ndcg_cut_5"] for value in values])
    assert result["scores"][0]["main_score"] == pytest.approx(mean)
    assert main(["results", "export", "--to", "trec", "--out", str(task.parent / "trec"), str(path)]) == 0
    (run,) = (task.parent / "trec").rglob("*.run")
    lines = [line.split() for line in run.read_text().splitlines()]
    assert {q: [line[2] for line in lines if line[0] == q] for q in order} == order
    assert result["model"]["name"] == "fake+plain"
    assert result["model"]["settings"]["reranker"]["family"] == "cross-encoder"
    assert f"{100 * mean:.2f}" in capsys.readouterr().out


def test_a_second_evaluation_runs_no_network(models, task, passes):
    arguments = ["--rerank", f"st:{models['plain']}", "--rerank-top", "7"]
    _, first = evaluated(task, *arguments)
    assert passes
    passes.clear()
    _, again = evaluated(task, *arguments, results="again")
    assert passes == []
    assert again["scores"][0]["metrics"] == first["scores"][0]["metrics"]


def test_a_cross_encoder_is_told_apart_from_a_model(models, task, complains):
    for name in (models["plain"], f"st:{models['plain']}", models["saved"], f"st:{models['saved']}"):
        complains(["eval", "--model", name, "--task", task], "JV142", f"--rerank {models['plain'].parent}")
