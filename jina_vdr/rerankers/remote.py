"""Rerankers that bring code of their own: `compute_score` as jina-reranker-m0, `rerank` as jina-reranker-v3.

https://huggingface.co/jinaai/jina-reranker-m0, https://huggingface.co/jinaai/jina-reranker-v3
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import torch
from transformers.dynamic_module_utils import get_class_from_dynamic_module

from jina_vdr.checkpoint import Checkpoint, open_checkpoint
from jina_vdr.encoders.foreign import loading_foreign
from jina_vdr.encoders.halving import Halving
from jina_vdr.encoders.loading import load_network, origin, own_dtype, versions
from jina_vdr.errors import DataError, OutOfMemory, UsageError, first_line
from jina_vdr.model import ModelSpec
from jina_vdr.records import ModelInfo
from jina_vdr.rerankers.base import Pair, Reranker, Scored
from jina_vdr.rerankers.calls import CallReranker, Document

BATCH_SIZE = 8


class Remote:
    """A checkpoint whose class is in its own files; `kind` is that class."""

    def __init__(self, spec: ModelSpec, checkpoint: Checkpoint, kind: Any) -> None:
        self._options = options = spec.options
        self._checkpoint = checkpoint
        self._kind = kind
        self._dtype = options.dtype or own_dtype(checkpoint)
        self.info = ModelInfo(
            name=checkpoint.name,
            family=spec.family,
            revision=checkpoint.revision,
            settings={
                "dtype": self._dtype,
                "attention": options.attention,
                "document_input": options.document_input,
                "versions": versions("torch", "transformers", "pillow"),
            },
            runtime={"device": options.device, "batch_size": options.batch_size or BATCH_SIZE},
        )

    @cached_property
    def _model(self) -> Any:
        with loading_foreign(self._checkpoint.source):
            model = load_network(self._kind, self._checkpoint, self._dtype, self._options.attention)
            device = self._options.device or ("cuda" if torch.cuda.is_available() else "cpu")
            return model.eval().to(device)


class PairwiseCode(Remote, CallReranker):
    """`compute_score(pairs, batch_size, doc_type)`: one score a pair of a query and a text, or an image."""

    def __init__(self, spec: ModelSpec, checkpoint: Checkpoint, kind: Any) -> None:
        super().__init__(spec, checkpoint, kind)
        self.document_input = "image" if spec.options.document_input in {None, "image"} else "text"
        self._batches = Halving(self.info.name, spec.options.batch_size or BATCH_SIZE)

    def _call(self, pairs: list[tuple[str, Document]], size: int, *, sees: bool) -> Any:
        found = self._model.compute_score(
            [list(pair) for pair in pairs], batch_size=size, doc_type="image" if sees else "text"
        )
        return np.atleast_1d(found)


class ListwiseCode(Remote):
    """`rerank(query, documents)`: all texts of a query at once, each scored beside the others."""

    document_input = "text"
    listwise = True

    def score(self, pairs: Sequence[Pair]) -> Iterator[Scored]:
        """Score the texts of each query's pages together."""
        for query, group in groupby(range(len(pairs)), key=lambda i: pairs[i][0]):
            positions = list(group)
            texts = [pairs[i][1].read_text() or "" for i in positions]
            scores = np.full(len(texts), np.nan, np.float32)
            for found in self._rerank(query.text, texts):
                scores[found["index"]] = found["relevance_score"]
            yield positions, scores

    def _rerank(self, query: str, texts: list[str]) -> Any:
        try:
            return self._model.rerank(query, texts)
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                "JV501",
                f"{self.info.name} does not fit into memory with {len(texts)} pages of a query",
                f"a smaller --rerank-top; {first_line(error)}",
            ) from error


def remote_reranker(spec: ModelSpec) -> Reranker:
    """Return the reranker that the code of a checkpoint is.

    Raises UsageError where that code may not run, DataError where it has neither method.
    """
    checkpoint = open_checkpoint(spec.checkpoint, spec.revision)
    if not spec.options.trust_remote_code:
        raise UsageError(
            "JV143",
            f"{checkpoint.source} brings code of its own, which may do anything",
            "read it, then add --trust-remote-code",
        )
    place = origin(checkpoint)
    source = place.pop("pretrained_model_name_or_path")
    with loading_foreign(checkpoint.source):
        kind = get_class_from_dynamic_module(
            checkpoint.json("config.json")["auto_map"]["AutoModel"], source, **place
        )
    if hasattr(kind, "compute_score"):
        return PairwiseCode(spec, checkpoint, kind)
    if hasattr(kind, "rerank"):
        return ListwiseCode(spec, checkpoint, kind)
    raise DataError(
        "JV441", f"the code of {checkpoint.source} has no compute_score and no rerank", "it reranks nothing"
    )
