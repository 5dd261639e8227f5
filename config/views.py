"""For what Django itself refuses: pages for people, JSON for clients of the public API."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from config.api.errors import failure
from config.api.paths import is_api_path
from config.middleware import error_page


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Such as a host name that is none, or that this instance does not have."""
    if is_api_path(request.path_info):
        return failure(400, "The request cannot be understood.")
    return HttpResponse("The request cannot be understood.", status=400, content_type="text/plain")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _failure(request, 404, "Not Found")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _failure(request, 403, str(exception))


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Where allauth limits how often somebody may try."""
    return error_page(request, 429, "")


def failed(request: HttpRequest) -> HttpResponse:
    return _failure(request, 500, "Internal Server Error")


def _failure(request: HttpRequest, status: int, message: str) -> HttpResponse:
    if is_api_path(request.path_info):
        return failure(status, message)
    return error_page(request, status, message if status == 403 else "")
