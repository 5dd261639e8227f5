"""What every error of the public API answers, and the headers that let browsers read it."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

from config.api.values import to_json
from config.database_errors import as_ours
from config.errors import Invalid, SpanwiseError, TooMany, Unavailable

log = logging.getLogger(__name__)

#: Browsers may call from anywhere, without credentials of their own: the key travels in a header.
CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Expose-Headers": "Retry-After",
}
_ERROR_NAMES = {
    400: "InvalidRequestError",
    404: "LangfuseNotFoundError",
    405: "MethodNotAllowedError",
    409: "LangfuseConflictError",
    413: "PayloadTooLargeError",
    415: "UnsupportedMediaTypeError",
    422: "Request timed out",
    429: "RateLimitError",
    501: "NotImplementedError",
    503: "ServiceUnavailableError",
}
#: said only where clients have always been told so
_KEY_ERROR_NAMES = {401: "UnauthorizedError", 403: "ForbiddenError"}


def exception_handler(error: Exception, context: Any) -> Response:
    """The contract's body and status for anything that goes wrong."""
    response = _answer_to(error)
    if not context["view"].names_errors:
        response.data.pop("error", None)
    return response


def _answer_to(error: Exception) -> Response:
    error = as_ours(error) or error
    if isinstance(error, SpanwiseError):
        response = Response(error_body(error), status=error.status)
        if isinstance(error, TooMany | Unavailable):
            response["Retry-After"] = str(error.retry_after_seconds)
        return response
    if isinstance(error, Http404 | exceptions.NotFound):
        return _plain(404, "Not Found")
    if isinstance(error, exceptions.MethodNotAllowed):
        return _plain(405, "Method not allowed")
    if isinstance(error, exceptions.APIException):
        return _plain(error.status_code, str(error.detail))
    if isinstance(error, SuspiciousOperation):  # what Django itself refuses, such as thousands of parameters
        return _plain(400, "The request cannot be understood.")
    log.exception("the public API failed", exc_info=error)
    return Response({"message": "Internal Server Error", "error": "InternalServerError"}, status=500)


def error_body(error: SpanwiseError, *, names_key_errors: bool = False) -> dict[str, Any]:
    """Errors of keys have a message only, except on some routes."""
    body: dict[str, Any] = {"message": error.message}
    if isinstance(error, Invalid) and error.issues is not None:
        body["error"] = error.issues
    elif name := _ERROR_NAMES.get(error.status) or (names_key_errors and _KEY_ERROR_NAMES.get(error.status)):
        body["error"] = name
    return body


def _plain(code: int, message: str) -> Response:
    return Response({"message": message, "error": _ERROR_NAMES.get(code, "InvalidRequestError")}, status=code)


def answer(error: SpanwiseError, *, names_key_errors: bool = False) -> HttpResponse:
    """What a view would answer to it, outside of one."""
    headers = {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, TooMany | Unavailable) else {}
    return bare(error.status, error_body(error, names_key_errors=names_key_errors), **headers)


def failure(code: int, message: str) -> HttpResponse:
    """The contract's body outside of a view."""
    return bare(code, {"message": message, "error": _ERROR_NAMES.get(code, "InternalServerError")})


def bare(code: int, body: Any, **headers: str) -> HttpResponse:
    return HttpResponse(
        to_json(body), status=code, content_type="application/json", headers={**CORS_HEADERS, **headers}
    )
