"""A checkpoint of jina-embeddings-v4: its layouts, its adapters, and whatever may be wrong with it."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from jina_vdr.encoders.base import gather
from jina_vdr.encoders.jina_v4 import JinaV4
from jina_vdr.errors import DataError
from jina_vdr.model import Options, parse_model
from tests.hub_server import run_several
from tests.jina_v4_checkpoint import ALPHA, HIDDEN, RANK, jina_v4
from tests.jina_v4_definition import name
from tests.replicas import beir, task_file

TEXTS = ["Umsatz?", "Wie hoch war der Umsatz im Jahr 2024?"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return jina_v4(tmp_path_factory.mktemp("models") / "tiny")


def encoder(folder, **options):
    return JinaV4(parse_model(f"jina-v4:{folder}", Options(device="cpu", **{"dtype": "float32", **options})))


def vectors(folder):
    return gather(encoder(folder).encode_queries(TEXTS)).values


def test_an_adapter_is_merged_in_full_precision_before_the_weights_are_rounded(folder):
    network = encoder(folder, dtype="bfloat16", adapter="code")._network
    weights = {}
    for shard in folder.glob("*.safetensors"):
        weights |= {name(key): weight for key, weight in load_file(shard).items()}
    factors = load_file(folder / "adapters/adapter_model.safetensors")
    assert sum("lora_A.code" in key for key in factors) == 2 * 7 + 1
    for key, weight in weights.items():
        layer = key.removesuffix(".weight")
        pair = [f"base_model.model.{layer}.lora_{factor}.code.weight" for factor in "AB"]
        if pair[0] in factors:
            a, b = (factors[factor].double() for factor in pair)
            weight = (weight.double() + ALPHA / RANK * b @ a).float().bfloat16()
        held = network.get_parameter(key)
        assert held.dtype == torch.bfloat16
        wrong = (held != weight).float().mean()
        assert wrong < 1e-3, key  # where a float32 sum stands between two steps of bfloat16


def rename(folder, rule):
    """Write the weights under other keys."""
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    for shard in folder.glob("*.safetensors"):
        save_file({rule(key): weight for key, weight in load_file(shard).items()}, shard, {"format": "pt"})
    index["weight_map"] = {rule(key): file for key, file in index["weight_map"].items()}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize("how", ["keys of today", "one file", "a language head"])
def test_a_checkpoint_saved_in_another_way_gives_the_same_vectors(folder, tmp_path, how):
    wanted = vectors(folder)
    other = shutil.copytree(folder, tmp_path / "other")
    shards = sorted(other.glob("*.safetensors"))
    if how == "keys of today":
        rename(other, name)
    elif how == "one file":
        weights = {key: weight for shard in shards for key, weight in load_file(shard).items()}
        save_file(weights, other / "model.safetensors", {"format": "pt"})
        for path in [*shards, other / "model.safetensors.index.json"]:
            path.unlink()
    else:
        weights = load_file(shards[1])
        save_file({**weights, "lm_head.weight": torch.ones(272, HIDDEN)}, shards[1], {"format": "pt"})
    assert vectors(other).tolist() == wanted.tolist()


def weights_changed(path, change):
    weights = load_file(path)
    change(weights)
    save_file(weights, path, {"format": "pt"})


def written(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


SECOND, ADAPTERS = "model-00002-of-00002.safetensors", "adapters/adapter_model.safetensors"
FAULTS = {
    "a missing key": (
        lambda folder: weights_changed(folder / SECOND, lambda weights: weights.pop("model.norm.weight")),
        "model.language_model.norm.weight is missing",
        "1 are missing and 0 have another shape; 0 are too many",
    ),
    "a key too many": (
        lambda folder: weights_changed(folder / SECOND, lambda weights: weights.update(x=torch.ones(1))),
        "x is not part of it",
        "0 are missing and 0 have another shape; 1 are too many",
    ),
    "another shape": (
        lambda folder: weights_changed(
            folder / SECOND, lambda weights: weights.update({"multi_vector_projector.bias": torch.ones(128)})
        ),
        "multi_vector_projector.bias has the shape [128], not [16]",
        "1 have another shape",
    ),
    "names we do not know": (
        lambda folder: rename(folder, lambda key: f"backbone.{key}"),
        "model.visual.patch_embed.proj.weight is missing",
        "are missing",
    ),
    "a missing shard": (lambda folder: (folder / SECOND).unlink(), "cannot be loaded", SECOND),
    "a shard that is cut": (
        lambda folder: (folder / SECOND).write_bytes((folder / SECOND).read_bytes()[:5000]),
        "cannot be loaded",
        "",
    ),
    "no weights": (
        lambda folder: [path.unlink() for path in folder.glob("model*")],
        "cannot be loaded",
        "model.safetensors",
    ),
    "no adapters": (
        lambda folder: shutil.rmtree(folder / "adapters"),
        "adapters/adapter_config.json",
        "is missing, or names no r and lora_alpha",
    ),
    "no adapter weights": (lambda folder: (folder / ADAPTERS).unlink(), "cannot be loaded", ADAPTERS),
    "one adapter of three": (
        lambda folder: weights_changed(
            folder / ADAPTERS,
            lambda weights: [weights.pop(key) for key in list(weights) if ".code." in key],
        ),
        "q_proj.lora_A.code.weight is missing",
        "of 90 keys 30 are missing",
    ),
    "an adapter of the old layout": (
        lambda folder: weights_changed(
            folder / ADAPTERS,
            lambda weights: [
                weights.update({key.replace("model.language_model.layers", "model.layers"): weights.pop(key)})
                for key in list(weights)
            ],
        ),
        "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.retrieval.weight is missing",
        "84 are missing",
    ),
    "another rank": (
        lambda folder: written(folder / "adapters/adapter_config.json", r=8),
        "has the shape [4, 64], not [8, 64]",
        "of 90 keys 0 are missing and 90 have another shape",
    ),
    "no alpha": (
        lambda folder: written(folder / "adapters/adapter_config.json", lora_alpha=None),
        "names no r and lora_alpha",
        "",
    ),
    "another kind of adapter": (
        lambda folder: written(folder / "adapters/adapter_config.json", use_dora=True),
        "sets use_dora, which jina-v4 cannot merge",
        "",
    ),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "cannot be loaded", ""),
    "another architecture": (
        lambda folder: written(folder / "config.json", architectures=["Qwen2_5_VLForConditionalGeneration"]),
        "its config.json names Qwen2_5_VLForConditionalGeneration",
        "JinaEmbeddingsV4Model",
    ),
    "no vision": (lambda folder: written(folder / "config.json", vision_config=5), "cannot be loaded", ""),
    "no image settings": (
        lambda folder: (folder / "preprocessor_config.json").unlink(),
        "cannot be loaded",
        "preprocessor_config.json",
    ),
}


@pytest.mark.parametrize(("fault", "said", "counts"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_with_a_checkpoint_is_one_line_before_anything_runs(
    folder, tmp_path, fault, said, counts
):
    other = shutil.copytree(folder, tmp_path / "other")
    fault(other)
    with pytest.raises(DataError) as refused:
        vectors(other)
    assert refused.value.code == "JV441"
    assert str(other) in str(refused.value)
    assert said in str(refused.value)
    assert counts in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_commit_on_the_hub_brings_its_own_adapters_and_only_the_files_that_are_needed(
    folder, tmp_path, hub
):
    source = shutil.copytree(folder, tmp_path / "source")
    for needless in ("modeling_jina_embeddings_v4.py", "pytorch_model.bin", "README.md"):
        (source / needless).write_text("not needed")
    commit = hub.add("models/org/jina", source)
    hub.push("models/org/jina", jina_v4(tmp_path / "later", seed=1), "v1")
    beir(tmp_path / "data/default", n_pages=6, n_queries=3, corpus={"text": [f"Seite {i}" for i in range(6)]})
    task = task_file(tmp_path, {})
    places = {"hub": f"org/jina@{commit}", "folder": folder}
    calls = [["eval", "--model", f"jina-v4:{model}", "--task", str(task)] for model in places.values()]
    for call, place in zip(calls, places, strict=True):
        call += ["--results", str(tmp_path / place), "--cache", str(tmp_path / "cache" / place)]
    hub.requests.clear()
    done = run_several(tmp_path / "home", hub.url, calls)
    assert "codes [0, 0]" in done.stdout
    found, wanted = (
        json.loads(path.read_text()) for place in places for path in (tmp_path / place).glob("*/*/*.json")
    )
    assert found["scores"][0]["metrics"] == wanted["scores"][0]["metrics"]
    assert (found["model"]["name"], found["model"]["revision"]) == ("org/jina", commit)
    assert {file for file in hub.fetched if not file.endswith(".json")} == {
        f"org/jina/{path.relative_to(folder)}" for path in folder.rglob("*.safetensors")
    }
    assert all(commit in request for request in hub.requests if "/resolve/" in request)
