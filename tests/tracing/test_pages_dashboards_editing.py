"""Making dashboards and charts: who may, what is refused and how it is said, and that nothing is lost or half made."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.urls import reverse

from accounts.access import ProjectScope
from accounts.audit import SYSTEM
from accounts.models import AuditLog
from accounts.roles import Role
from tests.evals.forms_read import fields_of
from tests.factories import make_project
from tests.prompts.playground import signed_in
from tests.tracing.page_data import put_trace
from tracing.actions import dashboards as actions
from tracing.models import Dashboard, Placement, Widget
from tracing.queries.dashboards.definition import GivenWidget
from tracing.queries.dashboards.layout import GivenPlacement
from tracing.queries.dashboards.presets import BOARDS, PRESETS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

HOSTILE = "<script>alert(1)</script>\"'&"
NOW = datetime.now(UTC)


@pytest.fixture
def scope(workspace):
    return ProjectScope(workspace.project.pk, Role.OWNER, user_id=workspace.alice.pk)


@pytest.fixture
def alice(workspace):
    return signed_in(workspace.alice)


@pytest.fixture
def bob(workspace):
    return signed_in(workspace.bob)


@pytest.fixture
def charlie(workspace):
    return signed_in(workspace.charlie)


def body(name="Cost per model", **values):
    return {
        "name": name, "view": "observations", "dimensions": [{"field": "providedModelName"}],
        "metrics": [{"measure": "totalCost", "agg": "sum"}], "filters": [], "chartType": "LINE_TIME_SERIES",
        "chartConfig": {"type": "LINE_TIME_SERIES"}, **values,
    }  # fmt: skip


@pytest.fixture
def widget(scope):
    return actions.create_widget(scope, GivenWidget.model_validate(body()), actor=SYSTEM)


@pytest.fixture
def dashboard(scope, widget):
    """A chart of the project's own, and a built-in one beside it."""
    placements = [
        GivenPlacement(id="mine", widgetId=widget.pk, x=0, y=0, width=6, height=5),
        GivenPlacement(id="built-in", type="preset", presetId="cost", x=6, y=0, width=3, height=2),
    ]
    return actions.create_dashboard(scope, name="Costs", placements=placements, actor=SYSTEM)


def at(view, project, *args, **query):
    return reverse(f"tracing:{view}", args=[getattr(project, "project_id", None) or project.pk, *args], query=query)


def text_of(answer):
    return unescape(answer.content.decode())


def edited(client, dashboard):
    return fields_of(client.get(at("dashboard-edit", dashboard, dashboard.pk)).content.decode(), "layout")


def save(client, dashboard, fields, do="save"):
    return client.post(at("dashboard-save", dashboard, dashboard.pk), {**fields, "do": do})


def places(dashboard):
    return {one.name: (one.x, one.y, one.width, one.height) for one in dashboard.placements.all()}


# --- The ladder ------------------------------------------------------------------------------------------
def test_who_sees_and_who_changes(client, alice, bob, charlie, workspace, dashboard, widget):
    project = workspace.project
    read = [
        at("dashboard-list", project), at("dashboard-list", project, tab="charts"),
        at("dashboard-export", project, dashboard.pk), at("widget-export", project, widget.pk),
    ]  # fmt: skip
    write = [
        at("dashboard-edit", project, dashboard.pk), at("dashboard-import", project), at("widget-new", project),
        at("widget-edit", project, widget.pk), at("placement-copy", project, dashboard.pk, chart="mine"),
    ]  # fmt: skip
    for address in (*read, *write):
        assert client.get(address).status_code == 302, address
        assert charlie.get(address).status_code == 404, address
        assert alice.get(address).status_code == 200, address
    assert {bob.get(address).status_code for address in read} == {200}
    assert {bob.get(address).status_code for address in write} == {403}
    posts = [
        at("dashboard-create", project), at("dashboard-copy", project), at("dashboard-delete", project),
        at("dashboard-choose-home", project), at("dashboard-import-do", project), at("widget-save", project),
        at("widget-delete", project, widget.pk), at("dashboard-save", project, dashboard.pk),
        at("placement-copy-do", project, dashboard.pk),
    ]  # fmt: skip
    for address in posts:
        sent = {"dashboard": dashboard.pk, "widget": widget.pk, "confirmed": "1"}
        assert bob.post(address, sent).status_code == 403, address
        assert charlie.post(address, sent).status_code == 404, address
    assert Dashboard.objects.get() == dashboard


