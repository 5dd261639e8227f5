"""The OpenAPI document as people read it: operations with their fields laid out, made from the document alone."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from config.api.describe import ORGANIZATION_KEY, PROJECT_KEY, PUBLIC_KEY
from config.api.openapi import document

Schema = Mapping[str, Any]

_OPENED_BY = {
    PROJECT_KEY: "a project's key",
    ORGANIZATION_KEY: "an organization's key",
    PUBLIC_KEY: "a project's public key alone, as Bearer",
}
_NEXT_LINE = " \\\n  "
_FORMATS = {"date-time": "time", "binary": "bytes", "uri": "address"}


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a shape: a member of an object, or one of several kinds of it (then `name` is that kind's)."""

    name: str
    type: str
    is_required: bool = True
    is_kind: bool = False
    text: str = ""
    limits: str = ""
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent or answered: its media type, and how it looks."""

    media: str
    shape: Field


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    text: str
    bodies: tuple[Body, ...]

    @property
    def is_success(self) -> bool:
        return self.status.startswith("2")


@dataclass(frozen=True, slots=True)
class Operation:
    """One verb of one path. `id` is its name in the document, and its address on the page."""

    id: str
    verb: str
    path: str
    group: str
    summary: str
    text: str
    is_deprecated: bool
    opened_by: tuple[str, ...]
    in_path: tuple[Field, ...]
    in_query: tuple[Field, ...]
    bodies: tuple[Body, ...]
    answers: tuple[Answer, ...]
    example: Example

    def curl(self, host: str) -> str:
        """The call as a shell command, with the keys in the variables that the SDKs read."""
        return "".join(self.example.lines(self, host))

    def matches(self, words: Sequence[str]) -> bool:
        names = " ".join(one.name for one in (*self.in_path, *self.in_query))
        text = f"{self.verb} {self.path} {self.summary} {self.group} {self.text} {names}".lower()
        return all(word in text for word in words)


@dataclass(frozen=True, slots=True)
class Example:
    query: tuple[tuple[str, str], ...] = ()
    media: str = ""
    body: Any = None

    def lines(self, operation: Operation, host: str) -> Iterator[str]:
        yield "curl"
        if operation.verb != "GET":
            yield f" -X {operation.verb}"
        if operation.opened_by:
            yield ' -u "$LANGFUSE_PUBLIC_KEY:$LANGFUSE_SECRET_KEY"'
        if self.query:
            yield " -G"
        is_alone = operation.verb == "GET" and not operation.opened_by
        yield f'{" " if is_alone else _NEXT_LINE}"{host}{_with_variables(operation.path)}"'
        for name, value in self.query:
            yield f"{_NEXT_LINE}--data-urlencode {shlex.quote(f'{name}={value}')}"
        if self.media:
            yield f"{_NEXT_LINE}-H 'Content-Type: {self.media}'"
            yield f"{_NEXT_LINE}-d {shlex.quote(json.dumps(self.body, indent=2, ensure_ascii=False))}"


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    text: str
    operations: tuple[Operation, ...] = field(default=())


@cache
def groups() -> tuple[Group, ...]:
    """All operations in the order of the document's groups."""
    every = list(operations().values())
    return tuple(
        Group(tag["name"], tag["description"], tuple(one for one in every if one.group == tag["name"]))
        for tag in document()["tags"]
    )


def find(text: str) -> list[Group]:
    """The groups that have operations with all these words, with those only."""
    words = text.lower().split()
    found = [
        Group(group.title, group.text, tuple(one for one in group.operations if one.matches(words)))
        for group in groups()
    ]
    return [group for group in found if group.operations]


@cache
def operations() -> dict[str, Operation]:
    """By their ids. A route that does the same whatever the verb stands there once."""
    made: dict[str, Operation] = {}
    for path, verbs in document()["paths"].items():
        told: list[Any] = []
        for verb, described in verbs.items():
            content = {key: value for key, value in described.items() if key != "operationId"}
            if content not in told:
                told.append(content)
                made[described["operationId"]] = _operation(path, verb.upper(), described)
    return made


def _operation(path: str, verb: str, described: Mapping[str, Any]) -> Operation:
    parameters = described.get("parameters", [])
    content = described.get("requestBody", {}).get("content", {})
    return Operation(
        id=described["operationId"],
        verb=verb,
        path=path,
        group=described["tags"][0],
        summary=described["summary"],
        text=described.get("description", ""),
        is_deprecated=described.get("deprecated", False),
        opened_by=tuple(_OPENED_BY[name] for need in described["security"] for name in need),
        in_path=tuple(_parameter(one) for one in parameters if one["in"] == "path"),
        in_query=tuple(_parameter(one) for one in parameters if one["in"] == "query"),
        bodies=_bodies(content),
        answers=tuple(
            Answer(status, answer["description"], _bodies(answer.get("content", {})))
            for status, answer in described["responses"].items()
        ),
        example=_example(parameters, content),
    )


def _bodies(content: Mapping[str, Any]) -> tuple[Body, ...]:
    return tuple(Body(media, _field("", body.get("schema", {}))) for media, body in content.items())


