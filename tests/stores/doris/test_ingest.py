"""From the door into Doris, where single rows or the store itself are at fault."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.tracing.otlp_samples import export, span
from tests.tracing.sender import OTLP
from tracing.ingest import drain
from tracing.models import DeadLetter

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker", "doris")]


@pytest.fixture
def pauses(monkeypatch):
    """Pauses of the worker take no time; what is put in here happens in the third of them."""
    then = []

    def wait(_seconds):
        then.append(None)
        if len(then) == 4:
            then[0]()

    monkeypatch.setattr(drain._stopping, "wait", wait)
    return then


def send(sender, *names):
    for number, name in enumerate(names):
        body = export([span(f"{number + 1:032x}", f"{number + 1:016x}", name)])
        assert sender.post(OTLP, body).status_code == 200


def send_together(sender, *names):
    spans = [span("a" * 32, f"{number + 1:016x}", name) for number, name in enumerate(names)]
    assert sender.post(OTLP, export(spans)).status_code == 200


def stored(sender):
    return sorted(observation.name for observation in sender.observations())


@pytest.mark.parametrize("is_one_request", [False, True])
def test_a_row_that_doris_never_takes_is_buried_and_lets_the_others_pass(
    sender, own_inbox, monkeypatch, pauses, is_one_request
):
    pauses.append(lambda: None)
    decode = drain.decode

    def spoil(payload):
        decoded = decode(payload)
        for observation in decoded.observations:
            if observation.name == "bad":
                observation.latency_us = "no number"
        return decoded

    monkeypatch.setattr(drain, "decode", spoil)
    (send_together if is_one_request else send)(sender, "a", "b", "bad", "c", "d")
    drain.drain()

    assert stored(sender) == ["a", "b", "c", "d"]
    [letter] = DeadLetter.objects.filter(project_id=sender.project.id)
    assert "bad" in letter.payload_preview
    assert "too many filtered rows Reason: " in letter.reason
    assert list(own_inbox.keys()) == []


def test_spans_of_clocks_that_are_wrong_are_there(sender, own_inbox):
    moments = [datetime(year, 1, 1, tzinfo=UTC) for year in (1970, 1999, 2099, 2261)]
    spans = []
    for number, moment in enumerate(moments):
        nanoseconds = str(int(moment.timestamp() + 1) * 10**9)
        times = {"startTimeUnixNano": nanoseconds, "endTimeUnixNano": nanoseconds}
        spans.append({**span(f"{number + 1:032x}", f"{number + 1:016x}", f"{moment.year}"), **times})
    assert sender.post(OTLP, export(spans)).status_code == 200
    drain.drain()

    assert [(one.name, one.start_time) for one in sender.observations()] == [
        (f"{moment.year}", moment + timedelta(seconds=1)) for moment in moments
    ]
    assert [trace.timestamp.year for trace in sender.traces()] == [moment.year for moment in moments]


@pytest.mark.parametrize(
    "message", ["[E-235]TOO_MANY_VERSION tablet 10010", "current running txns on db 1 is 1000", "No backend alive."]
)
def test_what_doris_cannot_take_right_now_is_waited_for(
    sender,
    own_inbox,
    doris,
    pauses,
    message,
):
    pauses.append(doris.go_wrong)
    doris.go_wrong(*[{"part": "be", "kind": "fail", "message": message}] * 50)
    send(sender, "a")
    drain.drain()

    assert len(pauses) >= 4
    assert stored(sender) == ["a"]
    assert not DeadLetter.objects.filter(project_id=sender.project.id).exists()
    assert list(own_inbox.keys()) == []


def test_a_store_that_is_away_is_waited_for(sender, own_inbox, doris, pauses):
    pauses.append(doris.start)
    send(sender, "a", "b")
    doris.kill()
    drain.drain()

    assert stored(sender) == ["a", "b"]
    assert list(own_inbox.keys()) == []
