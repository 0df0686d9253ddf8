"""Images scaled by torchvision, in a process of its own: beside this torch it takes a shim to load."""

import os
import subprocess
import sys
from pathlib import Path

from tests.needs import needs_vision

ROOT = Path(__file__).parent.parent


def python(*arguments, **settings):
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **settings},
        check=False,
    )


def test_what_takes_torchvision_runs_with_it():
    checks = ["-q", "--numprocesses=0", "-p", "no:cacheprovider", "tests/torchvision_checks.py"]
    done = python("pytest", *checks, **needs_vision())
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_a_torchvision_that_does_not_fit_is_one_line(tmp_path):
    vision, _, *rest = needs_vision()["PYTHONPATH"].split(os.pathsep)
    paths = os.pathsep.join([vision, *rest])  # without the shim
    done = python("jina_vdr", "eval", "--model", f"hf:{tmp_path}", "--benchmark", "demo", PYTHONPATH=paths)
    assert done.returncode == 2
    assert done.stderr.startswith("error[JV102] a package that hf needs does not work: operator torchvision")
