"""What every route of the public API shares: keys, JSON in and out, error bodies, and who may call from a browser."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, Any

import orjson
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import resolve
from django.utils.encoding import escape_uri_path
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, status
from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import access
from accounts.access import AccessLevel, KeyAccess, OrganizationScope, ProjectScope
from config.body import Body, parse_json
from config.errors import Forbidden, Invalid, SpanwiseError, Unavailable

log = logging.getLogger(__name__)

#: Browsers may call from anywhere, without credentials of their own: the key travels in a header.
CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Expose-Headers": "Retry-After",
}
#: Allowed when a preflight does not name the headers itself: "*" would not cover Authorization.
_USUAL_HEADERS = (
    "Authorization, Content-Type, Content-Encoding, X-Langfuse-Sdk-Name, X-Langfuse-Sdk-Version, "
    "X-Langfuse-Sdk-Variant, X-Langfuse-Sdk-Integration, X-Langfuse-Public-Key, X-Langfuse-Ingestion-Version"
)
_API_PATH = re.compile(r"/+api(?:/|\Z)")
_SLASHES = re.compile("//+")
_ERROR_NAMES = {
    400: "InvalidRequestError",
    404: "LangfuseNotFoundError",
    405: "MethodNotAllowedError",
    409: "LangfuseConflictError",
    413: "PayloadTooLargeError",
    415: "UnsupportedMediaTypeError",
    422: "Request timed out",
    501: "NotImplementedError",
    503: "ServiceUnavailableError",
}


class ApiKeyAuthentication(BaseAuthentication):
    """`request.auth` becomes the `KeyAccess` that the Authorization header opens."""

    def authenticate(self, request: Request) -> tuple[None, KeyAccess]:
        return None, access.authenticate(request.META.get("HTTP_AUTHORIZATION"))


class HasProjectKey(BasePermission):
    """Only the full key of a project passes."""

    def has_permission(self, request: Request, view: Any) -> bool:
        opened: Any = request.auth
        if opened.scope is None:
            raise Forbidden(access.ORGANIZATION_KEY)
        if opened.level is not AccessLevel.PROJECT:
            raise Forbidden(access.PUBLIC_KEY_ONLY)
        return True


class JsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        # A 204 has no body: bytes there would be taken for the start of the next answer.
        has_body = renderer_context is None or renderer_context["response"].status_code != status.HTTP_204_NO_CONTENT
        return to_json(data) if has_body else b""


class JsonParser(BaseParser):
    media_type = "*/*"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        return from_json(stream.read())


class AlwaysJson(BaseContentNegotiation):
    """Browsers and curl say that they want HTML or text, and mean the data; `format` is no parameter of ours."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        return next(iter(parsers), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return JsonRenderer(), JsonRenderer.media_type


def to_json(data: Any) -> bytes:
    return orjson.dumps(data, default=_to_json_value, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS)


def _to_json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Decimal):
        return as_number(value)
    raise TypeError(type(value).__name__)


def iso(moment: datetime) -> str:
    """UTC with milliseconds and `Z`, as clients compare it."""
    if moment.tzinfo is not UTC:  # those of the store already are, and a trace has thousands
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def as_number(value: Decimal) -> int | float:
    """JavaScript writes whole numbers without a fraction, and so do we."""
    return int(value) if value == value.to_integral_value() else float(value)


def from_json(body: bytes) -> Any:
    try:
        document = parse_json(body)
    except ValueError:
        raise Invalid("Invalid JSON") from None
    if rb"\u0000" in body and _holds_nul(document):  # PostgreSQL refuses it, in text and in JSON
        raise Invalid("Text must not hold the character U+0000.")
    return document


def _holds_nul(document: Any) -> bool:
    todo = [document]
    while todo:
        value = todo.pop()
        if isinstance(value, str) and "\x00" in value:
            return True
        if isinstance(value, dict):
            todo += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            todo += value
    return False


def is_api_path(path: str) -> bool:
    """Whether clients, and no people, ask for this: also with the slashes that a base address ending in one brings."""
    return _API_PATH.match(path) is not None


def tidy_path(path: str) -> str:
    """Without repeated slashes, and without one at the end."""
    return _SLASHES.sub("/", path).rstrip("/")


