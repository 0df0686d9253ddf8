"""The rules of measurement (docs/measurement.md), each end to end: files on disk, a ranker, numbers."""

from dataclasses import asdict, replace
from math import log2

import numpy as np
import pyarrow as pa
import pytest

from jina_vdr.catalog import whole
from jina_vdr.data import data_revision
from jina_vdr.encoders.base import Encoded, gather
from jina_vdr.encoders.fake import Fake
from jina_vdr.errors import DataError
from jina_vdr.hub import Hub
from jina_vdr.measurement import measure_run
from jina_vdr.metrics import DEPTH
from jina_vdr.model import Options, parse_model
from jina_vdr.ranker import make_ranker
from jina_vdr.report import aggregate
from jina_vdr.result import ModelRecord, Result, Scores, TaskRecord, identity
from jina_vdr.retrieval import EncoderRanker
from jina_vdr.store import Store
from tests.replicas import beir, images, load, parquet, png, qa, replica_task

WORDS = "der die das Haus Preis Tabelle Umsatz Jahr Quelle Anteil Stadt Land Fluss Berg See Zahl"
N_PAGES, N_QUERIES, N_JUDGED = 151, 6, 30  # a float32 matrix product would differ in the last columns
MAIN_SCORES = [("deu-Latn", 0.1), ("deu-Latn", 0.5), ("fra-Latn", 0.9)]


