"""The figures of charts, from records that were written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from accounts.access import scope_for_task
from config.errors import Invalid, TooExpensive
from tests.factories import make_project
from tests.tracing.api_data import observation, score, trace
from tracing.analytics import store
from tracing.queries.dashboards import answers, figures, presets
from tracing.queries.dashboards.definition import read_definition
from tracing.queries.dashboards.figure import Looked, Span
from tracing.queries.dashboards.metadata_keys import list_metadata_keys
from tracing.queries.periods import Period

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

NOW = datetime(2026, 3, 10, 15, 30, 20, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LAST_WEEK = Looked(Period.named("7d", NOW))


@pytest.fixture
def scope():
    return scope_for_task(make_project().id)


def fill(scope, *rows):
    """Generations as (ago, values)."""
    written = []
    for at, (ago, values) in enumerate(rows):
        moment = NOW - ago
        defaults = {"type": "GENERATION", "name": "answer", "start_time": moment, "latency_us": 1_000_000}
        written.append(observation(scope.project_id, f"t{at}", f"o{at}", 0, **{**defaults, **values}))
    store.insert(observations=written)


def call(model, *, cost="1", tokens=10, **values):
    return {"model": model, "total_cost": Decimal(cost), "total_tokens": tokens, **values}


def chart(kind="NUMBER", *metrics, by=(), view="observations", where=(), **config):
    pairs = [metric.split(" ") for metric in metrics or ("count count",)]
    return read_definition(
        {
            "view": view,
            "dimensions": [{"field": name} for name in by],
            "metrics": [{"measure": measure, "agg": aggregation} for aggregation, measure in pairs],
            "filters": list(where),
            "chartType": kind,
            "chartConfig": config,
        }
    )


def drawn(scope, definition, looked=LAST_WEEK):
    return figures.figure(scope, definition, looked, NOW)


def test_a_number_beside_that_of_the_period_before(scope):
    fill(scope, (HOUR, call("a", cost="2")), (DAY, call("b", cost="3")), (8 * DAY, call("a", cost="4")))
    found = drawn(scope, chart("NUMBER", "sum totalCost", compare=True))
    assert (found.total.values, found.total.before) == ((5.0,), (4.0,))


def test_a_number_of_nothing(scope):
    found = drawn(scope, chart("NUMBER", "p95 latency", compare=True))
    assert found.is_empty
    assert (found.total.values, found.total.before) == ((None,), (None,))


def test_groups_are_the_largest_and_the_rest_is_told(scope):
    fill(scope, *[(HOUR, call(f"m{at}", cost=str(at))) for at in range(1, 6)])
    found = drawn(scope, chart("PIE", "sum totalCost", by=("providedModelName",), row_limit=2))
    assert [(one.keys, one.values) for one in found.groups] == [(("m5",), (5.0,)), (("m4",), (4.0,))]
    assert (found.is_cut, found.total.values) == (True, (15.0,))


def test_lines_of_groups_in_time_and_of_the_rest(scope):
    fill(
        scope,
        (HOUR, call("a")), (2 * DAY, call("a")), (2 * DAY, call("a")),
        (2 * DAY, call("b")), (2 * DAY, call("b")), (3 * DAY, call("c")), (8 * DAY, call("c")),
    )  # fmt: skip
    found = drawn(scope, chart("BAR_TIME_SERIES", "count count", by=("providedModelName",), row_limit=2, unit="day"))
    assert found.starts[0] == datetime(2026, 3, 3, tzinfo=UTC)
    assert [line.keys for line in found.lines] == [("a",), ("b",), ()]
    assert [line.values for line in found.lines] == [
        [0, 0, 0, 0, 0, 2, 0, 1],
        [0, 0, 0, 0, 0, 2, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, 0],
    ]
    assert [line.is_rest for line in found.lines] == [False, False, True]


#: Every way of drawing what adds up, with more groups than there is room for, and with as many.
SUMS = [
    ("NUMBER", ("sum totalCost",), (), {}),
    ("LINE_TIME_SERIES", ("sum totalCost",), (), {"unit": "day"}),
    *[
        (kind, ("sum totalCost", "count count"), ("providedModelName",), {"unit": "day", "row_limit": rows})
        for kind in ("LINE_TIME_SERIES", "BAR_TIME_SERIES", "HORIZONTAL_BAR", "PIE", "PIVOT_TABLE")
        for rows in (2, 5)
    ],
    ("PIVOT_TABLE", ("sum totalCost",), ("providedModelName",), {"display": "heatmap", "unit": "day", "row_limit": 2}),
    ("PIVOT_TABLE", ("count count",), ("providedModelName", "name"), {"row_limit": 3}),
]


@pytest.mark.parametrize(("kind", "measures", "by", "config"), SUMS)
@pytest.mark.parametrize("compare", [False, True])
def test_what_is_added_up_here_is_what_the_store_adds_up(scope, monkeypatch, kind, measures, by, config, compare):
    said = [(1, "a", "0.1"), (1, "b", "0.2"), (2, "a", "0.7"), (3, "", "4"), (3, "c", "0.3"), (5, "d", "0.3")]
    before = [(8, "a", "0.4"), (9, "e", "2"), (13, "", "0.1")]
    fill(scope, *[(days * DAY, call(model, cost=cost)) for days, model, cost in said + before])
    definition = chart(kind, *measures, by=by, compare=compare, **config)
    questions = []
    read = figures.metrics.read
    monkeypatch.setattr(figures.metrics, "read", lambda *asked: questions.append(asked) or read(*asked))
    here = drawn(scope, definition)
    assert len(questions) == 1 + compare

    monkeypatch.setattr(answers, "MOST_SUMMANDS", 0)
    there = drawn(scope, definition)

    assert len(questions) >= 2 * (1 + compare) + bool(there.total)
    assert _rounded(here) == _rounded(there)
    assert (here.is_cut, here.starts, here.unit) == (there.is_cut, there.starts, there.unit)


def test_a_sum_of_what_nobody_knows_is_not_known_and_comes_last(scope, monkeypatch):
    fill(scope, (HOUR, call("a", latency_us=None)), (HOUR, call("b", latency_us=2_000_000)))
    sort = {"column": "sum_latency", "order": "ASC"}
    table = chart("PIVOT_TABLE", "sum latency", by=("providedModelName",), defaultSort=sort)
    here = drawn(scope, table)
    assert [(one.keys, one.values) for one in here.groups] == [(("b",), (2000.0,)), (("a",), (None,))]
    monkeypatch.setattr(answers, "MOST_SUMMANDS", 0)
    assert _rounded(drawn(scope, table)) == _rounded(here)


def _rounded(found):
    """Floats that are taken from each other are not quite what their numbers are."""

    def close(values):
        return [None if value is None else round(value, 9) for value in values]

    everything = [found.total] if found.total else []  # bars that are cut have none
    groups = [(one.keys, close(one.values), close(one.before)) for one in (*found.groups, *everything)]
    return groups, [
        (line.metric, line.keys, line.is_rest, close(line.values)) for line in (*found.lines, *found.before)
    ]


def test_a_mean_is_not_there_where_nothing_was_measured(scope):
    fill(scope, (HOUR, call("a")), (3 * DAY, call("a", latency_us=3_000_000)))
    found = drawn(scope, chart("LINE_TIME_SERIES", "avg latency", "count count", unit="day"))
    assert [line.values for line in found.lines] == [
        [None, None, None, None, 3000.0, None, None, 1000.0],
        [0, 0, 0, 0, 1, 0, 0, 1],
    ]


def test_the_period_before_has_a_line(scope):
    fill(scope, (HOUR, call("a")), (7 * DAY + HOUR, call("a")), (9 * DAY, call("a")))
    found = drawn(scope, chart("LINE_TIME_SERIES", "count count", compare=True, unit="day"))
    assert [sum(line.values) for line in (*found.lines, *found.before)] == [1, 2]
    assert len(found.before[0].values) == len(found.starts)


def test_the_period_before_has_as_many_buckets(scope):
    # 90 days until a Saturday touch 14 weeks, and the 90 before them 13.
    fill(scope, (HOUR, call("a")), (91 * DAY, call("a")))
    saturday = datetime(2026, 3, 14, 15, 30, tzinfo=UTC)
    looked = Looked(Period.named("90d", saturday))
    found = figures.figure(scope, chart("LINE_TIME_SERIES", "count count", compare=True, unit="week"), looked, saturday)
    assert {len(line.values) for line in (*found.lines, *found.before)} == {len(found.starts)}


def test_a_range_in_the_readers_zone_is_the_same_stretch(scope):
    fill(scope, (HOUR, call("a")), (2 * DAY, call("a")))
    zone = timezone(timedelta(hours=5, minutes=30))
    local = Period.between((NOW - 20 * DAY).astimezone(zone), NOW.astimezone(zone))
    found = drawn(scope, chart("LINE_TIME_SERIES"), Looked(local))
    assert sum(found.lines[0].values) == 2
    assert found.starts[0].utcoffset() == timedelta()


def test_steps_become_wider_where_there_would_be_too_many(scope):
    fill(scope, (HOUR, call("a")), (400 * DAY, call("a")))
    years = Period.between(NOW - 3 * 365 * DAY, NOW)
    found = drawn(scope, chart("LINE_TIME_SERIES", "count count", unit="hour"), Looked(years))
    assert (found.unit, found.is_widened) == ("6 hours", True)
    assert sum(found.lines[0].values) == 2
    as_wished = drawn(scope, chart("LINE_TIME_SERIES", unit="hour"))
    assert (as_wished.unit, as_wished.is_widened) == ("hour", False)


def test_more_than_a_chart_can_show_is_refused(scope, monkeypatch):
    monkeypatch.setattr(figures, "_MOST_POINTS", 300)
    long = Period.between(datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 1, 1, tzinfo=UTC))
    with pytest.raises(TooExpensive, match="more points than a chart"):
        drawn(scope, chart("LINE_TIME_SERIES", unit="hour"), Looked(long))


@pytest.mark.parametrize("metric", ["histogram costByType", "histogram count"])
def test_what_no_histogram_can_show(metric):
    with pytest.raises(Invalid):
        chart("HISTOGRAM", metric)


def test_nothing_is_compared_with_before_the_oldest(scope):
    fill(scope, (HOUR, call("a")))
    found = drawn(scope, chart("NUMBER", compare=True), Looked(Period.named("all", NOW)))
    assert (found.total.values, found.total.before) == ((1,), ())


def test_today_is_compared_with_yesterday_until_the_same_time(scope):
    fill(
        scope,
        (HOUR, call("a")), (15 * HOUR, call("a")), (16 * HOUR, call("a")),
        (DAY + HOUR, call("a")), (DAY - HOUR, call("a")),
    )  # fmt: skip
    found = drawn(scope, chart("PIVOT_TABLE", "count count", by=("providedModelName",), range="today", compare=True))
    # 15 hours ago it was 0:30 today; 16 hours ago and 23 hours ago were yesterday, too late to be counted.
    assert [(one.values, one.before) for one in found.groups] == [((2,), (1,))]


def test_any_key_of_the_metadata_is_a_dimension(scope):
    region = "the \"region\" `x` 'y' \\ %s"
    fill(
        scope,
        (HOUR, call("a", metadata={region: "eu"})), (HOUR, call("a", metadata={region: "eu"})),
        (HOUR, call("a", metadata={region: "us"})), (HOUR, call("a")),
    )  # fmt: skip
    by = (f"metadata.{region}",)
    found = drawn(scope, chart("HORIZONTAL_BAR", "count count", by=by))
    assert [(one.keys, one.values) for one in found.groups] == [(("eu",), (2,)), (("us",), (1,)), ((None,), (1,))]
    lines = drawn(scope, chart("LINE_TIME_SERIES", "count count", by=by, row_limit=1, unit="day")).lines
    assert [(line.keys, sum(line.values), line.is_rest) for line in lines] == [(("eu",), 2, False), ((), 2, True)]


def test_a_table_of_two_dimensions_with_its_last_line(scope):
    fill(
        scope,
        (HOUR, call("a", cost="1", level="ERROR")), (HOUR, call("a", cost="5")), (HOUR, call("b", cost="3")),
    )  # fmt: skip
    metrics = ("sum totalCost", "avg errorRate")
    sort = {"column": "providedModelName", "order": "ASC"}
    found = drawn(scope, chart("PIVOT_TABLE", *metrics, by=("providedModelName", "level"), defaultSort=sort))
    assert [(one.keys, one.values) for one in found.groups] == [
        (("a", "DEFAULT"), (5.0, 0.0)), (("a", "ERROR"), (1.0, 1.0)), (("b", "DEFAULT"), (3.0, 0.0)),
    ]  # fmt: skip
    assert found.total.values == (9.0, pytest.approx(1 / 3))


def test_a_heatmap_of_one_dimension_has_time_across(scope):
    fill(scope, (HOUR, call("a")), (3 * DAY, call("b")))
    found = drawn(scope, chart("PIVOT_TABLE", by=("providedModelName",), display="heatmap", unit="day"))
    assert {line.keys: sum(line.values) for line in found.lines} == {("a",): 1, ("b",): 1}


def test_bars_of_a_histogram_hold_all_values(scope):
    fill(scope, *[(HOUR, call("a", latency_us=at * 1_000_000)) for at in range(1, 21)])
    found = drawn(scope, chart("HISTOGRAM", "histogram latency", bins=5))
    assert 1 < len(found.bars) <= 5
    assert sum(height for _, _, height in found.bars) == pytest.approx(20)


def test_metrics_by_kind_bring_their_kinds(scope):
    cost = {"input": Decimal("1"), "output": Decimal("3")}
    fill(scope, (HOUR, {"model": "a", "cost": cost}))
    found = drawn(scope, chart("PIE", "sum costByType"))
    assert [(one.keys, one.values) for one in found.groups] == [(("output",), (3.0,)), (("input",), (1.0,))]


def test_a_page_narrows_each_chart_as_far_as_it_can(scope):
    fill(scope, (HOUR, call("a", environment="production")), (HOUR, call("b", environment="staging")))
    store.insert(
        traces=[trace(scope.project_id, "t", 0, timestamp=NOW - HOUR, name="chat", environment="production")],
        scores=[
            score(scope.project_id, "s", 0, timestamp=NOW - HOUR, trace_id="t", value=0.5, environment="production")
        ],
    )
    model = {"type": "string", "column": "providedModelName", "operator": "=", "value": "b"}
    named = {"type": "string", "column": "traceName", "operator": "=", "value": "chat"}
    looked = Looked(LAST_WEEK.period, ("production",), (named,))
    assert drawn(scope, chart(view="traces"), looked).total.values == (1,)
    assert drawn(scope, chart(view="traces"), Looked(LAST_WEEK.period, ("staging",))).total.values == (0,)
    narrowed = drawn(scope, chart(view="scores-numeric"), Looked(LAST_WEEK.period, (), (model,)))
    assert (narrowed.total.values, narrowed.unapplied) == ((1,), ("providedModelName",))
    assert drawn(scope, chart(), Looked(LAST_WEEK.period, (), (model,))).total.values == (1,)
    with pytest.raises(Invalid):
        drawn(scope, chart(), Looked(LAST_WEEK.period, (), ({**model, "operator": "is"},)))


def test_all_time_begins_with_the_oldest(scope):
    fill(scope, (HOUR, call("a")), (400 * DAY, call("a")))
    found = drawn(scope, chart("BAR_TIME_SERIES"), Looked(Period.named("all", NOW)))
    assert (found.span.since, sum(found.lines[0].values)) == (NOW - 400 * DAY, 2)


def test_nothing_of_another_project_is_counted(scope):
    fill(scope_for_task(make_project().id), (HOUR, call("a")))
    for preset in presets.PRESETS.values():
        assert drawn(scope, preset.definition).is_empty, preset.id


def test_every_built_in_chart_shows_something(scope):
    values = {
        "usage": {"input": 5, "output": 6}, "input_tokens": 5, "output_tokens": 6, "total_tokens": 11, "model": "a",
        "cost": {"input": Decimal("1"), "output": Decimal("2")}, "input_cost": Decimal("1"), "total_cost": Decimal("3"),
        "prompt_name": "p", "prompt_version": 1, "level": "ERROR", "is_root": True, "user_id": "u", "session_id": "s",
        "latency_us": 1_000_000, "time_to_first_token_us": 5000, "called_tool_names": ["search"],
        "completion_start_time": NOW - HOUR + timedelta(milliseconds=5), "end_time": NOW - HOUR + timedelta(seconds=1),
    }  # fmt: skip
    fill(scope, (HOUR, values), (2 * HOUR, {**values, "type": "TOOL"}))
    at = {"timestamp": NOW - HOUR}
    store.insert(
        traces=[trace(scope.project_id, "t0", 0, **at, name="chat")],
        scores=[
            score(scope.project_id, "s1", 0, **at, trace_id="t0", value=0.5),
            score(scope.project_id, "s2", 0, **at, trace_id="t0", data_type="CATEGORICAL", string_value="good"),
        ],
    )
    for preset in presets.PRESETS.values():
        assert not drawn(scope, preset.definition).is_empty, preset.id


@pytest.mark.parametrize(("preset", "column"), [("usage-by-type", "usage"), ("cost-by-type", "cost")])
def test_amounts_by_kind_are_without_their_total(scope, preset, column):
    fill(scope, (HOUR, {"model": "a", column: {"input": 2, "output": 3, "total": 5}}))
    groups = drawn(scope, presets.PRESETS[preset].definition).groups
    assert [(one.keys, one.values) for one in groups] == [(("output",), (3,)), (("input",), (2,))]


def test_keys_of_metadata_that_one_can_group_by(scope):
    fill(
        scope,
        (HOUR, call("a", metadata={"region": "eu", "tier": "x"})), (HOUR, call("a", metadata={"region": "us"})),
        (9 * DAY, call("a", metadata={"old": "x"})),
    )  # fmt: skip
    span = Span.between(NOW - 7 * DAY, NOW)
    assert list_metadata_keys(scope, "observations", span) == ["region", "tier"]


def test_metadata_of_scores_are_dimensions_too(scope):
    rows = [('{"grader": "strict", "run": 1}', 1.0), ('{"grader": "mild"}', 3.0), ("no JSON", 5.0), ("", 7.0)]
    store.insert(
        scores=[
            score(scope.project_id, f"s{at}", 0, timestamp=NOW - HOUR, metadata=metadata, value=value)
            for at, (metadata, value) in enumerate(rows)
        ]
    )
    found = drawn(scope, chart("PIVOT_TABLE", "sum value", by=("metadata.grader",), view="scores-numeric"))
    assert {one.keys: one.values for one in found.groups} == {("strict",): (1.0,), ("mild",): (3.0,), (None,): (12.0,)}
    span = Span.between(NOW - DAY, NOW)
    assert list_metadata_keys(scope, "scores-numeric", span) == ["grader", "run"]
