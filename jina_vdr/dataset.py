"""What a task file says of its data: where it is, in which layout, under which column names."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from jina_vdr.schema import Commit, SpecRecord, Text, Whole, WrongPart

Layout = Literal["beir", "mteb", "qa", "pairs", "folder"]

HUB_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*")

Columns = dict[str, str]

CORPUS: Columns = {"image": "image", "text": "text", "title": "title", "image_id": "image_id"}
QUERY_EXTRAS: Columns = {"language": "language", "kind": "kind", "cluster": "cluster"}
QRELS: Columns = {"query-id": "query-id", "corpus-id": "corpus-id", "score": "score"}

LAYOUTS: dict[str, dict[str, dict[str, Any]]] = {
    "beir": {
        "corpus": {
            "data_dir": "{subset}/corpus",
            "columns": {"id": "corpus-id", **CORPUS},
        },
        "queries": {
            "data_dir": "{subset}/queries",
            "columns": {"id": "query-id", "text": "query", **QUERY_EXTRAS},
        },
        "qrels": {"data_dir": "{subset}/qrels", "columns": QRELS},
    },
    "mteb": {
        "corpus": {"config": "{subset}-corpus", "columns": {"id": "id", **CORPUS}},
        "queries": {"config": "{subset}-queries", "columns": {"id": "id", "text": "text", **QUERY_EXTRAS}},
        "qrels": {"config": "{subset}-qrels", "columns": QRELS},
    },
    "qa": {
        "pairs": {
            "config": "{subset}",
            "columns": {
                "query": "query",
                "image": "image",
                "page": "image_filename",
                "text": "text_description",
            },
        }
    },
    "pairs": {
        "pairs": {
            "config": "{subset}",
            "columns": {
                "first": "sentence1",
                "second": "sentence2",
                "score": "score",
                "first_text": "text1",
                "second_text": "text2",
            },
        }
    },
    "folder": {
        "queries": {"file": "queries.csv", "columns": {"id": "query-id", "text": "query", **QUERY_EXTRAS}},
        "qrels": {"file": "qrels.tsv", "columns": QRELS},
    },
}
"""Where each layout keeps its parts, and how its columns are called on the Hub."""

DISPENSABLE = {*CORPUS, *QUERY_EXTRAS, "score", "first_text", "second_text"}
"""Columns that a data set may do without, but for those in NEEDED."""

NEEDED = {("queries", "text"), ("pairs", "image"), ("images", "image")}

OPTIONAL: dict[str, dict[str, Any]] = {
    "images": {"columns": {"id": "id", "image": "image"}},
    "candidates": {"columns": {"query-id": "query-id", "corpus-ids": "corpus-ids"}},
}
"""Tables that few data sets have beside a corpus, so that a task must say where they are.

images: apart from the corpus, whose `image_id` names its rows. candidates: the pages that each query may
find, where these are not all.
"""

PLACES = ("config", "data_dir", "file")


class Part(SpecRecord):
    """One table of a data set: a config, a folder or a file of it, and its column names.

    `{subset}` stands for the subset. `columns` maps our names to the file's; an empty name means that there
    is none. `where` keeps the rows whose column has that value. `split` is set where it is not the task's.
    """

    config: Text | None = None
    data_dir: Text | None = None
    file: Text | None = None
    split: Text | None = None
    columns: dict[Text, Text] = Field(default_factory=dict)
    where: dict[Text, Text] = Field(default_factory=dict)

    @property
    def named(self) -> Columns:
        """The columns to read: our names -> the file's."""
        return {ours: theirs for ours, theirs in self.columns.items() if theirs}

    @model_validator(mode="after")
    def _one_place(self) -> "Part":
        given = [place for place in PLACES if getattr(self, place)]
        if len(given) > 1:
            raise WrongPart(f"{' and '.join(given)} name two places; keep one", given[1])
        return self


class Render(SpecRecord):
    """How PDF pages become images: at `dpi`, smaller where a side would pass `max_side` pixels."""

    dpi: Annotated[Whole, Field(ge=36, le=600)] = 144
    max_side: Annotated[Whole, Field(ge=128, le=8192)] = 2048


