"""Rows of parquet, CSV, TSV and JSON-lines files under our names for their columns."""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from jina_vdr.errors import DataError, first_line, near

KEPT_ROW_GROUPS = 4
SEPARATORS = {".csv": "commas", ".tsv": "tabs"}


def read_rows(
    paths: Sequence[Path], columns: Mapping[str, str], required: Sequence[str]
) -> dict[str, list[Any]]:
    """Return the named columns of all files as lists: our name -> values, for each column that is there.

    Every cell of a CSV or TSV file is text. Raises DataError for an unreadable file or a missing column.
    """
    tables = []
    for path in paths:
        with _reading(path):
            table = read_table(path)
            there = table.column_names
            called = with_ids(columns, there)
            check_columns(path, there, called, required)
            present = {ours: theirs for ours, theirs in called.items() if theirs in there}
            tables.append({ours: table.column(theirs).to_pylist() for ours, theirs in present.items()})
    names = [name for name in columns if all(name in table for table in tables)]
    return {name: [value for table in tables for value in table[name]] for name in names}


def check_columns(
    path: Path, present: Sequence[str], columns: Mapping[str, str], required: Sequence[str]
) -> None:
    """Raise DataError when a required column is not in the file, or a mapped one stands there twice."""
    for ours in required:
        if columns[ours] not in present:
            hint = near(columns[ours], present) or f"it has: {', '.join(present)}"
            if path.suffix in SEPARATORS:
                hint += f"; the first line names the columns, with {SEPARATORS[path.suffix]} between them"
            place = ours if ours.startswith("where.") else f"columns.{ours}"
            hint += f"; or mend {place} in the task file"
            raise DataError("JV410", f"{path} has no column '{columns[ours]}'", hint)
    for theirs in columns.values():
        if present.count(theirs) > 1:
            raise DataError("JV410", f"{path} has two columns '{theirs}'", "keep one of them")


def with_ids(columns: Mapping[str, str], present: Sequence[str]) -> dict[str, str]:
    """Return `columns`, with `_id` for the id where a file has that one alone: BEIR itself wrote it so."""
    bare = "id" in columns and columns["id"] not in present and "_id" in present
    return {**columns, "id": "_id"} if bare else dict(columns)


def as_ids(paths: Sequence[Path], column: str, values: Sequence[Any]) -> list[str]:
    """Return ids as text; raise DataError for one that is missing, or neither text nor a whole number."""
    for row, value in enumerate(values, start=1):
        if type(value) not in {str, int}:
            raise DataError(
                "JV440",
                f"{_all(paths)}: '{column}' of row {row} is {value!r}, which is no id",
                "an id is text or a whole number",
            )
    return [str(value) for value in values]


def as_texts(paths: Sequence[Path], column: str, values: Sequence[Any]) -> list[str | None]:
    """Return texts, None where a cell is empty; raise DataError for a column that holds anything else."""
    for value in values:
        if not isinstance(value, str | None):
            raise DataError(
                "JV417",
                f"{_all(paths)}: column '{column}' holds {type(value).__name__}, not text",
                "write it as text",
            )
    return list(values)


def _all(paths: Sequence[Path]) -> Path:
    return paths[0] if len(paths) == 1 else paths[0].parent


def read_table(path: Path) -> pa.Table:
    """Return a whole table; raise DataError when the file cannot be read."""
    with _reading(path):
        if path.suffix == ".parquet":
            return pq.read_table(path)
        if path.suffix in SEPARATORS:
            return _read_csv(path)
        return pa_json.read_json(path)


def _read_csv(path: Path) -> pa.Table:
    parse = pa_csv.ParseOptions(delimiter="\t" if path.suffix == ".tsv" else ",", newlines_in_values=True)
    read = pa_csv.ReadOptions(use_threads=False)  # only then is a bad row named by its number
    names = pa_csv.open_csv(path, read_options=read, parse_options=parse).schema.names
    convert = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    return pa_csv.read_csv(path, read_options=read, parse_options=parse, convert_options=convert)


class ParquetColumn:
    """One column of several parquet files, read a row group at a time and never held whole.

    Reading in order touches each row group once; safe to share between threads.
    """

    def __init__(self, paths: Sequence[Path], column: str) -> None:
        self._made_of = (paths, column)
        self._column = column
        self._groups: list[tuple[Path, int]] = []
        self._starts: list[int] = [0]
        self._kept: OrderedDict[int, list[Any]] = OrderedDict()
        self._lock = threading.Lock()
        for path in paths:
            with _reading(path):
                metadata = pq.read_metadata(path)
            for group in range(metadata.num_row_groups):
                self._groups.append((path, group))
                self._starts.append(self._starts[-1] + metadata.row_group(group).num_rows)

    def __reduce__(self) -> tuple[type["ParquetColumn"], tuple[Sequence[Path], str]]:
        """Go to another process as the way to the files, without what is read."""
        return ParquetColumn, self._made_of

    def __iter__(self) -> Iterator[Any]:
        for group in range(len(self._groups)):
            yield from self._read_group(group)

    def __getitem__(self, row: int) -> Any:
        with self._lock:
            group = bisect_right(self._starts, row) - 1
            if group not in self._kept:
                self._kept[group] = self._read_group(group)
                while len(self._kept) > KEPT_ROW_GROUPS:
                    self._kept.popitem(last=False)
            return self._kept[group][row - self._starts[group]]

    def _read_group(self, group: int) -> list[Any]:
        path, number = self._groups[group]
        with _reading(path), pq.ParquetFile(path) as file:
            values: list[Any] = file.read_row_group(number, columns=[self._column])[0].to_pylist()
            if len(values) != self._starts[group + 1] - self._starts[group]:
                raise pa.ArrowInvalid(f"row group {number} is not whole")
        return values


def parquet_types(path: Path) -> dict[str, pa.DataType]:
    """Return the columns of a parquet file: name -> type."""
    return dict(_columns(path))


def parquet_names(path: Path) -> list[str]:
    """Return the names of the columns of a parquet file; one that stands there twice is named twice."""
    return [name for name, _ in _columns(path)]


def _columns(path: Path) -> list[tuple[str, pa.DataType]]:
    if path.suffix != ".parquet":
        raise DataError("JV408", f"{path} is not a parquet file", "write it as parquet: it holds images")
    with _reading(path):
        schema = pq.read_schema(path)
        return list(zip(schema.names, schema.types, strict=True))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    hint = "fetch or write the file again"
    if path.suffix in SEPARATORS:
        mark = SEPARATORS[path.suffix]
        hint = f"save it as UTF-8 with {mark} between the columns; a value with {mark} stands in quotes"
    return DataError("JV408", f"{path} cannot be read ({first_line(error)})", hint)
