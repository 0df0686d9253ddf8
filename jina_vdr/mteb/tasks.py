"""A task of MTEB becomes a task file: from its metadata alone, or together with its data."""

import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jina_vdr.atomic import write_text
from jina_vdr.catalog import BENCHMARKS
from jina_vdr.errors import InvalidFile, MissingExtra, UsageError, near
from jina_vdr.mteb.data import load_data, new_folder, write_pairs, write_retrieval
from jina_vdr.mteb.layouts import hub_dataset
from jina_vdr.mteb.metadata import Counts, checked_type, counts, expected, task_fields
from jina_vdr.task import load_task
from jina_vdr.taskfile import task_yaml
from jina_vdr.template import SCHEMA
from jina_vdr.vocabulary import PAIR_TYPES

LAST = ("citation", "notes")
"""Keys that stand below `expected`."""


def import_task(name: str, out: Path | None = None, *, with_data: bool = False) -> Path:
    """Write a task file for the task that MTEB calls `name`; return its path.

    The file is `out`, by default the name in lower case. `with_data` writes the data too, as MTEB loads it,
    into a folder beside the file. Raises UsageError where the task is not there, is not evaluated here, or
    cannot be described without its data; DataError where MTEB cannot load it.
    """
    path = out or Path(f"{name.lower()}.yaml")
    if path.name.endswith(BENCHMARKS):
        raise UsageError("JV113", f"{path} would be taken for a benchmark file", "choose another --out")
    _refuse_existing(path)
    task = find_task(name)
    if with_data:
        _write_with_data(task, path)
    else:
        dataset = hub_dataset(task, checked_type(task))
        write_text(path, _text(task, dataset, counts(task)))
    return path


def find_task(name: str) -> Any:
    """Return the class of the task that the installed MTEB calls `name`; raise UsageError for none."""
    try:
        from mteb import tasks
        from mteb.abstasks import AbsTask
    except ImportError:
        raise MissingExtra("mteb", "mteb") from None
    kinds: list[Any] = [kind for kind in vars(tasks).values() if isinstance(kind, type)]
    known = {kind.metadata.name: kind for kind in kinds if issubclass(kind, AbsTask)}
    if name not in known:
        hint = near(name, known) or "mteb.get_tasks() lists those it has"
        raise UsageError("JV101", f"mteb {version('mteb')} has no task '{name}'", hint)
    return known[name]


def _write_with_data(kind: Any, path: Path) -> None:
    ours, said = checked_type(kind), kind.metadata.dataset
    folder = path.parent / kind.metadata.name.lower()
    dataset: dict[str, Any] = {"path": f"./{folder.name}"}
    if ours in PAIR_TYPES:
        dataset |= {"format": "pairs", "pairs": {"data_dir": "{subset}"}}
    remark = f"The data is {said['path']} at {said.get('revision')}."
    _refuse_existing(folder)
    _text(kind, dataset, [], remark)  # complains of what no data can mend
    task = load_data(kind)
    with new_folder(folder) as temporary:
        write = write_pairs if ours in PAIR_TYPES else write_retrieval
        found = write(task, temporary, images="image" in kind.metadata.modalities)
    if any(folder.glob("*/candidates")):
        dataset["candidates"] = {"data_dir": "{subset}/candidates"}
    try:
        write_text(path, _text(kind, dataset, found, remark))
    except BaseException:
        shutil.rmtree(folder)
        raise


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise UsageError("JV115", f"{path} is there already", "choose another --out")


def _text(task: Any, dataset: Mapping[str, Any], by_split: Sequence[Counts], remark: str = "") -> str:
    """Return the text of the task file; raise UsageError for what a task file cannot say."""
    fields = task_fields(task, dataset)
    found, why_none = expected(by_split)
    last = {key: fields.pop(key) for key in LAST if key in fields}
    notes = f"{last.pop('notes', '')} {remark}".strip()
    fields |= {"expected": found} if found else {}
    fields |= last | ({"notes": notes} if notes else {})
    comments = [
        f"yaml-language-server: $schema={SCHEMA}",
        f"Written by jina-vdr tasks import-mteb from the metadata of mteb {version('mteb')}.",
        *([why_none] if why_none else []),
    ]
    text = task_yaml(fields, comments)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "task.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            load_task(file)
        except InvalidFile as error:
            message = f"{task.metadata.name} of mteb cannot be said in a task file: {error.message}"
            raise UsageError("JV126", message, error.hint or "evaluate it with mteb") from error
    return text