def test_what_belongs_to_another_project_is_not_there(alice, workspace, dashboard, widget):
    other = make_project("Other", organization=workspace.organization)
    assert "Costs" not in text_of(alice.get(at("dashboard-list", other)))
    assert "Cost per model" not in text_of(alice.get(at("dashboard-list", other, tab="charts")))
    for view, key in [
        ("dashboard-edit", dashboard.pk), ("dashboard-export", dashboard.pk), ("placement-copy", dashboard.pk),
        ("widget-edit", widget.pk), ("widget-export", widget.pk),
    ]:  # fmt: skip
        assert alice.get(at(view, other, key)).status_code == 404, view
    assert alice.get(at("widget-new", other, **{"from": widget.pk})).status_code == 404
    assert alice.get(at("widget-new", other, dashboard=dashboard.pk)).status_code == 404
    assert alice.get(at("dashboard-import", other, dashboard=dashboard.pk)).status_code == 404
    for view, args, sent in [
        ("dashboard-copy", (), {"dashboard": dashboard.pk}),
        ("dashboard-delete", (), {"dashboard": dashboard.pk, "confirmed": "1"}),
        ("dashboard-choose-home", (), {"dashboard": dashboard.pk}),
        ("dashboard-save", (dashboard.pk,), {"do": "save", "name": "mine now"}),
        ("widget-delete", (widget.pk,), {}),
        ("widget-save", (), {"widget": widget.pk, "do": "save"}),
        ("placement-copy-do", (dashboard.pk,), {"chart": "mine", "to": dashboard.pk}),
    ]:
        assert alice.post(at(view, other, *args), sent).status_code == 404, view
    dashboard.refresh_from_db()
    assert (dashboard.name, dashboard.is_home, Dashboard.objects.count()) == ("Costs", False, 1)


def test_a_chart_of_another_project_cannot_be_placed(alice, workspace, dashboard):
    elsewhere = ProjectScope(make_project("Elsewhere").pk, Role.OWNER)
    foreign = actions.create_widget(elsewhere, GivenWidget.model_validate(body("Foreign")), actor=SYSTEM)
    fields = edited(alice, dashboard)
    answer = save(alice, dashboard, fields, do=f"add-widget:{foreign.pk}")
    assert "Foreign" not in text_of(answer)
    fields["widget"][0] = foreign.pk
    assert save(alice, dashboard, fields).status_code == 422
    assert not Placement.objects.filter(widget=foreign).exists()


# --- The list --------------------------------------------------------------------------------------------
def test_the_list_has_built_in_and_own_ones(alice, bob, workspace, dashboard):
    page = text_of(alice.get(at("dashboard-list", workspace.project)))
    assert all(str(board.name) in page for board in BOARDS.values())
    assert "Costs" in page
    found = text_of(alice.get(at("dashboard-list", workspace.project, q="cOsTs")))
    assert "Costs" in found
    assert "Latency" not in found
    seen = text_of(bob.get(at("dashboard-list", workspace.project)))
    assert "Costs" in seen
    assert at("dashboard-delete", workspace.project) not in seen
    assert at("dashboard-copy", workspace.project) not in seen
    assert "To make one, be a member of the project." in seen


def test_hostile_names_are_only_text(alice, scope, workspace):
    made = actions.create_dashboard(scope, name=HOSTILE, description=HOSTILE, actor=SYSTEM)
    given = GivenWidget.model_validate(body(HOSTILE, description=HOSTILE))
    placed = actions.place_widget(scope, made.pk, given, actor=SYSTEM)
    for address in [
        at("dashboard-list", workspace.project), at("dashboard-list", workspace.project, tab="charts"),
        at("dashboard-edit", made, made.pk), at("widget-edit", made, placed.pk, dashboard=made.pk),
    ]:  # fmt: skip
        page = alice.get(address).content.decode()
        assert "alert(1)" in page, address
        assert "<script>alert" not in page, address


