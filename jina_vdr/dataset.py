"""What a task file says of its data: where it is, in which layout, under which column names."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from jina_vdr.schema import SpecRecord, Text, Whole

Layout = Literal["beir", "mteb", "qa", "pairs", "folder"]

Columns = dict[str, str]

QUERY_EXTRAS: Columns = {"language": "language", "kind": "kind", "cluster": "cluster"}
QRELS: Columns = {"query-id": "query-id", "corpus-id": "corpus-id", "score": "score"}

LAYOUTS: dict[str, dict[str, dict[str, Any]]] = {
    "beir": {
        "corpus": {
            "data_dir": "{subset}/corpus",
            "columns": {"id": "corpus-id", "image": "image", "text": "text"},
        },
        "queries": {
            "data_dir": "{subset}/queries",
            "columns": {"id": "query-id", "text": "query", **QUERY_EXTRAS},
        },
        "qrels": {"data_dir": "{subset}/qrels", "columns": QRELS},
    },
    "mteb": {
        "corpus": {"config": "{subset}-corpus", "columns": {"id": "id", "image": "image", "text": "text"}},
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

PLACES = ("config", "data_dir", "file")


class Part(SpecRecord):
    """One table of a data set: a config, a folder or a file of it, and its column names.

    `{subset}` stands for the subset. `columns` maps our names to the file's. `where` keeps the rows whose
    column has that value. `split` is set where it is not the task's.
    """

    config: Text | None = None
    data_dir: Text | None = None
    file: Text | None = None
    split: Text | None = None
    columns: dict[Text, Text] = Field(default_factory=dict)
    where: dict[Text, Text] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_place(self) -> "Part":
        given = [place for place in PLACES if getattr(self, place)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} name two places; keep one")
        return self


class Render(SpecRecord):
    """How PDF pages become images: at `dpi`, smaller where a side would pass `max_side` pixels."""

    dpi: Annotated[Whole, Field(ge=36, le=600)] = 144
    max_side: Annotated[Whole, Field(ge=128, le=8192)] = 2048


class Dataset(SpecRecord):
    """A data set on the Hub (`org/name` at a 40-hex revision) or in a folder beside the task file (`./name`).

    Parts that are not given, and columns that are not mapped, are those of the layout.
    """

    path: Text
    revision: Annotated[Text, Field(pattern="^[0-9a-f]{40}$")] | None = None
    format: Layout = "beir"
    corpus: Part = Part()
    queries: Part = Part()
    qrels: Part = Part()
    pairs: Part = Part()
    documents: Text = "**/*"
    render: Render = Render()

    @property
    def is_local(self) -> bool:
        """Whether the data lies beside the task file."""
        return self.path.startswith(".")

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if PurePosixPath(path).is_absolute() or ".." in parts or "\\" in path or path.startswith("~"):
            raise ValueError(f"'{path}' leads out of the task file's folder; write ./folder")
        if not path.startswith(".") and len(parts) != 2:
            raise ValueError(f"'{path}' is neither a Hub data set (org/name) nor a folder here (./name)")
        return path

    @field_validator("revision", mode="before")
    @classmethod
    def _is_commit(cls, revision: Any) -> Any:
        if isinstance(revision, str) and (len(revision) != 40 or set(revision) - set("0123456789abcdef")):
            raise ValueError(f"'{revision}' is not a commit; branches move: write the 40 hex digits of one")
        return revision

    @model_validator(mode="after")
    def _is_pinned(self) -> "Dataset":
        if self.is_local and self.revision:
            raise ValueError("a folder here has no revision; its files are hashed instead")
        if not self.is_local and not self.revision:
            raise ValueError(f"{self.path} needs a revision: the 40-hex commit of its page's history")
        if not self.is_local and self.format == "folder":
            raise ValueError("format folder reads a folder here; write path: ./name")
        return self

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:
        layout = LAYOUTS.get(data.get("format", "beir")) if isinstance(data, dict) else None
        if layout is None:
            return data
        for name in ("corpus", "queries", "qrels", "pairs"):
            if name in data and name not in layout:
                raise ValueError(
                    f"layout {data.get('format', 'beir')} has no part '{name}'; it has {', '.join(layout)}"
                )
        return {**data, **{name: _filled(data.get(name, {}), default) for name, default in layout.items()}}


def _filled(given: Any, default: dict[str, Any]) -> Any:
    """Fill in what a part does not say; a column that the layout does not have is refused."""
    if not isinstance(given, dict):
        return given
    columns = given.get("columns", {})
    if isinstance(columns, dict):
        unknown = sorted(set(columns) - set(default["columns"]))
        if unknown:
            raise ValueError(f"there is no column '{unknown[0]}'; known: {', '.join(default['columns'])}")
        given = {**given, "columns": {**default["columns"], **columns}}
    named = any(given.get(place) for place in PLACES)
    return given if named else {**{p: default[p] for p in PLACES if p in default}, **given}
