"""Scores of queries against pages, against sums in plain Python and against sentence-transformers."""

from itertools import pairwise
from math import fsum, sqrt

import numpy as np
import pytest

from jina_vdr.errors import DataError
from jina_vdr.records import Embeddings
from jina_vdr.similarity import PAGE_ROWS, QUERY_ROWS, SIMILARITIES, pair_scores, score_blocks

LATE = ["maxsim", "meanmaxsim"]


def packed(items, dtype=np.float32):
    rows = [np.atleast_2d(item).astype(dtype) for item in items]
    return Embeddings(np.concatenate(rows), np.cumsum([0, *map(len, rows)], dtype=np.int64))


def vectors(lengths, dim, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return [rng.normal(shift, 1, (length, dim)) for length in lengths]


def unpacked(embeddings):
    return [embeddings.values[start:stop].tolist() for start, stop in pairwise(embeddings.offsets)]


def scored(queries, pages, similarity):
    return np.concatenate([scores for _, scores in score_blocks(queries, pages, similarity)])


def dot(x, y):
    return fsum(a * b for a, b in zip(x, y, strict=True))


def naive(query, page, similarity):
    """Return the score of one query (a list of vectors) and one page, in float64, vector by vector."""
    if similarity == "dot":
        return dot(query[0], page[0])
    if similarity == "cosine":
        norms = sqrt(dot(query[0], query[0]) * dot(page[0], page[0]))
        return dot(query[0], page[0]) / norms if norms else 0.0
    best = [max(dot(x, y) for y in page) for x in query]
    return fsum(best) / (len(best) if similarity == "meanmaxsim" else 1)


def agree(queries, pages, similarity):
    """Assert that all scores are the naive ones, to the last bit but one of float32."""
    scores = scored(queries, pages, similarity)
    expected = [[naive(q, p, similarity) for p in unpacked(pages)] for q in unpacked(queries)]
    assert scores.dtype == np.float32
    np.testing.assert_array_max_ulp(scores, np.array(expected, np.float32), maxulp=1)


def refused(queries, pages, similarity, *names):
    for score in (scored, pair_scores):
        with pytest.raises(DataError) as caught:
            score(packed(queries), packed(pages), similarity)
        assert caught.value.code == names[0]
        assert all(name in str(caught.value) for name in names)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_every_similarity_is_the_naive_sum_in_float64(similarity, dtype):
    late = similarity in LATE
    queries = packed(vectors([1, 4, 2, 7, 1] if late else [1] * 5, 40, seed=0), dtype)
    pages = packed(vectors([3, 1, 9, 2, 5, 1] if late else [1] * 6, 40, seed=1), dtype)
    agree(queries, pages, similarity)


@pytest.mark.parametrize("similarity", LATE)
def test_a_page_with_negative_products_only_keeps_its_negative_score(similarity):
    queries, pages = vectors([3, 2], 8, seed=2, shift=3), vectors([1, 6, 2], 8, seed=3, shift=-3)
    agree(packed(queries), packed(pages), similarity)
    assert (scored(packed(queries), packed(pages), similarity) < 0).all()


@pytest.mark.parametrize(("similarity", "normalised"), [("maxsim", False), ("meanmaxsim", True)])
def test_late_interaction_is_that_of_sentence_transformers(similarity, normalised):
    from sentence_transformers.util import maxsim

    queries, pages = vectors([5, 1, 12], 32, seed=4), vectors([30, 2, 17, 1], 32, seed=5, shift=-0.5)
    as_floats = ([item.astype(np.float32) for item in side] for side in (queries, pages))
    peer = maxsim(*as_floats, length_normalize=normalised).numpy()
    np.testing.assert_allclose(scored(packed(queries), packed(pages), similarity), peer, rtol=1e-5)


LENGTHS = {
    "an item longer than a block": ([3, QUERY_ROWS + 90, 2], [5, PAGE_ROWS + 50, 1, PAGE_ROWS + 1]),
    "blocks filled to the last row": ([QUERY_ROWS, 1, QUERY_ROWS - 1, 2], [PAGE_ROWS, PAGE_ROWS - 1, 1, 1]),
    "many small items": ([2, 1] * (QUERY_ROWS // 2), [3] * PAGE_ROWS),
    "one query": ([4], [2] * 1500),
    "one page": ([1] * 700, [6]),
    "one of each": ([1], [1]),
}


@pytest.mark.parametrize(("query_lengths", "page_lengths"), LENGTHS.values(), ids=LENGTHS)
def test_blocks_of_any_shape_give_each_pair_its_score(query_lengths, page_lengths):
    queries = vectors(query_lengths, 3, seed=6)
    pages = vectors(page_lengths, 3, seed=7, shift=-1)
    slices = [block for block, _ in score_blocks(packed(queries), packed(pages), "maxsim")]
    assert [i for block in slices for i in range(block.start, block.stop)] == list(range(len(queries)))
    scores = scored(packed(queries), packed(pages), "maxsim")
    assert scores.shape == (len(queries), len(pages))
    for i in {0, len(queries) // 2, len(queries) - 1}:
        query = queries[i].astype(np.float32).astype(float)
        expected = [(query @ page.astype(np.float32).T).max(axis=1).sum() for page in pages]
        np.testing.assert_allclose(scores[i], expected, rtol=1e-5)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize(
    ("n_queries", "n_pages"), [(QUERY_ROWS * 2 + 1, PAGE_ROWS + 1), (1, 5000), (1500, 1)]
)
def test_blocks_of_single_vectors_give_each_pair_its_score(similarity, n_queries, n_pages):
    queries, pages = vectors([n_queries, n_pages], 5, seed=8)
    expected = queries.astype(np.float32).astype(float) @ pages.astype(np.float32).astype(float).T
    if similarity == "cosine":
        expected /= np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(pages, axis=1)
    scores = scored(packed(list(queries)), packed(list(pages)), similarity)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-7)


def test_a_block_of_products_stays_small():
    queries, pages = packed(np.ones((5000, 2))), packed(np.ones((3, 2)))
    assert max(len(scores) for _, scores in score_blocks(queries, pages, "dot")) == QUERY_ROWS


@pytest.mark.parametrize("n_queries", [1, 2, 3, 7])
@pytest.mark.parametrize("n_pages", [3, 5, 13, 37, 101])
def test_equal_pages_get_equal_scores_wherever_they_stand(n_queries, n_pages):
    for dim in (64, 100, 257, 1024):
        queries = packed(np.random.default_rng(dim).normal(size=(n_queries, dim)))
        pages = packed([np.random.default_rng(9).normal(size=dim)] * n_pages)
        for similarity in SIMILARITIES:
            scores = scored(queries, pages, similarity)
            assert (scores == scores[:, :1]).all()


@pytest.mark.parametrize("similarity", ["dot", *LATE])
def test_products_that_cancel_out_leave_the_small_rest(similarity):
    rng = np.random.default_rng(13)
    u, v = rng.normal(0, 100, (2, 500)).astype(np.float32)
    mixed = rng.permutation(1001)  # u . v - u . v + 1 in any order
    query, page = np.concatenate([u, u, [1]])[mixed], np.concatenate([v, -v, [1]])[mixed]
    assert scored(packed([query]), packed([page]), similarity).tolist() == [[1.0]]


def test_the_cosine_with_a_zero_vector_is_zero():
    scores = scored(packed([[0, 0], [3, 4]]), packed([[0, 0], [8, 6], [-3, -4]]), "cosine")
    np.testing.assert_allclose(scores, [[0, 0, 0], [0, 0.96, -1]], rtol=1e-7)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_no_page_gives_no_score(similarity):
    none = Embeddings(np.empty((0, 2), np.float32), np.zeros(1, np.int64))
    assert scored(packed([[1, 2], [3, 4]]), none, similarity).shape == (2, 0)
    assert list(score_blocks(none, packed([[1, 2]]), similarity)) == []


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_vectors_of_different_dimensions_are_refused(similarity):
    refused([[1, 2, 3]], [[1, 2]], similarity, "JV421", "3 dimensions", "page vectors 2")


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_one_vector_an_item_is_what_cosine_and_dot_take(similarity):
    one, several = [[1, 2], [3, 4]], [[1, 2], [[1, 2], [3, 4]]]
    refused(several, one, similarity, "JV422", "query 1 has 2 vectors", "maxsim")
    refused(one, several, similarity, "JV422", "page 1 has 2 vectors", "maxsim")


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_an_item_without_a_vector_is_refused(similarity):
    one, gap = [[1, 2], [3, 4]], [[1, 2], np.empty((0, 2))]
    refused(gap, one, similarity, "JV422", "query 1 has")
    refused(one, gap, similarity, "JV422", "page 1 has")


def test_an_unknown_similarity_is_a_mistake_in_the_code():
    with pytest.raises(ValueError, match="euclid"):
        scored(packed([[1.0]]), packed([[1.0]]), "euclid")


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_the_similarity_of_a_pair_is_symmetric(similarity):
    late = similarity in LATE
    first = packed(vectors([3, 1, 8, 2] if late else [1] * 4, 65, seed=10))
    second = packed(vectors([5, 2, 1, 2] if late else [1] * 4, 65, seed=11))
    scores = pair_scores(first, second, similarity)
    assert scores == pytest.approx(pair_scores(second, first, similarity), abs=1e-12)
    for score, x, y in zip(scores, unpacked(first), unpacked(second), strict=True):
        both = [naive(x, y, "meanmaxsim"), naive(y, x, "meanmaxsim")] if late else [naive(x, y, similarity)]
        assert score == pytest.approx(sum(both) / len(both), abs=1e-12)


def test_a_pair_of_equal_items_is_as_similar_as_can_be():
    items = [item / np.linalg.norm(item, axis=1, keepdims=True) for item in vectors([4, 1, 9], 16, seed=12)]
    assert pair_scores(packed(items), packed(items), "maxsim") == pytest.approx([1, 1, 1], abs=1e-6)
