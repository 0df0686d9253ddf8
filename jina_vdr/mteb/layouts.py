"""Where on the Hub a task of MTEB has its data: the general loaders' layout, and those of loaders we know."""

from typing import Any

from jina_vdr.errors import UsageError
from jina_vdr.mteb.metadata import CONVERSATIONS, has_candidates, is_commit, own_code
from jina_vdr.vocabulary import PAIR_TYPES

CONVERTED = {
    "format": "mteb",
    "corpus": {"columns": {"id": "corpus-id"}},
    "queries": {"columns": {"id": "query-id", "text": "query"}},
}

CANDIDATES = {"config": "{subset}-top_ranked"}
MMDOCIR = {"format": "mteb", "corpus": {"columns": {"text": ""}}}

KNOWN: dict[str, dict[str, Any]] = {
    "jina_vdr_bench_retrieval": {},
    "vidore_bench_retrieval": CONVERTED,
    "vidore2_bench_retrieval": {
        "format": "mteb",
        "corpus": {"config": "corpus", "columns": {"id": "corpus-id"}},
        "queries": {"config": "queries", "columns": {"id": "query-id", "text": "query"}},
        "qrels": {"config": "qrels"},
    },
    "mm_long_bench_doc_retrieval": CONVERTED,
    "nayanair_monobench_retrieval": CONVERTED,
    "real_mm_rag_retrieval": {
        **CONVERTED,
        "queries": {"columns": {"id": "query-id", "text": "rephrase_level_3"}},
    },
    "miracl_vision_retrieval": {
        "format": "mteb",
        "corpus": {"config": "corpus-{subset}", "columns": {"id": "_id"}},
        "images": {"config": "images-{subset}", "columns": {"id": "file_name"}},
        "queries": {"config": "queries-{subset}", "columns": {"id": "_id"}},
        "qrels": {"config": "qrels-{subset}"},
    },
    "irpapers_t2i_retrieval": {"format": "mteb"},
    "mmdocir_t2i_retrieval": MMDOCIR,
}
"""The data set as a task file says it, by the module of MTEB whose code loads or changes it."""

WITH_DATA = "--data loads it with mteb and writes it beside the task file"


def hub_dataset(task: Any, kind: str) -> dict[str, Any]:
    """Return `dataset` of a task file for a task of MTEB of our type `kind`.

    Raises UsageError where the data cannot be named so: it is not pinned, or code of the task changes it.
    """
    said, name = task.metadata.dataset, task.metadata.name
    own = own_code(task)
    home = _home(task, own[0]) if own else ""
    if own[1:] or (own and home not in KNOWN):
        raise UsageError(
            "JV127", f"{name} has a {own[0]} of its own, which a task file cannot say", WITH_DATA
        )
    if not is_commit(str(said.get("revision"))):
        message = f"mteb pins no commit of {said['path']} for {name}, but '{said.get('revision')}'"
        raise UsageError("JV126", message, WITH_DATA)
    if CONVERSATIONS in (task.metadata.task_subtypes or []):
        raise UsageError("JV127", f"queries of {name} may be conversations, not texts", WITH_DATA)
    place = {"path": said["path"], "revision": said["revision"]}
    if kind in PAIR_TYPES:
        return {**place, **_pairs(task)}
    layout: dict[str, Any] = dict(KNOWN[home]) if own else {"format": "mteb"}
    if has_candidates(task):
        layout["candidates"] = CANDIDATES
    if home == "vidore2_bench_retrieval" and task.metadata.is_multilingual:
        layout["queries"] = {**layout["queries"], "where": {"language": "{subset}"}}
    return {**place, **layout}


def _home(task: Any, method: str) -> str:
    """Return the name of the module that defines a method of a task's class."""
    return str(getattr(task, method).__module__).rpartition(".")[2]


def _pairs(task: Any) -> dict[str, Any]:
    first, second = pair_columns(task)
    part: dict[str, Any] = {}
    if "name" in task.metadata.dataset:
        part["config"] = task.metadata.dataset["name"]
    renamed = {"first": first, "second": second}
    if renamed != {"first": "sentence1", "second": "sentence2"}:
        part["columns"] = renamed
    return {"format": "pairs", **({"pairs": part} if part else {})}


def pair_columns(task: Any) -> tuple[str, str]:
    """Return the names of the two columns that a task of pairs compares."""
    first, second = (column if isinstance(column, str) else "+".join(column) for column in task.column_names)
    return first, second
