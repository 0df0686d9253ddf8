"""Runs and qrels as TREC files: the format that trec_eval, ir_measures and pyserini read."""

from collections.abc import Iterator
from urllib.parse import quote

import numpy as np

from jina_vdr.records import Qrels, Run


def run_lines(run: Run, tag: str) -> Iterator[str]:
    """Yield `query Q0 page rank score tag`, best page first, ranks from 1.

    Readers order by score, and each breaks ties in its own way (trec_eval by the id as it is written here).
    So a tied page is written with the next smaller float32.
    """
    for query, ranking in run.items():
        above = np.float32(np.inf)
        for rank, (page, score) in enumerate(zip(ranking.ids, ranking.scores, strict=True), start=1):
            above = min(score, np.nextafter(above, np.float32(-np.inf)))
            yield f"{field(query)} Q0 {field(page)} {rank} {float(above)!r} {field(tag)}\n"


def qrels_lines(qrels: Qrels) -> Iterator[str]:
    """Yield `query 0 page relevance`."""
    for query, pages in qrels.items():
        for page, relevance in pages.items():
            yield f"{field(query)} 0 {field(page)} {relevance}\n"


def field(text: str) -> str:
    """Return `text` as one TREC field: fields end at white space, so spaces and `%` are percent-encoded."""
    return quote(text, safe="".join(chr(c) for c in range(33, 127) if chr(c) != "%")) or "%"
