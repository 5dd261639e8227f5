"""Where the observations of some traces lie in the order of the store, so that a query looks there and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, and_, false

from tracing.analytics import functions as fn
from tracing.analytics.records import EPOCH, NEVER
from tracing.analytics.tables import observations
from tracing.queries.periods import Period

o = observations.c

_SECONDS = {"minute": 60, "hour": 3600}
#: The database looks a set up in its key by search; a range for each trace costs it 0.7 ms of planning.
_MOST_STARTS = 500
#: Minutes and hours before 1970 or beyond this wrap around there.
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class Bounded(Protocol):
    """A trace, or a row of one."""

    @property
    def id(self) -> str: ...
    @property
    def first_start(self) -> datetime: ...
    @property
    def last_start(self) -> datetime: ...


def within(time: Any, period: Period) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if period.since:
        conditions.append(time >= period.since)
    if period.until:
        conditions.append(time < period.until)
    return conditions


def inside_of(found: Sequence[Bounded]) -> ColumnElement[bool]:
    """Observations of these traces, by the minutes or hours they start in, or else by the time all of them span."""
    bounds = [(one.first_start, one.last_start) for one in found if has_observations(one)]
    if not bounds:
        return false()
    return and_(_when(bounds), o.trace_id.in_([one.id for one in found]))


def has_observations(one: Bounded) -> bool:
    return one.last_start > NEVER


def _when(bounds: list[tuple[datetime, datetime]]) -> Any:
    first, last = min(first for first, _ in bounds), max(last for _, last in bounds)
    if len(bounds) > 1 and first >= EPOCH and last < _LATEST:
        for unit in _SECONDS:
            starts = sorted(_starts(bounds, unit))
            if len(starts) <= _MOST_STARTS:
                return fn.unix_start(o.start_time, unit=unit).in_(starts)
    return and_(o.start_time >= first, o.start_time <= last)


def _starts(bounds: list[tuple[datetime, datetime]], unit: str) -> set[int]:
    """Unix times at which the intervals begin that `bounds` touch; more than `_MOST_STARTS` of them when many."""
    starts: set[int] = set()
    for first, last in bounds:
        starts.update(_between(first, last, _SECONDS[unit]))
        if len(starts) > _MOST_STARTS:
            break
    return starts


def _between(first: datetime, last: datetime, seconds: int) -> range:
    begin, end = (int(time.timestamp()) // seconds * seconds for time in (first, last))
    # A trace that goes on for days needs no more of its minutes to be found too long for them.
    return range(begin, min(end, begin + seconds * _MOST_STARTS) + 1, seconds)
