"""Queries over MySQL's protocol: connections, their limits, and what their errors mean."""

from __future__ import annotations

import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pymysql
import pytest
from django.core.management import CommandError, call_command
from pymysql.constants import CR

from config.errors import TooExpensive, Unavailable
from tracing.analytics import migrate, store, tables
from tracing.analytics.backends import doris as backend
from tracing.analytics.backends.doris import nodes, pool
from tracing.analytics.backends.doris.errors import problem_of
from tracing.analytics.backends.errors import OutOfMemory, StoreAway
from tracing.analytics.records import Trace

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)


def traces(scope, count):
    return [Trace(project_id=scope.project_id, id=f"t{n:03d}", timestamp=AT, row_version=1) for n in range(count)]


def ids(scope):
    t = tables.traces
    return [row.id for row in store.rows(scope, store.select(scope, t, t.c.id).order_by(t.c.id), tag="t", is_anew=True)]


def test_threads_share_few_connections(doris, scope, settings):
    settings.DORIS_MAX_OPEN_CONNECTIONS = 3
    store.insert(traces=traces(scope, 5))
    before = {row[0] for row in doris.ask("SELECT id FROM information_schema.processlist WHERE user = 'spanwise'")}

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: ids(scope), range(60)))

    after = {row[0] for row in doris.ask("SELECT id FROM information_schema.processlist WHERE user = 'spanwise'")}
    assert answers == [["t000", "t001", "t002", "t003", "t004"]] * 60
    assert 1 <= len(after - before) <= 3


def test_connections_that_were_lost_are_made_anew(doris, scope):
    store.insert(traces=traces(scope, 1))
    assert ids(scope) == ["t000"]
    for (number,) in doris.ask("SELECT id FROM information_schema.processlist WHERE user = 'spanwise'"):
        doris.ask(f"KILL {number}")

    assert ids(scope) == ["t000"]


def test_times_are_utc_and_backslashes_escape(doris, scope):
    store.insert(traces=[Trace(project_id=scope.project_id, id="a\\'; --", timestamp=AT, row_version=1)])
    t = tables.traces
    query = store.select(scope, t, t.c.timestamp).where(t.c.id == "a\\'; --", t.c.timestamp == AT)

    assert [row.timestamp for row in store.rows(scope, query, tag="test")] == [AT]
    assert store.plain(scope, query, tag="test") == [["2026-11-21 10:00:00.000000"]]


def test_pages_of_a_list_follow_one_another(doris, scope):
    store.insert(traces=traces(scope, 25))
    t = tables.traces
    seen, before = [], None
    while page := store.newest(scope, t, t.c.id, t.c.timestamp, limit=10, before=before, tag="test"):
        seen += [row.id for row in page]
        before = (page[-1].timestamp, page[-1].id)

    assert seen == [f"t{n:03d}" for n in reversed(range(25))]


@pytest.fixture
def complaints(monkeypatch):
    """What Python could tell nobody: errors of objects that it cleared away."""
    found = []
    monkeypatch.setattr(sys, "unraisablehook", lambda complaint: found.append(str(complaint.exc_value)))
    return found


def test_an_answer_beyond_bounds_is_too_expensive(doris, scope, complaints):
    store.insert(traces=traces(scope, 50))

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(backend.LIMITS, "max_result_bytes", 100)
        with pytest.raises(TooExpensive):
            ids(scope)
    gc.collect()

    assert complaints == []
    assert len(ids(scope)) == 50


def test_a_connection_that_is_lost_in_the_middle_of_an_answer_is_unavailable(doris, scope, complaints):
    store.insert(traces=traces(scope, 50))

    def break_off(result):
        result.connection._force_close()
        raise pymysql.OperationalError(CR.CR_SERVER_LOST, "Lost connection to MySQL server during query")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pymysql.connections.MySQLResult, "_read_rowdata_packet_unbuffered", break_off)
        with pytest.raises(Unavailable):
            ids(scope)
    gc.collect()

    assert complaints == []
    assert len(ids(scope)) == 50


