"""What has been computed for a page, kept on disk under the content of the page: vectors and OCR text.

`<root>/<producer>/<blake2b of the file>.safetensors` holds some items, packed: `keys`, `values`, `offsets`.
A producer is the hash of all that changes a value (model, revision, settings, query or page side). A shard is
written whole under its final name or not at all; one whose bytes do not match its name is ignored, and its
items are computed again. Two processes may write side by side: at worst both compute the same item.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jina_vdr.atomic import replacing
from jina_vdr.records import Embeddings

Computed = tuple[list[int], Embeddings]
"""Positions, and the vectors of the items there: what is computed at a time becomes one shard."""


class Store:
    """All shelves below one folder; nothing is created before something is kept."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._shelves: dict[str, Shelf] = {}

    def shelf(self, producer: dict[str, Any]) -> "Shelf":
        """Return the shelf of what `producer` (JSON-able, all that can change a value) has computed.

        It is the same one at each call: what it has read from disk is not read again for the next subset.
        """
        name = hashlib.sha256(json.dumps(producer, sort_keys=True).encode()).hexdigest()[:32]
        return self._shelves.setdefault(name, Shelf(self.root / name))


class Shelf:
    """The items of one producer: key -> a few rows of values."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shards: dict[Path, Embeddings] = {}
        self._where: dict[str, tuple[Path, int]] = {}

    def embeddings(
        self,
        keys: Sequence[str],
        compute: Callable[[list[int]], Iterator[Computed]],
        progress: Callable[[int], object] = lambda _: None,
    ) -> Embeddings:
        """Return the vectors of all `keys`, in order; `compute(positions)` gives those not kept yet.

        Equal keys are computed once. What `compute` yields is written before it is asked for more: what goes
        wrong later does not lose it. `progress` is told how many positions were finished.
        """
        self._open_shards()
        missing = {key: i for i, key in reversed(list(enumerate(keys))) if key not in self._where}
        progress(sum(key not in missing for key in keys))
        if missing:
            for positions, items in compute(sorted(missing.values())):
                self.keep([keys[i] for i in positions], items)
                progress(len(positions))
        progress(sum(key in missing for key in keys) - len(missing))
        return self._gather(keys)

    def texts(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the kept texts of those `keys` that are kept."""
        self._open_shards()
        known = [key for key in dict.fromkeys(keys) if key in self._where]
        packed = self._gather(known) if known else None
        rows = [] if packed is None else np.split(packed.values[:, 0], packed.offsets[1:-1])
        return {key: row.tobytes().decode() for key, row in zip(known, rows, strict=True)}

    def keep_texts(self, texts: dict[str, str]) -> None:
        """Keep `texts`."""
        if not texts:
            return
        encoded = [text.encode() for text in texts.values()]
        values = np.frombuffer(b"".join(encoded), np.uint8)[:, None]
        self.keep(list(texts), Embeddings(values, _offsets([len(text) for text in encoded])))

    def keep(self, keys: list[str], items: Embeddings) -> None:
        """Write the vectors of `keys`, in order, as one shard."""
        from safetensors.numpy import save

        data = save(
            {
                "keys": np.frombuffer(b"\n".join(key.encode("unicode_escape") for key in keys), np.uint8),
                "values": np.ascontiguousarray(items.values),
                "offsets": items.offsets,
            }
        )
        path = self.folder / f"{_checksum(data)}.safetensors"
        with replacing(path) as temporary:
            temporary.write_bytes(data)
        self._shards[path] = items
        self._where.update({key: (path, i) for i, key in enumerate(keys)})

    def _open_shards(self) -> None:
        from safetensors.numpy import load

        for path in sorted(self.folder.glob("*.safetensors")):
            if path in self._shards:
                continue
            data = path.read_bytes()
            if _checksum(data) != path.stem:
                continue
            tensors = load(data)
            self._shards[path] = Embeddings(tensors["values"], tensors["offsets"])
            keys = tensors["keys"].tobytes().split(b"\n")
            self._where.update({key.decode("unicode_escape"): (path, i) for i, key in enumerate(keys)})

    def _gather(self, keys: Sequence[str]) -> Embeddings:
        rows: list[NDArray[Any]] = []
        for key in keys:
            path, i = self._where[key]
            shard = self._shards[path]
            rows.append(shard.values[shard.offsets[i] : shard.offsets[i + 1]])
        return Embeddings(np.concatenate(rows), _offsets([len(row) for row in rows]))


def _offsets(lengths: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def _checksum(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
