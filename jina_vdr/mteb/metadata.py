"""What MTEB's metadata say of a task, in the words of our task files."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jina_vdr.errors import UsageError
from jina_vdr.languages import is_tag, language_of
from jina_vdr.vocabulary import DOMAINS, PAIR_METRICS, PAIR_TYPES, RETRIEVAL_METRICS

TYPES = {
    "DocumentUnderstanding": "VisualDocumentRetrieval",
    "Retrieval": "Retrieval",
    "Any2AnyRetrieval": "Retrieval",
    "Any2AnyMultilingualRetrieval": "Retrieval",
    "VisualSTS(eng)": "VisualSTS",
    "VisualSTS(multi)": "VisualSTS",
    "STS": "STS",
}
"""MTEB's types of task that are evaluated here, and ours for them."""

CATEGORIES = {
    "VisualDocumentRetrieval": {"t2t", "t2i", "t2it"},
    "Retrieval": {"t2t", "t2i", "t2it"},
    "VisualSTS": {"i2i"},
    "STS": {"t2t", "t2c"},
}
"""What may ask and what may be found, in MTEB's code: t is text, i an image, c a category."""

NAMES = {"Financial": "Finance", "Chemistry": "Science"}
"""Domains that have another name here."""

PROGRAMMING, NO_LANGUAGE = "-Code", "und-Zyyy"
"""How MTEB's tags of programming languages end; our tag where there is no human language."""

CONVERSATIONS = "Conversational retrieval"


def checked_type(task: Any) -> str:
    """Return our type of a task of MTEB. Raises UsageError for one that is not evaluated here."""
    metadata = task.metadata
    ours = TYPES.get(metadata.type)
    if parts := getattr(metadata, "tasks", None):
        names = ", ".join(part.metadata.name for part in parts)
        raise _not_ours(task, "is a mean over other tasks", f"import those: {names}")
    if ours is None:
        raise _not_ours(task, f"is of the type {metadata.type}", f"import-mteb takes {', '.join(TYPES)}")
    category = metadata.category or ("t2t" if list(metadata.modalities) == ["text"] else "?")
    if category not in CATEGORIES[ours]:
        hint = "here a text finds texts and page images, and pairs are two texts or two images"
        raise _not_ours(task, f"is of the category {category}", hint)
    if "_evaluate_subset" in _overridden(task) or getattr(task, "skip_first_result", False):
        raise _not_ours(task, "is scored by code of its own", "evaluate it with mteb")
    return ours


def has_candidates(task: Any) -> bool:
    """Say whether each query of the task may find only the pages that are given for it."""
    stats = (task.metadata.descriptive_stats or {}).values()
    return any(split.get("top_ranked_statistics") for split in stats)


def _not_ours(task: Any, why: str, hint: str) -> UsageError:
    return UsageError("JV125", f"{task.metadata.name} of mteb {why}, which is not evaluated here", hint)


def own_code(task: Any) -> list[str]:
    """Return what a task's class has of its own between its data set and the evaluation."""
    return [name for name in ("load_data", "dataset_transform") if name in _overridden(task)]


def _overridden(task: Any) -> set[str]:
    """Return what the class and its parents define, up to MTEB's general classes."""
    own: set[str] = set()
    for kind in task.__mro__:
        if kind.__module__.startswith("mteb.abstasks."):
            return own
        own |= set(vars(kind))
    return own


