"""Observations, second version: groups of fields, pages by cursor, metadata cut and whole."""

from __future__ import annotations

import base64
import json
from typing import Any
from unittest.mock import ANY

import pytest

from tests.contract.answers import (
    NUL,
    issue,
    no_number,
    no_option,
    no_time,
    no_whole_number,
    several,
    too_big,
    too_small,
)
from tests.contract.harness import Case, check
from tests.tracing.api_data import Api, make_api, observation
from tracing.analytics import store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

CORE: dict[str, Any] = {
    "id": "g",
    "traceId": "a",
    "startTime": "2026-03-02T10:00:01.000Z",
    "endTime": "2026-03-02T10:00:03.000Z",
    "projectId": ANY,
    "parentObservationId": "r",
    "type": "GENERATION",
    "modelId": None,
    "inputPrice": None,
    "outputPrice": None,
    "totalPrice": None,
    "latency": None,
    "timeToFirstToken": None,
}
GROUPS: dict[str, dict[str, Any]] = {
    "basic": {
        "name": "llm",
        "level": "WARNING",
        "statusMessage": "",
        "version": "",
        "environment": "default",
        "bookmarked": False,
        "public": False,
        "userId": "",
        "sessionId": "",
        "isRootObservation": False,
    },
    "time": {
        "completionStartTime": "2026-03-02T10:00:01.500Z",
        "createdAt": "2026-03-02T10:00:01.000Z",
        "updatedAt": "2026-03-02T10:00:01.000Z",
    },
    "io": {"input": "[]", "output": '{"role":"assistant","content":"Zebra crossing"}'},
    "metadata": {"metadata": {}},
    "model": {
        "model": "gpt-4o",
        "providedModelName": "gpt-4o",
        "internalModelId": "m1",
        "modelParameters": {"temperature": 0.2},
        "modelId": "m1",
    },
    "usage": {
        "usageDetails": {"input": 100, "input_cached_tokens": 20, "output": 50, "total": 170},
        "costDetails": {"input": 0.00025, "output": 0.0005, "total": 0.00075},
        "totalCost": 0.00075,
        "usagePricingTierName": "Standard",
        "usagePricingTierId": "tier",
    },
    "prompt": {"promptId": "prompt", "promptName": "greeting", "promptVersion": 3},
    "metrics": {"latency": 2, "timeToFirstToken": 0.5},
    "trace_context": {"tags": [], "release": "", "traceName": None},
}


def shown(*groups: str) -> dict[str, Any]:
    item = dict(CORE)
    for group in groups:
        item |= GROUPS[group]
    return {"data": [item], "meta": {}}


