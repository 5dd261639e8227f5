"""Making and changing a chart: what it asks on the left, how it looks on the right while that is written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Conflict, Invalid, SpanwiseError
from config.posting import posted_from
from config.rendering import render_page
from tracing.actions import dashboards as actions
from tracing.models import Widget
from tracing.models.dashboards import LONGEST_DASHBOARD_NAME
from tracing.queries.dashboards import rows
from tracing.queries.dashboards.definition import (
    LONGEST_DESCRIPTION,
    MOST_DIMENSIONS,
    MOST_METRICS,
    Chart,
    GivenWidget,
    read_widget,
    usual_limit,
)
from tracing.queries.dashboards.figure import Span
from tracing.queries.dashboards.files import widget_file
from tracing.queries.dashboards.metadata_keys import list_metadata_keys
from tracing.queries.dashboards.presets import PRESETS
from tracing.queries.dashboards.views import aggregations_of
from tracing.queries.filters import Column
from tracing.queries.metrics import DEFAULT_BINS
from tracing.queries.periods import Period
from tracing.views.dashboards import widget_drafts as drafts
from tracing.views.dashboards.conditions import Row
from tracing.views.dashboards.figures import figure_url
from tracing.views.dashboards.returning import back_from
from tracing.views.dashboards.widget_drafts import KEY, WidgetDraft
from tracing.views.dashboards.words import AGGREGATIONS, dimension_label, measure_label
from tracing.views.dashboards.words import VIEWS as VIEW_WORDS

#: columns of filters that say the same as another one
_DOUBLE = {"startTime", "start_time", "timestamp"}


@require_safe
@project_page(Role.MEMBER)
def widget_new(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """From nothing, or as a copy of a built-in chart (`preset`) or of a widget (`from`). It goes on `dashboard`, where
    it takes the place of `place`."""
    draft = _begun(scope, request.GET)
    draft.dashboard, draft.place = _text(request.GET, "dashboard"), _text(request.GET, "place")
    draft.back = back_from(request.GET)
    if draft.dashboard:
        rows.get_dashboard(scope, draft.dashboard)
    return _form(request, scope, draft)


def _begun(scope: ProjectScope, query: QueryDict) -> WidgetDraft:
    if source := _text(query, "from"):
        widget = rows.get_widget(scope, source)
        draft = drafts.of_body(rows.widget_body(widget))
        draft.name = _("%(name)s, copy") % {"name": widget.name[: LONGEST_DASHBOARD_NAME - 20]}
        return draft
    preset = PRESETS.get(query.get("preset", ""))
    if preset is None:
        return WidgetDraft()
    return drafts.of_body({**preset.body, "name": str(preset.name), "description": str(preset.description)})


@require_safe
@project_page(Role.MEMBER)
def widget_edit(request: HttpRequest, scope: ProjectScope, widget_id: str) -> HttpResponse:
    widget = rows.get_widget(scope, widget_id)
    draft = drafts.of_body(rows.widget_body(widget))
    draft.widget, draft.based_on = widget.pk, widget.updated_at.isoformat()
    draft.dashboard, draft.back = _text(request.GET, "dashboard"), back_from(request.GET)
    return _form(request, scope, draft)


@posted_from("tracing:dashboard-list")
@project_page(Role.MEMBER)
def widget_save(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """`do` says what: save, save over a conflict or as a copy, look, or change lines. A script asks for the parts that
    change by themselves."""
    draft, wish = drafts.of_post(request.POST), request.POST.get("do", "save")
    draft.settle()
    if wish in ("save", "save-anyway", "save-copy"):
        return _save(request, scope, draft, wish)
    drafts.change_shape(draft, wish)
    return _form(request, scope, draft, is_part=wish == "refresh")


@require_safe
@project_page(Role.VIEWER)
def widget_export(request: HttpRequest, scope: ProjectScope, widget_id: str) -> HttpResponse:
    widget = rows.get_widget(scope, widget_id)
    return file_answer(widget_file(widget), widget.name, "chart")


@posted_from("tracing:dashboard-list")
@project_page(Role.MEMBER)
def widget_delete(request: HttpRequest, scope: ProjectScope, widget_id: str) -> HttpResponse:
    try:
        actions.delete_widget(scope, widget_id, actor=Actor.of(request))
    except Conflict as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("The chart is deleted."))
    return see_other(back_from(request.POST) or _charts_url(scope))


def file_answer(body: dict[str, Any], name: str, otherwise: str) -> HttpResponse:
    filename = f"{slugify(name)[:80] or otherwise}.json"
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return JsonResponse(body, headers=headers, json_dumps_params={"indent": 2, "ensure_ascii": False})


def _save(request: HttpRequest, scope: ProjectScope, draft: WidgetDraft, wish: str) -> HttpResponse:
    known = rows.get_widget(scope, draft.widget) if draft.widget else None
    given = _given(draft)
    if given is None:
        return _form(request, scope, draft, status=422)
    try:
        _write(scope, draft, known if wish != "save-copy" else None, given, wish, Actor.of(request))
    except Conflict as refusal:
        draft.errors["conflict"] = refusal.message
    except Invalid as refusal:
        draft.refused(refusal)
    else:
        messages.success(request, _("The chart “%(name)s” is saved.") % {"name": given.name})
        return see_other(_back(scope, draft))
    return _form(request, scope, draft, status=409 if "conflict" in draft.errors else 422)


def _given(draft: WidgetDraft) -> GivenWidget | None:
    if draft.definition() is None:
        return None
    body = {**draft.body(), "name": draft.name or draft.suggested_name, "description": draft.description}
    try:
        return read_widget(body)
    except Invalid as refusal:
        draft.refused(refusal)
        return None


def _write(
    scope: ProjectScope, draft: WidgetDraft, known: Widget | None, given: GivenWidget, wish: str, actor: Actor
) -> None:
    if known is not None:
        based_on = None if wish == "save-anyway" else parse_datetime(draft.based_on)
        actions.update_widget(scope, known.pk, given, based_on=based_on, actor=actor)
    elif draft.dashboard:
        actions.place_widget(scope, draft.dashboard, given, instead_of=draft.place, actor=actor)
    else:
        actions.create_widget(scope, given, actor=actor)


def _back(scope: ProjectScope, draft: WidgetDraft) -> str:
    if draft.back:
        return draft.back
    if draft.dashboard:
        return reverse("tracing:dashboard-edit", args=[scope.project_id, draft.dashboard])
    return _charts_url(scope)


def _charts_url(scope: ProjectScope) -> str:
    return f"{reverse('tracing:dashboard-list', args=[scope.project_id])}?tab=charts"


# --- What the form shows ---------------------------------------------------------------------------------
def _form(
    request: HttpRequest, scope: ProjectScope, draft: WidgetDraft, *, is_part: bool = False, status: int = 200
) -> HttpResponse:
    draft.settle()
    definition = draft.definition()
    known = rows.get_widget(scope, draft.widget) if draft.widget else None
    dashboard = rows.get_dashboard(scope, draft.dashboard) if draft.dashboard else None
    columns = draft.shown_view.filter_columns
    context = {
        "scope": scope,
        "draft": draft,
        "known": known,
        "dashboard": dashboard,
        "others": [one for one in rows.dashboards_with(scope, known) if one != dashboard] if known else [],
        "views": VIEW_WORDS.items(),
        "metrics": [_metric_choices(draft, number) for number in range(len(draft.metrics))],
        "may_add_metric": len(draft.metrics) < MOST_METRICS,
        "dimensions": draft.dimensions,
        "dimension_names": _sorted(draft.shown_view.dimensions),
        "may_add_dimension": len(draft.dimensions) < max(MOST_DIMENSIONS.values()),
        "key": KEY,
        "rows": [Row(one, columns) for one in draft.conditions],
        "columns": _filter_names(columns),
        "charts": [(kind.value, label, draft.misfit(kind)) for kind, label in drafts.CHARTS.items()],
        "sorts": [(name, _sort_label(draft, name)) for name in draft.sortable],
        "ranges": drafts.OWN_RANGES,
        "units": drafts.UNITS,
        "looks": drafts.LOOKS,
        "usual_limit": usual_limit(draft.kind),
        "usual_bins": DEFAULT_BINS,
        "longest": {"name": LONGEST_DASHBOARD_NAME, "description": LONGEST_DESCRIPTION},
        "suggested": draft.suggested_name,
        "keys": [] if is_part else _metadata_keys(scope, draft),
        "preview_url": _preview_url(scope, draft) if definition else "",
        "preview_kind": _preview_kind(draft.kind),
        "back": _back(scope, draft),
    }
    return render_page(request, "tracing/widget_form.html", context, status=status)


def _metric_choices(draft: WidgetDraft, number: int) -> dict[str, Any]:
    one, view = draft.metrics[number], draft.shown_view
    return {
        "row": one,
        "measures": sorted(
            ((name, measure_label(name)) for name in view.measures), key=lambda pair: pair[0] != "count"
        ),
        "aggregations": [(name, AGGREGATIONS[name]) for name in aggregations_of(view, one.measure)],
    }


def _sorted(names: Any) -> list[tuple[str, str]]:
    return sorted(((name, dimension_label(name)) for name in names), key=lambda pair: pair[1].lower())


def _filter_names(columns: dict[str, Column]) -> list[tuple[str, str]]:
    return _sorted(name for name in columns if name not in _DOUBLE)


def _sort_label(draft: WidgetDraft, name: str) -> str:
    for one in draft.metrics:
        if name == f"{one.aggregation}_{one.measure}":
            return f"{measure_label(one.measure)} · {AGGREGATIONS[one.aggregation]}"
    return dimension_label(name)


def _metadata_keys(scope: ProjectScope, draft: WidgetDraft) -> list[str]:
    """For suggestions: without the store there are none."""
    since = Period.named("30d").since
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    try:
        return list_metadata_keys(scope, draft.view, Span.between(since or now, now))
    except SpanwiseError:
        return []


def _preview_url(scope: ProjectScope, draft: WidgetDraft) -> str:
    """With the filters of the dashboard it goes on, so that it looks as it will there."""
    page = QueryDict(mutable=True)
    page["range"] = draft.look
    definition = orjson.dumps(draft.body()).decode()
    return figure_url(scope, page, definition=definition, dashboard=draft.dashboard)


def _preview_kind(kind: Chart) -> str:
    return "number" if kind is Chart.NUMBER else "table" if kind is Chart.TABLE else "chart"


def _text(query: QueryDict, name: str) -> str:
    return query.get(name, "").replace("\x00", "")
