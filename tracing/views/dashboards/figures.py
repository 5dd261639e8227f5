"""One chart: what stands in its panel, and its figures as a file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.text import slugify
from django.utils.timezone import get_current_timezone_name
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import Invalid, NotFound, SpanwiseError
from tracing.queries.dashboards import rows
from tracing.queries.dashboards.definition import Chart, Definition, read_definition
from tracing.queries.dashboards.figure import Figure, Looked
from tracing.queries.dashboards.kept import kept_figure
from tracing.queries.dashboards.presets import PRESETS
from tracing.queries.exports import csv_line
from tracing.views.dashboards import charts, words
from tracing.views.dashboards.drill import Drill
from tracing.views.dashboards.looking import carried, looked_from

_LONGEST_DEFINITION = 20_000


@dataclass(frozen=True, slots=True)
class Asked:
    """The chart that an address names: built in, a widget, or one that is being made."""

    definition: Definition
    title: str


class ShownFigure:
    """What a panel shows, each part made when it is asked for."""

    def __init__(self, scope: ProjectScope, asked: Asked, looked: Looked, figure: Figure) -> None:
        self.asked, self.figure, self._looked = asked, figure, looked
        self.drill = Drill(scope, figure, looked)

    @property
    def kind(self) -> str:
        """Which part of the template draws it."""
        if self.figure.definition.chart is Chart.NUMBER:
            return "number"
        return "table" if self.figure.definition.chart is Chart.TABLE else "chart"

    @cached_property
    def number(self) -> str:
        total = self.figure.total
        return words.values_text(self.figure, total.values)[0] if total else words.NONE

    @cached_property
    def change(self) -> words.Change | None:
        total, metrics = self.figure.total, self.figure.definition.metrics
        return words.change(metrics[0], total.values[0], total.before[0]) if total and total.before else None

    @property
    def before_label(self) -> str:
        return words.before_label(self.figure, self._looked.period.range)

    @property
    def widened(self) -> str:
        """What became of the step that was wished for; empty where it is as wished."""
        if not self.figure.is_widened:
            return ""
        step, wished = words.STEPS[self.figure.unit], words.STEPS[self.figure.definition.config.unit or ""]
        return _("Steps are %(step)s here: steps of %(wished)s would be too many.") % {"step": step, "wished": wished}

    @property
    def rows_url(self) -> str:
        return self.drill.to()

    @cached_property
    def drawn(self) -> dict[str, Any]:
        return charts.drawn(self.figure, self.drill, self.figure.marks)

    @cached_property
    def table(self) -> charts.Table:
        return charts.table(self.figure, self.drill)


@never_cache
@require_safe
@project_page(Role.VIEWER)
def dashboard_figure(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """The inside of a panel. What cannot be shown is said there, with a status that tells scripts so."""
    try:
        asked = asked_from(scope, request.GET)
        looked = _looked(scope, request.GET)
        kept = kept_figure(scope, asked.definition, looked, is_anew="anew" in request.GET)
    except SpanwiseError as error:
        return render(request, "tracing/_figure.html", {"problem": error}, status=error.status)

    def panel() -> str:
        shown = ShownFigure(scope, asked, looked, kept.figure)
        return render_to_string("tracing/_figure.html", {"shown": shown, "figure": kept.figure})

    # Of all that people choose for themselves, language and zone are in it.
    variant = (asked.title, get_language(), get_current_timezone_name())
    return HttpResponse(kept.text(variant, panel))


@never_cache
@require_safe
@project_page(Role.VIEWER)
def dashboard_csv(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """All of the figures. Excel takes a file for UTF-8 by its mark."""
    asked = asked_from(scope, request.GET)
    figure = kept_figure(scope, asked.definition, _looked(scope, request.GET)).figure
    body = b"\xef\xbb\xbf" + b"".join(csv_line(row) for row in charts.csv_rows(figure))
    name = slugify(asked.title) or "chart"
    headers = {"Content-Disposition": f'attachment; filename="{name[:80]}.csv"'}
    return HttpResponse(body, content_type="text/csv; charset=utf-8", headers=headers)


def asked_from(scope: ProjectScope, query: QueryDict) -> Asked:
    """Raises NotFound and Invalid."""
    if preset_id := query.get("preset"):
        preset = PRESETS.get(preset_id)
        if preset is None:
            raise NotFound(_("There is no such built-in chart."))
        return Asked(preset.definition, str(preset.name))
    if widget_id := query.get("widget"):
        widget = rows.get_widget(scope, widget_id.replace("\x00", ""))
        return Asked(rows.definition_of_widget(widget), widget.name)
    text = query.get("definition", "")
    try:
        body = orjson.loads(text) if len(text) <= _LONGEST_DEFINITION else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Invalid(_("This is no chart that can be read."))
    definition = read_definition(body)
    return Asked(definition, words.suggested_name(definition))


def _looked(scope: ProjectScope, query: QueryDict) -> Looked:
    dashboard_id = query.get("dashboard", "").replace("\x00", "")
    return looked_from(query, rows.get_dashboard(scope, dashboard_id) if dashboard_id else None)


def figure_query(page: QueryDict, **what: str) -> str:
    """The query string of a chart on a page with this one."""
    query = carried(page)
    for name, value in what.items():
        if value:
            query[name] = value
    return query.urlencode()


def figure_url(scope: ProjectScope, page: QueryDict, **what: str) -> str:
    return f"{reverse('tracing:dashboard-figure', args=[scope.project_id])}?{figure_query(page, **what)}"


def csv_url(scope: ProjectScope, page: QueryDict, **what: str) -> str:
    return f"{reverse('tracing:dashboard-csv', args=[scope.project_id])}?{figure_query(page, **what)}"
