"""Pages of a list by key: which rows come next, found without merging versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
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


@dataclass(frozen=True, slots=True)
class Versions:
    """A query of row versions in the order of the list, and where in each of them to find what paging needs."""

    query: Select[Any]
    key_at: tuple[int, ...]
    version_at: int
    deleted_at: int
    count: int

    def rows(self, found: Sequence[Sequence[Any]]) -> tuple[list[Sequence[Any]], tuple[Any, ...] | None]:
        """The newest version of each row, deleted ones too, and the key to go on behind; None when there is no more.

        Versions of one row stand together, but in no order: sorting them too, the database could no longer read in
        order of its key and would read everything. Those of the last row may be cut off, so that row waits.
        """
        is_cut = len(found) >= self.count
        latest = [max(group, key=itemgetter(self.version_at)) for _, group in groupby(found, self.key_of)]
        if not is_cut:
            return latest, None
        return latest[:-1], self.key_of(latest[-2]) if len(latest) > 1 else ()

    def key_of(self, version: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(version[at] for at in self.key_at)

    def is_deleted(self, version: Sequence[Any]) -> bool:
        return bool(version[self.deleted_at])


def versions(
    scope: ProjectScope,
    source: FromClause,
    columns: Sequence[Any],
    where: Sequence[ColumnElement[bool]],
    before: Sequence[Any] | None,
    oldest_first: bool,
    count: int,
) -> Versions:
    """Rows that fulfil `where` in any version, deleted ones too: `columns` first, then what else paging needs."""
    needed = [*_key(source), source.c.row_version, source.c.is_deleted]
    wanted = [*columns, *(column for column in needed if not any(column is one for one in columns))]
    *key_at, version_at, deleted_at = (next(at for at, one in enumerate(wanted) if one is column) for column in needed)
    query = select(*wanted).where(source.c.project_id == scope.project_id, *where)
    return Versions(paged(query, source, before, oldest_first, count), tuple(key_at), version_at, deleted_at, count)


def paged(
    query: Select[Any], source: FromClause, before: Sequence[Any] | None, oldest_first: bool, count: int
) -> Select[Any]:
    """The first `count` rows of the query by key, or the first behind the key `before`."""
    if before is not None:
        query = query.where(_beyond(_key(source), before, oldest_first))
    return query.order_by(*order(source, oldest_first)).limit(count)


def depends_on_key(source: FromClause, where: Sequence[ColumnElement[bool]]) -> bool:
    """Whether all versions of a row fulfil `where` or none does."""
    key = {source.c.project_id, *_key(source)}
    for element in (element for clause in where for element in visitors.iterate(clause)):
        if element.__visit_name__ in ("select", "textclause") or (
            element.__visit_name__ == "column" and element not in key
        ):
            return False
    return True


def among(source: FromClause, candidates: Sequence[Sequence[Any]]) -> list[ColumnElement[bool]]:
    """Whose newest version is one of the candidates (key and version). A newer version that did not fulfil the
    condition is not among them, so the condition need not be looked at again."""
    key = _key(source)
    # The times once more by themselves: in this form the database goes straight to their places in the key.
    times = sorted({candidate[0] for candidate in candidates})
    return [key[0].in_(times), tuple_(*key, source.c.row_version).in_([tuple(one) for one in candidates])]


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
