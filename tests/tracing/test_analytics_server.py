from __future__ import annotations

import gzip
import http.client
import threading
from datetime import UTC, datetime
from urllib.parse import urlencode

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from django.core.management import call_command

from accounts.access import ProjectScope
from accounts.roles import Role
from config.errors import Unavailable
from tests.analytics_fixture import local_server, pointed_at
from tracing.analytics import store, tables
from tracing.analytics.records import Observation

NOW = datetime(2026, 3, 4, tzinfo=UTC)
HOSTILE = "x`'\"\\ \n\t\0 FORMAT Null 你好 {p0:String}"


@pytest.fixture
def client(analytics_server):
    with clickhouse_connect.get_client(
        host="127.0.0.1", port=analytics_server.port, password=analytics_server.token, compress="lz4"
    ) as client:
        yield client


@pytest.fixture
def table(client):
    client.command("CREATE TABLE IF NOT EXISTS scratch (a String, n Int64, m Map(String, String)) ENGINE = Memory")
    client.command("TRUNCATE TABLE scratch")
    return "scratch"


def test_ordinary_client_inserts_and_queries(client, table):
    client.insert(table, [[HOSTILE, n, {HOSTILE: "v"}] for n in range(1000)], column_names=["a", "n", "m"])

    result = client.query(f"SELECT * FROM {table} WHERE a = {{a:String}} AND n = {{n:Int64}}", {"a": HOSTILE, "n": 7})

    assert result.result_rows == [(HOSTILE, 7, {HOSTILE: "v"})]
    assert client.query(f"SELECT a, n FROM {table} LIMIT 0").column_names == ("a", "n")


@pytest.mark.parametrize(
    ("settings", "failing"),
    [
        ({"max_block_size": 1000, "max_threads": 1}, "SELECT number, throwIf(number = 99999) FROM numbers(100000)"),
        ({"max_result_bytes": 1}, "SELECT number AS foreign FROM numbers(100000)"),
    ],
)
def test_what_a_statement_wrote_before_it_failed_is_in_no_other_answer(client, settings, failing):
    for _ in range(3):
        with pytest.raises(DatabaseError):
            client.raw_query(failing, settings=settings, fmt="JSONCompactEachRowWithNames")
        following = client.raw_query("SELECT 1 AS own WHERE 0", settings=settings, fmt="JSONCompactEachRowWithNames")
        assert following == b'["own"]\n'


def test_parameters_too_long_for_a_url_arrive(client):
    values = [f"{HOSTILE}{n}" for n in range(5000)]

    assert client.query("SELECT length({v:Array(String)})", {"v": values}).result_rows == [(5000,)]


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("INSERT INTO scratch (a, n) FORMAT JSONEachRow", b'{"a": "x", "n": 1}\n{"a": "y", "n": 2}\n'),
        ("INSERT INTO scratch (a, n) FORMAT JSONCompactEachRow", b'["x", 1]\n["y", 2]\n'),
        ("insert into scratch (a, n) settings async_insert = 0 format TSV", b"x\t1\ny\t2\n"),
        ("INSERT INTO scratch (a, n) VALUES ('x', 1), ('y', 2)", b""),
        ("INSERT INTO scratch (a, n) SELECT toString(number), number + 1 FROM numbers(2)", b""),
    ],
)
@pytest.mark.parametrize("place", ["url", "body"])
def test_every_way_of_inserting(analytics_server, client, table, statement, rows, place):
    target = "/" if place == "body" else f"/?{urlencode({'query': statement})}"
    body = statement.encode() + b"\n" + rows if place == "body" else rows

    status, _, text = post(analytics_server, target, body)

    assert (status, text) == (200, b"")
    assert client.query("SELECT count(), sum(n) FROM scratch").result_rows == [(2, 3)]


def test_compressed_body(analytics_server, client, table):
    body = gzip.compress(b"INSERT INTO scratch (n) FORMAT TSV\n" + b"1\n" * 100_000)

    assert post(analytics_server, "/", body, {"Content-Encoding": "gzip"})[0] == 200
    assert client.query("SELECT count() FROM scratch").result_rows == [(100_000,)]


@pytest.mark.parametrize(
    "headers",
    [{"X-ClickHouse-Key": "wrong"}, {"Authorization": "Basic ???"}, {"Authorization": "Bearer wrong"}, {}],
)
def test_token_is_needed(analytics_server, headers):
    status, answer, _ = post(analytics_server, "/", b"SELECT 1", headers, token="")

    assert (status, answer["X-ClickHouse-Exception-Code"]) == (403, "516")


def test_ping_needs_no_token(analytics_server):
    connection = http.client.HTTPConnection("127.0.0.1", analytics_server.port)
    connection.request("GET", "/ping")

    assert connection.getresponse().read() == b"Ok.\n"


def test_refusals_carry_the_code_of_the_engine(client):
    with pytest.raises(DatabaseError) as caught:
        client.query("SELECT nothing FROM nowhere")

    assert caught.value.code == 60


def test_settings_end_with_the_statement_they_came_with(client):
    assert client.query("SELECT getSetting('max_threads')", settings={"max_threads": 7}).result_rows == [(7,)]
    assert client.query("SELECT getSetting('max_threads')").result_rows != [(7,)]


def test_broken_rows_are_refused_and_leave_the_connection_usable(client, table):
    with pytest.raises(DatabaseError):
        client.raw_insert(table, ["a", "n"], b'{"a": "x", "n": "not a number"}', fmt="JSONEachRow")

    assert client.query(f"SELECT count() FROM {table}").result_rows == [(0,)]


def test_nothing_that_returned_is_lost_when_the_server_is_killed(tmp_path):
    server = local_server(tmp_path)
    server.start()
    scope = ProjectScope(project_id="p", role=Role.MEMBER)
    done: list[str] = []

    def work():
        for n in range(10_000):
            batch = [Observation(project_id="p", trace_id="t", id=f"{n}-{m}", start_time=NOW) for m in range(20)]
            try:
                store.insert(observations=batch)
            except Unavailable:
                return
            done.extend(row.id for row in batch)

    with pointed_at(server):
        call_command("migrate_analytics", verbosity=0)
        for _ in range(3):
            before = len(done)
            writer = threading.Thread(target=work)
            writer.start()
            while len(done) < before + 200:
                writer.join(0.01)
            server.kill()
            writer.join()
            server.start()
        o = tables.observations
        stored = {row.id for row in store.rows(scope, store.select(scope, o, o.c.id), tag="test")}
        assert set(done) <= stored
        assert server.stop() == 0


def test_stopping_cleanly_keeps_everything(tmp_path):
    server = local_server(tmp_path)
    server.start()
    scope = ProjectScope(project_id="p", role=Role.MEMBER)
    with pointed_at(server):
        call_command("migrate_analytics", verbosity=0)
        store.insert(observations=[Observation(project_id="p", trace_id="t", id="o", start_time=NOW)])
        assert server.stop() == 0
        server.start()
        assert len(store.rows(scope, store.select(scope, tables.observations), tag="test")) == 1
        server.stop()


def post(server, target, body, headers=None, token=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    key = server.token if token is None else token
    connection.request("POST", target, body, {**({"X-ClickHouse-Key": key} if key else {}), **(headers or {})})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()
