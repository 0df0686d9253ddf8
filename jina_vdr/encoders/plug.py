"""A class that somebody else wrote as an encoder: `docs/plug-in.md` says what it must have."""

import hashlib
import importlib.util
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jina_vdr.encoders.base import Encoded, pack
from jina_vdr.errors import DataError, UsageError, first_line, near
from jina_vdr.family import flag
from jina_vdr.model import ModelSpec
from jina_vdr.plugs import registered, split_file
from jina_vdr.records import ModelInfo, Page
from jina_vdr.similarity import check_similarity

ITEMS = 32
"""Items a call, unless `--batch-size` says otherwise; they are kept together."""

METHODS = ("encode_queries", "encode_documents")
INPUTS = ("image", "text")


class Plug:
    """Calls `encode_queries(list of str)` and `encode_documents(list of PIL images, or of str)` of a class.

    Each returns one array [dim] an item, or [rows, dim] for late interaction: an array [n, dim] or a list.
    Options that the user sets go to the class as keyword arguments; one that it does not take is refused.
    """

    def __init__(self, spec: ModelSpec) -> None:
        kind, argument, revision = _found(spec.checkpoint)
        options = {name: value for name, value in spec.options.given().items() if name != "document_input"}
        self._size = spec.options.batch_size or ITEMS
        self._model = _made(kind, argument, options, spec.checkpoint)
        self.document_input = _one_of(self._model, "document_input", INPUTS)
        vector_type = _one_of(self._model, "vector_type", ("single", "multi"))
        similarity = getattr(self._model, "similarity", "maxsim" if vector_type == "multi" else "cosine")
        check_similarity(vector_type, similarity)
        self._dtype = np.float16 if vector_type == "multi" else np.float32
        self.info = ModelInfo(
            name=str(getattr(self._model, "name", kind.__name__)),
            family="plug",
            revision=f"{getattr(self._model, 'revision', '1')}+{revision}",
            vector_type=vector_type,
            similarity=similarity,
            settings={
                **{name: value for name, value in options.items() if name not in {"device", "batch_size"}},
                "argument": argument or None,
                **getattr(self._model, "settings", {}),
            },
            runtime={"device": spec.options.device, "batch_size": self._size},
        )

    def encode_queries(self, queries: Sequence[str]) -> Iterator[Encoded]:
        """Encode texts as queries."""
        return self._encode("encode_queries", queries)

    def encode_documents(self, pages: Sequence[Page]) -> Iterator[Encoded]:
        """Encode the images of pages, or their texts; a page without an image is its text."""
        return self._encode("encode_documents", pages)

    def _encode(self, method: str, items: Sequence[str | Page]) -> Iterator[Encoded]:
        for start in range(0, len(items), self._size):
            part = [_opened(item) for item in items[start : start + self._size]]
            vectors = [_array(vector) for vector in getattr(self._model, method)(part)]
            self._check(method, vectors, len(part))
            yield Encoded(list(range(start, start + len(part))), pack(vectors, self._dtype))

    def _check(self, method: str, vectors: list[Any], wanted: int) -> None:
        """Raise DataError for another number of vectors than asked for, or another shape than declared."""
        single = self.info.vector_type == "single"
        if len(vectors) != wanted:
            said = f"{len(vectors)} vectors for {wanted} items"
        elif wrong := [vector.shape for vector in vectors if vector.ndim != (1 if single else 2)]:
            said = f"an array of shape {wrong[0]} for an item of a {self.info.vector_type}-vector model"
        else:
            return
        raise DataError("JV456", f"{method} of {self.info.name} gave {said}", "see docs/plug-in.md")


def _found(text: str) -> tuple[type, str, str]:
    """Return the class, its argument, and what pins its code: the file's hash, the package's version."""
    if parts := split_file(text):
        file, name = parts
        kind = getattr(_module(file), name, None)
        if not inspect.isclass(kind):
            raise UsageError("JV133", f"{file} has no class {name}", "write --model path/to/file.py:Class")
        return kind, "", "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
    name, _, argument = text.partition(":")
    point = registered().get(name)
    if point is None or point.dist is None:
        hint = near(name, registered()) or "write --model path/to/file.py:Class"
        raise UsageError("JV133", f"no installed package brings an encoder '{name}'", hint)
    with _importing(point.value):
        return point.load(), argument, f"{point.dist.name}-{point.dist.version}"


def _module(path: Path) -> Any:
    if not path.is_file():
        raise UsageError("JV133", f"there is no file {path}", "write --model path/to/file.py:Class")
    spec = importlib.util.spec_from_file_location(f"jina_vdr_plug_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _importing(str(path)):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _importing(name: str) -> Iterator[None]:
    """Turn what goes wrong when somebody else's code is imported into one error."""
    try:
        yield
    except Exception as error:  # it may fail in any way
        raise DataError("JV458", f"{name} cannot be imported", first_line(error)) from error


def _made(kind: Any, argument: str, options: dict[str, Any], text: str) -> Any:
    """Return an instance with the two methods; refuse what the class does not take."""
    takes = inspect.signature(kind).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values())
    for option in options:
        if option not in takes and not open_ended and option != "batch_size":
            known = ", ".join(flag(name) for name in takes) or "no options"
            raise UsageError("JV108", f"{text} does not take {flag(option)}", f"it takes {known}")
    given = {name: value for name, value in options.items() if name in takes or open_ended}
    try:
        model = kind(*([argument] if argument else []), **given)
    except TypeError as error:
        raise UsageError("JV133", f"{text} cannot be made", first_line(error)) from error
    for method in METHODS:
        if not callable(getattr(model, method, None)):
            raise UsageError("JV133", f"{text} has no method {method}", "see docs/plug-in.md")
    return model


def _one_of(model: Any, name: str, known: tuple[str, ...]) -> str:
    value = getattr(model, name, known[0])
    if value not in known:
        raise UsageError(
            "JV133", f"{name} of {type(model).__name__} is '{value}'", f"it is {' or '.join(known)}"
        )
    return str(value)


def _opened(item: str | Page) -> Any:
    if isinstance(item, str):
        return item
    return item.open_image() if item.open_image else item.read_text() or ""


def _array(vector: Any) -> Any:
    """Return a numpy array of floats, also from a tensor on another device."""
    return np.asarray(vector.detach().float().cpu() if hasattr(vector, "detach") else vector, np.float32)
