"""Small YAML files of ours, with a line replaced here and there: what is wrong is told at its place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jina_vdr.specfile import InvalidSpec, Problem
from tests.replicas import marked


@dataclass(frozen=True)
class SmallFile:
    """A file called `name` that `load` takes as it is; its lines by their keys."""

    name: str
    lines: Mapping[str, str]
    load: Callable[[Path], Any]

    def write(self, folder: Path, *lines: str) -> Path:
        """Write the file; `lines` replace those of their keys."""
        said = {**self.lines, **{line.strip("‸").partition(":")[0]: line for line in lines}}
        path = folder / self.name
        path.write_text("\n".join(said.values()) + "\n", encoding="utf-8")
        return path

    def refused(self, folder: Path, *lines: str) -> list[Problem]:
        """Assert that the file is refused at the carets and nowhere else; return the problems."""
        path = self.write(folder, *lines)
        text, places = marked(path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InvalidSpec) as caught:
            self.load(path)
        problems = caught.value.problems
        assert [(p.position.line, p.position.column) for p in problems] == places
        assert {p.position.file for p in problems} == {path}
        return problems
