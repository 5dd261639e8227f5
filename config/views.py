"""Pages for what Django itself refuses."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from config.middleware import error_page


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 404, "")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 403, str(exception))


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Where allauth limits how often somebody may try."""
    return error_page(request, 429, "")


def failed(request: HttpRequest) -> HttpResponse:
    return error_page(request, 500, "")
