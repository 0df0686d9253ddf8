"""How far a long step is: a bar on stderr with rate and time left, only on a terminal."""

from typing import Any

from tqdm import tqdm


def progress(total: int, what: str, unit: str) -> "tqdm[Any]":
    """Return a bar, which goes when done. Where stderr is no terminal it is silent."""
    return tqdm(total=total, desc=what, unit=unit, leave=False, disable=None, dynamic_ncols=True)
