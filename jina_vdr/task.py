"""A task: a data set with its subsets, languages, metrics and expected counts. One YAML file each."""

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from jina_vdr.dataset import Dataset
from jina_vdr.errors import near
from jina_vdr.languages import is_tag
from jina_vdr.metrics import PAIR_METRICS, RETRIEVAL_METRICS
from jina_vdr.schema import Flag, SpecRecord, Text, Whole, validated
from jina_vdr.specfile import load
from jina_vdr.vocabulary import DOCUMENT_FORMATS, DOMAINS, FILE_NAME, QUERY_FORMATS

DEFAULT_SUBSET = "default"
METRICS = (*RETRIEVAL_METRICS, *PAIR_METRICS)

Count = Annotated[Whole, Field(ge=0)]


class Expected(SpecRecord):
    """What one subset must hold; a difference stops the run."""

    queries: Count | None = None
    documents: Count | None = None
    qrels: Count | None = None
    pairs: Count | None = None


class Protocol(SpecRecord):
    """What is done with a query that has no relevant page: dropped and counted, or an error."""

    queries_without_positives: Literal["drop", "error"] = "drop"


class Task(SpecRecord):
    """What a task file says. Field names are those of MTEB and BEIR where they have one."""

    schema_: Literal[1] = Field(1, alias="schema", description="version of the file format")
    name: Text
    version: Annotated[Whole, Field(ge=1)] = Field(1, description="raise it when scores change")
    type: Literal["VisualDocumentRetrieval", "VisualSTS", "Retrieval"] = "VisualDocumentRetrieval"
    category: Text = Field("t2i", description="MTEB's code: what asks, what is found")
    dataset: Dataset
    eval_splits: Annotated[list[Text], Field(min_length=1)] = ["test"]
    eval_langs: dict[Text, list[Text]] | list[Text] = Field(
        description="tags like deu-Latn: a list, or a list for each subset"
    )
    main_score: Text = ""
    metrics: list[Text] = []
    domains: list[Text] = []
    document_formats: list[Text] = []
    query_formats: list[Text] = []
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
        """Return the hash of all that can change a number and is not the data set's own revision."""
        fields = {"name", "version", "type", "eval_splits", "eval_langs", "main_score", "metrics", "protocol"}
        said = {
            **self.model_dump(include=fields),
            "dataset": self.dataset.model_dump(exclude={"path", "revision"}),
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @field_validator("name")
    @classmethod
    def _names_a_file(cls, name: str) -> str:
        return _file_name(name)

    @field_validator("eval_splits")
    @classmethod
    def _splits_name_files(cls, splits: list[str]) -> list[str]:
        return [_file_name(split) for split in splits]

    @field_validator("eval_langs")
    @classmethod
    def _are_tags(cls, languages: Any) -> Any:
        by_subset = languages if isinstance(languages, dict) else {DEFAULT_SUBSET: languages}
        if not by_subset or not all(by_subset.values()):
            raise ValueError("every subset needs a language tag; write [und-Zyyy] where there is none")
        for subset, tags in by_subset.items():
            _file_name(subset)
            for tag in tags:
                if not is_tag(tag):
                    raise ValueError(f"'{tag}' is not a language tag like deu-Latn (ISO 639-3, ISO 15924)")
        return languages

    @field_validator("domains")
    @classmethod
    def _are_domains(cls, words: list[str]) -> list[str]:
        return _known(words, DOMAINS)

    @field_validator("document_formats")
    @classmethod
    def _are_document_formats(cls, words: list[str]) -> list[str]:
        return _known(words, DOCUMENT_FORMATS)

    @field_validator("query_formats")
    @classmethod
    def _are_query_formats(cls, words: list[str]) -> list[str]:
        return _known(words, QUERY_FORMATS)

    @field_validator("main_score")
    @classmethod
    def _is_a_metric(cls, word: str) -> str:
        return _known([word], METRICS)[0]

    @field_validator("metrics")
    @classmethod
    def _are_metrics(cls, words: list[str]) -> list[str]:
        return _known(words, METRICS)

    @model_validator(mode="before")
    @classmethod
    def _name_the_metrics(cls, data: Any) -> Any:
        """Fill in the metrics of the type, and the main score among them."""
        if not isinstance(data, dict):
            return data
        pairs = data.get("type") == "VisualSTS"
        main = data.get("main_score") or ("cosine_spearman" if pairs else "ndcg_at_5")
        metrics = data.get("metrics") or list(PAIR_METRICS if pairs else RETRIEVAL_METRICS)
        if isinstance(metrics, list) and main in METRICS and main not in metrics:
            metrics = [main, *metrics]
        return {**data, "main_score": main, "metrics": metrics}

    @model_validator(mode="after")
    def _fits_together(self) -> "Task":
        pairs = self.type == "VisualSTS"
        if pairs != (self.dataset.format == "pairs"):
            raise ValueError(f"type {self.type} and dataset.format {self.dataset.format} do not go together")
        for metric in self.metrics:
            if (metric in PAIR_METRICS) != pairs:
                raise ValueError(f"metric {metric} does not measure type {self.type}")
        _known(list(self.expected), self.subsets)
        return self


def load_task(path: Path) -> Task:
    """Read a task file; raise InvalidFile with every problem it has."""
    task = validated(Task, load(path))
    task._path = path
    return task


def _known(words: list[str], known: tuple[str, ...]) -> list[str]:
    for word in words:
        if word not in known:
            hint = near(word, known) or f"known: {', '.join(known)}"
            raise ValueError(f"unknown value '{word}'; {hint}")
    return words


def _file_name(name: str) -> str:
    if not re.fullmatch(FILE_NAME, name):
        raise ValueError(f"'{name}' is not made of letters, digits, '.', '_', '-', '(' and ')' alone")
    return name
