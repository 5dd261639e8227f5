"""Errors of evaluators and rules: a message, a code for programs, and details."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rest_framework import exceptions
from rest_framework.response import Response

from config.api.describe import Parameter, Shape, Verb, describe
from config.api.errors import exception_handler
from config.api.views import PublicView
from config.errors import Invalid, SpanwiseError

_CODES = {
    401: "authentication_failed",
    403: "access_denied",
    404: "resource_not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "invalid_body",
    422: "invalid_request",
    429: "rate_limited",
}
#: of issues, where the older routes tell more than that the body is wrong
_TELLING = (
    "invalid_json_path",
    "duplicate_variable_mapping",
    "invalid_variable_mapping",
    "missing_variable_mapping",
)


class StructuredIssue(Shape):
    code: str
    message: str
    path: list[str | int]


class StructuredDetails(Shape):
    issues: list[StructuredIssue] = []
    retryAfterSeconds: int = 0


class StructuredProblem(Shape):
    """What every error of these routes answers."""

    message: str
    code: str
    details: StructuredDetails | None = None


class StructuredView(PublicView):
    #: whether codes are those of the older routes, which tell more
    has_telling_codes = False

    def get_exception_handler(self) -> Any:
        return self._handle

    def _handle(self, error: Exception, context: Any) -> Response:
        response = exception_handler(error, context)
        response.data = self._body(error, response)
        return response

    def _body(self, error: Exception, response: Response) -> dict[str, Any]:
        body: dict[str, Any] = {"message": response.data["message"], "code": self._code(error, response.status_code)}
        details: dict[str, Any] = {}
        if isinstance(error, Invalid) and error.issues:
            details["issues"] = [
                {
                    "code": str(one.get("code") or "custom"),
                    "message": str(one.get("message") or ""),
                    "path": [part if isinstance(part, int) else str(part) for part in _parts(one.get("path"))],
                }
                for one in error.issues
            ]
            first = details["issues"][0]["message"]
            body["message"] = f"{body['message']}: {first}" if first else body["message"]
        if "Retry-After" in response:
            details["retryAfterSeconds"] = int(response["Retry-After"])
        return {**body, "details": details} if details else body

    def _code(self, error: Exception, status: int) -> str:
        if status == 409 and self.has_telling_codes and self.request.method == "DELETE":
            return "evaluator_in_use"
        if status in _CODES:
            return _CODES[status]
        if status >= 500:
            return "internal_error"
        if not isinstance(error, SpanwiseError | exceptions.APIException):
            return "invalid_request"
        if self.has_telling_codes and isinstance(error, Invalid):
            told = {one.get("code") for one in error.issues or []}
            for code in _TELLING:
                if code in told:
                    return code
        return "invalid_query" if self.request.method == "GET" else "invalid_body"


def _parts(path: Any) -> list[Any]:
    return list(path) if isinstance(path, list | tuple) else []


def describe_structured(
    summary: str, *, query: Sequence[Parameter] = (), body: Any = None, answer: Any, status: int = 200, text: str = ""
) -> Callable[[Verb], Verb]:
    """`describe`, with the errors of these routes."""
    errors = {400, 401, 403, 405, 500, 503}
    if body is not None:
        errors |= {404, 413}
    if any(one.in_path for one in query):
        errors |= {404, 409}
    if body is None:
        errors |= {422}
    answers = dict.fromkeys(errors, StructuredProblem)
    return describe(summary, query=query, body=body, answer=answer, status=status, answers=answers, text=text)