class Dataset(SpecRecord):
    """A data set on the Hub (`org/name` at a 40-hex revision) or in a folder beside the task file (`./name`).

    Parts that are not given, and columns that are not mapped, are those of the layout; `images` and
    `candidates` are there only where a task says so.
    """

    path: Text
    revision: Commit | None = None
    format: Layout = "beir"
    corpus: Part = Field(Part(), validate_default=True)
    queries: Part = Field(Part(), validate_default=True)
    qrels: Part = Field(Part(), validate_default=True)
    images: Part | None = None
    candidates: Part | None = None
    pairs: Part = Field(Part(), validate_default=True)
    documents: Text = "**/*"
    render: Render = Render()

    @property
    def is_local(self) -> bool:
        """Whether the data lies beside the task file."""
        return self.path.startswith(".")

    @property
    def parts(self) -> tuple[Part, ...]:
        """The tables of the data set."""
        parts = [getattr(self, name) for name in (*LAYOUTS[self.format], *OPTIONAL)]
        return tuple(part for part in parts if part)

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if PurePosixPath(path).is_absolute() or ".." in parts or "\\" in path or path.startswith("~"):
            raise ValueError(f"'{path}' leads out of the task file's folder; write ./folder")
        if not path.startswith(".") and not HUB_NAME.fullmatch(path):
            raise ValueError(f"'{path}' is neither a Hub data set (org/name) nor a folder here (./name)")
        return path

    @model_validator(mode="after")
    def _is_pinned(self) -> "Dataset":
        if self.is_local and self.revision:
            raise WrongPart("a folder here has no revision; its files are hashed instead", "revision")
        if not self.is_local and not self.revision:
            raise WrongPart(f"{self.path} needs a revision: the 40-hex commit of its page's history", "path")
        if not self.is_local and self.format == "folder":
            raise WrongPart("folder reads a folder here; write path: ./name", "format")
        return self

    @field_validator(*OPTIONAL, mode="before")
    @classmethod
    def _beside_a_corpus(cls, given: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        if "corpus" not in LAYOUTS.get(info.data.get("format", ""), {"corpus": {}}):
            raise ValueError(f"layout {info.data['format']} has no table of {name}")
        if isinstance(given, dict) and not any(given.get(place) for place in PLACES):
            raise ValueError(f"say where the {name} are: {', '.join(PLACES)}")
        return _filled(given, OPTIONAL[name], name)

    @field_validator("corpus", "queries", "qrels", "pairs", mode="before")
    @classmethod
    def _of_layout(cls, given: Any, info: ValidationInfo) -> Any:
        """Fill in what a part does not say; refuse a part that the layout does not have."""
        layout, name = LAYOUTS.get(info.data.get("format", "")), str(info.field_name)
        if layout is None:
            return given
        if name in layout:
            return _filled({} if given == Part() else given, layout[name], name)
        if given != Part():
            raise ValueError(f"layout {info.data['format']} has no part '{name}'; it has {', '.join(layout)}")
        return given


def _filled(given: Any, default: dict[str, Any], name: str) -> Any:
    """Fill in what a part does not say; refuse a column that the layout does not have.

    A column with an empty name is one that the files do not have, or that is not to be read.
    """
    if not isinstance(given, dict):
        return given
    columns = given.get("columns", {})
    if isinstance(columns, dict):
        unknown = sorted(set(columns) - set(default["columns"]))
        if unknown:
            message = f"there is no column '{unknown[0]}'; known: {', '.join(default['columns'])}"
            raise WrongPart(message, "columns", unknown[0])
        for ours in sorted(column for column, theirs in columns.items() if theirs == ""):
            if ours not in DISPENSABLE or (name, ours) in NEEDED:
                raise WrongPart(f"{name} needs the column '{ours}'", "columns", ours)
        given = {**given, "columns": {**default["columns"], **columns}}
    named = any(given.get(place) for place in PLACES)
    return given if named else {**{p: default[p] for p in PLACES if p in default}, **given}
