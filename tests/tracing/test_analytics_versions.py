"""The store is asked once for each state of a project's data, and an answer is never a state late."""

from __future__ import annotations

import pytest
import redis

from config import words
from config.errors import TooExpensive
from config.kept import Kept
from tests.tracing.api_data import observation, score, trace
from tests.tracing.test_analytics_store import new_scope
from tracing.analytics import answers, store, versions
from tracing.analytics import functions as fn
from tracing.analytics.backends import clickhouse
from tracing.analytics.tables import observations, scores, traces

pytestmark = pytest.mark.usefixtures("analytics_server")


def total(scope, table, *where) -> int:
    return store.rows(scope, store.select(scope, table, fn.count()).where(*where), tag="test")[0][0]


@pytest.fixture(autouse=True)
def broker_is_asked(monkeypatch):
    """Also where a test before has found none."""
    monkeypatch.setattr(words, "_silent_until", 0.0)


@pytest.fixture
def counted(monkeypatch):
    """How often the store itself was asked."""
    asked, raw = [], clickhouse._raw

    def noting(statement, settings):
        asked.append(statement.sql)
        return raw(statement, settings)

    monkeypatch.setattr(clickhouse, "_raw", noting)
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


@pytest.fixture
def broken(monkeypatch):
    """Makes the broker be away, and come back."""
    away = redis.Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    real = words._broker()

    def switch(is_away):
        monkeypatch.setattr(words, "_broker", lambda: away if is_away else real)
        monkeypatch.setattr(words, "_silent_until", 0.0)

    return switch


def test_without_the_broker_the_store_is_asked_each_time(broken, counted):
    broken(True)
    scope = new_scope()
    store.insert(traces=[trace(scope.project_id, "t1", 0)])
    assert [total(scope, traces) for _ in range(2)] == [1, 1]
    assert len(counted) == 2


@pytest.mark.usefixtures("broker")
def test_change_that_could_not_be_told_is_told_later(broken):
    broken(False)
    scope = new_scope()
    assert total(scope, traces) == 0
    broken(True)
    store.insert(traces=[trace(scope.project_id, "t1", 0)])
    broken(False)
    versions.changed()  # as the sweep does
    assert total(scope, traces) == 1


@pytest.mark.usefixtures("broker")
def test_whoever_writes_by_what_is_read_reads_anew(counted):
    scope = new_scope()
    query = store.select(scope, traces, fn.count())
    assert [store.rows(scope, query, tag="test", is_anew=True)[0][0] for _ in range(2)] == [0, 0]
    assert len(counted) == 2


@pytest.mark.usefixtures("broker")
def test_memory_is_bounded(monkeypatch, counted):
    kept = Kept(most_bytes=2_000, longest=1_500, seconds=30.0)
    monkeypatch.setattr(answers, "_kept", kept)
    scope = new_scope()
    store.insert(traces=[trace(scope.project_id, f"t{n}", n, name="x" * 1_000) for n in range(3)])

    def named(number):
        return store.rows(scope, store.select(scope, traces, traces.c.name).where(traces.c.id == f"t{number}"), tag="t")

    for number in (0, 1, 0, 1, 1):  # one answer fits: they take turns
        assert named(number)[0].name == "x" * 1_000
    assert len(counted) == 4
    assert kept._size < 2_000
    everything = store.select(scope, traces, traces.c.name)
    assert [len(store.rows(scope, everything, tag="t")) for _ in range(2)] == [3, 3]
    assert len(counted) == 6


@pytest.mark.usefixtures("broker")
def test_same_question_with_other_limits_is_another():
    scope = new_scope()
    store.insert(traces=[trace(scope.project_id, f"t{n}", n) for n in range(3)])
    assert len(store.rows(scope, store.select(scope, traces), tag="t")) == 3
    with pytest.raises(TooExpensive):
        store.rows(scope, store.select(scope, traces), tag="t", most_rows=1)
