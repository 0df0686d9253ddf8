"""Plain transformers checkpoints: their own vectors, whatever the batch, as other code defines them."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Transformer
from torch.nn.functional import normalize
from transformers import AutoProcessor, ColQwen2ForRetrieval, SiglipModel

from jina_vdr.cli import main
from jina_vdr.encoders.base import gather
from jina_vdr.errors import DataError, UsageError
from jina_vdr.ranking import best
from jina_vdr.records import Page
from jina_vdr.similarity import score_blocks
from tests.checkpoints import damaged
from tests.hub_server import run
from tests.vision_checkpoints import LENGTH, MAKERS, flava, without, write
from tests.vision_encoders import PAGES, PICTURES, TEXTS, close, encoder, images, items, kept, texts

LATE = ["colqwen2", "colpali", "colmodernvbert"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write(tmp_path_factory.mktemp("models"), *MAKERS)


@pytest.mark.parametrize("name", MAKERS)
def test_an_item_in_a_batch_has_the_vectors_it_has_alone(models, name):
    ours = encoder(models[name])
    batch, alone = images(ours, PICTURES), [images(ours, [one])[0] for one in PICTURES]
    for found, wanted in zip(
        batch + texts(ours, TEXTS), alone + [texts(ours, [one])[0] for one in TEXTS], strict=True
    ):
        close(found, wanted, 1e-5)
    assert len({vector[-1, -1].item() for vector in batch}) == len(batch)


@pytest.mark.parametrize("name", ["colqwen2", "colmodernvbert", "siglip", "qwen3"])
def test_the_batch_size_changes_no_ranking(models, name):
    rankings = []
    for batch_size in (1, 2, 16):
        ours = encoder(models[name], batch_size=batch_size)
        queries, pages = gather(ours.encode_queries(TEXTS)), gather(ours.encode_documents(PAGES))
        ((_, scores),) = score_blocks(queries, pages, ours.info.similarity)
        rankings.append([best(row, [page.id for page in PAGES], 5).ids for row in scores])
    assert rankings[0] == rankings[1] == rankings[2]


@pytest.mark.parametrize("name", LATE)
def test_there_is_a_row_for_each_token_and_none_for_padding(models, name):
    processor = AutoProcessor.from_pretrained(models[name])
    ours = encoder(models[name])
    counts = [len(processor.process_queries(text=[text])["input_ids"][0]) for text in TEXTS]
    assert [len(rows) for rows in items(gather(ours.encode_queries(TEXTS)))] == counts
    counts = [len(processor.process_images(images=[one])["input_ids"][0]) for one in PICTURES]
    found = items(gather(ours.encode_documents(PAGES)))
    assert [len(rows) for rows in found] == counts
    for rows in found:
        assert rows.dtype == np.float16
        close(np.linalg.norm(rows.astype(np.float32), axis=1), np.ones(len(rows)), 2e-3)


def test_colpali_gives_the_vectors_and_scores_of_sentence_transformers(models):
    ours, theirs = encoder(models["colpali"]), MultiVectorEncoder(str(models["colpali"]), device="cpu")
    queries, pages = gather(ours.encode_queries(TEXTS)), gather(ours.encode_documents(PAGES))
    asked = theirs.encode_query([{"text": text} for text in TEXTS])
    shown = theirs.encode_document(PICTURES)
    for found, wanted in zip(items(queries) + items(pages), kept(asked + shown), strict=True):
        close(found, wanted, 5e-4)  # half a step of float16 below 1
    ((_, scores),) = score_blocks(queries, pages, "maxsim")
    lengths = [[len(rows)] for rows in items(queries)]
    close(scores / lengths, theirs.similarity(asked, shown) / torch.tensor(lengths), 1e-4)


def test_colqwen2_sees_the_rows_and_columns_of_a_page(models):
    """The backbone, called whole, places an image's tokens itself: so the model was trained."""
    ours, network = encoder(models["colqwen2"]), ColQwen2ForRetrieval.from_pretrained(models["colqwen2"])
    processor = AutoProcessor.from_pretrained(models["colqwen2"])
    for image, found in zip(PICTURES, images(ours, PICTURES), strict=True):
        inputs = processor.process_images(images=[image])
        with torch.inference_mode():
            hidden = network.vlm(
                input_ids=inputs["input_ids"],
                pixel_values=inputs["pixel_values"][0],
                image_grid_thw=inputs["image_grid_thw"],
                mm_token_type_ids=(inputs["input_ids"] == processor.image_token_id).int(),
            ).last_hidden_state[0]
            wanted = normalize(network.embedding_proj_layer(hidden), dim=-1)
            bare = network(**inputs).embeddings[0]
        close(found, wanted, 1e-5)
        assert (bare - wanted).abs().max() > 0.1


