"""The only door to the analytics database: insert, select, rows, records, delete, ping.

Queries begin with `select(scope, table, …)`, which puts the project in, and are handed to `rows` or `records`,
which refuse a query that reads any table without it.
"""

from __future__ import annotations

import threading
import time
from collections import namedtuple
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from sqlalchemy import ColumnElement, FromClause, Select, Table, literal
from sqlalchemy import select as sqlalchemy_select
from sqlalchemy.sql import ClauseElement

from config.errors import SpanwiseError, TooExpensive
from tracing.analytics import answers, client, decode, paging, pieces, tables, tenancy, versions
from tracing.analytics import functions as fn
from tracing.analytics.dialects.clickhouse import Statement, compile_query
from tracing.analytics.pieces import Encoded as Encoded
from tracing.analytics.records import EPOCH, Observation, Score, Trace

if TYPE_CHECKING:
    from accounts.access import ProjectScope

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
_READ_SETTINGS: dict[str, Any] = {
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
_ROW_BY_ROW = {"max_block_size": 1, "max_threads": 1}
#: Even so one takes hundreds of megabytes. A page asks a dozen of them at once, which have to wait for each other.
_one_row_by_row = threading.Lock()
_ROW_BY_ROW_PAUSES_SECONDS = (0.5, 1.0, 2.0)
_PLAIN_SETTINGS = {**_READ_SETTINGS, "output_format_json_quote_decimals": 0}
_WRITE_SETTINGS: dict[str, Any] = {
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

_inserts = ThreadPoolExecutor(4, "analytics-insert")

Record = TypeVar("Record", Observation, Trace, Score)


def encoded(observations: Sequence[Observation]) -> Encoded | None:
    """Made before it is known what else goes with them."""
    return pieces.encoded(observations) if observations else None


def insert(
    *,
    observations: Sequence[Observation] = (),
    ready: Encoded | None = None,
    traces: Sequence[Trace] = (),
    scores: Sequence[Score] = (),
) -> None:
    """On disk when it returns. The same rows again change nothing. Raises `Unavailable` when the store is away.

    `ready` are further observations. The tables are written side by side: each insert waits for its own fsync.
    """
    parts = [part for part in (ready, encoded(observations)) if part is not None]
    others = [
        (table.name, pieces.encoded(records))
        for table, records in ((tables.traces, traces), (tables.scores, scores))
        if records
    ]
    waiting = [_inserts.submit(_insert, name, [part]) for name, part in others]
    try:
        _insert(tables.observations.name, parts)
    finally:
        wait(waiting)
        # Also of a failed insert some rows may be there.
        versions.changed(frozenset().union(*(part.projects for part in (*parts, *(part for _, part in others)))))
    for insertion in waiting:
        insertion.result()


def is_own_trouble(error: Exception) -> bool:
    """Whether a query or an insert failed for anything but its rows, so that these may be stored later."""
    if isinstance(error, ClickHouseError):
        return getattr(error, "code", None) not in client.BAD_ROWS
    return isinstance(error, client.StoreAway | TooExpensive)


def takes_rows() -> bool:
    """Whether anything can be stored at all: a small insert into each table, which leaves deleted rows of nobody."""
    fixed: dict[str, Any] = {"project_id": "", "id": "probe", "is_deleted": True}
    try:
        insert(
            observations=[Observation(**fixed, trace_id="", start_time=EPOCH)],
            traces=[Trace(**fixed, timestamp=EPOCH)],
            scores=[Score(**fixed, timestamp=EPOCH, name="")],
        )
    except (SpanwiseError, ClickHouseError):
        return False
    return True


def select(scope: ProjectScope, source: FromClause, *columns: Any) -> Select[Any]:
    """Rows of the scope's project in their newest version, deleted ones left out. All columns unless some are named.

    `source` is a table of `tables`, or an alias of one.
    """
    query = sqlalchemy_select(*(columns or (source,))).select_from(source)
    query = query.with_hint(source, "FINAL", "clickhouse")
    return query.where(source.c.project_id == scope.project_id)


def rows(
    scope: ProjectScope,
    query: Select[Any] | ClauseElement,
    *,
    tag: str,
    is_anew: bool = False,
    most_rows: int | None = None,
) -> list[Any]:
    """Named tuples, an attribute for each column or label. `tag` says in slow-query reports who asked; `is_anew` is for
    those who write by what they read, or ask whether the store is there: they are never answered from memory. Raises
    TooExpensive, before anything is read, where the indexes leave more than `most_rows` to look at."""
    names, values = _fetch(scope, query, tag, is_anew, most_rows)
    row = _row_class(names)
    return [row._make(value) for value in values]


def plain(scope: ProjectScope, query: Select[Any], *, tag: str, is_anew: bool = False) -> list[list[Any]]:
    """Rows as the store's own JSON has them: times are text in UTC ("2026-11-21 10:00:00.000000"), money is a number.

    For thousands of wide rows that go out as JSON again: Python's own values would take longer than reading them.
    """
    return decode.plain(_answer(scope, query, tag, _PLAIN_SETTINGS, is_anew))


def records(
    scope: ProjectScope, kind: type[Record], query: Select[Any], *, tag: str, is_anew: bool = False
) -> list[Record]:
    """Whole records, or records with defaults in the columns that were not selected."""
    names, values = _fetch(scope, query, tag, is_anew)
    with decode.collector_paused():
        return [kind(**dict(zip(names, value, strict=True))) for value in values]


def newest(
    scope: ProjectScope,
    source: FromClause,
    *columns: Any,
    where: Sequence[ColumnElement[bool]] = (),
    limit: int,
    before: Sequence[Any] | None = None,
    oldest_first: bool = False,
    as_plain: bool = False,
    tag: str,
    is_anew: bool = False,
) -> list[Any]:
    """The newest `limit` rows that fulfil `where`, as `rows` gives them, or as `plain` does. `before` is the key of the
    last row seen, as the columns after the project in `tables.KEYS` (with `oldest_first`: the rows after it).

    The same answer as `select(…).where(…).order_by(…).limit(…)`, at a cost that does not grow with the project: that
    one merges versions of everything before it can sort, this one finds keys first and merges only theirs.
    """
    # Conditions on nothing but the key are fulfilled by all versions of a row or by none: one look is enough.
    is_one_look = paging.depends_on_key(source, where)
    count = paging.few_versions(limit) if is_one_look else paging.chunk(limit)
    read = partial(plain if as_plain else rows, tag=tag, is_anew=is_anew)
    read_rows = partial(rows, tag=tag, is_anew=is_anew)
    found: list[Any] = []
    while len(found) < limit:
        looked_at = paging.versions(scope, source, columns if is_one_look else (), where, before, oldest_first, count)
        candidates, last = looked_at.rows((read if is_one_look else read_rows)(scope, looked_at.query))
        if is_one_look:
            found += [one for one in candidates if not looked_at.is_deleted(one)]
        elif candidates:
            keys = [(*looked_at.key_of(one), one[looked_at.version_at]) for one in candidates]
            chosen = select(scope, source, *columns).where(*paging.among(source, keys))
            found += read(scope, chosen.order_by(*paging.order(source, oldest_first)))
        if last is None:
            break
        # Nothing but versions of one row: more of them are needed to see past it.
        before, count = (last, count) if last else (before, count * 4)
    return found[:limit]


def delete(scope: ProjectScope, table: Table, where: ColumnElement[bool], *, tag: str) -> None:
    """Removes rows of the scope's project: unseen at once, off the disk with the next merge.

    Each row is overwritten by an empty one that says "deleted". Unlike a DELETE this costs what the rows cost and not
    what the table holds, and a row that is delivered again later stays deleted.
    """
    query = select(
        scope,
        table,
        *(table.c[name] for name in tables.KEYS[table.name]),
        fn.greatest(table.c.row_version + 1, _now_version()).label("row_version"),
        literal(True).label("is_deleted"),
    ).where(where)
    statement = _compiled(
        scope, table.insert().from_select([*tables.KEYS[table.name], "row_version", "is_deleted"], query)
    )
    settings = {**_READ_SETTINGS, "max_execution_time": 120, "log_comment": _comment(scope, tag)}
    # As a raw query, because a command's parameters go into its address, which has no room for many ids.
    client.call(lambda c: c.raw_query(statement.sql, parameters=statement.parameters, settings=settings))
    versions.changed([scope.project_id])


def ping() -> bool:
    return client.is_reachable()


def explain(scope: ProjectScope, query: Select[Any]) -> str:
    """The plan with the indexes it uses, for tests and for people."""
    statement = _compiled(scope, query)

    def work(c: Client) -> bytes:
        sql = f"EXPLAIN indexes = 1 {statement.sql}"
        return c.raw_query(sql, parameters=statement.parameters, fmt="TSVRaw", settings=_READ_SETTINGS)

    return client.call(work).decode()


def _fetch(
    scope: ProjectScope, query: ClauseElement, tag: str, is_anew: bool, most_rows: int | None = None
) -> tuple[tuple[str, ...], Iterable[list[Any]]]:
    settings = _READ_SETTINGS if most_rows is None else {**_READ_SETTINGS, "max_rows_to_read": most_rows}
    return decode.table(_answer(scope, query, tag, settings, is_anew))


def _answer(
    scope: ProjectScope, query: ClauseElement, tag: str, settings: dict[str, Any], is_anew: bool = False
) -> bytes:
    statement = _compiled(scope, query)

    def ask() -> bytes:
        return _raw(statement, {**settings, "log_comment": _comment(scope, tag)})

    if is_anew:
        return ask()
    return answers.remembered(scope.project_id, f"{statement.sql} {statement.parameters} {settings}", ask)


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
    except client.OutOfMemory:
        with _one_row_by_row:
            return ask({**settings, **_ROW_BY_ROW}, _ROW_BY_ROW_PAUSES_SECONDS)


def _compiled(scope: ProjectScope, query: ClauseElement) -> Statement:
    """Raises NotScoped for a query that reads any table without the project."""
    statement = compile_query(query)
    tenancy.check(scope, statement.reads)
    return statement


def _insert(table: str, parts: Sequence[Encoded]) -> None:
    for body in pieces.pieces(parts):
        _insert_body(table, parts[0].columns, body)


def _insert_body(table: str, columns: list[str], body: bytes) -> None:
    def work(c: Client) -> None:
        c.raw_insert(table, columns, body, fmt="JSONCompactEachRow", settings=_WRITE_SETTINGS)

    try:
        # Whoever inserts tries again, and must know how often: this very insert may be what ends the server.
        client.call(work, retry=False)
    except TooExpensive as error:
        # Nobody can narrow an insert; memory or disk will be there again later.
        raise client.StoreAway("The analytics store has no room for this right now.") from error


def _comment(scope: ProjectScope, tag: str) -> str:
    if not tag:
        raise ValueError("every analytics query needs a tag")
    return orjson.dumps({"project": scope.project_id, "tag": tag}).decode()


def _now_version() -> int:
    return time.time_ns() // 1000


@lru_cache(maxsize=256)
def _row_class(names: tuple[str, ...]) -> Any:
    return namedtuple("Row", names, rename=True)
