"""Checkpoints of a few thousand random weights, built with colpali_engine's classes and saved in its ways.

Imported only where colpali_engine and torchvision are: `tests/needs.py` says how.
"""

from pathlib import Path
from typing import Any

import colpali_engine
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    Idefics3Config,
    Idefics3ImageProcessor,
    ModernVBertConfig,
    PaliGemmaConfig,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2VLConfig,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLVideoProcessor,
    SiglipImageProcessor,
)

from tests.jina_v4_checkpoint import IDS, tokenizer

MARKS = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
RANGE = {"initializer_range": 0.2}
"""Ten times the usual spread of weights: texts and images that differ get vectors that do."""

TEXT = {
    "vocab_size": 288,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 4096,
    **dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 256),
    "pad_token_id": 287,  # its embedding is zero, and the real one is a token as any other
    **RANGE,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "depth": 2,
    "out_hidden_size": 64,
    **RANGE,
}
SIGLIP = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
    **RANGE,
}
QWEN = {
    f"{name}_token_id": IDS[f"<|{token}|>"]
    for name, token in (
        ("image", "image_pad"),
        ("video", "video_pad"),
        ("vision_start", "vision_start"),
        ("vision_end", "vision_end"),
    )
}
ROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]}
MAX_PIXELS = 16_384

CLASSES = (
    *("ColQwen2", "ColQwen2_5", "ColQwen3", "ColIdefics3", "ColModernVBert", "ColPali"),
    *("BiQwen2", "BiQwen3", "BiModernVBert"),
)


def checkpoint(name: str, folder: Path) -> Path:
    """Write a checkpoint of a class, as `save_pretrained` of network and processor writes it."""
    torch.manual_seed(0)
    getattr(colpali_engine, name)(_config(name)).save_pretrained(folder)
    _processor(name).save_pretrained(folder)
    return folder


def adapter(
    base: Path, folder: Path, name: str = "ColQwen2", task_type: str | None = "FEATURE_EXTRACTION"
) -> Path:
    """Write a LoRA adapter over a checkpoint, as its trainer saves it, with the processor beside it.

    Without a task type it names the class that it changes.
    """
    torch.manual_seed(1)
    layers = r"(.*(language_model).*(down_proj|up_proj|q_proj|o_proj).*$|.*(custom_text_proj).*$)"
    config = LoraConfig(
        r=4, lora_alpha=8, target_modules=layers, task_type=task_type, init_lora_weights=False
    )
    network = getattr(colpali_engine, name).from_pretrained(base, key_mapping={})
    get_peft_model(network, config).save_pretrained(folder)
    _processor(name).save_pretrained(folder)
    return folder


def _config(name: str) -> Any:
    text = {**TEXT, "rope_parameters": ROPE}
    match name.removeprefix("Col").removeprefix("Bi"):
        case "Qwen2":
            vision = {**VISION, "embed_dim": 32, "hidden_size": 64, "mlp_ratio": 2}
            return Qwen2VLConfig(text_config=text, vision_config=vision, **QWEN)
        case "Qwen2_5":
            vision = {**VISION, "fullatt_block_indexes": [1], "window_size": 112}
            return Qwen2_5_VLConfig(text_config=text, vision_config=vision, **QWEN)
        case "Qwen3":
            vision = {**VISION, "deepstack_visual_indexes": [0], "num_position_embeddings": 16}
            text["rope_parameters"] = {**ROPE, "mrope_interleaved": True}
            return Qwen3VLConfig(text_config=text, vision_config=vision, **QWEN)
    image = {"image_token_id": _tokenizer().convert_tokens_to_ids("<image>")}
    match name.removeprefix("Col").removeprefix("Bi"):
        case "Idefics3":
            return Idefics3Config(
                text_config={**TEXT, "model_type": "llama"}, vision_config=SIGLIP, scale_factor=2, **image
            )
        case "ModernVBert":
            return ModernVBertConfig(text_config=TEXT, vision_config=SIGLIP, pixel_shuffle_factor=2, **image)
    return PaliGemmaConfig(
        text_config={**TEXT, "model_type": "gemma"},
        vision_config={**SIGLIP, "model_type": "siglip_vision_model", "projection_dim": 64},
        projection_dim=64,
        **image,
    )


def _processor(name: str) -> Any:
    suffix = "_Processor" if "2_5" in name else "Processor"
    kind = getattr(colpali_engine, name + suffix)
    if "Qwen" in name:
        third = name.endswith("3")
        size = {"shortest_edge": 56 * 56, "longest_edge": MAX_PIXELS}
        images = Qwen2VLImageProcessor(size=size, patch_size=16 if third else 14)
        video = Qwen3VLVideoProcessor() if third else Qwen2VLVideoProcessor()
        return kind(image_processor=images, tokenizer=_tokenizer(), video_processor=video)
    if name == "ColPali":
        images = SiglipImageProcessor(size={"height": 28, "width": 28})
        images.image_seq_length = 4
        return kind(image_processor=images, tokenizer=_tokenizer())
    images = Idefics3ImageProcessor(size={"longest_edge": 56}, max_image_size={"longest_edge": 28})
    return kind(image_processor=images, tokenizer=_tokenizer(), image_seq_len=1)


def _tokenizer() -> PreTrainedTokenizerFast:
    names = {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>", "bos_token": "<|endoftext|>"}
    letters = PreTrainedTokenizerFast(tokenizer_object=tokenizer(), model_max_length=4096, **names)
    letters.add_special_tokens({"additional_special_tokens": list(MARKS)})
    return letters
