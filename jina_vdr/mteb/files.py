"""MTEB's result files: what one says, which model its folder is of, and the copy that an import keeps."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from jina_vdr.errors import InvalidFile, first_line
from jina_vdr.result import Source, file_name

MODEL_META = "model_meta.json"
RUN_SETTINGS = "run_settings.jsonl"
EXPERIMENTS = "experiments"
NO_REVISION = "no_revision_available"
"""MTEB's names for what lies in a results folder."""

Said = TypeVar("Said", bound=BaseModel)


class TaskFile(BaseModel):
    """What a result file of MTEB says, as far as we read it: split -> one entry of metrics a subset."""

    model_config = ConfigDict(strict=True, frozen=True)

    task_name: str
    dataset_revision: str
    mteb_version: str | None = None
    date: float | str | None = None
    scores: dict[str, list[dict[str, Any]]]


class _ModelMeta(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str | None = None
    revision: str | None = None
    experiment_kwargs: dict[str, Any] | None = None


@dataclass(frozen=True)
class Folder:
    """The model that a folder of results is of; `place` is the folder's path below the results folder."""

    model: str
    revision: str
    experiment: str | None
    place: tuple[str, ...]
    model_meta: str | None
    run_settings: tuple[str, ...]


@dataclass(frozen=True)
class Original:
    """A result file of MTEB, word for word: its path in the results folder, and what lies beside it.

    `run_settings` are the lines of run_settings.jsonl that are about the task.
    """

    place: tuple[str, ...]
    text: str
    model_meta: str | None
    run_settings: tuple[str, ...]


def find_files(places: Sequence[Path]) -> list[Path]:
    """Return the result files among `places` and below them: results folders, or a part of one."""
    found = [path for place in places for path in ([place] if place.is_file() else sorted(_below(place)))]
    return [path for path in dict.fromkeys(found) if path.name != MODEL_META]


def read_task_file(path: Path) -> tuple[str, TaskFile]:
    """Return the text of a result file and what it says; raise InvalidFile for anything else."""
    text = _text(path)
    return text, _parsed(TaskFile, text, path)


def read_folder(folder: Path) -> Folder:
    """Return whose results lie in `folder`: model_meta.json says it, else <org>__<name>/<revision>.

    Raises InvalidFile where neither does.
    """
    path, settings = folder / MODEL_META, folder / RUN_SETTINGS
    text = _text(path) if path.is_file() else None
    lines = tuple(_text(settings).splitlines()) if settings.is_file() else ()
    meta = _ModelMeta() if text is None else _parsed(_ModelMeta, text, path)
    names = ["", "", "", "", *folder.resolve().parts[1:]]
    experiment = names[-1] if names[-2] == EXPERIMENTS else None
    place = tuple(names[-4:] if experiment else names[-2:])
    if "__" in place[0] or (meta.name and place[0] == model_folder(meta.name)):
        return Folder(meta.name or place[0].replace("__", "/"), place[1], experiment, place, text, lines)
    if not meta.name or meta.experiment_kwargs:
        raise _invalid(
            folder, "is no folder <org>__<name>/<revision>, and no model_meta.json says whose it is"
        )
    revision = meta.revision or NO_REVISION
    return Folder(meta.name, revision, None, (model_folder(meta.name), file_name(revision)), text, lines)


def model_folder(name: str) -> str:
    """Return the name of a model's folder: `org/a model` -> `org__a_model`."""
    return file_name(name.replace(" ", "_"))


def original_of(folder: Folder, task_name: str, text: str) -> Original:
    """Return what is kept of a result file with the content `text` in `folder`."""
    lines = tuple(line for line in folder.run_settings if _task_of(line) == task_name)
    return Original((*folder.place, f"{file_name(task_name)}.json"), text, folder.model_meta, lines)


def pack(original: Original) -> tuple[bytes, Source]:
    """Return the file that keeps `original`, and what its result says about it."""
    content = json.dumps(asdict(original)).encode()
    return gzip.compress(content, mtime=0), Source(sha256=hashlib.sha256(content).hexdigest())


def unpack(result: Path, source: Source) -> Original:
    """Return what was imported as the result file `result`; raise InvalidFile where that is damaged."""
    path = result.with_suffix("") / source.path
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error):
        content = b""
    if hashlib.sha256(content).hexdigest() != source.sha256:
        raise InvalidFile("JV355", f"{path} is missing or damaged", "import the results again")
    said = json.loads(content)
    original = Original(tuple(said["place"]), said["text"], said["model_meta"], tuple(said["run_settings"]))
    if any(name in {"", ".", ".."} or set(name) & set("/\\\0") for name in original.place):
        raise InvalidFile("JV355", f"{path} names a place outside of the folder", "import the results again")
    return original


def _task_of(line: str) -> str | None:
    """Return the task that a line of run_settings.jsonl is about; MTEB passes over what it cannot read."""
    try:
        task: str | None = json.loads(line)["task"]
    except (ValueError, KeyError, TypeError):
        return None
    return task


def _below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.json") if path.is_file() and not path.name.startswith(".")]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid(path, f"cannot be read: {first_line(error)}") from error


def _parsed(kind: type[Said], text: str, path: Path) -> Said:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = ": ".join(filter(None, [where, first["msg"]]))
        raise _invalid(path, f"is not what MTEB writes ({reason})") from error


def _invalid(path: Path, what: str) -> InvalidFile:
    return InvalidFile(
        "JV354", f"{path} {what}", "mteb 1.11 and later write result files that can be imported"
    )
