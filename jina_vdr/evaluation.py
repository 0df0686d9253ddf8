"""One evaluation from start to end: a task and a ranker in, a result file out. Read this first."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jina_vdr.catalog import Selection
from jina_vdr.data import data_revision, load_data
from jina_vdr.errors import InvalidFile, VDRError
from jina_vdr.hub import Hub
from jina_vdr.measurement import measure_pairs, measure_run
from jina_vdr.metrics import DEPTH
from jina_vdr.per_query import is_whole, write_table
from jina_vdr.progress import progress
from jina_vdr.provenance import provenance
from jina_vdr.ranking import narrowed, rank_allowed
from jina_vdr.records import Collection, Pairs, Ranker, Run
from jina_vdr.result import (
    DatasetRecord,
    ModelRecord,
    Provenance,
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
    """Where results and vectors go, how much is evaluated: `limit` keeps the first queries of a subset.

    `asked` is what the user set about the model, for the record.
    """

    results: Path
    store: Store
    hub: Hub
    limit: int | None = None
    force: bool = False
    asked: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """One model on one task: the result as far as it goes, and where it lies."""

    selection: Selection
    path: Path
    result: Result


@dataclass(frozen=True)
class Failed:
    """A task that could not be evaluated, and why."""

    selection: Selection
    error: VDRError


def prepare(selections: Sequence[Selection], ranker: Ranker, settings: Settings) -> list[Evaluation | Failed]:
    """Return the evaluations to run, each with what was done before. Nothing is computed or written."""
    prepared: list[Evaluation | Failed] = []
    for selection in selections:
        try:
            prepared.append(_opened(selection, ranker, settings))
        except VDRError as error:
            prepared.append(_failed(selection, error))
    return prepared


def evaluate_all(
    prepared: Sequence[Evaluation | Failed], ranker: Ranker, settings: Settings
) -> list[Evaluation | Failed]:
    """Run what was prepared. A failed task does not stop the others."""
    outcomes: list[Evaluation | Failed] = []
    for evaluation in prepared:
        if isinstance(evaluation, Failed):
            outcomes.append(evaluation)
            continue
        try:
            outcomes.append(evaluate(evaluation, ranker, settings))
        except VDRError as error:
            outcomes.append(_failed(evaluation.selection, error))
    return outcomes


def evaluate(evaluation: Evaluation, ranker: Ranker, settings: Settings) -> Evaluation:
    """Measure the selected subsets that the result does not hold yet; it is written after each of them."""
    task, path, result = evaluation.selection.task, evaluation.path, evaluation.result
    started = provenance(ranker.info.runtime, settings.asked)
    places = [(split, subset) for split in task.eval_splits for subset in evaluation.selection.subsets]
    with progress(len(places), task.name, "subset") as bar:
        for split, subset in places:
            if result.of(split, subset) is None:
                scores = _evaluate_subset(task, split, subset, ranker, settings, path.with_suffix(""))
                result = _with_scores(result, task, [*_meanwhile(path, result, settings), scores])
                made_with = Provenance(**{**started, "runtime": ranker.info.runtime})
                result = result.model_copy(update={"provenance": made_with})
                write_result(path, result)
            bar.update()
    return replace(evaluation, result=result)


def _evaluate_subset(
    task: Task, split: str, subset: str, ranker: Ranker, settings: Settings, folder: Path
) -> Scores:
    started = time.monotonic()
    data = load_data(task, subset, split, settings.hub)
    if isinstance(data, Pairs):
        measured = measure_pairs(data, split, ranker.compare(data))
    else:
        data = _limited(data, settings.limit)
        run = _ranked(task, data, ranker)
        measured = measure_run(data, split, run, task.metrics, task.main_score)
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


def _ranked(task: Task, data: Collection, ranker: Ranker) -> Run:
    """Rank the pages that a query may find, but for itself where the task says so."""
    if not task.protocol.ignore_identical_ids:
        return rank_allowed(ranker, data, DEPTH)
    run = rank_allowed(ranker, data, DEPTH + 1)
    return narrowed(run, lambda query, page: page != query, DEPTH)


def _limited(collection: Collection, limit: int | None) -> Collection:
    queries = collection.queries[:limit]
    qrels = {query.id: collection.qrels[query.id] for query in queries}
    return replace(collection, queries=queries, qrels=qrels)


def _failed(selection: Selection, error: VDRError) -> Failed:
    log.error("%s", error)
    return Failed(selection, error)


def _opened(selection: Selection, ranker: Ranker, settings: Settings) -> Evaluation:
    """Start from what is there and still true: subsets of the same identity whose tables are whole."""
    task = selection.task
    task_record, model_record = _task_record(task, settings.hub), _model_record(ranker)
    path = result_path(settings.results, task.name, model_record, settings.limit)
    new = Result(
        id=identity(task_record, model_record, settings.limit),
        status="partial",
        publishable=False,
        task=task_record,
        model=model_record,
        limit=settings.limit,
        scores=[],
        provenance=Provenance(**provenance(ranker.info.runtime, settings.asked)),
    )
    old = _old(path) or new
    if old.id != new.id:
        return Evaluation(selection, path, new)
    again = selection.subsets if settings.force else ()
    kept = [s for s in old.scores if s.subset not in again and is_whole(s.per_query, path.with_suffix(""))]
    lost = {} if kept == old.scores else {"scores": kept, "status": "partial", "publishable": False}
    return Evaluation(selection, path, old.model_copy(update=lost))


def _old(path: Path) -> Result | None:
    """Return the result that is there; a damaged one is as good as none."""
    try:
        return read_result(path) if path.exists() else None
    except InvalidFile as error:
        log.warning("warning: %s; it is evaluated again", error.message)
        return None


def _meanwhile(path: Path, result: Result, settings: Settings) -> list[Scores]:
    """Return what another process has added to the file: languages may be evaluated side by side."""
    other = None if settings.force else _old(path)
    if other is None or other.id != result.id:
        return []
    added = [scores for scores in other.scores if result.of(scores.split, scores.subset) is None]
    return [scores for scores in added if is_whole(scores.per_query, path.with_suffix(""))]


def _with_scores(result: Result, task: Task, more: Sequence[Scores]) -> Result:
    """Return `result` with the scores of more subsets, in the order of the task file."""
    order = [(split, subset) for split in task.eval_splits for subset in task.subsets]
    known = {(scores.split, scores.subset): scores for scores in (*result.scores, *more)}
    complete = len(known) == len(order)
    return result.model_copy(
        update={
            "scores": [known[place] for place in order if place in known],
            "status": "complete" if complete else "partial",
            "publishable": complete and result.limit is None,
        }
    )


def _task_record(task: Task, hub: Hub) -> TaskRecord:
    """Return the task's part of a result's identity; local data is hashed."""
    return TaskRecord(
        name=task.name,
        version=task.version,
        type=task.type,
        main_score=task.main_score,
        sha256=task.sha256(),
        dataset=DatasetRecord(path=task.dataset.path, revision=data_revision(task, hub)),
    )


def _model_record(ranker: Ranker) -> ModelRecord:
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
