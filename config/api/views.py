"""What every route of the public API shares: keys, JSON in and out, preflights and wrong verbs."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import IO, Any

from django.conf import settings
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
from accounts.audit import Actor
from config.api.body import Body
from config.api.errors import CORS_HEADERS, exception_handler
from config.api.values import from_json, to_json
from config.errors import Forbidden

log = logging.getLogger(__name__)

#: Allowed when a preflight does not name the headers itself: "*" would not cover Authorization.
_USUAL_HEADERS = (
    "Authorization, Content-Type, Content-Encoding, X-Langfuse-Sdk-Name, X-Langfuse-Sdk-Version, "
    "X-Langfuse-Sdk-Variant, X-Langfuse-Sdk-Integration, X-Langfuse-Public-Key, X-Langfuse-Ingestion-Version"
)


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

    @property
    def actor(self) -> Actor:
        """Who acts, for the log of changes."""
        return Actor.key(self.request._request, self.opened.public_key)

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