def words_task(root, order=range(N_PAGES), expected=None, **query_columns):
    """Write pages of 30 different texts, in the given order, and queries with graded relevance."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS.split(), rng.integers(1, 9))) for _ in range(30)] * 6
    corpus = {
        "corpus-id": [f"p{i}" for i in order],
        "image": images([png(i) for i in order]),
        "text": [texts[i] for i in order],
    }
    queries = {"query": [" ".join(rng.choice(WORDS.split(), 3)) for _ in range(N_QUERIES)], **query_columns}
    judged = [f"p{i}" for _ in range(N_QUERIES) for i in rng.permutation(N_PAGES)[:N_JUDGED]]
    ids = [i for i in range(N_QUERIES) for _ in range(N_JUDGED)]
    qrels = {"query-id": ids, "corpus-id": judged, "score": rng.integers(1, 4, len(ids))}
    beir(root / "data/default", n_queries=N_QUERIES, corpus=corpus, queries=queries, qrels=qrels)
    return replica_task(root, {}, **({"expected": {"default": expected}} if expected else {}))


def vectors_ranker(root, queries, pages, similarity=None):
    """Write vectors as a user would, by id, and return the ranker that reads them."""
    for name, items in (("queries", queries), ("documents", pages)):
        columns = {"id": list(items), "embedding": pa.array(items.values())}
        parquet(root / "vectors" / f"{name}.parquet", columns)
    return ranker(f"precomputed:{root / 'vectors'}", root, similarity=similarity)


def ranker(model, root, **options):
    return make_ranker(parse_model(model, Options(**options)), Store(root / "store"))


def measure(task, ranker):
    data = load(task)
    return measure_run(data, "test", ranker.rank(data, DEPTH), task.metrics, task.main_score)


def identity_of(task, ranker):
    data = {"path": task.dataset.path, "revision": data_revision(task, Hub(task.root, offline=True))}
    said = task.model_dump(include={"name", "version", "type", "main_score"})
    record = TaskRecord(**said, sha256=task.sha256(), dataset=data)
    info = {name: value for name, value in asdict(ranker.info).items() if name not in {"runtime", "beside"}}
    return identity(record, ModelRecord(**info), None)


def column(measured, name):
    return measured.table.column(name).to_pylist()


class InBatches:
    """The fake encoder as a real one runs: `size` items at a time, alone or with neighbours."""

    document_input = "text"

    def __init__(self, size, vector_type):
        self._fake = Fake(parse_model("fake", Options(vector_type=vector_type)))
        self._size = size
        self.info = self._fake.info
        self.calls = 0

    def encode_queries(self, queries):
        return self._encode(self._fake.encode_queries, queries)

    def encode_documents(self, pages):
        return self._encode(self._fake.encode_documents, pages)

    def _encode(self, encode, items):
        self.calls += 1
        for start in range(0, len(items), self._size):
            batch = items[start : start + self._size]
            yield Encoded(list(range(start, start + len(batch))), gather(encode(batch)))


@pytest.mark.parametrize("vector_type", ["single", "multi"])
def test_1_the_batch_size_changes_no_digit(tmp_path, vector_type):
    task = words_task(tmp_path)
    alone, together = (
        measure(task, EncoderRanker(InBatches(size, vector_type), Store(tmp_path / f"store{size}")))
        for size in (1, 64)
    )
    assert alone == together
    assert 0 < alone.metrics["ndcg_at_5"] < 1


@pytest.mark.parametrize("vector_type", ["single", "multi"])
def test_1_what_was_encoded_before_changes_no_digit_and_is_not_encoded_again(tmp_path, vector_type):
    task, store = words_task(tmp_path), Store(tmp_path / "store")
    data = load(task)
    few = replace(data, corpus=data.corpus[70:80], queries=data.queries[5:])
    EncoderRanker(InBatches(64, vector_type), store).rank(few, DEPTH)
    resumed = measure(task, EncoderRanker(InBatches(64, vector_type), store))
    fresh = measure(task, EncoderRanker(InBatches(64, vector_type), Store(tmp_path / "fresh")))
    again = InBatches(64, vector_type)
    assert measure(task, EncoderRanker(again, store)) == resumed == fresh
    assert again.calls == 0


@pytest.mark.parametrize(
    ("model", "vector_type"), [("fake", "single"), ("fake", "multi"), ("bm25", None)], ids=str
)
def test_1_the_order_of_the_corpus_changes_no_digit(tmp_path, model, vector_type):
    runs = []
    for name, order in (("a", range(N_PAGES)), ("b", np.random.default_rng(1).permutation(N_PAGES))):
        (tmp_path / name).mkdir()
        task = words_task(tmp_path / name, order)
        runs.append(measure(task, ranker(model, tmp_path / name, vector_type=vector_type)))
    assert runs[0] == runs[1]
    assert runs[0].n_tied_at_5 == N_QUERIES
    assert 0 < runs[0].metrics["ndcg_at_5"] < 1


def test_1_a_page_with_negative_products_is_not_beaten_by_the_padding_of_a_shorter_one(tmp_path):
    beir(tmp_path / "data/default", n_pages=2, n_queries=1, qrels={"corpus-id": [0, 1], "score": [1, 0]})
    pages = {"0": [[-0.5, 0.0], [-0.25, 0.0], [-1.0, 0.0]], "1": [[-0.5, 0.0]]}
    measured = measure(
        replica_task(tmp_path, {}), vectors_ranker(tmp_path, {"0": [[1.0, 0.0], [2.0, 0.0]]}, pages)
    )
    assert column(measured, "top_ids") == [["0", "1"]]
    assert column(measured, "top_scores") == [[-0.75, -1.5]]
    assert measured.metrics["mrr_at_1"] == 1


def test_2_a_constant_scorer_gets_what_its_ids_earn_and_all_its_ties_are_reported(tmp_path):
    beir(tmp_path / "data/default", n_pages=12)  # query i finds page i (relevance 1) and i + 1 (relevance 2)
    same = [0.6, 0.8]
    constant = vectors_ranker(tmp_path, {str(i): same for i in range(3)}, {str(i): same for i in range(12)})
    measured = measure(replica_task(tmp_path, {}), constant)
    order = ["9", "8", "7", "6", "5", "4", "3", "2", "11", "10", "1", "0"]
    assert column(measured, "top_ids") == [order] * 3
    ideal = 2 + 1 / log2(3)
    ranks = {page: rank for rank, page in enumerate(order, start=1)}
    for i, value in enumerate(column(measured, "ndcg_at_100")):
        gained = 1 / log2(ranks[str(i)] + 1) + 2 / log2(ranks[str(i + 1)] + 1)
        assert value == pytest.approx(gained / ideal)
    assert column(measured, "mrr_at_100") == pytest.approx([1 / 11, 1 / 8, 1 / 7])
    assert measured.metrics["ndcg_at_5"] == 0
    assert measured.n_tied_at_5 == 3


@pytest.mark.parametrize(("scores", "n_tied"), [([9, 8, 7, 6, 5, 5, 1], 1), ([9, 8, 7, 6, 5, 4, 4], 0)])
def test_2_a_query_is_tied_when_a_tie_touches_its_first_five_ranks(tmp_path, scores, n_tied):
    beir(tmp_path / "data/default", n_pages=7, n_queries=1)
    pages = {str(i): [float(score), 0.0] for i, score in enumerate(scores)}
    measured = measure(replica_task(tmp_path, {}), vectors_ranker(tmp_path, {"0": [1.0, 0.0]}, pages, "dot"))
    assert (measured.n_tied_at_5, column(measured, "tied_at_5")) == (n_tied, [n_tied == 1])


def test_3_a_query_without_a_ranking_scores_zero_and_stays_in_the_mean(tmp_path):
    texts = {"text": ["Haus", "Berg", "Fluss", "See", "Land", "Stadt"]}
    queries = {"query": ["Haus", "Zebra", "Fluss"]}
    qrels = {"query-id": [0, 1, 2], "corpus-id": [0, 1, 2], "score": [1, 1, 1]}
    beir(tmp_path / "data/default", corpus=texts, queries=queries, qrels=qrels)
    measured = measure(replica_task(tmp_path, {}), ranker("bm25", tmp_path))
    assert column(measured, "top_ids") == [["0"], [], ["2"]]
    assert column(measured, "ndcg_at_5") == [1, 0, 1]
    assert column(measured, "first_relevant_rank") == [1, None, 1]
    assert measured.metrics["ndcg_at_5"] == measured.metrics["mrr_at_100"] == pytest.approx(2 / 3)
    assert measured.n_queries == 3


def test_3_null_and_blank_queries_and_those_without_a_relevant_page_are_left_out_and_counted(tmp_path):
    queries = {"query-id": range(5), "query": ["Frage 0", None, " \n", "Frage 3", "Frage 4"]}
    qrels = {"query-id": range(4), "corpus-id": range(4), "score": [1, 1, 1, 0]}
    beir(tmp_path / "data/default", queries=queries, qrels=qrels)
    measured = measure(replica_task(tmp_path, {}), ranker("fake", tmp_path))
    assert (measured.n_queries, column(measured, "query_id")) == (1, ["0"])
    assert measured.dropped == {"blank": 2, "no_relevant_page": 2}


def test_3_all_pages_of_a_query_that_stands_in_several_rows_are_relevant(tmp_path):
    rows = [("Haus?", "a", png(1)), ("Berg?", "b", png(2)), ("Haus?", "c", png(3)), (None, "d", png(4))]
    qa(tmp_path / "data/test.parquet", rows, text_description=["Haus", "Berg", "Haus", "Haus"])
    task = replica_task(tmp_path, {"format": "qa", "pairs": {"file": "test.parquet"}})
    measured = measure(task, ranker("bm25", tmp_path))
    assert column(measured, "n_relevant") == [2, 1]
    assert column(measured, "top_ids") == [["d", "c", "a"], ["b"]]
    assert column(measured, "recall_at_3") == [1, 1]
    assert column(measured, "map_at_3") == pytest.approx([(1 / 2 + 2 / 3) / 2, 1])
    assert measured.dropped == {"blank": 1, "no_relevant_page": 0}


def test_3_values_stand_beside_their_query_in_whatever_order_the_qrels_come(tmp_path):
    data = load(words_task(tmp_path))
    turned = replace(data, qrels=dict(reversed(data.qrels.items())))
    run = ranker("fake", tmp_path).rank(data, DEPTH)
    tables = [measure_run(c, "test", run, ["ndcg_at_5"], "ndcg_at_5").table for c in (data, turned)]
    assert tables[0] == tables[1]


@pytest.mark.parametrize("what", ["queries", "documents", "qrels"])
def test_4_counts_that_are_not_those_of_the_task_file_stop_the_task(tmp_path, what):
    counts = {"queries": N_QUERIES, "documents": N_PAGES, "qrels": N_JUDGED * N_QUERIES}
    assert len(load(words_task(tmp_path, expected=counts)).queries) == N_QUERIES
    with pytest.raises(DataError, match="JV438"):
        load(words_task(tmp_path, expected={**counts, what: counts[what] + 1}))


def test_4_a_missing_subset_and_a_missing_page_stop_the_task(tmp_path):
    beir(tmp_path / "data/de")
    task = replica_task(tmp_path, {}, eval_langs={"de": ["deu-Latn"], "fr": ["fra-Latn"]})
    with pytest.raises(DataError, match="JV404"):
        load(task, "fr")
    beir(tmp_path / "data/de", qrels={"corpus-id": [0, 1, 1, 2, 2, 6]})
    with pytest.raises(DataError, match="JV437"):
        load(task, "de")


def test_5_the_gain_is_the_relevance_itself_and_rankings_end_at_rank_100(tmp_path):
    beir(tmp_path / "data/default", n_pages=120, n_queries=2, qrels={"corpus-id": [0, 1, 100, 99]})
    pages = {str(i): [120.0 - i, 0.0] for i in range(120)}
    queries = {"0": [1.0, 0.0], "1": [1.0, 0.0]}
    measured = measure(replica_task(tmp_path, {}), vectors_ranker(tmp_path, queries, pages, "dot"))
    assert column(measured, "top_ids") == [[str(i) for i in range(100)]] * 2
    ideal = 2 + 1 / log2(3)
    assert column(measured, "ndcg_at_5") == pytest.approx([(1 + 2 / log2(3)) / ideal, 0])
    assert column(measured, "ndcg_at_100")[1] == pytest.approx(2 / log2(101) / ideal)
    assert column(measured, "recall_at_100") == [1, 0.5]
    assert column(measured, "mrr_at_20") == [1, 0]


def test_6_translations_of_one_query_are_drawn_together(tmp_path):
    measured = {}
    for name in ("alone", "joined"):
        (tmp_path / name).mkdir()
        clusters = {"cluster": [f"c{i // 2}" for i in range(N_QUERIES)]} if name == "joined" else {}
        measured[name] = measure(words_task(tmp_path / name, **clusters), ranker("fake", tmp_path / name))
    means = np.reshape(column(measured["alone"], "ndcg_at_5"), (3, 2)).mean(axis=1)
    # of three clusters one is drawn three times in 1 of 27 samples, more than 2.5 %
    assert tuple(measured["joined"].interval) == pytest.approx((means.min(), means.max()))
    assert measured["alone"].interval != measured["joined"].interval


def test_7_there_is_no_mean_while_a_subset_is_missing(tmp_path):
    languages = {f"s{i}": [tag] for i, (tag, _) in enumerate(MAIN_SCORES)}
    task = replica_task(tmp_path, {}, eval_langs=languages)
    named = TaskRecord.model_construct(name=task.name)
    scores = [
        Scores.model_construct(split="test", subset=f"s{i}", main_score=value, languages=[tag])
        for i, (tag, value) in enumerate(MAIN_SCORES)
    ]
    done = Result.model_construct(status="complete", task=named, scores=scores)
    part = Result.model_construct(status="partial", task=named, scores=scores[1:])
    assert done.main_score == pytest.approx(0.5)
    assert part.main_score is None
    overs = ("task", "subset", "language")
    assert [aggregate([whole(task)], [part], over) for over in overs] == [None] * 3
    means = [aggregate([whole(task)], [done], over) for over in overs]
    assert means == pytest.approx([0.5, 0.5, (0.3 + 0.9) / 2])


def test_8_what_can_change_a_number_changes_the_identity(tmp_path):
    options = [{}, {"vector_type": "multi"}, {"truncate_dim": 64}, {"similarity": "dot"}]
    ids = [identity_of(words_task(tmp_path), ranker("fake", tmp_path, **given)) for given in options]
    ids.append(identity_of(words_task(tmp_path), ranker("bm25", tmp_path)))
    ids.append(identity_of(words_task(tmp_path, order=range(N_PAGES)[::-1]), ranker("fake", tmp_path)))
    ids.append(identity_of(replica_task(tmp_path, {}, main_score="map_at_3"), ranker("fake", tmp_path)))
    assert len(set(ids)) == len(ids)
    assert identity_of(words_task(tmp_path), ranker("fake", tmp_path / "elsewhere")) == ids[0]
