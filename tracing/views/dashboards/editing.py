"""A dashboard's page while it is changed. What is moved, resized, added and removed is written all at once, by Save."""

from __future__ import annotations

from typing import Any

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Conflict, Invalid, NotFound, SpanwiseError
from config.posting import posted_from
from config.rendering import render_page
from tracing.actions import dashboards as actions
from tracing.models import Dashboard
from tracing.models.dashboards import GRID_WIDTH, LONGEST_DASHBOARD_NAME
from tracing.queries.dashboards import rows
from tracing.queries.dashboards.definition import LONGEST_DESCRIPTION
from tracing.queries.dashboards.files import DashboardFile, WidgetFile, read_file
from tracing.queries.dashboards.presets import PRESETS
from tracing.queries.paging import PageNumber
from tracing.views.dashboards import conditions, layouts
from tracing.views.dashboards.conditions import Row
from tracing.views.dashboards.layouts import LayoutDraft
from tracing.views.dashboards.lists import edit_url, path_words
from tracing.views.dashboards.page import shown_panels
from tracing.views.dashboards.returning import back_from
from tracing.views.dashboards.widget_drafts import chart_words
from tracing.views.dashboards.words import dimension_label

#: charts that can be chosen from; there are others by search in the list of charts
_MOST_OFFERED = 200
_LONGEST_IN_ADDRESS = 2_000


@require_safe
@project_page(Role.MEMBER)
def dashboard_edit(request: HttpRequest, scope: ProjectScope, dashboard_id: str) -> HttpResponse:
    dashboard = rows.get_dashboard(scope, dashboard_id)
    return _page(request, scope, dashboard, layouts.of_dashboard(dashboard))


@posted_from("tracing:dashboard-list")
@project_page(Role.MEMBER)
def dashboard_save(request: HttpRequest, scope: ProjectScope, dashboard_id: str) -> HttpResponse:
    """`do` says what. `save`, and what leads elsewhere, write the layout; all else only changes it on the page."""
    dashboard = rows.get_dashboard(scope, dashboard_id)
    draft, wish = layouts.of_post(scope, request.POST), request.POST.get("do", "save")
    name, _colon, what = wish.partition(":")
    if name in ("save", "save-anyway", "new", "edit", "duplicate", "copy", "paste"):
        return _save(request, scope, dashboard, draft, name, what)
    conditions.change_lines(draft.conditions, wish)
    if name == "remove":
        draft.placements = [one for one in draft.placements if one.name != what]
    if name in ("add-widget", "add-preset"):
        try:
            draft.add(scope, name.removeprefix("add-"), what)
        except SpanwiseError as refusal:
            draft.errors["charts"] = refusal.message
    return _page(request, scope, dashboard, draft)


@require_safe
@project_page(Role.MEMBER)
def placement_copy(request: HttpRequest, scope: ProjectScope, dashboard_id: str) -> HttpResponse:
    """Where to? One chart (`chart`) of a dashboard, to another one."""
    return _copy_form(request, scope, rows.get_dashboard(scope, dashboard_id), request.GET)


@posted_from("tracing:dashboard-list")
@project_page(Role.MEMBER)
def placement_copy_do(request: HttpRequest, scope: ProjectScope, dashboard_id: str) -> HttpResponse:
    target = request.POST.get("to", "").replace("\x00", "")
    dashboard = rows.get_dashboard(scope, dashboard_id)
    if not target:
        return _copy_form(request, scope, dashboard, request.POST, problem=_("Choose a dashboard."))
    try:
        actions.copy_placement(scope, dashboard.pk, _chart(request.POST), to=target, actor=Actor.of(request))
    except Invalid as refusal:
        return _copy_form(request, scope, dashboard, request.POST, problem=refusal.message)
    other = rows.get_dashboard(scope, target)
    messages.success(request, _("The chart stands on “%(name)s” now, below all others.") % {"name": other.name})
    return see_other(reverse("tracing:dashboard-detail", args=[scope.project_id, other.pk]))


def _copy_form(
    request: HttpRequest, scope: ProjectScope, dashboard: Dashboard, query: QueryDict, *, problem: str = ""
) -> HttpResponse:
    others = rows.list_dashboards(scope, PageNumber(1, _MOST_OFFERED)).items
    panel = next((one for one in rows.panels_of(dashboard) if one.name == _chart(query)), None)
    context = {
        "scope": scope,
        "dashboard": dashboard,
        "chart": _chart(query),
        "title": panel.title if panel else "",
        "others": [one for one in others if one.pk != dashboard.pk],
        "problem": problem,
        "next": back_from(query),
        "back": back_from(query) or edit_url(scope, dashboard),
    }
    return render_page(request, "tracing/chart_copy.html", context, status=422 if problem else 200)


def _chart(query: QueryDict) -> str:
    return query.get("chart", "").replace("\x00", "")


