"""The data of a task of MTEB, loaded by MTEB's own code and written as local data of ours."""

import logging
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from jina_vdr.errors import DataError, UsageError, first_line
from jina_vdr.hub import hub_errors, without_bars
from jina_vdr.mteb.layouts import pair_columns
from jina_vdr.mteb.metadata import Counts
from jina_vdr.progress import progress

TEXT_ROWS, IMAGE_ROWS = 2048, 64
"""Rows that are in memory at a time, and lie together in a file."""


def load_data(kind: Any) -> Any:
    """Return a task of the class `kind` with its data, which MTEB fetches into its own caches.

    Raises DataError where it cannot.
    """
    from huggingface_hub import errors

    said = kind.metadata.dataset
    with quiet(), hub_errors(said["path"], str(said.get("revision")), "data set"):
        try:
            task = kind()
            task.load_data()
            if hasattr(task, "convert_v1_dataset_format_to_v2"):
                task.convert_v1_dataset_format_to_v2(num_proc=None)
        except (OSError, MemoryError, errors.HTTPError) as error:  # type: ignore[attr-defined]
            if type(error).__name__ == "DatasetNotFoundError":
                raise _not_found(said["path"], error) from error
            raise
        except Exception as error:
            message = f"mteb cannot load {kind.metadata.name} ({first_line(error)})"
            raise DataError("JV408", message, "see the page of the data set, or take another mteb") from error
    return task


