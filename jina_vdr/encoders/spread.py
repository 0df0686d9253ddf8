"""One model on several devices: a process for each, which takes pages as it gets through with them."""

import multiprocessing
import queue
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from jina_vdr import errors
from jina_vdr.encoders.base import Encoded
from jina_vdr.errors import DataError, UsageError, VDRError
from jina_vdr.model import ModelSpec
from jina_vdr.records import ModelInfo, Page

MOST = 512
"""Items a process takes at a time, at most; fewer where that keeps all of them at work to the end."""

LOOK = 1.0
"""Seconds between two looks at whether the processes are alive."""


class Task(NamedTuple):
    """What a process is asked for: `method` of the encoder on `items`, which stand at `positions`."""

    method: str
    positions: Sequence[int]
    items: Sequence[Any]


class Failure(NamedTuple):
    """What went wrong in a process, as the parts of one of our errors."""

    kind: str
    code: str
    message: str
    hint: str


class Spread:
    """An encoder with a copy of the model on each of `devices`; its vectors are those of one copy.

    Pages go to the processes as what they are read from; only vectors come back.
    """

    def __init__(self, spec: ModelSpec, devices: Sequence[str]) -> None:
        from jina_vdr.encoders.making import make_encoder

        if not all(devices):
            raise UsageError(
                "JV132", f"--device {spec.options.device} names no device", "write cuda:0,cuda:1"
            )
        self._specs = [replace(spec, options=replace(spec.options, device=device)) for device in devices]
        one = make_encoder(self._specs[0])
        self.document_input = one.document_input
        self.info: ModelInfo = replace(one.info, runtime={**one.info.runtime, "device": spec.options.device})

    def encode_queries(self, queries: Sequence[str]) -> Iterator[Encoded]:
        """Encode texts as queries."""
        return self._spread("encode_queries", queries)

    def encode_documents(self, pages: Sequence[Page]) -> Iterator[Encoded]:
        """Encode pages."""
        return self._spread("encode_documents", pages)

    def _spread(self, method: str, items: Sequence[Any]) -> Iterator[Encoded]:
        tasks, results, processes = self._workers
        size = max(1, min(MOST, len(items) // (4 * len(processes))))
        for start in range(0, len(items), size):
            part = items[start : start + size]
            tasks.put(Task(method, range(start, start + len(part)), part))
        missing = len(items)
        while missing:
            try:
                answer = results.get(timeout=LOOK)
            except queue.Empty:
                self._check_alive()
                continue
            if isinstance(answer, Failure):
                raise _error(answer)
            missing -= len(answer.positions)
            yield answer

    def _check_alive(self) -> None:
        for spec, process in zip(self._specs, self._workers[2], strict=True):
            if process.exitcode is not None:
                raise DataError(
                    "JV457",
                    f"the process on {spec.options.device} ended with exit code {process.exitcode}",
                    "run the same command again: what was encoded is kept",
                )

    @cached_property
    def _workers(self) -> tuple[Any, Any, list[Any]]:
        """Start the processes: what they are asked, what they answer, and themselves."""
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        tasks, results = context.Queue(), context.Queue()
        processes = [
            context.Process(target=_work, args=(s, tasks, results), daemon=True) for s in self._specs
        ]
        for process in processes:
            process.start()
        return tasks, results, processes


def _work(spec: ModelSpec, tasks: Any, results: Any) -> None:
    """Do tasks until the end of the process; the first error ends it."""
    from jina_vdr.encoders.making import make_encoder

    try:
        encoder = make_encoder(spec)
        while True:
            task: Task = tasks.get()
            for part in getattr(encoder, task.method)(task.items):
                places = [task.positions[i] for i in part.positions]
                results.put(replace(part, positions=places))
    except VDRError as error:
        results.put(Failure(type(error).__name__, error.code, error.message, error.hint))
    except KeyboardInterrupt:
        pass


def _error(failure: Failure) -> VDRError:
    kind: type[VDRError] = getattr(errors, failure.kind)
    error = kind.__new__(kind)
    VDRError.__init__(error, failure.code, failure.message, failure.hint)
    return error