NOTHING: dict[str, Any] = {"data": [], "meta": {}}
ONE = "GET v2/observations?name=llm"
BAD_CURSOR = {"message": "Invalid cursor format", "error": "InvalidRequestError"}
RAW_IO = {
    "message": "parseIoAsJson is not supported: input and output are always returned as text.",
    "error": "InvalidRequestError",
}
CASES = [
    Case("no groups named", ONE, 200, shown("basic")),
    Case("groups left empty", f"{ONE}&fields=", 200, shown("basic")),
    Case("core", f"{ONE}&fields=core", 200, shown()),
    Case("unknown groups", f"{ONE}&fields=nonsense,more", 200, shown()),
    Case("groups with spaces", f"{ONE}&fields=core,%20basic", 200, shown("basic")),
    Case("groups repeated", f"{ONE}&fields=io&fields=usage", 200, shown("io", "usage")),
    *(Case(f"group {group}", f"{ONE}&fields={group}", 200, shown(group)) for group in GROUPS),
    Case("all groups", f"{ONE}&fields={','.join(GROUPS)}", 200, shown(*GROUPS)),
    Case("io as text", f"{ONE}&fields=io&parseIoAsJson=false", 200, shown("io")),
    Case("io as JSON", f"{ONE}&fields=io&parseIoAsJson=true", 400, RAW_IO),
    Case("limit of nothing", "GET v2/observations?limit=0", 200, NOTHING),
    Case("limit left empty", "GET v2/observations?limit=", 200, NOTHING),
    Case("nobody", "GET v2/observations?userId=nobody", 200, NOTHING),
    Case("an unknown type", "GET v2/observations?type=NOTHING", 200, NOTHING),
    *(
        Case(f"cursor {number}", f"GET v2/observations?cursor={cursor}", 400, BAD_CURSOR)
        for number, cursor in enumerate(
            (
                "x",
                "%25%25%25",
                "WyJ4Il0",
                "bnVsbA",
                "e30",
                "追踪",
                base64.urlsafe_b64encode(b'["2026-03-02T10:00:00+00:00","a"]').decode().rstrip("="),
                base64.urlsafe_b64encode(b'["2026-03-02T10:00:00+00:00","a",7]').decode().rstrip("="),
                base64.urlsafe_b64encode(b'["2026-03-02T10:00:00","a","r"]').decode().rstrip("="),
                base64.urlsafe_b64encode(b'["9999-12-31T00:00:00+00:00","a","r"]').decode().rstrip("="),
                base64.urlsafe_b64encode(b'["yesterday","a","r"]').decode().rstrip("="),
            )
        )
    ),
    *(
        Case(query, f"GET v2/observations?{query}", 400, answer)
        for query, answer in (
            ("limit=1001", too_big("limit", 1000)),
            ("limit=-1", too_small("limit", 0)),
            ("limit=1.5", no_whole_number("limit")),
            ("limit=x", no_number("limit")),
            ("level=loud", no_option("level", "DEBUG", "DEFAULT", "WARNING", "ERROR")),
            ("isRootObservation=1", no_option("isRootObservation", "true", "false")),
            ("parseIoAsJson=yes", no_option("parseIoAsJson", "true", "false")),
            ("fromStartTime=2026-03-02", no_time("fromStartTime")),
            ("toStartTime=x", no_time("toStartTime")),
            ("sessionId=a&sessionId=b", several("sessionId")),
            ("cursor=%00", issue("invalid_format", "cursor", NUL, format="text")),
            ("expandMetadata=%00", issue("invalid_format", "expandMetadata", NUL, format="text")),
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_shown(reads: Api, case: Case) -> None:
    check(reads, case)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", "efgr"),
        ("limit=1000", "efgr"),
        ("limit=2", "ef"),
        ("name=tool", "f"),
        ("userId=alice", "r"),
        ("sessionId=s/1", "r"),
        ("type=TOOL", "f"),
        ("traceId=a", "fgr"),
        ("level=ERROR", "f"),
        ("parentObservationId=", "er"),
        ("parentObservationId=g", "f"),
        ("isRootObservation=true", "er"),
        ("isRootObservation=false", "fg"),
        ("isRootObservation=", "efgr"),
        ("environment=prod,none", "r"),
        ("version=v2", "e"),
        ("fromStartTime=2026-03-02T10:01:00Z", "ef"),
        ("toStartTime=2026-03-02T10:00:01Z", "r"),
        ("unknown=ignored&page=7", "efgr"),
    ],
)
def test_what_is_found(reads: Api, query: str, ids: str) -> None:
    assert "".join(reads.ids(f"v2/observations?{query}")) == ids


@pytest.mark.parametrize(
    ("query", "length"),
    [
        ("fields=metadata", 200),
        ("fields=metadata&expandMetadata=long", 300),
        ("fields=metadata&expandMetadata=k,long", 300),
        ("fields=metadata&expandMetadata=k&expandMetadata=long", 300),
        ("fields=metadata&expandMetadata=k", 200),
        ("fields=metadata&expandMetadata=", 200),
        ("fields=metadata,io", 300),
    ],
)
def test_long_metadata(reads: Api, query: str, length: int) -> None:
    [root] = reads.get(f"v2/observations?name=root&{query}")["data"]
    assert root["metadata"] == {
        "k": "Value",
        "n.deep": [1, 2],
        "attributes.gen_ai.system": "openai",
        "long": "x" * length,
    }


def test_a_trace_has_the_name_that_its_spans_carry_or_that_of_its_root(reads: Api) -> None:
    found = reads.get("v2/observations", fields="trace_context")["data"]
    assert [(one["id"], one["traceName"]) for one in found] == [
        ("e", "Event"),
        ("f", None),
        ("g", None),
        ("r", "chat"),
    ]


def test_pages_by_cursor_hold_everything_once(reads: Api) -> None:
    seen, cursor = "", ""
    for _ in range(4):
        page = reads.get("v2/observations", limit=1, **({"cursor": cursor} if cursor else {}))
        seen += "".join(one["id"] for one in page["data"])
        cursor = page["meta"].get("cursor", "")
    assert (seen, cursor) == ("efgr", "")


def test_a_cursor_is_a_place_in_time_and_opens_no_other_project(reads: Api) -> None:
    cursor = reads.get("v2/observations", limit=1)["meta"]["cursor"]
    stranger = make_api(name="Stranger")
    assert stranger.ids("v2/observations", cursor=cursor) == []
    store.insert(observations=[observation(stranger.project_id, "own", "own", 1)])
    assert stranger.ids("v2/observations", cursor=cursor) == ["own"]


def test_a_cursor_that_was_tampered_with_stays_in_the_project(reads: Api) -> None:
    key = ["2100-01-01T00:00:00+00:00", "'; DROP TABLE traces --", "\\"]
    cursor = base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")
    assert "".join(reads.ids("v2/observations", cursor=cursor)) == "efgr"