def test_a_dashboard_is_made_copied_chosen_and_deleted(alice, workspace, dashboard):
    project = workspace.project
    answer = alice.post(at("dashboard-create", project), {"name": "费用 " + "x" * 300})
    made = Dashboard.objects.exclude(pk=dashboard.pk).get()
    assert answer.headers["Location"] == at("dashboard-edit", project, made.pk)
    assert made.name.startswith("费用")
    alice.post(at("dashboard-copy", project), {"dashboard": dashboard.pk})
    copy = Dashboard.objects.get(name="Costs, copy")
    assert sorted(places(copy).values()) == sorted(places(dashboard).values())
    assert not {one.widget_id for one in copy.placements.all() if one.widget_id} & {
        dashboard.placements.get(name="mine").widget_id
    }
    alice.post(at("dashboard-choose-home", project), {"dashboard": copy.pk})
    assert Dashboard.objects.get(is_home=True) == copy
    alice.post(at("dashboard-choose-home", project), {"dashboard": ""})
    assert not Dashboard.objects.filter(is_home=True).exists()
    asked = alice.post(at("dashboard-delete", project), {"dashboard": copy.pk})
    assert "Delete “Costs, copy”?" in text_of(asked)
    assert Dashboard.objects.filter(pk=copy.pk).exists()
    alice.post(at("dashboard-delete", project), {"dashboard": copy.pk, "confirmed": "1"})
    assert not Dashboard.objects.filter(pk=copy.pk).exists()
    acts = AuditLog.objects.values_list("action", flat=True)
    assert {"dashboard.create", "dashboard.home", "dashboard.delete"} <= set(acts)


def test_with_a_dashboard_go_the_charts_that_stand_nowhere_else(alice, scope, workspace, dashboard, widget):
    lonely = actions.place_widget(scope, dashboard.pk, GivenWidget.model_validate(body("Lonely")), actor=SYSTEM)
    elsewhere = actions.create_dashboard(
        scope, name="Elsewhere", placements=[GivenPlacement(widgetId=widget.pk)], actor=SYSTEM
    )
    asked = alice.post(at("dashboard-delete", workspace.project), {"dashboard": dashboard.pk})
    assert "But delete the 1 chart that stands on no other dashboard" in text_of(asked)
    shown = re.findall('name="chart" value="([^"]+)"', asked.content.decode())
    # What is placed there while the question stands is not what was agreed to.
    later = actions.place_widget(scope, dashboard.pk, GivenWidget.model_validate(body("Later")), actor=SYSTEM)
    sent = {"dashboard": dashboard.pk, "confirmed": "1", "with_charts": "1", "chart": shown}
    alice.post(at("dashboard-delete", workspace.project), sent)
    assert [*Dashboard.objects.all()] == [elsewhere]
    assert {*Widget.objects.all()} == {widget, later}
    assert AuditLog.objects.filter(action="widget.delete", object_id=lonely.pk).exists()


def test_without_the_tick_charts_stay(alice, workspace, dashboard, widget):
    alice.post(at("dashboard-delete", workspace.project), {"dashboard": dashboard.pk, "confirmed": "1"})
    assert [*Widget.objects.all()] == [widget]


@pytest.mark.parametrize("board", BOARDS)
def test_a_built_in_dashboard_becomes_ones_own(alice, workspace, board):
    answer = alice.post(at("dashboard-copy", workspace.project), {"board": board})
    made = Dashboard.objects.get()
    assert answer.headers["Location"] == at("dashboard-edit", workspace.project, made.pk)
    assert made.placements.count() == len(BOARDS[board].places) == Widget.objects.count()
    assert alice.get(answer.headers["Location"]).status_code == 200
    # Each of its charts can be opened, and says the same when it is saved as it is.
    for widget in Widget.objects.all():
        page = alice.get(at("widget-edit", made, widget.pk)).content.decode()
        before = (widget.view, widget.dimensions, widget.metrics, widget.filters, widget.chart_config)
        answer = alice.post(at("widget-save", made), {**fields_of(page, "widget"), "do": "save"})
        assert answer.status_code == 303, (widget.name, text_of(answer))
        widget.refresh_from_db()
        assert (widget.view, widget.dimensions, widget.metrics, widget.filters, widget.chart_config) == before


