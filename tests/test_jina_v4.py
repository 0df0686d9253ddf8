"""jina-embeddings-v4: the vectors its definition gives, from one pass, whatever the batch."""

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Qwen2_5_VLModel

from jina_vdr.cli import main
from jina_vdr.encoders.base import gather
from jina_vdr.encoders.jina_v4 import JinaV4
from jina_vdr.errors import DataError, UsageError
from jina_vdr.model import Options, parse_model
from jina_vdr.records import Page
from tests.jina_v4_checkpoint import DIMS, HIDDEN, TASKS, TOKEN_DIM, jina_v4
from tests.jina_v4_definition import Definition, scaled

TEXTS = ["Umsatz?", "Wie hoch war der Umsatz im Jahr 2024?", "売上高", "Zwei  Wörter\nund <|im_end|> 12"]
SIZES = [(300, 210), (20, 31), (64, 500), (400, 560), (150, 140)]
PIXELS = 60_000
PROMPT_TOKENS = 29
"""Tokens of the image's prompt in the tokenizer of single bytes, without those of the image."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return jina_v4(tmp_path_factory.mktemp("models") / "tiny")


def encoder(folder, **options):
    chosen = {"dtype": "float32", "max_pixels": PIXELS, "image_backend": "pil", **options}
    return JinaV4(parse_model(f"jina-v4:{folder}", Options(device="cpu", **chosen)))


def pictures():
    shades = np.random.default_rng(0)
    small = [shades.integers(0, 255, (6, 4, 3), dtype=np.uint8) for _ in SIZES]
    return [Image.fromarray(colours).resize(size) for colours, size in zip(small, SIZES, strict=True)]


def page(image=None, text=None):
    return Page("p", "p", image and (lambda: image), lambda: text, image and (lambda: image.size))


def mixed_pages():
    """Return pages with images and without, in turns."""
    images, texts = [page(image) for image in pictures()], [page(text=text) for text in TEXTS]
    return [kind[i] for i in range(len(images)) for kind in (images, texts) if i < len(kind)]


def items(embeddings):
    return np.split(embeddings.values, embeddings.offsets[1:-1])


def close(found, wanted, tolerance=1e-5):
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=0, atol=tolerance)


@pytest.mark.parametrize("adapter", TASKS)
def test_texts_and_images_get_the_vectors_of_the_definition_both_kinds_from_one_pass(folder, adapter):
    ours, theirs = encoder(folder, adapter=adapter), Definition(folder, adapter, PIXELS)
    texts, images = [f"Query: {text}" for text in TEXTS], pictures()
    batches = [
        (ours._prepare_texts(texts, is_query=True), [theirs.text(text) for text in texts]),
        (ours._prepare_images(images), [theirs.image(image) for image in images]),
    ]
    for inputs, wanted in batches:
        with torch.inference_mode():
            found = ours._vectors(inputs)
        for (single, multi), both in zip(wanted, found, strict=True):
            close(both.single, single[None])
            close(both.multi, multi)


@pytest.mark.parametrize(("vector_type", "tolerance"), [("single", 1e-5), ("multi", 5e-4)])
def test_queries_and_pages_of_all_kinds_come_back_in_their_places(folder, vector_type, tolerance):
    ours, theirs = encoder(folder, vector_type=vector_type), Definition(folder, "retrieval", PIXELS)
    kind = ["single", "multi"].index(vector_type)
    queries = items(gather(ours.encode_queries(TEXTS)))
    for rows, text in zip(queries, TEXTS, strict=True):
        close(rows, np.atleast_2d(theirs.text(f"Query: {text}")[kind]), tolerance)
    pages = mixed_pages()
    for rows, one in zip(items(gather(ours.encode_documents(pages))), pages, strict=True):
        image, text = one.open_image and one.open_image(), one.read_text()
        wanted = theirs.image(image) if image else theirs.text(f"Passage: {text}")
        close(rows, np.atleast_2d(wanted[kind]), tolerance)
    assert ours.info.similarity == {"single": "cosine", "multi": "maxsim"}[vector_type]
    assert queries[0].dtype == {"single": np.float32, "multi": np.float16}[vector_type]
    assert queries[0].shape[1] == {"single": HIDDEN, "multi": TOKEN_DIM}[vector_type]


@pytest.mark.parametrize("vector_type", ["single", "multi"])
def test_the_batch_changes_no_vector(folder, vector_type):
    pages = mixed_pages()
    found = []
    for size in (1, 3, 100):
        ours = encoder(folder, vector_type=vector_type, batch_size=size)
        parts = ours.encode_queries(TEXTS), ours.encode_documents(pages)
        found.append([gather(part).values.astype(np.float32) for part in parts])
    for others in found[1:]:
        for alone, together in zip(found[0], others, strict=True):
            close(together, alone, 1e-5 if vector_type == "single" else 5e-4)


def test_vectors_are_cut_to_the_lengths_they_were_trained_for_and_no_others(folder):
    whole = gather(encoder(folder).encode_queries(TEXTS)).values
    for dim in DIMS:
        cut = encoder(folder, truncate_dim=dim)
        wanted = [row[:dim] / np.linalg.norm(row[:dim]) for row in whole]
        close(gather(cut.encode_queries(TEXTS)).values, wanted, 1e-6)
        assert cut.info.settings["truncate_dim"] == dim
    with pytest.raises(UsageError, match="it takes 16, 32, 64") as refused:
        encoder(folder, truncate_dim=48)
    assert refused.value.code == "JV109"
    with pytest.raises(UsageError, match="one a token"):
        encoder(folder, truncate_dim=32, vector_type="multi")


@pytest.mark.parametrize("asked", [None, 3136, 30_000, 250_000])
def test_images_are_scaled_to_at_most_the_pixels_asked_for_or_the_checkpoints_own(folder, asked):
    ours = encoder(folder, vector_type="multi", max_pixels=asked)
    most = asked or 602_112
    image = pictures()[0].resize((900, 1270))
    (rows,) = items(gather(ours.encode_documents([page(image)])))
    height, width = scaled(1270, 900, most)
    assert len(rows) == height * width // 28**2 + PROMPT_TOKENS
    assert 0 <= ours._page_tokens(page(image)) - len(rows) <= 0.1 * len(rows)
    assert ours.info.settings["max_pixels"] == most


def test_fewer_pixels_than_the_checkpoint_scales_up_to_are_refused(folder):
    with pytest.raises(UsageError, match="--max-pixels 3135 is below the 3136"):
        encoder(folder, max_pixels=3135)


def test_a_page_too_narrow_for_the_model_is_one_line(folder):
    ours = encoder(folder)
    pages = [page(Image.new("RGB", (2000, 10)))]
    gather(ours.encode_documents(pages))
    pages.append(replace(page(Image.new("RGB", (2010, 10))), id="strip"))
    with pytest.raises(DataError, match="page 'strip': a page of 2010 x 10 pixels is too narrow") as refused:
        gather(ours.encode_documents(pages))
    assert refused.value.code == "JV411"


@pytest.mark.parametrize(
    ("options", "query", "document"),
    [
        ({}, "Query: ", "Passage: "),
        ({"adapter": "code"}, "Query: ", "Passage: "),
        ({"adapter": "text-matching"}, "Query: ", "Query: "),
        ({"adapter": "text-matching", "document_prompt": "Passage: "}, "Query: ", "Passage: "),
        ({"query_prompt": "", "document_prompt": "Seite: "}, "", "Seite: "),
    ],
)
def test_the_prompts_are_those_of_the_adapter_unless_the_user_chooses(folder, options, query, document):
    ours = encoder(folder, **options)
    assert ours.info.settings["prompts"] == {"query": query, "document": document}
    bare = encoder(folder, **{**options, "query_prompt": "", "document_prompt": ""})
    pages = [page(text=text) for text in TEXTS]
    for prompt, found in ((query, ours.encode_queries(TEXTS)), (document, ours.encode_documents(pages))):
        close(gather(found).values, gather(bare.encode_queries([prompt + text for text in TEXTS])).values)


def test_a_page_without_a_word_has_a_vector_too(folder):
    ours = encoder(folder, document_prompt="")
    (blank,) = gather(ours.encode_documents([page(text="")])).values
    close(blank, Definition(folder, "retrieval", PIXELS).text("<|endoftext|>")[0])


def test_texts_end_where_the_published_code_cuts_them(folder):
    assert encoder(folder)._prepare_texts(["x" * 40_000], is_query=True)["input_ids"].shape == (1, 32_768)


def test_eager_attention_gives_the_same_vectors_and_flash_attention_needs_its_package(folder):
    found = [
        gather(encoder(folder, attention=name).encode_documents(mixed_pages())) for name in ("sdpa", "eager")
    ]
    close(found[0].values, found[1].values)
    if not find_spec("flash_attn"):
        with pytest.raises(UsageError, match="flash-attn") as refused:
            encoder(folder, attention="flash_attention_2")
        assert refused.value.code == "JV102"


FLIPS = {
    "adapter": "code",
    "dtype": "bfloat16",
    "attention": "eager",
    "max_pixels": PIXELS - 1,
    "query_prompt": "Frage: ",
    "document_prompt": "Seite: ",
    "truncate_dim": 32,
    "document_input": "text",
}


def test_the_record_says_all_that_can_change_a_number_and_what_it_was_by_default(folder):
    plain = JinaV4(parse_model(f"jina-v4:{folder}")).info
    assert plain.settings["dtype"] == "bfloat16"
    backend = "torchvision" if find_spec("torchvision") else "pil"
    said = ("adapter", "attention", "image_backend", "max_pixels")
    assert [plain.settings[key] for key in said] == ["retrieval", "sdpa", backend, 602_112]
    assert set(plain.settings["versions"]) >= {"torch", "transformers", "pillow"}
    assert plain.settings["versions"]["torch"] == torch.__version__.partition("+")[0]
    records = [json.dumps(encoder(folder, **{key: FLIPS[key]}).info.settings) for key in FLIPS]
    assert len({json.dumps(encoder(folder).info.settings), *records}) == len(FLIPS) + 1


@pytest.mark.parametrize("package", ["transformers", "torch", "pillow"])
def test_another_version_of_a_library_is_another_identity(folder, tmp_path, monkeypatch, package):
    before = encoder(folder).info
    about = tmp_path / f"{package}-99.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 99.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    after = encoder(folder).info
    assert after.settings["versions"] == {**before.settings["versions"], package: "99.0"}


def test_another_weight_adapter_or_setting_of_images_is_another_revision(folder, tmp_path):
    revisions = {encoder(folder).info.revision}
    for name in ("adapters/adapter_model.safetensors", "preprocessor_config.json", "tokenizer.json"):
        other = shutil.copytree(folder, tmp_path / name.replace("/", "_") / folder.name)
        assert encoder(other).info.revision in revisions
        data = (other / name).read_bytes()
        changed = data + b"\n" if name.endswith("json") else data[:-1] + bytes([data[-1] ^ 1])
        (other / name).write_bytes(changed)
        revisions.add(encoder(other).info.revision)
    assert len(revisions) == 4


def call(folder, root, *options):
    places = ["--results", str(root / "results"), "--cache", str(root / "cache")]
    return ["eval", "--model", f"jina-v4:{folder}", *options, *places]


def results(root):
    """Return what was written: (task, vector type) -> result."""
    found = [json.loads(path.read_text()) for path in sorted(root.glob("results/*/*/*.json"))]
    return {(result["task"]["name"], result["model"]["vector_type"]): result for result in found}


def test_the_demo_runs_from_end_to_end_and_a_second_run_computes_nothing(folder, tmp_path):
    options = ["--benchmark", "demo", "--language", "jpn", "--limit", "3", "--max-pixels", "20000"]
    command = call(folder, tmp_path, *options, "--dtype", "float32")
    assert main(command) == 0
    found = results(tmp_path)
    assert set(found) == {("DemoPages", "single"), ("DemoSTS", "single")}
    for result in found.values():
        assert result["model"]["settings"]["max_pixels"] == 20_000
        assert 0 <= abs(result["scores"][0]["main_score"]) <= 1
    kept = shards(tmp_path)
    assert main([*command, "--force"]) == 0
    assert shards(tmp_path) == kept


def shards(root):
    return {path: path.stat().st_mtime_ns for path in root.glob("cache/**/*.safetensors")}


def times(passes):
    return sum(isinstance(network, Qwen2_5_VLModel) for network in passes)


def test_both_kinds_of_vectors_are_evaluated_from_one_pass(folder, tmp_path, capsys, passes):
    options = ["--task", "DemoPages", "--language", "jpn", "--max-pixels", "20000", "--dtype", "float32"]
    both = tmp_path / "both"
    assert main(call(folder, both, *options, "--vector-type", "both", "--json")) == 0
    printed = json.loads(capsys.readouterr().out)
    together = times(passes)
    assert main(call(folder, tmp_path / "alone", *options)) == 0
    assert times(passes) == 2 * together > 0
    found = results(both)
    assert [result["id"] for result in printed] == [
        found["DemoPages", vector_type]["id"] for vector_type in ("single", "multi")
    ]
    kept = shards(both)
    for vector_type in ("single", "multi"):
        alone = tmp_path / vector_type
        assert main(call(folder, alone, *options, "--vector-type", vector_type)) == 0
        ((_, result),) = results(alone).items()
        together = found["DemoPages", vector_type]
        assert (together["id"], together["model"]) == (result["id"], result["model"])
        assert together["scores"][0]["metrics"] == result["scores"][0]["metrics"]
        assert main(call(folder, both, *options, "--vector-type", vector_type, "--force")) == 0
        assert shards(both) == kept


def test_a_cut_is_for_the_single_vectors_of_both(folder, tmp_path, capsys):
    options = ["--task", "DemoPages", "--language", "jpn", "--max-pixels", "20000", "--truncate-dim", "16"]
    assert main(call(folder, tmp_path, *options, "--vector-type", "both", "--limit", "2")) == 0
    out = capsys.readouterr().out
    assert out.index("single-vectors\n\nDemoPages") < out.index("multi-vectors\n\nDemoPages")
    cuts = {
        kind: result["model"]["settings"]["truncate_dim"] for (_, kind), result in results(tmp_path).items()
    }
    assert cuts == {"single": 16, "multi": None}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--adapter", "retreival"], "JV108", "did you mean 'retrieval'?"),
        (["--adapter", "x"], "JV108", "it has retrieval, text-matching, code"),
        (["--truncate-dim", "128"], "JV109", "it takes 16, 32, 64"),
        (["--truncate-dim", "32", "--vector-type", "multi"], "JV109", "one a token"),
        (["--similarity", "maxsim"], "JV109", "maxsim"),
        (["--max-pixels", "1"], "JV100", "3136"),
    ],
)
def test_what_the_model_cannot_do_is_told_before_anything_runs(folder, options, code, said, complains):
    complains(["eval", "--model", f"jina-v4:{folder}", "--benchmark", "demo", *options], code, said)


@pytest.mark.skipif(bool(find_spec("torchvision")), reason="torchvision is installed")
def test_torchvision_is_asked_for_in_vain_where_it_is_not_installed(folder):
    with pytest.raises(UsageError, match="torchvision is not installed") as refused:
        encoder(folder, image_backend="torchvision")
    assert refused.value.code == "JV102"
