"""Sessions: the list, and one with its traces."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest

from tests.contract.answers import no_number, no_time, no_whole_number, page, several, too_big, too_small
from tests.contract.harness import Case, check
from tests.contract.test_traces import CORE_A, IO_A
from tests.tracing.api_data import Api, make_api, trace
from tracing.analytics import store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

SESSION = {"id": "s/1", "createdAt": "2026-03-02T10:00:00.000Z", "projectId": ANY, "environment": "prod"}
TRACE_A = {key: value for key, value in (CORE_A | IO_A).items() if key != "htmlPath"}
TRACE_B = TRACE_A | {
    "id": "b",
    "timestamp": "2026-03-02T10:01:40.000Z",
    "name": "search",
    "userId": "Bob",
    "tags": ["b"],
    "environment": "staging",
    "release": "r2",
    "version": "v2",
    "public": False,
    "bookmarked": False,
    "createdAt": "2026-03-02T10:01:40.000Z",
    "updatedAt": "2026-03-02T10:01:40.000Z",
    "input": "own",
    "output": 42,
    "metadata": {"team": "Blue"},
}
MISSING = {"message": "Session not found within authorized project", "error": "LangfuseNotFoundError"}
NONE = page(total=0)
CASES = [
    Case("all", "GET sessions", 200, page(SESSION)),
    Case("one", "GET sessions/s%2F1", 200, SESSION | {"traces": [TRACE_A, TRACE_B]}),
    Case("one whose slash is not escaped", "GET sessions/s/1", 200, SESSION | {"traces": [TRACE_A, TRACE_B]}),
    Case("one that is not there", "GET sessions/x", 404, MISSING),
    Case("one in another case", "GET sessions/S%2F1", 404, MISSING),
    Case("since it began", "GET sessions?fromTimestamp=2026-03-02T10:00:00Z", 200, page(SESSION)),
    Case("since later", "GET sessions?fromTimestamp=2026-03-02T10:00:00.001Z", 200, NONE),
    Case("until it began", "GET sessions?toTimestamp=2026-03-02T10:00:00Z", 200, NONE),
    Case("until later", "GET sessions?toTimestamp=2026-03-02T11:00:01+01:00", 200, page(SESSION)),
    Case("environment", "GET sessions?environment=prod,x", 200, page(SESSION)),
    Case("environments", "GET sessions?environment=x&environment=prod", 200, page(SESSION)),
    Case("environment it did not begin in", "GET sessions?environment=staging", 200, NONE),
    Case("no environment of it", "GET sessions?environment=default", 200, NONE),
    Case("unknown parameter", "GET sessions?userId=nobody", 200, page(SESSION)),
    Case("beyond the end", "GET sessions?page=2&limit=1", 200, page(total=1, number=2, limit=1)),
    Case("limit left empty", "GET sessions?limit=&page=", 200, page(SESSION)),
    *(
        Case(query, f"GET sessions?{query}", 400, answer)
        for query, answer in (
            ("limit=0", too_small("limit")),
            ("limit=101", too_big("limit")),
            ("limit=1.5", no_whole_number("limit")),
            ("limit=many", no_number("limit")),
            ("page=0", too_small("page")),
            ("page=1&page=2", several("page")),
            ("fromTimestamp=2026", no_time("fromTimestamp")),
            ("toTimestamp=2026-03-02T10:00:00", no_time("toTimestamp")),
        )
    ),
    Case("written", "POST sessions", 405, {"message": "Method not allowed", "error": "MethodNotAllowedError"}, body={}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sessions(reads: Api, case: Case) -> None:
    check(reads, case)


def test_a_session_begins_with_its_first_trace_and_the_newest_is_first() -> None:
    api = make_api()
    rows: list[Any] = [("t1", 50, "late"), ("t2", 10, "early"), ("t3", 90, "early"), ("t4", 70, "")]
    store.insert(
        traces=[
            trace(api.project_id, trace_id, seconds, session_id=session_id, environment=trace_id)
            for trace_id, seconds, session_id in rows
        ]
    )
    shown = [(one["id"], one["createdAt"], one["environment"]) for one in api.get("sessions")["data"]]
    assert shown == [("late", "2026-03-02T10:00:50.000Z", "t1"), ("early", "2026-03-02T10:00:10.000Z", "t2")]
    assert [one["id"] for one in api.get("sessions/early")["traces"]] == ["t2", "t3"]
