"""Connections to the FE, which speaks MySQL's protocol. Threads share them, one at a time each."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pymysql
from django.conf import settings
from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions

from config.errors import Unavailable
from tracing.analytics.backends.doris.errors import problem_of
from tracing.analytics.backends.errors import UNAVAILABLE

CONNECT_SECONDS = 3
QUERY_SECONDS = 20
QUERY_MEMORY_BYTES = 600 << 20
#: The database ends a query itself; this is for one that is gone without a word.
_ANSWER_SECONDS = QUERY_SECONDS + 10
#: for how long a thread waits while all connections are in use
_WAIT_SECONDS = 10
#: An FE that restarts is away for longer, but then another one may answer behind the same name.
RETRY_PAUSES_SECONDS = (0.1, 0.4, 1.5)

#: `time_zone` makes times UTC; `sql_mode` keeps the backslash an escape in texts, as pymysql writes them, whatever the
#: server's own is. Only variables that all supported versions have may stand here: others are errors.
_SESSION = (
    f"SET time_zone = '+00:00', sql_mode = '', query_timeout = {QUERY_SECONDS}, exec_mem_limit = {QUERY_MEMORY_BYTES}"
)
#: Times stay text, which need not be parsed where it goes out as JSON again.
_CONVERSIONS = {
    **conversions,
    FIELD_TYPE.DATETIME: str,
    FIELD_TYPE.TIMESTAMP: str,
    FIELD_TYPE.DATE: str,
    FIELD_TYPE.TIME: str,
}

#: of pymysql, which has no types
Connection = Any
T = TypeVar("T")


class Pool:
    """Connections are made when they are needed, at most so many, and kept."""

    def __init__(self, connect: Callable[[], Connection], most: int) -> None:
        self._connect = connect
        self._places = threading.BoundedSemaphore(most)
        self._idle: list[Connection] = []

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """One for this thread alone. After any error it is closed, not used again: who knows in what state it is."""
        if not self._places.acquire(timeout=_WAIT_SECONDS):
            raise Unavailable(UNAVAILABLE)
        try:
            connection = self._idle_one() or self._connect()
            try:
                yield connection
            except BaseException:
                connection._force_close()
                raise
            self._idle.append(connection)
        finally:
            self._places.release()

    def forget_idle(self) -> None:
        """They were lost with the one that was."""
        while connection := self._idle_one():
            connection._force_close()

    def _idle_one(self) -> Connection | None:
        """None when there is none; another thread may take the last one at the same moment."""
        try:
            return self._idle.pop()
        except IndexError:
            return None


_lock = threading.Lock()
_current: tuple[tuple[Any, ...], Pool] | None = None


def call(work: Callable[[Connection], T], *, retry: bool = True, database: str | None = None) -> T:
    """Runs `work` on a connection. `retry` only for what may safely happen twice. `database` is another than the one of
    the settings, "" none at all."""
    pauses = iter(RETRY_PAUSES_SECONDS if retry else ())
    while True:
        try:
            if database is not None:
                return _on_its_own(work, database)
            pool = _pool()
            try:
                with pool.connection() as connection:
                    return work(connection)
            except (pymysql.InterfaceError, pymysql.OperationalError):
                pool.forget_idle()
                raise
        except (pymysql.MySQLError, OSError) as error:
            problem = problem_of(error)
            pause = next(pauses, None) if isinstance(problem, Unavailable) else None
            if pause is None:
                if problem is error:
                    raise
                raise problem from error
        time.sleep(pause)


def _on_its_own(work: Callable[[Connection], T], database: str) -> T:
    connection = _connect(database)
    try:
        return work(connection)
    finally:
        connection._force_close()


def _pool() -> Pool:
    """Made on first use, again after a fork or when the settings change."""
    global _current
    names = ("FE_HTTP_URL", "FE_QUERY_PORT", "DB", "USER", "PASSWORD", "SSL_CA", "MAX_OPEN_CONNECTIONS")
    wanted = (os.getpid(), *(getattr(settings, f"DORIS_{name}") for name in names))
    current = _current
    if current is None or current[0] != wanted:
        with _lock:
            if _current is None or _current[0] != wanted:
                pool = Pool(lambda: _connect(settings.DORIS_DB), max(1, settings.DORIS_MAX_OPEN_CONNECTIONS))
                _current = (wanted, pool)
            current = _current
    return current[1]


def _connect(database: str) -> Connection:
    return pymysql.connect(
        host=urlsplit(settings.DORIS_FE_HTTP_URL).hostname or "127.0.0.1",
        port=settings.DORIS_FE_QUERY_PORT,
        user=settings.DORIS_USER,
        password=settings.DORIS_PASSWORD,
        database=database or None,
        charset="utf8mb4",
        autocommit=True,
        init_command=_SESSION,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=_ANSWER_SECONDS,
        write_timeout=_ANSWER_SECONDS,
        conv=_CONVERSIONS,
        ssl={"ca": settings.DORIS_SSL_CA} if settings.DORIS_SSL_CA else None,
    )
