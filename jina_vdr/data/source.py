"""Where a data set's files are: a folder beside the task file, or a pinned revision on the Hub.

Both are a list of names and a way to get the named files, so everything above reads them alike.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from jina_vdr.dataset import Part
from jina_vdr.errors import DataError, near
from jina_vdr.hub import Hub
from jina_vdr.task import DEFAULT_SUBSET, Task

TABLES = (".parquet", ".csv", ".tsv", ".jsonl", ".jsonl.gz")
OWN_SPLIT = {"corpus", "queries"}
"""Configs that may have one split of their own name, whatever the split of the task: so BEIR's data sets."""

SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.")


@dataclass(frozen=True)
class Source:
    """The files of one data set. `names` are relative, with `/`; `fetch` makes named files local paths."""

    label: str
    names: tuple[str, ...]
    fetch: Callable[[Sequence[str]], list[Path]]

    def tables(self, part: Part, subset: str, split: str) -> list[Path]:
        """Return the local files of one part (corpus, queries, ...) of one subset and split.

        Raises DataError when the file, folder, config or split is not there, or a shard is missing.
        """
        names = self.table_names(part, subset, split)
        return self.fetch(names)

    def table_names(self, part: Part, subset: str, split: str) -> list[str]:
        """Return the names of those files, without fetching them."""
        split = part.split or split
        if part.file:
            names = self._file(part.file.replace("{subset}", subset))
        elif part.data_dir:
            names = self._in_folder(part.data_dir.replace("{subset}", subset), split)
        else:
            names = self._of_config(_config(part.config or "default", subset), split)
        self._check_shards(names)
        return sorted(names)

    def _file(self, name: str) -> list[str]:
        if name not in self.names:
            raise DataError("JV404", f"{self.label} has no file '{name}'", _some(self._table_files))
        return [name]

    def _in_folder(self, folder: str, split: str) -> list[str]:
        inside = [name for name in self._table_files if name.startswith(f"{folder}/")]
        if not inside:
            folders = {str(PurePosixPath(name).parent) for name in self._table_files}
            raise DataError(
                "JV404",
                f"{self.label} has no folder '{folder}' with tables",
                near(folder, folders) or _some(folders),
            )
        return self._of_split(inside, folder, split)

    def _of_config(self, config: str, split: str) -> list[str]:
        if config == "qrels" and config not in self._configs:
            config = "default"  # MTEB files the qrels of a data set without subsets under either name
        if config in self._configs:
            return self._matching(config, self._configs[config], split)
        if config == "default" and not self._configs:
            root = [name for name in self._table_files if "/" not in name or name.startswith("data/")]
            return self._of_split(root, "data", split)
        hint = near(config, self._configs) or _some(self._configs)
        raise DataError("JV405", f"{self.label} has no config '{config}'", hint)

    def _of_split(self, names: list[str], where: str, split: str) -> list[str]:
        marked = re.compile(rf"(?:^|[/._ -]){re.escape(split)}(?:[/._ -]|$)")
        found = [name for name in names if marked.search(name.removeprefix(f"{where}/"))]
        if not found:
            raise DataError("JV406", f"{self.label} has no split '{split}' in '{where}'", _some(names))
        return found

    def _matching(self, config: str, declared: dict[str, Any], split: str) -> list[str]:
        """Find the files of a config as its dataset card declares them."""
        files = declared.get("data_files")
        if files is None:
            return self._in_folder(str(declared.get("data_dir", config)), split)
        entries = files if isinstance(files, list) else [files]
        by_split = [entry for entry in entries if isinstance(entry, dict)]
        if [entry.get("split") for entry in by_split] == [config] and config in OWN_SPLIT:
            split = config
        paths = [entry.get("path") for entry in by_split if entry.get("split") == split] or (
            entries if not by_split and split == "train" else []
        )
        patterns = [p for path in paths for p in (path if isinstance(path, list) else [path])]
        found = [name for name in self._table_files if any(fnmatchcase(name, str(p)) for p in patterns)]
        if patterns and not found:
            raise DataError(
                "JV404", f"{self.label} has no file like {patterns} for config '{config}'", "fetch it again"
            )
        if not found:
            splits = [str(entry.get("split")) for entry in by_split] or ["train"]
            raise DataError(
                "JV406", f"{self.label} has no split '{split}' in config '{config}'", _some(splits)
            )
        return found

    def _check_shards(self, names: list[str]) -> None:
        shards = [(name[: shard.start()], int(shard[2])) for name in names if (shard := SHARD.search(name))]
        for (stem, declared), count in Counter(shards).items():
            if count != declared:
                raise DataError(
                    "JV407", f"{self.label} has {count} of {declared} files '{stem}-*'", "fetch it again"
                )

    @cached_property
    def _table_files(self) -> list[str]:
        return [name for name in self.names if name.endswith(TABLES)]

    @cached_property
    def _configs(self) -> dict[str, dict[str, Any]]:
        if "README.md" not in self.names:
            return {}
        text = self.fetch(["README.md"])[0].read_text(encoding="utf-8", errors="replace")
        front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
        try:
            card = yaml.safe_load(front[1]) if front else None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            reason = getattr(error, "problem", None) or str(error)
            raise DataError(
                "JV408", f"{self.label}: the front matter of README.md is not YAML ({reason})", "mend it"
            ) from None
        configs = card.get("configs") if isinstance(card, dict) else None
        entries = configs if isinstance(configs, list) else []
        return {str(c["config_name"]): c for c in entries if isinstance(c, dict) and "config_name" in c}


