"""What can go wrong, as exceptions that carry a stable code, one sentence and an exit code.

VDRError                1  a check did not hold, a task failed
├── UsageError          2  a name, option or selection the user gave
│   └── MissingExtra    2  an optional package is not installed
├── InvalidFile         3  a task, benchmark, recipe, config or result file
├── DataError           4  data that is missing, unreadable or not what the task says
└── OutOfMemory         5  memory ran out, or a file cannot be written

`docs/errors.md` explains every code.
"""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

JOINERS = "\u200c\u200d"
"""Part of how Persian, Urdu and Bengali words are written."""


class VDRError(Exception):
    """A problem the user can act on: shown as one line, never with a traceback."""

    exit_code = 1

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = one_line(message)
        self.hint = one_line(hint)

    def __str__(self) -> str:
        return f"error[{self.code}] {self.message}" + (f"; {self.hint}" if self.hint else "")


class UsageError(VDRError):
    """The user named something that does not exist or asked for what cannot be."""

    exit_code = 2


class MissingExtra(UsageError):
    """An optional package is not installed; the hint is the one command that mends it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__("JV102", f"{package} is not installed", f'run: pip install "jina-vdr[{extra}]"')


class InvalidFile(VDRError):
    """A file of ours does not say what it must."""

    exit_code = 3


class DataError(VDRError):
    """A data set cannot be had, cannot be read, or is not what its task file declares."""

    exit_code = 4


class OutOfMemory(VDRError):
    """Memory ran out, or the disk does not take a file."""

    exit_code = 5


def near(name: str, known: Iterable[str]) -> str:
    """Return the hint "did you mean 'x'?" for the nearest known name, or an empty string."""
    folded = {word.casefold(): word for word in known}
    found = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"did you mean '{folded[found[0]]}'?" if found else ""


def first_line(error: BaseException) -> str:
    """Return the first line of what another library says of an error; its name where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def one_line(text: str) -> str:
    """Return `text` with what a terminal would act on (line ends, escapes, changes of direction) written out.

    Names and ids in a message come from files that others made.
    """
    return "".join(char if _is_shown(char) else char.encode("unicode_escape").decode() for char in text)


def _is_shown(char: str) -> bool:
    return char.isprintable() or char in JOINERS or unicodedata.category(char) == "Zs"
