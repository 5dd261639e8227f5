"""Traces that show what the content pane can: a long chat with tools and files, an exception, ten megabytes of JSON."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.instance import Instance

TRACE = "c0117e17" * 4
ANSWER, TOOL, BIG, FAILED, LINE = ("a1" * 8, "a2" * 8, "a3" * 8, "a4" * 8, "a5" * 8)
ROOT = "a0" * 8
#: entries of the large JSON; each is about a kilobyte
ENTRIES = 10_000
NEEDLE = "needle-in-7777"
_VISIBLE_SECONDS = 60

_STACK = """\
Traceback (most recent call last):
  File "/app/shop/orders.py", line 41, in load
    return carrier.status(parcel)
  File "/usr/lib/python3.11/site-packages/carrier/client.py", line 12, in status
    raise ConnectionError("no route")
  File "/usr/lib/python3.11/site-packages/carrier/http.py", line 80, in send
    self.open()
ConnectionError: no route

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/shop/agent.py", line 7, in run
    load(parcel)
OrderError: the carrier does not answer
"""


@dataclass(frozen=True)
class ContentData:
    trace: str = TRACE
    answer: str = ANSWER
    tool: str = TOOL
    big: str = BIG
    failed: str = FAILED
    line: str = LINE


def _messages() -> list[dict[str, Any]]:
    prompt = "\n".join(f"Rule {n}: be kind, be brief, cite the policy." for n in range(38))
    history: list[dict[str, Any]] = []
    for n in range(19):
        history += [
            {"role": "user", "content": f"Earlier question {n}"},
            {"role": "assistant", "content": f"Earlier answer {n}"},
        ]
    calls = [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "carrier_status", "arguments": '{"tracking": "0034"}'},
        },
        {"id": "call_2", "type": "function", "function": {"name": "lookup_order", "arguments": '{"order": 48213}'}},
    ]
    return [
        {"role": "system", "content": prompt},
        *history,
        {"role": "user", "content": "Where is my order 48213? 它在哪里?"},
        {"role": "assistant", "content": None, "reasoning_content": "Two lookups.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"status": "in_transit", "hub": "Leipzig"}'},
        {"role": "tool", "tool_call_id": "call_2", "content": "not found"},
    ]


_REPLY = """\
Your parcel left the **Leipzig** hub.

| step | when |
|---|---|
| hub | today |

```python
print("tomorrow")
```

More at [our page](https://shop.example/help) and ![map](https://shop.example/map.png)
"""
_TOOL = {
    "type": "function",
    "function": {"name": "carrier_status", "description": "Asks the carrier.", "parameters": {}},
}


def _spans() -> list[dict[str, Any]]:
    big = json.dumps([
        {"id": n, "name": f"entry {n}", "text": "x" * 940 if n != 7777 else NEEDLE, "nested": {"on": True, "n": 1.10}}
        for n in range(ENTRIES)
    ])  # fmt: skip
    long_line = json.dumps({"line": "a long line " * 440_000})
    chat = {"messages": _messages(), "tools": [_TOOL], "temperature": 0.2}
    return [
        _span(ROOT, "support-agent", 0, 6, {"langfuse.trace.metadata.tier": "gold", "langfuse.trace.name": "support-agent"}),  # noqa: E501
        _span(ANSWER, "gpt-4o · answer", 1, 3, {
            "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o",
            "langfuse.observation.input": json.dumps(chat), "langfuse.observation.output": json.dumps({"role": "assistant", "content": _REPLY}),  # noqa: E501
            "langfuse.observation.metadata.region": "eu-west", "langfuse.observation.metadata.plan": json.dumps({"name": "pro", "seats": [1, 2]}),  # noqa: E501
            "http.route": "/chat",
        }, parent=ROOT),
        _span(TOOL, "carrier_status", 0.5, 0.8, {"langfuse.observation.type": "tool", "langfuse.observation.input": "{}"}, parent=ROOT),  # noqa: E501
        _span(BIG, "big-json", 3, 4, {"langfuse.observation.output": big}, parent=ROOT),
        _span(LINE, "one-line", 3, 4, {"langfuse.observation.output": long_line, "langfuse.observation.input": "word " * 1_000_000}, parent=ROOT),  # noqa: E501
        _span(FAILED, "failing", 4, 5, {"langfuse.observation.level": "ERROR"}, parent=ROOT, events=[
            {"name": "exception", "attributes": _attributes({"exception.type": "OrderError", "exception.message": "the carrier does not answer", "exception.stacktrace": _STACK})},  # noqa: E501
            {"name": "retry", "attributes": _attributes({"attempt": "2"})},
        ]),
    ]  # fmt: skip


def _attributes(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def _span(
    identity: str, name: str, start: float, end: float, attributes: dict[str, str], *, parent: str = "",
    events: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    # The same in every process, and recent: the hour is.
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)

    def nanoseconds(seconds: float) -> str:
        return str(int((first + timedelta(seconds=seconds)).timestamp() * 1_000_000) * 1_000)

    return {
        "traceId": TRACE, "spanId": identity, "name": name, "parentSpanId": parent, "kind": 1,
        "startTimeUnixNano": nanoseconds(start), "endTimeUnixNano": nanoseconds(end),
        "attributes": _attributes(attributes),
        "events": [{"timeUnixNano": nanoseconds(start), **event} for event in events or []],
    }  # fmt: skip


def send_spans(instance: Instance, spans: list[dict[str, Any]], resource: dict[str, str] | None = None) -> None:
    scope = {"scope": {"name": "tests"}, "spans": spans}
    body = {"resourceSpans": [{"resource": {"attributes": _attributes(resource or {})}, "scopeSpans": [scope]}]}
    with instance.client(timeout_seconds=60) as client:
        answer = client.post("/api/public/otel/v1/traces", json=body)
        answer.raise_for_status()


def send_content(instance: Instance) -> ContentData:
    """Sent twice it changes nothing, so every test process may ask for it."""
    spans = _spans()
    send_spans(instance, spans, {"service.name": "shop"})
    wait_for(instance, TRACE, len(spans))
    return ContentData()


def wait_for(instance: Instance, trace_id: str, observations: int) -> None:
    deadline = time.monotonic() + _VISIBLE_SECONDS
    with instance.client() as api:
        while time.monotonic() < deadline:
            found = api.get(f"/api/public/traces/{trace_id}", params={"fields": "core,observations"})
            if found.status_code == 200 and len(found.json()["observations"]) >= observations:
                return
            time.sleep(0.2)
    raise RuntimeError(f"trace {trace_id} did not arrive")
