"""What the double does with statements and rows so that MariaDB can stand in for Doris."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.stores.doris.translate import shims, to_mariadb

_COLUMN = re.compile(r"^    (`\w+`) ([A-Z]+(?:<[A-Z]+>|\([\d, ]+\))?) (NOT NULL|NULL)", re.MULTILINE)
_KEY = re.compile(r"UNIQUE KEY \(([^)]*)\)")
_TRANSACTION = re.compile(r"SHOW TRANSACTION FROM `(\w+)` WHERE LABEL = ('[\w:-]+')")
_DATABASE = re.compile(r"CREATE DATABASE IF NOT EXISTS `(\w+)`")
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")
_KINDS = {"STRING": "LONGTEXT", "ARRAY<STRING>": "JSON"}
_VERSION = "doris-4.0.6-rc01-double"
#: MariaDB's keys have 3072 bytes.
_LONGEST_IN_KEY = 240


class Filtered(Exception):
    """A row that Doris would leave out."""


def made_database(sql: str) -> str | None:
    found = _DATABASE.match(sql)
    return found.group(1) if found else None


def make_database(connection: Any, name: str) -> None:
    """With the functions that Doris has and MariaDB has not."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE %s", (name,))
        if cursor.fetchone():
            return
        cursor.execute(f"CREATE DATABASE `{name}`")
        cursor.execute(f"USE `{name}`")
        for statement in shims():
            cursor.execute(statement)


def translated(sql: str, be_port: int) -> str:
    if sql.startswith("SET time_zone"):
        return "SET time_zone = '+00:00', sql_mode = ''"
    if sql == "SHOW BACKENDS":
        told = f"'127.0.0.1' AS Host, {be_port} AS HttpPort, 'true' AS Alive, '{_VERSION}' AS Version"
        return f"SELECT 10001 AS BackendId, {told}"
    if "@@version_comment" in sql:
        return sql.replace("@@version_comment", f"'Doris version {_VERSION}'")
    if found := _TRANSACTION.match(sql):
        columns = "id AS TransactionId, label AS Label, state AS TransactionStatus"
        where = f"db = '{found.group(1)}' AND label = {found.group(2)}"
        return f"SELECT {columns} FROM doris_double.labels WHERE {where} ORDER BY id"
    if sql.startswith("DROP DATABASE"):
        return sql.removesuffix(" FORCE")
    if _TABLE.search(sql):
        return _table(sql)
    return to_mariadb(sql)


def unknown_label() -> str:
    """Doris does not answer with no rows: a label that nobody used is an error."""
    return "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'transaction with label does not exist'"


def _table(sql: str) -> str:
    key = _KEY.search(sql)
    name = _TABLE.search(sql)
    assert key, sql
    assert name, sql
    columns = [_column(*found) for found in _COLUMN.findall(sql)] or _history_columns(sql)
    return f"CREATE TABLE IF NOT EXISTS {name.group(1)} ({', '.join(columns)}, PRIMARY KEY ({key.group(1)}))"


def _column(name: str, kind: str, null: str) -> str:
    if kind.startswith("VARCHAR"):
        kind = f"VARCHAR({_LONGEST_IN_KEY})"
    return f"{name} {_KINDS.get(kind, kind)} {null}"


def _history_columns(sql: str) -> list[str]:
    inside = sql[sql.index("(") + 1 : sql.index(") ENGINE")]
    return [part.strip() for part in re.split(r",\s*(?![^(]*\))", inside)]


def upsert(connection: Any, table: str, rows: list[dict[str, Any]]) -> None:
    """As a table of unique keys takes rows: of two with one key the one with the larger sequence stays, and of equal
    ones the later. Not committed yet."""
    with connection.cursor() as cursor:
        cursor.execute("SET sql_mode = 'STRICT_ALL_TABLES'")
        cursor.execute(
            "SELECT column_name, data_type, column_type FROM information_schema.columns "
            "WHERE table_schema = database() AND table_name = %s ORDER BY column_name = 'row_version'",
            (table,),
        )
        kinds = {str(name): str(kind) for name, kind, _ in cursor.fetchall()}
        # The sequence is compared last: MariaDB sets one column after the other.
        newer = ", ".join(
            f"`{name}` = IF(VALUES(`row_version`) >= `row_version`, VALUES(`{name}`), `{name}`)" for name in kinds
        )
        names = ", ".join(f"`{name}`" for name in kinds)
        marks = ", ".join(["%s"] * len(kinds))
        values = [[_value(row.get(name), kind) for name, kind in kinds.items()] for row in rows]
        sql = f"INSERT INTO `{table}` ({names}) VALUES ({marks}) ON DUPLICATE KEY UPDATE {newer}"
        cursor.executemany(sql, values)


def _value(value: Any, kind: str) -> Any:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)  # sorted by what it says
    if isinstance(value, dict | bool):
        raise Filtered(f"{value!r} is no {kind}")
    if kind == "datetime" and value is not None and not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", value):
        raise Filtered(f"{value!r} is no time")
    return value
