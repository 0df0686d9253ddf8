"""The record that leaves an evaluation: its identity, where it lies, its atomic write."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from jina_vdr.atomic import write_text
from jina_vdr.errors import InvalidFile
from jina_vdr.vocabulary import FILE_NAME, PAIR_METRICS, RETRIEVAL_METRICS

SCHEMA = "jina-vdr/result@1"


def _is_metric(name: str) -> str:
    if name not in {*RETRIEVAL_METRICS, *PAIR_METRICS}:
        raise ValueError(f"there is no metric '{name}'")
    return name


FileName = Annotated[str, Field(pattern=f"^{FILE_NAME}$")]
Metric = Annotated[str, AfterValidator(_is_metric)]


class Record(BaseModel):
    """A part of a result file: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DatasetRecord(Record):
    """Which data."""

    path: str = Field(description="empty where MTEB gives another revision than the task: it names no path")
    revision: str = Field(description="a commit, or sha256 of local files; a branch, where MTEB says no more")

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is one state of the data: a branch is not."""
        return re.fullmatch("[0-9a-f]{40}|sha256:.*", self.revision) is not None


class TaskRecord(Record):
    """Which task, at which version of its file and of its data."""

    name: str
    version: int
    type: str
    main_score: Metric
    sha256: str = Field(description="over all in the task file that can change a number")
    dataset: DatasetRecord


class ModelRecord(Record):
    """Which model, at which revision, with which settings."""

    name: str
    family: str
    revision: str | None
    vector_type: str | None
    similarity: str | None
    settings: dict[str, Any]


class Artifact(Record):
    """A file in the folder beside the result."""

    path: Annotated[str, Field(pattern=f"^{FILE_NAME}[.]{FILE_NAME}[.]per_query[.]parquet$")]
    sha256: str
    rows: int


class Source(Record):
    """The file beside an imported result that holds what was imported, word for word."""

    path: Literal["mteb.json.gz"] = "mteb.json.gz"
    sha256: str = Field(description="of the content, unpacked")


class Scores(Record):
    """One subset of one split, measured. Metrics are fractions; `ci95` is the interval of the main score.

    A run knows everything; what others measured may come without counts, times and the table of queries.
    """

    split: FileName
    subset: FileName
    languages: list[str]
    n_queries: int | None = Field(description="pairs, for a pair task")
    n_documents: int | None
    dropped: dict[str, int]
    n_tied_queries_at_5: int | None
    main_score: float
    ci95: tuple[float, float] | None
    metrics: dict[Metric, float]
    seconds: float | None
    per_query: Artifact | None


class Provenance(Record):
    """What a result was made with, and no part of its identity. Of an import: what the file says."""

    jina_vdr: str
    started: str | None
    python: str | None
    packages: dict[str, str]
    host: dict[str, str | int | None]
    device: str | None
    runtime: dict[str, str | int | float | None] = Field(
        description="how the model ran: device, batch size; requests, tokens and cost of one behind HTTP"
    )
    asked: dict[str, str | int | bool] = Field({}, description="what the user set about the model")


class Result(Record):
    """One model on one task: what we measured, or what MTEB did."""

    schema_: Literal["jina-vdr/result@1"] = Field("jina-vdr/result@1", alias="schema")
    id: str
    origin: Literal["run", "mteb"] = "run"
    status: Literal["complete", "partial"]
    publishable: bool
    task: TaskRecord
    model: ModelRecord
    limit: int | None
    scores: list[Scores]
    provenance: Provenance
    source: Source | None = None

    @model_validator(mode="after")
    def _holds_what_its_origin_gives(self) -> "Result":
        if (self.origin == "run") != (self.source is None):
            raise ValueError("a result that was imported, and no other, has a source")
        for scores in self.scores if self.origin == "run" else ():
            known = (scores.n_queries, scores.n_documents, scores.n_tied_queries_at_5, scores.seconds)
            if None in (*known, scores.per_query):
                raise ValueError(f"subset '{scores.subset}' was run, and lacks a count, a time or its table")
        return self

    @model_validator(mode="after")
    def _holds_each_subset_once(self) -> "Result":
        measured = {(scores.split, scores.subset) for scores in self.scores}
        if len(measured) < len(self.scores):
            raise ValueError("a subset stands twice")
        if self.status == "complete" and not self.scores:
            raise ValueError("it says complete and holds no subset")
        return self

    @property
    def main_score(self) -> float | None:
        """The mean over subsets of the main score; None while a subset is missing."""
        values = [scores.main_score for scores in self.scores]
        return sum(values) / len(values) if self.status == "complete" else None

    def of(self, split: str, subset: str) -> Scores | None:
        """Return the scores of one subset, None where it is not measured."""
        return next((s for s in self.scores if (s.split, s.subset) == (split, subset)), None)


def identity(task: TaskRecord, model: ModelRecord, limit: int | None) -> str:
    """Return the sha256 over everything that can change a number of the result."""
    return _hash({"schema": SCHEMA, "task": task.model_dump(), "model": model.model_dump(), "limit": limit})


def result_path(root: Path, task: str, model: ModelRecord, limit: int | None) -> Path:
    """Return `<root>/<org>__<model>/<variant>/<task>.json`; a variant is settings and a hash of all."""
    cut = model.settings.get("truncate_dim")
    readable = [model.vector_type or model.family, f"d{cut}" if cut else "", f"limit{limit}" if limit else ""]
    variant = "-".join([*filter(None, readable), _hash({"model": model.model_dump(), "limit": limit})[:12]])
    return root / file_name(model.name) / variant / f"{file_name(task)}.json"


def write_result(path: Path, result: Result) -> None:
    """Write `result`, whole or not at all."""
    write_text(path, result.model_dump_json(by_alias=True, indent=1) + "\n")


def read_result(path: Path) -> Result:
    """Read a result file; raise InvalidFile for anything else."""
    try:
        return Result.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        where = ".".join(map(str, first["loc"])) if first else ""
        reason = ": ".join(filter(None, [where, first["msg"]])) if first else str(error)
        raise InvalidFile(
            "JV351", f"{path} is not a result file ({reason})", "evaluate the task again"
        ) from error


def read_results(root: Path) -> Iterator[tuple[Path, Result]]:
    """Yield all results below `root`, by path: all of them, those of one model, or of one variant."""
    levels = (sorted(root.glob(pattern)) for pattern in ("*/*/*.json", "*/*.json", "*.json"))
    for path in next(filter(None, levels), []):
        yield path, read_result(path)


def file_name(name: str) -> str:
    """Keep letters, digits, `.`, `_` and `-`: a name from a file or the command line is no path."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name.replace("/", "__")).lstrip(".")
    return safe or "_"


def _hash(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
