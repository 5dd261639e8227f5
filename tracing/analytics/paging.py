"""Pages of a list by key: which rows come next, found without merging versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Alias, ColumnElement, FromClause, Select, and_, or_, select, tuple_

from tracing.analytics import tables

if TYPE_CHECKING:
    from accounts.access import ProjectScope


def chunk(limit: int) -> int:
    """Candidates to look at for `limit` rows: some may be old versions or deleted."""
    return 2 * limit + 10


def keys(
    scope: ProjectScope,
    source: FromClause,
    where: Sequence[ColumnElement[bool]],
    before: Sequence[Any] | None,
    oldest_first: bool,
    count: int,
) -> Select[Any]:
    """Keys and versions of rows that fulfil `where` in any version, deleted ones too."""
    columns = _key(source)
    version = source.c.row_version
    query = select(*columns, version).where(source.c.project_id == scope.project_id, *where)
    if before is not None:
        query = query.where(_beyond(columns, before, oldest_first))
    # Within a row the newest version first: only it can be the one that counts.
    return query.order_by(*order(source, oldest_first), version.desc()).limit(count)


def among(source: FromClause, candidates: Sequence[Sequence[Any]]) -> list[ColumnElement[bool]]:
    """Whose newest version is one of the candidates. A newer version that did not fulfil the condition is not among
    them, so the condition need not be looked at again."""
    time = _key(source)[0]
    times = [candidate[0] for candidate in candidates]
    chosen = tuple_(*_key(source), source.c.row_version).in_([tuple(candidate) for candidate in candidates])
    return [time >= min(times), time <= max(times), chosen]


def order(source: FromClause, oldest_first: bool) -> list[Any]:
    return [column.asc() if oldest_first else column.desc() for column in _key(source)]


def _key(source: FromClause) -> list[ColumnElement[Any]]:
    """The columns after the project. The time leads."""
    table: Any = source.element if isinstance(source, Alias) else source
    return [source.c[name] for name in tables.KEYS[table.name][1:]]


def _beyond(columns: Sequence[ColumnElement[Any]], key: Sequence[Any], oldest_first: bool) -> ColumnElement[bool]:
    first, value = columns[0], key[0]
    past: ColumnElement[bool] = first > value if oldest_first else first < value
    if len(columns) == 1:
        return past
    # Said twice, because the database skips by the plain comparison and not by the OR.
    bound = first >= value if oldest_first else first <= value
    return and_(bound, or_(past, and_(first == value, _beyond(columns[1:], key[1:], oldest_first))))
