"""Dashboards to be read: home, the built-in ones, and people's own. Charts come in by themselves, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import NotFound, SpanwiseError
from config.rendering import render_page
from tracing.models import Dashboard
from tracing.queries import traces
from tracing.queries.dashboards import rows
from tracing.queries.dashboards.definition import Chart
from tracing.queries.dashboards.presets import BOARDS, HOME, PRESETS, Board
from tracing.queries.dashboards.rows import Panel
from tracing.views.dashboards.figures import csv_url, figure_url
from tracing.views.dashboards.looking import PAGE_FILTERS, carried, chosen_from, looked_from
from tracing.views.environments import in_environments
from tracing.views.ranges import range_labels

#: Projects that had a trace when this process looked: it need not look again.
_with_traces: set[str] = set()


@dataclass(frozen=True, slots=True)
class ShownPanel:
    """A chart on the page: where it stands, and where its figures come from."""

    panel: Panel
    figure_url: str
    csv_url: str

    @property
    def kind(self) -> str:
        """Numbers and tables have a form of their own before they are read."""
        chart = self.panel.definition.chart if self.panel.definition else None
        return "number" if chart is Chart.NUMBER else "table" if chart is Chart.TABLE else "chart"


@require_safe
@project_page(Role.VIEWER)
@in_environments
def project_home(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """What the project opens with: the built-in home, or the dashboard that somebody chose for it."""
    chosen = rows.home_dashboard(scope)
    if chosen is not None:
        return _page(request, scope, rows.panels_of(chosen), dashboard=chosen, is_home=True)
    return _page(request, scope, board_panels(BOARDS[HOME]), board=BOARDS[HOME], is_home=True)


def _is_new(scope: ProjectScope) -> bool:
    """Whether nothing was traced yet."""
    try:
        has_traces = traces.has_traces(scope)
    except SpanwiseError:  # charts say what is wrong
        return False
    if has_traces:
        _with_traces.add(scope.project_id)
    return not has_traces


@require_safe
@project_page(Role.VIEWER)
@in_environments
def dashboard_board(request: HttpRequest, scope: ProjectScope, board_id: str) -> HttpResponse:
    board = BOARDS.get(board_id)
    if board is None:
        raise NotFound("There is no such built-in dashboard.")
    return _page(request, scope, board_panels(board), board=board)


@require_safe
@project_page(Role.VIEWER)
@in_environments
def dashboard_detail(request: HttpRequest, scope: ProjectScope, dashboard_id: str) -> HttpResponse:
    dashboard = rows.get_dashboard(scope, dashboard_id)
    return _page(request, scope, rows.panels_of(dashboard), dashboard=dashboard)


def board_panels(board: Board) -> list[Panel]:
    panels = []
    for place in board.places:
        preset = PRESETS[place.preset]
        panels.append(
            Panel(
                preset.id, str(preset.name), str(preset.description), place.x, place.y, place.width, place.height,
                preset.definition, preset_id=preset.id,
            )
        )  # fmt: skip
    return panels


def shown_panels(
    scope: ProjectScope,
    panels: Sequence[Panel],
    query: QueryDict,
    dashboard: Dashboard | None = None,
    filters: str = "",
) -> list[ShownPanel]:
    """`filters`: in place of those of the dashboard."""
    dashboard_id = dashboard.pk if dashboard else ""
    shown = []
    for panel in panels:
        what = {"preset": panel.preset_id, "widget": panel.widget_id, "dashboard": dashboard_id, "filters": filters}
        shown.append(ShownPanel(panel, figure_url(scope, query, **what), csv_url(scope, query, **what)))
    return shown


def _page(
    request: HttpRequest,
    scope: ProjectScope,
    panels: Sequence[Panel],
    *,
    dashboard: Dashboard | None = None,
    board: Board | None = None,
    is_home: bool = False,
) -> HttpResponse:
    looked = looked_from(request.GET, dashboard)
    context: dict[str, Any] = {
        "scope": scope,
        "dashboard": dashboard,
        "board": board,
        "is_home": is_home,
        "may_be_new": is_home and dashboard is None and scope.project_id not in _with_traces,
        # Asked for once the page is there: the store may be slow.
        "is_new": partial(_is_new, scope),
        "title": dashboard.name if dashboard else board.name if board else "",
        "about": dashboard.description if dashboard else board.description if board else "",
        "panels": shown_panels(scope, panels, request.GET, dashboard),
        "period": looked.period,
        "ranges": range_labels(),
        "filters": PAGE_FILTERS.values(),
        "chosen": chosen_from(request.GET),
        "boards": [(one, _board_url(scope, one.id, request.GET)) for one in BOARDS.values()],
        "may_edit": scope.role.allows(Role.MEMBER),
        # What ends in the past does not change by itself.
        "is_live": looked.period.until is None,
    }
    return render_page(request, "tracing/dashboard.html", context, fragment="begin")


def _board_url(scope: ProjectScope, board_id: str, query: QueryDict) -> str:
    """Time range, environments and filters go along."""
    kept = carried(query).urlencode()
    if board_id == HOME:
        address = reverse("tracing:project-home", args=[scope.project_id])
    else:
        address = reverse("tracing:dashboard-board", args=[scope.project_id, board_id])
    return f"{address}?{kept}" if kept else address
