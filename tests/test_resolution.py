"""A model is found by its prefix, its name, its folder, or by what its checkpoint says of itself."""

import json

import pytest

from jina_vdr.errors import DataError, UsageError
from jina_vdr.family import FAMILIES
from jina_vdr.model import Options
from jina_vdr.modelfile import all_models
from jina_vdr.resolution import resolve
from tests.hub_server import run

V4 = "jinaai/jina-embeddings-v4"


def folder(root, **files):
    """Write a folder of JSON files; `__` in a name is a slash."""
    for name, content in files.items():
        path = root / f"{name.replace('__', '/')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return root


CHECKPOINTS = {
    "jina-v4": {"config": {"architectures": ["JinaEmbeddingsV4Model"], "auto_map": {}}, "modules": []},
    "hf": {"config": {"architectures": ["ColQwen2ForRetrieval"], "model_type": "colqwen2"}, "modules": []},
    "st": {"modules": [], "config": {"architectures": ["BertModel"]}},
    "remote": {"config": {"architectures": ["JinaCLIPModel"], "auto_map": {"AutoModel": "m.JinaCLIPModel"}}},
    "colpali-engine": {"adapter_config": {"base_model_name_or_path": "vidore/colqwen2-base"}},
}
MORE = [
    ("jina-v4", {"config": {"model_type": "x"}, "adapters__adapter_config": {"r": 32}}),
    ("hf", {"config": {"architectures": ["CLIPModel"], "vision_config": {}}}),
    ("hf", {"config": {"architectures": ["Qwen2VLForConditionalGeneration"], "vision_config": {}}}),
    ("st", {"config_sentence_transformers": {"model_type": "SentenceTransformer"}}),
    ("st", {"config": {"architectures": ["HF_ColBERT"]}}),
    ("colpali-engine", {"config": {"architectures": ["ColQwen2_5"], "vision_config": {}}}),
]


@pytest.mark.parametrize(("family", "files"), [*CHECKPOINTS.items(), *MORE])
def test_a_folder_is_run_by_what_its_configuration_says(tmp_path, family, files):
    spec = resolve(str(folder(tmp_path / "model", **files)))
    assert (spec.family, spec.checkpoint, spec.known) == (family, str(tmp_path / "model"), None)


def test_a_checkpoint_that_says_nothing_is_told_with_what_was_looked_at(tmp_path):
    root = folder(tmp_path / "model", config={"model_type": "llama", "architectures": ["LlamaForCausalLM"]})
    with pytest.raises(UsageError) as refused:
        resolve(str(root))
    assert refused.value.code == "JV131"
    for word in (str(root), "config.json", "no modules.json", "no adapter_config.json", "llama", "st:NAME"):
        assert word in str(refused.value)


def test_a_known_name_brings_its_family_its_revision_and_its_settings():
    spec, known = resolve(V4), all_models()[V4]
    assert (spec.family, spec.revision, spec.known) == ("jina-v4", known.revision, known)
    chosen = spec.chosen
    assert (chosen.vector_type, chosen.similarity, chosen.max_pixels) == ("single", "cosine", 602_112)
    assert (chosen.query_prompt, chosen.document_prompt) == ("Query: ", "Passage: ")
    assert resolve(f"jina-v4:{V4}") == spec


def test_what_the_user_sets_wins_over_what_is_known():
    spec = resolve(V4, Options(vector_type="multi", max_pixels=1_000_000, query_prompt="", dtype="float32"))
    chosen = spec.chosen
    assert (chosen.vector_type, chosen.similarity) == ("multi", "maxsim")
    assert (chosen.max_pixels, chosen.query_prompt, chosen.dtype) == (1_000_000, "", "float32")
    assert spec.options.given()["query_prompt"] == ""


def test_another_revision_of_a_known_model_may_be_asked_for():
    commit = "0" * 40
    spec = resolve(f"{V4}@{commit}")
    assert (spec.family, spec.revision, spec.known.name) == ("jina-v4", commit, V4)


def test_a_copy_stands_in_for_a_known_model_at_its_own_revision_only():
    known = all_models()["vidore/colpali-v1.3"]
    spec = resolve("vidore/colpali-v1.3")
    assert f"{spec.checkpoint}@{spec.revision}" == known.checkpoint != f"{known.name}@{known.revision}"
    other = resolve(f"vidore/colpali-v1.3@{'0' * 40}")
    assert (other.checkpoint, other.revision, other.name) == (known.name, "0" * 40, known.name)