def test_a_chart_that_stands_somewhere_is_not_deleted(alice, workspace, dashboard, widget):
    alice.post(at("widget-delete", workspace.project, widget.pk))
    assert Widget.objects.filter(pk=widget.pk).exists()
    dashboard.placements.all().delete()
    alice.post(at("widget-delete", workspace.project, widget.pk))
    assert not Widget.objects.exists()


# --- Arranging -------------------------------------------------------------------------------------------
def test_nothing_changes_where_nothing_was_changed(alice, dashboard):
    answer = save(alice, dashboard, edited(alice, dashboard))
    assert answer.headers["Location"] == at("dashboard-detail", dashboard, dashboard.pk)
    before = dashboard.revision
    dashboard.refresh_from_db()
    assert dashboard.revision == before


def test_places_names_and_filters_are_saved_at_once(alice, dashboard):
    fields = edited(alice, dashboard)
    fields |= {"name": ["Money"], "description": ["all of it"], "x": ["3", "0"], "y": ["4", "0"]}
    fields |= {"width": ["9", "3"], "height": ["7", "2"]}
    fields |= {"column": ["metadata"], "operator": ["="], "condition": ["eu"], "key": ["region"], "raw": [""]}
    assert save(alice, dashboard, fields).status_code == 303
    dashboard.refresh_from_db()
    assert (dashboard.name, dashboard.description) == ("Money", "all of it")
    assert places(dashboard) == {"mine": (3, 4, 9, 7), "built-in": (0, 0, 3, 2)}
    wanted = {"type": "stringObject", "column": "metadata", "operator": "=", "value": "eu", "key": "region"}
    assert dashboard.filters == [wanted]
    # And come back as they are.
    fields = edited(alice, dashboard)
    assert (fields["column"], fields["key"], fields["condition"], fields["raw"]) == (
        ["metadata"],
        ["region"],
        ["eu"],
        [""],
    )


def test_charts_that_would_cover_each_other_move_down(alice, dashboard):
    fields = edited(alice, dashboard)
    fields |= {"x": ["0", "2"], "y": ["0", "1"], "width": ["40", "x"], "height": ["5", "-1"]}
    assert save(alice, dashboard, fields).status_code == 303
    assert places(dashboard) == {"mine": (0, 0, 12, 5), "built-in": (2, 5, 1, 1)}


def test_charts_are_added_and_removed_before_anything_is_written(alice, dashboard):
    fields = edited(alice, dashboard)
    page = save(alice, dashboard, fields, do="add-preset:models").content.decode()
    fields = fields_of(page, "layout")
    assert fields["preset"] == ["", "cost", "models"]
    assert (fields["y"][-1], fields["width"][-1], fields["height"][-1]) == ("5", "6", "6")
    page = save(alice, dashboard, fields, do="remove:built-in").content.decode()
    fields = fields_of(page, "layout")
    assert dashboard.placements.count() == 2
    assert save(alice, dashboard, fields).status_code == 303
    assert [one.preset for one in dashboard.placements.all()] == ["", "models"]


def test_of_two_people_the_second_is_told_and_loses_nothing(alice, dashboard):
    mine, theirs = edited(alice, dashboard), edited(alice, dashboard)
    theirs["name"] = ["Theirs"]
    assert save(alice, dashboard, theirs).status_code == 303
    mine |= {"name": ["Mine"], "x": ["5", "0"]}
    answer = save(alice, dashboard, mine)
    assert answer.status_code == 409
    page = text_of(answer)
    assert "Somebody else has changed this dashboard meanwhile." in page
    kept = fields_of(answer.content.decode(), "layout")
    assert (kept["name"], kept["x"]) == (["Mine"], ["5", "0"])
    dashboard.refresh_from_db()
    assert dashboard.name == "Theirs"
    assert save(alice, dashboard, kept, do="save-anyway").status_code == 303
    dashboard.refresh_from_db()
    assert dashboard.name == "Mine"


def test_what_is_wrong_is_said_where_it_is_and_nothing_is_saved(alice, dashboard):
    fields = edited(alice, dashboard)
    fields |= {"name": ["  "], "column": ["environment"], "operator": ["any of"], "condition": [""], "key": [""]}
    fields["raw"] = [""]
    answer = save(alice, dashboard, fields)
    assert answer.status_code == 422
    assert "Give it a name." in text_of(answer)
    assert "Give at least one value." in text_of(answer)
    dashboard.refresh_from_db()
    assert (dashboard.name, dashboard.filters) == ("Costs", [])