def _parameter(one: Mapping[str, Any]) -> Field:
    return _field(one["name"], {**one["schema"], "description": one.get("description", "")}, one.get("required", False))


def _field(name: str, schema: Schema, is_required: bool = True, seen: tuple[str, ...] = ()) -> Field:
    text = schema.get("description") or _text_below(schema)
    return Field(
        name=name,
        type=_type(schema),
        is_required=is_required,
        text=text,
        limits=_limits(schema),
        fields=_fields(schema, seen),
    )


def _resolved(schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    name = _name(schema)
    found: Schema = document()["components"]["schemas"][name]
    return found


def _name(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _kinds(schema: Schema) -> list[Schema]:
    """What a value may be, null left out."""
    options = schema.get("oneOf") or schema.get("anyOf") or [schema]
    return [one for one in options if one.get("type") != "null"]


def _type(schema: Schema) -> str:
    """In words, such as "list of text" or "number or null"."""
    whole = _resolved(schema)
    if "enum" in whole or "const" in whole:
        return " | ".join(map(str, whole.get("enum", [whole.get("const")])))
    options = whole.get("oneOf") or whole.get("anyOf")
    if options:
        return " or ".join(dict.fromkeys(_type(one) for one in options))
    kind = whole.get("type")
    if kind == "array":
        return f"list of {_type(whole.get('items', {}))}"
    if kind == "object":
        values = whole.get("additionalProperties")
        return f"object of {_type(values)}" if isinstance(values, dict) and values else "object"
    if kind == "string":
        return _FORMATS.get(whole.get("format", ""), "text")
    return str(kind or "anything")


def _text_below(schema: Schema) -> str:
    return str(_resolved(schema).get("description", ""))


def _limits(schema: Schema) -> str:
    """Bounds and default, in words."""
    whole = _resolved(schema)
    parts = []
    low, high = (whole.get(name) for name in ("minimum", "maximum"))
    if low is not None or high is not None:
        parts.append(f"{'' if low is None else low} … {'' if high is None else high}".strip())
    least, most = (whole.get("minLength", whole.get("minItems")), whole.get("maxLength", whole.get("maxItems")))
    if most is not None:
        parts.append(f"{least or 0} … {most} {'characters' if 'maxLength' in whole else 'items'}")
    if whole.get("default") not in (None, "", [], {}):
        parts.append(f"default {whole['default']}")
    return ", ".join(parts)


def _fields(schema: Schema, seen: tuple[str, ...]) -> tuple[Field, ...]:
    """The members of an object, of the objects of a list, or the kinds of object that it may be."""
    if _name(schema) in seen:
        return ()
    seen = (*seen, _name(schema)) if _name(schema) else seen
    whole = _resolved(schema)
    if whole.get("type") == "array":
        return _fields(whole.get("items", {}), seen)
    if isinstance(whole.get("additionalProperties"), dict):
        return _fields(whole["additionalProperties"], seen)
    kinds = _kinds(whole)
    if len(kinds) == 1 and kinds[0] is not whole:
        return _fields(kinds[0], seen)
    if len(kinds) > 1:
        return tuple(made for made in (_kind(one, seen) for one in kinds) if made.fields)
    required = whole.get("required", ())
    members = whole.get("properties", {}).items()
    return tuple(_field(name, one, name in required, seen) for name, one in members)


def _kind(schema: Schema, seen: tuple[str, ...]) -> Field:
    title = _name(schema) or _name(_resolved(schema).get("items", {}))
    return Field(title, _type(schema), is_kind=True, text=_text_below(schema), fields=_fields(schema, seen))


def _example(parameters: Sequence[Mapping[str, Any]], content: Mapping[str, Any]) -> Example:
    query = tuple(
        (one["name"], str(one.get("example") or _value(one["schema"])))
        for one in parameters
        if one["in"] == "query" and one.get("required")
    )
    body = content.get("application/json")
    if body is None:
        return Example(query)
    return Example(query, "application/json", body["example"] if "example" in body else _value(body["schema"]))


def _value(schema: Schema) -> Any:
    """Some value that fits, with the required members of objects only."""
    whole = _kinds(_resolved(schema))[0]
    whole = _resolved(whole)
    for name in ("examples", "enum"):
        if whole.get(name):
            return whole[name][0]
    for name in ("example", "const", "default"):
        if name in whole:
            return whole[name]
    kind = whole.get("type")
    if kind == "object":
        members = whole.get("properties", {})
        return {name: _value(members[name]) for name in whole.get("required", ()) if name in members}
    if kind == "array":
        return [_value(whole.get("items", {}))]
    if kind == "string":
        return "2026-01-02T03:04:05Z" if whole.get("format") == "date-time" else "text"
    return {"integer": 1, "number": 0.9, "boolean": True}.get(str(kind), {})


def _with_variables(path: str) -> str:
    """`/traces/{traceId}` as a shell reads it: `/traces/$TRACE_ID`."""
    return re.sub(r"{(\w+)}", lambda found: "$" + re.sub(r"(?<!^)(?=[A-Z])", "_", found[1]).upper(), path)
