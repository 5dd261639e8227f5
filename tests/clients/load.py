"""Exporters that never give up: they send spans, remember what was acknowledged, and try again what was not."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field

import httpx

from tests.instance import Instance

_SPANS_PER_REQUEST = 4
_PAUSE_SECONDS = 0.02


@dataclass
class Exporters:
    """`with Exporters(server, environment="x") as load:` sends meanwhile. `load.acknowledged` are span ids."""

    server: Instance
    environment: str
    threads: int = 4
    acknowledged: set[str] = field(default_factory=set)
    refused: list[int] = field(default_factory=list)
    retried: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Exporters:
        self._running = [threading.Thread(target=self._export, daemon=True) for _ in range(self.threads)]
        for thread in self._running:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._running:
            thread.join(timeout=40)
        assert not any(thread.is_alive() for thread in self._running), "an exporter never got its last payload through"

    def _export(self) -> None:
        with self.server.client(timeout_seconds=10) as client:
            while not self._stop.is_set():
                body, ids = payload(self.environment, _SPANS_PER_REQUEST)
                self._send_until_taken(client, body)
                self.acknowledged.update(ids)
                time.sleep(_PAUSE_SECONDS)

    def _send_until_taken(self, client: httpx.Client, body: dict[str, object]) -> None:
        while True:
            try:
                answer = client.post("/api/public/otel/v1/traces", json=body)
                if answer.status_code == 200:
                    return
                self.refused.append(answer.status_code)
            except httpx.TransportError:
                pass  # the answer, if there was one, never came: the payload is sent again as exporters do
            self.retried += 1
            time.sleep(0.1)


def payload(environment: str, spans: int) -> tuple[dict[str, object], list[str]]:
    """An OTLP request with one trace, and the ids of its spans."""
    trace_id, now = secrets.token_hex(16), time.time_ns()
    ids = [secrets.token_hex(8) for _ in range(spans)]
    sent = [
        {
            "traceId": trace_id,
            "spanId": span_id,
            **({"parentSpanId": ids[0]} if number else {}),
            "name": f"step-{number}",
            "kind": 1,
            "startTimeUnixNano": str(now + number * 1_000_000),
            "endTimeUnixNano": str(now + (number + 1) * 1_000_000),
            "attributes": [
                {"key": "langfuse.environment", "value": {"stringValue": environment}},
                {"key": "langfuse.observation.input", "value": {"stringValue": f"输入 {span_id} " * 10}},
            ],
        }
        for number, span_id in enumerate(ids)
    ]
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "load"}, "spans": sent}]}]}, ids


def stored_ids(server: Instance, environment: str) -> list[str]:
    """The ids of all observations in an environment, as the public API lists them: twice what is there twice."""
    found: list[str] = []
    with server.client() as client:
        page = 1
        while True:
            parameters = {"environment": environment, "limit": 100, "page": page}
            answer = client.get("/api/public/observations", params=parameters)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            found += [each["id"] for each in body["data"]]
            if page >= body["meta"]["totalPages"]:
                return found
            page += 1


def stored_count(server: Instance, environment: str) -> int:
    with server.client() as client:
        answer = client.get("/api/public/observations", params={"environment": environment, "limit": 1})
        assert answer.status_code == 200, answer.text
        total: int = answer.json()["meta"]["totalItems"]
        return total
