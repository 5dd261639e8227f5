"""ClickHouse, a server or the local chDB: both speak its HTTP interface."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from sqlalchemy import Select, literal

from config.errors import TooExpensive
from tracing.analytics import client, cluster, decode, pieces, tables
from tracing.analytics import encode as rows_of
from tracing.analytics.backends.errors import NO_ROOM, OutOfMemory, StoreAway
from tracing.analytics.dialects.clickhouse import Statement
from tracing.analytics.dialects.clickhouse import compile_query as compile_query
from tracing.analytics.tenancy import Read

FOLDER = Path(__file__).parent.parent / "schema" / "clickhouse"
KEEPS_VERSIONS = True
STARTING_SECONDS = 30.0

#: What one query may use. A refusal becomes `TooExpensive`.
LIMITS: dict[str, Any] = {
    "max_execution_time": 20,
    "max_memory_usage": 600 * 1024 * 1024,
    "max_rows_to_read": 200_000_000,
    "max_result_bytes": 256 * 1024 * 1024,
    "max_bytes_before_external_group_by": 200 * 1024 * 1024,
    "max_bytes_before_external_sort": 200 * 1024 * 1024,
    "max_threads": 2,
}
READ_SETTINGS: dict[str, Any] = {
    **LIMITS,
    # A row's key holds its time, so versions of one row are in one partition, and FINAL need not look across.
    "do_not_merge_across_partitions_select_final": 1,
    # Only conditions on the key go there, which cannot tell versions apart; the wide columns of other rows stay unread.
    "optimize_move_to_prewhere_if_final": 1,
    # Days, weeks and months before 1970 and after 2106 begin at times of their own, and not at the nearest of those.
    "enable_extended_results_for_datetime_functions": 1,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_decimals": 1,
    "output_format_json_validate_utf8": 1,
}
#: For few rows of tens of megabytes among many short ones: the engine sizes its blocks by the usual row, and keeps some
#: copies of a text while it looks into it. Slow, but a row at a time it fits.
ROW_BY_ROW = {"max_block_size": 1, "max_threads": 1}
#: Even so one takes hundreds of megabytes. A page asks a dozen of them at once, which have to wait for each other.
_one_row_by_row = threading.Lock()
_ROW_BY_ROW_PAUSES_SECONDS = (0.5, 1.0, 2.0)
PLAIN_SETTINGS = {**READ_SETTINGS, "output_format_json_quote_decimals": 0}
WRITE_SETTINGS: dict[str, Any] = {
    "date_time_input_format": "best_effort",
    # People backfill years: each month is a partition.
    "max_partitions_per_insert_block": 0,
    "input_format_parallel_parsing": 0,
    # Rows of a part in the making are in memory, in all columns: bounds it for short rows, as `pieces` does for long.
    "max_insert_block_size": 16384,
    "min_insert_block_size_rows": 16384,
    "min_insert_block_size_bytes": 32 * 1024 * 1024,
    "async_insert": 0,
    # The search indexes cost as much as all the rest of an insert. Merges build them; what has not been merged
    # yet is little, and is simply read.
    "exclude_materialize_skip_indexes_on_insert": "input_grams,output_grams,words_grams,text_grams",
}
_FORMAT = "JSONCompactEachRowWithNamesAndTypes"
_HISTORY = """CREATE TABLE IF NOT EXISTS schema_history (
    version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = MergeTree ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"""


# --- Reading ---------------------------------------------------------------------------------------------
def ask(statement: Statement, comment: str, *, is_plain: bool, most_rows: int | None) -> bytes:
    settings = {**(PLAIN_SETTINGS if is_plain else READ_SETTINGS), "log_comment": comment}
    if most_rows is not None:
        settings["max_rows_to_read"] = most_rows
    return _raw(statement, settings)


def table(_statement: Statement, answer: bytes) -> tuple[tuple[str, ...], Iterable[list[Any]]]:
    return decode.table(answer)


def plain(_statement: Statement, answer: bytes) -> list[list[Any]]:
    return decode.plain(answer)


def explain(statement: Statement) -> str:
    """The plan with the indexes it uses."""

    def work(c: Client) -> bytes:
        sql = f"EXPLAIN indexes = 1 {statement.sql}"
        return c.raw_query(sql, parameters=statement.parameters, fmt="TSVRaw", settings=READ_SETTINGS)

    return client.call(work).decode()


def _raw(statement: Statement, settings: dict[str, Any]) -> bytes:
    def ask(settings: dict[str, Any], crowded_pauses: Sequence[float] | None = None) -> bytes:
        return client.call(
            lambda c: c.raw_query(statement.sql, parameters=statement.parameters, settings=settings, fmt=_FORMAT),
            crowded_pauses=crowded_pauses,
        )

    if not statement.looks_into_texts:
        return ask(settings)
    try:
        return ask(settings, ())
    except OutOfMemory:
        with _one_row_by_row:
            return ask({**settings, **ROW_BY_ROW}, _ROW_BY_ROW_PAUSES_SECONDS)


# --- Writing ---------------------------------------------------------------------------------------------


def encode(records: Sequence[Any]) -> tuple[list[str], bytes]:
    return rows_of.rows(records)


def insert(table: str, parts: Sequence[pieces.Encoded]) -> None:
    for body in pieces.pieces(parts):
        insert_body(table, parts[0].columns, body)


def insert_body(table: str, columns: list[str], body: bytes) -> None:
    def work(c: Client) -> None:
        c.raw_insert(
            table, columns, body, fmt="JSONCompactEachRow", settings={**WRITE_SETTINGS, **cluster.write_settings()}
        )

    try:
        # Whoever inserts tries again, and must know how often: this very insert may be what ends the server.
        client.call(work, retry=False)
    except TooExpensive as error:
        # Nobody can narrow an insert; memory or disk will be there again later.
        raise StoreAway(NO_ROOM) from error


def delete(rows: Select[Any], table: str, comment: str, check: Callable[[Sequence[Read]], None]) -> None:
    target = tables.metadata.tables[table]
    columns = [*tables.KEYS[table], "row_version", "is_deleted"]
    statement = compile_query(target.insert().from_select(columns, rows.add_columns(literal(True).label("is_deleted"))))
    check(statement.reads)
    settings = {**READ_SETTINGS, **cluster.write_settings(), "max_execution_time": 120, "log_comment": comment}
    # As a raw query, because a command's parameters go into its address, which has no room for many ids.
    client.call(lambda c: c.raw_query(statement.sql, parameters=statement.parameters, settings=settings))


# --- Errors ----------------------------------------------------------------------------------------------
def is_own_trouble(error: Exception) -> bool:
    if isinstance(error, ClickHouseError):
        return getattr(error, "code", None) not in client.BAD_ROWS
    return isinstance(error, StoreAway | TooExpensive)


def is_error(error: Exception) -> bool:
    return isinstance(error, ClickHouseError)


is_reachable = client.is_reachable
is_ready = client.is_reachable


# --- Schema ----------------------------------------------------------------------------------------------
def make_history() -> None:
    run(_HISTORY)


def applied() -> dict[int, str]:
    result = client.call(lambda c: c.query("SELECT version, checksum FROM schema_history"))
    return {int(version): str(checksum) for version, checksum in result.result_rows}


def run(sql: str) -> None:
    client.call(lambda c: c.command(cluster.rendered(sql)))


def remember(version: int, name: str, checksum: str) -> None:
    row = [version, name, checksum]
    client.call(lambda c: c.insert("schema_history", [row], column_names=["version", "name", "checksum"]))
