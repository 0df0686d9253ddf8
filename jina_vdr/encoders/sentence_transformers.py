"""Any sentence-transformers model: `SentenceTransformer` for one vector, `MultiVectorEncoder` for many."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer

from jina_vdr.encoders.base import pack
from jina_vdr.errors import DataError, OutOfMemory, UsageError
from jina_vdr.hub import hub_errors, is_offline
from jina_vdr.model import ModelSpec
from jina_vdr.records import Embeddings, ModelInfo, Page
from jina_vdr.similarity import LATE_INTERACTION, SIMILARITIES

BATCH_SIZE = 16


class SentenceTransformers:
    """A checkpoint that sentence-transformers loads, from a folder or the Hub, at a recorded revision.

    Pages go in as images where the model takes images, otherwise as their text. Single vectors are kept as
    float32, multi-vectors as float16.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._options = spec.options
        folder = Path(spec.checkpoint)
        if folder.is_dir():
            self._load_from, self._revision, files = str(folder), None, folder
            revision = _folder_hash(folder)
        else:
            self._load_from, files = spec.checkpoint, _fetch_config(spec)
            revision = self._revision = files.name
        self._multi = _is_multi(files)
        if self._multi and spec.options.truncate_dim:
            raise UsageError("JV109", "--truncate-dim cuts single vectors; this model gives one a token")
        similarity = self._similarity(files)
        self.info = ModelInfo(
            name=spec.checkpoint if self._revision else folder.resolve().name,
            family="st",
            revision=revision,
            vector_type="multi" if self._multi else "single",
            similarity=similarity,
            settings={"truncate_dim": spec.options.truncate_dim, "dtype": spec.options.dtype or "float32"},
        )

    @property
    def document_input(self) -> str:
        """Images where the model takes them."""
        return "image" if "image" in self._model.modalities else "text"

    def encode_queries(self, queries: Sequence[str]) -> Embeddings:
        """Encode texts with the model's query prompt."""
        return self._encode(self._model.encode_query, [_text(query) for query in queries])

    def encode_documents(self, pages: Sequence[Page]) -> Embeddings:
        """Encode page images, or page texts for a model that takes only text."""
        if self.document_input == "text":
            return self._encode(self._model.encode_document, [_text(_page_text(page)) for page in pages])
        return self._encode(self._model.encode_document, [_page_image(page) for page in pages])

    def _encode(self, encode: Any, inputs: list[Any]) -> Embeddings:
        batch_size = self._options.batch_size or BATCH_SIZE
        while True:
            try:
                vectors = encode(
                    inputs,
                    batch_size=batch_size,
                    show_progress_bar=False,
                    convert_to_numpy=False,
                    **self._extra,
                )
                break
            except torch.OutOfMemoryError as error:
                if batch_size == 1:
                    raise OutOfMemory(
                        "JV501",
                        f"{self.info.name} does not fit into memory with one item a batch",
                        str(error),
                    ) from error
                batch_size //= 2
                torch.cuda.empty_cache()
        arrays = [vector.float().cpu().numpy() for vector in vectors]
        return pack(arrays, np.float16 if self._multi else np.float32)

    @cached_property
    def _extra(self) -> dict[str, Any]:
        """Cut vectors are normalised again: sentence-transformers does not do so by itself."""
        cut = self._options.truncate_dim
        return {"truncate_dim": cut, "normalize_embeddings": True} if cut else {}

    @cached_property
    def _model(self) -> Any:
        kind = MultiVectorEncoder if self._multi else SentenceTransformer
        try:
            return kind(
                self._load_from,
                revision=self._revision,
                local_files_only=is_offline(),
                device=self._options.device,
                model_kwargs={"dtype": getattr(torch, self._options.dtype or "float32")},
            )
        except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
            raise DataError("JV441", f"{self._load_from} cannot be loaded", _first_line(error)) from error

    def _similarity(self, files: Path) -> str:
        declared = _json(files / "config_sentence_transformers.json").get("similarity_fn_name")
        default = "maxsim" if self._multi else "cosine"
        similarity = self._options.similarity or str(declared or default)
        if similarity not in SIMILARITIES or (similarity in LATE_INTERACTION) != self._multi:
            vector_type = "multi" if self._multi else "single"
            raise UsageError("JV109", f"{vector_type}-vector embeddings cannot be scored by {similarity}")
        return similarity


def _fetch_config(spec: ModelSpec) -> Path:
    """Return the snapshot folder of the checkpoint, its name the commit, with the JSON files in it."""
    from huggingface_hub import snapshot_download

    with hub_errors(spec.checkpoint, spec.revision, "model"):
        return Path(
            snapshot_download(
                spec.checkpoint,
                revision=spec.revision,
                allow_patterns=["*.json"],
                local_files_only=is_offline(),
            )
        )


def _is_multi(files: Path) -> bool:
    config = _json(files / "config_sentence_transformers.json")
    if "model_type" in config:
        return bool(config["model_type"] == "MultiVectorEncoder")
    architectures = _json(files / "config.json").get("architectures") or [""]
    return str(architectures[0]).endswith("ForRetrieval")


def _json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content if isinstance(content, dict) else {}


def _folder_hash(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                total.update(path.relative_to(folder).as_posix().encode())
                total.update(hashlib.file_digest(file, "sha256").digest())
    return "sha256:" + total.hexdigest()


def _text(text: str) -> dict[str, str]:
    """Wrap a text: a bare string that looks like a path would be opened as an image."""
    return {"text": text}


def _page_text(page: Page) -> str:
    text = page.read_text()
    if text is None:
        raise DataError(
            "JV425", f"page '{page.id}' has no text, and the model takes only text", "use an image model"
        )
    return text


def _page_image(page: Page) -> Any:
    if page.open_image is None:
        return _text(page.read_text() or "")
    return page.open_image()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
