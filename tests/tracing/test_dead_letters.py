"""What could not be stored waits for people, once, and is stored as it came when they send it again."""

import importlib
import os
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.core.files.storage import default_storage
from django.db import connection

from tests.tracing.otlp_requests import JSON, PROTOBUF, as_json, as_protobuf, request
from tests.tracing.otlp_requests import span as odd_span
from tests.tracing.otlp_samples import export, span
from tests.tracing.score_rules import Rules
from tests.tracing.sender import OTLP, Sender
from tracing.analytics.records import EPOCH, Observation
from tracing.ingest import dead_letters, doorbell, drain, score_rules
from tracing.ingest.dead_letters import Replayed
from tracing.ingest.inbox import Payload
from tracing.ingest.model import Envelope
from tracing.models import DeadLetter

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker", "analytics_server", "replayable"),
]

TRACE, SPAN = "a" * 32, "b" * 16
INGESTION, SCORES = "/api/public/ingestion", "/api/public/scores"
TIME = "2026-04-01T00:00:00+00:00"


@pytest.fixture
def replayable(own_inbox, settings):
    settings.INBOX_DIR = own_inbox.folder


MAPPING = ("tracing.ingest.otlp.records", "type_of")
DECODING = ("tracing.ingest.otlp", "decode")


@contextmanager
def broken(module, name):
    """A function fails for everybody; leaving the block repairs it."""

    def fail(*_, **__):
        raise RuntimeError("odd")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module(module), name, fail)
        yield


def waiting(sender):
    return list(DeadLetter.objects.filter(project=sender.project, replayed_at=None).order_by("created_at"))


def replay_all(sender):
    replayed = dead_letters.replay(sender.scope, [str(letter.pk) for letter in waiting(sender)])
    drain.drain()
    return replayed


def comparable(row):
    """What a row says, but for who sent it and when."""
    changes = {"public_key": ""} if isinstance(row, Observation) else {}
    return replace(row, project_id="", created_at=EPOCH, updated_at=EPOCH, row_version=0, **changes)


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
def test_a_span_is_stored_as_it_would_have_been(sender, content_type):
    failed = odd_span(
        {"langfuse.trace.metadata.team": "blue", "deep": {"a": [1]}, "user.id": "u"},
        status={"code": 2, "message": "no"},
    )
    document = request(failed, scope="langfuse-sdk", service__name="shop", deployment__environment="prod")
    body = (as_json if content_type == JSON else as_protobuf)(document)
    sdk = {"x-langfuse-sdk-name": "python", "x-langfuse-sdk-version": "4.1.0", "x-langfuse-ingestion-version": "4"}
    other = Sender()
    other.post(OTLP, body, content_type, **sdk)
    drain.drain()
    with broken(*MAPPING):
        sender.post(OTLP, body, content_type, **sdk)
        drain.drain()
    [letter] = waiting(sender)
    assert (letter.kind, letter.source, letter.item_id) == ("span", "otlp", odd_span()["spanId"])
    assert "odd" in letter.reason
    assert sender.observations() == []

    assert replay_all(sender) == Replayed(1, 0)
    [stored], [wanted] = sender.observations(), other.observations()
    assert comparable(stored) == comparable(wanted)
    assert (stored.level, stored.service_name, stored.environment) == ("ERROR", "shop", "prod")
    assert stored.metadata["team"] == "blue"
    assert [trace.user_id for trace in sender.traces()] == ["u"]
    assert waiting(sender) == []
    assert dead_letters.replay(sender.scope, [str(letter.pk)]) == Replayed(0, 0)


@pytest.mark.parametrize(
    ("name", "kind", "body"),
    [
        ("_trace_update", "trace-create", {"id": "t", "name": "chat", "userId": "u"}),
        ("_patch", "generation-create", {"id": "g", "traceId": "t", "name": "llm", "output": {"a": [1]}}),
    ],
)
def test_an_event_is_stored_as_it_would_have_been(sender, name, kind, body):
    batch = {"batch": [{"id": "e", "type": kind, "timestamp": TIME, "body": body}]}
    other = Sender()
    other.post(INGESTION, batch)
    drain.drain()
    with broken("tracing.ingest.legacy.decode", name):
        sender.post(INGESTION, batch)
        drain.drain()
    assert sender.traces() == sender.observations() == []
    [letter] = waiting(sender)
    assert (letter.kind, letter.source, letter.item_id) == ("event", "ingestion", "e")

    assert replay_all(sender) == Replayed(1, 0)
    assert [comparable(row) for row in sender.traces()] == [comparable(row) for row in other.traces()]
    assert [comparable(row) for row in sender.observations()] == [comparable(row) for row in other.observations()]
    assert len(sender.traces()) == 1


SCORE = {"id": "s", "traceId": "t", "name": "quality", "value": 0.5, "configId": "c"}


@pytest.mark.parametrize(
    ("path", "body", "item_id"),
    [
        (SCORES, [SCORE | {"timestamp": TIME}], "s"),
        (INGESTION, {"batch": [{"id": "e", "type": "score-create", "timestamp": TIME, "body": SCORE}]}, "e"),
    ],
)
def test_a_score_waits_until_its_config_is_right(sender, monkeypatch, path, body, item_id):
    known = {"c": Rules()}
    monkeypatch.setattr(score_rules, "_rules_lookups", [lambda *_, is_fresh: known])
    sender.post(path, body)
    known.clear()  # after the door, before the worker
    drain.drain()
    [letter] = waiting(sender)
    assert (letter.item_id, letter.reason) == (item_id, "There is no score config of that id.")
    assert sender.scores() == []

    known["c"] = Rules()
    assert replay_all(sender) == Replayed(1, 0)
    [score] = sender.scores()
    assert (score.id, score.name, score.value) == ("s", "configured", 0.5)
    assert score.timestamp == datetime.fromisoformat(TIME)


