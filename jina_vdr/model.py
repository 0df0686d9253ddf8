"""Which model: `--model` and its options as a record, checked before anything is loaded."""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jina_vdr.errors import UsageError, near
from jina_vdr.family import FAMILIES, flag

if TYPE_CHECKING:
    from jina_vdr.modelfile import ModelFile


BOTH = "both"
"""The vector type that stands for single and multi-vectors of one pass."""

RUNTIME_OPTIONS = frozenset({"device", "batch_size", "base_url", "concurrency", "trust_remote_code"})
"""Options that say how a model runs, and cannot change a number."""


@dataclass(frozen=True)
class Options:
    """What a user can set about a model; None leaves the model's own default."""

    vector_type: str | None = None
    truncate_dim: int | None = None
    similarity: str | None = None
    dtype: str | None = None
    attention: str | None = None
    max_pixels: int | None = None
    image_backend: str | None = None
    adapter: str | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    document_input: str | None = None
    trust_remote_code: bool | None = None
    device: str | None = None
    batch_size: int | None = None
    base_url: str | None = None
    concurrency: int | None = None

    def given(self) -> dict[str, str | int]:
        """Return the options that were set."""
        values = {option.name: getattr(self, option.name) for option in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class ModelSpec:
    """A model as the user names it: `family` or `family:checkpoint[@revision]`, with the options set.

    `known` is its model file, where it has one: it gives the defaults.
    """

    family: str
    checkpoint: str = ""
    revision: str | None = None
    options: Options = field(default_factory=Options)
    known: "ModelFile | None" = None

    @property
    def name(self) -> str:
        """The name results are filed under."""
        return self.known.name if self.known else self.checkpoint or self.family

    def variants(self) -> list["ModelSpec"]:
        """Return what is evaluated: for both kinds of vectors, the one that keeps both and the other one."""
        if self.options.vector_type != BOTH:
            return [self]
        other = replace(self.options, vector_type="multi", truncate_dim=None)
        return [self, replace(self, options=other)]

    @property
    def chosen(self) -> Options:
        """The options that were set, filled up with what the model file says."""
        known = self.known
        if not known:
            return self.options
        defaults = known.defaults(self.options.vector_type)
        takes = FAMILIES[self.family].options
        unset = {name: value for name, value in defaults.items() if getattr(self.options, name) is None}
        return replace(self.options, **{name: unset[name] for name in unset if name in takes})


def parse_model(text: str, options: Options | None = None) -> ModelSpec:
    """Return the model that `text`, `family` or `family:name`, names.

    Raises UsageError for an unknown family, a missing or needless argument, or an option it does not take.
    """
    family, _, checkpoint = text.partition(":")
    if family not in FAMILIES:
        raise UsageError("JV107", f"there is no model '{text}'", near(family, FAMILIES) or shapes())
    wants = FAMILIES[family].argument
    if bool(wants) != bool(checkpoint):
        shape = f"{family}:{wants}" if wants else family
        raise UsageError("JV107", f"'{text}' does not name a model", f"write --model {shape}")
    revision = None
    if wants == "NAME":
        checkpoint, revision = split_revision(checkpoint)
    return checked(ModelSpec(family, checkpoint, revision, options or Options()))


def split_revision(text: str) -> tuple[str, str | None]:
    """Return the parts of `name@revision`; a folder may have an @ in its name."""
    if "@" not in text or Path(text).is_dir():
        return text, None
    name, _, revision = text.rpartition("@")
    if not (name and revision):
        raise UsageError("JV107", f"'{text}' does not name a model", "write NAME@REVISION")
    return name, revision


def checked(spec: ModelSpec) -> ModelSpec:
    """Return `spec`; raise UsageError for an option that its family does not take."""
    takes = FAMILIES[spec.family].options
    if spec.options.vector_type == BOTH and not FAMILIES[spec.family].gives_both:
        able = ", ".join(name for name, family in FAMILIES.items() if family.gives_both)
        raise UsageError(
            "JV109", f"{spec.family} does not give both kinds of vectors at once", f"{able} does"
        )
    for option in spec.options.given():
        if option not in takes:
            known = ", ".join(flag(name) for name in sorted(takes)) or "no options"
            raise UsageError("JV108", f"{spec.family} does not take {flag(option)}", f"it takes {known}")
    return spec


def shapes() -> str:
    """Return the hint that lists what can be written for a model."""
    written = [f"{name}:{family.argument}" if family.argument else name for name, family in FAMILIES.items()]
    return "write one of: " + ", ".join(written)
