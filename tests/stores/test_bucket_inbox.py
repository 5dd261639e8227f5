"""The inbox in a bucket of a server that checks signatures: the same promises as those of a folder."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from config.buckets import BucketAway
from config.env import BucketSettings
from tests.stores.swift import Swift
from tests.tracing.sender import Sender
from tracing.ingest import doorbell, drain, receive
from tracing.ingest.bucket_inbox import BucketInbox
from tracing.ingest.inbox import FolderInbox, Inbox
from tracing.ingest.inboxes import bring_along, open_inbox

SCORES = "/api/public/scores"


@pytest.fixture
def where(swift_server: Swift) -> BucketSettings:
    """A bucket of this test's own."""
    name = f"inbox-{uuid.uuid4().hex}"
    swift_server.client().create_bucket(Bucket=name)
    return settings_of(swift_server, name)


def settings_of(server: Swift, bucket: str) -> BucketSettings:
    named = server.environment("EVENT", bucket, prefix="events/")
    values = {name.removeprefix("LANGFUSE_S3_EVENT_UPLOAD_"): value for name, value in named.items()}
    return BucketSettings(
        name=bucket,
        prefix=values["PREFIX"],
        endpoint_url=values["ENDPOINT"],
        region_name=values["REGION"],
        access_key=values["ACCESS_KEY_ID"],
        secret_key=values["SECRET_ACCESS_KEY"],
        force_path_style=True,
    )


@pytest.fixture
def inbox(where: BucketSettings) -> BucketInbox:
    return BucketInbox(where)


@pytest.fixture
def in_use(inbox: BucketInbox, monkeypatch: pytest.MonkeyPatch, broker, analytics_server) -> Iterator[BucketInbox]:
    """By the door and by a worker that the test calls."""
    monkeypatch.setattr(drain, "inbox", inbox)
    monkeypatch.setattr(receive._commits, "inbox", inbox)
    monkeypatch.setattr(doorbell, "call_worker", lambda: None)
    doorbell.broker().flushall()
    yield inbox
    doorbell.broker().flushall()


def test_settings_choose_the_bucket(settings, where: BucketSettings) -> None:
    settings.INBOX_BUCKET = where
    assert isinstance(open_inbox(), BucketInbox)
    settings.INBOX_BUCKET = None
    assert isinstance(open_inbox(), FolderInbox)


def test_entries_come_back_as_they_were_and_in_their_order(inbox: BucketInbox) -> None:
    first = inbox.put([b"one", b"", b"\x00\xff"])
    second = inbox.put([b"x" * 3_000_000])

    assert list(inbox.keys()) == [first, second]
    assert inbox.get(first) == b"one\x00\xff"
    assert inbox.get(second) == b"x" * 3_000_000
    inbox.delete([first])
    inbox.delete([first])  # by whoever comes second
    assert inbox.get(first) is None
    assert list(inbox.keys()) == [second]


def test_what_is_expected_is_read_ahead_and_read_once(inbox: BucketInbox) -> None:
    keys = [inbox.put([b"%d" % number]) for number in range(12)]
    inbox.expect(keys[:11])
    inbox.delete([keys[5]])

    assert [inbox.get(key) for key in keys[:5]] == [b"%d" % number for number in range(5)]
    assert [inbox.get(key) for key in keys[6:]] == [b"%d" % number for number in range(6, 12)]


def test_others_of_the_bucket_are_no_entries(inbox: BucketInbox, where: BucketSettings, swift_server: Swift) -> None:
    client = swift_server.client()
    for place in ("events/project/trace/1.json", "events/inbox/probe", "media/x", "inbox/1-a.inbox"):
        client.put_object(Bucket=where.name, Key=place, Body=b"of somebody else")
    inbox.probe(1)
    key = inbox.put([b"mine"])

    assert list(inbox.keys()) == [key]


def test_more_than_a_page_of_a_listing(inbox: BucketInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [inbox.put([b"x"]) for _number in range(5)]
    paginator = inbox._client.get_paginator("list_objects_v2")
    real = paginator.paginate
    monkeypatch.setattr(paginator, "paginate", lambda **named: real(**named, PaginationConfig={"PageSize": 2}))
    monkeypatch.setattr(inbox._client, "get_paginator", lambda name: paginator)

    assert list(inbox.keys()) == keys


def test_what_is_no_entry_is_kept_elsewhere(inbox: BucketInbox, where: BucketSettings, swift_server: Swift) -> None:
    key = inbox.put([b"no entry"])
    place = inbox.set_aside(key)

    assert list(inbox.keys()) == []
    name = place.removeprefix(f"s3://{where.name}/")
    assert swift_server.client().get_object(Bucket=where.name, Key=name)["Body"].read() == b"no entry"


@pytest.mark.parametrize("change", [{"secret_key": "guessed"}, {"name": "nowhere"}], ids=["wrong key", "no bucket"])
@pytest.mark.parametrize(
    "use",
    [
        lambda inbox: inbox.put([b"x"]),
        lambda inbox: inbox.probe(1),
        lambda inbox: inbox.get("a"),
        lambda inbox: list(inbox.keys()),
    ],
    ids=["put", "probe", "get", "keys"],
)
def test_what_the_bucket_refuses_is_an_error(where: BucketSettings, change: dict[str, str], use) -> None:
    with pytest.raises(BucketAway):
        use(BucketInbox(replace(where, **change)))


@pytest.mark.django_db(transaction=True)
def test_the_door_accepts_what_is_in_the_bucket_and_a_worker_stores_it(in_use: BucketInbox) -> None:
    sender = Sender()
    ids = [f"score-{number}" for number in range(30)]
    for score_id in ids:
        assert sender.post(SCORES, score(score_id)).status_code == 200
    assert len(list(in_use.keys())) == 30

    drain.drain()

    assert list(in_use.keys()) == []
    assert sorted(score.id for score in sender.scores()) == sorted(ids)


@pytest.mark.django_db(transaction=True)
def test_a_bucket_that_is_away_makes_senders_come_again(in_use: BucketInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Sender()
    monkeypatch.setattr(receive._commits, "inbox", away())

    answer = sender.post(SCORES, score("refused"))

    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert any("inbox" in problem for problem in receive.readiness_problems())


def test_what_waited_in_the_folder_is_brought_along(inbox: BucketInbox, settings, tmp_path) -> None:
    settings.INBOX_DIR = tmp_path / "inbox"
    folder = FolderInbox(settings.INBOX_DIR)
    folder.put([b"one"])
    folder.put([b"two"])

    with pytest.raises(BucketAway):
        bring_along(away())
    assert bring_along(inbox) == 2
    assert [inbox.get(key) for key in list(inbox.keys())] == [b"one", b"two"]
    assert list(folder.keys()) == []
    assert bring_along(inbox) == 0


def away() -> Inbox:
    """Of a server that nobody runs."""
    return BucketInbox(BucketSettings("away", "", "http://127.0.0.1:9", "us-east-1", "id", "secret", True))


def score(score_id: str) -> dict[str, object]:
    return {"id": score_id, "traceId": f"trace-{time.time_ns()}", "name": "quality", "value": 0.5}
