"""Dashboards as they are read: their panels, the figures in them, and the way from a figure to its rows."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from accounts.access import scope_for_task
from accounts.audit import SYSTEM
from config.errors import TooExpensive, Unavailable
from tests.factories import make_project
from tests.tracing.page_data import HOSTILE, put_trace
from tracing.actions import dashboards as actions
from tracing.queries.dashboards import figures, kept, presets
from tracing.queries.dashboards.definition import read_widget
from tracing.queries.dashboards.layout import GivenPlacement
from tracing.queries.explorer.language import parse
from tracing.queries.explorer.nouns import Noun
from tracing.queries.metrics import Metric
from tracing.views.dashboards import figures as views
from tracing.views.dashboards import page as pages
from tracing.views.dashboards import words

NOW = datetime.now(UTC).replace(microsecond=0)
WIDGET = {
    "name": "Cost",
    "view": "observations",
    "dimensions": [{"field": "providedModelName"}],
    "metrics": [{"measure": "totalCost", "agg": "sum"}],
    "chartType": "HORIZONTAL_BAR",
}


@pytest.fixture(autouse=True)
def nothing_kept():
    kept.forget()


@pytest.fixture
def filled(project):
    """Two generations of `small`, one of `large`, one that failed of nobody knows what; a day ago."""
    said = [("small", "1", "DEFAULT"), ("small", "2", "DEFAULT"), ("large", "4", "DEFAULT"), ("", "0", "ERROR")]
    for number, (model, cost, level) in enumerate(said):
        metadata = {"the region": "eu" if number < 3 else 'a "quoted" one'}
        environment = "production" if number else "staging"
        put_trace(
            project.pk,
            root={
                "type": "GENERATION", "model": model, "total_cost": Decimal(cost), "level": level,
                "name": f"step {number}", "metadata": metadata, "environment": environment,
            },
            # As older SDKs say it: of the trace alone.
            name=HOSTILE if number == 2 else "chat", user_id=f"user {number}", tags=["a b", "c"],
            metadata=metadata, environment=environment, at=NOW - timedelta(days=1),
        )  # fmt: skip
    return project


def figure(client, project, **what):
    return client.get(reverse("tracing:dashboard-figure", args=[project.pk]), what)


def definition(**changes):
    body = {name: value for name, value in {**WIDGET, **changes}.items() if name != "name"}
    return json.dumps(body)


def drawn(answer):
    found = re.search(r'<script type="application/json">(.*?)</script>', answer.content.decode(), re.S)
    return json.loads(found[1])


def rows_behind(client, href):
    """How many rows the list at this address says there are."""
    page = client.get(href)
    assert page.status_code == 200
    return page.content.decode().count('data-id="')


# --- Pages -----------------------------------------------------------------------------------------------
def test_home_has_a_panel_for_each_chart_and_reads_none_of_them(alice, project, monkeypatch):
    monkeypatch.setattr(figures.metrics, "read", None)
    page = alice.get(reverse("tracing:project-home", args=[project.pk]))
    assert page.status_code == 200
    text = page.content.decode()
    places = presets.BOARDS[presets.HOME].places
    assert [one for one in places if f"preset={one.preset}" not in text] == []
    assert text.count('data-figure="') == len(places)


def test_home_leads_to_the_first_trace_until_there_is_one(alice, project):
    address = reverse("tracing:project-home", args=[project.pk])
    start = f'href="{reverse("tracing:onboarding", args=[project.pk])}">Send the first trace</a>'
    asked = f'hx-get="{address}"'
    part = {"HX-Request": "true", "HX-Target": "begin"}
    assert asked in alice.get(address).content.decode()
    assert start in alice.get(address, headers=part).content.decode()
    put_trace(project.pk)
    assert alice.get(address, headers=part).content.decode().strip() == ""
    assert asked not in alice.get(address).content.decode()


def test_home_does_not_wait_for_the_first_trace(alice, project, monkeypatch):
    monkeypatch.setattr(pages.traces, "has_traces", None)
    answer = alice.get(reverse("tracing:project-home", args=[project.pk]))
    assert answer.status_code == 200


def test_range_environment_and_filters_go_along_to_the_other_dashboards(alice, project):
    query = "range=24h&environment=production&user=u+1&tag=a&tag=b"
    text = alice.get(f"{reverse('tracing:project-home', args=[project.pk])}?{query}&q=unrelated").content.decode()
    [tabs] = re.findall('<nav class="segmented boards".*?</nav>', text, re.DOTALL)
    found = [urlsplit(unescape(url)) for url in re.findall('href="([^"]+)"', tabs)]
    assert len({one.path for one in found}) == len(presets.BOARDS)
    assert [parse_qs(one.query) for one in found] == [parse_qs(query)] * len(presets.BOARDS)


@pytest.mark.parametrize("board", presets.BOARDS)
def test_built_in_dashboards(alice, project, board):
    page = alice.get(reverse("tracing:dashboard-board", args=[project.pk, board]))
    assert (page.status_code, str(presets.BOARDS[board].name) in page.content.decode()) == (200, True)


def test_the_address_goes_on_to_each_chart(alice, project):
    address = reverse("tracing:project-home", args=[project.pk])
    query = "range=24h&environment=production&user=u+1&user=u2&q=unrelated"
    page = alice.get(f"{address}?{query}")
    for url in map(unescape, re.findall(r'data-figure="([^"]+)"', page.content.decode())):
        asked = parse_qs(urlsplit(url).query)
        assert {name: asked[name] for name in asked if name != "preset"} == {
            "range": ["24h"], "environment": ["production"], "user": ["u 1", "u2"],
        }  # fmt: skip


def test_a_dashboard_of_ones_own_as_home(alice, bob, project):
    scope = scope_for_task(project.pk)
    widget = actions.create_widget(scope, read_widget({**WIDGET, "name": HOSTILE}), actor=SYSTEM)
    places = [GivenPlacement(widgetId=widget.pk), GivenPlacement(type="preset", presetId="cost")]
    dashboard = actions.create_dashboard(scope, name="Ours", placements=places, actor=SYSTEM)
    actions.set_home(scope, dashboard.pk, actor=SYSTEM)
    page = bob.get(reverse("tracing:project-home", args=[project.pk])).content.decode()
    assert f"widget={widget.pk}" in page
    assert "preset=cost" in page
    assert HOSTILE not in page
    actions.set_home(scope, None, actor=SYSTEM)
    assert "preset=calls-by-model" in bob.get(reverse("tracing:project-home", args=[project.pk])).content.decode()


def test_a_chart_whose_words_are_not_known_any_more_says_so_and_leaves_the_others(alice, project):
    scope = scope_for_task(project.pk)
    widget = actions.create_widget(scope, read_widget(WIDGET), actor=SYSTEM)
    places = [GivenPlacement(widgetId=widget.pk), GivenPlacement(type="preset", presetId="cost")]
    dashboard = actions.create_dashboard(scope, name="Ours", placements=places, actor=SYSTEM)
    type(widget).objects.filter(pk=widget.pk).update(dimensions=[{"field": "colour"}])
    page = alice.get(reverse("tracing:dashboard-detail", args=[project.pk, dashboard.pk])).content.decode()
    assert "Invalid dimension colour" in page
    assert "preset=cost" in page
    assert figure(alice, project, widget=widget.pk).status_code == 400


def test_nothing_of_another_project(alice, project):
    other = make_project()
    scope = scope_for_task(other.pk)
    widget = actions.create_widget(scope, read_widget(WIDGET), actor=SYSTEM)
    dashboard = actions.create_dashboard(scope, name="Theirs", actor=SYSTEM)
    assert alice.get(reverse("tracing:dashboard-detail", args=[project.pk, dashboard.pk])).status_code == 404
    assert figure(alice, project, widget=widget.pk).status_code == 404
    assert figure(alice, project, preset="cost", dashboard=dashboard.pk).status_code == 404
    assert alice.get(reverse("tracing:project-home", args=[other.pk])).status_code == 404
    assert figure(alice, other, preset="cost").status_code == 404


# --- Figures ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("preset", presets.PRESETS)
def test_every_built_in_chart_is_drawn_full_and_empty(alice, filled, preset):
    full = figure(alice, filled, preset=preset, range="30d")
    assert full.status_code == 200
    assert HOSTILE not in full.content.decode()
    long_ago = {"from": "2001-01-01T00:00Z", "to": "2001-01-02T00:00Z"}
    assert figure(alice, filled, preset=preset, **long_ago).status_code == 200
    assert alice.get(reverse("tracing:dashboard-csv", args=[filled.pk]), {"preset": preset}).status_code == 200


def test_a_number_says_how_it_changed(alice, filled):
    put_trace(filled.pk, root={"total_cost": Decimal("14")}, at=NOW - timedelta(days=10))
    text = figure(alice, filled, preset="cost", range="7d").content.decode()
    assert "$7.00" in text
    assert "−50.0 %" in text
    assert "previous 7 days" in text


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"environment": "production"}, {"large": 4, "small": 2, "none": 0}),
        ({"model": "small"}, {"small": 3}),
        ({"user": "user 1"}, {"small": 2}),
        ({"tag": "nobody"}, {}),
        ({"name": "chat"}, {"small": 3, "none": 0}),
        ({"from": "2001-01-01T00:00Z", "to": "2001-02-01T00:00Z"}, {}),
    ],
)
def test_the_page_narrows_its_charts(alice, filled, parameters, expected):
    answer = figure(alice, filled, definition=definition(), **parameters)
    found = drawn(answer)["items"] if expected else []
    assert {one["name"]: one["values"][0] for one in found} == expected
    assert ("Nothing in this time range" in answer.content.decode()) == (not expected)


def test_a_dashboard_narrows_its_charts_by_filters_of_its_own(alice, filled):
    only_large = {"type": "string", "column": "providedModelName", "operator": "=", "value": "large"}
    dashboard = actions.create_dashboard(scope_for_task(filled.pk), name="Ours", filters=[only_large], actor=SYSTEM)
    found = drawn(figure(alice, filled, definition=definition(), dashboard=dashboard.pk))["items"]
    assert [one["name"] for one in found] == ["large"]


@pytest.mark.parametrize(
    ("what", "status", "words"),
    [
        ({}, 400, "no chart that can be read"),
        ({"definition": "{"}, 400, "no chart that can be read"),
        ({"definition": "[" * 9000}, 400, "no chart that can be read"),
        ({"definition": definition(metrics=[{"measure": "joy", "agg": "sum"}])}, 400, "Invalid metric joy"),
        ({"preset": "unheard-of"}, 404, "no such built-in chart"),
        ({"widget": "unheard\x00of"}, 404, "not found"),
    ],
)
def test_what_is_no_chart(alice, project, what, status, words):
    answer = figure(alice, project, **what)
    assert (answer.status_code, words in answer.content.decode()) == (status, True)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [(TooExpensive("Narrow the range."), 422, "Narrow the range."), (Unavailable("It is away"), 503, "It is away")],
)
def test_what_cannot_be_read_now_is_said_in_the_panel(alice, project, monkeypatch, error, status, words):
    def fail(*args):
        raise error

    monkeypatch.setattr(figures.metrics, "read", fail)
    answer = figure(alice, project, preset="cost")
    assert (answer.status_code, words in answer.content.decode()) == (status, True)
    assert "panel-problem" in answer.content.decode()


@pytest.mark.parametrize(("is_there", "questions"), [(False, 1), (True, 3)])
def test_of_a_store_that_is_away_all_charts_say_so_at_once(alice, project, monkeypatch, is_there, questions):
    asked = []

    def fail(*args):
        asked.append(args)
        raise Unavailable("It is away")

    monkeypatch.setattr(figures.metrics, "read", fail)
    monkeypatch.setattr(kept.store, "ping", lambda: is_there)
    answers = [figure(alice, project, preset=name) for name in ("cost", "calls", "latency")]
    assert [(answer.status_code, "It is away" in answer.content.decode()) for answer in answers] == [(503, True)] * 3
    assert len(asked) == questions


def test_numbers_as_a_file(alice, filled):
    answer = alice.get(reverse("tracing:dashboard-csv", args=[filled.pk]), {"definition": definition(), "range": "7d"})
    assert answer["Content-Disposition"] == 'attachment; filename="cost-per-model.csv"'
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows == [["providedModelName", "sum_totalCost"], ["large", "4.0"], ["small", "3.0"], ["", "0.0"]]
    lines = definition(chartType="LINE_TIME_SERIES", chartConfig={"unit": "day"})
    answer = alice.get(reverse("tracing:dashboard-csv", args=[filled.pk]), {"definition": lines, "range": "7d"})
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert sum(float(row["sum_totalCost"] or 0) for row in rows) == 7
    assert {row["providedModelName"] for row in rows} == {"small", "large", ""}


# --- Kept answers ----------------------------------------------------------------------------------------
def test_what_many_look_at_is_read_once(alice, bob, filled, monkeypatch):
    asked = []
    read = figures.metrics.read
    monkeypatch.setattr(figures.metrics, "read", lambda scope, query: asked.append(query) or read(scope, query))
    first = figure(alice, filled, preset="cost").content
    count = len(asked)
    assert figure(bob, filled, preset="cost").content == first
    assert len(asked) == count
    figure(alice, filled, preset="cost", anew="")
    assert len(asked) == 2 * count


def test_what_was_read_before_data_arrived_is_not_shown_for_long(alice, filled, monkeypatch):
    monkeypatch.setattr(kept, "FRESH_SECONDS", 0)
    assert "$7.00" in figure(alice, filled, preset="cost", range="30d").content.decode()
    put_trace(filled.pk, root={"total_cost": Decimal("3")}, at=NOW - timedelta(hours=2))
    assert "$10.00" in figure(alice, filled, preset="cost", range="30d").content.decode()


def test_who_looks_at_the_same_chart_reads_the_same_text(alice, filled, monkeypatch):
    first = figure(alice, filled, definition=definition(), range="30d")
    monkeypatch.setattr(views, "render_to_string", None)
    assert figure(alice, filled, definition=definition(), range="30d").content == first.content
    alice.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    with pytest.raises(TypeError):
        figure(alice, filled, definition=definition(), range="30d")


def test_what_one_project_reads_another_does_not_see(alice, filled, project):
    other = make_project("Another", organization=project.organization)
    assert "$7.00" in figure(alice, filled, preset="cost").content.decode()
    assert "$0" in figure(alice, other, preset="cost").content.decode()


# --- To the rows -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("view", "field"),
    [
        *(("observations", name) for name in (
            "providedModelName", "name", "level", "userId", "environment", "traceName", "type", "isRootObservation",
            "metadata.the region", "metadata.nothing", "promptName", "release",
        )),
        *(("traces", name) for name in (
            "name", "userId", "environment", "release", "metadata.the region", "metadata.nothing",
        )),
    ],
)  # fmt: skip
def test_a_bar_leads_to_the_rows_that_it_counts(alice, filled, view, field):
    count = {"measure": "count", "agg": "count"}
    text = definition(view=view, dimensions=[{"field": field}], metrics=[count])
    items = drawn(figure(alice, filled, definition=text, range="7d"))["items"]
    assert sum(one["values"][0] for one in items) == 4
    for one in items:
        noun = Noun.TRACES if view == "traces" else Noun.OBSERVATIONS
        query = parse_qs(urlsplit(one["href"]).query).get("q", [""])[0]
        assert not parse(query, noun).problems, query
        assert rows_behind(alice, one["href"]) == one["values"][0], one


def test_filters_of_a_chart_come_along_to_the_rows(alice, filled):
    where = [
        {"type": "stringOptions", "column": "level", "operator": "none of", "value": ["ERROR"]},
        {"type": "number", "column": "totalCost", "operator": ">", "value": 1},
        {"type": "string", "column": "userId", "operator": "starts with", "value": "user"},
        {"type": "arrayOptions", "column": "tags", "operator": "all of", "value": ["a b", "c"]},
        {"type": "boolean", "column": "isRootObservation", "operator": "=", "value": True},
        {"type": "stringObject", "column": "metadata", "key": "the region", "operator": "=", "value": "eu"},
    ]
    count = {"measure": "count", "agg": "count"}
    text = definition(filters=where, metrics=[count], chartType="NUMBER", dimensions=[])
    page = figure(alice, filled, definition=text, range="7d", environment="production").content.decode()
    href = unescape(re.search(r'class="value" href="([^"]+)"', page)[1])
    assert re.search(r'class="value"[^>]*>(\d+)<', page)[1] == "2"
    assert rows_behind(alice, href) == 2


def test_filters_that_a_chart_does_not_know_are_not_in_its_address(alice, filled):
    page = figure(alice, filled, preset="traces", range="7d", model="small", environment="production").content.decode()
    href = unescape(re.search(r'class="value" href="([^"]+)"', page)[1])
    assert "model" not in href
    assert rows_behind(alice, href) == 3


def test_the_first_bucket_leads_no_further_than_the_chart_looks(alice, filled):
    lines = definition(chartType="BAR_TIME_SERIES", dimensions=[], metrics=[{"measure": "count", "agg": "count"}])
    answer = figure(alice, filled, definition=lines, **{"from": "2026-03-02T10:20Z", "to": "2026-03-20T10:20Z"})
    assert "Nothing in this time range" in answer.content.decode()
    put_trace(filled.pk, root={"type": "SPAN"}, at=datetime(2026, 3, 2, 10, 30, tzinfo=UTC))
    asked = {"definition": lines, "anew": "", "from": "2026-03-02T10:20Z", "to": "2026-03-20T10:20Z"}
    answer = figure(alice, filled, **asked)
    data = drawn(answer)
    assert data["times"][0] < data["since"] == "2026-03-02T10:20:00Z"
    first = re.search(r'<th scope="row"[^>]*><a href="([^"]+)"', answer.content.decode())[1]
    assert "from=2026-03-02T10%3A20%3A00Z" in first


def test_who_asks_when_too_many_wait_is_told_to_come_again(alice, filled, monkeypatch):
    monkeypatch.setattr(kept, "_places", threading.BoundedSemaphore(1))
    with kept._taken(kept._places):
        answer = figure(alice, filled, preset="cost")
    assert (answer.status_code, "Try again in a moment" in answer.content.decode()) == (503, True)
    assert figure(alice, filled, preset="cost").status_code == 200


@pytest.mark.parametrize(("before", "value", "text"), [(-2, -1, "+50.0 %"), (2, 1, "−50.0 %"), (1, -1, "−200 %")])
def test_changes_of_negative_means_have_their_sign(before, value, text):
    assert words.change(Metric("value", "avg"), value, before).text == text


def test_releases_are_marked_where_they_began(alice, project):
    for days, release in ((5, "v1"), (3, "v2"), (2, "v2")):
        put_trace(project.pk, root={"type": "GENERATION"}, release=release, at=NOW - timedelta(days=days))
    lines = definition(chartType="BAR_TIME_SERIES", dimensions=[], metrics=[{"measure": "count", "agg": "count"}])
    marks = drawn(figure(alice, project, definition=lines, range="7d"))["marks"]
    began = (NOW - timedelta(days=5), NOW - timedelta(days=3))
    assert [(one["name"], one["at"]) for one in marks] == [
        (name, f"{at:%Y-%m-%dT%H:%M:%SZ}") for name, at in zip(("v1", "v2"), began, strict=True)
    ]
