"""Web and worker as two containers would run them: nothing in common but PostgreSQL, Redis, ClickHouse and buckets."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from config.ports import free_port
from tests.analytics_fixture import LocalServer, local_server
from tests.clients.conftest import eventually
from tests.clients.load import Exporters, payload, stored_count, stored_ids
from tests.instance import ROOT, Instance
from tests.stores.certificates import make_certificates
from tests.stores.postgres import Postgres
from tests.stores.redis_server import RedisServer, redis_server
from tests.stores.swift import Swift

_RECOVERY_SECONDS = 90
_SECRETS = {"SALT": "pepper", "ENCRYPTION_KEY": "0" * 64, "NEXTAUTH_SECRET": "of all web processes"}


@dataclass
class Machines:
    """One process alone on each, and the stores that they share."""

    web: Instance
    worker: Instance
    postgres: Postgres
    redis: RedisServer
    swift: Swift
    analytics: LocalServer
    inbox_bucket: str

    def inbox(self) -> list[str]:
        listed = self.swift.client().list_objects_v2(Bucket=self.inbox_bucket, Prefix="events/inbox/")
        return [item["Key"] for item in listed.get("Contents", ()) if item["Key"].endswith(".inbox")]


@pytest.fixture(scope="module")
def machines(tmp_path_factory, postgres_server: Postgres, swift_server: Swift) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("machines")
    redis = redis_server(folder / "redis", make_certificates(folder / "certificates"))
    redis.start()
    analytics = local_server(folder)
    analytics.folder.parent.mkdir(exist_ok=True)
    analytics.start()
    buckets = {kind: f"{kind.lower()}-{uuid.uuid4().hex}" for kind in ("EVENT", "MEDIA")}
    for bucket in buckets.values():
        swift_server.client().create_bucket(Bucket=bucket)
    environment = {
        **_SECRETS,
        **redis.environment,
        **swift_server.environment("EVENT", buckets["EVENT"], prefix="events/"),
        **swift_server.environment("MEDIA", buckets["MEDIA"], prefix="media/"),
        "DATABASE_URL": postgres_server.make_database(f"machines-{uuid.uuid4().hex}"),
        "CLICKHOUSE_URL": analytics.url,
        "CLICKHOUSE_PASSWORD": analytics.token,
        "CLICKHOUSE_CLUSTER_ENABLED": "false",
    }
    web = Instance(folder / "web", free_port(), environment=environment, role="web")
    worker = Instance(folder / "worker", free_port(), environment=environment, role="worker")
    try:
        worker.launch()  # at the same time: one of them makes the tables
        web.start()
        worker.wait_until_ready(60)
        yield Machines(web, worker, postgres_server, redis, swift_server, analytics, buckets["EVENT"])
    finally:
        web.stop()
        worker.stop()
        analytics.stop()
        redis.stop()


def assert_exactly_once(machines: Machines, load: Exporters) -> None:
    assert len(load.acknowledged) > 40, "the load was too small to prove anything"

    def all_there() -> None:
        assert stored_count(machines.web, load.environment) >= len(load.acknowledged)
        assert machines.inbox() == []

    eventually(all_there, _RECOVERY_SECONDS)
    counts = Counter(stored_ids(machines.web, load.environment))
    assert set(counts) == load.acknowledged
    assert max(counts.values()) == 1


def test_each_machine_runs_its_process_alone(machines: Machines) -> None:
    assert [bool(machines.web.part(name)) for name in ("web", "worker", "broker", "analytics")] == [True] + [False] * 3
    assert [bool(machines.worker.part(name)) for name in ("web", "worker", "broker", "analytics")] == [
        False,
        True,
        False,
        False,
    ]
    assert not list(machines.web.data_dir.glob("inbox/*"))

    def ready() -> None:
        answer = httpx.get(f"{machines.web.url}/api/public/ready")
        assert answer.status_code == 200, answer.text

    eventually(ready, _RECOVERY_SECONDS)


def test_the_image_tells_whether_its_worker_answers(machines: Machines) -> None:
    stage = (ROOT / "deploy" / "Dockerfile").read_text().partition(" AS worker\n")[2].partition("\nFROM ")[0]
    [command] = re.findall(r"^HEALTHCHECK .*\\\n *CMD (.*)$", stage, re.MULTILINE)

    def is_healthy() -> bool:
        done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=machines.worker.full_environment())
        return done.returncode == 0

    def assert_healthy() -> None:
        assert is_healthy()

    eventually(assert_healthy, _RECOVERY_SECONDS)  # its process is there before it works
    [process] = machines.worker.part("worker")
    process.suspend()
    try:
        assert not is_healthy()
    finally:
        process.resume()
    eventually(assert_healthy, _RECOVERY_SECONDS)


def test_all_processes_killed_at_once_lose_and_double_nothing(machines: Machines) -> None:
    with Exporters(machines.web, "killed") as load:
        time.sleep(1.5)
        for part in (machines.worker, machines.web):
            part.kill_everything()
        machines.analytics.kill()
        machines.analytics.start()
        machines.worker.launch()
        machines.web.start()
    assert 500 not in load.refused
    assert_exactly_once(machines, load)


def test_a_database_that_restarts_loses_nothing(machines: Machines) -> None:
    with Exporters(machines.web, "database") as load:
        time.sleep(1)
        machines.postgres.server.restart()
        time.sleep(1)
        machines.postgres.server.kill()
        with machines.web.client() as client:
            answer = client.get("/api/public/models")
        assert (answer.status_code, bool(answer.headers.get("Retry-After"))) == (503, True)
        machines.postgres.server.start()
        time.sleep(1)
    assert 500 not in load.refused
    assert_exactly_once(machines, load)


def test_a_broker_that_restarts_loses_nothing(machines: Machines) -> None:
    with Exporters(machines.web, "broker") as load:
        time.sleep(1)
        machines.redis.server.kill()
        time.sleep(2)
        machines.redis.server.start()
        time.sleep(1)
    assert 500 not in load.refused
    assert_exactly_once(machines, load)


def test_a_bucket_that_is_away_refuses_and_loses_nothing(machines: Machines) -> None:
    proxy = machines.swift.servers[-1]
    body, _ids = payload("refused", 1)
    with Exporters(machines.web, "bucket") as load:
        time.sleep(1)
        proxy.kill()
        answer = httpx.post(
            f"{machines.web.url}/api/public/otel/v1/traces", json=body, auth=machines.web.auth, timeout=60
        )
        assert (answer.status_code, bool(answer.headers.get("Retry-After"))) == (503, True)
        proxy.start()
        time.sleep(1)
    assert set(load.refused) == {503}
    assert_exactly_once(machines, load)


def test_one_alone_says_which_stores_are_missing(tmp_path: Path) -> None:
    environment = {
        "PATH": "/usr/bin",
        "SPANWISE_DATA_DIR": str(tmp_path),
        "REDIS_HOST": "redis",
        "PORT": str(free_port()),
    }
    command = [sys.executable, "-m", "config.supervisor", "worker"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert done.returncode == 1
    for name in ("DATABASE_URL", "CLICKHOUSE_URL", "SALT", "ENCRYPTION_KEY"):
        assert name in done.stdout
    assert "REDIS_HOST" not in done.stdout