def test_charts_are_shown_under_filters_that_are_not_saved_yet(alice, project, scope):
    for name in ("kept", "left"):
        put_trace(project.pk, name=name, at=NOW - timedelta(minutes=5))
    made = actions.create_dashboard(
        scope, name="D", placements=[GivenPlacement(type="preset", presetId="traces")], actor=SYSTEM
    )
    fields = edited(alice, made)

    def shown(**typed):
        page = save(alice, made, {**fields, **typed}, do="look").content.decode()
        return text_of(alice.get(unescape(page.split('data-figure="')[1].split('"')[0])))

    line = {"column": ["traceName"], "operator": ["any of"], "key": [""], "raw": [""]}
    assert ">2</a>" in shown()
    assert ">1</a>" in shown(**line, condition=["kept"])
    assert ">2</a>" in shown(**line, condition=[""])  # it is still being written
    assert ">2</a>" in text_of(alice.get(unescape(figure_of(alice.get(at("dashboard-detail", made, made.pk))))))


def test_filters_that_no_address_holds_are_said_to_wait_until_they_are_saved(alice, dashboard):
    fields = edited(alice, dashboard)
    line = {"column": ["traceName"], "operator": ["any of"], "key": [""], "raw": [""]}
    for length, is_tried in ((100, True), (1990, False)):
        page = save(alice, dashboard, {**fields, **line, "condition": ["n" * length]}, do="look").content.decode()
        assert ("hold once they are saved" in page, "filters=" in page.split('data-figure="')[1].split('"')[0]) == (
            not is_tried, is_tried,
        )  # fmt: skip


def figure_of(page):
    return page.content.decode().split('data-figure="')[1].split('"')[0]


@pytest.mark.parametrize("filters", ["{", "7", "[1]", "", '[{"column": "userId", "type": "string"}]'])
def test_filters_in_an_address_that_are_none_are_refused_in_the_panel(alice, dashboard, filters):
    answer = alice.get(at("dashboard-figure", dashboard, preset="traces", filters=filters))
    assert answer.status_code == 400
    assert "panel-problem" in text_of(answer)


def test_a_filter_that_the_form_has_no_words_for_stays_as_it_is(alice, scope, dashboard):
    kept = [{"type": "string", "column": "traceName", "operator": "=", "value": "a, b"},
            {"type": "number", "column": "value", "operator": ">", "value": 0.5}]  # fmt: skip
    actions.update_dashboard(scope, dashboard.pk, filters=kept, actor=SYSTEM)
    dashboard.refresh_from_db()
    fields = {**edited(alice, dashboard), "name": ["Costs!"]}
    assert save(alice, dashboard, fields).status_code == 303
    dashboard.refresh_from_db()
    assert (dashboard.name, dashboard.filters) == ("Costs!", kept)


def test_leaving_for_the_editor_keeps_what_was_arranged(alice, dashboard, widget):
    fields = {**edited(alice, dashboard), "x": ["6", "0"]}
    answer = save(alice, dashboard, fields, do="edit:mine")
    assert answer.headers["Location"] == at("widget-edit", dashboard, widget.pk, dashboard=dashboard.pk)
    assert places(dashboard)["mine"][0] == 6
    answer = save(alice, dashboard, edited(alice, dashboard), do="new")
    assert answer.headers["Location"] == at("widget-new", dashboard, dashboard=dashboard.pk)


def test_a_built_in_chart_is_edited_as_ones_own_in_its_place(alice, dashboard):
    answer = save(alice, dashboard, edited(alice, dashboard), do="edit:built-in")
    fields = fields_of(alice.get(answer.headers["Location"]).content.decode(), "widget")
    answer = alice.post(at("widget-save", dashboard), {**fields, "name": "Money", "do": "save"})
    assert answer.headers["Location"] == at("dashboard-edit", dashboard, dashboard.pk)
    placement = dashboard.placements.get(name="built-in")
    assert (placement.preset, placement.widget.name, placement.x) == ("", "Money", 6)


