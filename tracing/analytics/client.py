"""The one connection to the analytics database: an ordinary ClickHouse HTTP client, shared by all threads.

Everything that can go wrong on the way comes out as one of three errors of `config.errors`: `Unavailable` (try
later), `TooExpensive` (ask for less), or a plain exception for statements that are wrong in themselves.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError
from clickhouse_connect.driver.httpclient import HttpClient
from clickhouse_connect.driver.httputil import get_pool_manager
from django.conf import settings
from urllib3.exceptions import HTTPError

from config.errors import TooExpensive, Unavailable
from tracing.analytics.backends.errors import AWAY, TOO_EXPENSIVE, UNAVAILABLE, OutOfMemory, StoreAway

CONNECT_SECONDS = 3
ANSWER_SECONDS = 120
CONNECTIONS = 32
#: A supervisor needs about a second to bring a crashed server back.
RETRY_PAUSES_SECONDS = (0.1, 0.4, 1.5)
#: Whoever was refused because others use the memory right now asks once more before it is called too much.
CROWDED_PAUSES_SECONDS = (0.5,)
_ALL_TOGETHER = "(total) memory limit exceeded"

#: ClickHouse codes for "this query wants more than it may have".
_MEMORY = 241
_TOO_EXPENSIVE = {158, 159, 160, 161, 241, 307, 396, 439}
#: … and for "not now": no space, too many queries or parts, read-only, shutting down, network, keeper.
_UNAVAILABLE = {75, 202, 209, 210, 225, 236, 242, 243, 252, 279, 285, 286, 319, 394, 425, 999}
_FULL_DISK = os.strerror(errno.ENOSPC)
#: … and for rows that are wrong in themselves: values that cannot be parsed, converted or held by their column.
BAD_ROWS = {
    *(6, 7, 25, 26, 27, 38, 41, 53, 69, 70, 72, 117, 128, 130, 131, 190),
    *(321, 349, 376, 407, 441, 467, 563, 632, 691),
}


T = TypeVar("T")
_lock = threading.Lock()
_current: tuple[tuple[Any, ...], Client] | None = None


def call(work: Callable[[Client], T], retry: bool = True, crowded_pauses: Sequence[float] | None = None) -> T:
    """Runs `work` on the client. `retry` only for what may safely happen twice."""
    crowded_pauses = CROWDED_PAUSES_SECONDS if crowded_pauses is None else crowded_pauses
    pauses = iter(RETRY_PAUSES_SECONDS if retry else ())
    crowded = iter(crowded_pauses if retry else ())
    while True:
        try:
            return work(_client())
        except (ClickHouseError, HTTPError, OSError) as error:
            problem = _problem(error)
            pause = None
            if isinstance(problem, Unavailable):
                pause = next(pauses, None)
            elif _ALL_TOGETHER in str(error):
                pause = next(crowded, None)
            if pause is None:
                raise problem from error
        time.sleep(pause)


def is_reachable() -> bool:
    try:
        return bool(_client().ping())
    except (ClickHouseError, HTTPError, OSError):
        return False


def _problem(error: Exception) -> Exception:
    code = getattr(error, "code", None)
    if isinstance(error, DatabaseError) and code:
        if code in _TOO_EXPENSIVE:
            kind = OutOfMemory if code == _MEMORY else TooExpensive
            return kind(TOO_EXPENSIVE)
        if code in _UNAVAILABLE or (code not in BAD_ROWS and _FULL_DISK in str(error)):
            return Unavailable(UNAVAILABLE)
        return error
    return StoreAway(AWAY)


def _client() -> Client:
    """Made on first use, again after a fork or when the address changes. It has no session, so threads share it."""
    global _current
    wanted: tuple[Any, ...] = tuple(
        getattr(settings, f"CLICKHOUSE_{name}") for name in ("URL", "USER", "PASSWORD", "DB")
    )
    wanted = (os.getpid(), *wanted)
    current = _current
    if current is None or current[0] != wanted:
        with _lock:
            if _current is None or _current[0] != wanted:
                _current = (wanted, _connect())
            current = _current
    return current[1]


def _connect() -> Client:
    address = urlsplit(settings.CLICKHOUSE_URL)
    is_https = address.scheme == "https"
    return HttpClient(
        interface=address.scheme or "http",
        host=address.hostname or "127.0.0.1",
        port=address.port or (8443 if is_https else 8123),
        username=unquote(address.username or "") or settings.CLICKHOUSE_USER,
        password=unquote(address.password or "") or settings.CLICKHOUSE_PASSWORD,
        database=settings.CLICKHOUSE_DB,
        proxy_path=address.path,
        # Compressing for the loopback costs more than it saves.
        compress=address.hostname not in ("127.0.0.1", "localhost", "::1"),
        connect_timeout=CONNECT_SECONDS,
        send_receive_timeout=ANSWER_SECONDS,
        autogenerate_session_id=False,
        autogenerate_query_id=False,
        query_retries=0,
        pool_mgr=get_pool_manager(maxsize=CONNECTIONS, num_pools=2),
    )
