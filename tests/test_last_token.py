"""Qwen-VL models whose last token is the vector: what they read, against the published code of each kind."""

import json
import shutil

import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize
from transformers import (
    AutoModel,
    AutoTokenizer,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
)

from jina_vdr.encoders.base import gather
from jina_vdr.encoders.transformers_models import transformers_model
from jina_vdr.errors import DataError, UsageError
from jina_vdr.model import ModelSpec, Options
from jina_vdr.modelfile import ModelFile, Prompts, Templates
from jina_vdr.records import Page
from tests.vision_checkpoints import IMAGE, write
from tests.vision_encoders import PAGES, PICTURES, TEXTS, close, texts

PAD = "<|image_pad|>"
ANSWER = "<|im_end|>\n<|im_start|>assistant\n<|endoftext|>"
DSE = Templates(
    query="<|im_start|>user\n" + IMAGE + "{prompt}{text}" + ANSWER,
    image="<|im_start|>user\n" + IMAGE + "What is shown in this image?" + ANSWER,
    text="<|im_start|>user\n" + IMAGE + "{prompt}{text}" + ANSWER,
)
GME = Templates(
    query="<|im_start|>system\n{prompt}<|im_end|>\n<|im_start|>user\n{text}" + ANSWER,
    image="<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\n" + IMAGE + ANSWER,
    text="<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\n{text}" + ANSWER,
    positions="sequence",
)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write(tmp_path_factory.mktemp("models"), "qwen2", "qwen2.5", "qwen3")


def encoder(folder, templates=None, prompts=None, **options):
    known = templates and ModelFile(
        name="org/model",
        family="hf",
        revision="0" * 40,
        vector_types=["single"],
        templates=templates,
        prompts=prompts or Prompts(),
    )
    asked = Options(device="cpu", image_backend="pil", **options)
    return transformers_model(ModelSpec("hf", str(folder), options=asked, known=known))


def both(ours):
    return gather(ours.encode_queries(TEXTS)).values, gather(ours.encode_documents(PAGES)).values


