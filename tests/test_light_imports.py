"""What starts must start fast: commands that only read files load neither torch nor numpy nor pyarrow."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "transformers", "sentence_transformers", "datasets", "mteb", "pandas"}
NUMERIC = {"numpy", "pyarrow", "scipy", "bm25s", "pytrec_eval", "PIL", "pymupdf", "huggingface_hub"}

PROBE = """
import sys
from jina_vdr.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("\\n".join(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def loaded(arguments: list[str], folder: Path) -> set[str]:
    command = [sys.executable, "-c", PROBE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True)
    return set(done.stderr.split("\n"))


def test_help_loads_nothing_but_the_command_line(tmp_path: Path) -> None:
    assert not loaded(["--help"], tmp_path) & (HEAVY | NUMERIC | {"pydantic", "yaml", "tqdm"})


@pytest.mark.parametrize("arguments", [["eval", "--help"], ["results", "--help"], ["tasks", "new", "--help"]])
def test_help_of_a_command_loads_no_numbers(arguments: list[str], tmp_path: Path) -> None:
    assert not loaded(arguments, tmp_path) & (HEAVY | NUMERIC)


@pytest.mark.parametrize("arguments", [["tasks", "list"], ["tasks", "schema"], ["benchmarks", "list"]])
def test_reading_task_files_loads_no_data_library(arguments: list[str], tmp_path: Path) -> None:
    unneeded = HEAVY | (NUMERIC - {"numpy"})  # records speak of arrays
    assert not loaded(arguments, tmp_path) & unneeded


@pytest.mark.parametrize("arguments", [["models", "list"], ["models", "show", "jinaai/jina-embeddings-v4"]])
def test_reading_model_files_loads_no_numbers(arguments: list[str], tmp_path: Path) -> None:
    assert not loaded(arguments, tmp_path) & (HEAVY | NUMERIC)


def test_bm25_needs_no_torch(tmp_path: Path) -> None:
    arguments = ["eval", "--model", "bm25", "--benchmark", "demo", "--dry-run"]
    assert not loaded(arguments, tmp_path) & HEAVY
