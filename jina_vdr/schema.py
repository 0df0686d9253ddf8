"""Records as file formats: validation that names file, line and column, and JSON Schema for editors."""

from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    Tag,
    ValidationError,
)
from pydantic_core import ErrorDetails

from jina_vdr.errors import near
from jina_vdr.specfile import InvalidSpec, Problem, Spec, has, shortened

Text = Annotated[str, Strict()]
Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]


def _commit(revision: Any) -> Any:
    if isinstance(revision, str) and (len(revision) != 40 or set(revision) - set("0123456789abcdef")):
        raise ValueError(f"'{revision}' is not a commit; branches move: write the 40 hex digits of one")
    return revision


Commit = Annotated[Text, Field(pattern="^[0-9a-f]{40}$"), BeforeValidator(_commit)]

MAPPING, OTHER = Tag("{}"), Tag("[]")
MAPPING_OR_OTHER = Discriminator(lambda value: "{}" if isinstance(value, dict | BaseModel) else "[]")
"""For `Annotated[A, MAPPING] | Annotated[B, OTHER]`: complain of the side that the file has, not of both."""

Record = TypeVar("Record", bound="SpecRecord")

SEEMS_A_NUMBER = "YAML read it as {kind}: put it in quotes"
WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


class WrongPart(ValueError):
    """What is wrong further inside a value: `steps` lead there from the value that was validated."""

    def __init__(self, message: str, *steps: str) -> None:
        super().__init__(message)
        self.steps = steps


class SpecRecord(BaseModel):
    """A part of a YAML file of ours: frozen, and what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def validated(record: type[Record], spec: Spec) -> Record:
    """Return what `spec` holds as a record; raise InvalidSpec with all problems at once."""
    try:
        return record.model_validate(spec.data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise InvalidSpec([_problem(record, spec, detail) for detail in details]) from None


def json_schema(record: type[SpecRecord]) -> dict[str, Any]:
    """Return the JSON Schema of a file: `include` is allowed, and may bring what is otherwise required.

    Mappings merge, so an include may also bring what is required inside one; lists are replaced as they are.
    """
    schema = record.model_json_schema(by_alias=True)
    schema["properties"] = {
        "include": {
            "description": "Files in this folder whose values this file starts from.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        },
        **schema["properties"],
    }
    whole: dict[str, Any] = {"required": schema.pop("required", [])}
    for name, field in schema["properties"].items():
        part = schema.get("$defs", {}).get(field.get("$ref", "").removeprefix("#/$defs/"), {})
        if "required" in part:
            whole.setdefault("properties", {})[name] = {"required": part.pop("required")}
    schema["anyOf"] = [{"required": ["include"]}, whole]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _problem(record: type[SpecRecord], spec: Spec, detail: ErrorDetails) -> Problem:
    steps = getattr(detail.get("ctx", {}).get("error"), "steps", ())
    location, kind = _in_file((*detail["loc"], *steps), spec.data), detail["type"]
    name = ".".join(map(str, location))
    where = spec.where(location)
    if kind == "extra_forbidden":
        return Problem("JV311", where, f"unknown key '{name}'", _near_key(record, location))
    if kind == "missing":
        field = ".".join(map(str, detail["loc"]))
        return Problem("JV312", where, f"'{field}' is missing", f"add {field}:")
    reason = _reason(detail)
    return Problem("JV313", where, f"{name}: {reason}" if name else reason, _quote_hint(detail))


def _in_file(location: tuple[int | str, ...], data: Any) -> tuple[int | str, ...]:
    """Keep the steps that lead through the file: pydantic adds the names of union members."""
    steps: list[int | str] = []
    for step in location:
        if has(data, step):
            data = data[step]
        else:
            continue
        steps.append(step)
    return tuple(steps)


def _reason(detail: ErrorDetails) -> str:
    value, kind = detail["input"], detail["type"]
    if kind in WANTED or kind == "literal_error":
        wanted = WANTED.get(kind) or f"one of {detail['ctx']['expected']}"
        return f"it is empty; write {wanted}" if value is None else f"{_shown(value)} is not {wanted}"
    if kind == "too_short":
        return "it must not be empty"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    return detail["msg"][:1].lower() + detail["msg"][1:]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else shortened(repr(value))


def _quote_hint(detail: ErrorDetails) -> str:
    value = detail["input"]
    if detail["type"] == "string_type" and isinstance(value, bool | int | float):
        return SEEMS_A_NUMBER.format(kind="a yes or no" if isinstance(value, bool) else "a number")
    if detail["type"] in {"literal_error", "int_type"} and isinstance(value, str) and value.isdecimal():
        return "take the quotes away"
    if detail["type"] == "literal_error" and isinstance(value, str):
        return near(value, detail["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", "))
    return ""


def _near_key(record: type[SpecRecord], location: tuple[int | str, ...]) -> str:
    """Look for the key meant, beside it and one level deeper: the nearest of all."""
    part: Any = record
    for step in location[:-1]:
        part = _part(part, step)
    fields = _fields(part)
    deeper = {name for field in fields for name in _fields(_part(part, field))}
    hint = near(str(location[-1]), [*fields, *deeper, *(["include"] if part is record else [])])
    return hint or f"known: {', '.join(fields)}"


def _fields(part: Any) -> list[str]:
    known = isinstance(part, type) and issubclass(part, BaseModel)
    return [field.alias or name for name, field in part.model_fields.items()] if known else []


def _part(part: Any, step: int | str) -> Any:
    """Return the record at `step` of the record `part`; `part` itself for a place in a list of such."""
    if part is None:
        return None
    field = next((f for name, f in part.model_fields.items() if step in {name, f.alias}), None)
    return _record_in(field.annotation) if field else part


def _record_in(annotation: Any) -> Any:
    """Return the record that an annotation holds, in a list, mapping or union; None where it holds none."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    inner = get_args(annotation)
    if get_origin(annotation) is Annotated:
        inner = inner[:1]
    elif get_origin(annotation) not in {Union, UnionType}:
        inner = inner[-1:]
    return next(filter(None, map(_record_in, inner)), None)