@pytest.mark.parametrize("start_us", [1_000_000, 900_000, 1_100_000])
def test_an_old_copy_changes_nothing_that_came_later(sender, start_us):
    sender.post(OTLP, export([span(TRACE, "c" * 16, "root", start_us=0)]))
    with broken(*MAPPING):
        sender.post(OTLP, export([span(TRACE, SPAN, "old", parent="c" * 16)]))
        drain.drain()
    sender.post(OTLP, export([span(TRACE, "c" * 16, "root", start_us=0)]))
    sender.post(OTLP, export([span(TRACE, SPAN, "new", parent="c" * 16, start_us=start_us)]))
    drain.drain()
    replay_all(sender)
    assert [o.name for o in sender.observations()] == ["root", "new"]

    sender.post(OTLP, export([span(TRACE, SPAN, "newest", parent="c" * 16)]))
    drain.drain()
    assert [o.name for o in sender.observations()] == ["root", "newest"]


def test_what_fails_again_waits_again(sender):
    bad = export([span(TRACE, SPAN, "bad")])
    with broken(*MAPPING):
        for _ in range(2):
            sender.post(OTLP, bad)
            drain.drain()
        [first] = waiting(sender)
        assert replay_all(sender) == Replayed(1, 0)
        [second] = waiting(sender)
        assert second.pk != first.pk
        assert second.payload == first.payload
    assert replay_all(sender) == Replayed(1, 0)
    assert [o.name for o in sender.observations()] == ["bad"]


def test_a_worker_that_is_faster_than_the_page_loses_nothing(sender, monkeypatch):
    """It sets the span aside again before the page has noted that it was sent."""
    with broken(*MAPPING):
        sender.post(OTLP, export([span(TRACE, SPAN, "bad")]))
        drain.drain()
        sets_aside, set_aside = threading.Event(), dead_letters.set_aside
        workers = []

        def noted(*args):
            sets_aside.set()
            set_aside(*args)

        def ring_and_wait(key):
            ring(key)
            workers.append(threading.Thread(target=_drain_quietly))
            workers[0].start()
            assert sets_aside.wait(30)
            workers[0].join(0.5)

        ring = doorbell.ring
        monkeypatch.setattr(dead_letters, "set_aside", noted)
        monkeypatch.setattr(doorbell, "ring", ring_and_wait)
        assert dead_letters.replay(sender.scope, [str(waiting(sender)[0].pk)]) == Replayed(1, 0)
        workers[0].join()
        drain.sweep(older_than_seconds=0)
        drain.drain()
        assert len(waiting(sender)) == 1


def _drain_quietly():
    try:
        drain.drain()
    except Exception:  # the database of tests is in memory, and says that it is locked instead of waiting
        return
    finally:
        connection.close()


def test_a_buried_payload_is_sent_again_whole(sender):
    with broken(*DECODING):
        sender.post(OTLP, export([span(TRACE, SPAN, "root"), span(TRACE, "c" * 16, "child", parent=SPAN)]))
        drain.drain()
        [letter] = waiting(sender)
        assert replay_all(sender) == Replayed(1, 0)
        [again] = waiting(sender)
        assert again.pk != letter.pk
    assert replay_all(sender) == Replayed(1, 0)
    assert len(sender.observations()) == 2
    assert dead_letters.replay(sender.scope, [str(letter.pk), str(again.pk)]) == Replayed(0, 0)


def test_a_letter_whose_file_is_missing_does_not_hold_up_the_others(sender):
    with broken(*DECODING):
        for number in range(3):
            sender.post(OTLP, export([span(f"{number:032x}", SPAN, "root")]))
            drain.drain()
    lost = waiting(sender)[0]
    default_storage.delete(lost.inbox_key)
    assert replay_all(sender) == Replayed(2, 1)
    assert waiting(sender) == [lost]
    assert len(sender.observations()) == 2


def a_payload(sender):
    envelope = Envelope(project_id=sender.project.pk, kind="otlp", received_at=datetime(2026, 5, 1, tzinfo=UTC))
    return Payload(envelope, b'{"resourceSpans": []}')


def test_a_payload_that_is_delivered_twice_is_buried_once(sender):
    for _ in range(2):
        dead_letters.bury(a_payload(sender), "odd\x00")
    [letter] = waiting(sender)
    with default_storage.open(letter.inbox_key) as file:
        assert file.read() == a_payload(sender).pack()


def test_a_buried_payload_is_on_disk_before_the_inbox_forgets_it(sender, monkeypatch):
    synced = []
    monkeypatch.setattr("tracing.ingest.files.os.fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    dead_letters.bury(a_payload(sender), "odd")
    path = default_storage.path(waiting(sender)[0].inbox_key)
    assert {os.stat(path).st_ino, os.stat(os.path.dirname(path)).st_ino} <= set(synced)


def test_the_relational_store_waits_for_the_disk():
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous" if connection.vendor == "sqlite" else "SHOW synchronous_commit")
        assert cursor.fetchone() == ((2,) if connection.vendor == "sqlite" else ("on",))  # 2 is FULL


def test_a_deleted_project_holds_up_nobody(sender, own_inbox):
    other = Sender()
    sender.post(OTLP, export([span(TRACE, SPAN, "bad")]))
    sender.post(SCORES, SCORE)
    sender.project.delete()
    with broken(*MAPPING):
        drain.drain()
    other.post(OTLP, export([span(TRACE, SPAN, "good")]))
    drain.drain()
    assert [o.name for o in other.observations()] == ["good"]
    assert list(own_inbox.keys()) == []
    assert not DeadLetter.objects.filter(source="otlp", project_id=sender.scope.project_id).exists()
