"""The vectors of an answer: as many as asked for, all of one width, each with a length."""

import base64
import binascii
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class BadAnswer(Exception):
    """An answer that came well but cannot be right: it says what is wrong with it."""


class Reader:
    """Reads vectors and checks them; the width is that of the first answer, or the one that was asked for."""

    def __init__(self, *, multi: bool, width: int | None) -> None:
        self._multi = multi
        self._width = width
        self._lock = threading.Lock()

    def read(self, found: Sequence[Any], names: Sequence[str]) -> list[NDArray[np.float32]]:
        """Return one array an item, [dim] or [rows, dim]; raise BadAnswer that names the item."""
        if len(found) != len(names):
            raise BadAnswer(f"it answers {len(found)} vectors for {len(names)} items ('{names[0]}', ...)")
        return [self._vector(value, name) for value, name in zip(found, names, strict=True)]

    def _vector(self, value: Any, name: str) -> NDArray[np.float32]:
        vector = _array(value, name)
        if vector.ndim != (2 if self._multi else 1) or not vector.size:
            wanted = "one vector a token" if self._multi else "one vector"
            raise BadAnswer(f"'{name}' does not get {wanted}")
        with self._lock:
            self._width = self._width or vector.shape[-1]
        if vector.shape[-1] != self._width:
            raise BadAnswer(f"the vector of '{name}' has {vector.shape[-1]} dimensions, not {self._width}")
        if not np.isfinite(vector).all():
            raise BadAnswer(f"the vector of '{name}' holds NaN or infinity")
        if not vector.any(axis=-1).all():
            raise BadAnswer(f"the vector of '{name}' is zero")
        return vector


def by_index(data: Any, *fields: str) -> list[Any]:
    """Return the first of `fields` that each entry has, in the order of their `index`; else as they come."""
    entries = in_order(data)
    if not all(isinstance(entry, dict) for entry in entries):
        raise BadAnswer("its answer holds no list of vectors")
    numbers = [entry.get("index") for entry in entries]
    if all(isinstance(number, int) for number in numbers):
        if sorted(numbers) != list(range(len(entries))):
            raise BadAnswer(f"it answers the items {', '.join(map(str, sorted(numbers)))}")
        entries = sorted(entries, key=lambda entry: int(entry["index"]))
    return [next((entry[field] for field in fields if field in entry), None) for entry in entries]


def in_order(data: Any) -> list[Any]:
    """Return the entries of an answer that has no indexes."""
    if not isinstance(data, list):
        raise BadAnswer("its answer holds no list of vectors")
    return data


def _array(value: Any, name: str) -> NDArray[np.float32]:
    """Read a list of numbers, a list of such lists, or float32 bytes (little-endian) in base64."""
    try:
        if isinstance(value, str):
            return np.frombuffer(base64.b64decode(value, validate=True), "<f4")
        return np.asarray(value, np.float32)
    except (binascii.Error, TypeError, ValueError) as error:
        raise BadAnswer(f"what it answers for '{name}' is no vector") from error
