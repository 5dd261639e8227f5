"""The one way to answer with HTML: `render_page`; and what every page's frame needs to know: `navigation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

from config.navigation import navigation, remember_project

__all__ = ["navigation", "render_page"]


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    fragment: str | Sequence[str] | None = None,
    status: int = 200,
    beside: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The whole page, or only one partial of it where htmx asked for that.

    `fragment` names the partial (or several) that may be sent alone; an element's id equals its partial's name, so
    htmx's target says which is wanted. Everything else, boosted links and restored history too, gets the whole page.
    `beside` names for a fragment the template of what follows it elsewhere on the page; it comes along out of band.
    """
    wanted = _wanted_fragment(request, (fragment,) if isinstance(fragment, str) else tuple(fragment or ()))
    values = dict(context or {})
    if wanted:
        html = render_to_string(f"{template}#{wanted}", values, request)
        for part in _out_of_band(request, (beside or {}).get(wanted)):
            html += render_to_string(part, {**values, "out_of_band": True}, request)
    else:
        remember_project(request)
        html = render_to_string(template, values, request)
    response = HttpResponse(html, status=status)
    if wanted and status >= 400:
        response["HX-Retarget"] = f"#{wanted}"  # htmx shows no error that does not say where it belongs
    # Without it the browser's Back shows a bare fragment for the page's address.
    patch_vary_headers(response, ["HX-Request", "HX-Target", "Cookie"])
    response["Cache-Control"] = "private, no-cache"
    return response


def _out_of_band(request: HttpRequest, follower: str | None) -> list[str]:
    parts = [follower] if follower else []
    return [*parts, "components/messages.html"] if len(get_messages(request)) else parts


def _wanted_fragment(request: HttpRequest, allowed: tuple[str, ...]) -> str:
    htmx = getattr(request, "htmx", None)
    if not allowed or not htmx or htmx.boosted or htmx.history_restore_request:
        return ""
    if len(allowed) == 1 and not htmx.target:
        return allowed[0]
    return htmx.target if htmx.target in allowed else ""
