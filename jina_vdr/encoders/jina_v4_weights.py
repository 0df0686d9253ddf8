"""The weights of jina-embeddings-v4: checked against the network key by key, with one adapter merged."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLModel
from transformers.initialization import no_init_weights

from jina_vdr.checkpoint import Checkpoint
from jina_vdr.encoders.loading import loading
from jina_vdr.errors import DataError

ARCHITECTURE = "JinaEmbeddingsV4Model"
ADAPTERS = "adapters/adapter_model.safetensors"
UNUSED = "lm_head.weight"
"""The head that predicts words: tied to the embeddings, and not needed for vectors."""

PLAIN = ("alpha_pattern", "fan_in_fan_out", "lora_bias", "rank_pattern", "use_dora", "use_rslora")
"""What peft can also do with an adapter, and none of the published ones does."""

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class JinaConfig:
    """What config.json says: the adapters, the lengths single vectors can be cut to, that of a token's."""

    qwen: Qwen2_5_VLConfig
    adapters: list[str]
    truncate_dims: list[int]
    token_dim: int


def read_config(checkpoint: Checkpoint) -> JinaConfig:
    """Return what config.json says; raise DataError where it is not that of jina-embeddings-v4."""
    said = checkpoint.json("config.json")
    architectures = said.get("architectures") or ["nothing"]
    if ARCHITECTURE not in architectures:
        raise DataError(
            "JV441",
            f"{checkpoint.source} is no jina-embeddings-v4: its config.json names {architectures[0]}",
            f"jina-v4: runs the architecture {ARCHITECTURE}",
        )
    tokens = ("image_token_id", "vision_start_token_id", "vision_end_token_id")
    with loading(checkpoint.source):
        # from its parts: the file also asks for flash attention, and repeats the text part at its top
        qwen = Qwen2_5_VLConfig(
            text_config=said["text_config"],
            vision_config=said["vision_config"],
            **{name: said[name] for name in tokens},
        )
        dims = said["matryoshka_dims"]
        return JinaConfig(qwen, said["task_names"], dims, said["multi_vector_projector_dim"])


def load_network(
    config: JinaConfig, checkpoint: Checkpoint, adapter: str, dtype: torch.dtype, attention: str | None
) -> torch.nn.ModuleDict:
    """Return the network with `adapter` merged: W + alpha / r * B @ A, in float32, then cast to `dtype`.

    Hu et al. 2021, arXiv 2106.09685, section 4.1. One tensor is read at a time; nothing is held twice.
    Raises DataError for keys that are missing or too many, other shapes, or adapters of another kind.
    """
    folder = checkpoint.fetch(["*.safetensors"])
    rank, scale = _rank_and_scale(checkpoint)
    with no_init_weights():
        network = _network(config, dtype, attention)
    adapted = _adapted(network)
    shards = {path: _shapes(path) for path in _shards(checkpoint, folder)}
    _compare(
        {_name(key): shape for shapes in shards.values() for key, shape in shapes.items()},
        {name: tuple(parameter.shape) for name, parameter in network.named_parameters()},
        f"the weights of {checkpoint.source}",
    )
    _compare(
        _shapes(folder / ADAPTERS),
        _adapter_shapes(adapted, config.adapters, rank),
        f"{ADAPTERS} of {checkpoint.source}",
    )
    pairs = {f"{layer}.weight": _pair(layer, adapter) for layer in adapted}
    with torch.no_grad(), safe_open(folder / ADAPTERS, "pt") as adapters:
        for path, keys in shards.items():
            with safe_open(path, "pt") as tensors:
                for key in keys:
                    name, weight = _name(key), tensors.get_tensor(key)
                    if name in pairs:
                        a, b = (adapters.get_tensor(factor).float() for factor in pairs[name])
                        weight = torch.addmm(weight.float(), b, a, alpha=scale)
                    network.get_parameter(name).copy_(weight)
    return network


def _network(config: JinaConfig, dtype: torch.dtype, attention: str | None) -> torch.nn.ModuleDict:
    """Return Qwen2.5-VL without its head, and the projector, under the names that peft's keys are made of."""
    qwen = Qwen2_5_VLModel._from_config(config.qwen, dtype=dtype, attn_implementation=attention)
    hidden = config.qwen.text_config.hidden_size
    projector = torch.nn.Linear(hidden, config.token_dim, dtype=dtype)
    return torch.nn.ModuleDict({"model": qwen, "multi_vector_projector": projector})


def _adapted(network: torch.nn.Module) -> dict[str, torch.nn.Linear]:
    """Return the layers that adapters change, by name: all linear ones but those that see."""
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.startswith("model.visual.")
    }


def _shards(checkpoint: Checkpoint, folder: Path) -> list[Path]:
    index = checkpoint.json("model.safetensors.index.json").get("weight_map", {})
    return [folder / name for name in sorted({*index.values()}) or ["model.safetensors"]]


def _rank_and_scale(checkpoint: Checkpoint) -> tuple[int, float]:
    """Return the rank of the adapters, and what their product counts."""
    said = checkpoint.json("adapters/adapter_config.json")
    rank, alpha = said.get("r"), said.get("lora_alpha")
    odd = [name for name in PLAIN if said.get(name)]
    if odd or not (rank and alpha):
        fault = (
            f"sets {odd[0]}, which jina-v4 cannot merge"
            if odd
            else "is missing, or names no r and lora_alpha"
        )
        raise DataError("JV441", f"adapters/adapter_config.json of {checkpoint.source} {fault}")
    return rank, alpha / rank


def _name(key: str) -> str:
    """Return the network's name for a key: the published ones are those of transformers before 4.52."""
    if key.startswith("visual."):
        return f"model.{key}"
    if key.startswith("model.") and not key.startswith(("model.language_model.", "model.visual.")):
        return key.replace("model.", "model.language_model.", 1)
    return key


def _pair(layer: str, adapter: str) -> tuple[str, str]:
    """Return the keys of the two factors of a layer's adapter, as peft names them."""
    return (
        f"base_model.model.{layer}.lora_A.{adapter}.weight",
        f"base_model.model.{layer}.lora_B.{adapter}.weight",
    )


def _adapter_shapes(layers: dict[str, torch.nn.Linear], adapters: Iterable[str], rank: int) -> Shapes:
    shapes: Shapes = {}
    for adapter in adapters:
        for layer, module in layers.items():
            a, b = _pair(layer, adapter)
            shapes |= {a: (rank, module.in_features), b: (module.out_features, rank)}
    return shapes


def _shapes(path: Path) -> Shapes:
    """Return the shape of each tensor in a file that is used, from its header."""
    with safe_open(path, "pt") as file:
        keys = file.keys()
        return {key: tuple(file.get_slice(key).get_shape()) for key in keys if key != UNUSED}


def _compare(found: Shapes, expected: Shapes, where: str) -> None:
    """Raise DataError that names the first key at fault, and how many are."""
    missing = [key for key in expected if key not in found]
    needless = [key for key in found if key not in expected]
    other = [key for key in expected if key in found and found[key] != expected[key]]
    if missing:
        first = f"{missing[0]} is missing"
    elif needless:
        first = f"{needless[0]} is not part of it"
    elif other:
        first = f"{other[0]} has the shape {list(found[other[0]])}, not {list(expected[other[0]])}"
    else:
        return
    raise DataError(
        "JV441",
        f"{where} are not those of jina-embeddings-v4: {first}",
        f"of {len(expected)} keys {len(missing)} are missing and {len(other)} have another shape; "
        f"{len(needless)} are too many",
    )
