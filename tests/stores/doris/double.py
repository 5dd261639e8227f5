"""A double of Apache Doris: an FE and a BE that take Stream Loads, and MySQL's protocol in front of a MariaDB.

`python -m tests.stores.doris.double` runs it until it is killed. It does what the documentation and the sources of
Doris say: what the FE answers, what a BE answers, how labels are remembered. What it cannot show is what Doris does.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pymysql

from tests.stores.doris import statements

_REGISTRY = """CREATE TABLE IF NOT EXISTS doris_double.labels (
    id BIGINT AUTO_INCREMENT PRIMARY KEY, label VARCHAR(128), db VARCHAR(64), state VARCHAR(16), row_count INT
)"""


@dataclass
class Double:
    """What the parts of one double share."""

    fe_port: int
    be_port: int
    query_port: int
    mariadb_port: int
    user: str
    password: str
    #: what goes wrong with the next loads, one after the other
    faults: list[dict[str, Any]] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self, part: str) -> dict[str, Any]:
        """Of those for the `fe` or the `be`."""
        with self.lock:
            for at, fault in enumerate(self.faults):
                if fault["part"] == part:
                    return self.faults.pop(at)
        return {}

    @contextmanager
    def connection(self, database: str | None = None) -> Iterator[Any]:
        options = {"user": "root", "charset": "utf8mb4", "collation": "utf8mb4_nopad_bin", "database": database}
        connection = pymysql.connect(host="127.0.0.1", port=self.mariadb_port, autocommit=False, **options)
        with closing(connection):
            yield connection

    def prepare(self) -> None:
        """Loads that a killed double was at work on are undone, as Doris does with those of a BE that is gone."""
        with self.connection() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE IF NOT EXISTS doris_double")
            cursor.execute(_REGISTRY)
            cursor.execute("UPDATE doris_double.labels SET state = 'ABORTED' WHERE state = 'PREPARE'")
            cursor.execute("CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s", (self.user, self.password))
            cursor.execute("GRANT ALL ON *.* TO %s@'%%'", (self.user,))
            connection.commit()

    def is_signed(self, header: str | None) -> bool:
        kind, _, signed = (header or "").partition(" ")
        return kind == "Basic" and b64decode(signed).decode() == f"{self.user}:{self.password}"


class _Part(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: Double

    def log_message(self, *_: object) -> None:
        pass

    def handle_expect_100(self) -> bool:
        return True  # each part says itself whether to go on

    def answer(self, status: int, fields: dict[str, Any], **headers: str) -> None:
        body = json.dumps(fields).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(BrokenPipeError):
            self.wfile.write(body)
        self.close_connection = True

    def drop(self) -> None:
        """The connection breaks off without an answer."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class Frontend(_Part):
    """Never takes a body: it says where to, and closes."""

    def do_PUT(self) -> None:
        if not self.double.is_signed(self.headers["Authorization"]):
            self.answer(401, {"msg": "Unauthorized", "code": 401})
        elif self.headers["Expect"] != "100-continue":
            self.answer(200, {"status": "FAILED", "msg": "There is no 100-continue header"})
        elif fault := self.double.next_fault("fe"):
            self._go_wrong(fault)
        else:
            self._redirect("127.0.0.1")

    def do_POST(self) -> None:
        """What goes wrong next: a list of faults."""
        self.double.faults[:] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(200, {})

    def _go_wrong(self, fault: dict[str, Any]) -> None:
        match fault["kind"]:
            case "elsewhere":
                self._redirect("somewhere.example")
            case "swallowed":  # by something in between that has followed the redirect itself
                self.answer(200, {"Status": "Success", "NumberLoadedRows": 0})
            case "failed":
                self.answer(200, {"status": "FAILED", "msg": fault["message"]})

    def _redirect(self, host: str) -> None:
        where = f"http://{self.double.user}:{self.double.password}@{host}:{self.double.be_port}{self.path}"
        self.answer(307, {}, Location=where)


