"""The first promise: whatever is killed, every acknowledged span is there exactly once."""

from __future__ import annotations

import random
import time
from collections import Counter

import httpx
import psutil
import pytest
import redis

from tests.clients.conftest import eventually
from tests.clients.load import Exporters, payload, stored_count, stored_ids
from tests.instance import Instance, free_port

PARTS = ("web", "worker", "analytics", "broker")
_RECOVERY_SECONDS = 40


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    instance = Instance(tmp_path_factory.mktemp("durability"), free_port())
    instance.start()
    try:
        yield instance
    finally:
        instance.stop()


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
