"""Vectors computed elsewhere: parquet files with the columns `id` and `embedding`.

`DIR/<task>/<subset>/queries.parquet` and `documents.parquet`; what several subsets share may stand higher up
(`DIR/<task>/documents.parquet`, `DIR/documents.parquet`): the nearest file counts. A pair task reads
`first.parquet` and `second.parquet`, ids 0, 1, 2, ... in the order of the pairs. `embedding` is a list of
numbers, or a list of such lists for late interaction.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jina_vdr.data.tables import check_columns, read_table
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
        paths = sorted(self._root.rglob("*.parquet"))
        if not paths:
            raise UsageError(
                "JV110", f"{self._root} holds no parquet file", "see docs/models.md for the layout"
            )
        multi = _is_multi(paths[0])
        similarity = spec.options.similarity or ("maxsim" if multi else "cosine")
        self.info = ModelInfo(
            self._root.resolve().name,
            "precomputed",
            _revision(paths),
            "multi" if multi else "single",
            similarity,
        )

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
        vectors = _read_vectors(path)
        for name in ids:
            if name not in vectors:
                raise DataError("JV424", f"{path} has no vector for '{name}'", near(name, vectors))
        return finite(_pack([vectors[name] for name in ids], path), ids)


def _read_vectors(path: Path) -> dict[str, NDArray[Any]]:
    table = read_table(path)
    check_columns(path, table.column_names, {"id": "id", "embedding": "embedding"}, ["id", "embedding"])
    ids = [str(value) for value in table.column("id").to_pylist()]
    if len(set(ids)) < len(ids):
        raise DataError("JV431", f"{path}: an id stands twice", "write each item once")
    column = table.column("embedding").combine_chunks()
    try:
        return {name: _matrix(column[i]) for i, name in enumerate(ids)}
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            "JV424", f"{path}: column 'embedding' does not hold lists of numbers", str(error)
        ) from error


def _matrix(cell: Any) -> NDArray[Any]:
    """Turn a list of numbers into [1, dim], a list of lists into [rows, dim]."""
    values = cell.values
    if not pa.types.is_nested(values.type):
        return np.asarray(values.to_numpy(zero_copy_only=False))[None, :]
    flat = values.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat).reshape(len(values), -1)


def _pack(items: Sequence[NDArray[Any]], path: Path) -> Embeddings:
    dimensions = {item.shape[1] for item in items}
    if len(dimensions) > 1:
        raise DataError(
            "JV421", f"{path} holds vectors of {sorted(dimensions)} dimensions", "encode with one model"
        )
    offsets = np.cumsum([0, *(len(item) for item in items)], dtype=np.int64)
    return Embeddings(np.concatenate(items), offsets)


def _is_multi(path: Path) -> bool:
    table = read_table(path)
    check_columns(path, table.column_names, {"embedding": "embedding"}, ["embedding"])
    kind = table.schema.field("embedding").type
    return bool(pa.types.is_nested(kind) and pa.types.is_nested(kind.value_type))


def _revision(paths: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return "sha256:" + total.hexdigest()