class Backend(_Part):
    """Takes bodies, and remembers labels."""

    def do_GET(self) -> None:
        reason = self.double.reasons.get(self.path.rpartition("=")[2], "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reason)))
        self.end_headers()
        self.wfile.write(reason)

    def do_PUT(self) -> None:
        if not self.double.is_signed(self.headers["Authorization"]):
            self.answer(401, {"Status": "Fail", "Message": "no valid Basic authorization"})
            return
        _, _api, database, table, _what = self.path.split("/")
        label, fault = self.headers["label"], self.double.next_fault("be")
        if fault.get("kind") == "fail":
            self.answer(200, {"Status": "Fail", "Message": fault["message"]})
            return
        with self.double.connection(database) as connection:
            known = _state(connection, label)
            if known in ("PREPARE", "COMMITTED", "VISIBLE"):
                job = "RUNNING" if known == "PREPARE" else "FINISHED"
                message = f"Label [{label}] has already been used"
                self.answer(200, {"Status": "Label Already Exists", "ExistingJobStatus": job, "Message": message})
                return
            number = _begin(connection, label, database)
            try:
                self._load(connection, table, number, fault)
            except Exception:
                connection.rollback()
                _set_state(connection, number, "ABORTED")
                raise

    def _load(self, connection: Any, table: str, number: int, fault: dict[str, Any]) -> None:
        self.send_response_only(100)
        self.end_headers()
        length = int(self.headers["Content-Length"])
        if fault.get("kind") == "drop in the middle":
            self.rfile.read(length // 2)
            _set_state(connection, number, "ABORTED")
            self.drop()
            return
        body = self.rfile.read(length)
        if len(body) < length:
            _set_state(connection, number, "ABORTED")
            return
        if fault.get("kind") == "drop, then commit":
            self.drop()
        time.sleep(fault.get("seconds", 0))
        rows = [json.loads(line) for line in body.split(b"\n")]
        try:
            statements.upsert(connection, table, rows)
        except (pymysql.DataError, pymysql.OperationalError, pymysql.IntegrityError, statements.Filtered) as error:
            self._filtered(connection, number, len(rows), str(error))
            return
        is_late = fault.get("kind") == "publish timeout"
        _set_state(connection, number, "COMMITTED" if is_late else "VISIBLE", len(rows))
        if fault.get("kind") == "drop after commit":
            self.drop()
        if self.close_connection and fault.get("kind", "").startswith("drop"):
            return
        counts = {"NumberTotalRows": len(rows), "NumberLoadedRows": len(rows), "NumberFilteredRows": 0}
        self.answer(200, {"Status": "Publish Timeout" if is_late else "Success", "Message": "OK", **counts})
        if is_late:
            time.sleep(0.3)
            _set_state(connection, number, "VISIBLE")

    def _filtered(self, connection: Any, number: int, count: int, reason: str) -> None:
        connection.rollback()
        _set_state(connection, number, "ABORTED")
        self.double.reasons[str(number)] = f"Reason: {reason}"
        url = f"http://127.0.0.1:{self.double.be_port}/api/_load_error_log?file={number}"
        counts = {"NumberTotalRows": count, "NumberLoadedRows": 0, "NumberFilteredRows": 1}
        message = "[DATA_QUALITY_ERROR]too many filtered rows"
        self.answer(200, {"Status": "Fail", "Message": message, "ErrorURL": url, **counts})


def _state(connection: Any, label: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM doris_double.labels WHERE label = %s ORDER BY id DESC LIMIT 1", (label,))
        return str((cursor.fetchone() or ("",))[0])


def _begin(connection: Any, label: str, database: str) -> int:
    with connection.cursor() as cursor:
        values = (label, database)
        cursor.execute("INSERT INTO doris_double.labels (label, db, state) VALUES (%s, %s, 'PREPARE')", values)
        connection.commit()
        return int(cursor.lastrowid)


def _set_state(connection: Any, number: int, state: str, row_count: int | None = None) -> None:
    """Commits, with it, what was written before."""
    with connection.cursor() as cursor:
        sql = "UPDATE doris_double.labels SET state = %s, row_count = COALESCE(%s, row_count) WHERE id = %s"
        cursor.execute(sql, (state, row_count, number))
    connection.commit()


# --- MySQL's protocol ------------------------------------------------------------------------------------
_MOST_IN_PACKET = 0xFFFFFF
_QUERY = b"\x03"


class Queries(threading.Thread):
    """Stands between a client and MariaDB, and makes of each statement one that MariaDB understands."""

    def __init__(self, double: Double) -> None:
        super().__init__(daemon=True)
        self._double = double
        self._door = socket.create_server(("127.0.0.1", double.query_port), reuse_port=False)

    def run(self) -> None:
        while True:
            client, _ = self._door.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        address = ("127.0.0.1", self._double.mariadb_port)
        with suppress(OSError), client, socket.create_connection(address) as server:
            threading.Thread(target=_pump, args=(server, client), daemon=True).start()
            while (packet := _packet(client)) is not None:
                number, payload = packet
                if payload[:1] == _QUERY and number == 0:
                    sql = payload[1:].decode("utf-8", "surrogateescape")
                    payload = _QUERY + self._translated(sql).encode("utf-8", "surrogateescape")
                _send(server, number, payload)

    def _translated(self, sql: str) -> str:
        if made := statements.made_database(sql):
            with self._double.connection() as connection:
                statements.make_database(connection, made)
        told = statements.translated(sql, self._double.be_port)
        return statements.unknown_label() if sql.startswith("SHOW TRANSACTION") and self._is_empty(told) else told

    def _is_empty(self, sql: str) -> bool:
        with self._double.connection() as connection, connection.cursor() as cursor:
            return not cursor.execute(sql)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def _packet(source: socket.socket) -> tuple[int, bytes] | None:
    """The number of the first packet, and what it carries with those that go on with it."""
    payload, first = b"", -1
    while True:
        head = _exactly(source, 4)
        if head is None:
            return None
        length = int.from_bytes(head[:3], "little")
        first = head[3] if first < 0 else first
        part = _exactly(source, length)
        if part is None:
            return None
        payload += part
        if length < _MOST_IN_PACKET:
            return first, payload


def _exactly(source: socket.socket, count: int) -> bytes | None:
    parts = []
    while count:
        part = source.recv(min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _send(target: socket.socket, number: int, payload: bytes) -> None:
    while True:
        part, payload = payload[:_MOST_IN_PACKET], payload[_MOST_IN_PACKET:]
        target.sendall(len(part).to_bytes(3, "little") + bytes([number % 256]) + part)
        if len(part) < _MOST_IN_PACKET:
            return
        number += 1


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("fe", "be", "query", "mariadb"):
        parser.add_argument(f"--{name}-port", type=int, required=True)
    parser.add_argument("--user", required=True)
    double = Double(**vars(parser.parse_args()), password=os.environ["DOUBLE_PASSWORD"])
    double.prepare()
    Queries(double).start()
    for part, port in ((Backend, double.be_port), (Frontend, double.fe_port)):
        handler = type(part.__name__, (part,), {"double": double})
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
