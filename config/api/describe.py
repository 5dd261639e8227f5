"""How a route of the public API describes itself: `@describe(…)` on each of its verbs.

Nothing here is read while requests are answered. `config/api/openapi.py` makes the document of it, and only then is the
machinery for that imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, WithJsonSchema

Verb = TypeVar("Verb", bound=Callable[..., Any])

#: Bytes as they are, in a body that is no JSON.
Binary = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]

#: What may open a route; the values are names of the security schemes in the document.
PROJECT_KEY = "projectKey"
ORGANIZATION_KEY = "organizationKey"
PUBLIC_KEY = "publicKey"


class Shape(BaseModel):
    """A JSON object that we answer. Answers themselves are made by plain functions, this only says how they look.

    Fields are named as on the wire. One with a default may be absent; one that is not named is a mistake.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)


class Given(BaseModel):
    """A JSON body that clients send. Fields that are not named are ignored."""

    model_config = ConfigDict(extra="allow", defer_build=True)


class Problem(Shape):
    """What every error answers. `error` names its kind, or lists each field that is wrong; it may be absent."""

    message: str
    error: str | list[dict[str, Any]] = ""


class Message(Shape):
    message: str


class PageMeta(Shape):
    page: int
    limit: int
    totalItems: int
    totalPages: int


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    schema: dict[str, Any]
    description: str = ""
    is_required: bool = False
    in_path: bool = False
    example: Any = None


_TYPES = {str: "string", int: "integer", float: "number"}


def parameter(
    name: str,
    description: str = "",
    kind: Any = str,
    *,
    low: int | None = None,
    high: int | None = None,
    default: Any = None,
    choices: Sequence[str] = (),
    many: bool = False,
    required: bool = False,
    example: Any = None,
) -> Parameter:
    """One parameter of the query. `kind` is str, int, float, bool or "time"; `many`: repeated or with commas."""
    if kind is bool:
        schema: dict[str, Any] = {"type": "string", "enum": ["true", "false"]}
    elif kind == "time":
        schema = {"type": "string", "format": "date-time"}
    else:
        schema = {"type": _TYPES[kind]}
    more = {"minimum": low, "maximum": high, "default": default, "enum": list(choices) or None}
    schema |= {key: value for key, value in more.items() if value is not None}
    return Parameter(
        name, {"type": "array", "items": schema} if many else schema, description, required, example=example
    )


def in_path(name: str, description: str) -> Parameter:
    """Words for a part of the address; `name` as in the route, such as `trace_id`."""
    return Parameter(name, {"type": "string", "minLength": 1}, description, is_required=True, in_path=True)


#: Of the lists that are read by number.
PAGE = (
    parameter("page", "Which page, from 1.", int, low=1, high=10_000_000, default=1),
    parameter("limit", "How many on a page.", int, low=1, high=100, default=50),
)


@dataclass(frozen=True, slots=True)
class Description:
    """`body` and the values of `answers` (by status) are shapes, or None where there is none.

    A `body` that is a mapping has a shape for each of several media types.
    """

    summary: str
    query: tuple[Parameter, ...] = ()
    body: Any = None
    answers: Mapping[int, Any] = field(default_factory=dict)
    text: str = ""
    is_deprecated: bool = False
    keys: tuple[str, ...] | None = None
    example: Any = None
    is_body_optional: bool = False


def describe(
    summary: str,
    *,
    query: Sequence[Parameter] = (),
    body: Any = None,
    answer: Any = Message,
    status: int = 200,
    answers: Mapping[int, Any] | None = None,
    text: str = "",
    deprecated: bool = False,
    keys: Sequence[str] | None = None,
    example: Any = None,
    optional_body: bool = False,
) -> Callable[[Verb], Verb]:
    """Says what a verb takes and answers. `answers` are the statuses beside the usual one that have a shape of their
    own; the errors that every route may answer are added to all. `keys`: which kinds open it, where it is not the usual
    one of its view; any of them is enough. `example` is a body that works; `query` may also hold words for parts of the
    address (`in_path`)."""
    description = Description(
        summary,
        tuple(query),
        body,
        {status: answer, **(answers or {})},
        text,
        deprecated,
        None if keys is None else tuple(keys),
        example,
        optional_body,
    )

    def attach(verb: Verb) -> Verb:
        verb.description_of_route = description  # type: ignore[attr-defined]
        return verb

    return attach
