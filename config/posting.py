"""Addresses that forms are sent to."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse

View = Callable[..., HttpResponseBase]
#: the arguments that a form's address shares with its page
_SHARED = ("project_id", "organization_id")


def posted_from(page: str) -> Callable[[View], View]:
    """Turns a view into one that answers POST, for a form on `page`. Asked for by GET, it leads there.

    The answer may be a page: what was wrong with the form, or a new key. People reload that, keep its address, and
    come back to it after signing in.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def posted(request: HttpRequest, /, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST":
                return view(request, *args, **kwargs)
            if request.method in ("GET", "HEAD"):
                shared = {name: kwargs[name] for name in _SHARED if name in kwargs}
                return HttpResponseRedirect(reverse(page, kwargs=shared))
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])

        posted.posted_from = page  # type: ignore[attr-defined]
        return posted

    return decorate


def page_of(match: Any) -> str:
    """The name of the page that a request shows: for a form's answer, the one that holds the form."""
    name: str = getattr(match.func, "posted_from", match.view_name) if match else ""
    return name
