"""Pages of a list by key: which rows come next, found without merging versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Alias, ColumnElement, FromClause, Select, and_, or_, select, tuple_
from sqlalchemy.sql import visitors

from tracing.analytics import tables

if TYPE_CHECKING:
    from accounts.access import ProjectScope


def chunk(limit: int) -> int:
    """Candidates to look at for `limit` rows: some may be old versions or deleted."""
    return 2 * limit + 10


def few_versions(limit: int) -> int:
    """The same where each candidate is read whole. Another look is cheap, rows of long text are not."""
    return limit + limit // 4 + 10


def keys(
    scope: ProjectScope,
    source: FromClause,
    where: Sequence[ColumnElement[bool]],
    before: Sequence[Any] | None,
    oldest_first: bool,
    count: int,
) -> Select[Any]:
    """Keys and versions of rows that fulfil `where` in any version, deleted ones too."""
    columns = [*_key(source), source.c.row_version]
    return _versions(scope, source, columns, where, before, oldest_first, count)


def whole(
    scope: ProjectScope,
    source: FromClause,
    columns: Sequence[Any],
    where: Sequence[ColumnElement[bool]],
    before: Sequence[Any] | None,
    oldest_first: bool,
    count: int,
) -> tuple[Select[Any], Callable[[Sequence[Any]], list[Any]], Callable[[Sequence[Any]], bool]]:
    """As `keys`, but `columns` come first in each version. Beside the query: what gives a version's key, and what
    says whether it deletes its row."""
    needed = [*_key(source), source.c.is_deleted]
    wanted = [*columns, *(column for column in needed if not any(column is one for one in columns))]
    *places, deleted = (next(at for at, one in enumerate(wanted) if one is column) for column in needed)
    query = _versions(scope, source, wanted, where, before, oldest_first, count)
    return query, lambda version: [version[at] for at in places], lambda version: bool(version[deleted])


def depends_on_key(source: FromClause, where: Sequence[ColumnElement[bool]]) -> bool:
    """Whether all versions of a row fulfil `where` or none does."""
    key = {source.c.project_id, *_key(source)}
    for element in (element for clause in where for element in visitors.iterate(clause)):
        if element.__visit_name__ in ("select", "textclause") or (
            element.__visit_name__ == "column" and element not in key
        ):
            return False
    return True


def _versions(
    scope: ProjectScope,
    source: FromClause,
    columns: Sequence[Any],
    where: Sequence[ColumnElement[bool]],
    before: Sequence[Any] | None,
    oldest_first: bool,
    count: int,
) -> Select[Any]:
    query = select(*columns).where(source.c.project_id == scope.project_id, *where)
    if before is not None:
        query = query.where(_beyond(_key(source), before, oldest_first))
    # Within a row the newest version first: only it can be the one that counts.
    return query.order_by(*order(source, oldest_first), source.c.row_version.desc()).limit(count)


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
