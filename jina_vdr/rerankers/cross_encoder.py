"""Any `CrossEncoder` of sentence-transformers, over the text of pages or their images."""

from functools import cached_property
from typing import Any

import torch
from sentence_transformers import CrossEncoder

from jina_vdr.checkpoint import open_checkpoint
from jina_vdr.encoders.halving import Halving
from jina_vdr.encoders.loading import loading, own_dtype, versions
from jina_vdr.encoders.sentence_transformers import loaded, sees_images
from jina_vdr.errors import DataError
from jina_vdr.model import ModelSpec
from jina_vdr.records import ModelInfo
from jina_vdr.rerankers.calls import CallReranker, Document

BATCH_SIZE = 16


class CrossEncoders(CallReranker):
    """A checkpoint that sentence-transformers loads as a cross-encoder, at a recorded revision.

    Scores are the logits: the sigmoid that `predict` puts on them rounds the high ones to 1, and pages tie.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._options = options = spec.options
        self._checkpoint = open_checkpoint(spec.checkpoint, spec.revision)
        self._dtype = options.dtype or own_dtype(self._checkpoint)
        sees = sees_images(self._checkpoint) and options.document_input in {None, "image"}
        self.document_input = "image" if sees else "text"
        self.info = ModelInfo(
            name=self._checkpoint.name,
            family=spec.family,
            revision=self._checkpoint.revision,
            settings={
                "dtype": self._dtype,
                "attention": options.attention,
                "max_pixels": options.max_pixels,
                "prompt": options.query_prompt,
                "document_input": options.document_input,
                "versions": versions("sentence-transformers", "torch", "transformers", "pillow"),
            },
            runtime={"device": options.device, "batch_size": options.batch_size or BATCH_SIZE},
        )
        self._batches = Halving(self.info.name, options.batch_size or BATCH_SIZE)

    def _call(self, pairs: list[tuple[str, Document]], size: int, *, sees: bool) -> Any:
        return self._model.predict(
            [self._input(query, document, sees=sees) for query, document in pairs],
            prompt=self._options.query_prompt,
            batch_size=size,
            activation_fn=torch.nn.Identity(),
            show_progress_bar=False,
        )

    def _input(self, query: str, document: Document, *, sees: bool) -> Any:
        """Return a pair as it goes in: a bare string that looks like a path would be opened as an image."""
        if not (sees or self._wraps):
            return (query, document)
        return ({"text": query}, {"image" if sees else "text": document})

    @cached_property
    def _wraps(self) -> bool:
        """Whether texts go through a template of parts; others take plain strings, and look for no image."""
        model = self._model
        return "message" in model.modalities and model[0].input_formatter.message_format == "structured"

    @cached_property
    def _model(self) -> Any:
        with loading(self._checkpoint.source):
            model = loaded(CrossEncoder, self._checkpoint, self._options, self._dtype)
            if model.num_labels != 1:
                raise DataError(
                    "JV441",
                    f"{self._checkpoint.source} gives {model.num_labels} scores a pair",
                    "--rerank takes models that give one",
                )
        return model
