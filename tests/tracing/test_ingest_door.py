"""What the door takes, what it refuses, and that nothing a client sends makes it fail."""

import gzip
import io
import threading

import orjson
import pytest
from django.test import RequestFactory

from tests.tracing.otlp_samples import export, span
from tests.tracing.sender import OTLP
from tracing.ingest import drain, receive

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker", "analytics_server", "own_inbox"),
]

TIME = "2026-04-30T12:00:00.000Z"
DEEP = 900
EMPTY_MEMBER = gzip.compress(b"", mtime=0)


def nested(levels):
    return b"[" * levels + b"]" * levels


def event(id_, body):
    return b'{"id":"%s","type":"trace-create","timestamp":"%s","body":{"id":"%s","metadata":%s}}' % (
        id_,
        TIME.encode(),
        id_,
        body,
    )


def score(id_, metadata):
    return b'{"id":"%s","traceId":"t","name":"n","value":1,"metadata":%s}' % (id_, metadata)


def test_deeply_nested_event_is_taken_with_its_neighbours(sender):
    batch = b'{"batch":[%s,%s]}' % (event(b"flat", b"1"), event(b"deep", nested(DEEP)))
    answer = sender.post("/api/public/ingestion", batch)
    assert answer.status_code == 207
    assert [success["id"] for success in answer.json()["successes"]] == ["flat", "deep"]
    drain.drain()
    assert {trace.id: trace.metadata["metadata"] for trace in sender.traces()} == {
        "flat": "1",
        "deep": nested(DEEP).decode(),
    }


@pytest.mark.parametrize("form", [b"%s", b"[%s]"])
def test_deeply_nested_score_is_taken(sender, form):
    assert sender.post("/api/public/scores", form % score(b"deep", nested(DEEP))).status_code in (200, 202)
    drain.drain()
    assert [found.metadata for found in sender.scores()] == [nested(DEEP).decode()]


def test_score_that_the_worker_could_not_read_is_refused(sender, own_inbox):
    answers = [sender.post("/api/public/scores", score(b"deep", nested(levels))) for levels in (1022, 1023, 1024)]
    taken = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} == {200, 400}
    drain.drain()
    assert len(sender.scores()) == min(len(taken), 1)
    assert list(own_inbox.keys()) == []


@pytest.mark.parametrize("version", ["²", "5" * 5000, "-1", "four", "", "5", "1e0"])
def test_ingestion_version_that_is_none_is_told_so(sender, own_inbox, version):
    answer = sender.post(OTLP, b"{}", **{"x-langfuse-ingestion-version": version})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Unsupported x-langfuse-ingestion-version")
    assert list(own_inbox.keys()) == []


@pytest.mark.parametrize("version", ["0", "4", " 3 "])
def test_known_ingestion_version_is_taken(sender, version):
    assert sender.post(OTLP, b"{}", **{"x-langfuse-ingestion-version": version}).status_code == 200


def post_packed(sender, packed):
    return sender.post(OTLP, packed, **{"Content-Encoding": "gzip"})


def test_gzip_of_many_members_is_read(sender):
    text = orjson.dumps(export([span("a" * 32, "b" * 16, "root", input="x" * 3_000_000)]))
    parts = [text[at : at + 4096] for at in range(0, len(text), 4096)]
    assert post_packed(sender, b"".join(map(gzip.compress, parts))).status_code == 200
    drain.drain()
    assert [observation.name for observation in sender.observations()] == ["root"]


def test_gzip_of_one_large_member_is_read(sender):
    text = orjson.dumps(export([span("a" * 32, "b" * 16, "root", input="x" * 9_000_000)]))
    assert post_packed(sender, EMPTY_MEMBER + gzip.compress(text)).status_code == 200
    drain.drain()
    assert [len(observation.input) for observation in sender.observations()] == [9_000_000]


@pytest.mark.parametrize(
    "packed",
    [
        EMPTY_MEMBER * 20_000,
        gzip.compress(b"{}", mtime=0) + b"rest",
        gzip.compress(b"{}", mtime=0)[:-1],
        gzip.compress(b"{" + b" " * 2_000_000 + b"}", mtime=0)[:-9],
    ],
    ids=["too many members", "something behind", "cut off", "cut off when large"],
)
def test_gzip_that_is_none_is_refused(sender, own_inbox, packed):
    assert post_packed(sender, packed).status_code == 400
    assert list(own_inbox.keys()) == []


class SlowBody(io.BytesIO):
    """Arrives when it is released."""

    def __init__(self, content):
        super().__init__(content)
        self.is_read, self.may_arrive = threading.Event(), threading.Event()

    def read(self, size=-1):
        self.is_read.set()
        self.may_arrive.wait()
        return super().read(size)


def post_declared(sender, body, size):
    request = RequestFactory().post(OTLP, content_type="application/json", headers=sender.headers)
    request.META |= {"CONTENT_LENGTH": str(size), "wsgi.input": body}
    return receive.answer(request, receive.otlp_traces)


def test_large_bodies_do_not_fill_the_memory_together(sender, settings):
    largest = settings.OTLP_MAX_BYTES
    bodies = [SlowBody(b"{}") for _ in range(3)]
    answers = []
    threads = [
        threading.Thread(target=lambda body=body: answers.append(post_declared(sender, body, largest)))
        for body in bodies
    ]
    for thread, body in zip(threads, bodies, strict=True):
        thread.start()
        body.is_read.wait()
    refused = post_declared(sender, io.BytesIO(b"{}"), largest)
    small = post_declared(sender, io.BytesIO(b"{}"), 2)
    for body in bodies:
        body.may_arrive.set()
    for thread in threads:
        thread.join()
    assert (refused.status_code, refused["Retry-After"]) == (503, "5")
    assert small.status_code == 200
    # Room was given to each, though less came than was announced.
    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert post_declared(sender, io.BytesIO(b"{}"), largest).status_code == 400


def test_one_body_may_be_larger_than_what_all_may_hold_together(sender, settings):
    settings.OTLP_MAX_BYTES = 1 << 30
    answer = post_declared(sender, io.BytesIO(b"{}"), 1 << 30)
    assert orjson.loads(answer.content)["message"] == "The body ended after 2 of 1,073,741,824 bytes."
