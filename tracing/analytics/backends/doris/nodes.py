"""What the FE knows: its backends, and what became of loads."""

from __future__ import annotations

import logging
import re
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

import pymysql
from django.conf import settings
from pymysql.constants import ER
from pymysql.cursors import DictCursor

from tracing.analytics.backends.doris import pool
from tracing.analytics.backends.errors import UNAVAILABLE, StoreAway, TooOld

log = logging.getLogger(__name__)

#: States of a load. Committed rows are safe; visible ones can be read, too.
VISIBLE = "VISIBLE"
COMMITTED = frozenset({"COMMITTED", VISIBLE})
#: ended without a trace, or never begun
UNDONE = frozenset({"ABORTED", ""})

#: The first with TRY_CAST and to_json, which queries are made of.
_OLDEST = (4, 0, 0)
#: The one that documentation and sources were read of.
_MEANT = (4, 0, 6)
_VERSION = re.compile(r"doris-(\d+)\.(\d+)\.(\d+)")

#: Backends come and go rarely.
_KNOWN_SECONDS = 60.0
_known: tuple[float, tuple[Any, ...], list[dict[str, Any]]] | None = None


def backends() -> list[dict[str, Any]]:
    """Rows of SHOW BACKENDS; none where the user may not ask. Raises Unavailable."""
    global _known
    address = (settings.DORIS_FE_HTTP_URL, settings.DORIS_FE_QUERY_PORT)
    if _known is not None and _known[1] == address and time.monotonic() - _known[0] < _KNOWN_SECONDS:
        return _known[2]
    try:
        found = _ask("SHOW BACKENDS", database="")
    except pymysql.MySQLError as error:
        if not _is_denied(error):
            raise
        found = []
    if found:
        _known = (time.monotonic(), address, found)
    return found


def forget() -> None:
    """Ask anew the next time."""
    global _known
    _known = None


def _is_denied(error: pymysql.MySQLError) -> bool:
    code = error.args[0] if error.args else None
    return code in (ER.SPECIFIC_ACCESS_DENIED_ERROR, ER.ACCESS_DENIED_ERROR) or "denied" in str(error).lower()


def alive() -> int:
    """How many backends are at work; one where the user may not ask, for then nobody here can know."""
    forget()
    found = backends()
    return sum(str(one.get("Alive", "")).lower() == "true" for one in found) if found else 1


def registered() -> int:
    """How many backends there are, at work or not; 0 where the user may not ask."""
    forget()
    return len(backends())


def check_versions() -> None:
    """Raises TooOld for an FE or a BE before 4.0; of one before 4.0.6 the log has a warning. What tells no number,
    such as a build of one's own (0.0.0), may be anything, and passes."""
    [told] = _ask("SELECT @@version_comment AS told", database="")
    for text in {str(told["told"]), *(str(one.get("Version", "")) for one in backends())}:
        version = version_of(text)
        if version and version < _OLDEST:
            raise TooOld(f"{text} is too old: Apache Doris {_dotted(_MEANT)} or later is needed.")
        if version and version < _MEANT:
            log.warning("%s has faults that Apache Doris %s has not: see docs/doris.md.", text, _dotted(_MEANT))


def version_of(text: str) -> tuple[int, ...] | None:
    """Of "Doris version doris-4.0.6-rc01-59de8c4c524", as an FE tells it, or "doris-4.0.6-…", as a BE does."""
    found = _VERSION.search(text)
    version = tuple(map(int, found.groups())) if found else ()
    return version if any(version) else None


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def may_be_called(address: SplitResult) -> bool:
    """Whether our password may be sent there: to the FE's own host, its backends, and what the settings name."""
    if address.scheme not in ("http", "https") or not address.hostname:
        return False
    named = [settings.DORIS_FE_HTTP_URL, settings.DORIS_BE_HTTP_URL]
    hosts = {urlsplit(one).hostname for one in named if one} | {one.lower() for one in settings.DORIS_BE_HOSTS}
    if address.hostname in hosts:
        return True
    return address.hostname in {str(one.get("Host", "")).lower() for one in backends()}


def state_of_load(label: str) -> str:
    """Of the last load under this label; empty when there was none. Raises Unavailable, also where the user may not
    ask: then nobody here knows, and the load is sent again, which its label makes safe."""
    # A label that was given up may have been used again: what was committed under it counts.
    name = settings.DORIS_DB.replace("`", "")
    try:
        found = _ask(f"SHOW TRANSACTION FROM `{name}` WHERE LABEL = %s", label)
    except pymysql.MySQLError as error:
        # A label that nobody used is an error there, and not an answer of no rows.
        if "does not exist" in str(error).lower():
            return ""
        raise StoreAway(UNAVAILABLE) from error
    states = [str(row.get("TransactionStatus", "")).upper() for row in found]
    return next((state for state in states if state in COMMITTED), states[-1] if states else "")


def _ask(sql: str, *values: Any, database: str | None = None) -> list[dict[str, Any]]:
    def work(connection: pool.Connection) -> list[dict[str, Any]]:
        with connection.cursor(DictCursor) as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall())

    return pool.call(work, database=database)
