from __future__ import annotations

from dataclasses import fields
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from accounts.access import ProjectScope
from accounts.roles import Role
from tracing.analytics import client, functions, migrate, store, tables
from tracing.analytics.dialects import clickhouse
from tracing.analytics.records import Observation, Score, Trace

pytestmark = pytest.mark.usefixtures("analytics_server")
KINDS = {"observations": Observation, "traces": Trace, "scores": Score}
#: How a type of `tables.py` may be kept.
STORED_AS = {
    "Text": {"String", "LowCardinality(String)"},
    "Timestamp": {"DateTime64(6, 'UTC')", "Nullable(DateTime64(6, 'UTC'))"},
    "StringArray": {"Array(LowCardinality(String))"},
    "Boolean": {"Bool", "UInt8"},
    "Integer": {"Nullable(Int32)"},
    "BigInteger": {"Int64", "Nullable(Int64)", "UInt64"},
    "Float": {"Nullable(Float64)"},
    "Money": {"Decimal(18, 12)"},
}
MAP_OF = {"Text": "String", "BigInteger": "Int64", "Money": "Decimal(18, 12)"}
#: Columns that only storing needs: input and output are kept as what follows the preview.
INTERNAL = {f"{name}_{part}" for name in ("input", "output") for part in ("rest", "continues_preview")}


@pytest.mark.parametrize("name", KINDS)
def test_record_and_table_have_the_same_columns(name):
    assert [field.name for field in fields(KINDS[name])] == list(tables.metadata.tables[name].c.keys())


@pytest.mark.parametrize("name", KINDS)
def test_database_and_table_have_the_same_columns(name):
    sql = f"SELECT name, type FROM system.columns WHERE table = '{name}' AND database = currentDatabase()"
    stored = dict(client.call(lambda c: c.query(sql)).result_rows)

    declared = tables.metadata.tables[name].c
    assert set(stored) - INTERNAL == set(declared.keys())
    for column in declared:
        kind = type(column.type).__name__
        if kind == "Map":
            value = MAP_OF[type(column.type.value).__name__]
            expected = {f"Map(LowCardinality(String), {value})", f"Map(String, {value})"}
        else:
            expected = STORED_AS[kind]
        assert stored[column.name] in expected, column.name


@pytest.mark.parametrize("name", KINDS)
def test_rows_are_unique_by_the_key(name):
    sql = f"SELECT sorting_key, engine FROM system.tables WHERE name = '{name}' AND database = currentDatabase()"
    [(key, engine)] = client.call(lambda c: c.query(sql)).result_rows

    assert key == ", ".join(tables.KEYS[name])
    assert engine == "ReplacingMergeTree"


def test_migrating_again_changes_nothing(capsys):
    call_command("migrate_analytics")

    assert "up to date" in capsys.readouterr().out


def test_changed_file_is_refused(monkeypatch):
    files = migrate.schema_files()
    changed = migrate.SchemaFile(files[0].version, files[0].name, files[0].sql + "-- changed\n")
    monkeypatch.setattr(migrate, "schema_files", lambda: [changed, *files[1:]])

    with pytest.raises(CommandError, match=r"0001_observations\.sql was changed"):
        call_command("migrate_analytics")


def test_new_file_is_applied_once():
    name = f"t_{uuid4().hex}"
    version = 900_000 + int(uuid4().int % 90_000)
    file = migrate.SchemaFile(version, "extra", f"CREATE TABLE {name} (a Int8) ENGINE = Memory;\nDROP TABLE {name};\n")

    assert migrate.apply([file]) == [file]
    assert migrate.apply([file]) == []


def test_server_that_never_comes_is_said_so(settings):
    settings.CLICKHOUSE_URL = "http://127.0.0.1:1"

    with pytest.raises(CommandError, match="did not answer"):
        call_command("migrate_analytics", "--wait", "0.1")


