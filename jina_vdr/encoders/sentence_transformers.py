"""Any sentence-transformers model: `SentenceTransformer` for one vector, `MultiVectorEncoder` for many."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import MultiVectorEncoder, SentenceTransformer

from jina_vdr.checkpoint import Checkpoint, open_checkpoint, refuse_reranker
from jina_vdr.encoders.base import Encoded, pack
from jina_vdr.encoders.loading import loading, own_dtype, versions
from jina_vdr.errors import DataError, OutOfMemory, UsageError, first_line
from jina_vdr.hub import is_offline
from jina_vdr.model import ModelSpec
from jina_vdr.records import ModelInfo, Page
from jina_vdr.similarity import LATE_INTERACTION, check_similarity

BATCH_SIZE = 16
KEPT = 64

MULTI = {"SentenceTransformer": False, "MultiVectorEncoder": True, "ColBERT": True}
"""Whether a kind of checkpoint gives one vector a token; ColBERT is what PyLate writes."""

PROMPT_NAMES = {"query": ["query"], "document": ["document", "passage", "corpus"]}
"""The names under which checkpoints keep their prompts; the first that is there counts."""


class SentenceTransformers:
    """A checkpoint that sentence-transformers loads, from a folder or the Hub, at a recorded revision.

    Pages go in as images where the model takes images, otherwise as their text. Single vectors are kept as
    float32, multi-vectors as float16.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._options = spec.chosen
        self._batch_size = spec.options.batch_size or BATCH_SIZE
        self._checkpoint = open_checkpoint(_hub_name(spec.checkpoint), spec.revision)
        self._multi = _is_multi(self._checkpoint)
        if self._multi and spec.options.truncate_dim:
            raise UsageError("JV109", "--truncate-dim cuts single vectors; this model gives one a token")
        self._dtype = self._options.dtype or own_dtype(self._checkpoint)
        vector_type = "multi" if self._multi else "single"
        own_input = "image" if sees_images(self._checkpoint) else "text"
        self.document_input = "text" if self._options.document_input in {"text", "ocr"} else own_input
        self.info = ModelInfo(
            name=spec.known.name if spec.known else self._checkpoint.name,
            family="st",
            revision=self._checkpoint.revision,
            vector_type=vector_type,
            similarity=self._similarity(vector_type),
            settings={
                "truncate_dim": spec.options.truncate_dim,
                "dtype": self._dtype,
                "attention": self._options.attention,
                "max_pixels": self._options.max_pixels,
                "prompts": {side: self._prompt(side) for side in PROMPT_NAMES},
                "document_input": self._options.document_input,
                "versions": versions("sentence-transformers", "torch", "transformers", "pillow"),
            },
            runtime={"device": spec.options.device, "batch_size": self._batch_size},
        )

    def encode_queries(self, queries: Sequence[str]) -> Iterator[Encoded]:
        """Encode texts with the model's query prompt."""
        return self._encode("query", [_text(query) for query in queries])

    def encode_documents(self, pages: Sequence[Page]) -> Iterator[Encoded]:
        """Encode page images, and the text of pages that have none."""
        for start in range(0, len(pages), KEPT):
            part = pages[start : start + KEPT]
            yield from self._encode("document", [_page_input(page) for page in part], start)

    def _encode(self, side: str, inputs: list[Any], start: int = 0) -> Iterator[Encoded]:
        """Encode texts and images in calls of their own: a batch of both is refused, or goes another way."""
        texts = [i for i, item in enumerate(inputs) if isinstance(item, dict)]
        images = [i for i, item in enumerate(inputs) if not isinstance(item, dict)]
        for positions in (texts, images):
            for first in range(0, len(positions), KEPT):
                part = positions[first : first + KEPT]
                vectors = self._vectors(side, [inputs[i] for i in part])
                yield Encoded(
                    [start + i for i in part], pack(vectors, np.float16 if self._multi else np.float32)
                )

    def _vectors(self, side: str, inputs: list[Any]) -> list[NDArray[Any]]:
        """Encode in batches that are halved when memory runs out; what fitted is kept for the next call."""
        encode = self._model.encode_query if side == "query" else self._model.encode_document
        while True:
            try:
                vectors = encode(
                    inputs,
                    batch_size=self._batch_size,
                    show_progress_bar=False,
                    convert_to_numpy=False,
                    **self._prompted(side),
                    **self._extra,
                )
                return [self._checked(vector.float().cpu().numpy()) for vector in vectors]
            except torch.OutOfMemoryError as error:
                largest = min(self._batch_size, len(inputs))
                if largest == 1:
                    raise OutOfMemory(
                        "JV501",
                        f"{self.info.name} does not fit into memory with one item a batch",
                        first_line(error),
                    ) from error
            self._batch_size = largest // 2
            torch.cuda.empty_cache()  # here, where the error no longer holds what it ran out of

    def _checked(self, vector: NDArray[Any]) -> NDArray[Any]:
        cut = self._options.truncate_dim
        if cut and vector.shape[-1] < cut:
            raise UsageError("JV109", f"{self.info.name} gives {vector.shape[-1]} dimensions, not {cut}")
        return vector

    @cached_property
    def _extra(self) -> dict[str, Any]:
        """Cut vectors are normalised again: sentence-transformers does not do so by itself."""
        cut = self._options.truncate_dim
        return {"truncate_dim": cut, "normalize_embeddings": True} if cut else {}

    def _prompted(self, side: str) -> dict[str, str]:
        """Return the prompt that is not the checkpoint's own."""
        chosen = self._chosen_prompt(side)
        return {} if chosen is None else {"prompt": chosen}

    def _chosen_prompt(self, side: str) -> str | None:
        return self._options.query_prompt if side == "query" else self._options.document_prompt

    def _prompt(self, side: str) -> str:
        """Return the prompt that stands before texts of this side, for the record."""
        chosen = self._chosen_prompt(side)
        config = self._checkpoint.json("config_sentence_transformers.json")
        own = config.get("prompts") or {}
        names = [name for name in PROMPT_NAMES[side] if own.get(name) is not None]
        return chosen if chosen is not None else str(own[names[0]]) if names else ""

    @cached_property
    def _model(self) -> Any:
        kind = MultiVectorEncoder if self._multi else SentenceTransformer
        pixels = self._options.max_pixels
        with loading(self._checkpoint.source):
            return kind(
                self._checkpoint.source,
                revision=self._checkpoint.commit,
                local_files_only=is_offline(),
                device=self._options.device,
                trust_remote_code=bool(self._options.trust_remote_code),
                model_kwargs=given(
                    dtype=getattr(torch, self._dtype), attn_implementation=self._options.attention
                ),
                processor_kwargs=given(max_pixels=pixels),
            )

    def _similarity(self, vector_type: str) -> str:
        config = self._checkpoint.json("config_sentence_transformers.json")
        declared = str(config.get("similarity_fn_name") or "").lower()
        if self._multi and declared not in LATE_INTERACTION:  # what a converted checkpoint had before
            declared = "maxsim"
        similarity = self._options.similarity or declared or "cosine"
        check_similarity(vector_type, similarity)
        return similarity


