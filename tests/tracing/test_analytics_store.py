from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError
from sqlalchemy import desc
from sqlalchemy import select as plain_select

from accounts.access import ProjectScope
from accounts.roles import Role
from config.errors import TooExpensive, Unavailable
from tracing.analytics import client, paging, store, tables, tenancy
from tracing.analytics import functions as fn
from tracing.analytics.backends import clickhouse
from tracing.analytics.records import EPOCH, Observation, Score, Trace

pytestmark = pytest.mark.usefixtures("analytics_server")
NOW = datetime(2026, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)
HOSTILE = "quote ' \" ` back\\slash \\n new\nline tab\t nul\0 你好 🦊 {p0:String} %s FORMAT Null; DROP TABLE traces --"
KINDS = [
    (Observation, tables.observations, "observations"),
    (Trace, tables.traces, "traces"),
    (Score, tables.scores, "scores"),
]


def new_scope():
    return ProjectScope(project_id=f"p-{uuid4()}", role=Role.MEMBER)


@pytest.fixture
def scope():
    return new_scope()


def filled(kind, **fixed):
    """A record in which no field has its default."""
    values = {field.name: _value(str(field.type), at) for at, field in enumerate(fields(kind))}
    return kind(**{**values, "is_deleted": False, **fixed})


def _value(kind, at):
    return {
        "str": f"{HOSTILE} {at}",
        "int": 10**9 + at,
        "float": 0.1 + at,
        "bool": True,
        "datetime": NOW + timedelta(microseconds=at),
        "Decimal": Decimal("123456.000000000001") + at,
        "list[str]": [HOSTILE, "", "b"],
        "dict[str, str]": {HOSTILE: HOSTILE, "empty": ""},
        "dict[str, int]": {"input": 2**53 + 1, "z": -1},
        "dict[str, Decimal]": {"input": Decimal("0.000000000001"), "total": Decimal("999999.999999999999")},
    }[kind.removesuffix(" | None")]


def observation(scope, **values):
    defaults = {"project_id": scope.project_id, "trace_id": "t", "id": "o", "start_time": NOW, "row_version": 1}
    return Observation(**{**defaults, **values})


def stored(scope, kind=Observation, table=tables.observations):
    return store.records(scope, kind, store.select(scope, table), tag="test")


@pytest.mark.parametrize(("kind", "table", "argument"), KINDS)
def test_every_field_comes_back_as_it_was(scope, kind, table, argument):
    record = filled(kind, project_id=scope.project_id)

    store.insert(**{argument: [record]})

    assert stored(scope, kind, table) == [record]


@pytest.mark.parametrize("kind", ["observations", "traces"])
@pytest.mark.parametrize(
    ("text", "preview"), [("ab  cd", "ab cd"), ("abcdef", "abc"), ("abc", "abc"), ("", ""), ("x", "")]
)
def test_text_comes_back_whether_or_not_it_begins_with_its_preview(scope, kind, text, preview):
    made = observation(scope) if kind == "observations" else Trace(project_id=scope.project_id, id="t", timestamp=NOW)
    record = replace(made, input=text, input_preview=preview, output=text, output_preview=preview)

    store.insert(**{kind: [record]})

    assert stored(scope, type(record), getattr(tables, kind)) == [record]


def test_absent_values_come_back_absent(scope):
    store.insert(observations=[observation(scope)])

    assert stored(scope) == [observation(scope)]


def test_same_rows_again_change_nothing(scope):
    for _ in range(3):
        store.insert(
            observations=[observation(scope)], traces=[Trace(project_id=scope.project_id, id="t", timestamp=NOW)]
        )

    assert len(stored(scope)) == 1
    assert len(stored(scope, Trace, tables.traces)) == 1


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_newest_version_wins_whatever_the_order(scope, order):
    for version in order:
        store.insert(observations=[observation(scope, name=f"v{version}", row_version=version)])

    assert [row.name for row in stored(scope)] == ["v2"]


