"""Any sentence-transformers model: `SentenceTransformer` for one vector, `MultiVectorEncoder` for many."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import MultiVectorEncoder, SentenceTransformer

from jina_vdr.encoders.base import pack
from jina_vdr.errors import DataError, OutOfMemory, UsageError, first_line
from jina_vdr.hub import hub_errors, is_offline
from jina_vdr.model import ModelSpec
from jina_vdr.records import Embeddings, ModelInfo, Page
from jina_vdr.similarity import LATE_INTERACTION, SIMILARITIES

BATCH_SIZE = 16

MULTI = {"SentenceTransformer": False, "MultiVectorEncoder": True, "ColBERT": True}
"""Whether a kind of checkpoint gives one vector a token; ColBERT is what PyLate writes."""


class SentenceTransformers:
    """A checkpoint that sentence-transformers loads, from a folder or the Hub, at a recorded revision.

    Pages go in as images where the model takes images, otherwise as their text. Single vectors are kept as
    float32, multi-vectors as float16.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._options = spec.options
        self._batch_size = spec.options.batch_size or BATCH_SIZE
        folder = Path(spec.checkpoint)
        if folder.is_dir():
            if spec.revision:
                raise UsageError("JV107", f"{folder} is a folder: it has no revision", "leave out the @")
            self._load_from, self._revision, files = str(folder), None, folder
            revision, name = _folder_hash(folder), folder.resolve().name
        else:
            self._load_from = name = _hub_name(spec.checkpoint)
            files = _fetch_config(name, spec.revision)
            revision = self._revision = files.name
        self._multi = _is_multi(files)
        if self._multi and spec.options.truncate_dim:
            raise UsageError("JV109", "--truncate-dim cuts single vectors; this model gives one a token")
        similarity = self._similarity(files)
        self.info = ModelInfo(
            name=name,
            family="st",
            revision=revision,
            vector_type="multi" if self._multi else "single",
            similarity=similarity,
            settings={"truncate_dim": spec.options.truncate_dim, "dtype": spec.options.dtype or "float32"},
            runtime={"device": spec.options.device, "batch_size": self._batch_size},
        )

    @property
    def document_input(self) -> str:
        """Images where the model takes them."""
        return "image" if "image" in self._model.modalities else "text"

    def encode_queries(self, queries: Sequence[str]) -> Embeddings:
        """Encode texts with the model's query prompt."""
        return self._encode(self._model.encode_query, [_text(query) for query in queries])

    def encode_documents(self, pages: Sequence[Page]) -> Embeddings:
        """Encode page images; their text for a model that takes only text, or where a page has no image."""
        if self.document_input == "text":
            return self._encode(self._model.encode_document, [_text(_page_text(page)) for page in pages])
        return self._encode(self._model.encode_document, [_page_image(page) for page in pages])

    def _encode(self, encode: Any, inputs: list[Any]) -> Embeddings:
        """Encode texts and images in calls of their own: a batch of both is refused, or goes another way."""
        texts = [i for i, item in enumerate(inputs) if isinstance(item, dict)]
        images = [i for i, item in enumerate(inputs) if not isinstance(item, dict)]
        vectors: dict[int, NDArray[Any]] = {}
        for positions in filter(None, (texts, images)):
            vectors |= zip(positions, self._vectors(encode, [inputs[i] for i in positions]), strict=True)
        return pack([vectors[i] for i in range(len(inputs))], np.float16 if self._multi else np.float32)

    def _vectors(self, encode: Any, inputs: list[Any]) -> list[NDArray[Any]]:
        """Encode in batches that are halved when memory runs out; what fitted is kept for the next call."""
        while True:
            try:
                vectors = encode(
                    inputs,
                    batch_size=self._batch_size,
                    show_progress_bar=False,
                    convert_to_numpy=False,
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
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemory(
                "JV501", f"{self._load_from} does not fit into memory", first_line(error)
            ) from error
        except Exception as error:  # what is no checkpoint, or a damaged one, fails in any way
            raise DataError("JV441", f"{self._load_from} cannot be loaded", first_line(error)) from error

    def _similarity(self, files: Path) -> str:
        declared = str(_json(files / "config_sentence_transformers.json").get("similarity_fn_name") or "")
        if self._multi and declared.lower() not in LATE_INTERACTION:  # what a converted checkpoint had before
            declared = "maxsim"
        similarity = self._options.similarity or declared.lower() or "cosine"
        if similarity not in SIMILARITIES or (similarity in LATE_INTERACTION) != self._multi:
            vector_type = "multi" if self._multi else "single"
            raise UsageError("JV109", f"{vector_type}-vector embeddings cannot be scored by {similarity}")
        return similarity


def _hub_name(name: str) -> str:
    """Return `org/name`; a bare name is one of sentence-transformers' own, as in the library itself."""
    return name if "/" in name else f"sentence-transformers/{name}"


def _fetch_config(name: str, revision: str | None) -> Path:
    """Return the snapshot folder of the checkpoint, its name the commit, with the JSON files in it."""
    from huggingface_hub import snapshot_download

    with hub_errors(name, revision, "model"):
        snapshot = snapshot_download(
            name, revision=revision, allow_patterns=["*.json"], local_files_only=is_offline()
        )
    return Path(snapshot)


def _is_multi(files: Path) -> bool:
    """Whether the checkpoint is for late interaction: PyLate's and Stanford's are, in their own words."""
    config = _json(files / "config_sentence_transformers.json")
    kind = config.get("model_type")
    if kind is not None:
        if kind not in MULTI:
            raise DataError("JV441", f"{files} is a {kind}", f"st: runs {' and '.join(list(MULTI)[:2])}")
        return MULTI[kind]
    architectures = _json(files / "config.json").get("architectures") or [""]
    late = str(architectures[0]).endswith("ForRetrieval") or architectures[0] == "HF_ColBERT"
    return late or "query_prefix" in config


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes()) if path.exists() else {}
    except ValueError as error:
        raise DataError("JV441", f"{path} is not JSON", first_line(error)) from error
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
