"""Vectors computed elsewhere: parquet files with the columns `id` and `embedding`.

`DIR/<task>/<subset>/queries.parquet` and `documents.parquet`; what several subsets share may stand higher up
(`DIR/<task>/documents.parquet`, `DIR/documents.parquet`): the nearest file counts. A pair task reads
`first.parquet` and `second.parquet`, ids 0, 1, 2, ... in the order of the pairs. `embedding` is a list of
numbers, or a list of such lists for late interaction.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jina_vdr.data.tables import parquet_types, read_table
from jina_vdr.errors import DataError, UsageError, near
from jina_vdr.model import ModelSpec
from jina_vdr.records import Collection, Embeddings, ModelInfo, Pairs, Run
from jina_vdr.retrieval import finite, search
from jina_vdr.similarity import pair_scores


class Precomputed:
    """Exact search over the vectors in a folder."""

    def __init__(self, spec: ModelSpec) -> None:
        self._root = Path(spec.checkpoint)
        if not self._root.is_dir():
            raise UsageError("JV110", f"there is no folder {self._root}", "write --model precomputed:DIR")
        paths = sorted(path for path in self._root.rglob("*.parquet") if path.is_file())
        if not paths:
            raise UsageError(
                "JV110", f"{self._root} holds no parquet file", "see docs/models.md for the layout"
            )
        vector_type = _vector_type(paths[0])
        similarity = spec.options.similarity or ("maxsim" if vector_type == "multi" else "cosine")
        revision = _revision(self._root, paths)
        self.info = ModelInfo(self._root.resolve().name, "precomputed", revision, vector_type, similarity)

    def rank(self, collection: Collection, top_k: int) -> Run:
        """Return the `top_k` best pages of each query."""
        queries = self._read(collection, "queries", [query.id for query in collection.queries])
        pages = self._read(collection, "documents", [page.id for page in collection.corpus])
        return search(queries, pages, collection, self.info.similarity or "", top_k)

    def compare(self, pairs: Pairs) -> NDArray[np.float64]:
        """Return the similarity of each pair."""
        ids = [str(i) for i in range(len(pairs.first))]
        first, second = self._read(pairs, "first", ids), self._read(pairs, "second", ids)
        return pair_scores(first, second, self.info.similarity or "")

    def _read(self, data: Collection | Pairs, what: str, ids: Sequence[str]) -> Embeddings:
        folders = (self._root / data.task / data.subset, self._root / data.task, self._root)
        path = next((f / f"{what}.parquet" for f in folders if (f / f"{what}.parquet").exists()), None)
        if path is None:
            raise DataError(
                "JV424", f"there is no {folders[0] / what}.parquet", "see docs/models.md for the layout"
            )
        if _vector_type(path) != self.info.vector_type:
            raise DataError(
                "JV422",
                f"{path} does not hold {self.info.vector_type}-vectors as others do",
                "use two folders",
            )
        vectors = _read_vectors(path)
        for name in ids:
            if name not in vectors:
                raise DataError("JV424", f"{path} has no vector for '{name}'", near(name, vectors))
        return finite(_pack([vectors[name] for name in ids], path), ids)


def _read_vectors(path: Path) -> dict[str, NDArray[Any]]:
    table = read_table(path)
    ids = [str(value) for value in table.column("id").to_pylist()]
    repeated = [name for name, count in Counter(ids).items() if count > 1]
    if repeated:
        raise DataError("JV431", f"{path}: id '{repeated[0]}' stands twice", "write each item once")
    cells = zip(ids, table.column("embedding"), strict=True)
    return {name: _matrix(c.values, name, path) for name, c in cells if c.is_valid and len(c.values)}


def _matrix(values: pa.Array, name: str, path: Path) -> NDArray[Any]:
    """Turn a list of numbers into [1, dim], a list of lists into [rows, dim]."""
    if not _is_list(values.type):
        return np.asarray(values.to_numpy(zero_copy_only=False))[None, :]
    lengths = sorted(n or 0 for n in pc.unique(pc.list_value_length(values)).to_pylist())
    if len(lengths) > 1:
        raise DataError(
            "JV421", f"{path}: the vectors of '{name}' have {lengths} dimensions", "encode with one model"
        )
    return np.asarray(values.flatten().to_numpy(zero_copy_only=False)).reshape(len(values), -1)


def _vector_type(path: Path) -> str:
    """Return `single` for a column of lists of numbers, `multi` for lists of such lists."""
    kinds = parquet_types(path)
    for name in ("id", "embedding"):
        if name not in kinds:
            hint = near(name, kinds) or f"it has: {', '.join(kinds)}"
            raise DataError("JV410", f"{path} has no column '{name}'", hint)
    kind = kinds["embedding"]
    for vector_type in ("single", "multi"):
        kind = kind.value_type if _is_list(kind) else pa.null()
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return vector_type
    raise DataError(
        "JV424",
        f"{path}: column 'embedding' holds {kinds['embedding']}, not lists of numbers",
        "see docs/models.md for the layout",
    )


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(kind) for is_kind in tests)


def _pack(items: Sequence[NDArray[Any]], path: Path) -> Embeddings:
    dimensions = {item.shape[1] for item in items}
    if len(dimensions) > 1 or 0 in dimensions:
        raise DataError(
            "JV421", f"{path} holds vectors of {sorted(dimensions)} dimensions", "encode with one model"
        )
    offsets = np.cumsum([0, *(len(item) for item in items)], dtype=np.int64)
    return Embeddings(np.concatenate(items), offsets)


def _revision(root: Path, paths: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            name = path.relative_to(root).as_posix().encode()
            total.update(name + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return "sha256:" + total.hexdigest()