def task_fields(task: Any, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a task file on `dataset`, without those that have their default.

    Raises UsageError where the task is not evaluated here, or its main score is none of ours.
    """
    metadata, ours = task.metadata, checked_type(task)
    languages, remarks = _languages(metadata)
    score, remark = _main_score(task)
    remarks += [remark] if remark else []
    if metadata.superseded_by:
        remarks.append(f"MTEB supersedes it by {metadata.superseded_by}.")
    said = {
        "schema": 1,
        "name": metadata.name,
        "mteb_name": metadata.name,
        "description": " ".join(metadata.description.split()),
        "type": "" if ours == "VisualDocumentRetrieval" else ours,
        "category": "" if metadata.category == "t2i" else metadata.category,
        "dataset": dict(dataset),
        "eval_splits": [] if metadata.eval_splits == ["test"] else list(metadata.eval_splits),
        "eval_langs": languages,
        "main_score": "" if score == ("cosine_spearman" if ours in PAIR_TYPES else "ndcg_at_5") else score,
        "domains": _domains(metadata.domains or []),
        "protocol": {"ignore_identical_ids": True} if getattr(task, "ignore_identical_ids", False) else {},
        "tags": ["mteb"],
        "license": str(metadata.license or ""),
        "annotations_creators": metadata.annotations_creators,
        "sample_creation": metadata.sample_creation,
        "adapted_from": list(metadata.adapted_from or []),
        "is_public": None if metadata.is_public else False,
        "reference": str(metadata.reference or ""),
        "citation": _citation(metadata.bibtex_citation or ""),
        "notes": " ".join(remarks),
    }
    return {key: value for key, value in said.items() if value is not None and value not in ("", [], {})}


def _main_score(task: Any) -> tuple[str, str]:
    """Return our metric for MTEB's main score, and a remark where it goes by another name.

    Raises UsageError where there is none.
    """
    metadata = task.metadata
    score, known = metadata.main_score, (*RETRIEVAL_METRICS, *PAIR_METRICS)
    kind, _, k = score.rpartition("_at_")
    if score in known:
        return score, ""
    if score == "hit_rate_at_1":
        return "precision_at_1", "MTEB calls precision_at_1 hit_rate_at_1."
    if kind == "hit_rate" and f"recall_at_{k}" in known and _one_relevant(metadata):
        return f"recall_at_{k}", f"Each query has one relevant page: MTEB's {score} is recall_at_{k}."
    hint = "jina-vdr tasks new writes a task file with a main_score of ours"
    raise UsageError("JV126", f"the main score of {metadata.name}, {score}, is not measured here", hint)


def _one_relevant(metadata: Any) -> bool:
    judged = [_by_subset(metadata, split) for split in metadata.eval_splits]
    most = [
        stats["relevant_docs_statistics"]["max_relevant_docs_per_query"]
        for by_subset in judged
        for stats in by_subset.values()
    ]
    return bool(most) and set(most) == {1}


def _languages(metadata: Any) -> tuple[Any, list[str]]:
    """Return `eval_langs` in our tags, and remarks on those that MTEB writes in another way."""
    said = metadata.hf_subsets_to_langscripts
    every = dict.fromkeys(tag for tags in said.values() for tag in tags)
    human = [tag for tag in every if is_tag(tag) and not tag.endswith(PROGRAMMING)]
    by_subset = {
        subset: list(dict.fromkeys(our_tag(tag) for tag in tags if tag in human)) or [NO_LANGUAGE]
        for subset, tags in said.items()
    }
    remarks = [f"MTEB writes {our_tag(tag)} as {tag}." for tag in human if our_tag(tag) != tag]
    if other := [tag for tag in every if tag not in human]:
        remarks.append(f"MTEB also names {', '.join(other)} as language.")
    return (by_subset["default"] if set(by_subset) == {"default"} else by_subset), remarks


def our_tag(tag: str) -> str:
    """Return our tag of a language where the table has it in the same script, else `tag`.

    `cmn-Hans` is `zho-Hans` and `kor-Kore` is `kor-Hang`; `hin-Latn` stays, as Hindi is in Devanagari here.
    """
    known = language_of(tag)
    same = known is not None and known.tag[4:] == tag[4:].replace("Kore", "Hang")
    return known.tag if known and same else tag


def _domains(domains: Sequence[str]) -> list[str]:
    named = (NAMES.get(domain, domain) for domain in domains)
    return [domain for domain in dict.fromkeys(named) if domain in DOMAINS]


def _citation(bibtex: str) -> str:
    return "\n".join(line.expandtabs().rstrip() for line in bibtex.strip().splitlines())


Counts = dict[str, dict[str, int]]


def counts(task: Any) -> list[Counts]:
    """Return what MTEB has measured of each split: subset -> counts, only those that follow surely."""
    measure = _pairs if TYPES[task.metadata.type] in PAIR_TYPES else _retrieval
    return [
        {subset: measure(stats) for subset, stats in _by_subset(task.metadata, split).items()}
        for split in task.metadata.eval_splits
    ]


def _by_subset(metadata: Any, split: str) -> dict[str, Any]:
    stats = (metadata.descriptive_stats or {}).get(split)
    if stats is None:
        return {}
    by_subset = stats.get("hf_subset_descriptive_stats") or {"default": stats}
    return {subset: by_subset[subset] for subset in metadata.hf_subsets if subset in by_subset}


def _pairs(stats: Mapping[str, Any]) -> dict[str, int]:
    return {"pairs": stats["num_samples"]}


def _retrieval(stats: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of queries and documents; unique texts and images are fewer than these.

    A blank query, or one without a relevant page, is not counted here: then only the documents are sure.
    """
    texts, judged = stats.get("queries_text_statistics") or {}, stats["relevant_docs_statistics"]
    average = texts.get("average_text_length")
    queries = stats.get("num_queries") or (round(texts["total_text_length"] / average) if average else None)
    if queries is None:
        return {}
    documents = {"documents": stats.get("num_documents") or stats["num_samples"] - queries}
    sure = texts.get("min_text_length") and judged["min_relevant_docs_per_query"]
    return {"queries": queries, **documents} if sure else documents


def expected(by_split: Sequence[Counts]) -> tuple[Counts, str]:
    """Return what `expected` says, which is true of each split, and why it says nothing where they differ."""
    first = by_split[0] if by_split else {}
    if any(other != first for other in by_split):
        return {}, "No counts are expected: those of the splits differ."
    return {subset: found for subset, found in first.items() if found}, ""


def is_commit(revision: str) -> bool:
    """Say whether a revision is a commit, and not a branch, which moves."""
    return re.fullmatch("[0-9a-f]{40}", revision) is not None