def prepared(folder, written, pictures, side):
    """Return what Qwen's processor, which takes torchvision, makes of texts with an image in each."""
    scaled = Qwen2VLImageProcessorPil.from_pretrained(folder)(pictures, return_tensors="pt")
    counts = (scaled["image_grid_thw"].prod(1) // 4).tolist()
    tokens = AutoTokenizer.from_pretrained(folder, padding_side=side)
    expanded = [text.replace(PAD, PAD * count) for text, count in zip(written, counts, strict=True)]
    inputs = tokens(expanded, padding="longest", return_tensors="pt")
    image = (inputs["input_ids"] == tokens.convert_tokens_to_ids(PAD)).int()
    return {**inputs, **scaled, "mm_token_type_ids": image}


def dse(folder, templates, asked):
    """Return what DSE's page makes of queries, pages, texts of pages.

    They are the states before the head, with padding on the left, and a blank image beside a text.
    """
    network = Qwen2VLForConditionalGeneration.from_pretrained(folder)
    blanks = [Image.new("RGB", (templates.blank, templates.blank))] * len(asked)
    sides = [
        ([templates.query.replace("{prompt}{text}", f"Query: {text}") for text in asked], blanks),
        ([templates.image] * len(PICTURES), PICTURES),
        ([templates.text.replace("{prompt}{text}", f"Document: {text}") for text in asked], blanks),
    ]
    vectors = []
    for written, pictures in sides:
        with torch.inference_mode():
            inputs = prepared(folder, written, pictures, "left")
            states = network(**inputs, output_hidden_states=True).hidden_states[-1]
        vectors.append(states[:, -1])
    return vectors


@pytest.mark.parametrize("dim", [None, 8])
def test_dse_reads_as_on_its_page(models, dim):
    templates = DSE.model_copy(update={"blank": 56})
    prompts = Prompts(query="Query: ", document="Document: ")
    ours = encoder(models["qwen2"], templates, prompts, truncate_dim=dim)
    read = [Page(str(i), str(i), None, lambda text=text: text) for i, text in enumerate(TEXTS)]
    whole = (*both(ours), gather(ours.encode_documents(read)).values)
    for found, wanted in zip(whole, dse(models["qwen2"], templates, TEXTS), strict=True):
        close(found, normalize(wanted[:, :dim], dim=-1), 1e-5)


def test_a_blank_image_has_the_size_the_model_wants_whatever_pages_have(models):
    for side, count in ((28, 1), (56, 4)):
        ours = encoder(models["qwen2"], DSE.model_copy(update={"blank": side}))
        inputs = ours._prepare_texts(["a", "lang und länger"], is_query=True)
        assert inputs["mm_token_type_ids"].sum(1).tolist() == [count, count]
        assert inputs["image_grid_thw"].prod(1).tolist() == [4 * count, 4 * count]


def test_gme_numbers_the_tokens_of_an_image_as_those_of_a_text(models):
    """Its code hands the text part embeddings alone, which then knows no image."""
    network = Qwen2VLForConditionalGeneration.from_pretrained(models["qwen2"]).model
    inputs = prepared(models["qwen2"], [GME.image] * len(PICTURES), PICTURES, "right")
    with torch.inference_mode():
        embedded = network.get_input_embeddings()(inputs["input_ids"])
        seen = network.visual(inputs["pixel_values"], grid_thw=inputs["image_grid_thw"]).pooler_output
        embedded[inputs["mm_token_type_ids"].bool()] = seen
        states = network.language_model(inputs_embeds=embedded, attention_mask=inputs["attention_mask"])[0]
    last = states[range(len(PICTURES)), inputs["attention_mask"].sum(1) - 1]
    found = gather(encoder(models["qwen2"], GME).encode_documents(PAGES)).values
    close(found, normalize(last, dim=-1), 1e-5)
    grid = encoder(models["qwen2"], GME.model_copy(update={"positions": "grid"}))
    assert abs(gather(grid.encode_documents(PAGES)).values - found).max() > 0.01


@pytest.mark.parametrize("prompt", [None, "Represent it."])
@pytest.mark.parametrize("name", ["qwen2", "qwen2.5", "qwen3"])
def test_without_a_model_file_the_checkpoints_chat_template_is_read(models, name, prompt):
    network = AutoModel.from_pretrained(models[name])
    tokens = AutoTokenizer.from_pretrained(models[name])
    system = [{"role": "system", "content": [{"type": "text", "text": prompt}]}] if prompt else []
    ours = encoder(models[name], query_prompt=prompt, document_prompt=prompt)
    found = gather(ours.encode_queries(TEXTS)).values
    for vector, text in zip(found, TEXTS, strict=True):
        turns = [*system, {"role": "user", "content": [{"type": "text", "text": text}]}]
        inputs = tokens.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            state = network(**inputs).last_hidden_state[0, -1]
        close(vector, normalize(state, dim=-1), 1e-5)
    written = ours.info.settings["templates"]
    assert written["image"].count(PAD) == 1
    assert ("<|im_start|>system\nRepresent it." in written["image"]) == bool(prompt)


def test_a_text_after_an_image_has_the_vector_it_had_before(models):
    ours = encoder(models["qwen3"])
    before, _ = both(ours)
    after, _ = both(ours)
    close(before, after, 1e-7)


def test_a_text_is_read_to_its_end_and_braces_are_nothing_special(models):
    asked = ["x" * 400, "x" * 401, "{text}", "{prompt} {0} %s"]
    templates = DSE.model_copy(update={"query": DSE.query.replace(ANSWER, "{}" + ANSWER)})
    found = torch.cat(texts(encoder(models["qwen2"], templates), asked))
    assert len({vector[0].item() for vector in found}) == len(asked)


def test_what_a_model_reads_is_part_of_its_settings(models):
    changes = [{}, {"blank": 56}, {"positions": "sequence"}, {"text": DSE.text + "."}]
    settings = [encoder(models["qwen2"], DSE.model_copy(update=change)).info.settings for change in changes]
    settings.append(encoder(models["qwen2"], DSE, Prompts(query="Query: ")).info.settings)
    assert len({json.dumps(one) for one in settings}) == len(settings)
    assert settings[-1]["prompts"] == {"query": "Query: ", "document": ""}
    assert "Query: {text}" in settings[-1]["templates"]["query"]


@pytest.mark.parametrize(
    ("change", "options", "kind", "said"),
    [
        ({"query": "<|im_start|>"}, {}, DataError, "no place for a text"),
        ({"image": "<|im_start|>"}, {}, DataError, "no place for one"),
        ({"query": "{text}"}, {"query_prompt": "Q: "}, UsageError, "no place for --query-prompt"),
        ({"text": "{text}"}, {"document_prompt": "D: "}, UsageError, "no place for --document-prompt"),
    ],
)
def test_templates_that_lack_a_place_are_refused(models, change, options, kind, said):
    with pytest.raises(kind, match=said):
        encoder(models["qwen2"], DSE.model_copy(update=change), **options)


def test_a_checkpoint_without_any_template_is_refused(models, tmp_path):
    folder = shutil.copytree(models["qwen2"], tmp_path / "model")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(DataError, match="chat_template is not set") as refused:
        encoder(folder)
    assert refused.value.code == "JV441"
