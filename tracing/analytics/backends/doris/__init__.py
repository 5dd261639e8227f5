"""Apache Doris 4.0.6 and later: queries over MySQL's protocol, rows by Stream Load."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pymysql
from django.conf import settings
from pymysql.constants import FIELD_TYPE
from pymysql.cursors import SSCursor
from sqlalchemy import Select

from config.errors import TooExpensive, Unavailable
from tracing.analytics import pieces
from tracing.analytics.backends.doris import encode as rows_of
from tracing.analytics.backends.doris import nodes, pool, stream_load
from tracing.analytics.backends.doris.errors import BadRows
from tracing.analytics.backends.errors import TOO_EXPENSIVE, StoreAway
from tracing.analytics.dialects import doris_answers
from tracing.analytics.dialects.doris import Statement
from tracing.analytics.dialects.doris import compile_query as compile_query
from tracing.analytics.records import Observation, Score, Trace
from tracing.analytics.tenancy import Read

FOLDER = Path(__file__).parent.parent.parent / "schema" / "doris"
KEEPS_VERSIONS = False
#: The FE is a Java process that waits for its BE, which registers itself a minute later.
STARTING_SECONDS = 300.0

LIMITS = {"max_result_bytes": 256 << 20}
#: tombstones of one load
_DELETED_AT_ONCE = 20_000
_RECORDS: dict[str, type[Any]] = {"observations": Observation, "traces": Trace, "scores": Score}

_HISTORY = """CREATE TABLE IF NOT EXISTS schema_history (
    version INT NOT NULL, name VARCHAR(255) NOT NULL, checksum VARCHAR(64) NOT NULL, applied_at DATETIME NOT NULL
) ENGINE = OLAP UNIQUE KEY (version) DISTRIBUTED BY HASH (version) BUCKETS 1
PROPERTIES ("replication_num" = "{replication_num}")"""


# --- Reading ---------------------------------------------------------------------------------------------
def ask(statement: Statement, comment: str, *, is_plain: bool, most_rows: int | None) -> bytes:
    """A JSON list of the places of decimals, and a line for each row.

    `most_rows` is not asked for: the database cannot tell beforehand how many it will read.
    """
    sql = f"/* {_in_comment(comment)} */ {statement.sql}"
    return pool.call(lambda connection: _read(connection, sql, statement.parameters))


def _read(connection: pool.Connection, sql: str, parameters: Sequence[Any]) -> bytes:
    with _as_it_comes(connection) as cursor:
        cursor.execute(sql, tuple(parameters))
        kinds = [column[1] for column in cursor.description or ()]
        lines = [orjson.dumps([at for at, kind in enumerate(kinds) if kind == FIELD_TYPE.NEWDECIMAL])]
        size = 0
        while (row := cursor.fetchone()) is not None:
            lines.append(orjson.dumps(row, _text))
            size += len(lines[-1])
            if size > LIMITS["max_result_bytes"]:
                raise TooExpensive(TOO_EXPENSIVE)
    return b"\n".join(lines)


@contextmanager
def _as_it_comes(connection: pool.Connection) -> Iterator[SSCursor]:
    """A cursor for an answer of any size. One that is left in the middle is given up, as the pool closes its
    connection: pymysql would read the rest, however much that is, and complain where the connection is gone."""
    cursor = connection.cursor(SSCursor)
    try:
        yield cursor
    except BaseException:
        if cursor._result is not None:
            cursor._result.unbuffered_active = False
        cursor.connection = None
        raise
    cursor.close()


def _text(value: Any) -> str:
    """Of what JSON has not: decimals, and texts that come without a character set."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _in_comment(text: str) -> str:
    """Neither its end, nor the end of it, nor a mark of a parameter."""
    return re.sub(r"[*/%]", " ", text)


def table(statement: Statement, answer: bytes) -> tuple[tuple[str, ...], Iterable[Sequence[Any]]]:
    names = tuple(column.name for column in statement.columns)
    return names, doris_answers.rows(statement.columns, _found(answer))


def plain(statement: Statement, answer: bytes) -> list[list[Any]]:
    return doris_answers.rows(statement.columns, _found(answer), is_plain=True)


