"""Dashboards, placements and widgets: written, read, changed, and whose they are."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from accounts.models import AuditLog
from tests.contract.answers import page
from tests.contract.harness import Case, check
from tests.tracing.api_data import make_api
from tracing.models import Dashboard, Placement, Widget

pytestmark = pytest.mark.django_db

NO_WIDGET = {"message": "Dashboard widget not found within authorized project", "error": "LangfuseNotFoundError"}
NO_DASHBOARD = {"message": "Dashboard not found within authorized project", "error": "LangfuseNotFoundError"}
COLOUR = {"type": "string", "column": "colour", "operator": "=", "value": "x"}
NO_PLACEMENT = {"message": "Placement not found on this dashboard", "error": "LangfuseNotFoundError"}
WIDGET = {
    "name": "Cost per model",
    "description": "In dollars",
    "view": "observations",
    "dimensions": [{"field": "providedModelName"}],
    "metrics": [{"measure": "totalCost", "agg": "sum"}],
    "filters": [{"type": "stringOptions", "column": "environment", "operator": "any of", "value": ["production"]}],
    "chartType": "LINE_TIME_SERIES",
    "chartConfig": {"type": "LINE_TIME_SERIES"},
}


@pytest.fixture
def api():
    return make_api()


def shown(**changes):
    return {"id": ANY, "createdAt": ANY, "updatedAt": ANY, **WIDGET, **changes}


def new_widget(api, **changes):
    answer = api("POST", "unstable/dashboard-widgets", {**WIDGET, **changes})
    assert answer.status_code == 200, answer.content
    return answer.json()["id"]


def new_dashboard(api, *placements, **changes):
    body = {"name": "Costs", "definition": {"widgets": list(placements)}, **changes}
    answer = api("POST", "unstable/dashboards", body)
    assert answer.status_code == 200, answer.content
    return answer.json()


def at(widget_id, x=0, y=0, width=6, height=5, **more):
    return {
        "type": "widget",
        "id": ANY,
        "widgetId": widget_id,
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        **more,
    }


# --- Widgets ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"view": "traces", "dimensions": [{"field": "name"}], "metrics": [{"measure": "count", "agg": "count"}]},
        {"dimensions": [{"field": 'metadata.region "x" `y`'}]},
        {"chartType": "NUMBER", "dimensions": [], "chartConfig": {"type": "NUMBER", "compare": True}},
        {
            "chartType": "HISTOGRAM",
            "dimensions": [],
            "metrics": [{"measure": "latency", "agg": "histogram"}],
            "chartConfig": {"type": "HISTOGRAM", "bins": 100},
        },
        {
            "chartType": "PIVOT_TABLE",
            "dimensions": [{"field": "name"}, {"field": "level"}],
            "metrics": [{"measure": "latency", "agg": "p95"}, {"measure": "count", "agg": "count"}],
            "chartConfig": {
                "type": "PIVOT_TABLE",
                "row_limit": 1000,
                "defaultSort": {"column": "p95_latency", "order": "ASC"},
            },
        },
        {
            "view": "scores-categorical",
            "dimensions": [{"field": "stringValue"}],
            "metrics": [{"measure": "count", "agg": "count"}],
            "chartType": "PIE",
            "chartConfig": {"type": "PIE"},
        },
        {"name": "成本 🎉", "description": "<b>"},
    ],
)
def test_a_widget_is_written_and_read_back(api, changes):
    widget_id = new_widget(api, **changes)
    expected = shown(id=widget_id, **changes)
    check(api, Case("one", f"GET unstable/dashboard-widgets/{widget_id}", 200, expected))
    check(api, Case("list", "GET unstable/dashboard-widgets", 200, page(expected)))


def test_what_a_widget_need_not_say(api):
    least = {name: WIDGET[name] for name in ("name", "view", "metrics", "chartType")}
    expected = shown(description="", dimensions=[], filters=[])
    check(api, Case("", "POST unstable/dashboard-widgets", 200, expected, body=least))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": ""}, ["name"]),
        ({"name": None}, ["name"]),
        ({"view": "sessions"}, ["view"]),
        ({"metrics": []}, ["metrics"]),
        ({"metrics": [{"measure": "totalCost", "agg": "median"}]}, ["metrics", 0, "agg"]),
        ({"chartType": "RADAR"}, ["chartType"]),
        ({"chartConfig": {"row_limit": 1001}}, ["chartConfig", "row_limit"]),
        ({"chartConfig": {"bins": 0}}, ["chartConfig", "bins"]),
        ({"dimensions": [{"field": "name"}, {"field": "level"}]}, ["dimensions"]),
        ({"chartType": "NUMBER"}, ["dimensions"]),
        ({"metrics": [{"measure": "latency", "agg": "histogram"}]}, ["metrics"]),
        ({"chartType": "HISTOGRAM", "dimensions": []}, ["metrics"]),
        ({"filters": [{**COLOUR, "column": "name", "operator": "is"}]}, ["filters", 0, "operator"]),
    ],
)  # fmt: skip
def test_what_is_no_widget(api, changes, path):
    answer = api("POST", "unstable/dashboard-widgets", {**WIDGET, **changes})
    assert (answer.status_code, answer.json()["error"][0]["path"]) == (400, path)
    assert not Widget.objects.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimensions": [{"field": "colour"}]}, "Invalid dimension colour. Must be one of "),
        ({"dimensions": [{"field": "metadata."}]}, "Invalid dimension metadata.. Must be one of "),
        ({"metrics": [{"measure": "joy", "agg": "sum"}]}, "Invalid metric joy. Must be one of "),
        ({"metrics": [{"measure": "uniqueUserIds", "agg": "sum"}]}, "Aggregation sum is not supported"),
        ({"filters": [COLOUR]}, "Invalid filter column"),
    ],
)
def test_what_no_view_knows(api, changes, message):
    answer = api("POST", "unstable/dashboard-widgets", {**WIDGET, **changes})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(message)


def test_a_widget_is_changed_in_part(api):
    widget_id = new_widget(api)
    path = f"unstable/dashboard-widgets/{widget_id}"
    check(api, Case("", f"PATCH {path}", 200, shown(name="Money"), body={"name": "Money"}))
    changes = {"chartType": "PIE"}
    # What was set for another kind of chart goes with it.
    expected = shown(name="Money", chartType="PIE", chartConfig={"type": "PIE"})
    check(api, Case("", f"PATCH {path}", 200, expected, body=changes))
    refused = api("PATCH", path, {"chartType": "NUMBER"})
    assert (refused.status_code, refused.json()["error"][0]["path"]) == (400, ["dimensions"])
    empty = {"message": "Invalid request data",
             "error": [{"code": "custom", "path": [], "message": "Request body cannot be empty"}]}  # fmt: skip
    check(api, Case("", f"PATCH {path}", 400, empty, body={}))
    check(api, Case("", f"GET {path}", 200, expected))


def test_a_widget_that_stands_somewhere_is_not_deleted(api):
    widget_id = new_widget(api)
    dashboard = new_dashboard(api, {"widgetId": widget_id})
    refused = {
        "message": "This chart stands on a dashboard. Take it from there first.",
        "error": "LangfuseConflictError",
    }
    check(api, Case("", f"DELETE unstable/dashboard-widgets/{widget_id}", 409, refused))
    assert api("DELETE", f"unstable/dashboards/{dashboard['id']}").status_code == 200
    gone = {"message": "Dashboard widget successfully deleted"}
    check(api, Case("", f"DELETE unstable/dashboard-widgets/{widget_id}", 200, gone))
    check(api, Case("", f"GET unstable/dashboard-widgets/{widget_id}", 404, NO_WIDGET))


# --- Dashboards ------------------------------------------------------------------------------------------
def test_a_dashboard_is_written_read_changed_and_deleted(api):
    widget_id = new_widget(api)
    preset = {"type": "preset", "id": "p1", "presetId": "cost-by-model", "x": 6, "y": 0, "width": 6, "height": 4}
    filters = [{"type": "string", "column": "userId", "operator": "=", "value": "u1"}]
    dashboard = new_dashboard(api, at(widget_id, id="w1"), preset, description="All of it", filters=filters)
    expected = {
        "id": ANY, "createdAt": ANY, "updatedAt": ANY, "name": "Costs", "description": "All of it",
        "definition": {"widgets": [at(widget_id, id="w1"), preset]}, "filters": filters,
    }  # fmt: skip
    path = f"unstable/dashboards/{dashboard['id']}"
    check(api, Case("one", f"GET {path}", 200, expected))
    check(api, Case("list", "GET unstable/dashboards", 200, page(expected)))
    changed = {**expected, "name": "Money", "definition": {"widgets": [preset]}, "filters": []}
    body = {"name": "Money", "definition": {"widgets": [preset]}, "filters": []}
    check(api, Case("", f"PATCH {path}", 200, changed, body=body))
    check(api, Case("", f"DELETE {path}", 200, {"message": "Dashboard successfully deleted"}))
    check(api, Case("", f"GET {path}", 404, NO_DASHBOARD))
    assert Widget.objects.filter(pk=widget_id).exists()
    actions = AuditLog.objects.exclude(action="api_key.create").order_by("pk").values_list("action", flat=True)
    assert [*actions] == ["widget.create", "dashboard.create", "dashboard.update", "dashboard.delete"]


def test_charts_without_a_place_stand_below_all_others(api):
    widget_id = new_widget(api)
    dashboard = new_dashboard(api, at(widget_id, id="first", y=3, height=4), {"widgetId": widget_id})
    places = dashboard["definition"]["widgets"]
    assert [(one["x"], one["y"], one["width"], one["height"]) for one in places] == [(0, 3, 6, 4), (0, 7, 6, 5)]
    path = f"unstable/dashboards/{dashboard['id']}/placements"
    third = at(widget_id, id="third", y=12, width=12, height=5)
    check(api, Case("", f"POST {path}", 200, third, body={"widgetId": widget_id, "id": "third", "width": 12}))


def test_a_chart_is_moved_and_taken_away(api):
    widget_id = new_widget(api)
    dashboard = new_dashboard(api, at(widget_id, id="a/b 3%"))
    path = f"unstable/dashboards/{dashboard['id']}/placements/a%2Fb%203%25"
    moved = at(widget_id, id="a/b 3%", x=4, y=9, width=8)
    check(api, Case("", f"PATCH {path}", 200, moved, body={"x": 4, "y": 9, "width": 8}))
    wide = {"message": "A chart does not fit: the grid has 12 columns.", "error": "InvalidRequestError"}
    check(api, Case("", f"PATCH {path}", 400, wide, body={"x": 5}))
    check(api, Case("", f"DELETE {path}", 200, {"message": "Placement successfully deleted"}))
    check(api, Case("", f"DELETE {path}", 404, NO_PLACEMENT))
    assert not Placement.objects.exists()


def test_two_placements_have_two_names(api):
    widget_id = new_widget(api)
    twice = {"message": "Two placements of a dashboard cannot have the same id.", "error": "LangfuseConflictError"}
    body = {"name": "x", "definition": {"widgets": [{"widgetId": widget_id, "id": "a"}] * 2}}
    check(api, Case("", "POST unstable/dashboards", 409, twice, body=body))
    assert not Dashboard.objects.exists()


@pytest.mark.parametrize(
    ("placement", "status"),
    [
        ({"type": "widget"}, 400),
        ({"type": "preset", "widgetId": "x"}, 400),
        ({"type": "preset", "presetId": "unheard-of"}, 400),
        ({"widgetId": "unheard-of"}, 404),
        ({"type": "preset", "presetId": "cost", "x": 12}, 400),
        ({"type": "preset", "presetId": "cost", "x": 7, "width": 6}, 400),
        ({"type": "preset", "presetId": "cost", "width": 13}, 400),
        ({"type": "preset", "presetId": "cost", "y": -1}, 400),
    ],
)
def test_what_is_no_placement(api, placement, status):
    answer = api("POST", "unstable/dashboards", {"name": "x", "definition": {"widgets": [placement]}})
    assert answer.status_code == status, answer.content
    assert not Dashboard.objects.exists()


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": ""}, ["name"]),
        ({"name": 5}, ["name"]),
        ({"filters": {}}, ["filters"]),
        ({"filters": [{"column": []}]}, ["filters", 0, "column"]),
        ({"filters": [{**COLOUR, "column": "userId", "operator": "is"}]}, ["filters", 0, "operator"]),
        ({"filters": [COLOUR]}, ["filters", 0, "column"]),
    ],
)  # fmt: skip
def test_what_is_no_dashboard(api, changes, path):
    answer = api("POST", "unstable/dashboards", {"name": "x", **changes})
    assert (answer.status_code, answer.json()["error"][0]["path"]) == (400, path)


# --- Whose they are --------------------------------------------------------------------------------------
def test_nothing_of_another_project(api):
    other = make_api()
    widget_id = new_widget(other)
    dashboard_id = new_dashboard(other, {"widgetId": widget_id, "id": "p"})["id"]
    for request, answer, body in (
        (f"GET unstable/dashboard-widgets/{widget_id}", NO_WIDGET, None),
        (f"PATCH unstable/dashboard-widgets/{widget_id}", NO_WIDGET, {"name": "mine"}),
        (f"DELETE unstable/dashboard-widgets/{widget_id}", NO_WIDGET, None),
        (f"GET unstable/dashboards/{dashboard_id}", NO_DASHBOARD, None),
        (f"PATCH unstable/dashboards/{dashboard_id}", NO_DASHBOARD, {"name": "mine"}),
        (f"DELETE unstable/dashboards/{dashboard_id}", NO_DASHBOARD, None),
        (f"POST unstable/dashboards/{dashboard_id}/placements", NO_DASHBOARD, {"type": "preset", "presetId": "cost"}),
        (f"PATCH unstable/dashboards/{dashboard_id}/placements/p", NO_DASHBOARD, {"x": 1}),
        (f"DELETE unstable/dashboards/{dashboard_id}/placements/p", NO_DASHBOARD, None),
    ):
        check(api, Case("", request, 404, answer, body=body))
    mine = new_dashboard(api)
    message = f"Dashboard widget {widget_id} not found within authorized project"
    strange = {**NO_WIDGET, "message": message}
    path = f"unstable/dashboards/{mine['id']}/placements"
    check(api, Case("", f"POST {path}", 404, strange, body={"widgetId": widget_id}))
    check(api, Case("", "GET unstable/dashboard-widgets", 200, page(total=0)))
    assert Widget.objects.get().name == WIDGET["name"]
