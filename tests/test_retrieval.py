"""From pages and queries to a run: what is encoded, what is kept for the next time, what stops."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from jina_vdr.encoders.base import at_once, pack
from jina_vdr.errors import DataError
from jina_vdr.measurement import measure_pairs
from jina_vdr.model import Options, parse_model
from jina_vdr.ranker import make_ranker
from jina_vdr.records import ModelInfo, Query
from jina_vdr.retrieval import EncoderRanker
from jina_vdr.similarity import QUERY_ROWS
from jina_vdr.store import Store
from tests.replicas import beir, images, load, parquet, png, replica_task


class Colours:
    """A page is the colour of its first pixel (or the length of its text), a query the number in it."""

    def __init__(self, document_input="image", sign=1, **info):
        self.document_input = document_input
        self.info = ModelInfo(**{"name": "colours", "family": "c", "similarity": "dot", **info})
        self.seen = []
        self.sign = sign

    def encode_queries(self, queries):
        self.seen += queries
        return at_once(pack([np.array([float(query.split()[-1]), 0, 1]) for query in queries], np.float32))

    def encode_documents(self, pages):
        self.seen += [page.id for page in pages]
        if self.document_input == "text":
            return at_once(
                pack([np.array([len(page.read_text() or ""), 0, 0]) for page in pages], np.float32)
            )
        colours = [self.sign * np.array(page.open_image().getpixel((0, 0))) for page in pages]
        return at_once(pack(colours, np.float32))


def collection(root, **corpus):
    """Return four pages, the first and the third of one image, and three queries, two of one text."""
    cells = images([png(shade) for shade in (5, 3, 5, 1)])
    queries = {"query": ["Frage 1", "Frage 2", "Frage 1"]}
    beir(root / "data/default", n_pages=4, corpus={"image": cells, **corpus}, queries=queries)
    return load(replica_task(root, {}))


def ranked(encoder, data, root, top_k=10):
    run = EncoderRanker(encoder, Store(root / "store")).rank(data, top_k)
    return {query: list(zip(r.ids, r.scores.tolist(), strict=True)) for query, r in run.items()}


def test_every_query_gets_its_best_pages_with_their_scores(tmp_path):
    run = ranked(Colours(), collection(tmp_path), tmp_path, top_k=3)
    first = [("2", 95.0), ("0", 95.0), ("1", 93.0)]
    assert run == {"0": first, "1": [("2", 100.0), ("0", 100.0), ("1", 96.0)], "2": first}


def test_of_many_queries_each_gets_its_own_ranking(tmp_path):
    texts = [f"Frage {i}" for i in range(1, QUERY_ROWS * 2)]
    data = replace(collection(tmp_path), queries=[Query(text, text) for text in texts])
    run = ranked(Colours(), data, tmp_path, top_k=1)
    assert run == {text: [("2", 5.0 * i + 90)] for i, text in enumerate(texts, start=1)}


def test_equal_pages_and_equal_queries_are_encoded_once(tmp_path):
    encoder = Colours()
    ranked(encoder, collection(tmp_path), tmp_path)
    assert encoder.seen == ["0", "1", "3", "Frage 1", "Frage 2"]


def test_a_text_encoder_tells_pages_apart_by_their_text(tmp_path):
    encoder = Colours("text")
    run = ranked(encoder, collection(tmp_path, text=["aa", "a", "aaaa", "aa"]), tmp_path)
    assert encoder.seen[:3] == ["0", "1", "2"]
    assert run["0"] == [("2", 4.0), ("3", 2.0), ("0", 2.0), ("1", 1.0)]


def test_an_image_encoder_does_not_look_at_the_text(tmp_path):
    encoder = Colours()
    ranked(encoder, collection(tmp_path, text=["a", "b", "c", "d"]), tmp_path)
    assert encoder.seen[:3] == ["0", "1", "3"]


def test_what_is_kept_is_not_encoded_again(tmp_path):
    data = collection(tmp_path)
    first, again = Colours(), Colours()
    assert ranked(first, data, tmp_path) == ranked(again, data, tmp_path)
    assert again.seen == []


@pytest.mark.parametrize(
    "other",
    [
        {"name": "other"},
        {"family": "other"},
        {"revision": "2"},
        {"vector_type": "single"},
        {"settings": {"dtype": "bfloat16"}},
    ],
    ids=lambda other: next(iter(other)),
)
def test_vectors_of_another_model_are_not_taken(tmp_path, other):
    data = collection(tmp_path, text=["aa", "a", "aaaa", "aa"])
    ranked(Colours(), data, tmp_path)
    encoder = Colours(sign=-1, **other)
    run = ranked(encoder, data, tmp_path)
    assert len(encoder.seen) == 5
    assert run == ranked(Colours(sign=-1, **other), data, tmp_path / "fresh")


def test_a_page_does_not_get_the_vector_of_a_query_with_its_text(tmp_path):
    data = collection(tmp_path, text=["Frage 1", "Frage 2", "Frage 10", "Frage 2"])
    run = ranked(Colours("text"), data, tmp_path)
    assert run["0"] == [("2", 8.0), ("3", 7.0), ("1", 7.0), ("0", 7.0)]


def test_the_similarity_alone_needs_no_new_vectors(tmp_path):
    data = collection(tmp_path)
    ranked(Colours(), data, tmp_path)
    encoder = Colours(similarity="cosine")
    run = ranked(encoder, data, tmp_path)
    assert encoder.seen == []
    assert max(score for _, score in run["0"]) <= 1


def test_a_page_whose_vector_is_no_number_is_named_and_not_kept(tmp_path):
    data = collection(tmp_path)
    with pytest.raises(DataError, match=r"JV423.*'0'"):
        ranked(Colours(sign=np.nan), data, tmp_path)
    assert ranked(Colours(), data, tmp_path)["0"][0] == ("2", 95.0)


def test_a_query_whose_vector_is_no_number_is_named(tmp_path):
    beir(tmp_path / "data/default", queries={"query": ["Frage 1", "Frage inf", "Frage 2"]})
    with pytest.raises(DataError, match=r"JV423.*'Frage inf'"):
        ranked(Colours(), load(replica_task(tmp_path, {})), tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("side", ["queries", "documents"])
def test_a_vector_from_a_file_that_is_no_number_is_named(tmp_path, side, value):
    data = collection(tmp_path)
    for name in ("queries", "documents"):
        last = value if name == side else 0.25
        tokens = [[[0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.5, last]], [[0.5, 0.5]]]
        columns = {"id": ["0", "1", "2", "3"], "embedding": pa.array(tokens)}
        parquet(tmp_path / "vectors" / f"{name}.parquet", columns)
    ranker = make_ranker(parse_model(f"precomputed:{tmp_path / 'vectors'}"), Store(tmp_path / "store"))
    with pytest.raises(DataError, match=r"JV423.*'2'"):
        ranker.rank(data, 10)


def pairs_task(root, first, second):
    cells = {f"sentence{side}": images(list(map(png, range(side, side + 3)))) for side in (1, 2)}
    parquet(root / "data/test.parquet", {**cells, "text1": first, "text2": second, "score": [4.0, 3.0, 1.0]})
    dataset = {"format": "pairs", "pairs": {"file": "test.parquet"}}
    return replica_task(root, dataset, type="VisualSTS", expected={"default": {"pairs": 3}})


@pytest.mark.parametrize("vector_type", ["single", "multi"])
def test_the_similarity_of_a_pair_is_the_same_in_both_directions(tmp_path, vector_type):
    texts = ["Haus am See", "Berg", "Land Stadt Fluss"], ["See Haus", "Tal am Berg", "Land"]
    spec = parse_model("fake", Options(vector_type=vector_type))
    measured = []
    for name, sides in (("a", texts), ("b", texts[::-1])):
        pairs = load(pairs_task(tmp_path / name, *sides))
        scores = make_ranker(spec, Store(tmp_path / "store")).compare(pairs)
        measured.append(measure_pairs(pairs, "test", scores))
    there, back = (measure.table.column("score").to_numpy() for measure in measured)
    assert there == pytest.approx(back, abs=1e-12)
    assert measured[0].metrics == pytest.approx(measured[1].metrics, abs=1e-9)


def test_pairs_are_measured_against_the_human_scores(tmp_path):
    pairs = load(pairs_task(tmp_path, ["a", "b", "c"], ["d", "e", "f"]))
    measured = measure_pairs(pairs, "test", np.array([0.5, 0.75, 0.25]))
    assert measured.metrics["cosine_spearman"] == pytest.approx(0.5)
    assert (measured.n_queries, measured.n_documents, measured.interval) == (3, 4, None)
    assert measured.table.column("gold").to_pylist() == [4.0, 3.0, 1.0]
    with pytest.raises(DataError, match=r"JV423.*pair 1 "):
        measure_pairs(pairs, "test", np.array([0.5, np.nan, 0.25]))
