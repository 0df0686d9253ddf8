"""A batch size for code that makes its own batches: it is halved when memory runs out."""

from collections.abc import Callable
from typing import TypeVar

import torch

from jina_vdr.errors import OutOfMemory, first_line

Found = TypeVar("Found")


class Halving:
    """Repeats a call with half as many items a batch until it fits; what fitted is kept for the next call."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size

    def run(self, count: int, call: Callable[[int], Found]) -> Found:
        """Return what `call(size)` gives for `count` items; raise OutOfMemory where size 1 is too large."""
        while True:
            try:
                return call(self.size)
            except torch.OutOfMemoryError as error:
                largest = min(self.size, count)
                if largest == 1:
                    raise OutOfMemory(
                        "JV501",
                        f"{self.name} does not fit into memory with one item a batch",
                        first_line(error),
                    ) from error
            self.size = largest // 2
            torch.cuda.empty_cache()  # here, where the error no longer holds what it ran out of
