"""Rows whose time changes: one row stays, with all that was said, wherever the worker or the store is killed."""

import pytest

from tests.tracing.otlp_samples import export, span
from tests.tracing.sender import OTLP
from tracing.analytics import store
from tracing.ingest import doorbell, drain

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker", "analytics_server", "own_inbox"),
]

TRACE, ROOT, CHILD = "a" * 32, "b" * 16, "c" * 16
INGESTION = "/api/public/ingestion"
#: microseconds from 2026-11-21 to 2026-12-01
DECEMBER = 10 * 86_400 * 10**6


class Killed(BaseException):
    pass


class DyingStore:
    """Writes one month of one table after the other, and dies after some of them."""

    def __init__(self, survivors, *, latest_first):
        self.left, self.latest_first = survivors, latest_first
        self.whole = store.insert

    def insert(self, *, ready=None, **tables):
        parts = [{"ready": ready}] if ready is not None else []
        for name, rows in tables.items():
            months = sorted({self._month(row) for row in rows}, reverse=self.latest_first)
            parts += [{name: [row for row in rows if self._month(row) == month]} for month in months]
        for part in parts:
            if self.left == 0:
                raise Killed
            self.left -= 1
            self.whole(**part)

    @staticmethod
    def _month(row):
        time = row.start_time if hasattr(row, "start_time") else row.timestamp
        return time.year, time.month


def drain_and_die(survivors, *, latest_first):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "insert", DyingStore(survivors, latest_first=latest_first).insert)
        try:
            drain.drain()
        except Killed:
            doorbell.broker().flushall()  # so that nobody works on its entries
    drain.sweep(older_than_seconds=0)
    drain.drain()


@pytest.mark.parametrize("latest_first", [True, False])
@pytest.mark.parametrize("survivors", range(1, 4))
def test_trace_that_moves_into_another_month(sender, survivors, latest_first):
    said = {"langfuse__trace__name": "chat", "user__id": "u"}
    sender.post(OTLP, export([span(TRACE, CHILD, "child", parent=ROOT, start_us=DECEMBER + 5, **said)]))
    drain.drain()
    sender.post(OTLP, export([span(TRACE, ROOT, "root", start_us=DECEMBER - 5)]))
    drain_and_die(survivors, latest_first=latest_first)
    [trace] = sender.traces()
    assert (trace.timestamp.month, trace.name, trace.user_id, trace.root_id) == (11, "chat", "u", ROOT)
    assert [o.name for o in sender.observations()] == ["root", "child"]


@pytest.mark.parametrize("latest_first", [True, False])
@pytest.mark.parametrize("survivors", range(1, 4))
def test_observation_that_moves_into_another_month(sender, survivors, latest_first):
    update = {"id": "g", "traceId": "t", "output": "said early"}
    create = {"id": "g", "traceId": "t", "name": "llm", "startTime": "2026-11-30T23:59:59Z"}
    sender.post(INGESTION, batch("generation-update", update, "2026-12-01T00:00:05Z"))
    drain.drain()
    sender.post(INGESTION, batch("generation-create", create, "2026-12-01T00:00:00Z"))
    drain_and_die(survivors, latest_first=latest_first)
    [row] = sender.observations()
    assert (row.start_time.month, row.name, row.output) == (11, "llm", "said early")
    assert len(sender.traces()) == 1


@pytest.mark.parametrize("latest_first", [True, False])
@pytest.mark.parametrize("survivors", range(1, 4))
def test_span_sent_again_from_another_month(sender, survivors, latest_first):
    sender.post(OTLP, export([span(TRACE, ROOT, "old", start_us=DECEMBER + 5)]))
    drain.drain()
    sender.post(OTLP, export([span(TRACE, ROOT, "new", start_us=DECEMBER - 5)]))
    drain_and_die(survivors, latest_first=latest_first)
    assert [o.name for o in sender.observations()] == ["new"]
    assert len(sender.traces()) == 1


def test_span_that_moves_forth_and_back_faster_than_it_is_written(sender, monkeypatch):
    monkeypatch.setattr(drain, "_BATCH_BYTES", 1)
    for name, start_us in (("first", 100), ("second", 200), ("third", 100)):
        sender.post(OTLP, export([span(TRACE, ROOT, name, start_us=start_us)]))
    drain.drain()
    assert [o.name for o in sender.observations()] == ["third"]


@pytest.mark.parametrize("start", ["1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_updates_find_an_observation_whose_clock_was_never_set(sender, start):
    create = {"id": "g", "traceId": "t", "name": "llm", "startTime": start}
    sender.post(INGESTION, batch("generation-create", create, "2026-12-01T00:00:00Z"))
    drain.drain()
    sender.post(
        INGESTION, batch("generation-update", {"id": "g", "traceId": "t", "output": "x"}, "2026-12-01T00:00:05Z")
    )
    drain.drain()
    assert [(o.name, o.output) for o in sender.observations()] == [("llm", "x")]


def batch(kind, body, time):
    return {"batch": [{"id": f"{kind} {time}", "type": kind, "timestamp": time, "body": body}]}
