"""The local analytics server: chDB behind the part of ClickHouse's HTTP interface that clients use.

    SPANWISE_ANALYTICS_TOKEN=… python -m tracing.analytics.server --data DIR --port N

One process, one thread per connection, loopback only. It is a door and nothing more: whatever is asked of it runs
on the engine as it is, so everything that works here works on a ClickHouse server. It must stay importable
without Django: half of its memory would be ours otherwise.
"""

from __future__ import annotations

import argparse
import hmac
import json
import logging
import os
import queue
import re
import signal
import socket
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tracing.analytics import http_body
from tracing.analytics.engine import Engine, EngineError, Outcome

logger = logging.getLogger("spanwise.analytics")

SESSIONS = 12
MEMORY_MEBIBYTES = 900
SHUTDOWN_SECONDS = 20.0
WAIT_FOR_SESSION_SECONDS = 30.0
SLOW_SECONDS = 2.0
MAX_QUERY_BYTES = 64 * 1024 * 1024

#: Query-string names that are about the request and not settings of the engine.
_RESERVED = {
    "query", "database", "default_format", "query_id", "session_id", "session_timeout", "session_check", "user",
    "password", "quota_key", "compress", "decompress", "buffer_size", "wait_end_of_query", "role", "stacktrace",
    "client_protocol_version", "enable_http_compression", "http_zlib_compression_level", "log_comment",
    "send_progress_in_http_headers", "http_headers_progress_interval_ms", "http_write_exception_in_output_format",
    "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip
_QUOTED = r"`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
#: An INSERT whose rows follow the statement: everything but `INSERT … SELECT` and `INSERT … VALUES`.
_INSERT = re.compile(
    rf"\s*(INSERT\s+INTO\s+(?:{_QUOTED}|[^`\"'])*?)\s+FORMAT\s+(\w+)[ \t]*(?:\r?\n|;|\s|\Z)", re.IGNORECASE | re.DOTALL
)
_STARTS_INSERT = re.compile(rb"\s*INSERT\b", re.IGNORECASE)
_OUTPUT_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*(?:SETTINGS\b[^;]*)?;?\s*\Z", re.IGNORECASE)
_CONTENT_TYPES = {
    "json": "application/json; charset=UTF-8",
    "jsoneachrow": "application/x-ndjson; charset=UTF-8",
    "native": "application/octet-stream",
    "rowbinary": "application/octet-stream",
    "csv": "text/csv; charset=UTF-8; header=absent",
}
#: Engine codes that are the caller's fault and not the server's; the rest is 500, as on ClickHouse.
_STATUS = {516: 403, 192: 403, 497: 403, 60: 404, 81: 404, 62: 400, 47: 400, 36: 400, 202: 503, 241: 500, 159: 408}


class Refused(Exception):
    """A request that never reaches the engine."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {message}")
        self.status = status
        self.code = code


@dataclass(slots=True)
class Request:
    """One statement: its text, and the rows that follow it when it is an INSERT."""

    sql: str
    params: dict[str, str]
    settings: dict[str, str]
    database: str
    default_format: str
    comment: str
    insert: tuple[str, str] | None = None
    data: Iterator[bytes] | None = None

    @property
    def output_format(self) -> str:
        found = _OUTPUT_FORMAT.search(self.sql[-300:])
        return found.group(1) if found else self.default_format


def read_request(target: str, headers: Message, stream: http_body.Readable) -> Request:
    """Puts the statement together from query string and body; an INSERT's rows are left on the stream."""
    arguments = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True, max_num_fields=5000))
    body = http_body.chunks(headers, stream)
    if headers.get("Content-Type", "").startswith("multipart/form-data"):
        arguments.update(http_body.form_fields(headers["Content-Type"], b"".join(body)))
        body = iter(())
    request = Request(
        sql=arguments.get("query", ""),
        params={name[6:]: value for name, value in arguments.items() if name.startswith("param_")},
        settings={n: v for n, v in arguments.items() if n not in _RESERVED and not n.startswith("param_")},
        database=arguments.get("database") or str(headers.get("X-ClickHouse-Database", "")),
        default_format=arguments.get("default_format") or headers.get("X-ClickHouse-Format") or "TabSeparated",
        comment=arguments.get("log_comment", ""),
    )
    _take_statement(request, body)
    return request


def _take_statement(request: Request, body: Iterator[bytes]) -> None:
    if _as_insert(request, request.sql):
        request.data = body
        return
    first = next(body, b"")
    if not request.sql and _STARTS_INSERT.match(first):
        # The statement is at the head of the body; rows follow it and may be many.
        while len(first) < 64 * 1024 and (more := next(body, b"")):
            first += more
        head = first[: 64 * 1024].decode("utf-8", "surrogateescape")
        if end := _as_insert(request, head):
            start = len(head[:end].encode("utf-8", "surrogateescape"))
            request.data = http_body.with_head(first[start:], body)
            return
    rest = http_body.joined(first, body, MAX_QUERY_BYTES)
    request.sql = "\n".join(part for part in (request.sql, rest.decode("utf-8")) if part)


