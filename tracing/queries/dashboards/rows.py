"""Dashboards and widgets of a project, and what stands where on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet

from accounts.access import ProjectScope
from config.errors import Invalid, NotFound
from tracing.models.dashboards import Dashboard, Placement, Widget
from tracing.queries.dashboards.definition import Definition, GivenWidget, definition_of
from tracing.queries.dashboards.presets import PRESETS
from tracing.queries.paging import Numbered, PageNumber


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart where it stands. `definition` is None, and `problem` says why, for one that cannot be shown any more."""

    name: str
    title: str
    about: str
    x: int
    y: int
    width: int
    height: int
    definition: Definition | None
    widget_id: str = ""
    preset_id: str = ""
    problem: str = ""


def list_dashboards(scope: ProjectScope, number: PageNumber, *, words: str = "") -> Numbered[Dashboard]:
    """A numbered page, the last changed first; each with the number of its `charts`."""
    found = _dashboards(scope).filter(name__icontains=words) if words else _dashboards(scope)
    page = found.select_related("author").annotate(charts=Count("placements")).order_by("-updated_at", "-pk")
    return Numbered(list(page[number.offset : number.offset + number.limit]), number, found.count())


def get_dashboard(scope: ProjectScope, dashboard_id: str, *, is_locked: bool = False) -> Dashboard:
    """Locked until the end of the transaction. Raises NotFound."""
    dashboards = _dashboards(scope).select_for_update() if is_locked else _dashboards(scope)
    found = dashboards.filter(pk=dashboard_id).first()
    if found is None:
        raise NotFound("Dashboard not found within authorized project")
    return found


def home_dashboard(scope: ProjectScope) -> Dashboard | None:
    """What the project opens with, where that is not the built-in home."""
    return _dashboards(scope).filter(is_home=True).first()


def list_widgets(scope: ProjectScope, number: PageNumber, *, words: str = "") -> Numbered[Widget]:
    """A numbered page, the last changed first; each with the number of `dashboards` that it stands on."""
    found = _widgets(scope).filter(name__icontains=words) if words else _widgets(scope)
    page = found.select_related("author").annotate(dashboards=Count("placements__dashboard", distinct=True))
    page = page.order_by("-updated_at", "-pk")
    return Numbered(list(page[number.offset : number.offset + number.limit]), number, found.count())


def get_widget(scope: ProjectScope, widget_id: str, *, is_locked: bool = False) -> Widget:
    """Locked until the end of the transaction. Raises NotFound."""
    widgets = _widgets(scope).select_for_update() if is_locked else _widgets(scope)
    found = widgets.filter(pk=widget_id).first()
    if found is None:
        raise NotFound("Dashboard widget not found within authorized project")
    return found


def find_widgets(scope: ProjectScope, ids: Sequence[str]) -> dict[str, Widget]:
    """Those that are there, by id."""
    return _widgets(scope).in_bulk(list(ids))


def dashboards_with(scope: ProjectScope, widget: Widget) -> list[Dashboard]:
    return list(_dashboards(scope).filter(placements__widget=widget).distinct().order_by("name", "pk"))


def charts_only_on(dashboard: Dashboard) -> list[Widget]:
    """Its widgets that stand on no other dashboard."""
    elsewhere = Placement.objects.exclude(dashboard=dashboard).filter(widget__isnull=False).values("widget")
    return list(Widget.objects.filter(placements__dashboard=dashboard).exclude(pk__in=elsewhere).distinct())


def placements_of(dashboards: Sequence[Dashboard]) -> dict[str, list[Placement]]:
    """By dashboard, from the top left to the bottom right."""
    found: dict[str, list[Placement]] = {one.pk: [] for one in dashboards}
    for placement in Placement.objects.filter(dashboard__in=dashboards).select_related("widget"):
        found[placement.dashboard_id].append(placement)
    return found


def panels_of(dashboard: Dashboard) -> list[Panel]:
    return [panel_of(one) for one in placements_of([dashboard])[dashboard.pk]]


def widget_body(widget: Widget) -> dict[str, Any]:
    """As the public API writes it, without id and times: what is exported, and read back."""
    return {
        "name": widget.name,
        "description": widget.description,
        "view": widget.view,
        "dimensions": widget.dimensions,
        "metrics": widget.metrics,
        "filters": widget.filters,
        "chartType": widget.chart_type,
        "chartConfig": widget.chart_config,
    }


def definition_of_widget(widget: Widget) -> Definition:
    """Raises Invalid for one whose words are not known any more."""
    return definition_of(GivenWidget.model_validate(widget_body(widget)))


def panel_of(placement: Placement) -> Panel:
    """Of a placement that need not be saved yet."""
    at = (placement.x, placement.y, placement.width, placement.height)
    widget = placement.widget
    if widget is not None:
        try:
            definition = definition_of_widget(widget)
        except (Invalid, ValueError) as error:
            return Panel(placement.name, widget.name, widget.description, *at, None, widget.pk, problem=str(error))
        return Panel(placement.name, widget.name, widget.description, *at, definition, widget.pk)
    preset = PRESETS.get(placement.preset)
    if preset is None:
        problem = f"There is no built-in chart called {placement.preset}."
        return Panel(placement.name, placement.preset, "", *at, None, preset_id=placement.preset, problem=problem)
    return Panel(placement.name, str(preset.name), str(preset.description), *at, preset.definition, preset_id=preset.id)


def _dashboards(scope: ProjectScope) -> QuerySet[Dashboard]:
    return Dashboard.objects.filter(project_id=scope.project_id)


def _widgets(scope: ProjectScope) -> QuerySet[Widget]:
    return Widget.objects.filter(project_id=scope.project_id)