def _not_found(path: str, error: Exception) -> DataError:
    if "gated" in str(error):
        return DataError("JV403", f"{path} is gated", "accept its terms on its page, and set HF_TOKEN")
    return DataError("JV402", f"{path}: {first_line(error).rstrip('.')}", "set HF_TOKEN if it is private")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what MTEB and its libraries log, warn of and show bars for, while the block lasts."""
    import datasets

    before, hidden = logging.root.manager.disable, datasets.are_progress_bars_disabled()
    logging.disable(logging.CRITICAL)
    datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings(), without_bars():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        if not hidden:
            datasets.enable_progress_bars()


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to fill, which becomes `folder` when the block ends; on any error it goes."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.part")
    temporary.mkdir()
    try:
        yield temporary
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_retrieval(task: Any, folder: Path, *, images: bool) -> list[Counts]:
    """Write `{subset}/corpus`, `queries` and `qrels` of each split; return the counts of each split.

    Raises UsageError where the task asks with more than a text, DataError where a table cannot be written.
    """
    found: list[Counts] = []
    with progress(len(task.metadata.eval_splits) * len(task.metadata.hf_subsets), "write", "subset") as bar:
        for split in task.metadata.eval_splits:
            found.append({})
            for subset in task.metadata.hf_subsets:
                found[-1][subset] = _write_collection(task, subset, split, folder, images=images)
                bar.update()
    return found


def write_pairs(task: Any, folder: Path, *, images: bool) -> list[Counts]:
    """Write the pairs of each subset and split into `{subset}`; return the counts of each split."""
    first, second = pair_columns(task)
    column = _image if images else _text
    found: list[Counts] = []
    for split in task.metadata.eval_splits:
        found.append({})
        for subset in task.metadata.hf_subsets:
            data = task.dataset.get(subset, task.dataset)
            columns = {
                "sentence1": (first, column),
                "sentence2": (second, column),
                "score": ("score", _score),
            }
            rows = _rows(task, data[split], columns, IMAGE_ROWS if images else TEXT_ROWS)
            found[-1][subset] = {"pairs": _write(rows, folder / subset, split)}
    return found


def _write_collection(task: Any, subset: str, split: str, folder: Path, *, images: bool) -> dict[str, int]:
    data = task.dataset[subset][split]
    _check_queries(task, data["queries"])
    corpus, queries, place = data["corpus"], data["queries"], folder / subset
    named: dict[str, Any] = {"corpus-id": ("id", _id)}
    named |= {name: (name, _text) for name in ("title", "text") if name in corpus.column_names}
    if images:
        named["image"] = ("image", _image)
    judged = data["relevant_docs"]
    documents = _write(
        _rows(task, corpus, named, IMAGE_ROWS if images else TEXT_ROWS), place / "corpus", split
    )
    asked = {"query-id": ("id", _id), "query": ("text", _text)}
    _write(_rows(task, queries, asked, TEXT_ROWS), place / "queries", split)
    _write(_judgments(task, judged), place / "qrels", split)
    if data.get("top_ranked"):
        _write(_candidates(data["top_ranked"]), place / "candidates", split)
    answered = {str(query) for query, pages in judged.items() if any(score > 0 for score in pages.values())}
    texts = zip(queries["id"], queries["text"], strict=True)
    kept = sum(str(query) in answered and bool((text or "").strip()) for query, text in texts)
    return {"queries": kept, "documents": documents}


def _check_queries(task: Any, queries: Any) -> None:
    """Refuse queries that are more than a text: an instruction with it, or a conversation."""
    if "instruction" in queries.column_names:
        why = "come with instructions"
    elif not _is_text(queries.with_format("arrow")[:1].column("text").type):
        why = "are conversations"
    else:
        return
    message = f"queries of {task.metadata.name} {why}, which is not evaluated here"
    raise UsageError("JV125", message, "here a query is one text")


def _rows(task: Any, dataset: Any, columns: Mapping[str, Any], size: int) -> Iterator[Any]:
    """Yield tables of `size` rows with the named columns: our name -> (theirs, how it is written)."""
    import pyarrow as pa

    missing = [theirs for theirs, _ in columns.values() if theirs not in dataset.column_names]
    if missing:
        message = f"{task.metadata.name}: what mteb loaded has no column '{missing[0]}'"
        raise DataError("JV410", message, f"it has: {', '.join(dataset.column_names)}")
    arrow = dataset.with_format("arrow")
    for start in range(0, max(len(dataset), 1), size):
        table = arrow[start : start + size]
        yield pa.table({ours: write(table.column(theirs)) for ours, (theirs, write) in columns.items()})


def _id(values: Any) -> Any:
    import pyarrow as pa

    return values.cast(pa.string())


def _text(values: Any) -> Any:
    import pyarrow as pa

    if not _is_text(values.type):
        raise DataError(
            "JV417", f"a column of what mteb loaded holds {values.type}, not text", "see its page"
        )
    return values.cast(pa.string())


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _image(values: Any) -> Any:
    """Return an image column as the Hub types it, with the bytes in it: a file that it names is read."""
    import pyarrow as pa
    from datasets import Image

    if not (pa.types.is_struct(values.type) or pa.types.is_binary(values.type)):
        message = f"a column of what mteb loaded holds {values.type}, not an image"
        raise DataError("JV413", message, "see the page of its data")
    return Image().embed_storage(Image().cast_storage(values.combine_chunks()))


def _score(values: Any) -> Any:
    import pyarrow as pa

    return values.cast(pa.float64())


def _judgments(task: Any, judged: Mapping[Any, Mapping[Any, Any]]) -> Iterator[Any]:
    import pyarrow as pa

    if not judged:
        raise DataError("JV435", f"{task.metadata.name}: mteb loaded no judgment", "see the page of its data")
    rows = (
        (str(query), str(page), score) for query, pages in judged.items() for page, score in pages.items()
    )
    while batch := list(islice(rows, TEXT_ROWS)):
        queries, pages, scores = map(list, zip(*batch, strict=True))
        try:
            whole = pa.array(scores, pa.int64())
        except (pa.ArrowInvalid, TypeError) as error:
            message = f"{task.metadata.name}: a relevance that mteb loaded is no whole number"
            raise DataError("JV433", message, first_line(error)) from error
        yield pa.table({"query-id": queries, "corpus-id": pages, "score": whole})


def _candidates(found: Mapping[Any, Iterable[Any]]) -> Iterator[Any]:
    import pyarrow as pa

    rows = iter(found.items())
    while batch := list(islice(rows, TEXT_ROWS)):
        queries = [str(query) for query, _ in batch]
        pages = pa.array([list(map(str, pages)) for _, pages in batch], pa.list_(pa.string()))
        yield pa.table({"query-id": queries, "corpus-ids": pages})


def _write(tables: Iterable[Any], folder: Path, split: str) -> int:
    """Write tables into one parquet file, a row group each; return the number of rows."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    tables = iter(tables)
    head, rows = next(tables), 0
    with pq.ParquetWriter(folder / f"{split}-00000-of-00001.parquet", head.schema) as file:
        for table in chain([head], tables):
            file.write_table(table)
            rows += table.num_rows
    return rows