def test_colqwen2_gives_the_queries_of_sentence_transformers(models):
    theirs = MultiVectorEncoder(str(models["colqwen2"]), device="cpu")
    asked = theirs.encode_query([{"text": text} for text in TEXTS])
    found = items(gather(encoder(models["colqwen2"]).encode_queries(TEXTS)))
    for rows, wanted in zip(found, kept(asked), strict=True):
        close(rows, wanted, 5e-4)


@pytest.mark.parametrize("name", ["clip", "metaclip2", "siglip2"])
def test_two_towers_give_the_vectors_and_scores_of_sentence_transformers(models, name):
    ours = encoder(models[name])
    padding = {"text": {"padding": "max_length", "max_length": LENGTH}} if name == "siglip2" else {}
    theirs = SentenceTransformer(
        modules=[Transformer(str(models[name]), processing_kwargs=padding)], device="cpu"
    )
    queries, pages = gather(ours.encode_queries(TEXTS)), gather(ours.encode_documents(PAGES))
    asked, shown = theirs.encode([{"text": text} for text in TEXTS]), theirs.encode(PICTURES)
    close(queries.values, normalize(torch.tensor(asked), dim=-1), 1e-6)
    close(pages.values, normalize(torch.tensor(shown), dim=-1), 1e-6)
    ((_, scores),) = score_blocks(queries, pages, "cosine")
    close(scores, theirs.similarity(asked, shown), 1e-6)


def test_siglip_reads_lower_case_and_all_of_its_padding(models):
    processor, network = (kind.from_pretrained(models["siglip"]) for kind in (AutoProcessor, SiglipModel))
    asked = processor.tokenizer(
        [text.lower() for text in TEXTS], padding="max_length", max_length=LENGTH, truncation=True
    )
    with torch.inference_mode():
        wanted = network.get_text_features(torch.tensor(asked["input_ids"])).pooler_output
    found = gather(encoder(models["siglip"]).encode_queries(TEXTS)).values
    close(found, normalize(wanted, dim=-1), 1e-6)


def test_two_towers_read_the_beginning_of_a_long_text(models):
    ours = encoder(models["clip"])
    long, cut = "x" * 99, "x" * (LENGTH - 1)  # the end of the text is a token too
    found = gather(ours.encode_queries([long, cut, "x"])).values
    close(found[0], found[1], 1e-6)
    assert abs(found[0] - found[2]).max() > 1e-3


def test_pages_without_an_image_are_read(models):
    pages = [PAGES[0], Page("t", "t", None, lambda: "nur Text")]
    for name in ("colpali", "clip", "qwen3"):
        ours = encoder(models[name], document_prompt="von: ")
        found = items(gather(ours.encode_documents(pages)))
        prompted = "nur Text" if name == "qwen3" else "von: nur Text"  # there it stands in the system's turn
        close(found[1], kept(texts(ours, [prompted], is_query=False))[0], 1e-3)


@pytest.mark.parametrize("name", ["colqwen2", "clip", "qwen3"])
def test_bfloat16_gives_nearly_the_same(models, name):
    whole, half = encoder(models[name]), encoder(models[name], dtype="bfloat16")
    assert half.info.settings["dtype"] == "bfloat16"
    assert half._prepare_images(PICTURES)["pixel_values"].dtype == torch.bfloat16
    for found, wanted in zip(images(half, PICTURES), images(whole, PICTURES), strict=True):
        assert torch.cosine_similarity(found.float(), wanted, dim=-1).min() > 0.95


