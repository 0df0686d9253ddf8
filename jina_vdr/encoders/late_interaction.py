"""transformers' own late-interaction models: ColPali, ColQwen2, ColModernVBert, NeoMME and their like."""

from inspect import signature
from typing import Any

import torch
from typing_extensions import override

from jina_vdr.checkpoint import Checkpoint
from jina_vdr.encoders.loading import loading
from jina_vdr.encoders.loop import Inputs
from jina_vdr.encoders.plain_encoder import PlainEncoder
from jina_vdr.encoders.processors import as_dtype, fixed_pixels, is_qwen, load_processor, most_pixels
from jina_vdr.encoders.qwen_images import check_shapes
from jina_vdr.encoders.torch_encoder import Traits
from jina_vdr.errors import UsageError
from jina_vdr.model import ModelSpec


class LateInteraction(PlainEncoder):
    """A network of transformers that gives one vector a token (Faysse et al. 2024, arXiv 2407.01449).

    The checkpoint's processor writes what stands around queries and images. A page's text is written as a
    query where the processor knows no other text. Networks that pool as well (NeoMME) give single vectors.
    """

    def __init__(self, spec: ModelSpec, checkpoint: Checkpoint, network: Any) -> None:
        chosen = spec.chosen
        self._processor = load_processor(checkpoint, chosen.image_backend, chosen.max_pixels)
        self._images = self._processor.image_processor
        vector_type = chosen.vector_type or "multi"
        if vector_type == "single" and "output_dense" not in signature(network.forward).parameters:
            raise UsageError("JV109", f"{checkpoint.name} gives one vector a token, none of a whole")
        query_prompt = getattr(self._processor, "query_prefix", "")
        self._processor.query_prefix = ""  # it stands before the texts already
        with loading(checkpoint.source):  # a tokenizer sets its padding once: not in two threads
            self._prepare_texts([""], is_query=True)
        declared = checkpoint.json("config_sentence_transformers.json").get("similarity_fn_name")
        traits = Traits.of(
            chosen,
            checkpoint,
            network,
            vector_type,
            declared if vector_type == "multi" else None,
            image_backend=self._images.backend,
            max_pixels=most_pixels(self._images),
            query_prompt=query_prompt if chosen.query_prompt is None else chosen.query_prompt,
            document_prompt=chosen.document_prompt or "",
        )
        super().__init__(spec, checkpoint, network, traits)

    def _image_tokens(self, pixels: int) -> int:
        return super()._image_tokens(fixed_pixels(self._images) or pixels)

    def _prepare_texts(self, texts: list[str], *, is_query: bool) -> Inputs:
        if hasattr(self._processor, "process_queries"):
            return dict(self._processor.process_queries(text=texts))
        return self._conversations("text", texts, "query" if is_query else "document")

    def _prepare_images(self, images: list[Any]) -> Inputs:
        if is_qwen(self._images):
            check_shapes(images)
        if hasattr(self._processor, "process_images"):
            inputs = self._processor.process_images(images=images)
        else:
            inputs = self._conversations("image", images, "document")
        return as_dtype(inputs, self._traits.dtype)

    def _conversations(self, kind: str, items: list[Any], task: str) -> Inputs:
        """Return what a processor makes of items that speaks by templates alone (NeoMME)."""
        turns = [[{"role": "user", "content": [{"type": kind, kind: item}]}] for item in items]
        return dict(
            self._processor.apply_chat_template(
                turns,
                task=task,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                processor_kwargs={"padding": "longest"},
            )
        )

    @override
    def _forward_texts(self, inputs: Inputs, *, is_query: bool) -> list[torch.Tensor]:
        return self._forward_images(inputs)

    def _forward_images(self, inputs: Inputs) -> list[torch.Tensor]:
        output = self._network(**inputs, **self._grid(inputs))
        if self._traits.vector_type == "single":
            return list(output.dense_embeddings.split(1))
        tokens = inputs["attention_mask"].bool()
        return [rows[kept] for rows, kept in zip(output.embeddings, tokens, strict=True)]

    def _grid(self, inputs: Inputs) -> Inputs:
        """Return where an image's tokens stand, by row and column, for networks that turn by both (M-RoPE).

        ColQwen2 was trained with it, and transformers 5.0 still gave it; 5.3 and later number the tokens of
        an image as those of a text, unless told.
        """
        inner: Any = getattr(self._network, "vlm", None)
        if "image_grid_thw" not in inputs or not hasattr(inner, "get_rope_index"):
            return {}
        positions, _ = inner.get_rope_index(
            input_ids=inputs["input_ids"],
            mm_token_type_ids=(inputs["input_ids"] == inner.config.image_token_id).int(),
            image_grid_thw=inputs["image_grid_thw"],
            attention_mask=inputs["attention_mask"],
        )
        return {"position_ids": positions}
