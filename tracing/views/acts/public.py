"""Public links: whoever has the address of a trace that was opened reads it, without signing in, and nothing else.

The address is the trace's own, as SDKs print it. Strangers get a scope without a role: queries answer it, actions
refuse it, and templates leave out what belongs to the project.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.html import escape

from accounts.access import ProjectScope, scope_for_stranger, scope_for_user
from accounts.audit import Actor
from config.errors import NotFound
from tracing.ingest import pace
from tracing.queries import said, trace_page

View = Callable[..., HttpResponseBase]
#: named in the address of a file; files have no page of their own
_FILE = "media_id"
#: to a page of ours. Templates escape what they write, so that a tag ends at the first ">".
_LINK = re.compile(r'<a\b([^>]*?)\shref="(/[^"]*)"([^>]*)>(.*?)</a>', re.DOTALL)


def open_to_strangers(page: View) -> View:
    """Lets people who are no members through to a `@project_page` about one trace while that trace is public.

    The trace is the address's `trace_id` or its parameter `trace`; a file must have come with it. Everybody else meets
    what guards the page: sign-in, or "no such project".
    """
    show: View = page.__wrapped__  # type: ignore[attr-defined]

    @wraps(page)
    def shown(request: HttpRequest, /, *args: Any, project_id: str, **kwargs: Any) -> HttpResponseBase:
        if _is_member(request, project_id):
            return page(request, *args, project_id=project_id, **kwargs)
        trace_id = kwargs.get("trace_id") or request.GET.get("trace", "")
        scope = _stranger(request, project_id, trace_id, kwargs.get(_FILE, ""))
        if scope is None:
            return page(request, *args, project_id=project_id, **kwargs)
        response = _without_ways_in(show(request, scope, *args, **kwargs), project_id, trace_id)
        response["X-Robots-Tag"] = "noindex, nofollow"
        if response.get("Cache-Control", "").startswith("private, max-age"):
            response["Cache-Control"] = "private, no-cache"  # closed is closed: no copy outlives the link
        return response

    return login_not_required(shown)


def _without_ways_in(response: HttpResponseBase, project_id: str, trace_id: str) -> HttpResponseBase:
    """Links into the project lead strangers to a door that stays closed: their words stand without them."""
    if not isinstance(response, HttpResponse) or not response.get("Content-Type", "").startswith("text/html"):
        return response
    own = (
        escape(reverse("tracing:trace-detail", args=[project_id, trace_id])),
        *(reverse(f"tracing:{name}", args=[project_id]) for name in ("trace-raw", "record-download", "trace-download")),
        reverse("tracing:media-file", args=[project_id, "x"]).removesuffix("x/"),
    )

    def word(link: re.Match[str]) -> str:
        before, address, after, words = link.groups()
        return link[0] if address.startswith(own) else f"<span{before}{after}>{words}</span>"

    response.content = _LINK.sub(word, response.content.decode()).encode()
    return response


def _is_member(request: HttpRequest, project_id: str) -> bool:
    if not request.user.is_authenticated:
        return False
    try:
        scope_for_user(request.user, project_id)
    except NotFound:
        return False
    return True


def _stranger(request: HttpRequest, project_id: str, trace_id: str, media_id: str) -> ProjectScope | None:
    """The right to read this trace; None where there is none. Raises TooMany for who asks for too much."""
    if not trace_id:
        return None
    pace.take_reads(Actor.of(request).ip)
    try:
        scope = scope_for_stranger(project_id)
        trace = trace_page.get_trace_record(scope, trace_id)
    except NotFound:
        return None
    is_open = trace.public and (not media_id or said.has_file(scope, trace_id, media_id))
    return scope if is_open else None
