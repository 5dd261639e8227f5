"""Traces: the list with its filters, and one trace as tree, timeline and conversation."""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import NotFound, SpanwiseError, TooExpensive, Unavailable
from config.rendering import render_page
from tracing.analytics.records import Observation, Score, Trace
from tracing.forms import text_from, trace_filters_from
from tracing.queries import pages, trace_page
from tracing.queries.pages import Sums
from tracing.views import tree as trees
from tracing.views.facets import applied, facets
from tracing.views.pulse import draw
from tracing.views.shown import ShownObservation, ShownTrace

#: rows that are in the HTML itself; the browser draws the rest from data, and without a script there is a link
ROWS_IN_PAGE = 100
VIEWS = ("pretty", "json")
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


@require_safe
@project_page(Role.VIEWER)
def trace_detail(request: HttpRequest, scope: ProjectScope, trace_id: str) -> HttpResponse:
    trace = trace_page.get_trace_record(scope, trace_id)
    find = text_from(request.GET, "find")
    page = _TracePage(scope, trace, request.GET.get("observation", ""), find)
    context = {
        "scope": scope,
        "trace": trace,
        "page": page,
        "find": find,
        "view": "json" if request.GET.get("view") == "json" else "pretty",
        "show_all": request.GET.get("rows") == "all",
    }
    return render_page(request, "tracing/trace_detail.html", context, fragment=("observation", "tree-data"))


class _TracePage:
    """Read lazily: a fragment asks only for what it shows."""

    def __init__(self, scope: ProjectScope, trace: Trace, observation_id: str, find: str) -> None:
        self._scope, self.trace, self._observation_id, self._find = scope, trace, observation_id, find
        self.nodes = cache(lambda: trace_page.list_nodes(scope, trace))
        self.scores = cache(lambda: trace_page.list_trace_scores(scope, trace.id))
        self.tree = cache(self._tree)
        self.shown = cache(self._shown)

    def _tree(self) -> trees.Tree:
        only = trace_page.find_in_trace(self._scope, self.trace, self._find) if self._find else None
        return trees.grow(self.nodes(), only=only, missing_name=_("Parent not received"))

    def data(self) -> dict[str, Any]:
        return trees.compact(self.tree())

    @property
    def has_trace_row(self) -> bool:
        """The trace is shown by itself where it says what none of its observations does."""
        return bool(self.trace.input or self.trace.output or not self.trace.root_id)

    @property
    def selected_id(self) -> str:
        if self._observation_id or self.has_trace_row:
            return self._observation_id
        return self.trace.root_id

    def _shown(self) -> ShownObservation | ShownTrace:
        if not self.selected_id:
            return ShownTrace(self._scope, self.trace, self._scores_of(""))
        try:
            record = trace_page.get_observation(self._scope, self.trace, self.selected_id)
        except NotFound:
            if self._observation_id:
                raise
            return ShownTrace(self._scope, self.trace, self._scores_of(""))
        return ShownObservation(self._scope, self.trace, record, self._scores_shown_with(record))

    def _scores_of(self, observation_id: str) -> list[Score]:
        return [score for score in self.scores() if score.observation_id == observation_id]

    def _scores_shown_with(self, record: Observation) -> list[Score]:
        own = self._scores_of(record.id)
        return own + self._scores_of("") if record.id == self.trace.root_id and not self.has_trace_row else own

    @cached_property
    def sums(self) -> Sums:
        nodes = self.nodes()
        ends = [node.end_time for node in nodes if node.end_time]
        latency = (max(ends) - min(node.start_time for node in nodes)).total_seconds() if ends else None
        return Sums(
            observations=len(nodes),
            errors=sum(node.level == "ERROR" for node in nodes),
            warnings=sum(node.level == "WARNING" for node in nodes),
            latency_us=round(max(0.0, latency) * 1_000_000) if latency is not None else None,
            tokens=sum(node.total_tokens for node in nodes),
            cost=sum((node.total_cost for node in nodes), start=Sums().cost),
        )

    @cached_property
    def models(self) -> list[str]:
        return sorted({node.model for node in self.nodes() if node.model})

    @property
    def first_rows(self) -> list[trees.Row]:
        return self.tree().rows[:ROWS_IN_PAGE]
