"""What is installed from the wheel works without the checkout: library, tools, task files, demo data."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(ROOT)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a folder of its own, which stands before the checkout on the path."""
    target = tmp_path_factory.mktemp("site")
    install = ["install", "--quiet", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    return target


def run(installed: Path, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(folder)}
    command = [sys.executable, "-m", "jina_vdr", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_brings_only_our_names_and_is_no_larger_than_it_must_be(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"jina_vdr", "jina_vdr_synth"}
    models = [f"models/{path.name}" for path in (ROOT / "jina_vdr/models").glob("*.yaml")]
    for needed in (
        "py.typed",
        "_tasks/demo-pages.yaml",
        "_tasks/task.schema.json",
        "stopwords/deu.txt",
        *models,
    ):
        assert f"jina_vdr/{needed}" in names
    assert "jina_vdr_synth/_recipes/demo.yaml" in names
    assert wheel.stat().st_size < 10_000_000


def test_the_demo_is_evaluated_from_the_wheel(installed, tmp_path):
    results = json.loads(run(installed, tmp_path, "eval", "--model", "fake", "--benchmark", "demo", "--json"))
    assert [len(result["scores"]) for result in results] == [20, 20]


def test_the_code_that_runs_is_the_installed_one(installed, tmp_path):
    card = run(installed, tmp_path, "tasks", "show", "DemoPages")
    assert str(installed / "jina_vdr" / "_tasks" / "demo-pages.yaml") in card


def test_a_tool_of_the_wheel_is_a_command(installed, tmp_path):
    assert "pages" in run(installed, tmp_path, "synth", "build", "demo", "--language", "de", "--out", "made")
