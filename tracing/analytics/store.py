"""The only door to the analytics database: insert, select, rows, records, delete, ping.

Queries begin with `select(scope, table, …)`, which puts the project in, and are handed to `rows` or `records`,
which refuse a query that reads any table without it.
"""

from __future__ import annotations

import time
from collections import namedtuple
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from sqlalchemy import ColumnElement, FromClause, Select, Table
from sqlalchemy import select as sqlalchemy_select
from sqlalchemy.sql import ClauseElement

from config.errors import SpanwiseError
from tracing.analytics import answers, backends, decode, paging, pieces, tables, tenancy, versions
from tracing.analytics import functions as fn
from tracing.analytics.pieces import Encoded as Encoded
from tracing.analytics.records import EPOCH, Observation, Score, Trace

if TYPE_CHECKING:
    from accounts.access import ProjectScope

_inserts = ThreadPoolExecutor(4, "analytics-insert")

Record = TypeVar("Record", Observation, Trace, Score)


def encoded(observations: Sequence[Observation]) -> Encoded | None:
    """Made before it is known what else goes with them."""
    return pieces.encoded(observations, backends.current().encode) if observations else None


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
    backend = backends.current()
    parts = [part for part in (ready, encoded(observations)) if part is not None]
    others = [
        (table.name, pieces.encoded(records, backend.encode))
        for table, records in ((tables.traces, traces), (tables.scores, scores))
        if records
    ]
    waiting = [_inserts.submit(backend.insert, name, [part]) for name, part in others]
    try:
        if parts:
            backend.insert(tables.observations.name, parts)
    finally:
        wait(waiting)
        # Also of a failed insert some rows may be there.
        versions.changed(frozenset().union(*(part.projects for part in (*parts, *(part for _, part in others)))))
    for insertion in waiting:
        insertion.result()


def is_own_trouble(error: Exception) -> bool:
    """Whether a query or an insert failed for anything but its rows, so that these may be stored later."""
    return backends.current().is_own_trouble(error)


def takes_rows() -> bool:
    """Whether anything can be stored at all: a small insert into each table, which leaves deleted rows of nobody."""
    fixed: dict[str, Any] = {"project_id": "", "id": "probe", "row_version": _now_version(), "is_deleted": True}
    try:
        insert(
            observations=[Observation(**fixed, trace_id="", start_time=EPOCH)],
            traces=[Trace(**fixed, timestamp=EPOCH)],
            scores=[Score(**fixed, timestamp=EPOCH, name="")],
        )
    except Exception as error:
        if isinstance(error, SpanwiseError) or backends.current().is_error(error):
            return False
        raise
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
    backend = backends.current()
    statement = _compiled(scope, query)
    return backend.plain(statement, _answer(scope, statement, tag, is_anew, is_plain=True))


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
    if not backends.current().KEEPS_VERSIONS:
        page = paging.paged(select(scope, source, *columns).where(*where), source, before, oldest_first, limit)
        return (plain if as_plain else rows)(scope, page, tag=tag, is_anew=is_anew)
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
    found = select(
        scope,
        table,
        *(table.c[name] for name in tables.KEYS[table.name]),
        fn.greatest(table.c.row_version + 1, _now_version()).label("row_version"),
    ).where(where)
    backends.current().delete(found, table.name, _comment(scope, tag), partial(tenancy.check, scope))
    versions.changed([scope.project_id])


def ping() -> bool:
    return backends.current().is_reachable()


def explain(scope: ProjectScope, query: Select[Any]) -> str:
    """The plan with the indexes it uses, for tests and for people."""
    return backends.current().explain(_compiled(scope, query))


def _fetch(
    scope: ProjectScope, query: ClauseElement, tag: str, is_anew: bool, most_rows: int | None = None
) -> tuple[tuple[str, ...], Iterable[Sequence[Any]]]:
    statement = _compiled(scope, query)
    return backends.current().table(statement, _answer(scope, statement, tag, is_anew, most_rows=most_rows))


def _answer(
    scope: ProjectScope,
    statement: backends.Statement,
    tag: str,
    is_anew: bool,
    *,
    is_plain: bool = False,
    most_rows: int | None = None,
) -> bytes:
    comment = _comment(scope, tag)

    def ask() -> bytes:
        return backends.current().ask(statement, comment, is_plain=is_plain, most_rows=most_rows)

    if is_anew:
        return ask()
    question = f"{statement.sql} {statement.parameters} {is_plain} {most_rows}"
    return answers.remembered(scope.project_id, question, ask)


def _compiled(scope: ProjectScope, query: ClauseElement) -> backends.Statement:
    """Raises NotScoped for a query that reads any table without the project."""
    statement: backends.Statement = backends.current().compile_query(query)
    tenancy.check(scope, statement.reads)
    return statement


def _comment(scope: ProjectScope, tag: str) -> str:
    if not tag:
        raise ValueError("every analytics query needs a tag")
    return orjson.dumps({"project": scope.project_id, "tag": tag}).decode()


def _now_version() -> int:
    return time.time_ns() // 1000


@lru_cache(maxsize=256)
def _row_class(names: tuple[str, ...]) -> Any:
    return namedtuple("Row", names, rename=True)
