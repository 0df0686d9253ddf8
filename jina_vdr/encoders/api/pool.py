"""Requests side by side: an answer comes out at once, and none is asked for without room for it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from jina_vdr.encoders.api.pause import Stopped

Job = TypeVar("Job")
Answer = TypeVar("Answer")

Work = Callable[[Job, threading.Event], Iterator[Answer]]
"""A job and what tells it to stop -> its answers, each asked for when the one before was taken."""


class Pool(Generic[Job, Answer]):
    """Works on jobs in threads that end with the process: an interrupt does not wait for an answer."""

    def __init__(self, jobs: Sequence[Job], work: Work[Job, Answer], threads: int) -> None:
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        for job in jobs:
            self._jobs.put(job)
        self._work = work
        self._threads = max(1, min(threads, len(jobs)))
        self._room = threading.Semaphore(self._threads)
        self._found: SimpleQueue[Answer | BaseException | None] = SimpleQueue()
        self._stop = threading.Event()

    def run(self) -> Iterator[Answer]:
        """Yield the answers of all jobs, in any order; as many are under way at a time as there are threads.

        After an error nothing new is asked for; what is under way is waited for and yielded, then the first
        error is raised.
        """
        for _ in range(self._threads):
            threading.Thread(target=self._thread, daemon=True).start()
        error: BaseException | None = None
        running = self._threads
        try:
            while running:
                found = self._found.get()
                if found is None:
                    running -= 1
                elif isinstance(found, BaseException):
                    error = error or found
                    self._stop.set()
                else:
                    yield found
                    self._room.release()  # here, where the answer was taken and kept
        finally:
            self._stop.set()
            self._room.release(self._threads)
        if error:
            raise error

    def _thread(self) -> None:
        try:
            while not self._stop.is_set():
                answers = self._work(self._jobs.get_nowait(), self._stop)
                while (answer := self._next(answers)) is not None:
                    self._found.put(answer)
        except (Empty, Stopped):
            pass
        except BaseException as error:  # raised again where the answers are taken
            self._found.put(error)
        finally:
            self._found.put(None)

    def _next(self, answers: Iterator[Answer]) -> Answer | None:
        self._room.acquire()
        answer = None
        try:
            if not self._stop.is_set():
                answer = next(answers, None)
        finally:
            if answer is None:
                self._room.release()
        return answer