def test_who_asked_stands_in_the_statement(doris, scope):
    seen = []
    execute = pymysql.cursors.SSCursor.execute
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pymysql.cursors.SSCursor, "execute", lambda *given: seen.append(given[1]) or execute(*given))
        ids(scope)
    assert seen[0].startswith(f'/* {{"project":"{scope.project_id}","tag":"t"}} */ SELECT')


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (pymysql.OperationalError(2013, "Lost connection"), StoreAway),
        (pymysql.OperationalError(2003, "Can't connect"), StoreAway),
        (pymysql.err.InterfaceError(0, ""), StoreAway),
        (ConnectionResetError(), StoreAway),
        (pymysql.err.OperationalError(1045, "Access denied for user"), Unavailable),
        (pymysql.err.OperationalError(1040, "Reach limit of connections"), Unavailable),
        (pymysql.err.OperationalError(1105, "errCode = 2, detailMessage = [MEM_LIMIT_EXCEEDED]x"), OutOfMemory),
        (pymysql.err.OperationalError(1105, "errCode = 2, detailMessage = query timeout"), TooExpensive),
        (pymysql.err.OperationalError(1105, "errCode = 2, detailMessage = no alive backend"), Unavailable),
        (pymysql.err.ProgrammingError(1105, "errCode = 2, detailMessage = Unknown column 'x'"), pymysql.MySQLError),
    ],
)
def test_errors_mean_what_they_mean_elsewhere(error, kind):
    assert isinstance(problem_of(error), kind)


def test_server_that_is_away_is_unavailable(doris, scope, settings):
    assert store.ping()
    settings.DORIS_FE_QUERY_PORT = 1

    assert not store.ping()
    with pytest.raises(Unavailable):
        ids(scope)


def test_migrating_again_changes_nothing(doris, capsys):
    call_command("migrate_analytics")

    assert "up to date" in capsys.readouterr().out


def test_changed_file_is_refused(doris, monkeypatch):
    files = migrate.schema_files()
    changed = migrate.SchemaFile(files[0].version, files[0].name, files[0].sql + "-- changed\n")
    monkeypatch.setattr(migrate, "schema_files", lambda: [changed, *files[1:]])

    with pytest.raises(CommandError, match=r"0001_observations\.sql was changed"):
        call_command("migrate_analytics")


def test_server_without_a_backend_is_not_ready(doris, monkeypatch):
    monkeypatch.setattr(nodes, "backends", lambda: [{"Alive": "false"}])

    with pytest.raises(CommandError, match="did not answer"):
        call_command("migrate_analytics", "--wait", "0.1")


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("Doris version doris-4.0.6-rc01-59de8c4c524", (4, 0, 6)),
        ("doris-4.1.12-1b2c3d4", (4, 1, 12)),
        ("Doris version doris-0.0.0--f8a1b2c3d4e", None),
        ("a build of our own", None),
        ("", None),
    ],
)
def test_versions_are_read(told, version):
    assert nodes.version_of(told) == version


@pytest.mark.parametrize("old", ["doris-2.1.11-rc01-x", "doris-3.1.4-rc02-x"])
def test_a_server_that_is_too_old_is_refused_at_once(doris, monkeypatch, old):
    monkeypatch.setattr(nodes, "backends", lambda: [{"Alive": "true", "Version": old}])

    with pytest.raises(CommandError, match=rf"{old} is too old: Apache Doris 4\.0\.6 or later"):
        call_command("migrate_analytics")


def test_of_a_server_with_known_faults_the_log_tells(doris, monkeypatch, caplog):
    monkeypatch.setattr(nodes, "backends", lambda: [{"Alive": "true", "Version": "doris-4.0.5-rc01-x"}])

    call_command("migrate_analytics", verbosity=0)

    assert [record.getMessage() for record in caplog.records if "doris-4.0.5" in record.getMessage()]


@pytest.mark.parametrize(("registered", "setting", "copies"), [(1, 0, 1), (2, 0, 1), (3, 0, 3), (5, 0, 3), (5, 2, 2)])
def test_copies_follow_the_backends_unless_they_are_set(doris, monkeypatch, settings, registered, setting, copies):
    said = []
    monkeypatch.setattr(nodes, "registered", lambda: registered)
    monkeypatch.setattr(backend, "execute", said.append)
    settings.DORIS_REPLICATION_NUM, settings.DORIS_BUCKETS = setting, 12

    backend.run("BUCKETS {buckets} {replication_num}")

    assert said == [f"BUCKETS 12 {copies}"]


def test_pool_gives_up_waiting(doris, scope, settings, monkeypatch):
    settings.DORIS_MAX_OPEN_CONNECTIONS = 1
    monkeypatch.setattr(pool, "_WAIT_SECONDS", 0.05)

    with pool._pool().connection(), pytest.raises(Unavailable):
        ids(scope)
