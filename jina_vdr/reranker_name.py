"""The reranker behind a name: what scores pairs, else any model that has vectors."""

from pathlib import Path

from jina_vdr.checkpoint import Checkpoint, open_checkpoint
from jina_vdr.errors import UsageError
from jina_vdr.family import FAMILIES, RERANKERS
from jina_vdr.model import ModelSpec, split_revision
from jina_vdr.modelfile import find_model
from jina_vdr.plugs import is_plug
from jina_vdr.resolution import resolve

CHECKPOINTS = frozenset({"st", "remote"})
"""Prefixes of families that run checkpoints of both kinds, those of encoders and those of rerankers."""


def resolve_reranker(text: str) -> ModelSpec:
    """Return what `--rerank` names: a cross-encoder, an API's reranker, or an encoder as for `--model`.

    Raises UsageError for a model without vectors, and for what names none.
    """
    prefix, _, argument = text.partition(":")
    if prefix in RERANKERS:
        return ModelSpec(prefix, *split_revision(argument))
    if f"{prefix}-rerank" in RERANKERS and "rerank" in argument:
        return ModelSpec(f"{prefix}-rerank", argument)
    name, revision = split_revision(argument if prefix in CHECKPOINTS else text)
    if _is_checkpoint(text, prefix, name) and (kind := reranker_of(open_checkpoint(name, revision))):
        return ModelSpec(kind, name, revision)
    spec = resolve(text)
    if not FAMILIES[spec.family].is_encoder:
        raise UsageError(
            "JV142",
            f"{spec.family} does not rerank: it has no vectors",
            "see docs/pipelines.md for what does",
        )
    return spec


def reranker_of(checkpoint: Checkpoint) -> str | None:
    """Return what scores pairs with a checkpoint, by its configuration alone; None where it is no reranker.

    A bare language model is one too: sentence-transformers compares what it says next, yes or no.
    """
    if checkpoint.is_cross_encoder:
        return "cross-encoder"
    if checkpoint.holds("modules.json"):
        return None
    if checkpoint.architecture.endswith("ForRanking") and "auto_map" in checkpoint.json("config.json"):
        return "remote-rerank"
    return "cross-encoder" if checkpoint.architecture.endswith("ForCausalLM") else None


def _is_checkpoint(text: str, prefix: str, name: str) -> bool:
    """Say whether a folder or a name on the Hub is asked for that nothing else claims."""
    if prefix in CHECKPOINTS or Path(name).is_dir():
        return "/" in name or Path(name).is_dir()
    return "/" in prefix and not (find_model(name) or is_plug(text))
