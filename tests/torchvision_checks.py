"""What takes torchvision to run; test_torchvision.py runs it in a process that has it."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import AutoProcessor, NeoMMEForRetrieval

from jina_vdr.cli import main
from jina_vdr.encoders.base import gather
from jina_vdr.errors import UsageError
from tests.checkpoints import WIDTH
from tests.vision_checkpoints import MAKERS, neomme, write
from tests.vision_encoders import PAGES, PICTURES, TEXTS, close, encoder, images, items, kept, texts

LATE = ["colqwen2", "colpali", "colmodernvbert"]
CHATS = ["qwen2", "qwen2.5", "qwen3"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    neomme(root / "neomme")
    return write(root, *MAKERS) | {"neomme": root / "neomme"}


@pytest.mark.parametrize("name", [*MAKERS, "neomme"])
def test_torchvision_scales_images_where_nothing_else_is_asked_for(models, name):
    settings = encoder(models[name], image_backend=None).info.settings
    assert settings["image_backend"] == "torchvision"
    assert settings["versions"]["torchvision"]


@pytest.mark.parametrize("name", MAKERS)
def test_pillow_and_torchvision_give_nearly_the_same(models, name):
    pages = [Image.fromarray(np.asarray(page)).resize((400, 300)) for page in PICTURES]  # to be scaled down
    ours, other = (encoder(models[name], image_backend=backend) for backend in ("torchvision", "pil"))
    assert "torchvision" not in other.info.settings["versions"]
    for found, wanted in zip(images(ours, pages), images(other, pages), strict=True):
        assert found.shape == wanted.shape
        assert torch.cosine_similarity(found, wanted, dim=-1).min() > 0.98
    close(texts(ours, ["ein Text"])[0], texts(other, ["ein Text"])[0], 1e-6)


@pytest.mark.parametrize("name", LATE)
def test_late_interaction_takes_what_the_checkpoints_own_processor_gives(models, name):
    ours, processor = encoder(models[name], image_backend=None), AutoProcessor.from_pretrained(models[name])
    wanted = processor.process_images(images=PICTURES)
    found = ours._prepare_images(PICTURES)
    assert set(found) == set(wanted)
    for key, value in found.items():
        close(value, wanted[key], 0)


@pytest.mark.parametrize("prompt", [None, "Represent it."])
@pytest.mark.parametrize("name", CHATS)
def test_last_tokens_are_those_of_sentence_transformers(models, name, prompt):
    started = {"chat_template": {"add_generation_prompt": True}}
    modules = [Transformer(str(models[name]), processing_kwargs=started), Pooling(WIDTH, "lasttoken")]
    theirs = SentenceTransformer(modules=[*modules, Normalize()], device="cpu")
    ours = encoder(models[name], image_backend=None, query_prompt=prompt, document_prompt=prompt)
    said = {"prompt": prompt} if prompt else {}
    queries, pages = gather(ours.encode_queries(TEXTS)).values, gather(ours.encode_documents(PAGES)).values
    asked, shown = theirs.encode([{"text": text} for text in TEXTS], **said), theirs.encode(PICTURES, **said)
    close(queries, asked, 1e-6)
    close(pages, shown, 1e-6)
    close(queries @ pages.T, theirs.similarity(asked, shown), 1e-6)


def conversations(processor, kind, content, task):
    turns = [[{"role": "user", "content": [{"type": kind, kind: one}]}] for one in content]
    options = {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
    return [processor.apply_chat_template([turn], task=task, **options) for turn in turns]


@pytest.mark.parametrize("vector_type", ["multi", "single"])
def test_neomme_gives_both_its_vectors(models, vector_type):
    network = NeoMMEForRetrieval.from_pretrained(models["neomme"])
    processor = AutoProcessor.from_pretrained(models["neomme"])
    ours = encoder(models["neomme"], vector_type=vector_type, image_backend=None)
    asked = conversations(processor, "text", TEXTS, "query")
    shown = conversations(processor, "image", PICTURES, "document")
    read = conversations(processor, "text", ["nur Text"], "document")
    with torch.inference_mode():
        outputs = [network(**inputs) for inputs in (*asked, *shown, *read)]
    key = "embeddings" if vector_type == "multi" else "dense_embeddings"
    wanted = [output[key][0] if vector_type == "multi" else output[key] for output in outputs]
    found = texts(ours, TEXTS) + images(ours, PICTURES) + texts(ours, ["nur Text"], is_query=False)
    for vectors, theirs in zip(found, wanted, strict=True):
        close(vectors, theirs, 1e-4)
    stored = items(gather(ours.encode_documents(PAGES)))
    for vectors, theirs in zip(stored, wanted[len(TEXTS) :][: len(PAGES)], strict=True):
        close(vectors, kept([theirs])[0], 1e-3)


def test_neomme_scales_images_to_the_pixels_asked_for(models):
    ours = encoder(models["neomme"], max_pixels=8 * 16**2, image_backend=None)
    assert ours.info.settings["max_pixels"] == 8 * 16**2
    tokens = ours._prepare_images([Image.new("RGB", (320, 160))])["input_ids"]
    assert tokens.shape[1] == 2 + 2 * (4 + 1)  # <doc> <img>, two rows of four patches and a mark
    with pytest.raises(UsageError, match="scaled by torchvision alone") as refused:
        encoder(models["neomme"])
    assert refused.value.code == "JV108"


@pytest.mark.parametrize("name", ["neomme", "qwen3"])
def test_the_demo_is_evaluated_with_torchvision(models, tmp_path, name):
    options = ["--benchmark", "demo", "--language", "deu", "--limit", "3", "--device", "cpu"]
    places = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    assert main(["eval", "--model", f"hf:{models[name]}", *options, *places]) == 0
    for path in tmp_path.glob("results/*/*/*.json"):
        model = json.loads(path.read_text())["model"]
        assert model["settings"]["image_backend"] == "torchvision"
        assert model["vector_type"] == ("multi" if name == "neomme" else "single")
