"""Strict YAML: data and never code, nothing said twice, every complaint with its file, line and column."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from jina_vdr.errors import InvalidFile, one_line

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SCALARS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null"))
PLAIN_TEXT = frozenset(f"tag:yaml.org,2002:{name}" for name in ("timestamp", "value"))
"""Tags that a plain scalar gets from its looks alone (2024-01-01): kept as text."""

MAX_BYTES = 1_000_000
MAX_DEPTH = 100
NOT_PRINTABLE = yaml.reader.Reader.NON_PRINTABLE

Location = tuple[str | int, ...]
"""The way to a value: keys and list indices from the top of the file."""


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file; `line` and `column` count from 1."""

    file: Path
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One complaint about a file."""

    code: str
    position: Position
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return one_line(f"{self.position}: error[{self.code}] {self.message}{hint}")


class InvalidSpec(InvalidFile):
    """A YAML file that breaks its rules: all problems at once, one a line, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.position)
        super().__init__(self.problems[0].code, self.problems[0].message, self.problems[0].hint)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


@dataclass
class Spec:
    """What a YAML file holds, its includes merged in, and where each value stands."""

    path: Path
    data: dict[str, Any] = field(default_factory=dict)
    positions: dict[Location, Position] = field(default_factory=dict)

    def where(self, location: Location) -> Position:
        """Return the place of a value; for one that is not there, that of the nearest part around it."""
        while location and location not in self.positions:
            location = location[:-1]
        return self.positions.get(location, Position(self.path, 1, 1))


def load(path: Path) -> Spec:
    """Read `path` and what it includes: mappings merge, later values win, lists are replaced.

    `include:` names one file or several in the folder of `path` or below it. Keys are always text. Raises
    InvalidSpec for what is not strict YAML: tags, anchors, repeated keys, an include that leaves the folder
    or comes back to itself.
    """
    return _load(path, path.parent, (), {})


def _load(path: Path, root: Path, chain: tuple[Path, ...], known: dict[Path, Spec]) -> Spec:
    """Load `path`, which the files of `chain` include; `known` keeps what several files include."""
    spec = _read(path)
    names = spec.data.pop("include", [])
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _invalid("JV307", spec.where(("include",)), "include names a file or a list of files")
    whole, problems = Spec(path), list[Problem]()
    for i, name in enumerate(names):
        try:
            included = _included(name, spec, i, root, (*chain, path))
            file = included.resolve()
            if file not in known:
                known[file] = Spec(included)  # stays when loading fails: its problems are told once
                known[file] = _load(included, root, (*chain, path), known)
            whole = _merged(whole, known[file])
        except InvalidSpec as error:
            problems += error.problems
    if problems:
        raise InvalidSpec(problems)
    return _merged(whole, spec)


def _included(name: str, spec: Spec, i: int, root: Path, chain: tuple[Path, ...]) -> Path:
    """Return the path of the file that the `i`th include of `spec` names."""
    where = spec.where(("include", i))
    path = spec.path.parent / name
    if PurePosixPath(name).is_absolute() or "\\" in name or leads_out(path, root):
        raise _invalid(
            "JV306", where, f"include '{name}' leads out of the folder", "include files beside this one"
        )
    if not is_file(path):
        raise _invalid(
            "JV306", where, f"there is no file '{name}' to include", f"it is looked for in {spec.path.parent}"
        )
    if path.resolve() in {other.resolve() for other in chain}:
        circle = " -> ".join(other.name for other in (*chain, path))
        raise _invalid("JV305", where, f"includes go in a circle: {circle}", "remove one of them")
    return path


def leads_out(path: Path, folder: Path) -> bool:
    """Say whether `path`, its links followed, leads out of `folder`."""
    try:
        return not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a link to itself, a NUL: no file at all
        return False