class PublicView(APIView):
    """A route of the public API: needs a project key unless it says otherwise, answers preflights and HEAD."""

    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [HasProjectKey]
    renderer_classes = [JsonRenderer]
    parser_classes = [JsonParser]
    content_negotiation_class = AlwaysJson
    #: whether bodies of errors name their kind beside the message
    names_errors = True

    @property
    def scope(self) -> ProjectScope:
        scope = self.opened.scope
        if scope is None:
            raise Forbidden
        return scope

    @property
    def opened(self) -> KeyAccess:
        """What the key of this request opens."""
        opened: Any = self.request.auth
        return opened  # type: ignore[no-any-return]

    def get_exception_handler(self) -> Any:
        return exception_handler

    def body(self) -> Any:
        """The JSON body; an empty one is the empty object."""
        with Body(self.request._request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE) as raw:
            return from_json(raw) if raw.strip() else {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if request.method == "OPTIONS":
            return
        # A wrong verb is told before the key is looked at, as it does not depend on who asks.
        if request.method and request.method.lower() not in self._verbs():
            raise exceptions.MethodNotAllowed(request.method)
        super().initial(request, *args, **kwargs)

    def _verbs(self) -> set[str]:
        return {name for name in self.http_method_names if hasattr(self, name)}

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        response = Response(status=status.HTTP_204_NO_CONTENT)
        response["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", _USUAL_HEADERS)
        response["Access-Control-Max-Age"] = "86400"
        return response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        for name, value in CORS_HEADERS.items():
            answer[name] = value
        if isinstance(answer, Response):
            answer.add_post_render_callback(self._let_go)
        return answer

    def _let_go(self, answer: Any) -> None:
        """View, request and answer hold one another. Cut loose, an answer of megabytes is freed when it is sent and not
        when the cycle collector comes by: 220 MB instead of 480 after some traces of 5,000 spans."""
        answer.data, answer.renderer_context = None, {}
        del self.response


class OpenView(PublicView):
    """A route without a key."""

    authentication_classes = []
    permission_classes = []


class KeyView(PublicView):
    """A route that decides for itself which kinds of key it takes."""

    permission_classes = []


class OrganizationView(PublicView):
    """A route for keys of organizations. Its errors carry a message alone."""

    permission_classes = []
    names_errors = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.organization  # noqa: B018 - a key of a project ends here, whatever it asked for

    @property
    def organization(self) -> OrganizationScope:
        return access.organization_scope_for_key(self.opened)


class PostedElsewhere(OpenView):
    """Paths whose POST is answered before Django's middleware: only preflights and wrong verbs come here."""


def exception_handler(error: Exception, context: Any) -> Response:
    """The contract's body and status for anything that goes wrong."""
    response = _answer_to(error)
    if not context["view"].names_errors:
        response.data.pop("error", None)
    return response


def _answer_to(error: Exception) -> Response:
    if isinstance(error, SpanwiseError):
        response = Response(error_body(error), status=error.status)
        if isinstance(error, Unavailable):
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


def error_body(error: SpanwiseError) -> dict[str, Any]:
    """Errors of credentials have a message only."""
    body: dict[str, Any] = {"message": error.message}
    if isinstance(error, Invalid) and error.issues is not None:
        body["error"] = error.issues
    elif name := _ERROR_NAMES.get(error.status):
        body["error"] = name
    return body


def _plain(code: int, message: str) -> Response:
    return Response({"message": message, "error": _ERROR_NAMES.get(code, "InvalidRequestError")}, status=code)


@csrf_exempt
def not_found(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Any path below /api/ that is nobody's: clients want JSON, never a page.

    One that only has slashes too many is sent to the right one. 308 keeps verb and body.
    """
    path = tidy_path(request.path_info)
    if path != request.path_info and resolve(path).func is not not_found:
        query = request.META.get("QUERY_STRING", "")
        location = f"{escape_uri_path(path)}{'?' if query else ''}{query}"
        return _bare(308, {"message": f"Moved to {path}"}, Location=location)
    return failure(404, "Not Found")


def failure(code: int, message: str) -> HttpResponse:
    """The contract's body outside of a view."""
    return _bare(code, {"message": message, "error": _ERROR_NAMES.get(code, "InternalServerError")})


def _bare(code: int, body: Any, **headers: str) -> HttpResponse:
    return HttpResponse(
        to_json(body), status=code, content_type="application/json", headers={**CORS_HEADERS, **headers}
    )