def _as_insert(request: Request, text: str) -> int:
    """Where the statement ends when `text` begins with an INSERT that is followed by rows, else 0."""
    found = _INSERT.match(text)
    if not found:
        return 0
    request.sql, request.insert = found.group(0), (found.group(1), found.group(2))
    return found.end()


def run(engine: Engine, request: Request) -> Outcome:
    if request.insert is None or request.data is None:
        with engine.session(WAIT_FOR_SESSION_SECONDS) as session:
            session.prepare(request.database, request.settings)
            return session.query(request.sql, request.default_format, request.params)
    with NamedTemporaryFile(dir=engine.spool) as file:
        # A connection is lent only once the rows are all here: a slow sender holds up nobody.
        file.writelines(request.data)
        file.flush()
        with engine.session(WAIT_FOR_SESSION_SECONDS) as session:
            session.prepare(request.database, request.settings)
            return session.insert(*request.insert, Path(file.name))


class Handler(BaseHTTPRequestHandler):
    """One connection. Keeps it alive between requests: opening one costs more than most queries."""

    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    timeout = 300
    server: AnalyticsServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path in ("/ping", "/replicas_status"):
            self._answer(200, b"Ok.\n", {"Content-Type": "text/plain; charset=UTF-8"})
        elif path == "/":
            self._statement()
        else:
            self._answer(404, b"There is nothing here but / and /ping.\n", {})

    do_POST = do_GET

    def _statement(self) -> None:
        started = time.monotonic()
        comment = ""
        try:
            self._check_token()
            request = read_request(self.path, self.headers, self.rfile)
            comment = request.comment
            outcome = run(self.server.engine, request)
        except (EngineError, Refused) as error:
            self._refuse(error, comment)
            return
        except http_body.BodyError as error:
            self._refuse(Refused(400, 27, str(error)), comment)
            return
        except ConnectionError:
            raise
        except Exception as error:  # a mistake of ours must come out as an answer, not as a dropped connection
            logger.exception("a statement failed")
            self._refuse(Refused(500, 1002, repr(error)), comment)
            return
        elapsed = time.monotonic() - started
        if elapsed > SLOW_SECONDS:
            logger.warning("slow %.1f s %s", elapsed, comment or request.sql[:200])
        kind = request.output_format
        headers = {
            "Content-Type": _CONTENT_TYPES.get(kind.lower(), "text/plain; charset=UTF-8"),
            "X-ClickHouse-Format": kind,
            "X-ClickHouse-Summary": json.dumps(outcome.summary),
        }
        self._answer(200, outcome.body, headers)

    def _check_token(self) -> None:
        if not hmac.compare_digest(_password(self.headers).encode(), self.server.token.encode()):
            raise Refused(403, 516, "Authentication failed: wrong user or password. (AUTHENTICATION_FAILED)")

    def _refuse(self, error: EngineError | Refused, comment: str) -> None:
        status = error.status if isinstance(error, Refused) else _STATUS.get(error.code, 500)
        logger.info("refused %s %s %s", error.code, comment, str(error)[:300])
        # Rows may be left unread on the stream; the next request would begin in the middle of them.
        self.close_connection = True
        self._answer(status, f"{error}\n".encode(), {"X-ClickHouse-Exception-Code": str(error.code)})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close" if self.close_connection else "Keep-Alive")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            return  # the client went away

    def log_message(self, *args: Any) -> None:
        """Queries are worth a line when they are slow or refused, and those have one."""


class AnalyticsServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], engine: Engine, token: str) -> None:
        super().__init__(address, Handler)
        self.engine = engine
        self.token = token

    def server_bind(self) -> None:
        # HTTPServer asks DNS for the host's name here; that can take seconds and is used for nothing.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.exception("a connection failed")


def _password(headers: Message) -> str:
    if key := headers.get("X-ClickHouse-Key"):
        return str(key)
    scheme, _, encoded = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return str(encoded)
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def serve(folder: Path, port: int, token: str) -> None:
    """Runs until SIGTERM or SIGINT."""
    engine = Engine(folder, SESSIONS, MEMORY_MEBIBYTES)
    server = AnalyticsServer(("127.0.0.1", port), engine, token)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()
    logger.info("analytics server ready on 127.0.0.1:%d, data in %s", server.server_port, folder)
    stop.wait()
    server.shutdown()
    server.server_close()
    try:
        engine.close(SHUTDOWN_SECONDS)
    except queue.Empty:
        logger.warning("a statement is still running; its client will see the connection close")
    # Every insert that was answered is on disk. Interpreter shutdown would only wait for engine threads.
    logging.shutdown()
    os._exit(0)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="tracing.analytics.server", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the store; one server each")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    token = os.environ.pop("SPANWISE_ANALYTICS_TOKEN", "")
    if not token:
        sys.exit("SPANWISE_ANALYTICS_TOKEN is empty: anybody on this machine could read every trace.")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    serve(options.data.resolve(), options.port, token)


if __name__ == "__main__":
    main()