def test_tombstone_hides_a_row(scope):
    store.insert(observations=[observation(scope), observation(scope, id="other")])
    store.insert(observations=[observation(scope, row_version=2, is_deleted=True)])

    assert [row.id for row in stored(scope)] == ["other"]


def test_delete_is_visible_at_once_and_survives_a_replay(scope):
    rows = [observation(scope, id=name, row_version=1) for name in ("a", "b")]
    store.insert(observations=rows)

    store.delete(scope, tables.observations, tables.observations.c.id == "a", tag="test")
    assert [row.id for row in stored(scope)] == ["b"]

    store.insert(observations=rows)
    assert [row.id for row in stored(scope)] == ["b"]


def test_delete_leaves_other_projects_alone(scope):
    stranger = new_scope()
    store.insert(observations=[observation(scope), observation(stranger)])

    store.delete(scope, tables.observations, tables.observations.c.id == "o", tag="test")

    assert len(stored(stranger)) == 1


def test_scope_sees_its_project_only(scope):
    stranger = new_scope()
    store.insert(observations=[observation(scope, name="mine"), observation(stranger, name="theirs")])

    assert [row.name for row in stored(scope)] == ["mine"]


@pytest.mark.parametrize(
    "query",
    [
        lambda scope, o: plain_select(o.c.id),
        lambda scope, o: plain_select(o.c.id).where((o.c.project_id == scope.project_id) | (o.c.id == "x")),
        lambda scope, o: plain_select(o.c.id).where(o.c.project_id == "somebody else's"),
        lambda scope, o: store.select(new_scope(), o, o.c.id),
        lambda scope, o: store.select(scope, o, o.c.id).where(o.c.id.in_(plain_select(tables.traces.c.id))),
        lambda scope, o: store.select(scope, o, o.c.id).join(tables.traces, tables.traces.c.id == o.c.trace_id),
        lambda scope, o: plain_select(plain_select(o.c.id).subquery().c.id),
    ],
)
def test_query_without_the_project_is_refused(scope, query):
    with pytest.raises(tenancy.NotScoped):
        store.rows(scope, query(scope, tables.observations), tag="test")


def test_join_and_subquery_of_scoped_parts_pass(scope):
    store.insert(observations=[observation(scope)], traces=[Trace(project_id=scope.project_id, id="t", timestamp=NOW)])
    o, t = tables.observations.alias("o"), tables.traces.alias("t")
    inner = store.select(scope, o, o.c.trace_id, fn.count().label("n")).group_by(o.c.trace_id).subquery("inner")
    query = store.select(scope, t, t.c.id, inner.c.n).join(inner, inner.c.trace_id == t.c.id)

    assert store.rows(scope, query, tag="test") == [("t", 1)]


def test_untagged_query_is_refused(scope):
    with pytest.raises(ValueError, match="tag"):
        store.rows(scope, store.select(scope, tables.traces), tag="")


def test_rows_have_an_attribute_for_each_label(scope):
    store.insert(traces=[Trace(project_id=scope.project_id, id=f"t{n}", timestamp=NOW, name="a") for n in range(3)])
    t = tables.traces
    query = store.select(scope, t, t.c.name, fn.count().label("count")).where(t.c.id.in_(["t0", "t1"]))

    [row] = store.rows(scope, query.group_by(t.c.name), tag="test")

    assert (row.name, row.count) == ("a", 2)


def test_keyset_paging_keeps_microseconds(scope):
    times = [NOW + timedelta(microseconds=n) for n in range(5)]
    store.insert(observations=[observation(scope, id=f"o{n}", start_time=at) for n, at in enumerate(times)])
    o = tables.observations
    query = (
        store.select(scope, o, o.c.start_time).where(o.c.start_time < times[3]).order_by(desc(o.c.start_time)).limit(2)
    )

    assert [row.start_time for row in store.rows(scope, query, tag="test")] == [times[2], times[1]]


