"""jina-embeddings-v4 on stock transformers: one adapter merged, single and multi-vectors from one pass."""

from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn.functional import normalize
from transformers import Qwen2_5_VLModel
from typing_extensions import override

from jina_vdr.checkpoint import open_checkpoint
from jina_vdr.encoders.base import Encoded, pack
from jina_vdr.encoders.jina_v4_weights import load_network, read_config
from jina_vdr.encoders.loading import loading
from jina_vdr.encoders.loop import Inputs
from jina_vdr.encoders.qwen_images import QwenImages, padded
from jina_vdr.encoders.torch_encoder import TorchEncoder, Traits
from jina_vdr.errors import UsageError, near
from jina_vdr.model import ModelSpec

QUERY, PASSAGE = "Query: ", "Passage: "
IMAGE_PROMPT = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Describe the image.<|im_end|>\n"
END_OF_TEXT = "<|endoftext|>"
MAX_TOKENS = 32_768
DEFAULT_ADAPTER = "retrieval"


class Both(NamedTuple):
    """Both kinds of vectors of an item: a tensor [1, dim], and one [tokens, 128]."""

    single: torch.Tensor
    multi: torch.Tensor

    def cpu(self) -> "Both":
        """Copy them back, as a tensor does."""
        return Both(self.single.cpu(), self.multi.cpu())


class JinaV4(TorchEncoder):
    """jina-embeddings-v4 (Günther et al. 2025, arXiv 2506.18902) as its published code defines it.

    A single vector is the mean over the tokens of a text, or over an image's from <|vision_start|> to
    <|vision_end|>. Multi-vectors are all tokens through the projector, those of the image's prompt too.
    """

    family = "jina-v4"

    def __init__(self, spec: ModelSpec) -> None:
        chosen = spec.chosen
        checkpoint = open_checkpoint(spec.checkpoint, spec.revision)
        self._config = read_config(checkpoint)
        self._adapter = _adapter(chosen.adapter, self._config.adapters)
        self._images = QwenImages(checkpoint.files, chosen.image_backend, chosen.max_pixels)
        self._both = chosen.vector_type == "both"
        vector_type = "single" if self._both else chosen.vector_type or "single"
        query, document = spec.options.query_prompt, spec.options.document_prompt
        traits = Traits.of(
            chosen,
            checkpoint,
            Qwen2_5_VLModel,
            vector_type,
            image_backend=self._images.backend,
            max_pixels=self._images.max_pixels,
            query_prompt=QUERY if query is None else query,
            document_prompt=_document_prompt(self._adapter) if document is None else document,
            settings={"adapter": self._adapter},
        )
        super().__init__(spec, checkpoint, traits)
        _check_cut(self._truncate_dim, self._config.truncate_dims)
        if self._both:
            settings = {**self.info.settings, "truncate_dim": None}
            multi = replace(self.info, vector_type="multi", similarity="maxsim", settings=settings)
            self.info = replace(self.info, beside=multi)

    def _load(self) -> torch.nn.Module:
        return load_network(
            self._config,
            self._checkpoint,
            self._adapter,
            getattr(torch, self._traits.dtype),
            self._traits.attention,
        )

    def _image_tokens(self, pixels: int) -> int:
        return self._images.tokens(pixels) + len(self._image_prompt)

    @override
    def _prepare_texts(self, texts: list[str], *, is_query: bool) -> Inputs:
        return padded([self._ids(text) for text in texts])

    def _prepare_images(self, images: list[Any]) -> Inputs:
        dtype = getattr(torch, self._traits.dtype)
        return self._images.inputs(images, self._image_prompt, self._config.qwen.image_token_id, dtype)

    @override
    def _forward_texts(self, inputs: Inputs, *, is_query: bool) -> list[Any]:
        return self._forward_images(inputs)

    @override
    def _forward_images(self, inputs: Inputs) -> list[Any]:
        vectors = self._vectors(inputs)
        return vectors if self._both else [getattr(item, self._traits.vector_type) for item in vectors]

    @override
    def _packed(self, positions: list[int], vectors: list[Any]) -> Encoded:
        if not self._both:
            return super()._packed(positions, vectors)
        part = super()._packed(positions, [item.single for item in vectors])
        return replace(part, beside=pack([item.multi.numpy() for item in vectors], np.float16))

    def _vectors(self, inputs: Inputs) -> list[Both]:
        """Run the network once, on a batch of texts or of images, and return both kinds of its vectors.

        Means and lengths are computed in float32, as under the published code's autocast.
        """
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        hidden = self._network["model"](**inputs, use_cache=False).last_hidden_state
        pooled = self._image_span(ids) if "pixel_values" in inputs else mask
        mean = (hidden.float() * pooled[..., None]).sum(1) / pooled.sum(1, keepdim=True)
        tokens = normalize(self._network["multi_vector_projector"](hidden).float(), dim=-1)
        rows = [row[:length] for row, length in zip(tokens, mask.sum(1).tolist(), strict=True)]
        return list(map(Both, normalize(mean, dim=-1)[:, None], rows))

    def _image_span(self, ids: torch.Tensor) -> torch.Tensor:
        """Mark the tokens from the start of the image to its end, both included."""
        qwen = self._config.qwen
        begun = (ids == qwen.vision_start_token_id).cumsum(1)
        ended = (ids == qwen.vision_end_token_id).cumsum(1) - (ids == qwen.vision_end_token_id).long()
        return begun - ended

    def _ids(self, text: str) -> list[int]:
        """Return the tokens of a text; one where it has none, since nothing has no mean."""
        ids: list[int] = self._tokenizer.encode(text or END_OF_TEXT).ids
        return ids[:MAX_TOKENS]

    @cached_property
    def _image_prompt(self) -> list[int]:
        return self._ids(IMAGE_PROMPT)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        """The tokenizer as its file says: transformers 5 rebuilds it from the file's vocabulary."""
        with loading(self._checkpoint.source):
            return Tokenizer.from_file(str(self._checkpoint.files / "tokenizer.json"))


def _adapter(asked: str | None, adapters: list[str]) -> str:
    adapter = asked or DEFAULT_ADAPTER
    if adapter not in adapters:
        known = f"it has {', '.join(adapters)}"
        raise UsageError(
            "JV108", f"jina-embeddings-v4 has no adapter '{adapter}'", near(adapter, adapters) or known
        )
    return adapter


def _document_prompt(adapter: str) -> str:
    """Return what stands before a page's text.

    Text matching compares like with like: with its task set the published code, as in the evaluations of
    MTEB, writes Query before both sides; only a caller who passes the task beside prompt_name="passage" gets
    the other.
    """
    return QUERY if adapter == "text-matching" else PASSAGE


def _check_cut(cut: int | None, dims: list[int]) -> None:
    if cut and cut not in dims:
        known = ", ".join(str(dim) for dim in dims)
        raise UsageError(
            "JV109", f"jina-embeddings-v4 is not made to be cut to {cut} dimensions", f"it takes {known}"
        )
