"""One evaluation from start to end: a task and a model in, a result file out. Read this first."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jina_vdr.catalog import Selection
from jina_vdr.data import data_revision, load_data
from jina_vdr.errors import VDRError
from jina_vdr.hub import Hub
from jina_vdr.measurement import measure_pairs, measure_run
from jina_vdr.metrics import DEPTH
from jina_vdr.model import ModelSpec
from jina_vdr.per_query import is_whole, write_table
from jina_vdr.provenance import provenance
from jina_vdr.ranker import make_ranker
from jina_vdr.records import Collection, Pairs, Ranker
from jina_vdr.result import (
    ModelRecord,
    Result,
    Scores,
    TaskRecord,
    identity,
    read_result,
    result_path,
    write_result,
)
from jina_vdr.store import Store
from jina_vdr.task import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Where results and vectors go, how much is evaluated: `limit` keeps the first queries of a subset."""

    results: Path
    store: Store
    hub: Hub
    limit: int | None = None
    force: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one task: its result and where it lies, or the error."""

    selection: Selection
    result: Result | None = None
    path: Path | None = None
    error: VDRError | None = None


def evaluate_all(selections: Sequence[Selection], spec: ModelSpec, settings: Settings) -> list[Outcome]:
    """Evaluate one model on several tasks. A failed task does not stop the others."""
    ranker = make_ranker(spec, settings.store)
    outcomes = []
    for selection in selections:
        try:
            path, result = evaluate(selection, ranker, settings)
            outcomes.append(Outcome(selection, result, path))
        except VDRError as error:
            log.error("%s", error)
            outcomes.append(Outcome(selection, error=error))
    return outcomes


def evaluate(selection: Selection, ranker: Ranker, settings: Settings) -> tuple[Path, Result]:
    """Evaluate one model on the selected subsets of one task; the result is written after each subset.

    A subset that a result with the same identity holds already is not computed again, unless `force`.
    """
    task = selection.task
    path, result = open_result(selection, ranker, settings)
    for split in task.eval_splits:
        for subset in selection.subsets:
            if result.of(split, subset) is None:
                scores = _evaluate_subset(task, split, subset, ranker, settings, path.with_suffix(""))
                result = _with_scores(result, task, scores)
                write_result(path, result)
    return path, result


def _evaluate_subset(
    task: Task, split: str, subset: str, ranker: Ranker, settings: Settings, folder: Path
) -> Scores:
    started = time.monotonic()
    data = load_data(task, subset, split, settings.hub)
    if isinstance(data, Pairs):
        measured = measure_pairs(data, split, ranker.compare(data))
    else:
        data = _limited(data, settings.limit)
        measured = measure_run(data, split, ranker.rank(data, DEPTH), task.metrics, task.main_score)
    artifact = write_table(measured.table, folder / f"{subset}.{split}.per_query.parquet")
    return Scores(
        split=split,
        subset=subset,
        languages=list(task.languages(subset)),
        n_queries=measured.n_queries,
        n_documents=measured.n_documents,
        dropped=measured.dropped,
        n_tied_queries_at_5=measured.n_tied_at_5,
        main_score=measured.metrics[task.main_score],
        ci95=measured.interval,
        metrics=measured.metrics,
        seconds=round(time.monotonic() - started, 3),
        per_query=artifact,
    )


def _limited(collection: Collection, limit: int | None) -> Collection:
    queries = collection.queries[:limit]
    qrels = {query.id: collection.qrels[query.id] for query in queries}
    return replace(collection, queries=queries, qrels=qrels)


def open_result(selection: Selection, ranker: Ranker, settings: Settings) -> tuple[Path, Result]:
    """Return the result to go on with: what is there and still true, or an empty one."""
    task = selection.task
    task_record, model_record = task_record_of(task, settings.hub), model_record_of(ranker)
    path = result_path(settings.results, task.name, model_record, settings.limit)
    new = Result(
        id=identity(task_record, model_record, settings.limit),
        status="partial",
        publishable=False,
        task=task_record,
        model=model_record,
        limit=settings.limit,
        scores=[],
        provenance=provenance(),
    )
    old = read_result(path) if path.exists() else new
    if old.id != new.id:
        return path, new
    again = selection.subsets if settings.force else ()
    kept = [s for s in old.scores if s.subset not in again and is_whole(s.per_query, path.with_suffix(""))]
    return path, new.model_copy(
        update={"scores": kept, "status": old.status if kept == old.scores else "partial"}
    )


def _with_scores(result: Result, task: Task, scores: Scores) -> Result:
    """Return `result` with the scores of one more subset, in the order of the task file."""
    order = [(split, subset) for split in task.eval_splits for subset in task.subsets]
    everything = sorted([*result.scores, scores], key=lambda s: order.index((s.split, s.subset)))
    complete = len(everything) == len(order)
    return result.model_copy(
        update={
            "scores": everything,
            "status": "complete" if complete else "partial",
            "publishable": complete and result.limit is None,
        }
    )


def task_record_of(task: Task, hub: Hub) -> TaskRecord:
    """Return the task's part of a result's identity; local data is hashed."""
    return TaskRecord(
        name=task.name,
        version=task.version,
        type=task.type,
        main_score=task.main_score,
        sha256=task.sha256(),
        dataset={"path": task.dataset.path, "revision": data_revision(task, hub)},
    )


def model_record_of(ranker: Ranker) -> ModelRecord:
    """Return the model's part of a result's identity."""
    info = ranker.info
    return ModelRecord(
        name=info.name,
        family=info.family,
        revision=info.revision,
        vector_type=info.vector_type,
        similarity=info.similarity,
        settings=info.settings,
    )
