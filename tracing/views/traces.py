"""Traces: the list with its filters."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import SpanwiseError, TooExpensive, Unavailable
from config.rendering import render_page
from tracing.forms import trace_filters_from
from tracing.queries import pages
from tracing.views.facets import applied, facets
from tracing.views.pulse import draw

#: the menu of time ranges keeps the filters in its links
RANGE_BESIDE_RESULTS = {"results": "components/time_range.html"}


@require_safe
@project_page(Role.VIEWER)
def trace_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    filters = trace_filters_from(request.GET)
    page, problem = None, None
    try:
        page = pages.list_trace_page(scope, filters)
    except (TooExpensive, Unavailable) as error:
        problem = error  # the filters stay, so that they can be changed
    context = {
        "scope": scope,
        "filters": filters,
        "period": filters.period,
        "applied": applied(filters),
        "page": page,
        "problem": problem,
        "ranges": range_labels(),
        "facets": cache(lambda: facets(scope, filters)),
        "pulse": cache(lambda: _pulse(request, scope, filters)),
        "is_new_project": cache(lambda: not pages.has_traces(scope)),
    }
    status = problem.status if problem else 200
    return render_page(
        request,
        "tracing/trace_list.html",
        context,
        fragment=("results", "pulse"),
        status=status,
        beside=RANGE_BESIDE_RESULTS,
    )


def range_labels() -> list[tuple[str, str]]:
    return [
        ("1h", _("Past hour")),
        ("24h", _("Past 24 hours")),
        ("7d", _("Past 7 days")),
        ("30d", _("Past 30 days")),
        ("90d", _("Past 90 days")),
        ("all", _("All time")),
    ]


def _pulse(request: HttpRequest, scope: ProjectScope, filters: pages.TraceFilters) -> Any:
    try:
        return draw(pages.pulse(scope, filters), request.GET)
    except SpanwiseError:
        return None  # the strip is an aid: the list says what is wrong
