"""Plain transformers checkpoints: which encoder runs one, by its config.json."""

from typing import Any

import transformers
from transformers import CONFIG_MAPPING, MODEL_MAPPING

from jina_vdr.checkpoint import Checkpoint, open_checkpoint
from jina_vdr.encoders.dual_encoder import DualEncoder
from jina_vdr.encoders.last_token import LastToken
from jina_vdr.encoders.late_interaction import LateInteraction
from jina_vdr.encoders.plain_encoder import PlainEncoder
from jina_vdr.errors import DataError
from jina_vdr.model import ModelSpec

RUNS = "transformers' *ForRetrieval, models with text and image features (CLIP, SigLIP), and Qwen-VL"


def transformers_model(spec: ModelSpec) -> PlainEncoder:
    """Return the encoder of a checkpoint whose network transformers itself has.

    Raises DataError, with what the config says, where it is none that gives vectors of texts and images.
    """
    checkpoint = open_checkpoint(spec.checkpoint, spec.revision)
    config = checkpoint.json("config.json")
    named = getattr(transformers, checkpoint.architecture, None)
    if named and checkpoint.architecture.endswith("ForRetrieval"):
        return LateInteraction(spec, checkpoint, named)
    for network in (named, _backbone(config)):
        if hasattr(network, "get_text_features") and hasattr(network, "get_image_features"):
            return DualEncoder(spec, checkpoint, network)
        if hasattr(network, "get_rope_index") and _scales_as_qwen(checkpoint):
            return LastToken(spec, checkpoint, network)
    said = {name: config.get(name) for name in ("model_type", "architectures")}
    raise DataError(
        "JV441", f"hf: cannot run {checkpoint.source}: its config.json says {said}", f"it runs {RUNS}"
    )


def _backbone(config: dict[str, Any]) -> Any:
    """Return the network without a head that transformers has for a config; None where it has none."""
    model_type = config.get("model_type")
    return MODEL_MAPPING.get(CONFIG_MAPPING[model_type], None) if model_type in CONFIG_MAPPING else None


def _scales_as_qwen(checkpoint: Checkpoint) -> bool:
    nested = checkpoint.json("processor_config.json").get("image_processor") or {}
    images = nested or checkpoint.json("preprocessor_config.json")
    return str(images.get("image_processor_type")).startswith("Qwen2VLImageProcessor")
