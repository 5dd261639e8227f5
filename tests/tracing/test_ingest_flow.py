"""From HTTP to the analytics store: what was acknowledged is stored once, whatever happens between."""

import gzip
import io
import json
import uuid
from datetime import UTC, datetime

import pytest
import redis
from django.core.management import call_command
from django.test import RequestFactory

from config.errors import Unavailable
from tests.tracing.otlp_samples import export, span
from tests.tracing.sender import OTLP, Sender
from tracing.analytics import store
from tracing.ingest import doorbell, drain, receive, write
from tracing.ingest.inbox import unpack
from tracing.models import DeadLetter

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker", "analytics_server", "own_inbox"),
]


def test_span_arrives_once_however_often_it_is_sent(sender, own_inbox):
    for _ in range(3):
        assert sender.post(OTLP, export([span("a" * 32, "b" * 16, "root")])).status_code == 200
    drain.drain()
    assert sender.post(OTLP, export([span("a" * 32, "b" * 16, "root")])).status_code == 200
    drain.drain()
    assert [o.id for o in sender.observations()] == ["b" * 16]
    assert [t.id for t in sender.traces()] == ["a" * 32]
    assert list(own_inbox.keys()) == []


def test_span_sent_again_with_another_start_replaces_the_first(sender):
    sender.post(OTLP, export([span("a" * 32, "b" * 16, "first", start_us=1_000_000)]))
    drain.drain()
    sender.post(OTLP, export([span("a" * 32, "b" * 16, "second", start_us=900_000)]))
    drain.drain()
    assert [o.name for o in sender.observations()] == ["second"]
    assert len(sender.traces()) == 1


def test_children_may_come_before_their_parent_and_in_another_batch(sender):
    sender.post(OTLP, export([span("a" * 32, "c" * 16, "child", parent="b" * 16, start_us=2_000_000)]))
    drain.drain()
    sender.post(OTLP, export([span("a" * 32, "b" * 16, "root", start_us=1_000_000)]))
    drain.drain()
    [trace] = sender.traces()
    assert trace.name == "root"
    assert trace.timestamp == trace.first_start < trace.last_start
    assert len(sender.observations()) == 2


def test_lost_broker_loses_nothing(sender, own_inbox):
    sender.post(OTLP, export([span("a" * 32, "b" * 16, "root")]))
    doorbell.broker().flushall()
    drain.drain()
    assert sender.observations() == []
    assert drain.sweep(older_than_seconds=0) == 1
    drain.drain()
    assert len(sender.observations()) == 1


def test_killed_worker_leaves_its_entries_to_the_next(sender, own_inbox):
    sender.post(OTLP, export([span("a" * 32, "b" * 16, "root")]))
    [key] = doorbell.claim(10)
    doorbell.broker().hset("ingest:claimed", key, f"{doorbell._HOST}:{2**22 - 1}:dead:{9e9:.0f}")
    assert drain.sweep(older_than_seconds=0) == 1
    drain.drain()
    assert len(sender.observations()) == 1


def test_payload_that_breaks_decoding_is_buried_and_its_neighbours_land(sender, monkeypatch):
    decode = drain.otlp.decode

    def break_on_poison(body, envelope):
        if b"poison" in body:
            raise RuntimeError("poison")
        return decode(body, envelope)

    monkeypatch.setattr(drain.otlp, "decode", break_on_poison)
    sender.post(OTLP, export([span("a" * 32, "b" * 16, "good")]))
    sender.post(OTLP, export([span("d" * 32, "e" * 16, "poison")]))
    drain.drain()
    assert [o.name for o in sender.observations()] == ["good"]
    [letter] = DeadLetter.objects.filter(project=sender.project)
    assert "poison" in letter.reason

    monkeypatch.undo()


def test_legacy_events_of_one_trace_become_one_tree(sender):
    call_command("sync_models", verbosity=0)
    now = datetime.now(UTC).isoformat()
    usage = {"input": 100, "output": 10}
    events = [
        ("trace-create", {"id": "t1", "name": "chat", "userId": "u1", "sessionId": "s1", "tags": ["b", "a"]}),
        ("generation-create", {"id": "g1", "traceId": "t1", "name": "llm", "model": "gpt-4o", "startTime": now}),
        (
            "generation-update",
            {"id": "g1", "usageDetails": usage, "output": "hi", "endTime": now},
        ),
    ]
    batch = [{"id": str(uuid.uuid4()), "type": kind, "timestamp": now, "body": body} for kind, body in events]
    response = sender.post("/api/public/ingestion", {"batch": batch})
    assert response.status_code == 207
    assert [item["status"] for item in response.json()["successes"]] == [201, 201, 201]
    drain.drain()
    [trace] = sender.traces()
    assert (trace.name, trace.user_id, trace.session_id, trace.tags) == ("chat", "u1", "s1", ["a", "b"])
    [generation] = [o for o in sender.observations() if o.trace_id == "t1"]
    assert generation.usage == {"input": 100, "output": 10, "total": 110}
    assert generation.total_cost > 0


def test_scores_of_both_shapes_arrive(sender):
    one = sender.post("/api/public/scores", {"traceId": "t1", "name": "helpful", "value": 0.9})
    assert one.status_code == 200
    many = sender.post(
        "/api/public/scores",
        [{"traceId": "t1", "name": "tone", "value": "kind"}, {"name": "no target", "value": 1}],
    )
    assert many.status_code == 207
    assert many.json()["accepted"] == 1
    drain.drain()
    assert sorted((s.name, s.data_type) for s in sender.scores()) == [("helpful", "NUMERIC"), ("tone", "CATEGORICAL")]


