"""Broker, cache and locks on a Redis with a password, behind TLS, and named by a Sentinel."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.certificates import Certificates, make_certificates
from tests.stores.commands import told_by
from tests.stores.redis_server import PASSWORD, RedisServer, redis_server, sentinel

#: uses all three clients: ours, the cache's and Celery's
_USE = """
from celery import current_app
from django.core.cache import cache
from tracing.ingest import doorbell
import config.celery
cache.set("greeting", "hello", 60)
doorbell.broker().set("asked", 1)
current_app.send_task("tracing.tasks.sweep_inbox", retry=False)
with doorbell.broker().lock("lock", timeout=5):
    print(json.dumps([cache.get("greeting"), doorbell.broker().get("asked")]))
"""
_REFUSED = """
from tracing.ingest import doorbell
import redis
try:
    doorbell.broker().ping()
    print(json.dumps("taken"))
except redis.RedisError as error:
    print(json.dumps(str(error)))
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=[False, True], ids=["password", "password and certificate"])
def server(request, tmp_path: Path, certificates: Certificates) -> Iterator[RedisServer]:
    started = redis_server(tmp_path / "redis", certificates, wants_certificates=request.param)
    started.start()
    yield started
    started.stop()


def test_all_that_needs_the_broker_finds_it(server: RedisServer) -> None:
    assert told_by(_USE, server.environment) == ["hello", "1"]
    assert server.client().llen("ingest") == 1  # the task, in the queue of its name


def test_the_names_of_the_documentation_mean_the_same(server: RedisServer) -> None:
    paths = {name: server.environment.get(name, "") for name in ("REDIS_TLS_CA", "REDIS_TLS_CERT", "REDIS_TLS_KEY")}
    environment = (
        server.environment | dict.fromkeys(paths, "-") | {f"{name}_PATH": path for name, path in paths.items()}
    )
    assert told_by(_USE, environment) == ["hello", "1"]


def test_one_address_means_the_same(server: RedisServer) -> None:
    quoted = PASSWORD.replace("@", "%40").replace("/", "%2F").replace("#", "%23")
    kept = {name: value for name, value in server.environment.items() if name.startswith("REDIS_TLS_")}
    address = {"REDIS_CONNECTION_STRING": f"redis://:{quoted}@localhost:{server.port}/0"}

    assert told_by(_USE, kept | address) == ["hello", "1"]


def test_a_server_of_another_authority_is_refused(tmp_path: Path, server: RedisServer) -> None:
    other = make_certificates(tmp_path / "other")
    assert "CERTIFICATE_VERIFY_FAILED" in told_by(_REFUSED, server.environment | {"REDIS_TLS_CA": str(other.authority)})


def test_a_server_of_another_name_is_refused_unless_told_otherwise(server: RedisServer) -> None:
    elsewhere = server.environment | {"REDIS_HOST": "127.0.0.2"}
    server.server.stop()
    config = server.server.folder / "redis.conf"
    config.write_text(config.read_text().replace("bind 127.0.0.1", "bind 127.0.0.1 127.0.0.2"))
    server.start()

    assert "CERTIFICATE_VERIFY_FAILED" in told_by(_REFUSED, elsewhere)
    assert told_by(_REFUSED, elsewhere | {"REDIS_TLS_CHECK_SERVER_IDENTITY": "false"}) == "taken"


def test_what_a_sentinel_names_is_followed_to_another_server(tmp_path: Path, certificates: Certificates) -> None:
    first = redis_server(tmp_path / "first", certificates)
    first.start()
    second = redis_server(tmp_path / "second", certificates, replica_of=first.port)
    second.start()
    port, watcher = sentinel(tmp_path / "sentinel", certificates, name="mainRedis", watches=first.port)
    watcher.start()
    environment = {
        "REDIS_AUTH": PASSWORD,
        "REDIS_TLS_ENABLED": "true",
        "REDIS_TLS_CA": str(certificates.authority),
        "REDIS_SENTINEL_ENABLED": "true",
        "REDIS_SENTINEL_NODES": f"127.0.0.1:9,127.0.0.1:{port}",
        "REDIS_SENTINEL_MASTER_NAME": "mainRedis",
    }
    try:
        assert told_by(_USE, environment) == ["hello", "1"]
        _wait_for(lambda: second.client().info("replication")["master_link_status"] == "up")
        first.server.kill()
        _wait_for(lambda: second.client().info("replication")["role"] == "master")

        assert told_by(_USE, environment) == ["hello", "1"]
        assert second.client().llen("ingest") == 2
    finally:
        watcher.stop()
        second.stop()


def test_a_cluster_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(RuntimeError, match=r"REDIS_CLUSTER_ENABLED.*REDIS_SENTINEL_NODES"):
        told_by("", {"REDIS_CLUSTER_ENABLED": "true"})


def _wait_for(is_so) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.1)
