"""The OpenAPI document of the public API, made from what `@describe` says of each route."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from config.describe import Description, Problem

PREFIX = "/api/public/"
#: Statuses that any route may answer, with what they mean.
_ERRORS = {
    400: "The request cannot be understood or breaks a rule.",
    401: "The key is missing or wrong.",
    403: "The key does not open this.",
    404: "There is no such thing in this project.",
    405: "The verb is not supported here.",
    413: "The body is too large.",
    422: "Reading this would take too much: narrow it.",
    503: "A store that is needed is away: try again later.",
}
_VERBS = {"GET": "get", "POST": "create", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}


class PublicSchema(AutoSchema):
    """Reads the description of a verb, and adds what is the same on every route: its errors, its group, its name."""

    @property
    def _described(self) -> Description:
        verb = getattr(self.view, self.method.lower())
        description: Description = verb.description_of_route
        return description

    def get_summary(self) -> str:
        return self._described.summary

    def get_description(self) -> str:
        return self._described.text

    def is_deprecated(self) -> bool:
        return self._described.is_deprecated

    def get_override_parameters(self) -> list[OpenApiParameter]:
        return [
            OpenApiParameter(
                one.name,
                one.schema,
                OpenApiParameter.QUERY,
                required=one.is_required,
                description=one.description,
                explode=True if one.schema["type"] == "array" else None,
            )
            for one in self._described.query
        ]

    def get_request_serializer(self) -> Any:
        return self._described.body

    def get_response_serializers(self) -> Any:
        described = self._described.answers
        errors = {
            status: OpenApiResponse(Problem, description=text)
            for status, text in _ERRORS.items()
            if status not in described
        }
        return {**described, **errors}

    def get_tags(self) -> list[str]:
        return [self._words()[0]]

    def get_operation_id(self) -> str:
        parts = [part.strip("{}") for part in self._words()]
        return "_".join([_VERBS[self.method], *parts]).replace("-", "_")

    def _words(self) -> list[str]:
        """The parts of the path, a version last."""
        parts = self.path.removeprefix(PREFIX).strip("/").split("/")
        versions = [part for part in parts if part[:1] == "v" and part[1:].isdigit()]
        return [part for part in parts if part not in versions] + versions


def document() -> dict[str, Any]:
    """The whole OpenAPI 3 document."""
    from drf_spectacular.generators import SchemaGenerator

    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made