@pytest.mark.parametrize(
    ("body", "content_type", "headers", "status"),
    [
        (b"not gzip", "application/json", {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"{}" * 100, mtime=0)[:-9], "application/json", {"Content-Encoding": "gzip"}, 400),
        (b"\xff\xff\xff", "application/x-protobuf", {}, 400),
        (b"{", "application/json", {}, 400),
        (b"{}", "text/plain", {}, 400),
        (b"{}", "application/json", {}, 200),
        (b'{"resourceSpans": []}', "application/json", {"x-langfuse-ingestion-version": "5"}, 400),
    ],
)
def test_bad_export_is_told_what_is_wrong(sender, own_inbox, body, content_type, headers, status):
    response = sender.post(OTLP, body, content_type, **headers)
    assert response.status_code == status
    if status != 200:
        assert response.json()["error"]
        assert list(own_inbox.keys()) == []


def test_too_large_is_refused_while_reading(sender, settings, own_inbox):
    settings.OTLP_MAX_BYTES = 10_000
    assert sender.post(OTLP, b"x" * 10_001).status_code == 413
    bomb = gzip.compress(b"x" * 5_000_000)
    assert sender.post(OTLP, bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    assert list(own_inbox.keys()) == []


def test_chunked_body_without_length_is_read(sender):
    body = json.dumps(export([span("a" * 32, "b" * 16, "root")])).encode()
    request = RequestFactory().post(OTLP, content_type="application/json", headers=sender.headers)
    request.META |= {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    request.META["wsgi.input"] = io.BytesIO(body)
    assert receive.answer(request, receive.otlp_traces).status_code == 200
    drain.drain()
    assert len(sender.observations()) == 1


@pytest.mark.parametrize("path", sorted(receive.ROUTES))
@pytest.mark.parametrize("authorization", [None, "Basic nonsense", "Basic cGstbGYteDpzay1sZi15", "Bearer pk-lf-x"])
def test_nothing_is_taken_without_a_key(sender, own_inbox, path, authorization):
    sender.headers = {"Authorization": authorization} if authorization else {}
    response = sender.post(path, {})
    assert response.status_code == 401
    assert set(response.json()) <= {"message", "error"}
    assert list(own_inbox.keys()) == []


def test_full_disk_is_503_and_asks_to_retry(sender, monkeypatch, own_inbox):
    def full(chunks):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(own_inbox, "put", full)
    response = sender.post(OTLP, export([span("a" * 32, "b" * 16, "root")]))
    assert response.status_code == 503
    assert response["Retry-After"]


def test_away_broker_is_no_reason_to_refuse(sender, monkeypatch, own_inbox):
    def away(*args, **kwargs):
        raise ConnectionError("away")

    with monkeypatch.context() as patched:
        patched.setattr(doorbell.broker(), "pipeline", away)
        assert sender.post(OTLP, export([span("a" * 32, "b" * 16, "root")])).status_code == 200
    assert len(list(own_inbox.keys())) == 1


def test_without_a_broker_nobody_merges_where_others_may(settings, monkeypatch):
    away = redis.Redis.from_url("redis://127.0.0.1:1")
    monkeypatch.setattr(doorbell, "broker", lambda: away)
    settings.BROKER_IS_SHARED = False
    with write.project_lock("one"):
        pass
    settings.BROKER_IS_SHARED = True
    with pytest.raises(Unavailable), write.project_lock("one"):
        pytest.fail("merged without a lock")


def test_what_another_worker_merged_under_a_lock_that_was_lost_is_kept(sender, own_inbox, monkeypatch):
    first, second = batch_of(sender, own_inbox, name="lookup"), batch_of(sender, own_inbox, userId="maria")
    insert = store.insert

    def insert_late(**rows):
        monkeypatch.setattr(store, "insert", insert)
        doorbell.broker().flushall()
        write.write(second)
        insert(**rows)

    monkeypatch.setattr(store, "insert", insert_late)
    with pytest.raises(Unavailable):
        write.write(first)
    write.write(first)
    [trace] = sender.traces()
    assert (trace.name, trace.user_id) == ("lookup", "maria")


def batch_of(sender, inbox, **facts):
    """One event that tells something of the same trace, decoded by a worker."""
    event = {"id": uuid.uuid4().hex, "type": "trace-create", "timestamp": "2026-01-01T00:00:00Z"}
    sender.post("/api/public/ingestion", {"batch": [{**event, "body": {"id": "a" * 32, **facts}}]})
    batch = write.Batch()
    for key in list(inbox.keys()):
        for payload in unpack(inbox.get(key)):
            batch.add(payload, drain.decode(payload))
        inbox.delete([key])
    return batch


def test_two_projects_share_a_batch_and_nothing_else(sender):
    other = Sender()
    sender.post(OTLP, export([span("a" * 32, "b" * 16, "mine")]))
    other.post(OTLP, export([span("a" * 32, "b" * 16, "theirs")]))
    drain.drain()
    assert [o.name for o in sender.observations()] == ["mine"]
    assert [o.name for o in other.observations()] == ["theirs"]
