"""MTEB's result files become results of ours; each keeps its original, word for word."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import ValidationError

from jina_vdr import __version__
from jina_vdr.atomic import write_bytes
from jina_vdr.catalog import all_tasks
from jina_vdr.errors import InvalidFile, UsageError
from jina_vdr.mteb.files import Folder, TaskFile, find_files, original_of, pack, read_folder, read_task_file
from jina_vdr.progress import progress
from jina_vdr.result import (
    DatasetRecord,
    ModelRecord,
    Provenance,
    Result,
    Scores,
    Source,
    TaskRecord,
    identity,
    read_result,
    result_path,
    write_result,
)
from jina_vdr.task import Task
from jina_vdr.vocabulary import PAIR_METRICS, PAIR_TYPES, RETRIEVAL_METRICS

GET_TASKS = "jina-vdr tasks import-mteb NAME writes a task file, --task FILE names it"


@dataclass
class Import:
    """What became of the files: our result files, MTEB's names of tasks that we lack, what was wrong."""

    written: list[Path] = field(default_factory=list)
    unchanged: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    errors: list[InvalidFile] = field(default_factory=list)


def import_results(places: Sequence[Path], root: Path, tasks: Iterable[Task], *, force: bool) -> Import:
    """Import the result files of MTEB at and below `places` into the results folder `root`.

    A file belongs to the bundled task, or the one of `tasks`, that MTEB calls so; the others are left out.
    What is there from another file is replaced only with `force`. Raises UsageError where there is nothing to
    import.
    """
    known = {**_by_mteb_name(all_tasks().values()), **_by_mteb_name(tasks)}
    files, done = find_files(places), Import()
    with progress(len(files), "import", "file") as bar:
        for parent, paths in groupby(files, lambda path: path.parent):
            folder: Folder | None = None
            for path in paths:
                bar.update()
                if path.stem not in known and path not in places:
                    done.left_out.append(path.stem)
                    continue
                try:
                    folder = folder or read_folder(parent)
                    _import(path, folder, known, root, done, force=force)
                except InvalidFile as error:
                    done.errors.append(error)
    if not (done.written or done.unchanged or done.errors):
        raise _nothing(done)
    return done


def _by_mteb_name(tasks: Iterable[Task]) -> dict[str, Task]:
    return {task.mteb_name or task.name: task for task in tasks}


def _nothing(done: Import) -> UsageError:
    if done.left_out:
        first = ", ".join(dict.fromkeys(done.left_out[:3]))
        return UsageError("JV119", f"there is no task file for these results of MTEB: {first}", GET_TASKS)
    return UsageError(
        "JV119", "there is no result of MTEB", "name its results folder, a part of it, or a file"
    )


def _import(
    path: Path, folder: Folder, known: Mapping[str, Task], root: Path, done: Import, *, force: bool
) -> None:
    text, said = read_task_file(path)
    task = known.get(said.task_name)
    if task is None:
        done.left_out.append(said.task_name)
        return
    content, source = pack(original_of(folder, said.task_name, text))
    result = _result(path, task, folder, said, source)
    target = result_path(root, task.name, result.model, None)
    copy = target.with_suffix("") / source.path
    old = _old(target)
    if old == result and copy.is_file() and copy.read_bytes() == content:
        done.unchanged.append(target)
        return
    if target.exists() and not force and (old is None or old.source != source):
        raise InvalidFile("JV356", f"{path} is not what {target} was imported from", "--force replaces it")
    write_bytes(copy, content)
    write_result(target, result)
    done.written.append(target)


def _old(path: Path) -> Result | None:
    """Return the result that is there, None for a damaged one."""
    try:
        return read_result(path) if path.exists() else None
    except InvalidFile:
        return None


def _result(path: Path, task: Task, folder: Folder, said: TaskFile, source: Source) -> Result:
    """Return what we keep of a file: the metrics that we have too, in the splits and subsets of the task."""
    scores = [
        Scores(
            split=split,
            subset=subset,
            languages=list(task.languages(subset)),
            **_counts(task, subset, said.dataset_revision),
            dropped={},
            n_tied_queries_at_5=None,
            main_score=metrics[task.main_score],
            ci95=None,
            metrics=metrics,
            seconds=None,
            per_query=None,
        )
        for split in task.eval_splits
        for subset in task.subsets
        for entry in said.scores.get(split, [])
        if entry.get("hf_subset") == subset and task.main_score in (metrics := _metrics(entry))
    ]
    if not scores:
        subsets = f"split {', '.join(task.eval_splits)}, subset {', '.join(task.subsets)}"
        raise InvalidFile("JV354", f"{path} holds no {task.main_score} of {task.name}", f"it has {subsets}")
    path_if_known = task.dataset.path if task.dataset.revision == said.dataset_revision else ""
    dataset = DatasetRecord(path=path_if_known, revision=said.dataset_revision)
    about = TaskRecord(
        name=task.name,
        version=task.version,
        type=task.type,
        main_score=task.main_score,
        sha256=task.sha256(),
        dataset=dataset,
    )
    model = ModelRecord(
        name=folder.model,
        family="mteb",
        revision=folder.revision,
        vector_type=None,
        similarity=None,
        settings={"experiment": folder.experiment} if folder.experiment else {},
    )
    complete = len(scores) == len(task.eval_splits) * len(task.subsets)
    try:
        return Result(
            id=identity(about, model, None),
            origin="mteb",
            status="complete" if complete else "partial",
            publishable=complete and dataset.is_pinned,
            task=about,
            model=model,
            limit=None,
            scores=scores,
            provenance=_provenance(said),
            source=source,
        )
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise InvalidFile("JV354", f"{path} is no result ({reason})", "write it anew with mteb") from error


def _metrics(entry: Mapping[str, Any]) -> dict[str, float]:
    values = {name: entry.get(name) for name in (*RETRIEVAL_METRICS, *PAIR_METRICS)}
    return {name: float(value) for name, value in values.items() if _is_fraction(value)}


def _is_fraction(value: Any) -> TypeGuard[float]:
    """Say whether it is a score: MTEB has NaN and null for what it could not measure."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= 1


def _counts(task: Task, subset: str, revision: str) -> dict[str, int | None]:
    """Return how many queries and pages were measured, where we know: for the data that the task pins."""
    expected = task.expected.get(subset)
    if expected is None or task.dataset.revision != revision:
        return {"n_queries": None, "n_documents": None}
    queries = expected.pairs if task.type in PAIR_TYPES else expected.queries
    return {"n_queries": queries, "n_documents": expected.documents}


def _provenance(said: TaskFile) -> Provenance:
    return Provenance(
        jina_vdr=__version__,
        started=_moment(said.date),
        python=None,
        packages={"mteb": said.mteb_version} if said.mteb_version else {},
        host={},
        device=None,
        runtime={},
    )


def _moment(date: float | str | None) -> str | None:
    if not isinstance(date, float):
        return date
    try:
        return datetime.fromtimestamp(date, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None
