"""Rankings and pairs of queries and pages for tests of what ranks again or fuses: no network, no model."""

import numpy as np
from PIL import Image

from jina_vdr.records import ModelInfo, Page, Query, Ranking


class Listed:
    """A ranker that gives the rankings it is made with; their `scores` fall, unless they are said."""

    def __init__(self, run, scores=range(2000, 0, -1), **info):
        self.info = ModelInfo(**{"name": "listed", "family": "l", **info})
        self._run = run
        self._scores = np.array(scores, np.float32)

    def rank(self, collection, top_k):
        cut = {query: tuple(ids[:top_k]) for query, ids in self._run.items()}
        return {query: Ranking(ids, self._scores[: len(ids)]) for query, ids in cut.items()}


def page(number, text=None, image=None):
    return Page(str(number), str(number), image and (lambda: image), lambda: text)


def picture(shade):
    return Image.new("RGB", (40, 60), (shade * 60 % 256, 90, 9))


def pairs(pages, queries):
    """Return each query with each page."""
    return [(Query(str(i), text), page) for i, text in enumerate(queries) for page in pages]


def scored(reranker, asked):
    """Return the scores of pairs, in order; each must come once."""
    found = {}
    for positions, scores in reranker.score(asked):
        assert scores.dtype == np.float32
        assert not found.keys() & {*positions}
        found |= dict(zip(positions, scores.tolist(), strict=True))
    return [found[i] for i in range(len(asked))]