def is_file(path: Path) -> bool:
    """Say whether `path` is a file; a name that cannot name one is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _merged(base: Spec, over: Spec) -> Spec:
    data = _merge(base.data, over.data)
    kept = {place: position for place, position in base.positions.items() if _is_in(place, data)}
    return Spec(over.path, data, {**kept, **over.positions})


def _merge(base: Any, over: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {
        **base,
        **{key: _merge(base[key], value) if key in base else value for key, value in over.items()},
    }


def has(data: Any, key: str | int) -> bool:
    """Say whether a mapping has the key, or a list the index."""
    if isinstance(data, list):
        return isinstance(key, int) and key < len(data)
    return isinstance(data, dict) and key in data


def _is_in(location: Location, data: Any) -> bool:
    for key in location:
        if has(data, key):
            data = data[key]
        else:
            return False
    return True


def _read(path: Path) -> Spec:
    text = _text(path)
    spec = Spec(path)
    try:
        _check_events(path, text)
        node = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Position(path, mark.line + 1, mark.column + 1) if mark else Position(path, 1, 1)
        reason = ", ".join(filter(None, [error.context, error.problem]))
        raise _invalid("JV301", where, f"this is not YAML: {reason}") from None
    if not isinstance(node, yaml.MappingNode):
        raise _invalid("JV301", Position(path, 1, 1), "the file must hold `key: value` lines")
    problems: list[Problem] = []
    spec.data = _value(node, (), spec, problems)
    if problems:
        raise InvalidSpec(problems)
    return spec


def _text(path: Path) -> str:
    start = Position(path, 1, 1)
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise _invalid(
                "JV301", start, f"the file has {len(data):,} bytes; no such file is larger than 1 MB"
            )
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise _invalid("JV301", start, f"the file cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise _invalid("JV301", start, "the file is not UTF-8 text", "save it as UTF-8") from None
    if found := NOT_PRINTABLE.search(text):
        at = found.start()
        where = Position(path, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        raise _invalid("JV301", where, f"the file holds the control character {found[0]!a}")
    return text


def _check_events(path: Path, text: str) -> None:
    """Refuse what cannot become a tree of values: anchors, and nesting that would exhaust the stack.

    A file says what stands in it; nine lines cannot become a billion values.
    """
    anchors: list[Problem] = []
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            where = _position(path, event)
            raise _invalid("JV301", where, f"values are nested more than {MAX_DEPTH} deep")
        if getattr(event, "anchor", None) is not None:
            message, hint = "anchors and aliases are not allowed", "write the value out, or use include:"
            anchors.append(Problem("JV304", _position(path, event), message, hint))
    if anchors:
        raise InvalidSpec(anchors)


def _value(node: yaml.Node, location: Location, spec: Spec, problems: list[Problem]) -> Any:
    spec.positions.setdefault(location, _position(spec.path, node))
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        return dict(_items(node, location, spec, problems))
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [_value(child, (*location, i), spec, problems) for i, child in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode) and node.tag in PLAIN_TEXT:
        return node.value
    if isinstance(node, yaml.ScalarNode) and node.tag in SCALARS:
        return _scalar(node, spec, problems)
    problems.append(_tagged(node, spec))
    return None


def _items(
    node: yaml.MappingNode, location: Location, spec: Spec, problems: list[Problem]
) -> Iterator[tuple[str, Any]]:
    lines: dict[str, int] = {}
    for key, value in node.value:
        where = _position(spec.path, key)
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            problems.append(
                Problem("JV304", where, "a key must be a plain word", "use include: to merge files")
            )
            continue
        if key.tag not in SCALARS | PLAIN_TEXT:
            problems.append(_tagged(key, spec))
        if key.value in lines:
            message = (
                f"key '{key.value}' was already set on line {lines[key.value]}; the first value would be lost"
            )
            problems.append(Problem("JV302", where, message, "keep one of the two"))
            continue
        lines[key.value] = where.line
        spec.positions[(*location, key.value)] = where
        yield key.value, _value(value, (*location, key.value), spec, problems)


def _scalar(node: yaml.ScalarNode, spec: Spec, problems: list[Problem]) -> Any:
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError, LookupError):
        message = f"'{shortened(node.value)}' is no valid value"
        problems.append(Problem("JV301", _position(spec.path, node), message))
        return None


def _tagged(node: yaml.Node, spec: Spec) -> Problem:
    tag = node.tag.replace("tag:yaml.org,2002:", "!!")
    message = f"the tag '{tag}' is not allowed: these files hold data, never code"
    return Problem("JV303", _position(spec.path, node), message, "remove the tag")


def shortened(text: str) -> str:
    """Return `text` as far as a message needs it."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def _position(path: Path, node: Any) -> Position:
    return Position(path, node.start_mark.line + 1, node.start_mark.column + 1)


def _invalid(code: str, where: Position, message: str, hint: str = "") -> InvalidSpec:
    return InvalidSpec([Problem(code, where, message, hint)])
