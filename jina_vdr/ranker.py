"""From a model spec to something that ranks pages."""

from importlib import import_module
from typing import Any

from jina_vdr.errors import MissingExtra
from jina_vdr.model import FAMILIES, ModelSpec
from jina_vdr.records import Ranker
from jina_vdr.store import Store


def make_ranker(spec: ModelSpec, store: Store) -> Ranker:
    """Return the ranker of `spec`. Weights load when the first page is encoded, not here.

    Raises MissingExtra when the family's package is not installed.
    """
    make = _load(spec.family)
    if spec.family in {"bm25", "tesseract"}:
        ranker: Ranker = make(store)
    elif spec.family == "precomputed":
        ranker = make(spec)
    else:
        from jina_vdr.retrieval import EncoderRanker

        ranker = EncoderRanker(make(spec), store)
    return ranker


def _load(family: str) -> Any:
    module, _, name = FAMILIES[family].target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if not FAMILIES[family].extra or missing == "jina_vdr":
            raise
        raise MissingExtra(missing, FAMILIES[family].extra) from error
