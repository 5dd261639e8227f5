"""Addresses below /api/: clients read them, and never a page."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.utils.encoding import escape_uri_path
from django.views.decorators.csrf import csrf_exempt

from config.api.errors import bare, failure

_API_PATH = re.compile(r"/+api(?:/|\Z)")
_SLASHES = re.compile("//+")


def is_api_path(path: str) -> bool:
    """Whether clients, and no people, ask for this: also with the slashes that a base address ending in one brings."""
    return _API_PATH.match(path) is not None


def tidy_path(path: str) -> str:
    """Without repeated slashes, and without one at the end."""
    return _SLASHES.sub("/", path).rstrip("/")


@csrf_exempt
def not_found(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Any path below /api/ that is nobody's: clients want JSON, never a page.

    One that only has slashes too many is sent to the right one. 308 keeps verb and body.
    """
    path = tidy_path(request.path_info)
    if path != request.path_info and resolve(path).func is not not_found:
        query = request.META.get("QUERY_STRING", "")
        location = f"{escape_uri_path(path)}{'?' if query else ''}{query}"
        return bare(308, {"message": f"Moved to {path}"}, Location=location)
    return failure(404, "Not Found")
