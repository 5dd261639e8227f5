"""What people choose about a trace: a star, tags, and whether anybody with the link may read it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Invalid, NotFound
from config.posting import posted_from
from config.rendering import render_page
from tracing.actions import traces
from tracing.analytics.records import Trace
from tracing.queries import said, trace_page

_LIST = "tracing:trace-list"


@posted_from(_LIST)
@project_page(Role.MEMBER)
def bookmark(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    trace_id = _trace_id(request)
    _require_known(traces.bookmark_traces(scope, [trace_id], bookmarked=request.POST.get("bookmarked") == "1"))
    return _done(request, scope, trace_id)


@posted_from(_LIST)
@project_page(Role.MEMBER)
def tag(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """Adds `add` and removes `remove`; both may come several times."""
    trace_id = _trace_id(request)
    try:
        added, removed = request.POST.getlist("add"), request.POST.getlist("remove")
        _require_known(traces.tag_traces(scope, [trace_id], add=added, remove=removed))
    except Invalid as refusal:
        messages.error(request, refusal.message)
    return _done(request, scope, trace_id)


@posted_from(_LIST)
@project_page(Role.MEMBER)
def publish(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    trace_id = _trace_id(request)
    is_public = request.POST.get("public") == "1"
    trace_page.get_trace_record(scope, trace_id)
    traces.publish_traces(scope, [trace_id], public=is_public, actor=Actor.of(request))
    if is_public:
        messages.success(request, _("Anybody with the link can read this trace now."))
    else:
        messages.success(request, _("The link is closed: only members of the project can read this trace."))
    return _done(request, scope, trace_id)


@require_safe
@project_page(Role.MEMBER)
def tag_names(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Tags in use, as options to choose from."""
    response = render(request, "tracing/acts/_tag_names.html", {"tags": said.list_tags(scope)})
    response["Cache-Control"] = "private, max-age=30"
    return response


def _trace_id(request: HttpRequest) -> str:
    """That of the `trace` in the form. Raises NotFound without one."""
    trace_id = request.POST.get("trace", "")
    if not trace_id:
        raise NotFound(_("There is no such trace in this project."))
    return trace_id


def _require_known(found: list[Trace]) -> None:
    if not found:
        raise NotFound(_("There is no such trace in this project."))


def _done(request: HttpRequest, scope: ProjectScope, trace_id: str) -> HttpResponseBase:
    if not getattr(request, "htmx", None):
        return see_other(reverse("tracing:trace-detail", args=[scope.project_id, trace_id]))
    get_token(request)
    trace = trace_page.get_trace_record(scope, trace_id)
    return render_page(request, "tracing/acts/trace.html", {"scope": scope, "trace": trace}, fragment="trace-acts")
