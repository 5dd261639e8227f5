"""The first promise: whatever is killed, every acknowledged span is there exactly once."""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import psutil
import pytest
import redis

from config.ports import free_port
from tests.clients.conftest import eventually
from tests.clients.load import Exporters, payload, stored_count, stored_ids
from tests.instance import Instance
from tests.server_fixture import started

pytestmark = pytest.mark.durability

PARTS = ("web", "worker", "analytics", "broker")
_RECOVERY_SECONDS = 40


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    yield from started(Instance(tmp_path_factory.mktemp("durability"), free_port()))


def assert_exactly_once(product, load):
    expected = load.acknowledged
    assert len(expected) > 40, "the load was too small to prove anything"

    def all_there():
        assert stored_count(product, load.environment) >= len(expected)

    eventually(all_there, _RECOVERY_SECONDS)
    counts = Counter(stored_ids(product, load.environment))
    assert set(counts) == expected
    assert max(counts.values()) == 1


def wait_for_all_parts(product, parts=PARTS):
    def alive():
        assert all(product.part(name) for name in parts)
        assert product.is_ready()

    eventually(alive, _RECOVERY_SECONDS)


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_process_loses_nothing(product, part):
    with Exporters(product, f"killed-{part}") as load:
        time.sleep(0.7)
        killed = {process.pid for process in product.part(part)}
        assert killed
        product.kill(part)
        time.sleep(1.2)
        wait_for_all_parts(product)
    assert not killed & {process.pid for process in product.part(part)}
    assert 500 not in load.refused
    assert_exactly_once(product, load)


def test_processes_killed_at_random_lose_nothing(product):
    draw = random.Random(11)
    with Exporters(product, "killed-at-random") as load:
        for _ in range(6):
            time.sleep(draw.uniform(0.1, 0.8))
            for part in draw.sample(PARTS, draw.choice((1, 1, 2))):
                product.kill(part)
        wait_for_all_parts(product)
    assert 500 not in load.refused
    assert_exactly_once(product, load)


def test_a_broker_that_lost_everything_changes_nothing(product):
    wait_for_all_parts(product)
    facts = product.services()
    with Exporters(product, "lost-broker") as load:
        for _ in range(3):
            time.sleep(0.3)
            connection = redis.Redis(port=facts["redis_port"], password=facts["redis_auth"])
            connection.flushall()
            connection.close()
        product.kill("broker")
        (product.data_dir / "broker").rename(product.data_dir / f"broker-gone-{time.monotonic_ns()}")
        (product.data_dir / "broker").mkdir()
        time.sleep(0.5)
        wait_for_all_parts(product)
    assert_exactly_once(product, load)


def test_everything_killed_at_once_loses_nothing(product):
    wait_for_all_parts(product)
    load = Exporters(product, "power-cut")
    with load:
        time.sleep(1.0)
        everything = product.processes()
        product.kill_everything()
        psutil.wait_procs(everything, timeout=10)
        product.start()
    assert_exactly_once(product, load)


def test_the_same_payload_three_times_counts_once(product):
    body, ids = payload("three-times", 5)
    with product.client() as client:
        for _ in range(3):
            assert client.post("/api/public/otel/v1/traces", json=body).status_code == 200

    def all_there():
        assert stored_count(product, "three-times") == len(ids)

    eventually(all_there)
    time.sleep(1)
    assert sorted(stored_ids(product, "three-times")) == sorted(ids)


def test_a_full_disk_is_refused_and_not_lied_about(product):
    """The inbox cannot be written: 503 with Retry-After, and all is well again as soon as it can."""
    inbox = product.data_dir / "inbox"
    hidden = inbox.with_name("inbox-away")
    body, ids = payload("full-disk", 2)
    with product.client() as client:
        assert client.post("/api/public/otel/v1/traces", json=payload("before", 1)[0]).status_code == 200
        inbox.rename(hidden)
        inbox.write_text("not a folder")
        try:
            answer = client.post("/api/public/otel/v1/traces", json=body)
        finally:
            inbox.unlink()
            hidden.rename(inbox)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert client.post("/api/public/otel/v1/traces", json=body).status_code == 200
    eventually(lambda: _assert_count(product, "full-disk", len(ids)), _RECOVERY_SECONDS)


def _assert_count(product, environment, count):
    assert stored_count(product, environment) == count


