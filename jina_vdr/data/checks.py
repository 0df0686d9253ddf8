"""What every collection must satisfy before a number is computed from it."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from jina_vdr.errors import DataError, near
from jina_vdr.records import Collection, Page, Pairs, Qrels, Query
from jina_vdr.task import Task


@dataclass(frozen=True)
class Parts:
    """Corpus, queries and qrels as the files have them.

    `complete` says that the qrels speak of these queries alone, so that an unknown query id is a mistake; on
    the Hub, several languages often share one qrels table. `dropped` counts queries that the layout left out.
    `candidates` are the pages that a query may find, where these are not all.
    """

    corpus: Sequence[Page]
    queries: Sequence[Query]
    qrels: Qrels
    complete: bool = False
    dropped: int = 0
    candidates: Mapping[str, frozenset[str]] | None = None


def checked(task: Task, subset: str, parts: Parts) -> Collection:
    """Return the collection of `parts`; blank queries, and those without a relevant page, are only counted.

    Raises DataError for repeated ids, qrels that point at nothing, or counts that are not the task's.
    """
    name = f"{task.name} ({subset})"
    _check_ids(f"{name}: page id", [page.id for page in parts.corpus])
    _check_ids(f"{name}: query id", [query.id for query in parts.queries])
    _check_qrels(name, parts)
    asked = [query for query in parts.queries if query.text.strip()]
    kept = [query for query in asked if any(r > 0 for r in parts.qrels.get(query.id, {}).values())]
    if len(kept) < len(asked) and task.protocol.queries_without_positives == "error":
        missing = next(query.id for query in asked if query not in kept)
        raise refuse("JV434", f"{name}: query '{missing}' has no relevant page")
    if not kept:
        raise refuse("JV435", f"{name} has no query with a relevant page")
    dropped = {
        "blank": len(parts.queries) - len(asked) + parts.dropped,
        "no_relevant_page": len(asked) - len(kept),
    }
    qrels = {query.id: parts.qrels[query.id] for query in kept}
    if task.protocol.clusters == "judgments":
        kept = [replace(query, cluster=_judgments(qrels[query.id])) for query in kept]
    _expected(
        task, subset, queries=len(kept), documents=len(parts.corpus), qrels=sum(map(len, qrels.values()))
    )
    candidates = _candidates(name, parts, kept)
    return Collection(
        task.name, subset, task.languages(subset), parts.corpus, kept, qrels, dropped, candidates
    )


def checked_pairs(task: Task, subset: str, pairs: Pairs) -> Pairs:
    """Return `pairs` if their number is the task's."""
    if not len(pairs.first):
        raise refuse("JV435", f"{task.name} ({subset}) has no pair")
    _expected(task, subset, pairs=len(pairs.first))
    return pairs


def refuse(code: str, message: str, hint: str = "mend the data") -> DataError:
    """Return the error for data that breaks a rule."""
    return DataError(code, message, hint)


def _candidates(name: str, parts: Parts, kept: Sequence[Query]) -> dict[str, frozenset[str]]:
    """Return the candidates of the queries that are kept, nothing where every page is one."""
    if parts.candidates is None:
        return {}
    pages = {page.id for page in parts.corpus}
    for query in kept:
        if not (found := parts.candidates.get(query.id)):
            raise refuse("JV442", f"{name}: query '{query.id}' has no candidates")
        if missing := sorted(found - pages):
            raise refuse(
                "JV442",
                f"{name}: query '{query.id}' has the candidate '{missing[0]}', which is not there",
                near(missing[0], pages) or _example(parts.corpus),
            )
    return {query.id: parts.candidates[query.id] for query in kept}


def _judgments(judged: dict[str, int]) -> str:
    """Return what is equal for queries with equal judgments: a translation asks for the same pages."""
    return hashlib.sha256(json.dumps(sorted(judged.items())).encode()).hexdigest()[:16]


def _check_ids(what: str, ids: Sequence[str]) -> None:
    for name in ids:
        if not name or "\0" in name:  # trec_eval reads an id up to its first NUL
            raise refuse("JV440", f"{what} {name!r} is empty or holds a NUL character")
    repeated = [name for name, count in Counter(ids).items() if count > 1]
    if repeated:
        raise refuse("JV431", f"{what} '{repeated[0]}' stands twice ({len(repeated)} ids are repeated)")


def _check_qrels(name: str, parts: Parts) -> None:
    pages = {page.id for page in parts.corpus}
    queries = {query.id for query in parts.queries}
    for query, judged in parts.qrels.items():
        if query not in queries:
            if parts.complete:
                raise refuse(
                    "JV436",
                    f"{name}: qrels name the query '{query}', which is not there",
                    near(query, queries) or "write the ids as in the queries",
                )
            continue
        for page in judged:
            if page not in pages:
                raise refuse(
                    "JV437",
                    f"{name}: qrels name the page '{page}', which is not there",
                    near(page, pages) or _example(parts.corpus),
                )


def _example(corpus: Sequence[Page]) -> str:
    return f"a page's id is like '{corpus[0].id}'" if corpus else "there is no page at all"


def _expected(task: Task, subset: str, **counts: int) -> None:
    expected = task.expected.get(subset)
    for what, count in counts.items():
        declared = getattr(expected, what, None)
        if declared is not None and declared != count:
            raise refuse(
                "JV438",
                f"{task.name} ({subset}) has {count:,} {what}, the task file expects {declared:,}",
                "fetch the data again, or mend expected: if the data is right",
            )