def newest(scope, **arguments):
    o = tables.observations
    arguments = {"limit": 3, "tag": "test", **arguments}
    return [row.id for row in store.newest(scope, o, o.c.id, o.c.input, **arguments)]


def test_newest_sees_only_newest_versions(scope):
    o = tables.observations
    rows = [observation(scope, id=f"o{n:02}", start_time=NOW + timedelta(seconds=n), name="a") for n in range(40)]
    store.insert(observations=rows)
    store.insert(observations=[replace(row, name="b", row_version=2) for row in rows[10:]])
    store.insert(observations=[replace(row, is_deleted=True, row_version=3) for row in rows[20:]])

    assert newest(scope) == ["o19", "o18", "o17"]
    assert newest(scope, where=[o.c.name == "a"]) == ["o09", "o08", "o07"]
    assert newest(scope, where=[o.c.name == "a"], before=(rows[8].start_time, "t", "o08")) == ["o07", "o06", "o05"]
    assert newest(scope, where=[o.c.name == "b"], limit=50) == [f"o{n:02}" for n in range(19, 9, -1)]
    assert newest(scope, oldest_first=True, before=(rows[8].start_time, "t", "o08")) == ["o09", "o10", "o11"]
    assert newest(new_scope()) == []


def test_newest_sees_past_a_row_of_many_versions(scope):
    often = observation(scope, id="often", start_time=NOW + timedelta(seconds=1))
    store.insert(observations=[observation(scope, id="once")])
    for version in range(1, 41):
        store.insert(observations=[replace(often, name=f"v{version}", row_version=version)])
    o = tables.observations

    for where in ([], [o.c.name != ""], [o.c.environment == "default"]):
        [first, *_] = store.newest(scope, o, o.c.id, o.c.name, where=where, limit=2, tag="test")
        assert (first.id, first.name) == ("often", "v40")
    assert newest(scope, limit=2) == ["often", "once"]


def test_newest_reads_in_order_of_the_key(scope):
    """Sorting by anything beyond it, the database would read the whole project for each page."""
    o = tables.observations
    looked_at = paging.versions(scope, o, [o.c.id], [], None, False, 10)

    assert [column.element.name for column in looked_at.query._order_by_clauses] == ["start_time", "trace_id", "id"]


def test_newest_reads_whole_rows_at_once_only_when_versions_cannot_differ(scope):
    o = tables.observations
    elsewhere = store.select(scope, tables.traces, tables.traces.c.id)

    assert paging.depends_on_key(o, [])
    assert paging.depends_on_key(o, [o.c.start_time >= NOW, o.c.trace_id.in_(["t"])])
    assert not paging.depends_on_key(o, [o.c.start_time >= NOW, fn.lower(o.c.name) == "a"])
    assert not paging.depends_on_key(o, [o.c.trace_id.in_(elsewhere)])


def test_newest_pages_through_rows_of_one_instant(scope):
    store.insert(observations=[observation(scope, id=f"o{n}", trace_id=f"t{n % 2}") for n in range(9)])
    seen, before = [], None
    while page := store.newest(
        scope,
        tables.observations,
        *(tables.observations.c[name] for name in ("start_time", "trace_id", "id")),
        limit=2,
        before=before,
        tag="test",
    ):
        seen += [row.id for row in page]
        before = page[-1]

    assert seen == ["o7", "o5", "o3", "o1", "o8", "o6", "o4", "o2", "o0"]


def test_empty_list_matches_nothing(scope):
    store.insert(observations=[observation(scope)])
    query = store.select(scope, tables.observations).where(tables.observations.c.id.in_([]))

    assert store.rows(scope, query, tag="test") == []