def test_a_chart_is_duplicated_and_copied_elsewhere(alice, scope, dashboard):
    assert save(alice, dashboard, edited(alice, dashboard), do="duplicate:mine").status_code == 303
    widgets = [one.widget_id for one in dashboard.placements.all() if one.widget_id]
    assert len(set(widgets)) == 2
    other = actions.create_dashboard(scope, name="Other", actor=SYSTEM)
    answer = save(alice, dashboard, edited(alice, dashboard), do="copy:built-in")
    page = text_of(alice.get(answer.headers["Location"]))
    assert "Other" in page
    target = at("placement-copy-do", dashboard, dashboard.pk)
    assert alice.post(target, {"chart": "built-in"}).status_code == 422
    assert alice.post(target, {"chart": "built-in", "to": other.pk}).status_code == 303
    assert [(one.preset, one.width, one.height) for one in other.placements.all()] == [("cost", 3, 2)]
    assert alice.post(target, {"chart": "nope", "to": other.pk}).status_code == 404


# --- Files -----------------------------------------------------------------------------------------------
def exported(client, dashboard):
    return json.loads(client.get(at("dashboard-export", dashboard, dashboard.pk)).content)


def import_text(client, project, value, **sent):
    text = value if isinstance(value, str) else json.dumps(value)
    return client.post(at("dashboard-import-do", project), {"text": text, **sent})


def test_what_is_exported_can_be_imported_elsewhere(alice, scope, workspace, dashboard):
    actions.update_dashboard(scope, dashboard.pk, description="of models", actor=SYSTEM)
    first = exported(alice, dashboard)
    other = make_project("Other", organization=workspace.organization)
    answer = import_text(alice, other, first)
    made = Dashboard.objects.get(project=other)
    assert answer.headers["Location"] == at("dashboard-detail", other, made.pk)
    assert exported(alice, made) == first
    assert {one["type"] for one in first["definition"]["widgets"]} == {"widget", "preset"}
    assert first["version"] == 1


def test_a_chart_is_imported_onto_a_dashboard(alice, dashboard, widget):
    file = json.loads(alice.get(at("widget-export", dashboard, widget.pk)).content)
    assert file["type"] == "widget"
    answer = import_text(alice, dashboard, file, dashboard=dashboard.pk)
    assert answer.headers["Location"] == at("dashboard-edit", dashboard, dashboard.pk)
    assert dashboard.placements.count() == 3
    # Pasted into the page, too, with what was arranged there; and as the API answers it.
    plain = {name: value for name, value in file.items() if name not in ("version", "type")}
    fields = {**edited(alice, dashboard), "pasted": json.dumps(plain), "name": ["Renamed"]}
    assert save(alice, dashboard, fields, do="paste").status_code == 303
    dashboard.refresh_from_db()
    assert (dashboard.name, dashboard.placements.count()) == ("Renamed", 4)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": ""}, "name"),
        ({"version": 2}, "version"),
        ({"filters": [{"column": "nope"}]}, "filters[0].column"),
        ({"filters": [{"type": "string", "column": "userId", "operator": "~", "value": "x"}]}, "filters[0].operator"),
        ({"definition": {"widgets": [{"widget": body(chartType="DONUT")}]}}, "definition.widgets[0].widget.chartType"),
        ({"definition": {"widgets": [{"widget": body(metrics=[{"measure": "nope", "agg": "sum"}])}]}},
         "definition.widgets[0].widget"),
        ({"definition": {"widgets": [{"widget": body()}, {"type": "preset", "presetId": "nope"}]}},
         "definition.widgets[1].presetId"),
        ({"definition": {"widgets": [{"type": "widget"}]}}, "definition.widgets[0].widget"),
        ({"definition": {"widgets": [{"widget": body(), "x": 8, "width": 6}]}}, "definition.widgets[0].width"),
        ({"definition": {"widgets": [{"widget": body(), "x": 12}]}}, "definition.widgets[0].x"),
    ],
)  # fmt: skip
def test_every_mistake_is_named_by_its_path_and_nothing_is_made(alice, workspace, change, path):
    answer = import_text(alice, workspace.project, {"version": 1, "type": "dashboard", "name": "D", **change})
    assert answer.status_code == 422
    assert f"<code>{path}</code>" in text_of(answer)
    assert not Dashboard.objects.exists()
    assert not Widget.objects.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"type": "widget"}', "\x00", "[" * 100_000])
def test_what_is_no_file_of_ours_is_refused(alice, workspace, text):
    assert import_text(alice, workspace.project, text).status_code == 422
    assert not Widget.objects.exists()


