"""Traces: the list, one, and deleting."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY
from urllib.parse import quote

import pytest

from tests.contract import reads_data
from tests.contract.answers import NUL, issue, no_number, no_time, no_whole_number, page, several, too_big, too_small
from tests.contract.harness import Case, check
from tests.tracing.api_data import Api, make_api, trace
from tracing.analytics import store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

CORE_A: dict[str, Any] = {
    "id": "a",
    "projectId": ANY,
    "externalId": None,
    "timestamp": "2026-03-02T10:00:00.000Z",
    "name": "chat",
    "userId": "alice",
    "sessionId": "s/1",
    "release": "r1",
    "version": "v1",
    "environment": "prod",
    "public": True,
    "bookmarked": True,
    "tags": ["a", "b"],
    "createdAt": "2026-03-02T10:00:00.000Z",
    "updatedAt": "2026-03-02T10:00:00.000Z",
    "htmlPath": ANY,
}
CORE_C: dict[str, Any] = CORE_A | {
    "id": "c",
    "timestamp": "2026-03-02T10:03:20.000Z",
    "name": None,
    "userId": None,
    "sessionId": None,
    "release": None,
    "version": None,
    "environment": "default",
    "public": False,
    "bookmarked": False,
    "tags": [],
    "createdAt": "2026-03-02T10:03:20.000Z",
    "updatedAt": "2026-03-02T10:03:20.000Z",
}
NO_PARTS = {"observations": [], "scores": [], "totalCost": -1, "latency": -1}
IO_A = {
    "input": {"q": "Wie viel?"},
    "output": "plain text",
    "metadata": {
        "k": "Value",
        "n": {"deep": [1, 2]},
        "attributes": {"gen_ai.system": "openai"},
        "long": "x" * 300,
        "team": "Red",
        "a": {"b": "dotted"},
    },
}
SUMS_A = {"totalCost": 0.00075, "latency": 60}
IO_C = {"input": None, "output": None, "metadata": {}}
BAD_ORDER = issue(
    "custom",
    "orderBy",
    "Invalid orderBy. Expected <field>.<asc|desc> with a field of id, timestamp, name, userId, release, version, "
    "public, bookmarked, sessionId",
)
NOTHING_FOUND = page(total=0)
MISSING = {"message": "Trace x not found within authorized project", "error": "LangfuseNotFoundError"}
DELETED, ALL_DELETED = {"message": "Trace deleted successfully"}, {"message": "Traces deleted successfully"}
NO_IDS = issue("invalid_type", "traceIds", "Invalid input: expected array of strings", expected="array")
WRONG_COUNT = issue("custom", "traceIds", "expected array to have between 1 and 1000 items")

SHAPES = [
    Case("all", "GET traces?userId=alice", 200, page(CORE_A | IO_A | SUMS_A | {"observations": ANY, "scores": ANY})),
    Case("core", "GET traces?userId=alice&fields=core", 200, page(CORE_A | NO_PARTS)),
    Case("unknown group", "GET traces?userId=alice&fields=nonsense", 200, page(CORE_A | NO_PARTS)),
    Case("io", "GET traces?userId=alice&fields=io", 200, page(CORE_A | NO_PARTS | IO_A)),
    Case(
        "scores", "GET traces?userId=alice&fields=core,scores", 200,
        page(CORE_A | NO_PARTS | {"scores": ["b1", "c1", "n1", "n2"]}),
    ),
    Case("metrics", "GET traces?userId=alice&fields=metrics", 200, page(CORE_A | NO_PARTS | SUMS_A)),
    Case("groups repeated", "GET traces?userId=alice&fields=io&fields=metrics", 200,
         page(CORE_A | NO_PARTS | IO_A | SUMS_A)),
    Case("no groups named", "GET traces?filter=[]&fields=&limit=1", 200,
         page(CORE_C | IO_C | {"observations": [], "scores": [], "totalCost": 0, "latency": 0}, total=3, limit=1)),
    Case("one, core", "GET traces/a?fields=core", 200, CORE_A | NO_PARTS | {"metadata": {}}),
    Case("one, metrics", "GET traces/a?fields=core,metrics", 200, CORE_A | NO_PARTS | SUMS_A | {"metadata": {}}),
    Case("one, io", "GET traces/a?fields=io", 200, CORE_A | NO_PARTS | IO_A),
    Case("one without anything in it", "GET traces/c", 200,
         CORE_C | IO_C | {"observations": [], "scores": [], "totalCost": 0, "latency": 0}),
    Case("one that is not there", "GET traces/x", 404, MISSING),
    Case("one with a slash", "GET traces/no%2Fsuch%25%20x", 404,
         {"message": "Trace no/such% x not found within authorized project", "error": "LangfuseNotFoundError"}),
    Case("one in another script", "GET traces/%E8%BF%BD%E8%B8%AA", 404,
         {"message": "Trace 追踪 not found within authorized project", "error": "LangfuseNotFoundError"}),
    Case("beyond the end", "GET traces?page=9", 200, page(total=3, number=9)),
    Case("far beyond the end", "GET traces?page=10000000&limit=100", 200, page(total=3, number=10_000_000, limit=100)),
    Case("nobody", "GET traces?userId=nobody", 200, NOTHING_FOUND),
    Case("user in another case", "GET traces?userId=Alice", 200, NOTHING_FOUND),
    Case("tags in another case", "GET traces?tags=A", 200, NOTHING_FOUND),
]  # fmt: skip


@pytest.mark.parametrize("case", SHAPES, ids=str)
def test_what_is_shown(reads: Api, case: Case) -> None:
    check(reads, case)


# (query, ids found)
FOUND = [
    ("", "cba"),
    ("userId=Bob", "b"),
    ("userId=Bob&userId=Bob", "b"),
    ("name=chat", "a"),
    ("sessionId=s/1", "ba"),
    ("sessionId=s%2F1", "ba"),
    ("version=v2", "b"),
    ("release=r1", "a"),
    ("tags=b", "ba"),
    ("tags=a,b", "a"),
    ("tags=a&tags=b", "a"),
    ("tags=a&tags=b,b", "a"),
    ("tags=a,nope", ""),
    ("environment=prod", "a"),
    ("environment=prod,staging", "ba"),
    ("environment=prod&environment=default", "ca"),
    ("environment=", "cba"),
    ("environment=,", "cba"),
    ("userId=alice&release=r2", ""),
    ("fromTimestamp=2026-03-02T10:01:40Z", "cb"),
    ("fromTimestamp=2026-03-02T10:01:40.000Z", "cb"),
    ("fromTimestamp=2026-03-02T10:01:40.001Z", "c"),
    ("toTimestamp=2026-03-02T10:01:40Z", "a"),
    ("fromTimestamp=2026-03-02T11:01:40%2B01:00", "cb"),
    ("fromTimestamp=2026-03-02T11:01:40+01:00", "cb"),
    ("fromTimestamp=2026-03-02T05:01:40-05:00", "cb"),
    ("fromTimestamp=2026-03-02T10:01:40.000000Z", "cb"),
    ("fromTimestamp=2030-01-01T00:00:00Z&toTimestamp=2020-01-01T00:00:00Z", ""),
    ("fromTimestamp=&toTimestamp=", "cba"),
    ("limit=100", "cba"),
    ("limit=", "cba"),
    ("page=", "cba"),
    ("limit=1", "c"),
    ("limit=2.0", "cb"),
    ("limit=1&page=2", "b"),
    ("limit=2&page=2", "a"),
    ("limit=2&page=3", ""),
    ("unknown=ignored", "cba"),
    ("filter=", "cba"),
    ("orderBy=", "cba"),
    ("orderBy=timestamp.asc", "abc"),
    ("orderBy=timestamp.desc", "cba"),
    ("orderBy=timestamp.DESC", "cba"),
    ("orderBy=id.asc", "abc"),
    ("orderBy=id.desc", "cba"),
    ("orderBy=name.asc", "cab"),
    ("orderBy=name.desc", "bac"),
    ("orderBy=userId.asc", "cba"),
    ("orderBy=userId.desc", "abc"),
    ("orderBy=release.asc", "cab"),
    ("orderBy=version.desc", "bac"),
    ("orderBy=public.desc", "acb"),
    ("orderBy=bookmarked.asc", "bca"),
    ("orderBy=sessionId.desc", "bac"),
    ("orderBy=name.asc&limit=1&page=3", "b"),
]


@pytest.mark.parametrize(("query", "ids"), FOUND)
def test_what_is_found(reads: Api, query: str, ids: str) -> None:
    assert "".join(reads.ids(f"traces?{query}")) == ids


REFUSED = [
    ("limit=0", too_small("limit")),
    ("limit=-1", too_small("limit")),
    ("limit=101", too_big("limit")),
    ("limit=1.5", no_whole_number("limit")),
    ("limit=abc", no_number("limit")),
    ("limit=1_0", no_number("limit")),
    ("limit=%D9%A1", no_number("limit")),
    ("limit=NaN", no_number("limit")),
    ("limit=Infinity", no_number("limit")),
    ("limit=1e400", no_number("limit")),
    ("page=0", too_small("page")),
    ("page=10000001", too_big("page", 10_000_000)),
    ("page=x", no_number("page")),
    ("limit=1&limit=2", several("limit") | {"error": [several("limit")["error"][0]]}),
    ("userId=alice&userId=Bob", several("userId")),
    ("orderBy=name", BAD_ORDER),
    ("orderBy=name.up", BAD_ORDER),
    ("orderBy=.asc", BAD_ORDER),
    ("orderBy=input.asc", BAD_ORDER),
    ("orderBy=user_id.asc", BAD_ORDER),
    ("orderBy=timestamp.asc,name.asc", BAD_ORDER),
    ("fromTimestamp=yesterday", no_time("fromTimestamp")),
    ("fromTimestamp=2026-03-02", no_time("fromTimestamp")),
    ("fromTimestamp=2026-03-02T10:00:00", no_time("fromTimestamp")),
    ("fromTimestamp=2026-02-30T10:00:00Z", no_time("fromTimestamp")),
    ("fromTimestamp=2026-03-02T25:00:00Z", no_time("fromTimestamp")),
    ("toTimestamp=0001-01-01T00:00:00%2B01:00", no_time("toTimestamp")),
    ("toTimestamp=9999-12-31T23:59:59-01:00", no_time("toTimestamp")),
    ("toTimestamp=1899-12-31T23:59:59Z", no_time("toTimestamp")),
    ("toTimestamp=2300-01-01T00:00:00Z", no_time("toTimestamp")),
    ("toTimestamp=1772445600", no_time("toTimestamp")),
    ("userId=%00", issue("invalid_format", "userId", NUL, format="text")),
    ("tags=a%00", issue("invalid_format", "tags", NUL, format="text")),
]


@pytest.mark.parametrize(("query", "answer"), REFUSED)
def test_what_is_refused(reads: Api, query: str, answer: dict[str, Any]) -> None:
    check(reads, Case(query, f"GET traces?{query}", 400, answer))


def test_all_that_is_wrong_is_told_at_once(reads: Api) -> None:
    answer = reads.get("traces?limit=0&page=x&fromTimestamp=now&orderBy=x", 400)
    assert [one["path"] for one in answer["error"]] == [["page"], ["limit"], ["fromTimestamp"], ["orderBy"]]


DELETES = [
    Case("one", "DELETE traces/a", 200, DELETED),
    Case("one that is not there", "DELETE traces/x", 200, DELETED),
    Case("several", "DELETE traces", 200, ALL_DELETED, body={"traceIds": ["a", "b", "x"]}),
    Case("with more than ids", "DELETE traces", 200, ALL_DELETED, body={"traceIds": ["x"], "more": 1}),
    Case("an empty id", "DELETE traces", 200, ALL_DELETED, body={"traceIds": [""]}),
    Case("a thousand", "DELETE traces", 200, ALL_DELETED, body={"traceIds": [f"x{n}" for n in range(1000)]}),
    Case("too many", "DELETE traces", 400, WRONG_COUNT, body={"traceIds": ["x"] * 1001}),
    Case("none", "DELETE traces", 400, WRONG_COUNT, body={"traceIds": []}),
    Case("no body", "DELETE traces", 400, NO_IDS),
    Case("no ids", "DELETE traces", 400, NO_IDS, body={}),
    Case("a list", "DELETE traces", 400, NO_IDS, body=["a"]),
    Case("null", "DELETE traces", 400, NO_IDS, body=b"null"),
    Case("a text", "DELETE traces", 400, NO_IDS, body={"traceIds": "a"}),
    Case("numbers", "DELETE traces", 400, NO_IDS, body={"traceIds": [1]}),
    Case("null among them", "DELETE traces", 400, NO_IDS, body={"traceIds": ["a", None]}),
    Case("another name", "DELETE traces", 400, NO_IDS, body={"ids": ["a"]}),
    Case("no JSON", "DELETE traces", 400, {"message": "Invalid JSON", "error": "InvalidRequestError"}, body=b"{a"),
]


@pytest.mark.parametrize("case", DELETES, ids=str)
def test_deletes(case: Case) -> None:
    api = make_api()
    reads_data.insert(api.project_id)
    gone = {"one": "a", "several": "ab"}.get(case.name, "")
    check(api, case)
    assert "".join(api.ids("traces")) == "".join(one for one in "cba" if one not in gone)
    assert ("g" in api.ids("observations")) == ("a" not in gone)
    assert ("n1" in api.ids("v2/scores")) == ("a" not in gone)


@pytest.mark.parametrize("trace_id", ["folder/t 3%", "%2F", "a?b#c&d=e", "追踪/ß", "..", "a/../b", "versions/1"])
def test_ids_with_anything_in_them(trace_id: str) -> None:
    api = make_api()
    store.insert(traces=[trace(api.project_id, trace_id, 0)])
    assert api.get(f"traces/{quote(trace_id, safe='')}")["id"] == trace_id
    check(api, Case("", f"DELETE traces/{quote(trace_id, safe='')}", 200, DELETED))
    assert api.ids("traces") == []
