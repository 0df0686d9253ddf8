"""Records as file formats: validation that names file, line and column, and JSON Schema for editors."""

from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Strict, ValidationError
from pydantic_core import ErrorDetails

from jina_vdr.errors import near
from jina_vdr.specfile import InvalidSpec, Problem, Spec, has

Text = Annotated[str, Strict()]
Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]

Record = TypeVar("Record", bound="SpecRecord")

SEEMS_A_NUMBER = "YAML read it as {kind}: put it in quotes"


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
    """Return the JSON Schema of a file: `include` is allowed, and may bring what is otherwise required."""
    schema = record.model_json_schema(by_alias=True)
    schema["properties"] = {
        "include": {
            "description": "Files in this folder whose values this file starts from.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        },
        **schema["properties"],
    }
    required = schema.pop("required", [])
    schema["anyOf"] = [{"required": ["include"]}, {"required": required}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _problem(record: type[SpecRecord], spec: Spec, detail: ErrorDetails) -> Problem:
    location, kind = _in_file(detail["loc"], spec.data), detail["type"]
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
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] in {"string_type", "literal_error", "enum"}:
        value = detail["input"]
        shown = f"'{value}'" if isinstance(value, str) else repr(value)
        wanted = (
            "text"
            if detail["type"] == "string_type"
            else f"one of {detail.get('ctx', {}).get('expected', '')}"
        )
        return f"{shown} is not {wanted}"
    return message[:1].lower() + message[1:]


def _quote_hint(detail: ErrorDetails) -> str:
    value = detail["input"]
    if detail["type"] == "string_type" and isinstance(value, bool | int | float):
        return SEEMS_A_NUMBER.format(kind="a yes or no" if isinstance(value, bool) else "a number")
    if detail["type"] == "literal_error" and isinstance(value, str):
        return near(
            value,
            detail.get("ctx", {}).get("expected", "").replace("'", "").replace(" or ", ", ").split(", "),
        )
    return ""


def _near_key(record: type[SpecRecord], location: tuple[int | str, ...]) -> str:
    """Look for the key meant: beside it first, then one level deeper."""
    part: Any = record
    for step in location[:-1]:
        part = _part(part, step)
    fields = _fields(part)
    deeper = {name for field in fields for name in _fields(_part(part, field))}
    wrong = str(location[-1])
    return near(wrong, [*fields, "include"] if part is record else fields) or near(wrong, deeper)


def _fields(part: Any) -> list[str]:
    known = isinstance(part, type) and issubclass(part, BaseModel)
    return [field.alias or name for name, field in part.model_fields.items()] if known else []


def _part(part: Any, step: int | str) -> Any:
    """Return the record that stands at `step` of a record, mapping or list; None where there is none."""
    if isinstance(part, type) and issubclass(part, BaseModel):
        field = next((f for name, f in part.model_fields.items() if step in {name, f.alias}), None)
        part = field.annotation if field else None
    return _record_in(part)


def _record_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation
    inner = get_args(annotation)
    wanted = inner if get_origin(annotation) in {Union, UnionType} else inner[-1:]
    records = (_record_in(argument) for argument in wanted)
    return next((r for r in records if isinstance(r, type) and issubclass(r, BaseModel)), None)
