"""What goes wrong with Doris, as the errors that the rest of the product knows.

Nearly all of them have one number (1105), so they are told apart by their text.
"""

from __future__ import annotations

import pymysql
from pymysql.constants import CR, ER

from config.errors import TooExpensive, Unavailable
from tracing.analytics.backends.errors import AWAY, TOO_EXPENSIVE, UNAVAILABLE, OutOfMemory, StoreAway

_LOST = {CR.CR_CONN_HOST_ERROR, CR.CR_CONNECTION_ERROR, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, 0}
_REFUSED = {ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, ER.CON_COUNT_ERROR, ER.BAD_DB_ERROR}
_MEMORY = ("mem_limit_exceeded", "mem limit", "memory limit", "memory not enough", "mem_alloc_failed")
_TIME = ("query timeout", "timeout when waiting", "timeout, query", "query_timeout", "execution timeout")
#: … and what is no matter of the statement: the same will do later.
NOT_NOW = (
    "reach limit of connections",
    "too_many_version",
    "-235",
    "alive backend",
    "no backend",
    "enough backend",
    "no queryable replica",
    "current running txns",
    "rpc failed",
    "not master",
    "schema change",
)


class BadRows(Exception):
    """Rows that are wrong in themselves: no load will ever take them."""


def problem_of(error: Exception) -> Exception:
    """The error to raise instead of one of the driver; itself for statements that are wrong in themselves."""
    if isinstance(error, OSError):
        return StoreAway(AWAY)
    text = str(error).lower()
    code = error.args[0] if error.args else None
    if isinstance(error, pymysql.InterfaceError) or code in _LOST:
        return StoreAway(AWAY)
    if any(sign in text for sign in _MEMORY):
        return OutOfMemory(TOO_EXPENSIVE)
    if any(sign in text for sign in _TIME):
        return TooExpensive(TOO_EXPENSIVE)
    if code in _REFUSED or any(sign in text for sign in NOT_NOW):
        return Unavailable(UNAVAILABLE)
    return error
