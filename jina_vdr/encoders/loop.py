"""The loop that keeps an accelerator busy: batches by tokens, prepared ahead, halved when memory runs out.

Items are taken a window at a time, the heaviest first: batches of like sizes waste little on padding, and
memory runs out at the start if at all. While the device works on one batch, threads decode and prepare the
next ones, and the result of the one before is copied back.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from jina_vdr.errors import OutOfMemory, first_line

Item = TypeVar("Item")
Inputs = Mapping[str, Any]

WINDOW = 128
"""Items that are sorted together; the pages of a data set lie in row groups of about as many."""

TOKENS = {"cuda": 16_384, "cpu": 2_048}
"""Tokens in a batch to begin with, padding counted; more than this gains nothing that was measured."""

THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class Work(Generic[Item]):
    """What one kind of item needs.

    `weigh` predicts its tokens. `prepare` makes the inputs of a batch, on the CPU, in a thread. `forward`
    runs the network on them and gives one tensor [rows, dim] an item.
    """

    weigh: Callable[[Item], int]
    prepare: Callable[[list[Item]], Inputs]
    forward: Callable[[Inputs], list[torch.Tensor]]


@dataclass(frozen=True)
class Batch:
    """The positions of some items, and the tokens they take when padded to the longest."""

    positions: list[int]
    longest: int

    @property
    def tokens(self) -> int:
        """What the batch costs."""
        return len(self.positions) * self.longest

    def halves(self) -> tuple["Batch", "Batch"]:
        """Return the two halves of a batch of two or more."""
        middle = len(self.positions) // 2
        return Batch(self.positions[:middle], self.longest), Batch(self.positions[middle:], self.longest)


class Loop:
    """Runs work on one device; what it learns about memory stays for the next call."""

    def __init__(self, name: str, device: torch.device, max_items: int | None = None) -> None:
        self._name = name
        self._device = device
        self._max_items = max_items
        self._tokens = TOKENS.get(device.type, TOKENS["cpu"])

    def run(self, items: Sequence[Item], work: Work[Item]) -> Iterator[tuple[list[int], list[torch.Tensor]]]:
        """Yield positions and their vectors, on the CPU, batch by batch."""
        running: tuple[Batch, list[torch.Tensor]] | None = None
        with preparing() as pool:
            for batch, inputs in self._prepared(items, work, pool):
                for part, vectors in self._forward(batch, inputs, items, work):
                    if running:
                        yield _on_host(*running)
                    running = part, vectors
        if running:
            yield _on_host(*running)

    def _prepared(
        self, items: Sequence[Item], work: Work[Item], pool: ThreadPoolExecutor
    ) -> Iterator[tuple[Batch, Inputs]]:
        """Yield batches with their inputs; a few more are being prepared meanwhile."""
        ahead: deque[tuple[Batch, Future[Inputs]]] = deque()
        for batch in self._batches(items, work, pool):
            ahead.append((batch, pool.submit(self._prepare, batch, items, work)))
            if len(ahead) > THREADS:
                first, inputs = ahead.popleft()
                yield first, inputs.result()
        for first, inputs in ahead:
            yield first, inputs.result()

    def _batches(self, items: Sequence[Item], work: Work[Item], pool: ThreadPoolExecutor) -> Iterator[Batch]:
        """Yield batches within the budget, window by window; the next window is weighed meanwhile."""
        windows = [range(i, min(i + WINDOW, len(items))) for i in range(0, len(items), WINDOW)]

        def weigh(window: range) -> list[int]:
            return [work.weigh(items[i]) for i in window]

        weights = deque([pool.submit(weigh, window) for window in windows[:1]])
        for number, window in enumerate(windows):
            weights.extend(pool.submit(weigh, later) for later in windows[number + 1 : number + 2])
            weighed = sorted(zip(weights.popleft().result(), window, strict=True), key=lambda pair: -pair[0])
            while weighed:
                longest = max(1, weighed[0][0])
                size = max(1, min(self._tokens // longest, self._max_items or len(weighed)))
                yield Batch([i for _, i in weighed[:size]], longest)
                del weighed[:size]

    def _prepare(self, batch: Batch, items: Sequence[Item], work: Work[Item]) -> Inputs:
        inputs = work.prepare([items[i] for i in batch.positions])
        if self._device.type != "cuda":
            return inputs
        return {name: _pinned(value) for name, value in inputs.items()}

    def _forward(
        self, batch: Batch, inputs: Inputs, items: Sequence[Item], work: Work[Item]
    ) -> Iterator[tuple[Batch, list[torch.Tensor]]]:
        """Yield the batch with its vectors, or its halves where it does not fit."""
        if batch.tokens <= self._tokens or len(batch.positions) == 1:
            try:
                vectors = work.forward({name: self._moved(value) for name, value in inputs.items()})
            except torch.OutOfMemoryError as error:
                if len(batch.positions) == 1:
                    raise OutOfMemory(
                        "JV501",
                        f"{self._name} does not fit into memory with one item a batch",
                        first_line(error),
                    ) from error
            else:
                yield batch, vectors
                return
            self._tokens = batch.tokens // 2
            torch.cuda.empty_cache()  # here, where the error no longer holds what it ran out of
        for half in batch.halves():
            yield from self._forward(half, self._prepare(half, items, work), items, work)

    def _moved(self, value: Any) -> Any:
        return value.to(self._device, non_blocking=True) if isinstance(value, torch.Tensor) else value


@contextmanager
def preparing() -> Iterator[ThreadPoolExecutor]:
    """Give the threads that prepare batches; what has not begun when the block ends never does."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="jina-vdr-prepare")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _pinned(value: Any) -> Any:
    return value.pin_memory() if isinstance(value, torch.Tensor) else value


def _on_host(batch: Batch, vectors: list[torch.Tensor]) -> tuple[list[int], list[torch.Tensor]]:
    return batch.positions, [vector.cpu() for vector in vectors]
