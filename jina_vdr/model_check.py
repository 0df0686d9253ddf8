"""Whether an encoder is sound: the same few pages in different ways must give the same vectors."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jina_vdr.encoders.base import Encoded, Encoder, gather, pack
from jina_vdr.measurement import measure_run
from jina_vdr.ranking import best
from jina_vdr.records import Collection, Embeddings
from jina_vdr.retrieval import finite
from jina_vdr.similarity import LATE_INTERACTION, score_blocks

Verdict = Literal["ok", "warn", "fail"]
Calls = list[list[int]]
"""The positions of the items of each call."""

SMALL, LARGE = 0.01, 0.1
"""Of the spread of all scores (highest - lowest): what may move without a word, and what may move at all."""

UNIT = 0.01
"""How far the length of a vector may be from 1 to count as normalised; float16 keeps three digits."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Vectors:
    """Both sides of a collection, encoded in one way, with their scores: float32, shape [queries, pages]."""

    queries: Embeddings
    pages: Embeddings
    scores: NDArray[np.float32]


def check_model(encoder: Encoder, golden: Collection) -> Iterator[Finding]:
    """Encode `golden` in several ways and yield what is found, one thing at a time.

    All items in one call, in order and backwards, against one item a call: in a model that lets the items of
    a batch touch each other (padding that is not masked, statistics over the batch) the scores move.
    """
    pages, queries = len(golden.corpus), len(golden.queries)
    started = monotonic()
    whole = _encoded(encoder, golden, [list(range(queries))], [list(range(pages))])
    yield Finding("encodes", "ok", f"{pages} pages and {queries} queries in {monotonic() - started:.1f} s")
    yield _shape(encoder, whole)
    yield _lengths(encoder, whole)
    yield _told_apart(golden, whole)
    again = _encoded(encoder, golden, [list(range(queries))], [list(range(pages))])
    yield _moved("repeats", "a second time", golden, whole, again)
    alone = _encoded(encoder, golden, [[i] for i in range(queries)], [[i] for i in range(pages)])
    yield _moved("batch", "one item a call", golden, whole, alone)
    turned = _encoded(encoder, golden, [list(range(queries))[::-1]], [list(range(pages))[::-1]])
    yield _moved("order", "the last item first", golden, whole, turned)
    yield _path_is_text(encoder)
    yield _fingerprint(golden, whole)


def _encoded(encoder: Encoder, golden: Collection, queries: Calls, pages: Calls) -> Vectors:
    texts = [query.text for query in golden.queries]
    left = finite(_called(encoder.encode_queries, texts, queries), texts)
    ids = [page.id for page in golden.corpus]
    right = finite(_called(encoder.encode_documents, golden.corpus, pages), ids)
    blocks = [scores for _, scores in score_blocks(left, right, encoder.info.similarity or "")]
    return Vectors(left, right, np.concatenate(blocks))


def _called(
    encode: Callable[[Sequence[Any]], Iterator[Encoded]], items: Sequence[Any], calls: Calls
) -> Embeddings:
    """Return the vectors of all items, in their order, however the calls take them."""
    rows: dict[int, NDArray[Any]] = {}
    for positions in calls:
        found = gather(encode([items[i] for i in positions]))
        rows |= zip(positions, np.split(found.values, found.offsets[1:-1]), strict=True)
    return pack([rows[i] for i in range(len(items))], next(iter(rows.values())).dtype.type)


def _shape(encoder: Encoder, found: Vectors) -> Finding:
    rows = {side: np.diff(getattr(found, side).offsets) for side in ("queries", "pages")}
    dimensions = found.pages.values.shape[1]
    text = f"{encoder.info.vector_type}-vector, {dimensions} dimensions"
    if encoder.info.similarity in LATE_INTERACTION:
        spans = [
            f"{count.min()} to {count.max()} vectors a {side}"
            for side, count in (("query", rows["queries"]), ("page", rows["pages"]))
        ]
        text += ", " + ", ".join(spans)
    return Finding("vectors", "ok", f"{text}, scored by {encoder.info.similarity}")


def _lengths(encoder: Encoder, found: Vectors) -> Finding:
    lengths = np.linalg.norm(
        np.concatenate([found.queries.values, found.pages.values]).astype(np.float64), axis=1
    )
    said = f"{lengths.min():.4g} to {lengths.max():.4g}"
    if (lengths == 0).any():
        return Finding("length", "fail", f"{said}: {int((lengths == 0).sum())} vectors are all zeros")
    if encoder.info.similarity == "cosine" or np.abs(lengths - 1).max() <= UNIT:
        return Finding("length", "ok", said)
    return Finding("length", "warn", f"{said}: with {encoder.info.similarity} the length counts")


def _told_apart(golden: Collection, found: Vectors) -> Finding:
    contents = len({page.content for page in golden.corpus})
    ends = zip(found.pages.offsets[:-1], found.pages.offsets[1:], strict=True)
    vectors = len({found.pages.values[start:end].tobytes() for start, end in ends})
    verdict: Verdict = "ok" if vectors == contents else "fail" if vectors == 1 else "warn"
    return Finding("told apart", verdict, f"{vectors} different vectors for {contents} different pages")


def _moved(name: str, way: str, golden: Collection, first: Vectors, second: Vectors) -> Finding:
    """Compare the scores of two ways to encode the same items."""
    spread = float(first.scores.max() - first.scores.min()) or 1.0
    share = float(np.abs(first.scores - second.scores).max()) / spread
    before, after = _ndcg(golden, first), _ndcg(golden, second)
    verdict: Verdict = "ok" if share <= SMALL else "warn" if share <= LARGE else "fail"
    effect = f"nDCG@5 {100 * before:.2f}"
    if before != after:
        effect += f" becomes {100 * after:.2f}"
    said = "scores do not move" if share == 0 else f"scores move by up to {share:.2g} of their spread"
    return Finding(name, verdict, f"{way}: {said}, {effect}")


def _ndcg(golden: Collection, found: Vectors) -> float:
    ids = [page.id for page in golden.corpus]
    run = {
        query.id: best(row, ids, len(ids)) for query, row in zip(golden.queries, found.scores, strict=True)
    }
    return measure_run(golden, "test", run, ["ndcg_at_5"], "ndcg_at_5").metrics["ndcg_at_5"]


def _path_is_text(encoder: Encoder) -> Finding:
    """Encode the path of an image, once while it is there: some libraries open what looks like a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.png"
        Image.new("RGB", (64, 64), "red").save(path)
        there = gather(encoder.encode_queries([str(path)]))
    gone = gather(encoder.encode_queries([str(path)]))
    same = there.values.shape == gone.values.shape and np.allclose(there.values, gone.values, atol=1e-3)
    text = "a query that names a file stays a text" if same else "a query that names a file is opened"
    return Finding("paths", "ok" if same else "fail", text)


def _fingerprint(golden: Collection, found: Vectors) -> Finding:
    """Say what another machine can compare: the ranking of each query, and one score."""
    ids = [page.id for page in golden.corpus]
    rankings = ["\t".join(best(row, ids, 5).ids) for row in found.scores]
    digest = hashlib.sha256("\n".join(rankings).encode()).hexdigest()[:12]
    text = f"first five of all queries {digest}, first score {found.scores[0, 0]:.4f}"
    return Finding("golden", "ok", text)
