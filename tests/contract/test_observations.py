"""Observations, first version: the list and one."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest

from tests.contract.answers import (
    issue,
    no_number,
    no_option,
    no_time,
    no_whole_number,
    page,
    several,
    too_big,
    too_small,
)
from tests.contract.harness import Case, check
from tests.tracing.api_data import Api, make_api
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tracing.ingest import drain

pytestmark = pytest.mark.django_db

GENERATION: dict[str, Any] = {
    "id": "g",
    "traceId": "a",
    "projectId": ANY,
    "startTime": "2026-03-02T10:00:01.000Z",
    "endTime": "2026-03-02T10:00:03.000Z",
    "parentObservationId": "r",
    "type": "GENERATION",
    "environment": "default",
    "name": "llm",
    "level": "WARNING",
    "statusMessage": None,
    "version": None,
    "createdAt": "2026-03-02T10:00:01.000Z",
    "updatedAt": "2026-03-02T10:00:01.000Z",
    "input": [],
    "output": {"role": "assistant", "content": "Zebra crossing"},
    "metadata": {},
    "model": "gpt-4o",
    "modelParameters": {"temperature": 0.2},
    "completionStartTime": "2026-03-02T10:00:01.500Z",
    "promptId": "prompt",
    "promptName": "greeting",
    "promptVersion": 3,
    "latency": 2,
    "timeToFirstToken": 0.5,
    "usageDetails": {"input": 100, "input_cached_tokens": 20, "output": 50, "total": 170},
    "costDetails": {"input": 0.00025, "output": 0.0005, "total": 0.00075},
    "usage": {"unit": "TOKENS", "input": 120, "output": 50, "total": 170},
    "unit": "TOKENS",
    "promptTokens": 120,
    "completionTokens": 50,
    "totalTokens": 170,
    "usagePricingTierId": "tier",
    "usagePricingTierName": "Standard",
    "modelId": "m1",
    "inputPrice": None,
    "outputPrice": None,
    "totalPrice": None,
    "calculatedInputCost": 0.00025,
    "calculatedOutputCost": 0.0005,
    "calculatedTotalCost": 0.00075,
}
EVENT = GENERATION | {
    "id": "e",
    "traceId": "b",
    "startTime": "2026-03-02T10:01:40.000Z",
    "endTime": None,
    "parentObservationId": None,
    "type": "EVENT",
    "name": "Event",
    "level": "DEBUG",
    "version": "v2",
    "createdAt": "2026-03-02T10:01:40.000Z",
    "updatedAt": "2026-03-02T10:01:40.000Z",
    "input": None,
    "output": None,
    "model": None,
    "modelParameters": ANY,
    "completionStartTime": None,
    "promptId": None,
    "promptName": None,
    "promptVersion": None,
    "latency": None,
    "timeToFirstToken": None,
    "usageDetails": {},
    "costDetails": {},
    "usage": {"unit": "TOKENS", "input": 0, "output": 0, "total": 0},
    "promptTokens": 0,
    "completionTokens": 0,
    "totalTokens": 0,
    "usagePricingTierId": None,
    "usagePricingTierName": None,
    "modelId": None,
    "calculatedInputCost": None,
    "calculatedOutputCost": None,
    "calculatedTotalCost": ANY,
}
MISSING = {"message": "Observation not found within authorized project", "error": "LangfuseNotFoundError"}
CASES = [
    Case("a generation of the list", "GET observations?type=GENERATION", 200, page(GENERATION)),
    Case("an event of the list", "GET observations?traceId=b", 200, page(EVENT)),
    Case("a generation", "GET observations/g", 200, GENERATION),
    Case("an event", "GET observations/e", 200, EVENT),
    Case("one that is not there", "GET observations/x", 404, MISSING),
    Case("one with a slash", "GET observations/a%2Fb%20%25", 404, MISSING),
    Case("beyond the end", "GET observations?page=9", 200, page(total=4, number=9)),
    Case(
        "far beyond the end", "GET observations?page=10000000&limit=100", 200,
        page(total=4, number=10_000_000, limit=100),
    ),
    Case("nobody", "GET observations?userId=nobody", 200, page(total=0)),
]  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("broker", "analytics_server", "own_inbox")
def test_usage_and_cost_are_those_of_all_kinds() -> None:
    """As recorded: `input` is what all kinds cost that have the word in their name. The metrics say the same."""
    api = make_api()
    kinds = {"input": 10, "output": 20, "cache_read_input_tokens": 5, "output_reasoning": 3, "other": 9, "total": 47}
    prices = {"input": 0.1, "output": 0.25, "input_cached_tokens": 0.2, "total": 0.55}
    most = 2**63 - 1
    without_input = {"usageDetails": {"x": 7, "total": 100}, "costDetails": {"total": 0.001}}
    send(api, "all", usageDetails=kinds, costDetails=prices)
    send(api, "some", **without_input)
    send(api, "much", usageDetails={"input": most, "input_audio": most, "input_text": most, "output": 1})
    drain.drain()
    found = {one["id"]: one for one in api.get("observations")["data"]}
    assert found == {one["id"]: one for one in api.get("traces/t")["observations"]}
    assert found["all"]["usage"] == {"unit": "TOKENS", "input": 15, "output": 23, "total": 47}
    assert calculated(found["all"]) == (0.3, 0.25, 0.55)
    assert found["some"]["usage"] == {"unit": "TOKENS", "input": 0, "output": 0, "total": 100}
    assert calculated(found["some"]) == (None, None, 0.001)
    assert found["much"]["promptTokens"] == most
    metrics = [{"measure": name, "aggregation": "sum"} for name in ("inputTokens", "outputTokens", "inputCost")]
    query = {
        "view": "observations",
        "metrics": metrics,
        "fromTimestamp": SENT_AT,
        "toTimestamp": "2026-03-03T00:00:00Z",
    }
    query["filters"] = [{"type": "string", "column": "name", "operator": "=", "value": "all"}]
    rows = [{"sum_inputTokens": 15, "sum_outputTokens": 23, "sum_inputCost": 0.3}]
    assert [api.get(path, query=query)["data"] for path in ("metrics", "v2/metrics")] == [rows, rows]


SENT_AT = "2026-03-02T10:00:00Z"


def send(api: Api, name: str, **values: Any) -> None:
    body = {"id": name, "name": name, "traceId": "t", "startTime": SENT_AT, **values}
    assert api("POST", "generations", body).status_code == 200


def calculated(one: dict[str, Any]) -> tuple[Any, ...]:
    return one["calculatedInputCost"], one["calculatedOutputCost"], one["calculatedTotalCost"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_shown(reads: Api, case: Case) -> None:
    check(reads, case)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", "efgr"),
        ("name=llm", "g"),
        ("name=LLM", ""),
        ("userId=alice", "fgr"),
        ("userId=Bob", "e"),
        ("type=TOOL", "f"),
        ("type=NOTHING", ""),
        ("traceId=a", "fgr"),
        ("traceId=a&level=ERROR", "f"),
        ("level=DEFAULT", "r"),
        ("level=", "efgr"),
        ("parentObservationId=r", "g"),
        ("parentObservationId=", "efgr"),
        ("environment=prod", "r"),
        ("environment=prod,default", "efgr"),
        ("environment=prod&environment=none", "r"),
        ("version=v2", "e"),
        ("fromStartTime=2026-03-02T10:00:01Z", "efg"),
        ("toStartTime=2026-03-02T10:00:01Z", "r"),
        ("fromStartTime=2026-03-02T10:00:01Z&toStartTime=2026-03-02T11:01:00%2B01:00", "g"),
        ("fromStartTime=2026-03-02T11:01:00+01:00", "ef"),
        ("limit=1", "e"),
        ("limit=1&page=4", "r"),
        ("limit=", "efgr"),
        ("fields=core", "efgr"),
        ("isRootObservation=nonsense", "efgr"),
    ],
)
def test_what_is_found(reads: Api, query: str, ids: str) -> None:
    assert "".join(reads.ids(f"observations?{query}")) == ids


LEVELS = no_option("level", "DEBUG", "DEFAULT", "WARNING", "ERROR")


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("limit=0", too_small("limit")),
        ("limit=101", too_big("limit")),
        ("limit=1.5", no_whole_number("limit")),
        ("limit=text", no_number("limit")),
        ("page=0", too_small("page")),
        ("page=-1", too_small("page")),
        ("level=error", LEVELS),
        ("level=LOUD", LEVELS),
        ("traceId=a&traceId=b", several("traceId")),
        ("fromStartTime=2026-03-02", no_time("fromStartTime")),
        ("fromStartTime=now", no_time("fromStartTime")),
        ("toStartTime=2026-13-02T00:00:00Z", no_time("toStartTime")),
        ("toStartTime=2026-03-02T10:00:00", no_time("toStartTime")),
        (
            "name=%00",
            issue("invalid_format", "name", "Invalid string: must not hold a NUL character", format="text"),
        ),
    ],
)
def test_what_is_refused(reads: Api, query: str, answer: dict[str, Any]) -> None:
    check(reads, Case(query, f"GET observations?{query}", 400, answer))
