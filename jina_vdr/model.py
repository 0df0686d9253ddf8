"""Which model: `--model` and its options as a record, checked before anything is loaded."""

from dataclasses import dataclass, field, fields
from pathlib import Path

from jina_vdr.errors import UsageError, near


@dataclass(frozen=True)
class Options:
    """What a user can set about a model; None leaves the model's own default."""

    vector_type: str | None = None
    truncate_dim: int | None = None
    similarity: str | None = None
    dtype: str | None = None
    device: str | None = None
    batch_size: int | None = None

    def given(self) -> dict[str, str | int]:
        """Return the options that were set."""
        values = {option.name: getattr(self, option.name) for option in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Family:
    """A kind of model: where its code is, which options reach it, and what stands behind its prefix."""

    target: str
    about: str
    options: frozenset[str] = frozenset()
    argument: str = ""
    extra: str = ""


FAMILIES = {
    "bm25": Family("jina_vdr.lexical:bm25", "BM25 over the text of pages (text column, PDF text, else OCR)"),
    "tesseract": Family("jina_vdr.lexical:tesseract", "BM25 over what Tesseract reads in the page images"),
    "fake": Family(
        "jina_vdr.encoders.fake:Fake",
        "hashed words instead of a model: for tests and docs",
        frozenset({"vector_type", "truncate_dim", "similarity"}),
    ),
    "precomputed": Family(
        "jina_vdr.precomputed:Precomputed",
        "vectors that lie in a folder as parquet",
        frozenset({"similarity"}),
        argument="DIR",
    ),
    "st": Family(
        "jina_vdr.encoders.sentence_transformers:SentenceTransformers",
        "any sentence-transformers model, single- or multi-vector",
        frozenset({"truncate_dim", "similarity", "dtype", "device", "batch_size"}),
        argument="NAME",
        extra="models",
    ),
}


@dataclass(frozen=True)
class ModelSpec:
    """A model as the user names it: `family` or `family:checkpoint[@revision]`, with the options set."""

    family: str
    checkpoint: str = ""
    revision: str | None = None
    options: Options = field(default_factory=Options)

    @property
    def name(self) -> str:
        """The name results are filed under."""
        return self.checkpoint or self.family


def parse_model(text: str, options: Options | None = None) -> ModelSpec:
    """Return the model that `text` names.

    Raises UsageError for an unknown family, a missing or needless argument, or an option it does not take.
    """
    family, _, checkpoint = text.partition(":")
    if family not in FAMILIES:
        hint = f"write --model st:{text}" if "/" in text else near(family, FAMILIES) or _known()
        raise UsageError("JV107", f"there is no model '{text}'", hint)
    wants = FAMILIES[family].argument
    if bool(wants) != bool(checkpoint):
        shape = f"{family}:{wants}" if wants else family
        raise UsageError("JV107", f"'{text}' does not name a model", f"write --model {shape}")
    spec = ModelSpec(family, checkpoint, options=options or Options())
    if family == "st" and "@" in checkpoint and not Path(checkpoint).is_dir():
        name, _, revision = checkpoint.rpartition("@")
        if not (name and revision):
            raise UsageError("JV107", f"'{text}' does not name a model", "write --model st:NAME@REVISION")
        spec = ModelSpec(family, name, revision, spec.options)
    for option in spec.options.given():
        if option not in FAMILIES[family].options:
            takes = ", ".join(_flag(name) for name in sorted(FAMILIES[family].options)) or "no options"
            raise UsageError("JV108", f"{family} does not take {_flag(option)}", f"it takes {takes}")
    return spec


def _flag(option: str) -> str:
    return "--" + option.replace("_", "-")


def _known() -> str:
    shapes = [f"{name}:{family.argument}" if family.argument else name for name, family in FAMILIES.items()]
    return "write one of: " + ", ".join(shapes)
