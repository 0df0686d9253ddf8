"""Checkpoints of a few thousand random weights of transformers' own vision models, laid out as on the Hub."""

import shutil
import string
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPImageProcessorPil,
    CLIPProcessor,
    ColModernVBertConfig,
    ColModernVBertForRetrieval,
    ColModernVBertProcessor,
    ColPaliConfig,
    ColPaliForRetrieval,
    ColPaliProcessor,
    ColQwen2Config,
    ColQwen2ForRetrieval,
    ColQwen2Processor,
    Idefics3ImageProcessorPil,
    ModernVBertConfig,
    PaliGemmaConfig,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipProcessor,
)

from tests.checkpoints import SIZES, WIDTH

QWEN_MARKS = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|image_pad|>", "<|video_pad|>"),
]
IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}"
    "{% if c.type == 'image' %}" + IMAGE + "{% else %}{{ c.text }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TOKEN_DIM = 16
LENGTH = 24
"""Tokens that the models with two towers take of a text."""


def byte_tokenizer(marks: list[str], end: str = "", **settings: object) -> PreTrainedTokenizerFast:
    """Return a tokenizer of single bytes; `end` is put behind every text."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.add_special_tokens(marks)
    if end:
        special = [(end, inner.token_to_id(end))]
        inner.post_processor = processors.TemplateProcessing(f"$A {end}", special_tokens=special)
    return PreTrainedTokenizerFast(tokenizer_object=inner, **settings)


def qwen_tokenizer() -> PreTrainedTokenizerFast:
    """Return one with the marks of Qwen, and a chat template like its."""
    return byte_tokenizer(QWEN_MARKS, pad_token="<|endoftext|>", eos_token="<|im_end|>", chat_template=CHAT)


def colqwen2(folder: Path) -> None:
    config = ColQwen2Config(vlm_config=_qwen_config("Qwen2VL"), embedding_dim=TOKEN_DIM)
    ColQwen2ForRetrieval(config).save_pretrained(folder)
    ColQwen2Processor(_qwen_images("Qwen2VL"), qwen_tokenizer()).save_pretrained(folder)


def colpali(folder: Path) -> None:
    marks = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"}
    images = SiglipImageProcessorPil(size={"height": 56, "width": 56})
    images.image_seq_length = 16
    processor = ColPaliProcessor(images, byte_tokenizer([*marks.values(), "<image>"], **marks))
    words = len(processor.tokenizer)
    vision = {**SIZES, "image_size": 56, "patch_size": 14, "model_type": "siglip_vision_model"}
    text = {**SIZES, "num_key_value_heads": 1, "head_dim": 8, "vocab_size": words, "model_type": "gemma"}
    whole = {"projection_dim": WIDTH, "hidden_size": WIDTH, "image_token_index": processor.image_token_id}
    vision["vision_use_head"] = False
    vlm = PaliGemmaConfig(vision_config=vision, text_config=text, vocab_size=words, **whole)
    ColPaliForRetrieval(ColPaliConfig(vlm_config=vlm, embedding_dim=TOKEN_DIM)).save_pretrained(folder)
    processor.save_pretrained(folder)


def colmodernvbert(folder: Path) -> None:
    tiles = [f"<row_{row}_col_{col}>" for row in range(1, 7) for col in range(1, 7)]
    marks = ["<pad>", "<|begin_of_text|>", "<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    images = Idefics3ImageProcessorPil(size={"longest_edge": 128}, max_image_size={"longest_edge": 64})
    tokens = byte_tokenizer([*marks, "<global-img>", *tiles], pad_token="<pad>")
    processor = ColModernVBertProcessor(images, tokens, image_seq_len=4)
    ids = dict.fromkeys(("pad_token_id", "cls_token_id", "sep_token_id", "bos_token_id", "eos_token_id"), 0)
    attended = {"global_attn_every_n_layers": 2, "local_attention": 64, "model_type": "modernbert"}
    text = {**SIZES, **ids, **attended, "vocab_size": len(processor.tokenizer)}
    vision = {**SIZES, "image_size": 64, "patch_size": 16, "model_type": "siglip_vision_model"}
    vlm = ModernVBertConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=processor.image_token_id,
        pixel_shuffle_factor=2,
        initializer_range=0.2,
    )
    config = ColModernVBertConfig(vlm_config=vlm, embedding_dim=TOKEN_DIM, initializer_range=0.2)
    ColModernVBertForRetrieval(config).save_pretrained(folder)
    processor.save_pretrained(folder)


def clip(folder: Path, kind: str = "CLIP") -> None:
    tokens = _tower_tokenizer()
    images = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(images, tokens).save_pretrained(folder)
    _two_towers(folder, kind, tokens, bos_token_id=tokens.pad_token_id, eos_token_id=tokens.eos_token_id)


def metaclip2(folder: Path) -> None:
    clip(folder, "MetaClip2")


def chinese_clip(folder: Path) -> None:
    tokens, size = _tower_tokenizer(), {"height": 32, "width": 32}
    images = transformers.ChineseCLIPImageProcessorPil(size=size, crop_size=size)
    transformers.ChineseCLIPProcessor(images, tokens).save_pretrained(folder)
    _two_towers(folder, "ChineseCLIP", tokens)


def align(folder: Path) -> None:
    tokens = _tower_tokenizer()
    images = transformers.EfficientNetImageProcessorPil(
        size={"height": 32, "width": 32}, do_center_crop=False
    )
    transformers.AlignProcessor(images, tokens).save_pretrained(folder)
    stages = {"kernel_sizes": [3, 3], "in_channels": [32, 16], "out_channels": [16, WIDTH]}
    stages |= {"strides": [1, 2], "num_block_repeats": [1, 1], "expand_ratios": [1, 6]}
    scale = {"width_coefficient": 1.0, "depth_coefficient": 1.0, "hidden_dim": WIDTH, "image_size": 32}
    _two_towers(folder, "Align", tokens, vision={**stages, **scale, "depthwise_padding": []})


def flava(folder: Path) -> None:
    """Write one whose features are those of every token."""
    tokens, size = _tower_tokenizer(), {"height": 32, "width": 32}
    images = transformers.FlavaImageProcessorPil(size=size, crop_size=size)
    transformers.FlavaProcessor(images, tokens).save_pretrained(folder)
    image = {**SIZES, "image_size": 32, "patch_size": 8}
    config = transformers.FlavaConfig(
        text_config={**SIZES, **_words(tokens)},
        image_config=image,
        multimodal_config=SIZES,
        hidden_size=WIDTH,
        projection_dim=WIDTH,
    )
    transformers.FlavaModel(config).save_pretrained(folder)


def siglip(folder: Path) -> None:
    """Write one of fixed size as SigLIP 2 is published: no mask, and lower case said in a config alone."""
    tokens = _tower_tokenizer(["input_ids"], do_lower_case=True)
    images = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    SiglipProcessor(images, tokens).save_pretrained(folder)
    text = {**SIZES, **_words(tokens), "bos_token_id": None, "eos_token_id": tokens.eos_token_id}
    config = SiglipConfig(text_config=text, vision_config={**SIZES, "image_size": 32, "patch_size": 8})
    SiglipModel(config).save_pretrained(folder)


def siglip2(folder: Path) -> None:
    """Write one of flexible size."""
    marks = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    rest = [*string.printable, *"äöüß", *(f"<0x{byte:02X}>" for byte in range(256))]
    words = {word: i for i, word in enumerate([*marks, "▁", *rest])}
    tokens = transformers.Siglip2Tokenizer(
        words, [], model_max_length=LENGTH, model_input_names=["input_ids"], padding_side="right"
    )
    images = transformers.Siglip2ImageProcessorPil(patch_size=16, max_num_patches=256)
    transformers.Siglip2Processor(images, tokens).save_pretrained(folder)
    text = {**SIZES, **_words(tokens), "bos_token_id": None, "eos_token_id": tokens.eos_token_id}
    vision = {**SIZES, "patch_size": 16, "num_patches": 16}
    config = transformers.Siglip2Config(text_config=text, vision_config=vision)
    transformers.Siglip2Model(config).save_pretrained(folder)


def qwen(folder: Path, kind: str) -> None:
    """Write a chat model of the kind Qwen2VL, Qwen2_5_VL or Qwen3VL."""
    getattr(transformers, f"{kind}ForConditionalGeneration")(_qwen_config(kind)).save_pretrained(folder)
    qwen_tokenizer().save_pretrained(folder)
    _qwen_images(kind).save_pretrained(folder)


def neomme(folder: Path) -> None:
    """Write one that gives single and multi-vectors; it takes torchvision to make."""
    marks = {"pad": "<pad>", "mask": "<mask>", "unk": "<unk>", "eos": "<eos>"}
    names = {"document": "<doc>", "image": "<img>", "query": "<query>", "row": "<row>"}
    tokens = byte_tokenizer(
        [*marks.values(), *names.values()],
        extra_special_tokens={f"{name}_token": mark for name, mark in names.items()},
        **{f"{name}_token": mark for name, mark in marks.items()},
    )
    template = (
        "{% for c in messages[0].content %}{% set said = image_token if c.type == 'image' else c.text %}"
        "{% if task == 'query' %}{{ query_token + said + mask_token * 10 }}"
        "{% else %}{{ document_token + said }}{% endif %}{% endfor %}"
    )
    images = transformers.NeoMMEImageProcessor(patch_size=16)
    transformers.NeoMMEProcessor(images, tokens, chat_template=template).save_pretrained(folder)
    ids = {f"{name}_token_id": tokens.convert_tokens_to_ids(names[name]) for name in ("document", "image")}
    layers = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 4}
    config = transformers.NeoMMEConfig(
        vocab_size=len(tokens),
        embedding_rank=16,
        embedding_dim=TOKEN_DIM,
        num_key_value_heads=2,
        head_dim=16,
        patch_size=16,
        pad_token_id=tokens.pad_token_id,
        **{key: SIZES[key] for key in SIZES if key != "initializer_range"},
        **layers,
        **ids,
    )
    network = transformers.NeoMMEForRetrieval(config)
    for weight in network.parameters():  # much of it would begin at zero
        torch.nn.init.normal_(weight, std=0.2)
    network.save_pretrained(folder)


MAKERS: dict[str, Callable[[Path], None]] = {
    **{make.__name__: make for make in (colqwen2, colpali, colmodernvbert)},
    **{make.__name__: make for make in (clip, metaclip2, chinese_clip, align, siglip, siglip2)},
    "qwen2": lambda folder: qwen(folder, "Qwen2VL"),
    "qwen2.5": lambda folder: qwen(folder, "Qwen2_5_VL"),
    "qwen3": lambda folder: qwen(folder, "Qwen3VL"),
}


def write(root: Path, *names: str) -> dict[str, Path]:
    """Write checkpoints below `root`, each from the same seed; return their folders."""
    for name in names:
        torch.manual_seed(0)
        MAKERS[name](root / name)
    return {name: root / name for name in names}


def without(folder: Path, part: str, copy: Path) -> Path:
    """Return a copy of a checkpoint that lacks the weights with `part` in their names."""
    shutil.copytree(folder, copy)
    weights = load_file(folder / "model.safetensors")
    left = {name: weight for name, weight in weights.items() if part not in name}
    save_file(left, copy / "model.safetensors", {"format": "pt"})
    return copy


def _two_towers(folder: Path, kind: str, tokens: PreTrainedTokenizerFast, **more: object) -> None:
    vision = more.pop("vision", {**SIZES, "image_size": 32, "patch_size": 8})
    text = {**SIZES, **_words(tokens), **more}
    config = getattr(transformers, f"{kind}Config")(
        text_config=text, vision_config=vision, projection_dim=WIDTH
    )
    getattr(transformers, f"{kind}Model")(config).save_pretrained(folder)


def _tower_tokenizer(names: tuple[str, ...] | list[str] = (), **more: object) -> PreTrainedTokenizerFast:
    return byte_tokenizer(
        ["<pad>", "<eos>"],
        "<eos>",
        pad_token="<pad>",
        eos_token="<eos>",
        model_max_length=LENGTH,
        model_input_names=list(names) or ["input_ids", "attention_mask"],
        **more,
    )


def _words(tokens: PreTrainedTokenizerFast) -> dict[str, int]:
    return {
        "vocab_size": len(tokens),
        "max_position_embeddings": LENGTH,
        "pad_token_id": tokens.pad_token_id,
    }


def _qwen_config(kind: str) -> Qwen2VLConfig | Qwen3VLConfig:
    marks = ("image", "pad"), ("video", "pad"), ("vision", "start"), ("vision", "end")
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    tokens = qwen_tokenizer()
    ids = {
        name: tokens.convert_tokens_to_ids(f"<|{what}_{end}|>")
        for name, (what, end) in zip(names, marks, strict=True)
    }
    rope = {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 10_000.0}
    text = {**SIZES, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": len(tokens)}
    text |= {"bos_token_id": None, "eos_token_id": None, "rope_parameters": rope}
    vision = {"depth": 2, "hidden_size": WIDTH, "num_heads": 2, "initializer_range": 0.2}
    if kind == "Qwen2VL":
        vision |= {"embed_dim": WIDTH, "mlp_ratio": 2}
    elif kind == "Qwen2_5_VL":
        vision |= {"intermediate_size": 48, "out_hidden_size": WIDTH, "window_size": 56}
        vision["fullatt_block_indexes"] = [1]
    else:
        vision |= {"intermediate_size": 48, "out_hidden_size": WIDTH, "num_position_embeddings": 16}
        vision["deepstack_visual_indexes"] = [0]
        text |= {"head_dim": 8, "rope_parameters": {**rope, "mrope_section": [2, 1, 1]}}
    return getattr(transformers, f"{kind}Config")(text_config=text, vision_config=vision, **ids)


def _qwen_images(kind: str) -> Qwen2VLImageProcessorPil:
    """Return what scales images to 4 to 48 tokens."""
    patch = 16 if kind == "Qwen3VL" else 14
    token = (2 * patch) ** 2
    return Qwen2VLImageProcessorPil(
        size={"shortest_edge": 4 * token, "longest_edge": 48 * token}, patch_size=patch
    )
