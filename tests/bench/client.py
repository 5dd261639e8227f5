"""A keep-alive HTTP client thin enough not to be what is measured, and the product's API through it."""

from __future__ import annotations

import base64
import http.client
import json
import time
from typing import Any
from urllib.parse import quote, urlencode

from tests.instance import Instance

OTLP = "/api/public/otel/v1/traces"
_RETRIED = (429, 502, 503, 504)


class Api:
    """One connection. Not for two threads at once."""

    def __init__(self, instance: Instance, timeout_seconds: float = 120) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=timeout_seconds)
        token = base64.b64encode(":".join(instance.auth).encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"}

    def export(self, body: bytes) -> int:
        """Send one OTLP request until it is taken, as an exporter does. Returns how often it was turned away."""
        turned_away = 0
        while True:
            status, _ = self.send("POST", OTLP, body, {"Content-Type": "application/x-protobuf"})
            if status == 200:
                return turned_away
            if status not in _RETRIED:
                raise RuntimeError(f"the export was answered with {status}")
            turned_away += 1
            time.sleep(min(2.0, 0.05 * 2**turned_away))

    def get(self, path: str, **parameters: object) -> Any:
        query = f"?{urlencode(parameters, quote_via=quote)}" if parameters else ""
        status, body = self.send("GET", f"/api/public{path}{query}")
        if status != 200:
            raise RuntimeError(f"{path} answered {status}: {body[:200]!r}")
        return json.loads(body)

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        try:
            self._connection.request(method, path, body, {**self._headers, **(headers or {})})
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def count_spans(self) -> int:
        return int(self.get("/observations", limit=1)["meta"]["totalItems"])

    def spans_of(self, trace_id: str) -> int:
        status, body = self.send("GET", f"/api/public/traces/{trace_id}")
        return len(json.loads(body)["observations"]) if status == 200 else 0
