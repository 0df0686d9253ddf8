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
from jina_vdr.metrics import PAIR_METRICS, RETRIEVAL_METRICS
from jina_vdr.vocabulary import FILE_NAME

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

    path: str
    revision: str = Field(description="a commit, or sha256 of local files")


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


class Scores(Record):
    """One subset of one split, measured. Metrics are fractions; `ci95` is the interval of the main score."""

    split: FileName
    subset: FileName
    languages: list[str]
    n_queries: int = Field(description="pairs, for a pair task")
    n_documents: int
    dropped: dict[str, int]
    n_tied_queries_at_5: int
    main_score: float
    ci95: tuple[float, float] | None
    metrics: dict[Metric, float]
    seconds: float
    per_query: Artifact


class Provenance(Record):
    """What a result was made with, and no part of its identity."""

    jina_vdr: str
    started: str
    python: str
    packages: dict[str, str]
    host: dict[str, str | int | None]
    device: str
    runtime: dict[str, str | int | None] = Field(
        description="what was asked of the model: device, batch size"
    )


class Result(Record):
    """One model on one task."""

    schema_: Literal["jina-vdr/result@1"] = Field("jina-vdr/result@1", alias="schema")
    id: str
    status: Literal["complete", "partial"]
    publishable: bool
    task: TaskRecord
    model: ModelRecord
    limit: int | None
    scores: list[Scores]
    provenance: Provenance

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
    return root / _file_name(model.name) / variant / f"{_file_name(task)}.json"


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


def _hash(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _file_name(name: str) -> str:
    """Keep letters, digits, `.`, `_` and `-`: a name from a file or the command line is no path."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name.replace("/", "__")).lstrip(".")
    return safe or "_"
