"""Task files as people write them: one line a subset, short maps in braces, long texts folded."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

WIDTH = 106
BY_LINE = {"eval_langs", "expected"}
"""Keys whose mapping takes one line a subset."""


class _Flow(dict[str, Any]):
    """A mapping that is written in braces."""


class _Dumper(yaml.SafeDumper):
    """Quotes with double quotes alone, and only what would not stay the same text without."""

    def choose_scalar_style(self) -> Any:
        style = super().choose_scalar_style()
        return '"' if style == "'" else style


def task_yaml(fields: Mapping[str, Any], comments: Sequence[str] = ()) -> str:
    """Return the text of a task file: `comments` on top, then the keys in the order given."""
    lines = "".join(f"# {comment}\n" for comment in comments)
    return lines + "".join(_dumped({key: _styled(key, value)}) for key, value in fields.items())


def _styled(key: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if key in BY_LINE or (key == "dataset" and len(value) > 2):
        return {name: _Flow(part) if isinstance(part, Mapping) else part for name, part in value.items()}
    return _Flow(value)


def _dumped(record: dict[str, Any]) -> str:
    text: str = yaml.dump(record, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    return text


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else ">" if len(text) > WIDTH - 20 and " " in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)


def _mapping(dumper: yaml.SafeDumper, values: dict[str, Any]) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", values, flow_style=isinstance(values, _Flow))


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
_Dumper.add_representer(dict, _mapping)
_Dumper.add_representer(_Flow, _mapping)
