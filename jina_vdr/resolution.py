"""The model behind a name: a family's prefix, a known name, else what the checkpoint says of itself."""

from dataclasses import replace
from pathlib import Path

from jina_vdr.checkpoint import Checkpoint, open_checkpoint, refuse_reranker
from jina_vdr.errors import UsageError, near
from jina_vdr.family import FAMILIES
from jina_vdr.model import BOTH, ModelSpec, Options, checked, parse_model, shapes, split_revision
from jina_vdr.modelfile import ModelFile, all_models, find_model
from jina_vdr.plugs import is_plug, registered

LOOKED_AT = (
    "config.json",
    "modules.json",
    "config_sentence_transformers.json",
    "adapter_config.json",
    "adapters/adapter_config.json",
)
"""The files of a checkpoint that say what it is, but for its weights."""


def resolve(text: str, options: Options | None = None) -> ModelSpec:
    """Return the model that `text` names: `family:name`, a known name, a folder, one on the Hub, a plug.

    A family of ours wins over a plug of its name, and a folder over a name on the Hub, as in transformers.
    Only for a name on the Hub that is not known a connection is opened here. Raises UsageError for what names
    no model, DataError for what cannot be had.
    """
    options = options or Options()
    prefix = text.partition(":")[0]
    if prefix in FAMILIES:
        return _with_defaults(parse_model(text, options))
    if is_plug(text):
        return checked(ModelSpec("plug", text, options=options))
    name, revision = split_revision(text)
    known = find_model(name)
    if known and not Path(name).is_dir():
        return checked(_as_known(ModelSpec(known.family, name, revision, options), known))
    if "/" not in prefix and not Path(name).is_dir():
        hint = near(prefix, [*FAMILIES, *registered(), *all_models()]) or shapes()
        raise UsageError("JV107", f"there is no model '{text}'", hint)
    checkpoint = open_checkpoint(name, revision)
    return checked(ModelSpec(family_of(checkpoint), name, revision, options))


def family_of(checkpoint: Checkpoint) -> str:
    """Return the family that runs a checkpoint, by its configuration alone.

    Raises UsageError that lists what was looked at where nothing says how to run it.
    """
    refuse_reranker(checkpoint)
    config, architecture = checkpoint.json("config.json"), checkpoint.architecture
    if architecture.startswith("JinaEmbeddingsV4") or checkpoint.holds("adapters/adapter_config.json"):
        return "jina-v4"
    if architecture.endswith("ForRetrieval") and "auto_map" not in config:
        return "hf"
    if checkpoint.holds("modules.json") or checkpoint.holds("config_sentence_transformers.json"):
        return "st"
    if architecture == "HF_ColBERT":
        return "st"
    if "auto_map" in config:
        return "remote"
    if checkpoint.holds("adapter_config.json") or architecture.startswith(("Col", "Bi")):
        return "colpali-engine"
    if "vision_config" in config:
        return "hf"
    raise UsageError(
        "JV131", f"nothing in {checkpoint.source} says how to run it: {_seen(checkpoint)}", shapes()
    )


def _with_defaults(spec: ModelSpec) -> ModelSpec:
    """Give a model that is written with its family what is known of it, where that is for this family."""
    known = find_model(spec.checkpoint)
    if not known or known.family != spec.family or Path(spec.checkpoint).is_dir():
        return spec
    return _as_known(spec, known)


def _as_known(spec: ModelSpec, known: ModelFile) -> ModelSpec:
    """Give a model what its file says; another revision than that of the file is one of the model itself."""
    vector_type = spec.options.vector_type
    if vector_type not in {None, BOTH, *known.vector_types}:
        gives = f"it gives {' and '.join(known.vector_types)}"
        raise UsageError("JV109", f"{known.name} gives no {vector_type}-vectors", gives)
    source, commit = (known.name, spec.revision) if spec.revision else known.source
    return replace(spec, known=known, checkpoint=source, revision=commit)


def _seen(checkpoint: Checkpoint) -> str:
    config = checkpoint.json("config.json")
    said = {name: config[name] for name in ("model_type", "architectures") if name in config}
    found = [name if checkpoint.holds(name) else f"no {name}" for name in LOOKED_AT]
    return ", ".join(found) + (f"; config.json says {said}" if said else "")