def _hub_name(name: str) -> str:
    """Return `org/name`; a bare name is one of sentence-transformers' own, as in the library itself."""
    return name if "/" in name or Path(name).is_dir() else f"sentence-transformers/{name}"


def _is_multi(checkpoint: Checkpoint) -> bool:
    """Whether the checkpoint is for late interaction: PyLate's and Stanford's are, in their own words."""
    refuse_reranker(checkpoint)
    config = checkpoint.json("config_sentence_transformers.json")
    kind = config.get("model_type")
    if kind is not None:
        if kind not in MULTI:
            raise DataError(
                "JV441", f"{checkpoint.files} is a {kind}", f"st: runs {' and '.join(list(MULTI)[:2])}"
            )
        return MULTI[kind]
    late = checkpoint.architecture.endswith("ForRetrieval") or checkpoint.architecture == "HF_ColBERT"
    return late or "query_prefix" in config


def sees_images(checkpoint: Checkpoint) -> bool:
    """Whether the checkpoint brings a processor of images; without one sentence-transformers takes none."""
    paths = [path.relative_to(checkpoint.files) for path in checkpoint.files.rglob("*processor_config.json")]
    return any(
        path.name == "preprocessor_config.json" or "image_processor" in checkpoint.json(str(path))
        for path in paths
    )


def given(**values: Any) -> dict[str, Any]:
    """Return the arguments that are set."""
    return {name: value for name, value in values.items() if value is not None}


def _text(text: str) -> dict[str, str]:
    """Wrap a text: a bare string that looks like a path would be opened as an image."""
    return {"text": text}


def _page_input(page: Page) -> Any:
    return page.open_image() if page.open_image else _text(page.read_text() or "")
