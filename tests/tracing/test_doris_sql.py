"""What the dialect of Doris writes: every operation, with nothing in it that Doris has not."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from sqlalchemy import and_, literal, or_, select, tuple_, union_all

from accounts.access import ProjectScope
from accounts.roles import Role
from tests import doris_lint
from tests.stores.doris import questions
from tracing.analytics import backends, store
from tracing.analytics import functions as fn
from tracing.analytics.backends import doris as doris_backend
from tracing.analytics.dialects import clickhouse, doris, doris_answers
from tracing.analytics.tables import observations, scores, traces

o, t, s = observations.c, traces.c, scores.c
SCOPE = ProjectScope(project_id="p", role=Role.MEMBER)
TIME = datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC)

#: One use of each operation.
USES: dict[str, Callable[[], Any]] = {
    "bucket": lambda: fn.bucket(o.start_time, unit="week", timezone="Europe/Berlin"),
    "unix_start": lambda: fn.unix_start(o.start_time, unit="hour"),
    "ms_diff": lambda: fn.ms_diff(o.start_time, o.end_time),
    "us_diff": lambda: fn.us_diff(o.start_time, o.end_time),
    "count": fn.count,
    "count_if": lambda: fn.count_if(o.level == "ERROR"),
    "sum": lambda: fn.sum(o.total_cost),
    "sum_if": lambda: fn.sum_if(o.total_cost, o.level == "ERROR"),
    "avg": lambda: fn.avg(s.value),
    "avg_if": lambda: fn.avg_if(s.value, s.name == "x"),
    "min": lambda: fn.min(o.start_time),
    "min_if": lambda: fn.min_if(o.start_time, o.is_root),
    "max": lambda: fn.max(o.start_time),
    "max_if": lambda: fn.max_if(o.start_time, o.is_root),
    "quantile": lambda: fn.quantile(o.latency_us, q=0.5),
    "quantile_if": lambda: fn.quantile_if(o.latency_us, o.is_root, q=0.5),
    "quantile_sampled": lambda: fn.quantile_sampled(o.latency_us, q=0.95),
    "quantiles": lambda: fn.quantiles(o.latency_us, qs=(0.5, 0.9)),
    "quantile_exact": lambda: fn.quantile_exact(o.latency_us, q=0.5),
    "uniq": lambda: fn.uniq(o.trace_id),
    "uniq_if": lambda: fn.uniq_if(o.trace_id, o.is_root),
    "uniq_exact": lambda: fn.uniq_exact(o.trace_id),
    "arg_max": lambda: fn.arg_max(o.name, o.start_time),
    "arg_max_if": lambda: fn.arg_max_if(o.name, o.start_time, o.is_root),
    "arg_min": lambda: fn.arg_min(o.name, o.start_time),
    "arg_min_if": lambda: fn.arg_min_if(o.name, o.start_time, o.is_root),
    "any_value": lambda: fn.any_value(o.name),
    "collect": lambda: fn.collect(o.id, limit=10),
    "collect_unique": lambda: fn.collect_unique(o.model),
    "collect_arrays": lambda: fn.collect_arrays(o.tags),
    "sum_map": lambda: fn.sum_map(o.cost),
    "histogram": lambda: fn.histogram(s.value, bins=10),
    "stddev": lambda: fn.stddev(s.value),
    "map_get": lambda: fn.map_get(o.metadata, 'a"b\\.c'),
    "map_contains": lambda: fn.map_contains(o.metadata, "a.b"),
    "map_keys": lambda: fn.array_length(fn.map_keys(o.usage)),
    "map_values": lambda: fn.joined(fn.map_values(o.metadata)),
    "has": lambda: fn.has(o.tags, "x"),
    "has_any": lambda: fn.has_any(o.tags, ["x", "y"]),
    "has_all": lambda: fn.has_all(o.tags, ["x", "y"]),
    "any_starts_with": lambda: fn.any_starts_with(o.tags, "x"),
    "array_length": lambda: fn.array_length(o.tags),
    "explode": lambda: fn.explode(o.tags),
    "pairs": lambda: fn.pairs({"env": o.environment, "tag": o.tags}),
    "member": lambda: fn.member(o.name, 2),
    "lower": lambda: fn.lower(o.name),
    "contains": lambda: fn.contains(o.name, "50%_"),
    "search": lambda: fn.search(o.input, "50%_"),
    "resembles": lambda: fn.resembles(o.name, "a*b"),
    "any_resembles": lambda: fn.any_resembles(o.tags, "a*b"),
    "place_of": lambda: fn.place_of(o.input, "x"),
    "slice_of": lambda: fn.slice_of(o.input, 3, 10),
    "joined": lambda: fn.joined(o.tags),
    "starts_with": lambda: fn.starts_with(o.name, "x"),
    "ends_with": lambda: fn.ends_with(o.name, "x"),
    "text_length": lambda: fn.text_length(o.name),
    "text_start": lambda: fn.text_start(o.name, 3),
    "text_end": lambda: fn.text_end(o.name, 3),
    "concat": lambda: fn.concat(s.name, ":", s.string_value),
    "lines": lambda: fn.lines(s.name, s.string_value),
    "to_text": lambda: fn.to_text(o.prompt_version),
    "to_number": lambda: fn.to_number(s.string_value),
    "to_float": lambda: fn.to_float(o.total_cost),
    "json_length": lambda: fn.json_length(o.tool_calls),
    "json_is_object": lambda: fn.json_is_object(s.metadata),
    "json_has": lambda: fn.json_has(s.metadata, "a"),
    "json_value": lambda: fn.json_value(s.metadata, "a"),
    "json_text": lambda: fn.json_text(s.metadata, "a", "b"),
    "level_rank": lambda: fn.level_rank(o.level),
    "last_message": lambda: fn.last_message(o.input),
    "if_else": lambda: fn.if_else(o.is_root, o.name, ""),
    "empty_to_null": lambda: fn.empty_to_null(o.user_id),
    "bin": lambda: fn.bin(o.total_tokens, 0, 10),
    "greatest": lambda: fn.greatest(o.latency_us, 0),
    "least": lambda: fn.least(o.latency_us, 0),
}
_NO_OPERATIONS = {"first_of_each"}


def compiled(query: Any) -> str:
    """The statement with its values in it, checked."""
    statement = doris.compile_query(query)
    doris_lint.check(statement.sql)
    return statement.sql % tuple(repr(value) for value in statement.parameters)


def test_every_operation_is_tried() -> None:
    public = {
        name
        for name, function in inspect.getmembers(fn, inspect.isfunction)
        if function.__module__ == fn.__name__ and not name.startswith("_")
    }
    assert public - _NO_OPERATIONS == set(USES)


@pytest.mark.parametrize("name", USES)
def test_an_operation_is_written_in_what_doris_has(name: str) -> None:
    table = next(table for table in (observations, traces, scores) if _uses(USES[name](), table) or name == "count")
    assert compiled(store.select(SCOPE, table, USES[name]().label("x")))


def _uses(operation: Any, table: Any) -> bool:
    return any(getattr(part, "table", None) is table for part in _leaves(operation))


def _leaves(element: Any) -> list[Any]:
    children = list(element.get_children())
    return [element, *(leaf for child in children for leaf in _leaves(child))]


def test_both_dialects_know_the_same_operations() -> None:
    special = {name.removeprefix("operation_") for name in dir(doris.DorisCompiler) if name.startswith("operation_")}
    assert set(clickhouse.FUNCTIONS) <= set(doris.FUNCTIONS) | special


def test_every_kind_of_question_is_asked_of_both_databases() -> None:
    """By the tests that `questions.FILES` names, which tell when one of theirs was not asked."""
    assert questions.of_the_product() == {kind for kinds in questions.FILES.values() for kind in kinds}


def test_deleted_rows_are_left_out_where_newest_versions_are_asked_for() -> None:
    assert "`observations`.is_deleted = false" in compiled(store.select(SCOPE, observations, o.id)).replace(
        "`is_deleted`", "is_deleted"
    )
    assert "is_deleted" not in compiled(select(o.id).where(o.project_id == "p"))


def test_values_stand_in_the_order_in_which_they_are_written() -> None:
    query = store.select(SCOPE, observations, fn.contains(o.name, "needle").label("x")).where(o.id == "last")
    statement = doris.compile_query(query)
    assert statement.parameters == ["needle", "p", "last"] or statement.parameters[0] == "needle"
    assert statement.sql.count("%s") == len(statement.parameters)


def test_a_percent_sign_of_the_text_is_no_place_for_a_value() -> None:
    statement = doris.compile_query(store.select(SCOPE, observations, fn.search(o.input, "100%").label("x")))
    assert "%100\\%%" in statement.parameters
    assert statement.sql.replace("%s", "").count("%") == 0


def test_times_are_sent_as_utc_with_microseconds() -> None:
    assert "'2026-11-21 10:00:00.123456'" in compiled(
        store.select(SCOPE, observations, o.id).where(o.start_time > TIME)
    )


def test_no_values_are_among_none() -> None:
    query = store.select(SCOPE, observations, o.id)
    assert "WHERE" in compiled(query.where(o.id.in_([])))
    assert compiled(query.where(o.id.in_([]))).count("false") == 2
    assert "true" in compiled(query.where(o.id.not_in([])))


def test_minutes_are_looked_for_in_the_partitions_that_have_them() -> None:
    minutes = fn.unix_start(o.start_time, unit="minute").in_([0, 600])
    sql = compiled(store.select(SCOPE, observations, o.name).where(minutes))
    assert "`start_time` >= '1970-01-01 00:00:00.000000'" in sql
    assert "`start_time` < '1970-01-01 00:11:00.000000'" in sql


def test_tuples_are_compared_as_texts_that_say_where_each_part_ends() -> None:
    sql = compiled(
        store.select(SCOPE, observations, o.name).where(tuple_(o.trace_id, o.id).in_([("a", "b"), ("a1", "")]))
    )
    assert "IN ('1:a1:b', '2:a10:')" in sql
    assert "`observations`.`trace_id` IN ('a', 'a1')" in sql


def test_tuples_of_rows_are_compared_in_one_column() -> None:
    pairs = store.select(SCOPE, scores, s.trace_id, s.observation_id)
    sql = compiled(store.select(SCOPE, observations, o.name).where(tuple_(o.trace_id, o.id).in_(pairs)))
    assert sql.count("concat(char_length(") == 2


def test_a_key_with_a_time_is_written_as_the_database_writes_it() -> None:
    key = (TIME, "t", "i", 7)
    assert doris.key_text(key) == "2026-11-21 10:00:00.123456,1:t1:i7,"


def test_what_is_missing_from_an_outer_join_is_empty_as_on_clickhouse() -> None:
    sums = store.select(
        SCOPE, observations, o.trace_id, fn.sum(o.total_cost).label("cost"), fn.max(o.end_time).label("end")
    )
    inner = sums.group_by(o.trace_id).subquery("sums")
    query = store.select(SCOPE, traces, t.id, inner.c.cost, inner.c.end).outerjoin(inner, inner.c.trace_id == t.id)
    sql = compiled(query)
    assert "coalesce(`sums`.`cost`, 0)" in sql
    assert "coalesce(`sums`.`end`" not in sql


def test_groups_and_orders_are_written_in_full_for_a_column_may_have_the_name() -> None:
    query = store.select(SCOPE, scores, s.string_value.label("value"), fn.count().label("n"))
    sql = compiled(query.group_by("value").order_by("value"))
    assert "GROUP BY `scores`.`string_value`" in sql
    assert "ORDER BY `scores`.`string_value`" in sql


def test_nulls_come_last() -> None:
    query = store.select(SCOPE, observations, o.id)
    assert "`latency_us` IS NULL, `observations`.`latency_us` ASC" in compiled(query.order_by(o.latency_us.asc()))
    assert "IS NULL" not in compiled(query.order_by(o.latency_us.desc(), o.id.asc()))


def test_sums_of_nothing_are_zero_but_of_what_is_not_known_nothing() -> None:
    assert "coalesce(sum(`observations`.`total_cost`), 0)" in compiled(
        store.select(SCOPE, observations, fn.sum(o.total_cost).label("x"))
    )
    assert "coalesce" not in compiled(store.select(SCOPE, observations, fn.sum(o.latency_us).label("x")))


def test_the_first_of_each_are_numbered() -> None:
    query = store.select(SCOPE, observations, o.trace_id, o.id, o.start_time)
    first = fn.first_of_each(query, "trace_id", limit=2, order=[("start_time", True), ("id", False)])
    sql = compiled(first)
    assert "PARTITION BY `trace_id` ORDER BY `start_time` DESC, `id` ASC" in sql
    assert "LIMIT 2 BY `trace_id`" in clickhouse.compile_query(first).sql


def test_members_of_lists_are_made_around_the_query_that_has_them() -> None:
    tags = store.select(SCOPE, traces, fn.explode(t.tags).label("tag"), t.id.label("of")).subquery("found")
    sql = compiled(select(tags.c.tag, fn.uniq(tags.c["of"]).label("n")).group_by(tags.c.tag))
    assert "LATERAL VIEW explode(`lists`.`tag`) `each_0` AS `member`" in sql
    both = union_all(
        store.select(SCOPE, traces, fn.explode(t.tags).label("tag")),
        store.select(SCOPE, observations, fn.explode(o.tags).label("tag")),
    ).subquery("both")
    assert compiled(select(both.c.tag)).count("LATERAL VIEW") == 2


def test_answers_become_the_values_of_records() -> None:
    query = store.select(
        SCOPE, observations, o.start_time, o.end_time, o.total_cost, o.cost, o.tags, o.is_root, o.usage
    )
    columns = doris.compile_query(query).columns
    row = ["2026-11-21T10:00:00", None, Decimal("0.5"), '{"input": "0.25"}', '["a"]', 1, '{"input": 3}']
    at = datetime(2026, 11, 21, 10, tzinfo=UTC)
    found = [at, None, Decimal("0.5"), {"input": Decimal("0.25")}, ["a"], True, {"input": 3}]
    assert doris_answers.rows(columns, [row]) == [found]
    plain = ["2026-11-21 10:00:00.000000", None, 0.5, {"input": 0.25}, ["a"], True, {"input": 3}]
    assert doris_answers.rows(columns, [row], is_plain=True) == [plain]


def test_answers_of_nothing() -> None:
    figures = fn.quantiles(s.value, qs=(0.5, 0.9)).label("shares"), fn.histogram(s.value, bins=3).label("bars")
    columns = doris.compile_query(store.select(SCOPE, scores, *figures)).columns
    assert doris_answers.rows(columns, [[None, None]]) == [[[None, None], []]]


def test_collected_lists_and_maps_are_put_together() -> None:
    query = store.select(
        SCOPE, observations, fn.collect_arrays(o.tags).label("tags"), fn.sum_map(o.cost).label("cost"),
        fn.sum_map(o.usage).label("usage"),
    )  # fmt: skip
    columns = doris.compile_query(query).columns
    lists = ['["a", "b"]', '["b"]'], ['{"x": "0.1"}', '{"x": "0.2"}'], ['{"x": 1}', '{"y": 2}']
    row = [orjson.dumps(one).decode() for one in lists]
    assert doris_answers.rows(columns, [row]) == [[["a", "b"], {"x": Decimal("0.3")}, {"x": 1, "y": 2}]]


def test_bars_of_histograms() -> None:
    columns = doris.compile_query(store.select(SCOPE, scores, fn.histogram(s.value, bins=3).label("bars"))).columns
    bars = '{"num_buckets": 1, "buckets": [{"lower": "0.5", "upper": "2", "count": 4, "pre_sum": 0, "ndv": 3}]}'
    assert doris_answers.rows(columns, [[bars]]) == [[[[0.5, 2.0, 4.0]]]]


def test_a_page_is_one_query_where_rows_have_no_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(backends, "current", lambda: doris_backend)
    monkeypatch.setattr(store, "rows", lambda scope, query, **_: asked.append(query) or [])
    store.newest(SCOPE, traces, t.id, where=[t.name == "x"], before=(TIME, "last"), limit=50, tag="test")
    [query] = asked
    sql = compiled(query)
    assert "`traces`.`timestamp` <= '2026-11-21 10:00:00.123456'" in sql
    assert "ORDER BY `traces`.`timestamp` DESC, `traces`.`id` DESC\n LIMIT 50" in sql


def test_lists_are_asked_for_as_json() -> None:
    assert "to_json(`traces`.`tags`) AS `tags`" in compiled(store.select(SCOPE, traces, t.id, t.tags))


def test_conditions_that_the_lint_knows_are_refused() -> None:
    for sql in (
        "SELECT * FROM t FINAL", "SELECT a ILIKE 'x' FROM t", "SELECT a || b", "SELECT 1 FROM t WHERE (a, b) < (1, 2)",
        "SELECT 1 FROM t WHERE (a, b) IN ((1, 2))", "SELECT x FROM t LIMIT 1 BY x", "SELECT arrayJoin(x)",
        "SELECT quantile(0.5)(x)", "SELECT toStartOfDay(x)", "SELECT a FROM t ARRAY JOIN b", "SELECT x::INT",
        "SELECT count(if(a IN (SELECT b FROM t), 1, NULL)) FROM t",
    ):  # fmt: skip
        with pytest.raises(doris_lint.NotDoris):
            doris_lint.check(sql)


def test_money_divides_without_rounding() -> None:
    sql = compiled(store.select(SCOPE, observations, (o.total_cost / o.total_tokens).label("x")))
    assert "CAST(`observations`.`total_cost` AS DOUBLE) / CAST(`observations`.`total_tokens` AS DOUBLE)" in sql


@pytest.mark.parametrize("value", [Decimal("0.15"), 1.5, 7, True, "text", TIME])
def test_values_that_can_be_sent(value: Any) -> None:
    assert doris.parameter_value(value) is not None


def test_conditions_may_be_joined() -> None:
    query = store.select(SCOPE, observations, literal(1).label("one"))
    assert compiled(query.where(or_(o.id == "a", and_(o.id == "b", o.is_root))))
