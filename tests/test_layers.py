"""Imports run downwards: a module names only lower floors; tools import the library, never back."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "jina_vdr"
TOOLS = {"jina_vdr_synth": ROOT / "synth" / "jina_vdr_synth"}

FLOORS = [
    "__main__",
    "cli",
    "plan overview known_models model_check",
    "listing",
    "evaluation export mteb report pull pin pipeline",
    "benchmark ranker reranker_name measurement comparison",
    "precomputed template catalog resolution rerank",
    "retrieval rerankers fusion per_query",
    "data encoders",
    "lexical task result checkpoint",
    "page_text dataset model plugs",
    "ocr modelfile",
    "store schema hub family",
    "specfile metrics trec ranking composition similarity images languages",
    "records progress atomic vocabulary provenance taskfile",
    "errors",
    "__init__",
]
"""From the top of the house to the ground. A package is one room: only inside it may neighbours meet."""

FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names.split()}


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def room(path: Path, folder: Path) -> str:
    """Return the module or package right below `folder` that a file belongs to."""
    return path.relative_to(folder).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", modules(LIBRARY), ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_module_imports_only_lower_floors(path: Path) -> None:
    here = room(path, LIBRARY)
    for name in imports(path):
        package, _, rest = name.partition(".")
        assert package not in TOOLS, f"the library imports the tool {package}"
        there = rest.partition(".")[0]
        if package == "jina_vdr" and there != here:
            there = there if there in FLOOR else "__init__"
            assert FLOOR[there] > FLOOR[here], f"{here} imports {there}, which is not below it"


def test_every_module_has_a_floor() -> None:
    assert {room(path, LIBRARY) for path in modules(LIBRARY)} == set(FLOOR)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_imports_no_other_tool(tool: str) -> None:
    others = set(TOOLS) - {tool}
    named = {name.partition(".")[0] for path in modules(TOOLS[tool]) for name in imports(path)}
    assert not named & others


@pytest.mark.parametrize("folder", [LIBRARY, *TOOLS.values()], ids=lambda folder: folder.name)
def test_pymupdf_stays_behind_one_module(folder: Path) -> None:
    knowing = {
        path.name for path in modules(folder) if any(n.partition(".")[0] == "pymupdf" for n in imports(path))
    }
    assert len(knowing) <= 1


def test_no_file_is_a_drawer_for_everything() -> None:
    for folder in (LIBRARY, *TOOLS.values()):
        for path in modules(folder):
            assert path.stem not in {"utils", "util", "common", "helpers", "misc"}
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, f"{path.name} wants to be two"