def test_vectors_that_a_known_model_does_not_give_are_refused():
    with pytest.raises(UsageError, match="gives no multi-vectors; it gives single") as refused:
        resolve("Qwen/Qwen3-VL-Embedding-2B", Options(vector_type="multi"))
    assert refused.value.code == "JV109"


def test_another_family_may_run_a_known_model_and_is_told_nothing():
    spec = resolve(f"mteb:{V4}")
    assert (spec.family, spec.checkpoint, spec.known) == ("mteb", V4, None)


def test_a_folder_of_a_known_name_is_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / V4, modules=[], config={})
    assert resolve(V4).family == "st"
    assert resolve(f"jina-v4:{V4}").known is None


def test_an_at_sign_in_the_name_of_a_folder_is_no_revision(tmp_path):
    root = folder(tmp_path / "model@home", modules=[])
    assert resolve(str(root)).checkpoint == str(root)
    with pytest.raises(UsageError, match="it has no revision"):
        resolve(f"{folder(tmp_path / 'model', modules=[])}@main")


def test_each_known_model_is_found_by_its_name():
    for name in all_models():
        spec = resolve(name)
        assert spec.name == name
        assert spec.chosen.given().keys() <= FAMILIES[spec.family].options


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("bm52", "JV107", "did you mean 'bm25'?"),
        ("nothing-like-it", "JV107", "st:NAME"),
        ("jina-embeddings-v4x", "JV107", "did you mean 'jina-embeddings-v4'?"),
        ("jinaai/jina-embeddings-v4@", "JV107", "NAME@REVISION"),
        ("st:", "JV107", "st:NAME"),
        ("bm25:x", "JV107", "write --model bm25"),
        ("nothing.py:Class", "JV133", "nothing.py"),
        ("plug:nothing", "JV133", "nothing"),
    ],
)
def test_what_names_no_model_is_one_line_with_the_next_step(text, code, words, complains):
    complains(["eval", "--model", text, "--benchmark", "demo"], code, words)


@pytest.mark.parametrize("model", ["fake", "rrf:bm25,fake", "st:x"])
def test_both_kinds_of_vectors_are_refused_where_one_pass_does_not_give_them(model, complains):
    complains(
        ["eval", "--model", model, "--vector-type", "both", "--benchmark", "demo"], "JV109", "both kinds"
    )


def test_an_option_that_the_family_does_not_take_is_refused():
    with pytest.raises(UsageError, match="jina-v4 does not take --concurrency") as refused:
        resolve(V4, Options(concurrency=2))
    assert refused.value.code == "JV108"


def test_a_name_on_the_hub_is_looked_at_there(tmp_path, hub):
    hub.add("models/org/late", folder(tmp_path / "late", **CHECKPOINTS["hf"]))
    hub.add("models/org/odd", folder(tmp_path / "odd", config={"model_type": "llama"}))
    call = ["eval", "--benchmark", "demo", "--dry-run", "--model"]
    odd = run(tmp_path, hub.url, *call, "org/odd")
    assert (odd.returncode, "org/odd" in odd.stderr, "llama" in odd.stderr) == (2, True, True)
    gone = run(tmp_path, hub.url, *call, "org/gone")
    assert (gone.returncode, gone.stderr.count("\n")) == (4, 1)
    late = run(tmp_path, hub.url, *call, "org/late")
    assert "org/late" in late.stdout + late.stderr
    assert "JV131" not in late.stderr


@pytest.mark.parametrize("command", [["eval", "--benchmark", "demo", "--model"], ["models", "check"]])
def test_offline_opens_no_connection_for_a_name(tmp_path, hub, command):
    hub.add("models/org/late", folder(tmp_path / "late", **CHECKPOINTS["hf"]))
    hub.requests.clear()
    done = run(tmp_path, hub.url, *command, "org/late", "--offline")
    assert (done.returncode, hub.requests) == (4, [])
    assert "error[JV401] org/late is not in the cache" in done.stderr


def test_without_a_connection_a_name_that_is_not_known_is_one_line(complains):
    complains(["eval", "--model", "org/unknown", "--benchmark", "demo"], "JV401", "org/unknown")


def test_a_damaged_configuration_is_one_line(tmp_path):
    root = folder(tmp_path / "model")
    root.mkdir()
    (root / "config.json").write_text("{")
    with pytest.raises(DataError) as refused:
        resolve(str(root))
    assert refused.value.code == "JV441"
