from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from accounts.access import ProjectScope
from accounts.roles import Role
from tests.analytics_fixture import analytics_server  # noqa: F401 - until conftest names it
from tracing.analytics import functions as fn
from tracing.analytics import store, tables
from tracing.analytics.records import Observation, Score, Trace

pytestmark = pytest.mark.usefixtures("analytics_server")
NOW = datetime(2026, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)
HOSTILE = "quote ' \" ` back\\slash \\n new\nline tab\t nul\0 你好 🦊 {p0:String} FORMAT Null; DROP TABLE traces --"


@pytest.fixture
def scope():
    return ProjectScope(project_id=f"p-{uuid4()}", role=Role.MEMBER)


def filled(kind, **fixed):
    """A record in which no field has its default."""
    values = {}
    for at, field in enumerate(fields(kind)):
        values[field.name] = _value(str(field.type), at)
    return kind(**{**values, "is_deleted": False, **fixed})


def _value(kind, at):
    kind = kind.removesuffix(" | None")
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
    }[kind]


@pytest.mark.parametrize(
    ("kind", "table", "argument"),
    [
        (Observation, tables.observations, "observations"),
        (Trace, tables.traces, "traces"),
        (Score, tables.scores, "scores"),
    ],
)
def test_every_field_comes_back_as_it_was(scope, kind, table, argument):
    record = filled(kind, project_id=scope.project_id)

    store.insert(**{argument: [record]})

    assert store.records(scope, kind, store.select(scope, table), tag="test") == [record]


def test_absent_values_come_back_absent(scope):
    record = Observation(project_id=scope.project_id, trace_id="t", id="o", start_time=NOW)

    store.insert(observations=[record])

    assert store.records(scope, Observation, store.select(scope, tables.observations), tag="test") == [record]


def test_rows_have_an_attribute_for_each_label(scope):
    store.insert(traces=[Trace(project_id=scope.project_id, id=f"t{n}", timestamp=NOW, name="a") for n in range(3)])
    t = tables.traces

    query = (
        store.select(scope, t, t.c.name, fn.count().label("count")).where(t.c.id.in_(["t0", "t1"])).group_by(t.c.name)
    )

    [row] = store.rows(scope, query, tag="test")
    assert (row.name, row.count) == ("a", 2)
