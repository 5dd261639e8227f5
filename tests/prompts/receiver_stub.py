"""Whoever takes messages of automations, on this machine: the path says what happens.

`/ok`, a status by number (`/500`, `/410`, `/429`), `/slow` (nothing, until the sender leaves), `/cut` (half of
what it promises), `/long` (more than is kept), `/echo` (says what came, headers and all), `/moved/<status>` (leads to
`redirect_to`). Statuses in `answers` go before all that.
"""

from __future__ import annotations

import json
import select
import threading
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Got:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> Any:
        return json.loads(self.body)


class ReceiverStub:
    """Use as a context manager."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.got: list[Got] = []
        self.answers: deque[int] = deque()
        self.redirect_to = ""
        self._came = threading.Condition()
        self._may_go = threading.Event()
        #: set when a sender left that was kept waiting
        self.was_left = threading.Event()
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = _Quiet((host, 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str) -> str:
        host = str(self._server.server_address[0])
        return f"http://{host.replace('127.0.0.1', 'localhost')}:{self.port}{path}"

    @property
    def payloads(self) -> list[Any]:
        return [one.payload for one in self.got]

    def take(self, got: Got) -> None:
        with self._came:
            self.got.append(got)
            self._came.notify_all()

    def wait_for(self, number: int) -> None:
        """Until so many requests have come."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.got) >= number, timeout=60), self.got

    def hold(self, connection: Any) -> None:
        """Until whoever waits has left, or is let go without an answer."""
        while not self._may_go.is_set():
            if select.select([connection], [], [], 0.05)[0]:
                self.was_left.set()
                return

    def let_go(self) -> None:
        self._may_go.set()

    def __enter__(self) -> ReceiverStub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Senders leave in the middle, by intent."""


class _Handler(BaseHTTPRequestHandler):
    stub: ReceiverStub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Silence."""

    def do_GET(self) -> None:
        self._answer(200, b"nobody should ask for this")
        self.stub.take(Got(self.path, {}, b'"GET"'))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.stub.take(Got(self.path, headers, body))
        if self.stub.answers:
            return self._answer(self.stub.answers.popleft(), b"as it was told")
        head, _, rest = self.path.strip("/").partition("/")
        if head.isdigit():
            return self._answer(int(head), f"a {head} of the stub".encode(), **_asks_for_time(head))
        match head:
            case "slow":
                self.stub.hold(self.connection)
                self.close_connection = True
            case "cut":
                self._answer(200, b"half", **{"Content-Length": "8"})
                self.close_connection = True
            case "long":
                self._answer(200, b"x" * 100_000)
            case "echo":
                told = json.dumps({"headers": headers, "path": self.path, "body": body.decode()})
                self._answer(200, told.encode(), **{"X-Echo": headers.get("x-team-key", "")})
            case "moved":
                self._answer(int(rest), b"", Location=self.stub.redirect_to)
            case _:
                self._answer(200, b"thanks", **{"Set-Cookie": "session=1", "X-Request-Id": "req_stub"})
        return None

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "text/plain", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _asks_for_time(status: str) -> dict[str, str]:
    return {"Retry-After": "120"} if status == "429" else {}
