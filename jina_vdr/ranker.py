"""From a model spec to something that ranks pages."""

from jina_vdr.encoders.making import load, make_encoder
from jina_vdr.model import ModelSpec
from jina_vdr.page_text import ReadTexts, ocr_texts, own_texts
from jina_vdr.records import Ranker
from jina_vdr.retrieval import EncoderRanker
from jina_vdr.store import Store


def make_ranker(spec: ModelSpec, store: Store) -> Ranker:
    """Return the ranker of `spec`. Weights load when the first page is encoded, not here.

    Raises MissingExtra when the family's package is not installed.
    """
    if spec.family in {"bm25", "tesseract"}:
        ranker: Ranker = load(spec.family)(store)
    elif spec.family == "precomputed":
        ranker = load(spec.family)(spec)
    else:
        ranker = EncoderRanker(make_encoder(spec), store, reader(spec))
    return ranker


def reader(spec: ModelSpec) -> ReadTexts | None:
    """Return what reads pages for a model that takes text; the fake one does without."""
    if spec.family == "fake":
        return None
    return ocr_texts if spec.options.document_input == "ocr" else own_texts
