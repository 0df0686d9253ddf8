"""A task: a data set with its subsets, languages, metrics and expected counts. One YAML file each."""

import hashlib
import json
import re
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr, field_validator, model_validator

from jina_vdr.dataset import Dataset
from jina_vdr.errors import near
from jina_vdr.languages import is_tag
from jina_vdr.schema import (
    MAPPING,
    MAPPING_OR_OTHER,
    OTHER,
    Flag,
    SpecRecord,
    Text,
    Whole,
    WrongPart,
    validated,
)
from jina_vdr.specfile import load
from jina_vdr.vocabulary import (
    DOCUMENT_FORMATS,
    DOMAINS,
    FILE_NAME,
    PAIR_METRICS,
    PAIR_TYPES,
    QUERY_FORMATS,
    RETRIEVAL_METRICS,
)

DEFAULT_SUBSET = "default"
METRICS = (*RETRIEVAL_METRICS, *PAIR_METRICS)


def _known(word: str, known: tuple[str, ...]) -> str:
    if word not in known:
        hint = near(word, known) or f"known: {', '.join(known)}"
        raise ValueError(f"unknown value '{word}'; {hint}")
    return word


def _one_of(known: tuple[str, ...]) -> tuple[Any, Any]:
    """Return what makes a text one of `known`, for us and for an editor."""
    return AfterValidator(partial(_known, known=known)), Field(json_schema_extra={"enum": list(known)})


def _language_tag(tag: str) -> str:
    if not is_tag(tag):
        raise ValueError(f"'{tag}' is not a language tag like deu-Latn (ISO 639-3, ISO 15924)")
    return tag


def _file_name(name: str) -> str:
    if not re.fullmatch(FILE_NAME, name):
        raise ValueError(f"'{name}' is not made of letters, digits, '.', '_', '-', '(' and ')' alone")
    return name


Count = Annotated[Whole, Field(ge=0)]
Name = Annotated[Text, AfterValidator(_file_name)]
LanguageTag = Annotated[Text, AfterValidator(_language_tag)]
Domain = Annotated[Text, *_one_of(DOMAINS)]
DocumentFormat = Annotated[Text, *_one_of(DOCUMENT_FORMATS)]
QueryFormat = Annotated[Text, *_one_of(QUERY_FORMATS)]
Metric = Annotated[Text, *_one_of(METRICS)]
Languages = Annotated[
    Annotated[dict[Name, list[LanguageTag]], MAPPING] | Annotated[list[LanguageTag], OTHER], MAPPING_OR_OTHER
]


class Expected(SpecRecord):
    """What one subset must hold; a difference stops the run."""

    queries: Count | None = None
    documents: Count | None = None
    qrels: Count | None = None
    pairs: Count | None = None


class Protocol(SpecRecord):
    """What an evaluation of the task does beyond ranking and scoring.

    queries_without_positives: what becomes of a query that has no relevant page; dropped ones are counted.
    ignore_identical_ids: a page that has the query's own id is taken out of the query's ranking.
    clusters: which queries are drawn together in a bootstrap: those with one value in the column `cluster`,
    or those with the same judgments, as translations of one query have them.
    """

    queries_without_positives: Literal["drop", "error"] = "drop"
    ignore_identical_ids: Flag = False
    clusters: Literal["column", "judgments"] = "column"