def _config(name: str, subset: str) -> str:
    """Put the subset into the name of a config; `{subset}-corpus` is `corpus` where there are no subsets."""
    if subset == DEFAULT_SUBSET:
        name = name.replace("{subset}-", "")
    return name.replace("{subset}", subset)


def open_source(task: Task, hub: Hub) -> Source:
    """Return the files of the task's data set; nothing but a list of names is fetched yet."""
    if task.dataset.is_local:
        return _local(task)
    path, revision = task.dataset.path, task.dataset.revision or ""
    return Source(path, tuple(hub.files(path, revision)), lambda names: hub.fetch(path, revision, names))


def _local(task: Task) -> Source:
    root = task.root / task.dataset.path
    label = f"{task.dataset.path} of task {task.name}"
    if not root.is_dir():
        raise DataError(
            "JV404", f"{label}: there is no folder {root}", "put the data there or mend dataset.path"
        )
    _inside(root, task.root.resolve(), label)
    paths = dict(_files(root, label))

    def fetch(names: Sequence[str]) -> list[Path]:
        return [_readable(_inside(paths[name], root.resolve(), label)) for name in names]

    return Source(label, tuple(paths), fetch)


def _files(root: Path, label: str) -> Iterator[tuple[str, Path]]:
    """Yield name and path of all files but hidden ones.

    A link to a folder or to nothing is refused, and a folder that cannot be listed: what is in there would be
    missing unseen.
    """
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        if path.is_file():
            if not _is_text(name):
                raise DataError("JV416", f"{label}: the file name '{name}' is not UTF-8", "rename the file")
            yield name, path
        elif path.is_symlink():
            raise DataError(
                "JV409", f"{label}: {name} is a link, and not to a file", "copy what it points at"
            )
        elif path.is_dir():
            _readable(path)


def _readable(path: Path) -> Path:
    if not os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK):
        raise DataError("JV408", f"{path} cannot be read (permission denied)", "give yourself permission")
    return path


def _is_text(name: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in name)


def _inside(path: Path, root: Path, label: str) -> Path:
    """Refuse links that leave the folder: a data set may not point at other files of the machine."""
    if not path.resolve().is_relative_to(root):
        raise DataError(
            "JV409", f"{label}: {path.name} leads out of its folder", "copy the file instead of linking it"
        )
    return path


def fingerprint(source: Source, names: Sequence[str], read_by: str) -> str:
    """Return a sha256 over names and contents of the named files, in the order given, and what reads them."""
    total = hashlib.sha256(read_by.encode())
    for name, path in zip(names, source.fetch(names), strict=True):
        with path.open("rb") as file:
            total.update(name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _some(names: Any) -> str:
    shown = sorted(map(str, names))
    more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    return f"it has: {', '.join(shown[:8]) or 'nothing'}{more}"
