"""Which of colpali_engine's classes a checkpoint is of."""

from collections.abc import Iterator
from typing import Any

import colpali_engine

from jina_vdr.checkpoint import Checkpoint
from jina_vdr.errors import DataError, UsageError

PROCESSORS = ("processor_config.json", "preprocessor_config.json")
"""Where a checkpoint says how images are prepared, and with which class it was saved."""

KINDS = {"Co": "multi", "Bi": "single"}
"""How the names of classes begin -> the vectors that they give."""


def find_class(checkpoint: Checkpoint, base: Checkpoint, vector_type: str | None) -> str:
    """Return the name of the class of a checkpoint; `base` is what it is an adapter of, else itself.

    The configs of both and the adapter's say it, or else the processor that was saved beside, or else the
    kind of network that the base is: there `vector_type` chooses between two classes. Raises UsageError for
    vectors that the class does not give, DataError where nothing names a class.
    """
    said = [name for name in _said(checkpoint, base) if name in _classes()]
    if not said:
        guessed = [*_by_processor(checkpoint), *_by_network(base)]
        said = [name for name in guessed if KINDS[name[:2]] == (vector_type or KINDS[name[:2]])]
    if not said:
        named = ", ".join(_said(checkpoint, base)) or "no class"
        raise DataError(
            "JV441",
            f"{checkpoint.name} names {named}, none of colpali_engine",
            f"it has {', '.join(_classes())}",
        )
    gives = KINDS[said[0][:2]]
    if vector_type not in {None, gives}:
        raise UsageError("JV109", f"{checkpoint.name} is a {said[0]}: it gives {gives}-vectors")
    return said[0]


def processor_class(name: str) -> Any:
    """Return the processor of a class: ColQwen2_5_Processor of ColQwen2_5, BiPaliProcessor of BiPaliProj."""
    names = [other for other in vars(colpali_engine) if "Processor" in other and _root(other) == _root(name)]
    return getattr(colpali_engine, names[0])


def _said(checkpoint: Checkpoint, base: Checkpoint) -> list[str]:
    """Return the classes that the configs name, each once."""
    own, of_base = (place.json("config.json").get("architectures") or () for place in (checkpoint, base))
    mapped = (checkpoint.json("adapter_config.json").get("auto_mapping") or {}).get("base_model_class")
    return list(dict.fromkeys(str(name) for name in (*own, mapped, *of_base) if name))


def _by_processor(checkpoint: Checkpoint) -> Iterator[str]:
    for file in PROCESSORS:
        saved = str(checkpoint.json(file).get("processor_class"))
        yield from (name for name in _classes() if _root(name) == _root(saved))


def _by_network(base: Checkpoint) -> list[str]:
    """Return the classes that are made of the base's kind of network, those of late interaction first."""
    kind = base.json("config.json").get("model_type")
    made = [name for name in _classes() if getattr(colpali_engine, name).config_class.model_type == kind]
    return sorted(made, reverse=True)


def _classes() -> list[str]:
    return [name for name in vars(colpali_engine) if name[:2] in KINDS and "Processor" not in name]


def _root(name: str) -> str:
    return name.replace("Processor", "").replace("Proj", "").replace("_", "")
