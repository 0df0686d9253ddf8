"""Any sentence-transformers model: `SentenceTransformer` for one vector, `MultiVectorEncoder` for many."""

import logging
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer

from jina_vdr.checkpoint import Checkpoint, open_checkpoint, refuse_reranker
from jina_vdr.encoders.foreign import Foreign
from jina_vdr.encoders.halving import Halving
from jina_vdr.encoders.loading import loading, own_dtype, versions
from jina_vdr.errors import DataError, UsageError
from jina_vdr.hub import is_offline
from jina_vdr.model import ModelSpec, Options
from jina_vdr.records import ModelInfo, Page
from jina_vdr.similarity import LATE_INTERACTION, check_similarity

log = logging.getLogger(__name__)

BATCH_SIZE = 16

MULTI = {"SentenceTransformer": False, "MultiVectorEncoder": True, "ColBERT": True}
"""Whether a kind of checkpoint gives one vector a token; ColBERT is what PyLate writes."""

PROMPT_NAMES = {"query": ["query"], "document": ["document", "passage", "corpus"]}
"""The names under which checkpoints keep their prompts; the first that is there counts."""


class SentenceTransformers(Foreign):
    """A checkpoint that sentence-transformers loads, from a folder or the Hub, at a recorded revision.

    Pages go in as images where the model takes images, otherwise as their text.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._options = spec.chosen
        self._checkpoint = open_checkpoint(_hub_name(spec.checkpoint), spec.revision)
        if self._checkpoint.architecture == "ColQwen2ForRetrieval":
            log.warning(
                "warning: sentence-transformers loses the places of image tokens in %s; hf: keeps them",
                self._checkpoint.name,
            )
        self._multi = _is_multi(self._checkpoint)
        if self._multi and spec.options.truncate_dim:
            raise UsageError("JV109", "--truncate-dim cuts single vectors; this model gives one a token")
        self._dtype = self._options.dtype or own_dtype(self._checkpoint)
        vector_type = "multi" if self._multi else "single"
        batch_size = spec.options.batch_size or BATCH_SIZE
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
            runtime={"device": spec.options.device, "batch_size": batch_size},
        )
        self._batches = Halving(self.info.name, batch_size)

    def _call_texts(self, texts: list[str], size: int, *, is_query: bool) -> Any:
        """Wrap each text: a bare string that looks like a path would be opened as an image."""
        return self._vectors([{"text": text} for text in texts], size, "query" if is_query else "document")

    def _call_images(self, pages: list[Page], size: int) -> Any:
        return self._vectors([page.open_image() for page in pages if page.open_image], size, "document")

    def _vectors(self, inputs: list[Any], size: int, side: str) -> list[torch.Tensor]:
        encode = self._model.encode_query if side == "query" else self._model.encode_document
        vectors: list[torch.Tensor] = encode(
            inputs,
            batch_size=size,
            show_progress_bar=False,
            convert_to_numpy=False,
            **self._prompted(side),
            **self._extra,
        )
        cut = self._options.truncate_dim or 0
        for vector in vectors:
            if vector.shape[-1] < cut:
                raise UsageError("JV109", f"{self.info.name} gives {vector.shape[-1]} dimensions, not {cut}")
        return vectors

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
        with loading(self._checkpoint.source):
            return loaded(kind, self._checkpoint, self._options, self._dtype)

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


def loaded(kind: Any, checkpoint: Checkpoint, options: Options, dtype: str) -> Any:
    """Return a model of sentence-transformers' class `kind` with the weights of a checkpoint."""
    return kind(
        checkpoint.source,
        revision=checkpoint.commit,
        local_files_only=is_offline(),
        device=options.device,
        trust_remote_code=bool(options.trust_remote_code),
        model_kwargs=_given(dtype=getattr(torch, dtype), attn_implementation=options.attention),
        processor_kwargs=_given(max_pixels=options.max_pixels),
    )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
