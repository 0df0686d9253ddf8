"""Results in MTEB's folder layout: what was imported goes out word for word, a run as MTEB writes it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jina_vdr.atomic import write_text
from jina_vdr.catalog import all_tasks
from jina_vdr.errors import UsageError
from jina_vdr.model import RUNTIME_OPTIONS
from jina_vdr.modelfile import find_model
from jina_vdr.mteb.files import EXPERIMENTS, MODEL_META, NO_REVISION, RUN_SETTINGS, model_folder, unpack
from jina_vdr.result import ModelRecord, Result, Scores, file_name
from jina_vdr.similarity import LATE_INTERACTION
from jina_vdr.task import Task

Located = tuple[Path, Result]

LOADER = "jina-vdr"
"""What stands as loader in a model_meta.json that we write, and as organization of models without one."""

UNKNOWN = (
    "release_date",
    "languages",
    "n_parameters",
    "memory_usage_mb",
    "max_tokens",
    "embed_dim",
    "license",
    "open_weights",
    "public_training_code",
    "public_training_data",
    "use_instructions",
    "training_datasets",
)
"""Fields that MTEB wants in a model_meta.json, and that we know nothing of."""

COMPOSED = {"rrf": "hybrid", "rerank": "cross-encoder"}

SIMILARITIES = {"cosine": "cosine", "dot": "dot", "maxsim": "MaxSim"}


@dataclass
class Export:
    """What was written, and what was left out: runs cut by a limit, and tasks that MTEB does not have."""

    written: list[Path] = field(default_factory=list)
    limited: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def export_results(results: Sequence[Located], root: Path, tasks: Iterable[Task], *, force: bool) -> Export:
    """Write `<org>__<name>/<revision>/<task>.json` and model_meta.json below `root`, as `mteb` reads them.

    MTEB's name of a task is that of the bundled task, or the one of `tasks`. A file that is there and says
    something else is replaced only with `force`. Raises UsageError, before anything is written, where two
    results want one file, where a file is in the way, or where there is nothing to write.
    """
    known = {task.name: task.mteb_name for task in (*all_tasks().values(), *tasks)}
    done, originals, ours = Export(), _Files(), _Files()
    lines: dict[Path, list[str]] = {}
    for path, result in results:
        name = known.get(result.task.name)
        if result.source:
            original = unpack(path, result.source)
            target = root.joinpath(*original.place)
            originals.add(target, original.text, path)
            if original.model_meta is not None:
                originals.add(target.with_name(MODEL_META), original.model_meta, path)
            lines.setdefault(target.with_name(RUN_SETTINGS), []).extend(original.run_settings)
        elif result.limit is not None:
            done.limited.append(path)
        elif not name:
            done.left_out.append(result.task.name)
        else:
            folder = root.joinpath(*_place(result))
            originals.add(folder / f"{file_name(name)}.json", task_file(result, name), path)
            ours.add(folder / MODEL_META, model_meta(result), path)
    if not originals.texts:
        raise UsageError(
            "JV120", "none of the results can go to MTEB", "it takes whole runs of tasks that it has"
        )
    files = {path: text for path, text in ours.texts.items() if not _is_described(path)} | originals.texts
    for path, text in files.items():
        if not force and path.exists() and path.read_bytes() != text.encode():
            raise UsageError("JV121", f"{path} is there and says something else", "--force replaces it")
    added = {path: _with_lines(path, more) for path, more in lines.items() if more}
    for path, text in {**files, **added}.items():
        write_text(path, text)
        done.written.append(path)
    return done


def task_file(result: Result, name: str) -> str:
    """Return a run as MTEB writes one; it has no `mteb_version`, as no version of mteb has measured it."""
    started = result.provenance.started
    said = {
        "dataset_revision": result.task.dataset.revision,
        "task_name": name,
        "mteb_version": None,
        "scores": {
            split: [_entry(scores) for scores in result.scores if scores.split == split]
            for split in dict.fromkeys(scores.split for scores in result.scores)
        },
        "evaluation_time": round(sum(scores.seconds or 0.0 for scores in result.scores), 3),
        "kg_co2_emissions": None,
        "date": datetime.fromisoformat(started).timestamp() if started else None,
        "evaluation_phases": None,
    }
    return json.dumps(said, indent=2)


def model_meta(result: Result) -> str:
    """Return the model_meta.json of a run: what we know of the model, and that jina-vdr has run it."""
    model = result.model
    said = {
        "name": _name(model),
        "revision": _revision(model),
        **dict.fromkeys(UNKNOWN),
        "framework": [],
        "similarity_fn_name": model.similarity and SIMILARITIES.get(model.similarity, "custom"),
        "model_type": [_kind(model)],
        "experiment_kwargs": variant(result) or None,
        "loader": LOADER,
        "loader_kwargs": {"family": model.family, "vector_type": model.vector_type, **model.settings},
    }
    return json.dumps(said, indent=4)


def variant(result: Result) -> dict[str, Any]:
    """Return what the user set about a model that can change a number and differs from the default."""
    model, asked = result.model, dict(result.provenance.asked)
    if "vector_type" in asked:  # both were asked for, perhaps
        asked["vector_type"] = model.vector_type or ""
    default: dict[str, Any] = {"similarity": "maxsim" if model.vector_type == "multi" else "cosine"}
    known = find_model(model.name)
    default |= known.defaults(model.vector_type) if known else {}
    default["vector_type"] = known.vector_types[0] if known else "single"
    return {
        name: asked[name]
        for name in sorted(asked)
        if name not in RUNTIME_OPTIONS and asked[name] != default.get(name)
    }


def _kind(model: ModelRecord) -> str:
    """Return MTEB's word for what finds the pages; where others rerank or are fused, for that."""
    if model.family in COMPOSED:
        return COMPOSED[model.family]
    late = model.similarity in LATE_INTERACTION
    return "late-interaction" if late else "dense" if model.similarity else "sparse"