def test_a_payload_that_kills_the_worker_is_buried_and_costs_nobody_else(tmp_path):
    settings = {"DJANGO_SETTINGS_MODULE": "tests.clients.deadly.settings"}
    instance = Instance(tmp_path, free_port(), environment=settings)
    instance.start()
    try:
        with Exporters(instance, "beside-it") as load, instance.client() as client:
            time.sleep(0.3)
            assert client.post("/api/public/otel/v1/traces", json=payload("deadly", 1)[0]).status_code == 200
            time.sleep(1)

        def nothing_waits():
            assert "was buried: Given up" in instance.log()
            assert not list((instance.data_dir / "inbox").glob("*.inbox"))

        eventually(nothing_waits, 2 * _RECOVERY_SECONDS)
        assert_exactly_once(instance, load)
        assert stored_count(instance, "deadly") == 0
        assert instance.log().count("was buried") == 1
    finally:
        instance.stop()


def test_a_stop_under_load_answers_or_refuses_but_never_fails(product):
    statuses = []
    with httpx.Client(base_url=product.url, auth=product.auth, timeout=5) as client:
        for part in ("analytics", "broker"):
            product.kill(part)
            body, _ = payload("away", 1)
            statuses.append(client.post("/api/public/otel/v1/traces", json=body).status_code)
    assert set(statuses) <= {200, 503}
    wait_for_all_parts(product)


def assert_ready(product, status=200, words="OK"):
    answer = httpx.get(f"{product.url}/api/public/ready", timeout=30)
    assert (answer.status_code, answer.json()["status"]) == (status, words)


@contextmanager
def nobody_starts_anything_again(product):
    supervisor = psutil.Process(product.pid)
    supervisor.suspend()
    try:
        yield
    finally:
        supervisor.resume()


@contextmanager
def standing_still(product, part):
    """Its port is open, and nobody answers there."""
    processes = product.part(part)
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


AWAY = {
    "analytics": "The analytics store does not answer.",
    "broker": "The broker does not answer.",
    "worker": "No worker is looking at the inbox.",
}


def test_ready_tells_what_is_away(own_server):
    eventually(lambda: assert_ready(own_server), _RECOVERY_SECONDS)
    inbox = own_server.data_dir / "inbox"
    hidden = inbox.with_name("inbox-away")
    inbox.rename(hidden)
    inbox.write_text("not a folder")
    eventually(lambda: assert_ready(own_server, 503, "The inbox cannot be written."))
    inbox.unlink()
    hidden.rename(inbox)
    for part, words in AWAY.items():
        eventually(lambda: assert_ready(own_server), _RECOVERY_SECONDS)
        with nobody_starts_anything_again(own_server):
            own_server.kill(part)
            eventually(lambda words=words: assert_ready(own_server, 503, words), _RECOVERY_SECONDS)
    eventually(lambda: assert_ready(own_server), _RECOVERY_SECONDS)
    assert_ready_fails_while_it_stops(own_server)


def assert_ready_fails_while_it_stops(product):
    psutil.Process(product.pid).terminate()
    seen = []
    with suppress(httpx.TransportError):  # gone
        while True:
            answer = httpx.get(f"{product.url}/api/public/ready")
            seen.append((answer.status_code, answer.json()["status"]))
    assert seen[-1] == (500, "Shutting down")


def test_monitors_keep_nobody_from_sending(own_server):
    """A store that stands still: however many ask for it, what is sent is taken at once."""
    eventually(lambda: assert_ready(own_server), _RECOVERY_SECONDS)
    body, _ = payload("beside-monitors", 1)
    with own_server.client() as api, ThreadPoolExecutor(40) as monitors, standing_still(own_server, "analytics"):
        time.sleep(1.5)  # until what was found before is too old to be told
        asked = [monitors.submit(_status, f"{own_server.url}{path}") for path in _MONITORED for _ in range(20)]
        time.sleep(0.5)
        began = time.monotonic()
        assert api.post("/api/public/otel/v1/traces", json=body).status_code == 200
        assert time.monotonic() - began < 2
        assert {each.result() for each in asked} <= {200, 503}
        eventually(lambda: assert_ready(own_server, 503, AWAY["analytics"]))
    eventually(lambda: assert_ready(own_server), _RECOVERY_SECONDS)


_MONITORED = ("/api/public/ready", "/api/public/health?failIfDatabaseUnavailable=true")


def _status(url):
    return httpx.get(url, timeout=30).status_code
