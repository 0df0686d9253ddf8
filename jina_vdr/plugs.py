"""Models that others bring: a class in a Python file, or one that an installed package registers."""

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

GROUP = "jina_vdr.encoders"


def is_plug(text: str) -> bool:
    """Say whether `text` names a plug: `file.py:Class`, or an entry point with its argument."""
    return split_file(text) is not None or text.partition(":")[0] in registered()


def split_file(text: str) -> tuple[Path, str] | None:
    """Return the parts of `file.py:Class`, None for anything else."""
    file, _, name = text.rpartition(":")
    return (Path(file), name) if name.isidentifier() and Path(file).suffix == ".py" else None


def registered() -> dict[str, EntryPoint]:
    """Return the encoders of installed packages, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}