# --- The editor of a chart -------------------------------------------------------------------------------
def new_fields(client, project, **query):
    return fields_of(client.get(at("widget-new", project, **query)).content.decode(), "widget")


def send(client, project, fields, do="save"):
    return client.post(at("widget-save", project), {**fields, "do": do})


def test_a_chart_is_made_line_by_line_without_a_script(alice, workspace, dashboard):
    project = workspace.project
    fields = new_fields(alice, project, dashboard=dashboard.pk)
    fields |= {"measure": ["latency"], "agg": ["p95"]}
    fields = fields_of(send(alice, project, fields, do="add-dimension").content.decode(), "widget")
    assert fields["dimension"] == ["providedModelName"]
    fields |= {"dimension": ["metadata"], "dimension_key": ["region"]}
    fields = fields_of(send(alice, project, fields, do="add-condition").content.decode(), "widget")
    fields |= {"column": ["nope"], "operator": [""], "condition": [""], "key": [""], "raw": [""]}
    assert "There is no “Nope”" in text_of(send(alice, project, fields))
    fields |= {"column": ["type"], "operator": ["any of"], "condition": ["GENERATION, TOOL"]}
    fields |= {"compare": ["1"], "row_limit": ["5"], "unit": ["day"], "range": ["30d"]}
    answer = send(alice, project, fields)
    assert answer.headers["Location"] == at("dashboard-edit", project, dashboard.pk)
    made = Widget.objects.latest("created_at")
    assert made.name == "Latency p95 per region"
    assert made.dimensions == [{"field": "metadata.region"}]
    assert made.metrics == [{"measure": "latency", "agg": "p95"}]
    wanted = {"type": "stringOptions", "column": "type", "operator": "any of", "value": ["GENERATION", "TOOL"]}
    assert made.filters == [wanted]
    config = {"type": "LINE_TIME_SERIES", "row_limit": 5, "compare": True, "range": "30d", "unit": "day"}
    assert made.chart_config == config
    assert dashboard.placements.filter(widget=made).exists()