def test_values_that_json_cannot_hold_do_not_stop_a_batch(scope):
    odd = observation(scope, id="odd", name="half \ud800 pair", usage={"input": 2**70}, metadata={"\udfff": "\ud800"})
    store.insert(observations=[odd, observation(scope, id="even")])

    rows = {row.id: row for row in stored(scope)}
    assert rows["odd"].name == "half ? pair"
    assert rows["odd"].usage == {"input": 2**63 - 1}
    assert rows["odd"].metadata == {"?": "?"}
    assert "even" in rows


@pytest.mark.parametrize(
    ("given", "kept"),
    [("1e30", "999999.999999999999"), ("-1e30", "-999999.999999999999"), ("NaN", "0"), ("1e-15", "0"), ("1E+2", "100")],
)
def test_money_is_clamped_into_range(scope, given, kept):
    store.insert(observations=[observation(scope, total_cost=Decimal(given), cost={"total": Decimal(given)})])

    [row] = stored(scope)
    assert (row.total_cost, row.cost) == (Decimal(kept), {"total": Decimal(kept)})


@pytest.mark.parametrize("time", [datetime(1, 1, 1, tzinfo=UTC), EPOCH, datetime(9999, 12, 31, tzinfo=UTC)])
def test_times_far_away_come_back(scope, time):
    store.insert(observations=[observation(scope, start_time=time, end_time=time)])

    [row] = stored(scope)
    assert (row.start_time, row.end_time) == (time, time)


def test_one_insert_may_span_many_months(scope):
    rows = [observation(scope, id=f"o{n}", start_time=NOW - timedelta(days=31 * n)) for n in range(150)]

    store.insert(observations=rows)

    assert len(stored(scope)) == 150


def test_searching_text_is_literal_and_ignores_case(scope):
    texts = {"plain": "The Zebra 100% of_it", "chinese": "今天天气很好啊", "slash": "c:\\dir", "none": "zebr a"}
    store.insert(observations=[observation(scope, id=name, input=text) for name, text in texts.items()])

    def found(words):
        query = store.select(scope, tables.observations, tables.observations.c.id)
        return {
            row.id for row in store.rows(scope, query.where(fn.search(tables.observations.c.input, words)), tag="t")
        }

    assert found("zEBRA") == {"plain"}
    assert found("100% of_") == {"plain"}
    assert found("%") == {"plain"}
    assert found("天气") == {"chinese"}
    assert found("C:\\D") == {"slash"}


def test_search_and_ids_are_served_by_indexes(scope):
    o = tables.observations
    query = store.select(scope, o, o.c.id).where((o.c.trace_id == "t") & fn.search(o.c.output, "needle"))

    plan = store.explain(scope, query)

    assert "output_grams" in plan
    assert "by_trace" in plan


def test_query_over_its_limit_is_too_expensive(scope, monkeypatch):
    store.insert(observations=[observation(scope)])
    monkeypatch.setitem(clickhouse.READ_SETTINGS, "max_rows_to_read", 1)
    store.insert(observations=[observation(scope, id=f"o{n}") for n in range(50)])

    with pytest.raises(TooExpensive):
        stored(scope)


def test_words_are_found_beside_neighbours_of_megabytes(scope, monkeypatch):
    at = datetime(2017, 3, 1, tzinfo=UTC)
    rows = [
        observation(scope, id=f"o{n:03d}", start_time=at + timedelta(seconds=n), input="y" * (8 << 20 if n < 4 else 9))
        for n in range(300)
    ]
    store.insert(observations=[*rows, observation(scope, id="hit", start_time=at, input="a 退货 of y")])
    client.call(lambda one: one.command("OPTIMIZE TABLE observations PARTITION 201703 FINAL"))
    monkeypatch.setitem(clickhouse.READ_SETTINGS, "max_memory_usage", 80 << 20)
    o = tables.observations
    query = store.select(scope, o, o.c.id).where(fn.search(o.c.input, "退货"))
    assert [row.id for row in store.rows(scope, query, tag="test", is_anew=True)] == ["hit"]
    monkeypatch.setattr(clickhouse, "ROW_BY_ROW", {})
    with pytest.raises(TooExpensive):
        store.rows(scope, query, tag="test", is_anew=True)


