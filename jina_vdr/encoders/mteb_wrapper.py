"""Any model of MTEB's registry, through the wrapper that MTEB itself evaluates it with."""

import inspect
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, suppress
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, requires
from io import StringIO
from typing import Any

import mteb
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models.sentence_transformer_wrapper import MultiVectorWrapper, SentenceTransformerEncoderWrapper
from mteb.types import PromptType
from packaging.requirements import Requirement
from torch.utils.data import DataLoader

from jina_vdr.encoders.foreign import Foreign
from jina_vdr.encoders.halving import Halving
from jina_vdr.encoders.loading import loading, versions
from jina_vdr.errors import UsageError, near
from jina_vdr.model import ModelSpec
from jina_vdr.records import ModelInfo, Page
from jina_vdr.similarity import check_similarity

BATCH_SIZE = 32

INSTEAD = {
    "cross-encoder": "it compares a query with a page: see --rerank cross-encoder:NAME",
    "sparse": "bm25 is the sparse model here",
    "hybrid": "evaluate the models it is made of",
    "router": "evaluate the models it is made of",
}
"""Types of models that give no vectors of ours, and what to do instead."""

PROMPT = "Find a screenshot that is relevant to the user's input."

TASK = TaskMetadata(
    name="JinaVDR",
    description="Pages of visually rich documents.",
    dataset={"path": "jinaai/jina-vdr", "revision": "1"},
    type="DocumentUnderstanding",
    category="t2i",
    modalities=["text", "image"],
    eval_langs=["eng-Latn"],
    main_score="ndcg_at_5",
    domains=[],
    prompt={"query": PROMPT},
)
"""What wrappers read of a task, to choose a prompt or an adapter: what MTEB's own tasks of JinaVDR say."""

REMOTE_CODE = re.compile(r"trust_remote_code\b[^\n]*\bTrue\b")


class Column:
    """Items as a data set of one column, which is how wrappers read them; a page is opened when asked for.

    `features` are the columns that a wrapper is told of.
    """

    def __init__(self, name: str, items: Sequence[Any], features: Sequence[str]) -> None:
        self._name = name
        self._items = items
        self.features = dict.fromkeys(features)
        self.column_names = list(features)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, i: int) -> dict[str, Any]:
        item = self._items[i]
        return {self._name: item.open_image() if isinstance(item, Page) and item.open_image else item}


class Mteb(Foreign):
    """A model by its name in MTEB's registry, at the revision given there unless another is asked for."""

    def __init__(self, spec: ModelSpec) -> None:
        self._meta = _meta(spec.checkpoint, spec.revision)
        loader, arguments = _loader(self._meta)
        _check(self._meta, loader, arguments, trusted=bool(spec.options.trust_remote_code))
        self._device = spec.options.device
        multi = "late-interaction" in self._meta.model_type
        own = self._meta.similarity_fn_name or ("MaxSim" if multi else "cosine")
        similarity = spec.chosen.similarity or str(own).lower()
        check_similarity("multi" if multi else "single", similarity)
        sees = "image" in self._meta.modalities and (spec.options.document_input or "image") == "image"
        self.document_input = "image" if sees else "text"
        name = spec.known.name if spec.known else str(self._meta.name)
        self._batches = Halving(name, spec.options.batch_size or BATCH_SIZE)
        self.info = ModelInfo(
            name=name,
            family="mteb",
            revision=self._meta.revision,
            vector_type="multi" if multi else "single",
            similarity=similarity,
            settings={
                "checkpoint": self._meta.name,
                "loader": loader.__name__,
                "arguments": _plain(arguments),
                "prompts": {"query": PROMPT},
                "document_input": spec.options.document_input,
                "versions": versions("mteb", "torch", "transformers", "pillow", *_packages(self._meta)),
            },
            runtime={"device": self._device, "batch_size": self._batches.size},
        )

    def _call_texts(self, texts: list[str], size: int, *, is_query: bool) -> Any:
        features = ["text", "image"] if self._is_tempted else ["text"]
        side = PromptType.query if is_query else PromptType.document
        return self._encode_column(Column("text", texts, features), size, side)

    def _call_images(self, pages: list[Page], size: int) -> Any:
        return self._encode_column(Column("image", pages, ["image"]), size, PromptType.document)

    def _encode_column(self, column: Column, size: int, side: PromptType) -> Any:
        arguments = {
            "task_metadata": TASK,
            "hf_split": "test",
            "hf_subset": "default",
            "prompt_type": side,
            "batch_size": size,
            "show_progress_bar": False,
        }
        takes = inspect.signature(self._encoding).parameters
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
            arguments = {name: value for name, value in arguments.items() if name in takes}
        encode = self._encoding
        with redirect_stderr(StringIO()):  # where many draw progress bars, whatever they are asked
            return encode(DataLoader(column, batch_size=size, collate_fn=_collate), **arguments)

    @property
    def _encoding(self) -> Any:
        """The method that encodes; wrappers which bring a search of their own call it `_encode`."""
        return getattr(self._model, "encode", None) or self._model._encode

    @property
    def _is_tempted(self) -> bool:
        """Whether the wrapper would hand over bare texts, and open those that look like an image's address.

        It does not do so for a data set with a column of images.
        """
        wrappers = {SentenceTransformerEncoderWrapper.encode, MultiVectorWrapper._encode}
        return "image" in self._meta.modalities and self._encoding.__func__ in wrappers

    @cached_property
    def _model(self) -> Any:
        with loading(self._batches.name):
            return self._meta.load_model(device=self._device)


