"""What traces come in as, and what is answered to that."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from config.api.describe import Given, Shape

_Id = Annotated[str, Field(min_length=1)]


class ExportTraces(Given):
    """An ExportTraceServiceRequest of OTLP as JSON."""

    resourceSpans: list[dict[str, Any]] = []


class Nothing(Shape):
    """The empty object: all spans are kept."""


class ExportProblem(Shape):
    """Why the export was refused as a whole. Where it is not about the export itself, `message` says it."""

    error: str = ""
    message: str = ""


class Event(Given):
    """`body` depends on `type`; it is what older SDKs send of a trace, an observation or a score."""

    id: _Id
    timestamp: datetime
    type: Literal[
        "trace-create",
        "score-create",
        "sdk-log",
        "span-create",
        "span-update",
        "generation-create",
        "generation-update",
        "observation-create",
        "observation-update",
        "event-create",
        "agent-create",
        "tool-create",
        "chain-create",
        "retriever-create",
        "evaluator-create",
        "embedding-create",
        "guardrail-create",
    ]
    body: dict[str, Any]
    metadata: Any = None


class Batch(Given):
    """Events in any order. Each is judged by itself."""

    batch: list[Event]
    metadata: Any = None


class Taken(Shape):
    id: str
    status: int


class Refused(Shape):
    id: str
    status: int
    message: str
    error: str


class BatchReceipt(Shape):
    """What became of each event."""

    successes: list[Taken]
    errors: list[Refused]


class BatchProblem(Shape):
    """Why no event was looked at: the body is no batch (`errors`), or no JSON (`error`)."""

    message: str
    error: str = ""
    errors: list[str] = []


BATCH = {
    "batch": [
        {
            "id": "2b7f8a54-5d1e-4f3c-8a0b-0f6c1f9f3d10",
            "timestamp": "2026-01-02T03:04:05.678Z",
            "type": "trace-create",
            "body": {"id": "4bf92f3577b34da6a3ce929d0e0e4736", "name": "chat", "userId": "alice", "input": "Hello"},
        }
    ]
}

EXPORT = {
    "resourceSpans": [
        {
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
                            "spanId": "00f067aa0ba902b7",
                            "name": "chat",
                            "startTimeUnixNano": "1767323045678000000",
                            "endTimeUnixNano": "1767323046678000000",
                            "attributes": [
                                {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
                                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
                            ],
                        }
                    ]
                }
            ]
        }
    ]
}
