"""Models of colpali_engine: its Col* classes give one vector a token, its Bi* classes one a page."""

from typing import Any

import colpali_engine
import torch
from transformers import PaliGemmaPreTrainedModel
from typing_extensions import override

from jina_vdr.checkpoint import Checkpoint, open_checkpoint
from jina_vdr.encoders.colpali_classes import KINDS, PROCESSORS, find_class, processor_class
from jina_vdr.encoders.loading import load_network, loading
from jina_vdr.encoders.loop import Inputs
from jina_vdr.encoders.processors import as_dtype, fixed_pixels, is_qwen, load_processor, most_pixels
from jina_vdr.encoders.qwen_images import check_shapes
from jina_vdr.encoders.torch_encoder import TorchEncoder, Traits
from jina_vdr.model import ModelSpec


class ColPaliEngine(TorchEncoder):
    """A checkpoint of colpali_engine (Faysse et al. 2024, arXiv 2407.01449), or an adapter over one.

    Its processor writes what stands around queries and images; queries get ten tokens more to think with. A
    page's text goes in as it is. An adapter's base is taken at the revision that the adapter names, else at
    the one that is there now; both are recorded.
    """

    family = "colpali-engine"
    packages = ("colpali-engine", "peft", "torch", "torchvision", "transformers", "pillow")

    def __init__(self, spec: ModelSpec) -> None:
        chosen = spec.chosen
        checkpoint = open_checkpoint(spec.checkpoint, spec.revision)
        self._base = _base(checkpoint)
        name = find_class(checkpoint, self._base, chosen.vector_type)
        self._kind = getattr(colpali_engine, name)
        brings_its_own = any((checkpoint.files / file).exists() for file in PROCESSORS)
        self._processor = load_processor(
            checkpoint if brings_its_own else self._base,
            chosen.image_backend,
            chosen.max_pixels,
            processor_class(name),
        )
        self._images = self._processor.image_processor
        query_prompt = self._processor.query_prefix
        self._processor.query_prefix = ""  # it stands before the texts already
        with loading(checkpoint.source):  # a tokenizer sets its padding once: not in two threads
            self._prepare_texts([""], is_query=True)
        vector_type = KINDS[name[:2]]
        traits = Traits.of(
            chosen,
            self._base,
            self._kind,
            vector_type,
            "dot" if vector_type == "single" else None,  # as the processors of Bi* score
            image_backend=self._images.backend,
            max_pixels=most_pixels(self._images),
            query_prompt=query_prompt if chosen.query_prompt is None else chosen.query_prompt,
            document_prompt=chosen.document_prompt or "",
            settings={"class": name, "base": {"name": self._base.name, "revision": self._base.revision}},
        )
        super().__init__(spec, checkpoint, traits)

    def _load(self) -> torch.nn.Module:
        more: dict[str, Any] = {}
        if self._base is not self._checkpoint:
            more = {"revision": self._base.commit, "adapter_kwargs": {"revision": self._checkpoint.commit}}
        if not hasattr(self._kind, "_checkpoint_conversion_mapping"):
            more["key_mapping"] = {}  # Bi* would ask transformers' class for one, which 5 no longer has
        network: torch.nn.Module = load_network(
            self._kind, self._checkpoint, self._traits.dtype, self._traits.attention, **more
        )
        for part in network.modules():
            if hasattr(part, "lm_head"):  # a score for each word of the vocabulary, which nobody asks for
                part.lm_head = torch.nn.Identity()
        return network

    def _image_tokens(self, pixels: int) -> int:
        return super()._image_tokens(fixed_pixels(self._images) or pixels)

    def _prepare_texts(self, texts: list[str], *, is_query: bool) -> Inputs:
        if is_query:
            inputs = dict(self._processor.process_queries(texts=texts))
        else:  # no token has no vector
            filled = [text or self._processor.query_augmentation_token for text in texts]
            inputs = dict(self._processor.process_texts(texts=filled))
        if issubclass(self._kind, PaliGemmaPreTrainedModel):
            # all tokens see all others, as in training; transformers 5 forgets that where a batch is padded
            inputs["token_type_ids"] = torch.zeros_like(inputs["input_ids"])
        return inputs

    def _prepare_images(self, images: list[Any]) -> Inputs:
        if is_qwen(self._images):
            check_shapes(images)
        inputs = as_dtype(self._processor.process_images(images=images), self._traits.dtype)
        return {name: value for name, value in inputs.items() if name != "labels"}

    @override
    def _forward_texts(self, inputs: Inputs, *, is_query: bool) -> list[torch.Tensor]:
        return self._forward_images(inputs)

    def _forward_images(self, inputs: Inputs) -> list[torch.Tensor]:
        vectors = self._network(**inputs)
        if self._traits.vector_type == "single":
            return list(vectors.split(1))
        tokens = inputs["attention_mask"].bool()
        return [rows[kept] for rows, kept in zip(vectors, tokens, strict=True)]


def _base(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint that an adapter changes, or the checkpoint itself where it is no adapter."""
    adapter = checkpoint.json("adapter_config.json")
    if not adapter:
        return checkpoint
    return open_checkpoint(str(adapter.get("base_model_name_or_path")), adapter.get("revision"))