class _Files:
    """Texts by path; each path has one."""

    def __init__(self) -> None:
        self.texts: dict[Path, str] = {}
        self._results: dict[Path, Path] = {}

    def add(self, path: Path, text: str, result: Path) -> None:
        first = self._results.setdefault(path, result)
        if self.texts.setdefault(path, text) != text:
            raise UsageError(
                "JV121", f"{first} and {result} both want {path}", "export them into two folders"
            )


def _entry(scores: Scores) -> dict[str, Any]:
    return {
        **{metric: round(value, 6) for metric, value in scores.metrics.items()},
        "main_score": round(scores.main_score, 6),
        "hf_subset": scores.subset,
        "languages": scores.languages,
    }


def _place(result: Result) -> list[str]:
    """Return the folders of a model: `experiments/<name>`, named as MTEB names it, where it is a variant."""
    model = result.model
    name = "__".join(f"{key}_{value}" for key, value in variant(result).items())
    experiment = [EXPERIMENTS, file_name(name)] if name else []
    return [model_folder(_name(model)), _revision(model), *experiment]


def _name(model: ModelRecord) -> str:
    """MTEB takes no name without an organization; folders are called so, on any system."""
    return model.name if "/" in model.name else f"{LOADER}/{file_name(model.name)}"


def _revision(model: ModelRecord) -> str:
    return file_name(model.revision or NO_REVISION)


def _with_lines(path: Path, more: Sequence[str]) -> str:
    """Return the lines that are there and those that are not yet."""
    there = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return "".join(f"{line}\n" for line in dict.fromkeys([*there, *more]))


def _is_described(path: Path) -> bool:
    """Say whether a model_meta.json is there that others wrote: it says more than ours."""
    try:
        return bool(json.loads(path.read_bytes()).get("loader") != LOADER)
    except (OSError, ValueError, AttributeError):
        return False
