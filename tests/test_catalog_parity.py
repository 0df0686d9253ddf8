"""MTEB's own task classes and ours measure the same on replicas of every layout, from the same vectors."""

import hashlib

import numpy as np
import pytest

from jina_vdr.catalog import bundled_root, whole
from jina_vdr.encoders.base import at_once, pack
from jina_vdr.evaluation import Settings, evaluate, prepare
from jina_vdr.hub import Hub
from jina_vdr.records import ModelInfo
from jina_vdr.retrieval import EncoderRanker
from jina_vdr.store import Store
from jina_vdr.task import load_task
from jina_vdr.vocabulary import PAIR_TYPES, TREC_EVAL_NAMES
from tests.hub_replicas import on_disk

pytestmark = pytest.mark.filterwarnings("ignore:The task .* is superseded")

RETRIEVAL = ("ndcg_at_5", "ndcg_at_10", "recall_at_5", "map_at_10", "precision_at_1")
PAIRS = ("cosine_spearman", "cosine_pearson")
EVERY_LAYOUT = {
    "jinavdr-airbnb-synthetic": "ar jp",
    "jinavdr-tabfquad": "",
    "kovidore-v2-hr": "",
    "miracl-vision": "sw yo",
    "mmdocir-t2i": "brochure laws",
    "mmdocir-t2it": "brochure laws",
    "mmlongbench-doc": "",
    "irpapers": "",
    "real-mm-rag-finreport": "",
    "sds-kopub-vdr-t2it": "",
    "text-arguana": "",
    "text-cosqa": "",
    "text-legalquad": "",
    "text-scidocs": "",
    "text-sts-12": "",
    "text-sts-17": "ko-ko en-de",
    "vidore-v1-docvqa": "",
    "vidore-v2-esg-reports": "",
    "vidore-v2-esg-reports-hl": "",
    "vidore-v3-hr": "french german",
    "vidore-v3.1-hr": "french german",
    "visual-sts-12": "",
    "visual-sts-17": "ko-ko en-de",
}
"""Task file -> the subsets that are compared, all where none is named: MTEB reads each in half a second."""


def direction(content):
    """Return the vector of a text or of the pixels of an image: another for another content.

    Sums of its whole numbers are exact in float32, so that equal pages have equal scores everywhere.
    """
    data = content.encode() if isinstance(content, str) else content.convert("RGB").tobytes()
    seed = int.from_bytes(hashlib.sha256(data).digest()[:8])
    return np.random.default_rng(seed).integers(-500, 500, 16).astype(np.float32)


class Lookup:
    """Our encoder: a page with an image is its image, one without is its text. It counts what it encodes."""

    document_input = "image"

    def __init__(self, similarity="dot"):
        self.info = ModelInfo("lookup", "fake", "1", "single", similarity)
        self.encoded = 0

    def encode_queries(self, queries):
        return at_once(pack([direction(query) for query in queries], np.float32))

    def encode_documents(self, pages):
        self.encoded += len(pages)
        seen = [direction(page.open_image() if page.open_image else page.read_text()) for page in pages]
        return at_once(pack(seen, np.float32))


def ours(task, encoder):
    """Return what we measure: subset -> metrics."""
    settings = Settings(task.root / "results", Store(task.root / "store"), Hub(task.root, offline=True))
    ranker = EncoderRanker(encoder, settings.store)
    result = evaluate(prepare([whole(task)], ranker, settings)[0], ranker, settings).result
    return {scores.subset: scores.metrics for scores in result.scores}


def theirs(mteb, task, subsets=None, similarity="dot"):
    """Return what MTEB's own class of the task measures on the same folder, and how many pages it encoded."""
    from mteb.models.abs_encoder import AbsEncoder
    from mteb.models.model_meta import ModelMeta, ScoringFunction

    class TheirLookup(AbsEncoder):
        encoded = 0

        def __init__(self):
            said = {"name": "test/lookup", "revision": "1", "modalities": ["text", "image"]}
            scoring = ScoringFunction(similarity)
            self.mteb_model_meta = ModelMeta.create_empty({**said, "similarity_fn_name": scoring})

        def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **kwargs):
            contents = [item for batch in inputs for item in batch.get("image", batch.get("text"))]
            self.encoded += len(contents) if prompt_type != "query" else 0
            return np.stack([direction(content) for content in contents])

    def unrounded(scores, qrels, results, **_):
        names = next(iter(scores.values()))
        return {f"unrounded {name}": float(np.mean([v[name] for v in scores.values()])) for name in names}

    made = mteb.get_task(task.mteb_name, hf_subsets=subsets)
    changes = {"dataset": {**made.metadata.dataset, "path": str(task.root / task.dataset.path)}}
    if subsets:
        changes["eval_langs"] = {subset: made.metadata.eval_langs[subset] for subset in subsets}
    made.metadata = made.metadata.model_copy(update=changes)
    made.task_specific_scores = unrounded
    model = TheirLookup()
    result = mteb.evaluate(model, made, cache=None, show_progress_bar=False).task_results[0]
    (split,) = task.eval_splits
    assert made.metadata.main_score == task.main_score
    return {scores["hf_subset"]: scores for scores in result.scores[split]}, model.encoded


@pytest.mark.parametrize("name", EVERY_LAYOUT)
def test_a_task_scores_as_in_mteb(mteb, tmp_path, name):
    task = on_disk(load_task(bundled_root() / f"{name}.yaml"), tmp_path)
    subsets = EVERY_LAYOUT[name].split() or list(task.subsets)
    similarity = "cosine" if task.type in PAIR_TYPES else "dot"
    measured = ours(task, Lookup(similarity))
    scores, _ = theirs(mteb, task, subsets if isinstance(task.eval_langs, dict) else None, similarity)
    assert set(scores) == set(subsets)
    for subset in subsets:
        for metric in PAIRS if task.type in PAIR_TYPES else RETRIEVAL:
            kind, _, k = metric.partition("_at_")
            exact = f"unrounded {TREC_EVAL_NAMES[kind]}_{k}" if k else metric
            value = (subset, metric, measured[subset][metric])
            assert value == (subset, metric, pytest.approx(scores[subset][exact], abs=1e-6))


@pytest.mark.parametrize("name", ["vidore-v3-hr", "vidore-v3.1-hr", "vidore-v2-esg-reports"])
def test_a_page_of_several_languages_is_encoded_once_and_as_often_as_there_are_languages_in_mteb(
    mteb, tmp_path, name
):
    task = on_disk(load_task(bundled_root() / f"{name}.yaml"), tmp_path)
    pages = task.expected[task.subsets[0]].documents
    encoder = Lookup()
    ours(task, encoder)
    _, encoded = theirs(mteb, task)
    assert encoder.encoded == pages - 1  # two ids stand for one image
    assert encoded == len(task.subsets) * pages
    assert encoded / encoder.encoded > len(task.subsets)
