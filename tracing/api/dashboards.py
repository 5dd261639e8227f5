"""Dashboards, what stands on them, and widgets: the unstable routes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import PAGE, Given, Message, PageMeta, Problem, Shape, describe, in_path
from config.api.values import iso
from config.api.views import PublicView
from config.errors import Invalid, issue
from tracing.actions import dashboards as actions
from tracing.api import present
from tracing.api.params import Params
from tracing.models.dashboards import Dashboard, Placement, Widget
from tracing.queries.dashboards import rows
from tracing.queries.dashboards.definition import Chart, read_as, read_widget
from tracing.queries.dashboards.files import filter_issues
from tracing.queries.dashboards.layout import Column, GivenPlacement, Height, Row, Width
from tracing.queries.dashboards.presets import PRESETS

_CHARTS = tuple(chart.value for chart in Chart)
_WORDS = (
    "Views, dimensions, measures and aggregations are those of `/v2/metrics`, and `traces` with those of `/metrics`; "
    "`metadata.<key>` is a dimension of each. `chartConfig` takes, beside the type: `row_limit`, `bins` (HISTOGRAM), "
    "`show_value_labels`, `defaultSort` of a PIVOT_TABLE; and, of Spanwise's own, `compare` (with the period before), "
    "`display` (`heatmap`, of a PIVOT_TABLE), `range` and `unit` (where they do not follow the page)."
)
_EXAMPLE = {
    "name": "Cost per model",
    "view": "observations",
    "dimensions": [{"field": "providedModelName"}],
    "metrics": [{"measure": "totalCost", "agg": "sum"}],
    "filters": [],
    "chartType": "LINE_TIME_SERIES",
    "chartConfig": {"type": "LINE_TIME_SERIES"},
}


class DimensionShape(Shape):
    field: str


class MetricShape(Shape):
    measure: str
    agg: str


class WidgetShape(Shape):
    id: str
    createdAt: datetime
    updatedAt: datetime
    name: str
    description: str
    view: Literal["observations", "traces", "scores-numeric", "scores-boolean", "scores-categorical"]
    dimensions: list[DimensionShape]
    metrics: list[MetricShape]
    filters: list[dict[str, Any]]
    chartType: Chart
    chartConfig: dict[str, Any]


class WidgetPage(Shape):
    data: list[WidgetShape]
    meta: PageMeta


class GivenWidgetShape(Given):
    name: str
    description: str = ""
    view: Literal["observations", "traces", "scores-numeric", "scores-boolean", "scores-categorical"]
    dimensions: list[dict[str, Any]] = []
    metrics: list[dict[str, Any]]
    filters: list[dict[str, Any]] = []
    chartType: Chart
    chartConfig: dict[str, Any] = {}


class WidgetChanges(Given):
    name: str = ""
    description: str = ""
    view: Literal["observations", "traces", "scores-numeric", "scores-boolean", "scores-categorical"] = "observations"
    dimensions: list[dict[str, Any]] = []
    metrics: list[dict[str, Any]] = []
    filters: list[dict[str, Any]] = []
    chartType: Chart = Chart.NUMBER
    chartConfig: dict[str, Any] = {}


class WidgetPlacementShape(Shape):
    type: Literal["widget"]
    id: str
    widgetId: str
    x: int
    y: int
    width: int
    height: int


class PresetPlacementShape(Shape):
    type: Literal["preset"]
    id: str
    presetId: str
    x: int
    y: int
    width: int
    height: int


PlacementShape = Annotated[WidgetPlacementShape | PresetPlacementShape, Field(discriminator="type")]


class PlacementsShape(Shape):
    widgets: list[PlacementShape]


class DashboardShape(Shape):
    id: str
    createdAt: datetime
    updatedAt: datetime
    name: str
    description: str
    definition: PlacementsShape
    filters: list[dict[str, Any]]


class DashboardPage(Shape):
    data: list[DashboardShape]
    meta: PageMeta


class GivenPlacements(Given):
    widgets: list[GivenPlacement] = []


class NewDashboard(Given):
    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    definition: GivenPlacements | None = None
    filters: list[dict[str, Any]] | None = None


class DashboardChanges(Given):
    name: Annotated[str, Field(min_length=1)] | None = None
    description: str | None = None
    definition: GivenPlacements | None = None
    filters: list[dict[str, Any]] | None = None


class PlaceChanges(Given):
    x: Column | None = None
    y: Row | None = None
    width: Width | None = None
    height: Height | None = None


_DASHBOARD = in_path("dashboard_id", "The id of the dashboard.")
_PLACEMENT = in_path("placement_id", "The id of the placement, which is known on its dashboard only.")
_WIDGET = in_path("widget_id", "The id of the widget.")


class Widgets(PublicView):
    @describe("List dashboard widgets", query=PAGE, answer=WidgetPage, text="The last changed first.")
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        params.check()
        page = rows.list_widgets(self.scope, number)
        return Response({"data": [_widget(one) for one in page.items], "meta": present.meta(page)})

    @describe("Create a dashboard widget", body=GivenWidgetShape, answer=WidgetShape, text=_WORDS, example=_EXAMPLE)
    def post(self, request: Request) -> Response:
        return Response(_widget(actions.create_widget(self.scope, read_widget(self.body()), actor=self.actor)))


class OneWidget(PublicView):
    @describe("Read a dashboard widget", query=[_WIDGET], answer=WidgetShape)
    def get(self, request: Request, widget_id: str) -> Response:
        return Response(_widget(rows.get_widget(self.scope, widget_id)))

    @describe(
        "Change a dashboard widget",
        query=[_WIDGET],
        body=WidgetChanges,
        answer=WidgetShape,
        answers={409: Problem},
        text=f"What is not named stays; at least one field must be. {_WORDS}",
    )
    def patch(self, request: Request, widget_id: str) -> Response:
        changes = _changes(self.body())
        widget = rows.get_widget(self.scope, widget_id)
        body = {**rows.widget_body(widget), **changes}
        if "chartConfig" not in changes and body["chartType"] != widget.chart_type:
            body["chartConfig"] = {}  # of another kind of chart
        # What was read must be what is changed: of two at once, one comes again.
        written = actions.update_widget(
            self.scope, widget_id, read_widget(body), based_on=widget.updated_at, actor=self.actor
        )
        return Response(_widget(written))

    @describe(
        "Delete a dashboard widget",
        query=[_WIDGET],
        answers={409: Problem},
        text="One that stands on a dashboard cannot be deleted.",
    )
    def delete(self, request: Request, widget_id: str) -> Response:
        actions.delete_widget(self.scope, widget_id, actor=self.actor)
        return Response({"message": "Dashboard widget successfully deleted"})


class Dashboards(PublicView):
    @describe("List dashboards", query=PAGE, answer=DashboardPage, text="The last changed first.")
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        params.check()
        page = rows.list_dashboards(self.scope, number)
        placements = rows.placements_of(page.items)
        data = [_dashboard(one, placements[one.pk]) for one in page.items]
        return Response({"data": data, "meta": present.meta(page)})

    @describe(
        "Create a dashboard",
        body=NewDashboard,
        answer=DashboardShape,
        answers={404: Problem, 409: Problem},
        text="Placements that do not say where they stand are put below all others.",
        example={"name": "Costs", "definition": {"widgets": [{"type": "preset", "presetId": "cost-by-model"}]}},
    )
    def post(self, request: Request) -> Response:
        given = read_as(NewDashboard, self.body())
        dashboard = actions.create_dashboard(
            self.scope,
            name=given.name,
            description=given.description,
            filters=_filters(given.filters or []),
            placements=given.definition.widgets if given.definition else [],
            actor=self.actor,
        )
        return Response(_whole(dashboard))


class OneDashboard(PublicView):
    @describe("Read a dashboard", query=[_DASHBOARD], answer=DashboardShape)
    def get(self, request: Request, dashboard_id: str) -> Response:
        return Response(_whole(rows.get_dashboard(self.scope, dashboard_id)))

    @describe(
        "Change a dashboard",
        query=[_DASHBOARD],
        body=DashboardChanges,
        answer=DashboardShape,
        answers={409: Problem},
        text="What is not named stays; at least one field must be. `definition` replaces all placements.",
    )
    def patch(self, request: Request, dashboard_id: str) -> Response:
        given = read_as(DashboardChanges, _changes(self.body()))
        dashboard = actions.update_dashboard(
            self.scope,
            dashboard_id,
            name=given.name,
            description=given.description,
            filters=None if given.filters is None else _filters(given.filters),
            placements=given.definition.widgets if given.definition else None,
            actor=self.actor,
        )
        return Response(_whole(dashboard))

    @describe("Delete a dashboard", query=[_DASHBOARD], answer=Message, text="Its widgets stay.")
    def delete(self, request: Request, dashboard_id: str) -> Response:
        actions.delete_dashboard(self.scope, dashboard_id, actor=self.actor)
        return Response({"message": "Dashboard successfully deleted"})


class Placements(PublicView):
    @describe(
        "Place a chart on a dashboard",
        query=[_DASHBOARD],
        body=GivenPlacement,
        answer=PlacementShape,
        answers={409: Problem},
        text=f"A widget, or one of the built-in charts: {', '.join(PRESETS)}.",
        example={"type": "preset", "presetId": "cost-by-model"},
    )
    def post(self, request: Request, dashboard_id: str) -> Response:
        given = read_as(GivenPlacement, self.body())
        return Response(_placement(actions.add_placement(self.scope, dashboard_id, given, actor=self.actor)))


class OnePlacement(PublicView):
    @describe(
        "Move a chart on its dashboard",
        query=[_DASHBOARD, _PLACEMENT],
        body=PlaceChanges,
        answer=PlacementShape,
        text="What is not named stays; at least one field must be.",
    )
    def patch(self, request: Request, dashboard_id: str, placement_id: str) -> Response:
        changes = read_as(PlaceChanges, _changes(self.body())).model_dump(include={*PlaceChanges.model_fields})
        known = {name: value for name, value in changes.items() if value is not None}
        moved = actions.move_placement(self.scope, dashboard_id, placement_id, known, actor=self.actor)
        return Response(_placement(moved))

    @describe("Take a chart from its dashboard", query=[_DASHBOARD, _PLACEMENT], answer=Message)
    def delete(self, request: Request, dashboard_id: str, placement_id: str) -> Response:
        actions.remove_placement(self.scope, dashboard_id, placement_id, actor=self.actor)
        return Response({"message": "Placement successfully deleted"})


def _widget(widget: Widget) -> dict[str, Any]:
    return {
        "id": widget.pk,
        "createdAt": iso(widget.created_at),
        "updatedAt": iso(widget.updated_at),
        **rows.widget_body(widget),
    }


def _whole(dashboard: Dashboard) -> dict[str, Any]:
    return _dashboard(dashboard, rows.placements_of([dashboard])[dashboard.pk])


def _dashboard(dashboard: Dashboard, placements: Sequence[Placement]) -> dict[str, Any]:
    return {
        "id": dashboard.pk,
        "createdAt": iso(dashboard.created_at),
        "updatedAt": iso(dashboard.updated_at),
        "name": dashboard.name,
        "description": dashboard.description,
        "definition": {"widgets": [_placement(one) for one in placements]},
        "filters": dashboard.filters,
    }


def _placement(one: Placement) -> dict[str, Any]:
    chart = {"widgetId": one.widget_id} if one.widget_id else {"presetId": one.preset}
    place = {"x": one.x, "y": one.y, "width": one.width, "height": one.height}
    return {"type": "widget" if one.widget_id else "preset", "id": one.name, **chart, **place}


def _changes(body: Any) -> Any:
    """Raises Invalid when nothing is named: whoever sends that means something else."""
    if isinstance(body, dict) and not body:
        raise Invalid(issues=[issue((), "Request body cannot be empty")])
    if not isinstance(body, dict):
        raise Invalid(issues=[{"code": "dict_type", "path": [], "message": "Input should be an object"}])
    return body


def _filters(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each must fit a column of some view, or no chart could ever take it."""
    if issues := filter_issues(items):
        raise Invalid(issues=issues)
    return items
