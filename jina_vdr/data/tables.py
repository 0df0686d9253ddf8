"""Rows of parquet, CSV, TSV and JSON-lines files under our names for their columns."""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from jina_vdr.errors import DataError, near

KEPT_ROW_GROUPS = 2


def read_rows(
    paths: Sequence[Path], columns: Mapping[str, str], required: Sequence[str]
) -> dict[str, list[Any]]:
    """Return the named columns of all files as lists: our name -> values, for each column that is there.

    Every cell of a CSV or TSV file is text. Raises DataError for an unreadable file or a missing column.
    """
    tables = []
    for path in paths:
        table = read_table(path)
        check_columns(path, table.column_names, columns, required)
        present = {ours: theirs for ours, theirs in columns.items() if theirs in table.column_names}
        tables.append({ours: table.column(theirs).to_pylist() for ours, theirs in present.items()})
    names = [name for name in columns if all(name in table for table in tables)]
    return {name: [value for table in tables for value in table[name]] for name in names}


def check_columns(
    path: Path, present: Sequence[str], columns: Mapping[str, str], required: Sequence[str]
) -> None:
    """Raise DataError when a required column is not in the file."""
    for ours in required:
        if columns[ours] not in present:
            hint = near(columns[ours], present) or f"it has: {', '.join(present)}"
            raise DataError(
                "JV410",
                f"{path} has no column '{columns[ours]}'",
                f"{hint}; or map columns.{ours} in the task file",
            )


def read_table(path: Path) -> pa.Table:
    """Return a whole table; raise DataError when the file cannot be read."""
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path)
        if path.suffix in {".csv", ".tsv"}:
            return _read_csv(path)
        return pa_json.read_json(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _read_csv(path: Path) -> pa.Table:
    parse = pa_csv.ParseOptions(delimiter="\t" if path.suffix == ".tsv" else ",", newlines_in_values=True)
    names = pa_csv.open_csv(path, parse_options=parse).schema.names
    convert = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    return pa_csv.read_csv(path, parse_options=parse, convert_options=convert)


class ParquetColumn:
    """One column of several parquet files, read a row group at a time and never held whole.

    Reading in order touches each row group once; safe to share between threads.
    """

    def __init__(self, paths: Sequence[Path], column: str) -> None:
        self._column = column
        self._groups: list[tuple[Path, int]] = []
        self._starts: list[int] = [0]
        self._kept: OrderedDict[int, list[Any]] = OrderedDict()
        self._lock = threading.Lock()
        for path in paths:
            metadata = _metadata(path)
            for group in range(metadata.num_row_groups):
                self._groups.append((path, group))
                self._starts.append(self._starts[-1] + metadata.row_group(group).num_rows)

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
        try:
            with pq.ParquetFile(path) as file:
                values: list[Any] = file.read_row_group(number, columns=[self._column])[0].to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, error) from error
        return values


def parquet_types(path: Path) -> dict[str, pa.DataType]:
    """Return the columns of a parquet file with their types."""
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    return dict(zip(schema.names, schema.types, strict=True))


def parquet_names(path: Path) -> list[str]:
    """Return the names of the columns of a parquet file."""
    return list(parquet_types(path))


def _metadata(path: Path) -> Any:
    try:
        return pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return DataError("JV408", f"{path} cannot be read ({reason})", "fetch or write the file again")
