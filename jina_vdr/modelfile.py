"""A known model: which commit, what runs it, with which prompts, what it learned from. One YAML file each."""

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Strict, model_validator

from jina_vdr.errors import InvalidFile
from jina_vdr.schema import Commit, Flag, SpecRecord, Text, Whole, WrongPart, validated
from jina_vdr.specfile import load

FOLDER = Path(__file__).parent / "models"

VectorType = Literal["single", "multi"]


def _date(text: str) -> str:
    if not re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", text):
        raise ValueError(f"'{text}' is not a date like 2026-07 or 2026-07-31")
    return text


def _repository(text: str) -> str:
    if not re.fullmatch(r"[^/@\s]+/[^/@\s]+@[0-9a-f]{40}", text):
        raise ValueError(f"'{text}' is not org/name@commit, with the 40 hex digits of a commit")
    return text


Size = Annotated[Whole, Field(ge=1)]
Money = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]


class Dimensions(SpecRecord):
    """How long a vector is, for each type of vectors."""

    single: Size | None = None
    multi: Size | None = None


class Similarities(SpecRecord):
    """What compares two vectors, for each type of vectors."""

    single: Literal["cosine", "dot"] | None = None
    multi: Literal["maxsim", "meanmaxsim"] | None = None


class Prompts(SpecRecord):
    """What stands before a text. What a model's own processor puts there is not among them."""

    query: Text | None = None
    document: Text | None = None


class Templates(SpecRecord):
    """All that a model of the Qwen-VL kind reads of a query, a page's image, a page's text.

    {text} stands for the text, {prompt} for the prompt, and the model's own token for an image. Where the
    template of a text has that token too, a black image of `blank` x `blank` pixels is shown. `positions` is
    how an image's tokens are numbered: by row and column (grid), or as those of a text (sequence).
    """

    query: Text
    image: Text
    text: Text
    blank: Size = 28
    positions: Literal["grid", "sequence"] = "grid"


class Price(SpecRecord):
    """What a provider asks, where it says so (`source`) and when it did (`as_of`).

    per_image: at most, where it depends on the pixels.
    """

    per_million_tokens: Money | None = None
    per_image: Money | None = None
    currency: Text = "USD"
    source: Text
    as_of: Annotated[Text, AfterValidator(_date)]

    @model_validator(mode="after")
    def _names_one(self) -> "Price":
        if self.per_million_tokens is None and self.per_image is None:
            raise ValueError("say per_million_tokens, per_image, or both")
        return self


class ModelFile(SpecRecord):
    """What a model file says; what it does not say is left to the family, or to the checkpoint itself.

    vector_types: what it can give, the first one by default. checkpoint: what is loaded where that is not
    `name` at `revision`. remote_code: whether it runs code of the checkpoint's own. training_sets: as MTEB
    names them; none where nothing is known, an empty list where none of MTEB's is among them. requires: what
    must be installed beside the family's extra. max_pixels: of one page. parameters: of all parts together.
    """

    name: Text
    aliases: list[Text] = []
    family: Text
    revision: Commit | None = None
    checkpoint: Annotated[Text, AfterValidator(_repository)] | None = None
    remote_code: Flag = False
    modalities: Annotated[list[Literal["text", "image"]], Field(min_length=1)] = ["text", "image"]
    vector_types: Annotated[list[VectorType], Field(min_length=1)]
    dimensions: Dimensions = Dimensions()
    truncate_dims: list[Size] = []
    similarity: Similarities = Similarities()
    dtype: Literal["float32", "float16", "bfloat16"] | None = None
    max_pixels: Size | None = None
    max_tokens: Size | None = None
    prompts: Prompts = Prompts()
    templates: Templates | None = None
    parameters: Size | None = None
    license: Text = ""
    url: Text = ""
    open_weights: Flag = True
    training_sets: list[Text] | None = None
    price: Price | None = None
    requires: list[Text] = []
    note: Text = ""

    @property
    def source(self) -> tuple[str, str | None]:
        """What is loaded: a repository and its commit; for an API its name for the model, and nothing."""
        if self.checkpoint is None:
            return self.name, self.revision
        repository, _, commit = self.checkpoint.partition("@")
        return repository, commit

    def defaults(self, vector_type: str | None = None) -> dict[str, Any]:
        """Return the options it stands for, those that depend on it for `vector_type` (its first one)."""
        vector_type = vector_type or self.vector_types[0]
        return {
            "vector_type": vector_type,
            "similarity": getattr(self.similarity, vector_type, None),
            "dtype": self.dtype,
            "max_pixels": self.max_pixels,
            "query_prompt": self.prompts.query,
            "document_prompt": self.prompts.document,
        }

    @model_validator(mode="after")
    def _fits_together(self) -> "ModelFile":
        if self.open_weights and not self.revision:
            raise WrongPart("weights need a revision: the 40-hex commit of the model's page", "name")
        if not self.open_weights and (self.revision or self.checkpoint):
            raise WrongPart("weights that are not open have neither revision nor checkpoint", "open_weights")
        if self.open_weights and self.price:
            raise WrongPart("open weights have no price", "price")
        for part in ("dimensions", "similarity"):
            for vector_type in getattr(self, part).model_fields_set - {*self.vector_types}:
                message = f"{vector_type} is none of the vector types: {', '.join(self.vector_types)}"
                raise WrongPart(message, part, vector_type)
        whole = self.dimensions.single
        if self.truncate_dims and (whole is None or max(self.truncate_dims) > whole):
            raise WrongPart("they cut single vectors, which must have at least as many", "truncate_dims")
        return self


def load_model(path: Path) -> ModelFile:
    """Read a model file; raise InvalidFile with every problem it has."""
    return validated(ModelFile, load(path))


@cache
def all_models() -> dict[str, ModelFile]:
    """Return all known models, by name and sorted by it."""
    return read_models(FOLDER)


def read_models(folder: Path) -> dict[str, ModelFile]:
    """Return the models of a folder. Raises InvalidFile when two files claim one name or alias."""
    files: dict[str, Path] = {}
    models = []
    for path in sorted(folder.glob("*.yaml")):
        models.append(load_model(path))
        for name in _names(models[-1]):
            first = files.setdefault(name, path)
            if first != path:
                raise InvalidFile("JV314", f"{first} and {path} both define model '{name}'", "rename one")
    return {model.name: model for model in sorted(models, key=lambda model: model.name.casefold())}


def find_model(name: str) -> ModelFile | None:
    """Return the known model of that name or alias, in any case; None where there is none."""
    return _by_name().get(name.casefold())


@cache
def _by_name() -> dict[str, ModelFile]:
    return {name: model for model in all_models().values() for name in _names(model)}


def _names(model: ModelFile) -> set[str]:
    return {name.casefold() for name in (model.name, *model.aliases)}
