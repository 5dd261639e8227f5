"""A double of Doris as a child process, with the MariaDB that keeps its rows."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from django.conf import settings

from config.ports import free_port
from tests.stores.mariadb import MariaDB, mariadb
from tests.stores.programs import Server

USER = "spanwise"
#: one that addresses and headers must not be confused by
PASSWORD = "p@ss:w/ord"
_ROOT = Path(__file__).resolve().parents[3]


@dataclass
class DorisDouble:
    store: MariaDB
    fe_port: int
    be_port: int
    query_port: int
    database: str
    #: None for one that somebody else started
    server: Server | None

    @property
    def settings(self) -> dict[str, Any]:
        """Where it is, as Django's settings have it."""
        return {
            "DORIS_FE_HTTP_URL": f"http://127.0.0.1:{self.fe_port}",
            "DORIS_FE_QUERY_PORT": self.query_port,
            "DORIS_DB": self.database,
            "DORIS_USER": USER,
            "DORIS_PASSWORD": PASSWORD,
        }

    @property
    def environment(self) -> dict[str, str]:
        """What a deployment would be told."""
        return {"LANGFUSE_ANALYTICS_BACKEND": "doris", **{name: str(value) for name, value in self.settings.items()}}

    @property
    def ports(self) -> str:
        """For `running`, in another process."""
        return json.dumps([self.store.port, self.fe_port, self.be_port, self.query_port])

    def start(self) -> None:
        assert self.server is not None
        self.server.start()

    def kill(self) -> None:
        """The double alone: MariaDB is its disk."""
        assert self.server is not None
        self.server.kill()

    def stop(self) -> None:
        assert self.server is not None
        self.server.stop()
        self.store.stop()

    def go_wrong(self, *faults: dict[str, Any]) -> None:
        """What happens to the next loads, instead of what was to happen before."""
        httpx.post(f"http://127.0.0.1:{self.fe_port}/", content=json.dumps(faults)).raise_for_status()

    def ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """MariaDB itself, in its own words."""
        with self.store.connect(self.database) as connection, connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return [tuple(row) for row in cursor.fetchall()]


def doris_double() -> DorisDouble:
    """Made, with its MariaDB running. Skips the test where that is missing."""
    store = mariadb()
    store.start()
    ports = {name: free_port() for name in ("fe", "be", "query")}
    command = [sys.executable, "-m", "tests.stores.doris.double", "--user", USER]
    for name, port in {**ports, "mariadb": store.port}.items():
        command += [f"--{name}-port", str(port)]
    environment = {"DOUBLE_PASSWORD": PASSWORD, "PYTHONPATH": str(_ROOT)}
    server = Server(command, store.folder, lambda: _answers(ports["fe"]), environment=environment)
    database = f"spanwise_{uuid4().hex[:8]}"
    return DorisDouble(store, ports["fe"], ports["be"], ports["query"], database, server)


@contextmanager
def started_double() -> Iterator[DorisDouble]:
    double = doris_double()
    try:
        double.start()
        yield double
    finally:
        double.stop()


def running(ports: str, database: str) -> DorisDouble:
    """One that another process has started, with a database of its own."""
    store, *others = json.loads(ports)
    return DorisDouble(MariaDB(Path(), store), *others, database, None)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def pointed_at(double: DorisDouble) -> Iterator[None]:
    """Django's settings name this double meanwhile."""
    names = {"ANALYTICS_BACKEND": "doris", **double.settings}
    before = {name: getattr(settings, name) for name in names}
    for name, value in names.items():
        setattr(settings, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)
