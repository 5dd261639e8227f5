"""Health and readiness as monitors ask for them, with each of the things away that they depend on."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tracing.ingest import doorbell, drain, readiness

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker", "analytics_server", "own_inbox"),
]

OK = {"status": "OK", "version": "4.35.0"}


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch):
    monkeypatch.setattr(readiness, "_VALID_SECONDS", -1.0)


@pytest.fixture
def worker(own_inbox):  # noqa: F811
    drain.sweep(older_than_seconds=0)


def ready(query=""):
    answer = Client().get(f"/api/public/ready{query}")
    assert answer["Content-Type"] == "application/json"
    assert answer["Access-Control-Allow-Origin"] == "*"
    return answer.status_code, answer.json()


def says(words):
    return {"status": words, "version": "4.35.0"}


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["health", "ready", "health?failIfDatabaseUnavailable=true", "health?unknown=1"])
def test_every_verb_is_welcome(worker, verb, path):
    answer = Client().generic(verb, f"/api/public/{path}", b"{", content_type="application/json")
    assert (answer.status_code, answer.json()) == (200, OK)


@pytest.mark.parametrize("path", ["health", "ready"])
def test_head_has_the_status_and_no_body(worker, path):
    answer = Client().head(f"/api/public/{path}")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("path", ["health", "ready"])
def test_wrong_keys_do_not_matter(worker, path):
    answer = Client().get(f"/api/public/{path}", headers={"Authorization": "Basic nonsense"})
    assert (answer.status_code, answer.json()) == (200, OK)


def test_health_is_fine_whatever_is_away(settings, monkeypatch, own_inbox):  # noqa: F811
    settings.CLICKHOUSE_URL = "http://127.0.0.1:9"
    own_inbox.folder.write_text("no folder")
    answer = Client().get("/api/public/health?failIfDatabaseUnavailable=false")
    assert (answer.status_code, answer.json()) == (200, OK)


@pytest.mark.parametrize("value", ["true", "TRUE", "True"])
def test_health_fails_without_a_database_if_asked(settings, monkeypatch, value):
    monkeypatch.setattr("tracing.analytics.client.RETRY_PAUSES_SECONDS", ())
    settings.CLICKHOUSE_URL = "http://127.0.0.1:9"
    answer = Client().get(f"/api/public/health?failIfDatabaseUnavailable={value}")
    assert (answer.status_code, answer.json()) == (503, says("Database not available"))


def test_health_fails_without_recent_events_if_asked():
    answer = Client().get("/api/public/health?failIfNoRecentEvents=true")
    assert (answer.status_code, answer.json()) == (503, says("No events within the last 3 minutes"))


def test_ready_without_a_worker():
    assert ready() == (503, says("No worker is looking at the inbox."))


def test_ready_with_an_inbox_that_cannot_be_written(worker, own_inbox):  # noqa: F811
    own_inbox.folder.write_text("no folder")
    assert ready() == (503, says("The inbox cannot be written."))
    own_inbox.folder.unlink()
    assert ready() == (200, OK)
    assert list(own_inbox.folder.iterdir()) == []


def test_ready_on_a_disk_that_holds_no_export(worker, settings):
    settings.OTLP_MAX_BYTES = 1 << 62
    assert ready() == (503, says("The inbox cannot be written."))


def test_ready_without_the_analytics_store(worker, settings, monkeypatch):
    monkeypatch.setattr("tracing.analytics.client.RETRY_PAUSES_SECONDS", ())
    settings.CLICKHOUSE_URL = "http://127.0.0.1:9"
    assert ready() == (503, says("The analytics store does not answer."))


def test_ready_without_broker_and_inbox(own_inbox, monkeypatch):  # noqa: F811
    own_inbox.folder.write_text("no folder")
    monkeypatch.setattr(doorbell, "broker", lambda: doorbell.redis.Redis.from_url("redis://127.0.0.1:9"))
    assert ready() == (503, says("The inbox cannot be written; The broker does not answer."))


def test_ready_without_the_relational_store(worker, monkeypatch):
    def away():
        raise readiness.Error("away")

    monkeypatch.setattr(readiness.Project.objects, "exists", away)
    assert ready() == (503, says("The relational store does not answer."))


def test_ready_while_shutting_down(worker, settings):
    settings.STOPPING_FILE.parent.mkdir(parents=True, exist_ok=True)
    settings.STOPPING_FILE.touch()
    try:
        assert ready() == (500, says("Shutting down"))
    finally:
        settings.STOPPING_FILE.unlink()
    assert ready() == (200, OK)


def test_ready_also_answers_the_questions_of_health(worker):
    assert ready("?failIfNoRecentEvents=true") == (503, says("No events within the last 3 minutes"))


def test_many_monitors_cost_one_look(worker, monkeypatch):
    monkeypatch.setattr(readiness, "_VALID_SECONDS", 3600.0)
    monkeypatch.setattr(readiness, "_shared", readiness.SharedLook())
    looks = []
    monkeypatch.setattr("tracing.analytics.store.ping", lambda: looks.append(1) or True)
    assert [ready() for _ in range(5)] == [(200, OK)] * 5
    assert len(looks) == 1
    monkeypatch.setattr(readiness, "_shared", readiness.SharedLook())
