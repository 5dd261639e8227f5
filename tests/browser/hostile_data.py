"""Traces that mean harm, in every field, through both doors: markup, forced directions, towers of marks, depth, length."""  # noqa: E501

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tests.browser.content_data import send_spans, wait_for
from tests.instance import Instance

#: what a page must show of a hostile field; it stands in each of them
SIGN = "safe-and-sound"
_MARKUP = (
    f"{SIGN}<script>window.harmed = 1; alert(1)</script><img src=x onerror='window.harmed = 2'>"
    "<svg onload='window.harmed = 3'></svg>\"'><iframe src='https://evil.example/'></iframe></textarea></template>"
    "[link](javascript:window.harmed=4) ![i](https://evil.example/i.png) {{ 7|add:1 }} {% now 'Y' %}"
)
_UNSEEN = f"{SIGN} \u202egnp.exe\u202c \u2066\u2067 zero\u200bwidth\u2060 \ufeff \x1b[31mred\x1b[0m \x07\x08 \U000e0068\U000e0069"  # noqa: E501
_TOWER = f"{SIGN} " + "Z" + "\u0361\u0335\u030d" * 200 + "algo"
_RIGHT_TO_LEFT = f"{SIGN} مرحبا بالعالم \u202b עברית \u202c"
_WIDE = f"{SIGN}" + "W" * 3_000
KINDS = {"markup": _MARKUP, "unseen": _UNSEEN, "tower": _TOWER, "rtl": _RIGHT_TO_LEFT, "wide": _WIDE}


@dataclass(frozen=True)
class Hostile:
    """A trace of each kind with the names by which its pages are found; and the trace of contents."""

    traces: dict[str, str]
    observations: dict[str, str]
    users: dict[str, str]
    sessions: dict[str, str]
    contents: str
    content_ids: tuple[str, ...]


def _identity(name: str, digits: int) -> str:
    return uuid5(NAMESPACE_URL, f"hostile:{name}").hex[:digits]


def _contents() -> list[Any]:
    """Inputs that are hostile by what they are."""
    return [
        json.dumps({"line": SIGN + "x" * 5_000_000}),
        SIGN + "[" * 10_000,
        '{"deep": "' + SIGN + '", "a": ' + '{"a":' * 900 + "1" + "}" * 900 + "}",
        json.dumps([{"role": "user", "content": text} for text in KINDS.values()]),
        '{"sign": "' + SIGN + '", "huge": ' + "9" * 4_000 + ', "small": 1e-4000, "lone": "\\ud800", "nul": "\\u0000"}',
        json.dumps({key: {key: [key]} for key in KINDS.values()}),
        f"<|im_start|>system\n{_MARKUP}<|im_end|>\n<|im_start|>user\n{_UNSEEN}<|im_end|>",
        json.dumps([{"role": "assistant", "content": None, "tool_calls": [{"id": _MARKUP, "function": {"name": _MARKUP, "arguments": _MARKUP}}]}, {"role": "tool", "tool_call_id": _MARKUP, "content": [{"type": "image_url", "image_url": {"url": "javascript:window.harmed=5"}}, {"type": _MARKUP, "mime": "data:text/html,<script>"}]}]),  # noqa: E501
    ]  # fmt: skip


def send_hostile(instance: Instance) -> Hostile:
    """Sent twice it changes nothing, so every test process may ask for it."""
    traces = {kind: _identity(kind, 32) for kind in KINDS}
    observations = {kind: _identity(f"span:{kind}", 16) for kind in KINDS}
    for kind, text in KINDS.items():
        send_spans(instance, [_span(kind, text)], {"service.name": text, f"key-{text[:900]}": text})
    contents = _contents()
    ids = tuple(_identity(f"content:{number}", 16) for number in range(len(contents)))
    send_spans(instance, [_plain(identity, text) for identity, text in zip(ids, contents, strict=True)])
    _send_legacy(instance, traces)
    for trace_id in traces.values():
        wait_for(instance, trace_id, 1)
    wait_for(instance, _identity("contents", 32), len(contents))
    names = {kind: text[:180] for kind, text in KINDS.items()}
    return Hostile(traces, observations, names, names, _identity("contents", 32), ids)


def _base(trace: str, identity: str, name: str) -> dict[str, Any]:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    nanoseconds = int(start.timestamp()) * 1_000_000_000
    return {
        "traceId": trace, "spanId": identity, "name": name, "kind": 1,
        "startTimeUnixNano": str(nanoseconds), "endTimeUnixNano": str(nanoseconds + 10**9),
    }  # fmt: skip


def _plain(identity: str, text: str) -> dict[str, Any]:
    attributes = [{"key": "langfuse.observation.output", "value": {"stringValue": text}}]
    return {**_base(_identity("contents", 32), identity, "content"), "attributes": attributes}


def _span(kind: str, text: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        **{f"langfuse.observation.{name}": text for name in ("input", "output", "status_message", "model.name", "prompt.name")},  # noqa: E501
        "langfuse.observation.type": "generation",
        "langfuse.observation.level": "ERROR",
        "langfuse.observation.model.parameters": json.dumps({text[:200]: text}),
        f"langfuse.observation.metadata.{text[:900]}": text,
        "langfuse.trace.name": text[:900], "user.id": text[:180], "session.id": text[:180],
        "langfuse.release": text[:180], "langfuse.version": text[:180], f"raw.{text[:900]}": text,
    }  # fmt: skip
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]
    attributes.append(
        {"key": "langfuse.trace.tags", "value": {"arrayValue": {"values": [{"stringValue": text[:180]}]}}}
    )
    base = _base(_identity(kind, 32), _identity(f"span:{kind}", 16), text[:900])
    exception = {f"exception.{part}": text for part in ("type", "message", "stacktrace")}
    events = [
        {"name": "exception", "timeUnixNano": base["startTimeUnixNano"], "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in exception.items()]},  # noqa: E501
        {"name": text[:900], "timeUnixNano": base["startTimeUnixNano"], "attributes": [{"key": text[:900], "value": {"stringValue": text}}]},  # noqa: E501
    ]  # fmt: skip
    return {**base, "attributes": attributes, "events": events}


def _send_legacy(instance: Instance, traces: dict[str, str]) -> None:
    """Scores, which have names and comments, by the older door."""
    now = datetime.now(UTC).isoformat()
    batch = [
        {
            "id": str(uuid5(NAMESPACE_URL, f"event:{kind}:{now}")), "type": "score-create", "timestamp": now,
            "body": {"id": _identity(f"score:{kind}", 32), "traceId": trace, "name": KINDS[kind][:100], "value": "x", "dataType": "CATEGORICAL", "comment": KINDS[kind][:500]},  # noqa: E501
        }
        for kind, trace in traces.items()
    ]  # fmt: skip
    with instance.client() as client:
        client.post("/api/public/ingestion", json={"batch": batch}).raise_for_status()
