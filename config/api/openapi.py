"""The OpenAPI document of the public API, made from what `@describe` says of each route."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from config.api.describe import ORGANIZATION_KEY, PROJECT_KEY, PUBLIC_KEY, Description, Parameter, Problem
from config.api.views import KeyView, OpenView, OrganizationView

PREFIX = "/api/public/"
_JSON = "application/json"
#: Statuses that any route may answer, with what they mean.
_ERRORS = {
    400: "The request cannot be understood or breaks a rule.",
    401: "The key is missing or wrong.",
    403: "The key does not open this.",
    404: "There is no such thing in this project.",
    413: "The body is too large.",
    422: "Reading this would take too much: narrow it.",
    429: "More than this key may hand in: try again later.",
    503: "A store that is needed is away: try again later.",
}
_MEANINGS = {
    **_ERRORS,
    200: "Done.",
    201: "Created.",
    202: "Accepted: it is done soon.",
    204: "Done; there is nothing to say.",
    207: "Each item has a status of its own.",
    304: "Not changed since the version that was asked about.",
    409: "It clashes with what is there.",
    501: "This is not offered here.",
}
_VERBS = {"GET": "get", "POST": "create", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}
_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")

#: Groups of routes in the order of the document: their words in an address, a title, and what they are about.
GROUPS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("traces",), "Traces", "One run of a program: what went in, what came out, and all that happened between."),
    (("observations",), "Observations", "The steps of a trace: spans, generations, tools, events."),
    (("sessions",), "Sessions", "Traces that belong together, such as the turns of one conversation."),
    (("scores",), "Scores", "Judgements about traces, observations, sessions and experiment runs."),
    (("score-configs",), "Score configs", "What scores of a name may be: their type, bounds and categories."),
    (("metrics",), "Metrics", "Numbers over many traces, observations or scores, grouped and in time."),
    (("comments",), "Comments", "Notes of people on traces, observations and sessions."),
    (("media",), "Media", "Images, sound and files that belong to inputs and outputs."),
    (("models",), "Models", "Names of models and their prices."),
    (("prompts",), "Prompts", "Versions of prompts and their labels."),
    (("llm-connections",), "LLM connections", "Where a project's calls to models go, and with whose key."),
    (("datasets", "dataset-items", "dataset-run-items"), "Datasets", "Items to test with, and runs over them."),
    (("experiments", "experiment-items"), "Experiments", "What runs over datasets gave."),
    (("evaluators", "evaluation-rules", "unstable"), "Evaluators", "Judges, and the rules by which they score."),
    (("annotation-queues",), "Annotation queues", "What waits for people to score it."),
    (("projects", "organizations"), "Projects and organizations", "Projects, their keys and their people."),
    (
        ("otel", "ingestion", "spans", "generations", "events"),
        "Ingestion",
        "How traces come in. OpenTelemetry is the way; batches and single writes are for older clients.",
    ),
    (("health", "ready", "openapi.json"), "Instance", "Whether it is well, and this document."),
)
_TITLES = {word: title for words, title, _ in GROUPS for word in words}


def document_path(route: str) -> str:
    """The path in the document of a route as Django writes it: `traces/<id:trace_id>` is `/traces/{traceId}` there."""
    return "/" + _CONVERTER.sub(lambda found: f"{{{_camel(found[1])}}}", route)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


@cache
def document() -> dict[str, Any]:
    """The whole OpenAPI 3.1 document. The same for as long as the process lives."""
    made: dict[str, Any] = _Generator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    used = {tag for verbs in made["paths"].values() for operation in verbs.values() for tag in operation["tags"]}
    made["tags"] = [{"name": title, "description": text} for _, title, text in GROUPS if title in used]
    return made


class PublicSchema(AutoSchema):
    """Reads the description of a verb, and adds what is the same on every route: its errors, its group, its name."""

    registry: Shapes

    @property
    def _described(self) -> Description:
        verb = getattr(self.view, self.method.lower())
        description: Description = verb.description_of_route
        return description

    def is_excluded(self) -> bool:
        return not hasattr(getattr(self.view, self.method.lower()), "description_of_route")

    def get_summary(self) -> str:
        return self._described.summary

    def get_description(self) -> str:  # type: ignore[override]
        return self._described.text

    def is_deprecated(self) -> bool:
        return self._described.is_deprecated

    def get_tags(self) -> list[str]:
        return [_TITLES.get(self._words()[0], self._words()[0])]

    def get_operation_id(self) -> str:
        parts = [part.strip("{}") for part in self._words()]
        return re.sub(r"\W", "_", "_".join([_VERBS[self.method], *parts]))

    def get_auth(self) -> list[dict[str, list[str]]]:
        return [{name: []} for name in self._keys()]

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            operation["security"] = self.get_auth()  # an empty list says that it is open; the library leaves it out
        return operation

    def _keys(self) -> tuple[str, ...]:
        if self._described.keys is not None:
            return self._described.keys
        if isinstance(self.view, OpenView):
            return ()
        if isinstance(self.view, OrganizationView):
            return (ORGANIZATION_KEY,)
        return (PROJECT_KEY, ORGANIZATION_KEY) if isinstance(self.view, KeyView) else (PROJECT_KEY,)

    def _get_parameters(self) -> list[dict[str, Any]]:
        words = {one.name: one for one in self._described.query if one.in_path}
        names = re.findall(r"{(\w+)}", self.path)
        parts = [words.get(name) or _part_of_path(name) for name in names]
        return [_parameter(one) for one in (*parts, *(one for one in self._described.query if not one.in_path))]

    def _get_request_body(self, direction: Any = "request") -> dict[str, Any] | None:
        described = self._described
        if described.body is None:
            return None
        kinds = described.body if isinstance(described.body, Mapping) else {_JSON: described.body}
        content = {media: {"schema": self.registry.of(shape, "validation")} for media, shape in kinds.items()}
        if described.example is not None:
            content[_JSON]["example"] = described.example
        return {"content": content, "required": not described.is_body_optional}

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        answers = {**dict.fromkeys(self._usual_errors(), Problem), **self._described.answers}
        return {str(status): self._answer(status, answers[status]) for status in sorted(answers)}

    def _answer(self, status: int, shape: Any) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": _MEANINGS.get(status) or HTTPStatus(status).phrase}
        if shape is not None:
            answer["content"] = {_JSON: {"schema": self.registry.of(shape, "serialization")}}
        if status in (429, 503):
            answer["headers"] = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds to wait."}}
        return answer

    def _usual_errors(self) -> set[int]:
        """Those of the list that can come about here."""
        keys, has_body = self._keys(), self._described.body is not None
        impossible = set() if keys else {401, 403, 422}  # without a key there are no data that could be too much
        if PUBLIC_KEY not in keys:
            impossible.add(429)
        if not has_body:
            impossible.add(413)
        if not has_body and "{" not in self.path:
            impossible.add(404)
        if self.method != "GET":
            impossible.add(422)
        return set(_ERRORS) - impossible

    def _words(self) -> list[str]:
        """The parts of the path, a version last."""
        parts = self.path.removeprefix(PREFIX).strip("/").split("/")
        versions = [part for part in parts if part[:1] == "v" and part[1:].isdigit()]
        return [part for part in parts if part not in versions] + versions


class Shapes(ComponentRegistry):
    """The shapes of all routes, turned into JSON schemas in one go, so that each name is given once."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[tuple[str, JsonSchemaMode], tuple[Any, list[dict[str, Any]]]] = {}

    def of(self, shape: Any, mode: JsonSchemaMode) -> dict[str, Any]:
        """A schema that `build` fills in. `mode`: whether it comes in (validation) or goes out (serialization)."""
        schema: dict[str, Any] = {}
        _, schemas = self._asked.setdefault((repr(shape), mode), (shape, []))
        schemas.append(schema)
        return schema

    def build(self, extra_components: Any) -> Any:
        wanted = [(key, key[1], TypeAdapter(shape)) for key, (shape, _) in self._asked.items()]
        made, definitions = TypeAdapter.json_schemas(
            wanted, ref_template="#/components/schemas/{model}", schema_generator=_Schemas
        )
        for key, _, _ in wanted:
            for schema in self._asked[key][1]:
                schema.update(made[key, key[1]])
        for name, schema in definitions.get("$defs", {}).items():
            component = ResolvedComponent(name, ResolvedComponent.SCHEMA, schema, name)  # type: ignore[no-untyped-call]
            self.register(component)
        return super().build(extra_components)


class _Schemas(GenerateJsonSchema):
    """Without titles that repeat the names of fields; the default of what we answer is only "may be absent"."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if self.mode == "serialization" or made.get("default", ...) is None:
            made.pop("default", None)
        return made


class _Generator(SchemaGenerator):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.registry = Shapes()


def _part_of_path(name: str) -> Parameter:
    return Parameter(name, {"type": "string", "minLength": 1}, is_required=True, in_path=True)


def _parameter(one: Parameter) -> dict[str, Any]:
    made: dict[str, Any] = {"name": one.name, "in": "path" if one.in_path else "query", "schema": one.schema}
    if one.is_required:
        made["required"] = True
    elif not one.in_path and one.schema["type"] != "array":
        made["allowEmptyValue"] = True  # as if it were not there
    if one.description:
        made["description"] = one.description
    if one.example is not None:
        made["example"] = one.example
    return made
