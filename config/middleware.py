"""What every request passes: the short way for ingestion, the sign-in rule, and errors as pages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, HttpResponseRedirectBase
from django.shortcuts import render
from django.utils import timezone

from config.api.errors import failure
from config.api.paths import is_api_path, tidy_path
from config.database_errors import as_ours
from config.errors import SpanwiseError

#: set by the browser (static/js/time.js)
TIME_ZONE_COOKIE = "timezone"

GetResponse = Callable[[HttpRequest], HttpResponse]


class IngestFastPath:
    """Answers ingestion before sessions, messages and the rest: telemetry needs none of them.

    Slashes too many, as a base address that ends in one brings, are forgiven: not every exporter follows a redirect.
    """

    def __init__(self, get_response: GetResponse) -> None:
        from tracing.ingest import receive

        self.get_response = get_response
        self._routes, self._answer = receive.ROUTES, receive.answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            handler = self._routes.get(request.path_info) or self._routes.get(tidy_path(request.path_info))
            if handler is not None:
                return self._answer(request, handler)
        return self.get_response(request)


class DeliveryFastPath:
    """Answers what programs fetch most, prompts, from memory where that still holds."""

    def __init__(self, get_response: GetResponse) -> None:
        from prompts import delivery

        self.get_response, self._answer = get_response, delivery.answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._answer(request, self.get_response)


class Hosts:
    """What servers and proxies say of the host, as Django reads it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        facts = request.META
        if facts.get("HTTP_HOST") == "":
            # granian's way to say that none was sent, as monitors with HTTP/1.0 do; Django would take it for a bad one.
            del facts["HTTP_HOST"]
        if "," in facts.get("HTTP_X_FORWARDED_HOST", ""):
            # Each of several proxies adds what it was called by. The first one was called by the client.
            facts["HTTP_X_FORWARDED_HOST"] = facts["HTTP_X_FORWARDED_HOST"].partition(",")[0].strip()
        return self.get_response(request)


class LoginRequired(LoginRequiredMiddleware):
    """Pages need a signed-in user unless marked; the public API has keys of its own."""

    def process_view(
        self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        if is_api_path(request.path_info) or request.path_info.startswith(("/accounts/", "/static/")):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)


class PartRedirects:
    """Scripts follow a redirect unasked: the sign-in page would stand among the rows. htmx is told to go itself."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.htmx and isinstance(response, HttpResponseRedirectBase):  # type: ignore[attr-defined]
            response.status_code = 200
            response["HX-Redirect"] = response["Location"]
            response["Cache-Control"] = "no-store"  # else Back may show this empty answer for the page's address
            del response["Location"]
        return response


class ReadersTimeZone:
    """Clock times are written as the reader's clock shows them, and what the reader types is read by the same clock."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with _time_zone_of(request):
            return self.get_response(request)


def _time_zone_of(request: HttpRequest) -> AbstractContextManager[None]:
    name = request.COOKIES.get(TIME_ZONE_COOKIE, "")
    if not name or len(name) > 64:
        return nullcontext()
    try:
        return timezone.override(ZoneInfo(name))
    except (KeyError, ValueError, OSError):  # what zoneinfo raises for unknown names, bad keys and directories
        return nullcontext()


class Errors:
    """Turns the project's errors into pages. The public API has its own handler."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # No id in an address holds one, and PostgreSQL fails when it is asked for one.
        if "\x00" in request.path_info:
            is_api = is_api_path(request.path_info)
            return failure(404, "Not Found") if is_api else error_page(request, 404, "")
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if is_api_path(request.path_info):
            return None
        exception = as_ours(exception) or exception
        if isinstance(exception, SpanwiseError):
            return error_page(request, exception.status, exception.message)
        if isinstance(exception, Http404):
            return error_page(request, 404, "")
        if isinstance(exception, PermissionDenied):
            return error_page(request, 403, str(exception))
        return None


def error_page(request: HttpRequest, status: int, message: str) -> HttpResponse:
    context = {"status": status, "message": message}
    if getattr(request, "htmx", None):
        response = render(request, "components/failure.html", context, status=status)
        response["HX-Retarget"], response["HX-Reswap"], response["HX-Push-Url"] = "#messages", "beforeend", "false"
        response["Cache-Control"] = "no-store"
    else:
        response = render(request, _error_template(request, status), context, status=status)
    if status == 503:
        response["Retry-After"] = "5"
    return response


def _error_template(request: HttpRequest, status: int) -> str:
    # The frame asks the database what the reader may open, which is what may have failed with 500.
    has_frame = status != 500 and request.user.is_authenticated
    return "errors/error_in_frame.html" if has_frame else "errors/error.html"
