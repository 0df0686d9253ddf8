"""The code that a checkpoint brings: where it lies, what is in it, its class."""

import inspect
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from transformers.dynamic_module_utils import get_class_from_dynamic_module, get_imports

from jina_vdr.checkpoint import Checkpoint, open_checkpoint
from jina_vdr.errors import DataError

CODE = ["*.py", "*.json"]


@dataclass(frozen=True)
class Code:
    """The class behind one of transformers' Auto classes, for `checkpoint`.

    `reference` is `module.Class`, with `org/name--` before it where the code is in a repository of its own;
    `home` is that, else the checkpoint itself.
    """

    checkpoint: Checkpoint
    home: Checkpoint
    reference: str

    @property
    def files(self) -> list[str]:
        """The Python files that it may be made of; none of them is run."""
        folder = self.home.fetch(CODE)
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))

    def run(self) -> Any:
        """Import the code, at the commit of its home; return the class."""
        folder = self.checkpoint.fetch(CODE)
        elsewhere = None if self.home is self.checkpoint else self.home.commit
        return get_class_from_dynamic_module(self.reference, str(folder), code_revision=elsewhere)


def find_code(checkpoint: Checkpoint) -> Code:
    """Return the code of a checkpoint; raise DataError where it brings none."""
    auto_map = checkpoint.json("config.json").get("auto_map") or {}
    names = sorted(name for name in auto_map if name.startswith("AutoModel"))
    if not names:
        raise DataError(
            "JV441",
            f"{checkpoint.name} brings no code: its config.json has no auto_map",
            "take another prefix",
        )
    reference = str(auto_map[names[0]])
    repository, separator, _ = reference.rpartition("--")
    return Code(checkpoint, open_checkpoint(repository) if separator else checkpoint, reference)


def packages(kind: Any) -> list[str]:
    """Return the installed packages that the code of a class imports."""
    folder = Path(inspect.getfile(kind)).parent
    imported = {name for path in folder.rglob("*.py") for name in get_imports(path)}
    known = packages_distributions()
    return sorted({known[name][0] for name in imported if name in known})
