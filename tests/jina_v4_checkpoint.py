"""A checkpoint of random weights, laid out as jina-embeddings-v4 is on the Hub: files, keys and settings."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLModel

TASKS = ("retrieval", "text-matching", "code")
HIDDEN, TOKEN_DIM, RANK, ALPHA = 64, 16, 4, 8
DIMS = [16, 32, 64]
SPECIAL = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>"),
    *("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
]
IDS = {token: 256 + i for i, token in enumerate(SPECIAL)}
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
"""How Qwen splits texts into words."""

TEXT = {
    "vocab_size": 272,
    "hidden_size": HIDDEN,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1_000_000.0,
    "rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"},
    "sliding_window": None,
    "use_sliding_window": False,
    "tie_word_embeddings": True,
    "model_type": "qwen2_5_vl_text",
    "torch_dtype": "bfloat16",
    "bos_token_id": IDS["<|endoftext|>"],
    "eos_token_id": IDS["<|im_end|>"],
}
VISION = {
    "depth": 4,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "out_hidden_size": HIDDEN,
    "fullatt_block_indexes": [1, 3],
    "window_size": 112,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "tokens_per_second": 2,
    "in_channels": 3,
    "in_chans": 3,
    "model_type": "qwen2_5_vl",
    "torch_dtype": "bfloat16",
}
IMAGES = {
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Qwen2VLImageProcessor",
    "max_pixels": 602_112,
    "min_pixels": 3136,
    "size": {"longest_edge": 602_112, "shortest_edge": 3136},
    "merge_size": 2,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "processor_class": "JinaEmbeddingsV4Processor",
    "auto_map": {"AutoProcessor": "modeling_jina_embeddings_v4.JinaEmbeddingsV4Processor"},
}
CONFIG = {
    "_name_or_path": "jinaai/jina-embeddings-v4",
    "_attn_implementation": "flash_attention_2",
    "architectures": ["JinaEmbeddingsV4Model"],
    "auto_map": {"AutoModel": "modeling_jina_embeddings_v4.JinaEmbeddingsV4Model"},
    **{name: TEXT[name] for name in ("hidden_size", "num_hidden_layers", "rope_scaling", "rope_theta")},
    "text_config": TEXT,
    "vision_config": VISION,
    "image_token_id": IDS["<|image_pad|>"],
    "video_token_id": IDS["<|video_pad|>"],
    "vision_start_token_id": IDS["<|vision_start|>"],
    "vision_end_token_id": IDS["<|vision_end|>"],
    "matryoshka_dims": DIMS,
    "multi_vector_projector_dim": TOKEN_DIM,
    "single_vector_pool_strategy": "mean",
    "task_names": list(TASKS),
    "truncate_dim": None,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
ADAPTER = {
    "peft_type": "LORA",
    "r": RANK,
    "lora_alpha": ALPHA,
    "lora_dropout": 0.1,
    "bias": "none",
    "exclude_modules": ".*visual.*",
    "target_modules": "(.*(model).*(down_proj|gate_proj|up_proj|k_proj|q_proj|v_proj|o_proj).*$"
    "|.*(single_vector_projector|multi_vector_projector).*$)",
    "task_type": "FEATURE_EXTRACTION",
    **dict.fromkeys(("fan_in_fan_out", "lora_bias", "use_dora", "use_rslora"), False),
    "alpha_pattern": {},
    "rank_pattern": {},
}


def jina_v4(folder: Path, config: dict = CONFIG, images: dict = IMAGES, seed: int = 0) -> Path:
    """Write the checkpoint: bfloat16 in two shards, three adapters in one file, a tokenizer of bytes."""
    (folder / "adapters").mkdir(parents=True)
    torch.manual_seed(seed)
    weights = _weights(config)
    half = len(weights) // 2
    shards = {
        f"model-0000{i}-of-00002.safetensors": dict(part)
        for i, part in ((1, list(weights.items())[:half]), (2, list(weights.items())[half:]))
    }
    for name, part in shards.items():
        save_file(part, folder / name, {"format": "pt"})
    size = sum(weight.nbytes for weight in weights.values())
    places = {key: name for name, part in shards.items() for key in part}
    index = {"metadata": {"total_size": size}, "weight_map": places}
    save_file(_adapters(weights), folder / "adapters/adapter_model.safetensors")
    written = {
        "config.json": config,
        "model.safetensors.index.json": index,
        "adapters/adapter_config.json": ADAPTER,
        "preprocessor_config.json": images,
        "tokenizer_config.json": {"tokenizer_class": "Qwen2Tokenizer", "pad_token": "<|endoftext|>"},
    }
    for name, content in written.items():
        (folder / name).write_text(json.dumps(content))
    tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def tokenizer() -> Tokenizer:
    """Return a tokenizer of single bytes, with Qwen's special tokens after them."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    inner.normalizer = normalizers.NFC()
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(WORDS), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    return inner


def _weights(config: dict) -> dict[str, torch.Tensor]:
    """Return random weights under the published keys, those of transformers before 4.52."""
    with torch.device("meta"):
        parts = {name: config[name] for name in ("text_config", "vision_config")}
        network = Qwen2_5_VLModel(Qwen2_5_VLConfig(**json.loads(json.dumps(parts))))
    shapes = {name.removeprefix("language_model."): p.shape for name, p in network.named_parameters()}
    keys = {name if name.startswith("visual.") else f"model.{name}": shape for name, shape in shapes.items()}
    hidden, dim = config["text_config"]["hidden_size"], config["multi_vector_projector_dim"]
    keys |= {"multi_vector_projector.weight": (dim, hidden), "multi_vector_projector.bias": (dim,)}
    return {key: _random(key, shape) for key, shape in keys.items()}


def _random(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return weights wide enough that inputs which differ get vectors that do; norms stand around 1."""
    if key.endswith(("norm.weight", "norm1.weight", "norm2.weight", "ln_q.weight")):
        return (1 + 0.1 * torch.randn(shape)).bfloat16()
    return (torch.randn(shape) * 0.15).bfloat16()


def _adapters(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the factors of all three adapters under peft's keys; there are none for the vision tower."""
    factors = {}
    for key, weight in weights.items():
        layer = key.removesuffix(".weight").replace("model.layers", "model.language_model.layers")
        if (layer.endswith("_proj") and "visual" not in key) or key == "multi_vector_projector.weight":
            for task in TASKS:
                out, into = weight.shape
                factors[f"base_model.model.{layer}.lora_A.{task}.weight"] = torch.randn(RANK, into) * 0.2
                factors[f"base_model.model.{layer}.lora_B.{task}.weight"] = torch.randn(out, RANK) * 0.2
    return {key: factor.bfloat16() for key, factor in factors.items()}