O = tables.observations.c  # noqa: E741 - short for the table below
OPERATIONS = [
    functions.bucket(O.start_time, unit="month", timezone="Europe/Berlin"),
    functions.ms_diff(O.start_time, O.end_time),
    functions.quantile_sampled(functions.to_float(O.total_cost), q=0.5),
    functions.histogram(O.latency_us, bins=3),
    functions.quantile_exact(O.latency_us, q=0.5),
    functions.stddev(O.latency_us),
    functions.sum_map(O.usage),
    functions.arg_max(O.name, O.start_time),
    functions.arg_min(O.name, O.start_time),
    functions.arg_max_if(O.name, O.start_time, O.is_root),
    functions.arg_min_if(O.name, O.start_time, O.is_root),
    functions.avg_if(O.latency_us, O.is_root),
    functions.min_if(O.latency_us, O.is_root),
    functions.max_if(O.latency_us, O.is_root),
    functions.sum_if(O.total_cost, O.is_root),
    functions.quantile_if(O.latency_us, O.is_root, q=0.9),
    functions.uniq_if(O.user_id, O.is_root),
    functions.collect(O.name, limit=3),
    functions.collect_unique(O.name, limit=3),
    functions.collect_arrays(O.tags),
    functions.map_get(functions.any_value(O.usage), "input"),
]
ROW_OPERATIONS = [
    functions.map_get(O.metadata, "key"),
    functions.map_contains(O.metadata, "key"),
    functions.map_keys(O.metadata),
    functions.map_values(O.metadata),
    functions.has(O.tags, "a"),
    functions.has_any(O.tags, ["a", "b"]),
    functions.has_all(O.tags, ["a", "b"]),
    functions.any_starts_with(functions.map_keys(O.metadata), "k"),
    functions.array_length(O.tags),
    functions.explode(O.tags),
    functions.lower(O.name),
    functions.contains(O.name, "a", ignore_case=True),
    functions.contains(O.name, "a"),
    functions.search(O.input, "a"),
    functions.starts_with(O.name, "a"),
    functions.ends_with(O.name, "a"),
    functions.text_length(O.name),
    functions.text_start(O.name, 3),
    functions.text_end(O.name, 3),
    functions.concat(O.name, "-", O.id),
    functions.to_text(O.latency_us),
    functions.to_number(O.name),
    functions.json_length(O.tool_calls),
    functions.json_is_object(O.model_parameters),
    functions.json_has(O.model_parameters, "a"),
    functions.json_value(O.model_parameters, "a"),
    functions.json_text(O.model_parameters, "a", "b"),
    functions.last_message(O.input),
    functions.if_else(O.is_root, O.name, "none"),
    functions.empty_to_null(O.user_id),
    functions.bin(O.latency_us, 0, 100),
    functions.greatest(O.latency_us, 1),
    functions.least(O.latency_us, 1),
]


@pytest.mark.parametrize("operation", OPERATIONS + ROW_OPERATIONS, ids=lambda operation: operation.name)
def test_operation_runs(operation):
    scope = ProjectScope(project_id=f"p-{uuid4()}", role=Role.VIEWER)

    store.rows(scope, store.select(scope, tables.observations, operation.label("x")), tag="test")


@pytest.mark.parametrize("name", ["count", "count_if", "sum", "avg", "min", "max", "quantile", "uniq", "uniq_exact"])
def test_aggregate_of_no_rows(name):
    scope = ProjectScope(project_id=f"p-{uuid4()}", role=Role.VIEWER)
    arguments = {"count": [], "count_if": [O.is_root]}.get(name, [O.latency_us])
    constants = {"q": 0.5} if name == "quantile" else {}
    operation = getattr(functions, name)(*arguments, **constants)

    [row] = store.rows(scope, store.select(scope, tables.observations, operation.label("x")), tag="test")

    assert row.x in ((0,) if name in ("count", "count_if", "uniq", "uniq_exact") else (0, None))


def test_every_unit_is_known_to_the_dialect():
    assert set(functions.UNITS) == set(clickhouse._INTERVALS)


def test_equal_queries_are_equal_text_with_their_values_apart():
    def text(value):
        scope = ProjectScope(project_id="p", role=Role.VIEWER)
        o = tables.observations
        query = store.select(scope, o, o.c.id).where(o.c.name == value, o.c.id.in_([value]))
        statement = clickhouse.compile_query(query)
        return statement.sql, statement.parameters

    (one, values), (two, others) = text("a"), text("'; DROP TABLE traces --")
    assert one == two
    assert values == {"p0": "p", "p1": "a", "p2": ["a"]}
    assert others["p1"] == "'; DROP TABLE traces --"
