"""Exact scores and the best 100 pages of each query: seconds and peak memory, ours and MTEB's.

python benchmarks/scoring.py [single|multi] [--pages N] [--queries N]
"""

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from jina_vdr.ranking import best
from jina_vdr.records import Embeddings
from jina_vdr.similarity import score_blocks

TOP_K = 100
QUERY_TOKENS = 32
PAGE_TOKENS = (200, 1500)


def made(n: int, tokens: tuple[int, int], dim: int, seed: int) -> Embeddings:
    """Return `n` items of random unit vectors, each with a number of vectors between the two of `tokens`."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(tokens[0], tokens[1] + 1, n)
    values = generator.standard_normal((int(lengths.sum()), dim), np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return Embeddings(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


def ours(queries: Embeddings, pages: Embeddings, similarity: str) -> None:
    """Score and rank as an evaluation does."""
    ids = [f"page-{i}" for i in range(len(pages))]
    for _, scores in score_blocks(queries, pages, similarity):
        for row in scores:
            best(row, ids, TOP_K)


def mteb(queries: Embeddings, pages: Embeddings, similarity: str) -> None:
    """Score as MTEB does: items padded with zeros to the longest, then torch's topk."""
    import torch
    from mteb.similarity_functions import cos_sim, max_sim

    function = max_sim if similarity == "maxsim" else cos_sim
    scores = function(torch.from_numpy(padded(queries)), torch.from_numpy(padded(pages)))
    scores.topk(min(TOP_K, len(pages)), dim=1)


def padded(items: Embeddings) -> NDArray[np.float32]:
    """Return [n, dim] for single vectors, else [n, longest, dim]."""
    lengths = np.diff(items.offsets)
    if (lengths == 1).all():
        return items.values
    out = np.zeros((len(items), int(lengths.max()), items.values.shape[1]), np.float32)
    for i, length in enumerate(lengths):
        out[i, :length] = items.values[items.offsets[i] : items.offsets[i + 1]]
    return out


def measure(name: str, run: Callable[[], None]) -> None:
    """Print the median of three runs; memory is the process's peak so far."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:<6} {sorted(seconds)[1]:8.2f} s   peak {peak:6.0f} MB")


def main() -> None:
    """Measure one kind of vectors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", nargs="?", choices=["single", "multi"], default="single")
    parser.add_argument("--pages", type=int)
    parser.add_argument("--queries", type=int)
    arguments = parser.parse_args()
    multi = arguments.kind == "multi"
    n_pages, n_queries = arguments.pages or (500 if multi else 20_000), arguments.queries or 100
    dim, similarity = (128, "maxsim") if multi else (2048, "cosine")
    queries = made(n_queries, (QUERY_TOKENS,) * 2 if multi else (1, 1), dim, 0)
    pages = made(n_pages, PAGE_TOKENS if multi else (1, 1), dim, 1)
    print(f"{arguments.kind}-vector: {n_queries} queries x {n_pages} pages, {dim} dimensions")
    measure("ours", lambda: ours(queries, pages, similarity))
    measure("mteb", lambda: mteb(queries, pages, similarity))


if __name__ == "__main__":
    main()