@pytest.mark.parametrize(("name", "side"), [("colqwen2", 28), ("qwen2", 28), ("qwen3", 32)])
def test_fewer_pixels_are_fewer_tokens(models, name, side):
    for most in (48, 12):
        ours = encoder(models[name], max_pixels=most * side**2)
        inputs = ours._prepare_images([Image.new("RGB", (900, 600)), Image.new("RGB", (200, 2000))])
        tokens = (inputs["image_grid_thw"].prod(1) // 4).tolist()
        assert all(most * 0.6 < count <= most for count in tokens)
        assert ours.info.settings["max_pixels"] == most * side**2
        assert inputs["mm_token_type_ids"].sum(1).tolist() == tokens if name != "colqwen2" else True


@pytest.mark.parametrize(
    ("name", "options", "code", "said"),
    [
        ("clip", {"max_pixels": 900}, "JV108", "scales every image to 1,024 pixels"),
        ("colpali", {"max_pixels": 900}, "JV108", "scales every image to 3,136 pixels"),
        ("colmodernvbert", {"max_pixels": 900}, "JV108", "scales images by their sides"),
        ("colqwen2", {"max_pixels": 900}, "JV100", "below the 3136"),
        ("colpali", {"vector_type": "single"}, "JV109", "one vector a token"),
        ("colpali", {"similarity": "cosine"}, "JV109", "cannot be scored by cosine"),
        ("colpali", {"truncate_dim": 8}, "JV109", "--truncate-dim cuts single vectors"),
        ("clip", {"vector_type": "multi"}, "JV109", "not one a token"),
        ("qwen3", {"vector_type": "multi"}, "JV109", "not one a token"),
        ("align", {"attention": "sdpa"}, "JV108", "it takes eager"),
        ("clip", {"attention": "flash_attention_2"}, "JV102", "pip install flash-attn"),
    ],
)
def test_what_the_model_cannot_do_is_refused(models, name, options, code, said):
    with pytest.raises(UsageError) as refused:
        encoder(models[name], **options)
    assert refused.value.code == code
    assert said in str(refused.value)


def test_how_a_model_runs_is_part_of_its_settings(models):
    settings = encoder(models["colqwen2"]).info.settings
    assert settings["prompts"]["query"] == "Query: "
    asked = {name: settings[name] for name in ("dtype", "attention", "image_backend", "max_pixels")}
    assert asked == {"dtype": "float32", "attention": "sdpa", "image_backend": "pil", "max_pixels": 37_632}
    assert encoder(models["align"]).info.settings["attention"] == "eager"
    flips = {"dtype": "float16", "attention": "eager", "max_pixels": 9000, "query_prompt": "Q: "}
    changed = [encoder(models["colqwen2"], **{name: flips[name]}).info.settings for name in flips]
    assert len({json.dumps(one) for one in (settings, *changed)}) == len(flips) + 1


def test_a_query_prompt_takes_the_place_of_the_models_own(models):
    own, other = encoder(models["colpali"]), encoder(models["colpali"], query_prompt="Such: ")
    theirs = MultiVectorEncoder(str(models["colpali"]), device="cpu")
    theirs[0].processor.query_prefix = "Such: "
    (found,) = items(gather(other.encode_queries(["Umsatz"])))
    close(found, kept(theirs.encode_query([{"text": "Umsatz"}]))[0], 5e-4)
    assert len(gather(own.encode_queries(["Umsatz"])).values) == len(found) + len("Question: Such: ") - 12


def changed(folder, copy, name, **said):
    """Return a copy of a checkpoint in which a JSON file says something more, or None of it."""
    shutil.copytree(folder, copy)
    content = json.loads((copy / name).read_text()) if (copy / name).exists() else {}
    (copy / name).write_text(json.dumps(content | said))
    return copy


def test_a_checkpoint_may_say_what_its_vectors_are_compared_by(models, tmp_path):
    folder = changed(
        models["colqwen2"],
        tmp_path / "model",
        "config_sentence_transformers.json",
        similarity_fn_name="meanmaxsim",
    )
    assert encoder(models["colqwen2"]).info.similarity == "maxsim"
    assert encoder(folder).info.similarity == "meanmaxsim"
    assert encoder(folder, similarity="maxsim").info.similarity == "maxsim"


@pytest.mark.parametrize("name", ["clip", "qwen3"])
def test_the_type_of_model_is_enough_where_no_class_is_named(models, tmp_path, name):
    folder = changed(models[name], tmp_path / "model", "config.json", architectures=None)
    found = gather(encoder(folder).encode_queries(TEXTS)).values
    close(found, gather(encoder(models[name]).encode_queries(TEXTS)).values, 1e-7)


@pytest.mark.parametrize("name", ["clip", "colqwen2", "qwen2"])
def test_code_that_comes_with_a_checkpoint_is_not_run(models, tmp_path, name):
    folder = tmp_path / "model"
    classes = ("AutoConfig", "AutoModel", "AutoProcessor", "AutoImageProcessor")
    changed(models[name], folder, "config.json", auto_map=dict.fromkeys(classes, "own.X"))
    for file in ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json"):
        content = json.loads((folder / file).read_text()) if (folder / file).exists() else {}
        content["auto_map"] = dict.fromkeys(classes, "own.X") | {"AutoTokenizer": ["own.X", None]}
        if "processor" in file and "image_processor_type" in content.get("image_processor", content):
            content.get("image_processor", content)["auto_map"] = {"AutoImageProcessor": "own.X"}
        (folder / file).write_text(json.dumps(content))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    found = gather(encoder(folder).encode_queries(TEXTS)).values
    close(found, gather(encoder(models[name]).encode_queries(TEXTS)).values, 1e-7)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("how", ["cut weights", "no weights"])
def test_damaged_weights_are_one_line(models, how):
    with pytest.raises(DataError, match="cannot be loaded") as refused:
        gather(encoder(damaged(models["clip"], how)).encode_queries(TEXTS))
    assert refused.value.code == "JV441"


@pytest.mark.parametrize(("name", "part"), [("siglip", "text_model.head"), ("qwen3", "visual.merger.norm")])
def test_weights_that_are_missing_are_never_made_up(models, tmp_path, name, part):
    folder = without(models[name], part, tmp_path / "model")
    with pytest.raises(DataError, match=rf"lacks 2 weights of \w+; .*{part}") as refused:
        gather(encoder(folder).encode_queries(TEXTS))
    assert refused.value.code == "JV441"


def test_what_no_class_here_runs_is_said_with_what_its_config_says(models, tmp_path):
    said = {"model_type": "bert", "architectures": ["BertModel"]}
    (tmp_path / "config.json").write_text(json.dumps(said))
    with pytest.raises(DataError, match=r"'bert', 'architectures': \['BertModel'\].*ForRetrieval") as refused:
        encoder(tmp_path)
    assert refused.value.code == "JV441"


def test_towers_without_a_single_vector_are_refused(tmp_path):
    flava(tmp_path)
    with pytest.raises(DataError, match="FlavaModel gives no single vector") as refused:
        gather(encoder(tmp_path).encode_queries(TEXTS))
    assert refused.value.code == "JV441"


@pytest.mark.parametrize("name", ["colqwen2", "clip", "qwen3"])
def test_a_damaged_tokenizer_is_one_line(models, tmp_path, name):
    folder = shutil.copytree(models[name], tmp_path / "model")
    (folder / "tokenizer.json").write_text('{"model": {}}')
    with pytest.raises(DataError, match="cannot be loaded"):
        encoder(folder)


@pytest.mark.parametrize("name", ["colqwen2", "qwen2"])
def test_a_page_too_narrow_for_the_model_is_named(models, name):
    page = Page("1", "1", lambda: Image.new("RGB", (2, 900)), lambda: None)
    with pytest.raises(DataError, match="a page of 2 x 900 pixels"):
        gather(encoder(models[name]).encode_documents([page]))


def evaluate(model, root):
    """Evaluate the demo in German; return both results."""
    options = ["--benchmark", "demo", "--language", "deu", "--limit", "5", "--image-backend", "pil"]
    if model.startswith("st:"):
        options = options[:-2]
    places = ["--results", str(root / "results"), "--cache", str(root / "cache")]
    assert main(["eval", "--model", model, *options, *places, "--device", "cpu"]) == 0
    return [json.loads(path.read_text()) for path in sorted(root.glob("results/*/*/*.json"))]


@pytest.mark.parametrize("name", ["colqwen2", "siglip", "qwen2"])
def test_the_demo_is_evaluated_from_end_to_end(models, tmp_path, name):
    pages, pairs = evaluate(f"hf:{models[name]}", tmp_path)
    vector_type, similarity = ("multi", "maxsim") if name in LATE else ("single", "cosine")
    for result in (pages, pairs):
        model = result["model"]
        assert (model["name"], model["family"]) == (name, "hf")
        assert (model["vector_type"], model["similarity"]) == (vector_type, similarity)
        assert model["settings"]["image_backend"] == "pil"
    assert 0 <= pages["scores"][0]["metrics"]["ndcg_at_5"] <= 1
    assert -1 <= pairs["scores"][0]["main_score"] <= 1


@pytest.mark.parametrize("name", ["colpali", "clip"])
def test_an_evaluation_gives_what_the_one_through_sentence_transformers_gives(models, tmp_path, name):
    other = tmp_path / "st"
    if name == "clip":
        SentenceTransformer(modules=[Transformer(str(models[name]))]).save(str(other))
    ours = evaluate(f"hf:{models[name]}", tmp_path / "ours")
    theirs = evaluate(f"st:{other if name == 'clip' else models[name]}", tmp_path / "theirs")
    for found, wanted in zip(ours, theirs, strict=True):
        assert found["scores"][0]["metrics"] == pytest.approx(wanted["scores"][0]["metrics"], abs=1e-4)
        assert found["id"] != wanted["id"]


def test_a_model_on_the_hub_runs_at_its_commit_and_later_offline(models, tmp_path, hub):
    commit = hub.add("models/org/chat", models["qwen2"])

    def found(model, results, *options):
        places = ["--results", str(tmp_path / results), "--cache", str(tmp_path / results)]
        call = ["eval", "--model", model, "--task", "DemoPages", "--language", "deu", "--limit", "3"]
        done = run(tmp_path, hub.url, *call, *places, *options)
        assert done.returncode == 0, done.stderr
        (result,) = (json.loads(path.read_text()) for path in (tmp_path / results).glob("*/*/*.json"))
        return result["model"], result["scores"][0]["metrics"]

    online = found("hf:org/chat", "online")
    hub.requests.clear()
    assert found(f"hf:org/chat@{commit}", "offline", "--offline") == online
    assert hub.requests == []
    assert online[0]["revision"] == commit
