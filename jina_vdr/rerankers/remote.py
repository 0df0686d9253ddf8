"""Rerankers that bring code of their own: `compute_score` as jina-reranker-m0, `rerank` as jina-reranker-v3.

https://huggingface.co/jinaai/jina-reranker-m0, https://huggingface.co/jinaai/jina-reranker-v3
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import torch

from jina_vdr.checkpoint import open_checkpoint
from jina_vdr.encoders.checkpoint_code import Code, find_code, packages
from jina_vdr.encoders.halving import Halving
from jina_vdr.encoders.loading import load_network, loading, own_dtype, versions
from jina_vdr.encoders.remote_code import FILES, not_trusted
from jina_vdr.encoders.torch_encoder import best_device
from jina_vdr.errors import DataError, OutOfMemory, first_line
from jina_vdr.model import ModelSpec
from jina_vdr.records import ModelInfo
from jina_vdr.rerankers.base import Pair, Reranker, Scored
from jina_vdr.rerankers.calls import CallReranker, Document

BATCH_SIZE = 8


class Remote:
    """A checkpoint whose class is in its code; `kind` is that class, once the code has run."""

    def __init__(self, spec: ModelSpec, code: Code, kind: Any) -> None:
        self._options = options = spec.options
        self._checkpoint = checkpoint = code.checkpoint
        self._kind = kind
        self._dtype = options.dtype or own_dtype(checkpoint)
        self.info = ModelInfo(
            name=checkpoint.name,
            family=spec.family,
            revision=checkpoint.revision,
            settings={
                "code": {"revision": code.home.revision, "class": code.reference},
                "dtype": self._dtype,
                "attention": options.attention,
                "document_input": options.document_input,
                "versions": versions("torch", "transformers", "pillow", *packages(kind)),
            },
            runtime={"device": options.device, "batch_size": options.batch_size or BATCH_SIZE},
        )

    @cached_property
    def _model(self) -> Any:
        """The model, from a folder: code that asks for more of itself finds it there, at this commit."""
        with loading(self._checkpoint.name):
            folder = replace(self._checkpoint, source=str(self._checkpoint.fetch(FILES)), commit=None)
            model = load_network(self._kind, folder, self._dtype, self._options.attention)
            return model.eval().to(self._options.device or best_device())


class PairwiseCode(Remote, CallReranker):
    """`compute_score(pairs, batch_size, doc_type)`: one score a pair of a query and a text, or an image."""

    def __init__(self, spec: ModelSpec, code: Code, kind: Any) -> None:
        super().__init__(spec, code, kind)
        self.document_input = "image" if spec.options.document_input in {None, "image"} else "text"
        self._batches = Halving(self.info.name, spec.options.batch_size or BATCH_SIZE)

    def _call(self, pairs: list[tuple[str, Document]], size: int, *, sees: bool) -> Any:
        kind = "image" if sees else "text"
        with torch.inference_mode():
            found = self._model.compute_score([list(pair) for pair in pairs], batch_size=size, doc_type=kind)
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
            with torch.inference_mode():
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
    code = find_code(checkpoint)
    if not spec.options.trust_remote_code:
        raise not_trusted(checkpoint.name, code)
    with loading(checkpoint.name):
        kind = code.run()
    if hasattr(kind, "compute_score"):
        return PairwiseCode(spec, code, kind)
    if hasattr(kind, "rerank"):
        return ListwiseCode(spec, code, kind)
    raise DataError(
        "JV441", f"the code of {checkpoint.name} has no compute_score and no rerank", "it reranks nothing"
    )
