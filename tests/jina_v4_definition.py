"""What jina-embeddings-v4 computes, written out: one item at a time, adapters added where they act."""

import json
import math
import re
from itertools import product
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer

BEFORE, AFTER = "<|im_start|>user\n<|vision_start|>", "<|vision_end|>Describe the image.<|im_end|>\n"
OLD_NAMES = ((r"^visual", "model.visual"), (r"^model(?!\.(language_model|visual))", "model.language_model"))


class Definition:
    """The network of a checkpoint in float32, with one adapter: y + alpha / r * B A x after each layer."""

    def __init__(self, folder: Path, adapter: str, max_pixels: int) -> None:
        config = json.loads((folder / "config.json").read_text())
        parts = {name: config[name] for name in ("text_config", "vision_config", "image_token_id")}
        self._model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**parts)).float().eval()
        self._model.set_attn_implementation("eager")
        self._tokenizer = Qwen2Tokenizer.from_pretrained(folder)
        self._image_token, self._max_pixels = config["image_token_id"], max_pixels
        self._factors = load_file(folder / "adapters/adapter_model.safetensors")
        said = json.loads((folder / "adapters/adapter_config.json").read_text())
        self._scale, self._adapter = said["lora_alpha"] / said["r"], adapter
        weights = {}
        for shard in folder.glob("*.safetensors"):
            weights |= {name(key): weight.float() for key, weight in load_file(shard).items()}
        self._projector = [weights.pop(f"multi_vector_projector.{kind}") for kind in ("weight", "bias")]
        lacking = self._model.load_state_dict(weights, strict=False)
        assert (lacking.missing_keys, lacking.unexpected_keys) == (["lm_head.weight"], [])
        for layer, module in self._model.named_modules():
            if f"base_model.model.{layer}.lora_A.{adapter}.weight" in self._factors:
                module.register_forward_hook(
                    lambda _module, inputs, output, layer=layer: output + self._delta(layer, inputs[0])
                )

    def text(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the single vector and the multi-vectors of a text with its prompt."""
        ids = self._tokenizer(text)["input_ids"]
        hidden = self._hidden(ids, [(i, i, i) for i in range(len(ids))])
        return self._vectors(hidden, hidden)

    def image(self, image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
        """Return the single vector and the multi-vectors of an image."""
        height, width = (side // 28 for side in scaled(image.height, image.width, self._max_pixels))
        before, after = (self._tokenizer(part)["input_ids"] for part in (BEFORE, AFTER))
        begin, end = len(before), len(before) + max(height, width)
        places = [(i, i, i) for i in range(begin)]
        places += [(begin, begin + y, begin + x) for y, x in product(range(height), range(width))]
        places += [(end + i, end + i, end + i) for i in range(len(after))]
        hidden = self._hidden(
            [*before, *[self._image_token] * (height * width), *after],
            places,
            pixel_values=patches(image.resize((width * 28, height * 28), Image.Resampling.BICUBIC)),
            image_grid_thw=torch.tensor([[1, height * 2, width * 2]]),
        )
        return self._vectors(hidden, hidden[begin - 1 : begin + height * width + 1])

    def _hidden(self, ids: list[int], places: list[tuple[int, ...]], **image: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            states = self._model(
                input_ids=torch.tensor([ids]),
                position_ids=torch.tensor(places).T[:, None],
                output_hidden_states=True,
                **image,
            ).hidden_states
        return states[-1][0]

    def _vectors(self, hidden: torch.Tensor, pooled: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        weight, bias = self._projector
        rows = [weight @ row + bias + self._delta("multi_vector_projector", row) for row in hidden]
        mean = sum(row.double() for row in pooled)
        return (mean / mean.norm()).numpy(), torch.stack([row / row.norm() for row in rows]).numpy()

    def _delta(self, layer: str, inputs: torch.Tensor) -> torch.Tensor:
        a, b = (
            self._factors[f"base_model.model.{layer}.lora_{factor}.{self._adapter}.weight"].float()
            for factor in "AB"
        )
        return self._scale * (inputs @ a.T) @ b.T


def name(key: str) -> str:
    """Return what transformers calls a key today."""
    for pattern, new in OLD_NAMES:
        key = re.sub(pattern, new, key)
    return key


def scaled(height: int, width: int, max_pixels: int, min_pixels: int = 3136) -> tuple[int, int]:
    """Return the size that Qwen scales an image to: multiples of 28, as near to its own as limits allow."""
    sides = [round(side / 28) * 28 for side in (height, width)]
    if math.prod(sides) > max_pixels:
        shrunk = math.sqrt(height * width / max_pixels)
        sides = [max(28, math.floor(side / shrunk / 28) * 28) for side in (height, width)]
    elif math.prod(sides) < min_pixels:
        grown = math.sqrt(min_pixels / (height * width))
        sides = [math.ceil(side * grown / 28) * 28 for side in (height, width)]
    return sides[0], sides[1]


def patches(image: Image.Image) -> torch.Tensor:
    """Return the patches of 14 x 14 pixels, four by four as they are merged, each twice as if it moved."""
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    deviation = np.array([0.26862954, 0.26130258, 0.27577711])
    pixels = (np.asarray(image) / 255 - mean) / deviation
    rows = [
        np.stack([pixels[y + down : y + down + 14, x + right : x + right + 14].transpose(2, 0, 1)] * 2, 1)
        for y, x in product(range(0, image.height, 28), range(0, image.width, 28))
        for down, right in product((0, 14), (0, 14))
    ]
    return torch.tensor(np.stack(rows).reshape(len(rows), -1), dtype=torch.float32)