class Task(SpecRecord):
    """What a task file says. Field names are those of MTEB and BEIR where they have one."""

    schema_: Literal[1] = Field(1, alias="schema", description="version of the file format")
    name: Name
    version: Annotated[Whole, Field(ge=1)] = Field(1, description="raise it when scores change")
    type: Literal["VisualDocumentRetrieval", "VisualSTS", "Retrieval", "STS"] = "VisualDocumentRetrieval"
    category: Text = Field("t2i", description="MTEB's code: what asks, what is found")
    dataset: Dataset
    eval_splits: Annotated[list[Name], Field(min_length=1)] = ["test"]
    eval_langs: Languages = Field(description="tags like deu-Latn: a list, or a list for each subset")
    main_score: Metric = ""
    metrics: list[Metric] = []
    domains: list[Domain] = []
    document_formats: list[DocumentFormat] = []
    query_formats: list[QueryFormat] = []
    protocol: Protocol = Protocol()
    expected: dict[Text, Expected] = {}
    description: Text = ""
    reference: Text = ""
    license: Text = ""
    citation: Text = ""
    annotations_creators: Text = ""
    sample_creation: Text = ""
    adapted_from: list[Text] = []
    mteb_name: Text = ""
    tags: list[Text] = []
    notes: Text = ""
    is_public: Flag = True

    _path: Path = PrivateAttr(default=Path())

    @property
    def path(self) -> Path:
        """The task file."""
        return self._path

    @property
    def root(self) -> Path:
        """The folder of the task file: local data lies in it."""
        return self._path.parent

    @property
    def subsets(self) -> tuple[str, ...]:
        """Names of the subsets, in the order of the file."""
        return tuple(self.eval_langs) if isinstance(self.eval_langs, dict) else (DEFAULT_SUBSET,)

    def languages(self, subset: str) -> tuple[str, ...]:
        """Return the language tags of one subset."""
        return tuple(self.eval_langs[subset] if isinstance(self.eval_langs, dict) else self.eval_langs)

    def sha256(self) -> str:
        """Return the hash of all that can change a number and is not the data set's own revision.

        What has its default is not in it, so that a field that comes later changes no hash.
        """
        fields = {"name", "version", "type", "eval_splits", "eval_langs", "main_score", "metrics", "protocol"}
        said = {
            **self.model_dump(include=fields, exclude_defaults=True),
            "dataset": self.dataset.model_dump(exclude={"path", "revision"}, exclude_defaults=True),
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @field_validator("eval_langs")
    @classmethod
    def _every_subset_has_a_language(cls, languages: Any) -> Any:
        by_subset = languages if isinstance(languages, dict) else {DEFAULT_SUBSET: languages}
        for subset, tags in by_subset.items() or [("", [])]:
            if not tags:
                message = "every subset needs a language tag; write [und-Zyyy] where there is none"
                raise WrongPart(message, subset)
        return languages

    @model_validator(mode="before")
    @classmethod
    def _name_the_metrics(cls, data: Any) -> Any:
        """Fill in the metrics of the type, and the main score among them."""
        if not isinstance(data, dict):
            return data
        pairs = data.get("type") in PAIR_TYPES
        main, metrics = data.get("main_score", ""), data.get("metrics", [])
        if main == "":
            main = "cosine_spearman" if pairs else "ndcg_at_5"
        if metrics == []:
            metrics = list(PAIR_METRICS if pairs else RETRIEVAL_METRICS)
        if isinstance(metrics, list) and main in METRICS and main not in metrics:
            metrics = [main, *metrics]
        return {**data, "main_score": main, "metrics": metrics}

    @model_validator(mode="after")
    def _fits_together(self) -> "Task":
        pairs = self.type in PAIR_TYPES
        if pairs != (self.dataset.format == "pairs"):
            message = f"{self.type} does not go with format {self.dataset.format}"
            raise WrongPart(message, "type" if "type" in self.model_fields_set else "dataset")
        for metric in self.metrics:
            if (metric in PAIR_METRICS) != pairs:
                where = "main_score" if metric == self.main_score else "metrics"
                raise WrongPart(f"{metric} does not measure type {self.type}", where)
        for subset in self.expected:
            if subset not in self.subsets:
                hint = near(subset, self.subsets) or f"known: {', '.join(self.subsets)}"
                raise WrongPart(f"there is no subset '{subset}'; {hint}", "expected", subset)
        return self


def load_task(path: Path) -> Task:
    """Read a task file; raise InvalidFile with every problem it has."""
    task = validated(Task, load(path))
    task._path = path
    return task
