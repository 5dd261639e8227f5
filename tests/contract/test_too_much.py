"""A read that would cost too much is refused with advice, on every list and for every limit of the store."""

from __future__ import annotations

import pytest

from tracing.analytics import answers
from tracing.analytics.backends import clickhouse

pytestmark = pytest.mark.django_db

ADVICE = "This asks for more data than one query may read. Narrow the time range or add a filter."
COUNTED = {
    "view": "observations",
    "metrics": [{"measure": "count", "aggregation": "count"}],
    "fromTimestamp": "2026-03-01T00:00:00Z",
    "toTimestamp": "2026-03-03T00:00:00Z",
}
READS = [
    ("traces", {}),
    ("traces", {"orderBy": "name.asc"}),
    ("traces", {"page": 1000}),
    ("traces", {"filter": '[{"type":"number","column":"errorCount","operator":">","value":0}]'}),
    ("traces/a", {}),
    ("observations", {}),
    ("observations", {"userId": "alice", "page": 1000}),
    ("observations/r", {}),
    ("v2/observations", {}),
    ("v2/observations", {"filter": '[{"type":"string","column":"input","operator":"matches","value":"viel"}]'}),
    ("sessions", {}),
    ("sessions/s%2F1", {}),
    ("scores", {}),
    ("scores/n1", {}),
    ("v2/scores", {}),
    ("v2/scores/n1", {}),
    ("v3/scores", {}),
    ("metrics", {"query": COUNTED}),
    ("v2/metrics", {"query": COUNTED}),
    ("metrics/daily", {}),
]


@pytest.fixture
def limit(monkeypatch):
    """Sets a limit of the store for every query."""

    def set_limit(name: str, value: float) -> None:
        for settings in (clickhouse.READ_SETTINGS, clickhouse.PLAIN_SETTINGS):
            monkeypatch.setitem(settings, name, value)
        answers.forget()

    return set_limit


@pytest.mark.parametrize(("path", "params"), READS)
def test_more_rows_than_allowed(reads, limit, path, params):
    reads.get(path, **params)
    limit("max_rows_to_read", 1)
    assert reads.get(path, 422, **params) == {"message": ADVICE, "error": "Request timed out"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_rows_to_read", 1), ("max_memory_usage", 1), ("max_execution_time", 0.000001), ("max_result_bytes", 1)],
)
def test_any_limit(reads, limit, name, value):
    limit(name, value)
    answer = reads("GET", "traces")
    assert (answer.status_code, answer.json()) == (422, {"message": ADVICE, "error": "Request timed out"})
    assert answer["Access-Control-Allow-Origin"] == "*"


def test_what_was_advised_helps(reads, limit):
    """The rows of the project are in one granule, those of nobody's time range in none."""
    limit("max_rows_to_read", 1)
    narrowed = {"fromTimestamp": "2020-01-01T00:00:00Z", "toTimestamp": "2020-01-02T00:00:00Z"}
    assert reads.get("traces", **narrowed)["data"] == []
