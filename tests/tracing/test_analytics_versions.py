"""Totals are counted once for each state of a project's data, and never a state late."""

from __future__ import annotations

import pytest

from tests.tracing.api_data import observation, score, trace
from tests.tracing.test_analytics_store import new_scope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import observations, scores, traces

pytestmark = pytest.mark.usefixtures("analytics_server")


def total(scope, table, *where) -> int:
    return store.count(scope, store.select(scope, table, fn.count()).where(*where), tag="test")


@pytest.fixture
def counted(monkeypatch):
    """How often the store itself was asked."""
    asked, rows = [], store.rows

    def noting(scope, query, *, tag):
        asked.append(tag)
        return rows(scope, query, tag=tag)

    monkeypatch.setattr(store, "rows", noting)
    return asked


@pytest.mark.usefixtures("broker")
def test_total_is_counted_once_until_something_is_written(counted):
    scope, other = new_scope(), new_scope()
    store.insert(traces=[trace(scope.project_id, "t1", 0)])
    assert [total(scope, traces) for _ in range(3)] == [1, 1, 1]
    assert len(counted) == 1
    store.insert(traces=[trace(other.project_id, "t1", 0)])
    assert total(scope, traces) == 1
    assert len(counted) == 1
    store.insert(traces=[trace(scope.project_id, "t2", 0)])
    assert (total(scope, traces), total(other, traces)) == (2, 1)


@pytest.mark.usefixtures("broker")
def test_filters_have_totals_of_their_own(counted):
    scope = new_scope()
    store.insert(traces=[trace(scope.project_id, "t1", 0, name="a"), trace(scope.project_id, "t2", 0, name="b")])
    asked = [total(scope, traces, *where) for where in ([], [traces.c.name == "a"], [traces.c.name == "c"]) * 2]
    assert asked == [2, 1, 0, 2, 1, 0]
    assert len(counted) == 3


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize("table", [traces, observations, scores], ids=lambda table: table.name)
def test_every_kind_of_write_is_seen(table):
    scope = new_scope()
    written = {
        "traces": lambda number: {"traces": [trace(scope.project_id, f"t{number}", 0)]},
        "observations": lambda number: {"observations": [observation(scope.project_id, "t", f"o{number}", 0)]},
        "scores": lambda number: {"scores": [score(scope.project_id, f"s{number}", 0, trace_id="t", value=1.0)]},
    }[table.name]
    assert total(scope, table) == 0
    for number in range(3):
        store.insert(**written(number))
        assert total(scope, table) == number + 1
    store.insert(ready=store.encoded(written(3).get("observations", [])))
    assert total(scope, table) == (4 if table is observations else 3)
    store.delete(scope, table, table.c.id.like("%0"), tag="test")
    assert total(scope, table) == (3 if table is observations else 2)


def test_without_the_broker_everything_is_counted_anew(settings, counted):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    scope = new_scope()
    store.insert(traces=[trace(scope.project_id, "t1", 0)])
    assert [total(scope, traces) for _ in range(2)] == [1, 1]
    assert len(counted) == 2
