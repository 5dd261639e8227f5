"""For what Django itself refuses: pages for people, JSON for clients of the public API."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

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


def unknown_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without this reader's secret: nearly always of a page from before they signed in anew elsewhere."""
    if request.user.is_authenticated:
        return error_page(request, 403, _("The page is from before you last signed in. Read it again and repeat that."))
    return error_page(
        request, 403, _("The cookie that belongs to this form was not sent. Allow cookies and try again.")
    )


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Where allauth limits how often somebody may try."""
    return error_page(request, 429, "")


def failed(request: HttpRequest) -> HttpResponse:
    return _failure(request, 500, "Internal Server Error")


def _failure(request: HttpRequest, status: int, message: str) -> HttpResponse:
    if is_api_path(request.path_info):
        return failure(status, message)
    return error_page(request, status, message if status == 403 else "")
