"""Programs and documents that some tests need: skipped where they are missing, required where CI is set."""

import os
import shutil
import sys
from pathlib import Path

import pytest


def needs_program(name: str) -> None:
    """Skip the test, or fail it under CI, when the program is not installed."""
    if shutil.which(name) is None:
        _missing(f"the program {name} is not installed")


def needs_file(path: str) -> Path:
    """Return the path; skip the test, or fail it under CI, when the file is not there."""
    if not Path(path).exists():
        _missing(f"there is no {path} (see .ci/packages)")
    return Path(path)


def needs_vision() -> dict[str, str]:
    """Return the settings of a process that can import torchvision, colpali_engine and peft.

    They change what transformers does, so they stand beside the environment of the tests, not in it.
    """
    folder, here = Path(sys.prefix) / "vision", Path(__file__).parent
    if not folder.is_dir():
        _missing(f"there is no {folder}: make .venv/vision installs torchvision and colpali_engine there")
    return {"PYTHONPATH": os.pathsep.join(map(str, (folder, here / "torchvision_shim", here.parent)))}


def _missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