def _found(answer: bytes) -> list[list[Any]]:
    first, *lines = answer.split(b"\n")
    decimals = orjson.loads(first)
    rows = [orjson.loads(line) for line in lines]
    for at in decimals:
        for row in rows:
            if row[at] is not None:
                row[at] = Decimal(row[at])
    return rows


def explain(statement: Statement) -> str:
    def work(connection: pool.Connection) -> str:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {statement.sql}", tuple(statement.parameters))
            return "\n".join(" ".join(map(str, row)) for row in cursor.fetchall())

    return pool.call(work)


# --- Writing ---------------------------------------------------------------------------------------------
def encode(records: Sequence[Any]) -> tuple[list[str], bytes]:
    return rows_of.rows(records)


def insert(table: str, parts: Sequence[pieces.Encoded]) -> None:
    for body in pieces.pieces(parts):
        stream_load.load(table, body)


def delete(rows: Select[Any], table: str, comment: str, check: Callable[[Sequence[Read]], None]) -> None:
    """Some thousand at a time: what was deleted is not found again. A load knows what is done with it when its answer
    does not come, which an INSERT of what a SELECT finds does not."""
    statement = compile_query(rows.limit(_DELETED_AT_ONCE))
    check(statement.reads)
    while True:
        names, found = _table(statement, comment)
        deleted = [_RECORDS[table](**_tombstone(dict(zip(names, row, strict=True)))) for row in found]
        if deleted:
            insert(table, [pieces.encoded(deleted, encode)])
        if len(deleted) < _DELETED_AT_ONCE:
            return


def _table(statement: Statement, comment: str) -> tuple[tuple[str, ...], Iterable[Sequence[Any]]]:
    return table(statement, ask(statement, comment, is_plain=False, most_rows=None))


def _tombstone(key: dict[str, Any]) -> dict[str, Any]:
    """Values of a record that is nothing but deleted. Those it needs besides its key are a score's name."""
    return {"name": "", **key, "is_deleted": True}


# --- Errors ----------------------------------------------------------------------------------------------
def is_own_trouble(error: Exception) -> bool:
    return isinstance(error, StoreAway | TooExpensive | pymysql.MySQLError)


def is_error(error: Exception) -> bool:
    return isinstance(error, pymysql.MySQLError | BadRows)


def is_reachable() -> bool:
    try:
        pool.call(lambda connection: connection.query("SELECT 1"), retry=False)
    except (Unavailable, TooExpensive, pymysql.MySQLError):
        return False
    return True


# --- Schema ----------------------------------------------------------------------------------------------
def is_ready() -> bool:
    """An FE answers long before it has a BE to make tables on. Raises TooOld."""
    try:
        if not nodes.alive():
            return False
        nodes.check_versions()
    except (Unavailable, TooExpensive, pymysql.MySQLError):
        return False
    return True


def make_history() -> None:
    name = settings.DORIS_DB.replace("`", "")
    execute(f"CREATE DATABASE IF NOT EXISTS `{name}`", database="")
    run(_HISTORY)


def applied() -> dict[int, str]:
    def work(connection: pool.Connection) -> dict[int, str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT version, checksum FROM schema_history")
            return {int(version): str(checksum) for version, checksum in cursor.fetchall()}

    return pool.call(work)


def run(sql: str) -> None:
    """`{replication_num}` and `{buckets}` in it are numbers of the settings."""
    # By those that there are, and not by those that are up so far: tables keep the number for ever. Where three are
    # wanted and not there yet, making a table fails, and the start is repeated.
    copies = settings.DORIS_REPLICATION_NUM or (3 if nodes.registered() >= 3 else 1)
    numbers = {"{replication_num}": str(copies), "{buckets}": str(settings.DORIS_BUCKETS)}
    for name, number in numbers.items():
        sql = sql.replace(name, number)
    execute(sql)


def remember(version: int, name: str, checksum: str) -> None:
    sql = "INSERT INTO schema_history (version, name, checksum, applied_at) VALUES (%s, %s, %s, now())"
    execute(sql, version, name, checksum)


def execute(sql: str, *values: Any, database: str | None = None) -> None:
    def work(connection: pool.Connection) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)

    pool.call(work, database=database)