def test_who_was_refused_for_the_memory_that_others_use_asks_once_more(analytics_server, monkeypatch):
    monkeypatch.setattr(client, "CROWDED_PAUSES_SECONDS", (0.01,))
    refusal = DatabaseError("Code: 241. DB::Exception: (total) memory limit exceeded: would use 933.96 MiB")
    refusal.code = 241
    asked = []

    def work(of, refusals):
        asked.append(of)
        if len(asked) <= refusals:
            raise refusal
        return of.command("SELECT 7")

    assert client.call(lambda one: work(one, 1)) == 7
    with pytest.raises(TooExpensive):
        client.call(lambda one: work(one, 9))
    assert len(asked) == 4
    with pytest.raises(TooExpensive):
        client.call(lambda one: work(one, 9), retry=False)
    assert len(asked) == 5


def test_server_that_is_away_is_unavailable(scope, settings, monkeypatch):
    monkeypatch.setattr(client, "RETRY_PAUSES_SECONDS", (0.01,))
    settings.CLICKHOUSE_URL = "http://127.0.0.1:1"

    assert not store.ping()
    with pytest.raises(Unavailable):
        stored(scope)
    with pytest.raises(Unavailable):
        store.insert(observations=[observation(scope)])


def test_rows_beyond_the_engine_s_memory_go_piece_by_piece(scope, monkeypatch):
    monkeypatch.setitem(clickhouse.WRITE_SETTINGS, "max_memory_usage", 200 << 20)
    resource = {"resource": "x" * 50_000}
    rows = [observation(scope, id=f"o{n:04d}", metadata=resource) for n in range(3000)]

    store.insert(observations=rows[:1000], ready=store.encoded(rows[1000:]))

    o = tables.observations
    query = store.select(scope, o, o.c.id).where(fn.map_get(o.c.metadata, "resource") == resource["resource"])
    assert sorted(row.id for row in store.rows(scope, query, tag="test")) == [row.id for row in rows]


@pytest.mark.parametrize(
    "wrong",
    [{"latency_us": "x"}, {"start_time": "never"}, {"tags": "x"}, {"total_cost": "1e300"}, {"is_deleted": 300}],
)
def test_rows_that_are_wrong_are_no_trouble_of_the_store(scope, wrong):
    with pytest.raises(ClickHouseError) as caught:
        store.insert(observations=[observation(scope, **wrong)])

    assert not store.is_own_trouble(caught.value)
    assert store.takes_rows()


@pytest.mark.parametrize(
    "trouble",
    [
        {"CLICKHOUSE_DB": "not_there_yet"},
        {"CLICKHOUSE_PASSWORD": "wrong"},
        {"CLICKHOUSE_URL": "http://127.0.0.1:1"},
    ],
)
def test_store_that_cannot_write_has_trouble_of_its_own(scope, settings, monkeypatch, trouble):
    monkeypatch.setattr(client, "RETRY_PAUSES_SECONDS", ())
    for name, value in trouble.items():
        setattr(settings, name, value)

    with pytest.raises((ClickHouseError, Unavailable)) as caught:
        store.insert(observations=[observation(scope)])

    assert store.is_own_trouble(caught.value)
    assert not store.takes_rows()


@pytest.mark.parametrize("setting", [{"max_memory_usage": 4 << 20}, {"max_execution_time": 0.000001}])
def test_insert_without_room_has_trouble_of_the_store(scope, monkeypatch, setting):
    rows = [observation(scope, id=f"o{n}", input="x" * 10_000) for n in range(1000)]
    for name, value in setting.items():
        monkeypatch.setitem(clickhouse.WRITE_SETTINGS, name, value)
    monkeypatch.setattr(client, "RETRY_PAUSES_SECONDS", ())

    with pytest.raises(Unavailable) as caught:
        store.insert(observations=rows)

    assert store.is_own_trouble(caught.value)