def _meta(name: str, revision: str | None) -> Any:
    """Return MTEB's entry of a model, with the revision that is asked for."""
    try:
        meta = mteb.get_model_meta(name)
    except KeyError as error:
        hint = near(name, [meta.name for meta in mteb.get_model_metas()])
        raise UsageError("JV107", f"MTEB's registry has no model '{name}'", hint) from error
    return meta.model_copy(update={"revision": revision}) if revision else meta


def _loader(meta: Any) -> tuple[Any, dict[str, Any]]:
    """Return what makes a model, and the arguments that MTEB's entry gives it."""
    loader: Any = meta.loader
    arguments = meta.loader_kwargs
    while isinstance(loader, partial):
        loader, arguments = loader.func, {**loader.keywords, **arguments}
    return loader, arguments


def _check(meta: Any, loader: Any, arguments: dict[str, Any], *, trusted: bool) -> None:
    """Raise UsageError for a model that gives no vectors, lacks packages, or has code that is not trusted."""
    for kind, instead in INSTEAD.items():
        if meta.model_type[0] == kind:
            raise UsageError("JV135", f"{meta.name} is a {kind} model, which gives no vectors", instead)
    if loader is None:
        raise UsageError("JV135", f"MTEB knows {meta.name} by its results only, and cannot run it")
    if "text" not in meta.modalities:
        takes = ", ".join(meta.modalities)
        raise UsageError("JV135", f"{meta.name} takes {takes} and no text, so no queries")
    if not trusted and (arguments.get("trust_remote_code") or REMOTE_CODE.search(_source(loader))):
        raise UsageError(
            "JV143",
            f"{meta.name} runs code that comes with its checkpoint, at {meta.revision}",
            "read it, then add --trust-remote-code",
        )
    try:
        meta._check_requirements()
    except ImportError as error:
        raise UsageError("JV102", *_reason(error)) from error


def _reason(error: ImportError) -> tuple[str, str]:
    """Return what MTEB says is missing, and how it says to mend it."""
    said = str(error).split("\n")
    return said[0].removesuffix("."), " ".join(said[1:2])


def _source(loader: Any) -> str:
    """Return the code of a loader, with that of the classes it is made of."""
    classes = inspect.getmro(loader) if inspect.isclass(loader) else [loader]
    return "".join(inspect.getsource(part) for part in classes if part.__module__.startswith("mteb."))


def _packages(meta: Any) -> list[str]:
    """Return the packages that MTEB wants for a model and that are installed, besides those for all."""
    groups = {*(meta.extra_requirements_groups or ()), *meta.modalities}
    found: set[str] = set()
    for line in requires("mteb") or ():
        wanted = Requirement(line)
        if wanted.marker and any(wanted.marker.evaluate({"extra": group}) for group in groups):
            with suppress(PackageNotFoundError):
                found |= versions(wanted.name).keys()
    return sorted(found)


def _plain(value: Any) -> Any:
    """Return arguments as JSON has them; a function by its name."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | None) else getattr(value, "__name__", str(value))


def _collate(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}
