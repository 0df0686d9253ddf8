"""Qwen-VL models whose last token is the vector: DSE, GME, Qwen3-VL-Embedding and their like."""

from functools import cached_property
from typing import Any

import torch
from PIL import Image
from torch.nn.functional import normalize
from transformers import AutoConfig
from typing_extensions import override

from jina_vdr.checkpoint import Checkpoint
from jina_vdr.encoders.chat import filled_templates
from jina_vdr.encoders.loading import load_tokenizer, loading
from jina_vdr.encoders.loop import Inputs
from jina_vdr.encoders.plain_encoder import PlainEncoder
from jina_vdr.encoders.qwen_images import QwenImages, expanded, padded
from jina_vdr.encoders.torch_encoder import Traits
from jina_vdr.errors import DataError, UsageError
from jina_vdr.model import ModelSpec


class LastToken(PlainEncoder):
    """A Qwen-VL network whose vector is the state of the last token (Ma et al. 2024, DSE, arXiv 2406.11251).

    What stands around queries and pages is the model's own, and part of a result's settings. Batches are
    padded on the right, where a causal network cannot see it.
    """

    def __init__(self, spec: ModelSpec, checkpoint: Checkpoint, network: Any) -> None:
        chosen = spec.chosen
        if chosen.vector_type == "multi":
            raise UsageError("JV109", f"{checkpoint.name} gives one vector a text or page, not one a token")
        prompts = {"query": chosen.query_prompt or "", "document": chosen.document_prompt or ""}
        self._templates = filled_templates(checkpoint, spec.known, prompts["query"], prompts["document"])
        self._images = QwenImages(checkpoint.files, chosen.image_backend, chosen.max_pixels)
        with loading(checkpoint.source):
            self._image_token: int = AutoConfig.from_pretrained(checkpoint.files).image_token_id
        self._tokenizer = load_tokenizer(checkpoint)
        self._image_prompt = self._ids(self._templates.image)
        if self._image_prompt.count(self._image_token) != 1:
            raise DataError("JV441", f"the template of {checkpoint.name} for images has no place for one")
        traits = Traits.of(
            chosen,
            checkpoint,
            network,
            image_backend=self._images.backend,
            max_pixels=self._images.max_pixels,
            settings={"prompts": prompts, "templates": self._templates.model_dump()},
        )
        super().__init__(spec, checkpoint, network, traits)

    def _image_tokens(self, pixels: int) -> int:
        return self._images.tokens(pixels) + len(self._image_prompt)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def _prepare_texts(self, texts: list[str], *, is_query: bool) -> Inputs:
        template = self._templates.query if is_query else self._templates.text
        rows = [self._ids(template.replace("{text}", text)) for text in texts]
        return self._beside_blanks(rows) if self._image_token in self._ids(template) else padded(rows)

    def _beside_blanks(self, rows: list[list[int]]) -> Inputs:
        """Return the inputs of texts whose template shows an image where a page would be."""
        grid = self._blank["image_grid_thw"]
        count = int(grid.prod()) // self._images.processor.merge_size**2
        batch = padded([expanded(row, self._image_token, count) for row in rows])
        return {
            **batch,
            "mm_token_type_ids": (batch["input_ids"] == self._image_token).int(),
            "pixel_values": self._blank["pixel_values"].to(self._dtype).repeat(len(rows), 1),
            "image_grid_thw": grid.repeat(len(rows), 1),
        }

    @cached_property
    def _blank(self) -> Any:
        """What the network takes for the black image, at its own size."""
        side = self._templates.blank
        size = {"shortest_edge": side * side, "longest_edge": side * side}
        return self._images.processor(Image.new("RGB", (side, side)), size=size, return_tensors="pt")

    @property
    def _dtype(self) -> torch.dtype:
        dtype: torch.dtype = getattr(torch, self._traits.dtype)
        return dtype

    def _prepare_images(self, images: list[Any]) -> Inputs:
        return self._images.inputs(images, self._image_prompt, self._image_token, self._dtype)

    @override
    def _forward_texts(self, inputs: Inputs, *, is_query: bool) -> list[torch.Tensor]:
        return self._forward_images(inputs)

    def _forward_images(self, inputs: Inputs) -> list[torch.Tensor]:
        mask = inputs["attention_mask"]
        if self._templates.positions == "sequence":
            positions = torch.arange(mask.shape[1], device=mask.device)
            inputs = {**inputs, "position_ids": positions.expand(3, *mask.shape)}
        states = self._network(**inputs, use_cache=False).last_hidden_state
        last = states[torch.arange(len(mask), device=mask.device), mask.sum(1) - 1]
        return list(normalize(last.float(), dim=-1).split(1))
