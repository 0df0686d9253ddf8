"""How long a client tries, and the pause that all its threads keep when the server asks for one."""

import logging
import random
import threading
import time
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How often a request is tried, and how long a client waits, in seconds.

    The wait doubles from `first` to `longest`, less a random part of up to a half: what failed together does
    not come back together. A server may ask for up to `granted`. An answer may take `answer`.
    """

    tries: int = 8
    first: float = 1.0
    longest: float = 60.0
    granted: float = 600.0
    answer: float = 300.0

    def wait(self, failures: int) -> float:
        """Return how long to wait after this many failures in a row."""
        return min(self.longest, self.first * 2.0 ** (failures - 1)) * random.uniform(0.5, 1.0)


PATIENCE = Patience()


class Stopped(Exception):
    """A thread is told to give up, for another has failed."""


class Pause:
    """One pause for all threads: a rate limit is met by all of them, whoever is told."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._until = 0.0
        self._in_a_row = 0

    def keep(self, stop: threading.Event) -> float:
        """Wait until no pause is left; return when that was. Raise Stopped when told to stop."""
        while (left := self._until - time.monotonic()) > 0:
            if stop.wait(left):
                break
        if stop.is_set():
            raise Stopped
        return time.monotonic()

    def begin(self, seconds: float, sent: float, who: str) -> int:
        """Begin a pause of at least that many seconds; return how many there were since the last answer.

        `sent` is when the request was sent that met the limit: those that were under way when a pause began
        lengthen it, but count as one with it.
        """
        with self._lock:
            now = time.monotonic()
            if sent >= self._until:
                self._in_a_row += 1
            wait = max(seconds, self._patience.wait(self._in_a_row))
            if wait >= 10 and now + wait > self._until:
                log.warning("%s asks to wait: going on in %.0f s", who, wait)
            self._until = max(self._until, now + wait)
            return self._in_a_row

    def answered(self) -> None:
        """Note that the server works again."""
        self._in_a_row = 0
