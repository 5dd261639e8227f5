"""The records of the analytics store once more in MariaDB, as Doris would hold them: one row for each key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pymysql
from sqlalchemy import Column, Table, types

from tests.stores.doris.translate import shims, to_mariadb
from tests.stores.mariadb import MariaDB
from tracing.analytics import tables
from tracing.analytics.dialects import doris, doris_answers
from tracing.analytics.types import Map, Money, StringArray, Timestamp

TABLES: tuple[Table, ...] = (tables.observations, tables.traces, tables.scores)


def make_database(server: MariaDB, name: str) -> None:
    """With the tables of `tables.py` and the functions of Doris."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
        connection.select_db(name)
        for table in TABLES:
            columns = ", ".join(f"`{column.name}` {_kind(column)}" for column in table.columns)
            time = tables.KEYS[table.name][1]
            keys = f"KEY (`project_id`(64), `{time}`), KEY (`id`(64))"
            cursor.execute(f"CREATE TABLE `{table.name}` ({columns}, {keys})")
        for statement in shims():
            cursor.execute(statement)


def _kind(column: Column[Any]) -> str:
    match column.type:
        case Timestamp():
            return "DATETIME(6)"
        case Money():
            return "DECIMAL(38, 12)"
        case Map() | StringArray():
            return "LONGTEXT"
        case types.Boolean():
            return "BOOLEAN"
        case types.Float():
            return "DOUBLE"
        case types.Integer():
            return "BIGINT"
    return "LONGTEXT"


def load(connection: pymysql.Connection[Any], table: Table, records: Iterable[Any]) -> None:
    """Adds them. Records are unique by key and not deleted."""
    names = [column.name for column in table.columns]
    places = ", ".join(["%s"] * len(names))
    rows = [[_value(getattr(record, name)) for name in names] for record in records]
    if not rows:
        return
    columns = ", ".join(f"`{name}`" for name in names)
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO `{table.name}` ({columns}) VALUES ({places})", rows)


def _value(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
        case list():
            return orjson.dumps(value).decode()
        case dict():
            return orjson.dumps({key: _in_map(one) for key, one in value.items()}).decode()
    return value


def _in_map(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value


def answer(
    connection: pymysql.Connection[Any], statement: doris.Statement, *, is_plain: bool = False
) -> list[list[Any]]:
    """What the dialect's statement gives, as values."""
    with connection.cursor() as cursor:
        cursor.execute(to_mariadb(statement.sql), tuple(statement.parameters))
        found: Sequence[Sequence[Any]] = cursor.fetchall()
    return doris_answers.rows(statement.columns, found, is_plain=is_plain)
