"""A checkpoint: a folder, or a repository on the Hub at one commit."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jina_vdr.errors import DataError, UsageError, first_line
from jina_vdr.hub import hub_errors, is_offline, without_bars


@dataclass(frozen=True)
class Checkpoint:
    """Where weights come from: `source` is what a loader takes, `files` the folder with its JSON files.

    `commit` is None for a folder; `revision` is the commit, or a sha256 over all files of the folder.
    """

    name: str
    source: str
    revision: str
    commit: str | None
    files: Path

    def json(self, name: str) -> dict[str, Any]:
        """Return what a JSON file of the checkpoint holds; nothing where it is not there, or holds a list."""
        path = self.files / name
        try:
            content = json.loads(path.read_bytes()) if path.exists() else {}
        except ValueError as error:
            raise DataError("JV441", f"{path} is not JSON", first_line(error)) from error
        return content if isinstance(content, dict) else {}

    def holds(self, name: str) -> bool:
        """Say whether there is a file of this name among the JSON files."""
        return (self.files / name).is_file()

    def fetch(self, patterns: Sequence[str]) -> Path:
        """Return a folder in which the files that match `patterns` lie, beside the JSON files."""
        return self.files if self.commit is None else _snapshot(self.source, self.commit, patterns)

    @property
    def architecture(self) -> str:
        """The class of transformers that config.json names first; empty where it names none."""
        return str((self.json("config.json").get("architectures") or [""])[0])

    @property
    def is_cross_encoder(self) -> bool:
        """Whether it scores a query and a page together: what is saved as such, or only classifies."""
        said = self.json("config_sentence_transformers.json").get("model_type")
        bare = not self.holds("modules.json") and self.architecture.endswith("ForSequenceClassification")
        return said == "CrossEncoder" or bare


def open_checkpoint(name: str, revision: str | None = None) -> Checkpoint:
    """Return the checkpoint in the folder `name`, or that of the Hub; of that, the JSON files are fetched.

    Raises UsageError where a folder is asked for at a revision, DataError for what the Hub does not have.
    """
    folder = Path(name)
    if folder.is_dir():
        if revision:
            raise UsageError("JV107", f"{folder} is a folder: it has no revision", "leave out the @")
        return Checkpoint(folder.resolve().name, str(folder), _hash(folder), None, folder)
    with without_bars():
        snapshot = _snapshot(name, revision, ["*.json"])
    return Checkpoint(name, name, snapshot.name, snapshot.name, snapshot)


def refuse_reranker(checkpoint: Checkpoint) -> None:
    """Raise UsageError for a cross-encoder where a model is asked for."""
    if checkpoint.is_cross_encoder:
        raise UsageError(
            "JV142",
            f"{checkpoint.source} scores a query and a page together",
            f"it reranks what another model finds: --rerank {checkpoint.source}",
        )


def _snapshot(name: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """Return the folder of the Hub's cache, its name the commit, with the files that match."""
    from huggingface_hub import snapshot_download

    with hub_errors(name, revision, "model"):
        snapshot = snapshot_download(
            name, revision=revision, allow_patterns=list(patterns), local_files_only=is_offline()
        )
    return Path(snapshot)


def _hash(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                total.update(path.relative_to(folder).as_posix().encode())
                total.update(hashlib.file_digest(file, "sha256").digest())
    return "sha256:" + total.hexdigest()