def test_the_form_offers_what_fits(alice, workspace):
    project = workspace.project
    fields = {**new_fields(alice, project), "view": ["scores-categorical"], "measure": ["totalCost"], "agg": ["sum"]}
    page = send(alice, project, fields, do="add-dimension").content.decode()
    fields = fields_of(page, "widget")
    assert (fields["measure"], fields["agg"]) == (["count"], ["count"])
    assert "stringValue" in page
    assert "providedModelName" not in page
    assert "“Histogram” shows one measure that each record has a value of" in page
    fields |= {"dimension": ["name", "stringValue"], "dimension_key": ["", ""]}
    page = send(alice, project, fields, do="look").content.decode()
    assert "“Lines” has room for one breakdown: a table takes two." in unescape(page)
    fields |= {"chart": ["PIVOT_TABLE"], "heatmap": ["1"], "sort": ["count_count:ASC"]}
    page = send(alice, project, fields, do="look").content.decode()
    assert "data-figure" in page
    assert send(alice, project, fields).status_code == 303
    config = Widget.objects.get().chart_config
    assert (config["display"], config["defaultSort"]) == ("heatmap", {"column": "count_count", "order": "ASC"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"row_limit": ["1001"]}, "Give a whole number from 1 to 1000."),
        ({"row_limit": ["many"]}, "Give a whole number from 1 to 1000."),
        ({"measure": ["latency"], "agg": ["histogram"], "chart": ["HISTOGRAM"], "bins": ["0"]},
         "Give a whole number from 1 to 100."),
        ({"column": ["startTime"], "operator": [">"], "condition": ["yesterday"], "key": [""], "raw": [""]},
         "“yesterday” is no time. Write one like 2026-11-21T08:00:00Z."),
        ({"column": ["metadata"], "operator": ["="], "condition": ["x"], "key": [""], "raw": [""]},
         "Say which key of it."),
        ({"chart": ["NUMBER"], "measure": ["count", "latency"], "agg": ["count", "p95"]},
         "“Number” shows one measure."),
        ({"chart": ["NUMBER"], "measure": ["costByType"], "agg": ["sum"]}, "a measure by kind has several"),
        ({"chart": ["HISTOGRAM"], "measure": ["usageByType"], "agg": ["histogram"]}, "each record has a value of"),
        ({"chart": ["PIE"], "measure": ["latency"], "agg": ["histogram"]}, "“Pie” shows no spread: a histogram does."),
        ({"measure": ["costByType", "usageByType"], "agg": ["sum", "sum"]}, "each need a chart of their own"),
        ({"column": ["costType"], "operator": ["any of"], "condition": ["input"], "key": [""], "raw": [""]},
         "only where it is broken down by it"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_place(alice, workspace, change, words):
    fields = {**new_fields(alice, workspace.project), **change}
    answer = send(alice, workspace.project, fields)
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert not Widget.objects.exists()


def test_the_editor_leads_back_to_where_it_was_opened(alice, workspace, dashboard, widget):
    shown = at("dashboard-detail", dashboard, dashboard.pk, range="30d")
    page = unescape(alice.get(shown).content.decode())
    editors = [part.split('"')[0] for part in page.split('href="') if "/charts/" in part.split('"')[0]]
    editors = [address for address in editors if "export" not in address]
    assert len(editors) == 2
    for address in editors:
        fields = fields_of(alice.get(address).content.decode(), "widget")
        answer = send(alice, dashboard, {**fields, "name": ["Changed"]})
        assert answer.headers["Location"] == shown
    listed = at("dashboard-list", dashboard, tab="charts", q="Changed")
    address = at("widget-edit", dashboard, widget.pk, next=listed)
    assert unescape(alice.get(address).content.decode()).count(f'href="{listed}"') == 1


@pytest.mark.parametrize(
    "address", ["https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)"]
)
def test_the_editor_leads_to_no_other_site(alice, dashboard, widget, address):
    page = alice.get(at("widget-edit", dashboard, widget.pk, dashboard=dashboard.pk, next=address)).content.decode()
    assert address not in unescape(page)
    answer = send(alice, dashboard, {**fields_of(page, "widget"), "next": [address]})
    assert answer.headers["Location"] == at("dashboard-edit", dashboard, dashboard.pk)


def test_a_chart_that_somebody_else_changed_is_not_written_over(alice, dashboard, widget):
    address = at("widget-edit", dashboard, widget.pk, dashboard=dashboard.pk)
    mine = fields_of(alice.get(address).content.decode(), "widget")
    assert send(alice, dashboard, {**mine, "name": ["Theirs"]}).status_code == 303
    answer = send(alice, dashboard, {**mine, "name": ["Mine"]})
    assert answer.status_code == 409
    kept = fields_of(answer.content.decode(), "widget")
    assert kept["name"] == ["Mine"]
    assert Widget.objects.get(pk=widget.pk).name == "Theirs"
    assert send(alice, dashboard, kept, do="save-anyway").status_code == 303
    assert Widget.objects.get(pk=widget.pk).name == "Mine"
    assert send(alice, dashboard, kept, do="save-copy").status_code == 303
    assert Widget.objects.count() == 2


def test_the_preview_asks_for_what_is_in_the_form(alice, project):
    put_trace(project.pk, {"name": "answer", "metadata": {"region": "eu"}}, at=NOW - timedelta(minutes=5))
    page = alice.get(at("widget-new", project)).content.decode()
    assert '<option value="region"></option>' in page
    fields = {**fields_of(page, "widget"), "dimension": ["metadata"], "dimension_key": ["region"]}
    fields |= {"chart": ["HORIZONTAL_BAR"]}
    page = send(alice, project, fields, do="refresh").content.decode()
    address = unescape(page.split('data-figure="')[1].split('"')[0])
    shown = alice.get(address)
    assert shown.status_code == 200
    assert "eu" in text_of(shown)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_built_in_chart_opens_in_the_editor(alice, workspace, preset):
    page = alice.get(at("widget-new", workspace.project, preset=preset)).content.decode()
    assert "data-figure" in page
    fields = fields_of(page, "widget")
    assert send(alice, workspace.project, fields).status_code == 303
    made, wanted = Widget.objects.get(), PRESETS[preset].body
    assert (made.metrics, made.dimensions, made.filters) == (wanted["metrics"], wanted["dimensions"], wanted["filters"])
    assert made.chart_config == wanted["chartConfig"]