# --- Saving ----------------------------------------------------------------------------------------------
def _save(
    request: HttpRequest, scope: ProjectScope, dashboard: Dashboard, draft: LayoutDraft, wish: str, what: str
) -> HttpResponse:
    draft.check()
    filters = draft.filters()
    pasted = _pasted(request.POST, draft) if wish == "paste" else None
    if draft.has_errors:
        return _page(request, scope, dashboard, draft, status=422)
    try:
        if wish == "save-anyway" or _is_changed(dashboard, draft, filters):
            written = actions.update_dashboard(
                scope, dashboard.pk, name=draft.name, description=draft.description, filters=filters,
                placements=draft.given(), revision=None if wish == "save-anyway" else draft.revision,
                actor=Actor.of(request),
            )  # fmt: skip
            draft.revision = written.revision
        return see_other(_next(request, scope, dashboard, draft, wish, what, pasted))
    except Conflict as refusal:
        draft.errors["conflict"] = refusal.message
        return _page(request, scope, dashboard, draft, status=409)
    except (Invalid, NotFound) as refusal:
        draft.errors["charts"] = refusal.message
        return _page(request, scope, dashboard, draft, status=422)


def _is_changed(dashboard: Dashboard, draft: LayoutDraft, filters: list[dict[str, Any]]) -> bool:
    """Whether there is anything to write. With another revision there is: somebody is to be told."""
    kept = layouts.of_dashboard(dashboard)
    said = (dashboard.revision, dashboard.name, dashboard.description, dashboard.filters, kept.given())
    return said != (draft.revision, draft.name, draft.description, filters, draft.given())


def _pasted(data: QueryDict, draft: LayoutDraft) -> DashboardFile | WidgetFile | None:
    try:
        return read_file(data.get("pasted", ""))
    except Invalid as refusal:
        issues: Any = refusal.issues or ()
        found = [f"{path_words(one.get('path') or ())}: {one['message']}" for one in issues]
        draft.errors["pasted"] = " ".join([refusal.message, *found])
        return None


def _next(
    request: HttpRequest, scope: ProjectScope, dashboard: Dashboard, draft: LayoutDraft, wish: str, what: str,
    pasted: DashboardFile | WidgetFile | None,
) -> str:  # fmt: skip
    """Where it goes on once the layout is written."""
    editing, actor = edit_url(scope, dashboard), Actor.of(request)
    if isinstance(pasted, DashboardFile):
        return edit_url(scope, actions.import_dashboard(scope, pasted, actor=actor))
    if isinstance(pasted, WidgetFile):
        actions.place_widget(scope, dashboard.pk, pasted, actor=actor)
        messages.success(request, _("“%(name)s” is imported, below all others.") % {"name": pasted.name})
        return editing
    placement = draft.find(what)
    if wish == "new":
        return _with(reverse("tracing:widget-new", args=[scope.project_id]), dashboard=dashboard.pk)
    if wish == "edit" and placement is not None and placement.widget_id:
        editor = reverse("tracing:widget-edit", args=[scope.project_id, placement.widget_id])
        return _with(editor, dashboard=dashboard.pk)
    if wish == "edit" and placement is not None:
        editor = reverse("tracing:widget-new", args=[scope.project_id])
        return _with(editor, dashboard=dashboard.pk, preset=placement.preset, place=placement.name)
    if wish == "copy" and placement is not None:
        return _with(reverse("tracing:placement-copy", args=[scope.project_id, dashboard.pk]), chart=what)
    if wish == "duplicate" and placement is not None:
        actions.copy_placement(scope, dashboard.pk, what, to=dashboard.pk, actor=actor)
        messages.success(request, _("The copy stands below all others."))
        return editing
    messages.success(request, _("The dashboard is saved."))
    return reverse("tracing:dashboard-detail", args=[scope.project_id, dashboard.pk])


def _with(url: str, **parameters: str) -> str:
    return f"{url}?{urlencode(parameters)}"


def _new_filters(dashboard: Dashboard, draft: LayoutDraft) -> str:
    """What charts are to be shown under, where that is not what is saved."""
    filters = draft.filters_so_far()
    return orjson.dumps(filters).decode() if filters != dashboard.filters else ""


# --- The page --------------------------------------------------------------------------------------------
def _page(
    request: HttpRequest, scope: ProjectScope, dashboard: Dashboard, draft: LayoutDraft, *, status: int = 200
) -> HttpResponse:
    columns = layouts.filter_columns()
    filters = _new_filters(dashboard, draft)
    can_be_tried = len(filters) <= _LONGEST_IN_ADDRESS
    widgets = rows.list_widgets(scope, PageNumber(1, _MOST_OFFERED))
    presets = sorted(PRESETS.values(), key=lambda one: str(one.name))
    context = {
        "scope": scope,
        "dashboard": dashboard,
        "draft": draft,
        "panels": shown_panels(scope, draft.panels, QueryDict(), dashboard, filters if can_be_tried else ""),
        "can_be_tried": can_be_tried,
        "rows": [Row(one, columns) for one in draft.conditions],
        "columns": [(name, dimension_label(name)) for name in columns],
        "widgets": [(one, chart_words(one.chart_type)) for one in widgets.items],
        "presets": [(one, chart_words(one.body["chartType"])) for one in presets],
        "longest": {"name": LONGEST_DASHBOARD_NAME, "description": LONGEST_DESCRIPTION},
        "grid_width": GRID_WIDTH,
        "back": reverse("tracing:dashboard-detail", args=[scope.project_id, dashboard.pk]),
    }
    return render_page(request, "tracing/dashboard_edit.html", context, status=status)
