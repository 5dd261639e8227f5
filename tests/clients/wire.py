"""A trace as clients hand it in, by ingestion and by OpenTelemetry: the same one, so that it must read the same."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.clients.bridge import ENVIRONMENT

USER, TAGS, RELEASE, VERSION = "用户-42", ["beta", "中文"], "r7", "1.2"
QUESTION, ANSWER = {"query": "退货政策"}, "可以，30 天内退货。"
MODEL, USAGE = "gpt-4o-mini", {"input": 100, "output": 20, "total": 120}
#: 100 tokens in and 20 out at the model's own prices
COST = 100 * 1.5e-7 + 20 * 6e-7
SECONDS = 2


@dataclass
class Written:
    """The ids of one trace. It has a span `handle-request` and below it the model call `think`."""

    name: str = "checkout"
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    root: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    call: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    session: str = field(default_factory=lambda: f"会话/{uuid.uuid4().hex[:8]}")
    start: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(minutes=1))

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=SECONDS)

    def ingestion(self) -> list[dict[str, Any]]:
        """The events of POST /ingestion."""
        times = {"startTime": self.start.isoformat(), "endTime": self.end.isoformat()}
        common = {"traceId": self.id, "environment": ENVIRONMENT, **times}
        trace = {
            "id": self.id,
            "timestamp": self.start.isoformat(),
            "name": self.name,
            "userId": USER,
            "sessionId": self.session,
            "tags": TAGS,
            "release": RELEASE,
            "version": VERSION,
            "metadata": {"tenant": "acme"},
            "input": QUESTION,
            "output": ANSWER,
            "environment": ENVIRONMENT,
        }
        root = {"id": self.root, "name": "handle-request", "input": QUESTION, "output": ANSWER, **common}
        call = {
            "id": self.call,
            "parentObservationId": self.root,
            "name": "think",
            "model": MODEL,
            "usageDetails": USAGE,
            "input": [{"role": "user", "content": "可以退货吗？"}],
            "output": ANSWER,
            **common,
        }
        kinds = (("trace-create", trace), ("span-create", root), ("generation-create", call))
        return [
            {"id": f"{kind}-{self.id}", "type": kind, "timestamp": self.start.isoformat(), "body": body}
            for kind, body in kinds
        ]

    def spans(self) -> list[dict[str, Any]]:
        """The `resourceSpans` of POST /otel/v1/traces."""
        trace = {
            "langfuse.trace.name": self.name,
            "user.id": USER,
            "session.id": self.session,
            "langfuse.trace.tags": json.dumps(TAGS),
            "langfuse.release": RELEASE,
            "langfuse.version": VERSION,
            "langfuse.trace.metadata.tenant": "acme",
            "langfuse.environment": ENVIRONMENT,
        }
        root = {
            **trace,
            "langfuse.observation.input": json.dumps(QUESTION),
            "langfuse.observation.output": ANSWER,
        }
        call = {
            **trace,
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": MODEL,
            "langfuse.observation.usage_details": json.dumps(USAGE),
            "langfuse.observation.input": json.dumps([{"role": "user", "content": "可以退货吗？"}]),
            "langfuse.observation.output": ANSWER,
        }
        spans = [
            self._span(self.root, "handle-request", root),
            {**self._span(self.call, "think", call), "parentSpanId": self.root},
        ]
        return [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "langfuse-sdk"}, "spans": spans}]}]

    def _span(self, span_id: str, name: str, attributes: dict[str, str]) -> dict[str, Any]:
        return {
            "traceId": self.id,
            "spanId": span_id,
            "name": name,
            "kind": 1,
            "startTimeUnixNano": str(_nanoseconds(self.start)),
            "endTimeUnixNano": str(_nanoseconds(self.end)),
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
        }


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000
