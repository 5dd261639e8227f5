"""The strip above the list: what matches over time, a bar for each interval, also where there was nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import EPOCH
from tracing.analytics.tables import observations, traces
from tracing.queries.bounds import within
from tracing.queries.explorer.conditions import all_clauses, bounds, latency_of_trace
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.wanted import Measure, Wanted
from tracing.queries.parallel import together
from tracing.queries.periods import Period

t, o = traces.c, observations.c

#: length of a bar -> its name for the database; the first that gives at most BARS whole bars is used. The store holds
#: four centuries.
BARS = 96
_STEPS = (
    (timedelta(minutes=1), "minute"), (timedelta(minutes=5), "5 minutes"), (timedelta(minutes=15), "15 minutes"),
    (timedelta(minutes=30), "30 minutes"), (timedelta(hours=1), "hour"), (timedelta(hours=3), "3 hours"),
    (timedelta(hours=6), "6 hours"), (timedelta(hours=12), "12 hours"), (timedelta(days=1), "day"),
    (timedelta(days=7), "week"), (timedelta(days=31), "month"), (timedelta(days=92), "quarter"),
    (timedelta(days=366), "year"),
)  # fmt: skip
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class PulseBar:
    """`cost` and `p95_latency_us` are there where they were asked for; None is "nothing to measure"."""

    at: datetime
    until: datetime
    count: int = 0
    #: traces with an error in them, or observations that are one
    errors: int = 0
    cost: Decimal | None = None
    p95_latency_us: float | None = None


@dataclass(frozen=True, slots=True)
class Pulse:
    bars: list[PulseBar]
    measure: Measure
    since: datetime
    until: datetime

    @property
    def count(self) -> int:
        return sum(bar.count for bar in self.bars)


def pulse(
    scope: ProjectScope, wanted: Wanted, *, measure: Measure = Measure.COUNT, now: datetime | None = None
) -> Pulse:
    """Rows and failed rows under all conditions, and one measure more: total cost or p95 of latency."""
    until = wanted.period.until or now or datetime.now(UTC)
    since = wanted.period.since or _first_time(scope, wanted, until) or until - timedelta(hours=1)
    since = min(since, until - timedelta(minutes=1))
    step, unit = next((one for one in _STEPS if (until - since) // one[0] <= BARS), _STEPS[-1])
    # What is open stays open: a question that names the moment would be a new one each time, and never remembered.
    wanted = replace(wanted, period=Period.between(since, wanted.period.until))
    if wanted.noun is Noun.OBSERVATIONS:
        counts = _of_observations(scope, wanted, unit, measure)
    else:
        counts = _of_traces(scope, wanted, unit, measure)
    return Pulse(_filled(counts, since, until, step, unit), measure, since, until)


def _of_observations(scope: ProjectScope, wanted: Wanted, unit: str, measure: Measure) -> dict[datetime, PulseBar]:
    at = fn.bucket(o.start_time, unit=unit).label("at")
    columns: list[Any] = [at, fn.count().label("count"), fn.count_if(o.level == "ERROR").label("errors")]
    if measure is Measure.COST:
        columns.append(fn.sum(o.total_cost).label("cost"))
    if measure is Measure.LATENCY:
        columns.append(fn.quantile_sampled(o.latency_us, q=0.95).label("p95"))
    query = store.select(scope, observations, *columns).where(*all_clauses(scope, wanted)).group_by("at")
    return {row.at: _bar(row, measure) for row in store.rows(scope, query, tag="explorer-pulse")}


def _of_traces(scope: ProjectScope, wanted: Wanted, unit: str, measure: Measure) -> dict[datetime, PulseBar]:
    clauses = all_clauses(scope, wanted)
    if measure is Measure.COUNT:
        return _counted(scope, wanted, unit, clauses)
    counted, measured = together(
        lambda: _counted(scope, wanted, unit, clauses), lambda: _measured(scope, wanted, unit, clauses, measure)
    )
    return {
        at: replace(bar, cost=getattr(measured.get(at), "cost", None), p95_latency_us=_p95(measured.get(at)))
        for at, bar in counted.items()
    }


def _p95(row: Any) -> float | None:
    return getattr(row, "p95", None)


def _counted(scope: ProjectScope, wanted: Wanted, unit: str, clauses: list[Any]) -> dict[datetime, PulseBar]:
    at = fn.bucket(t.timestamp, unit=unit).label("at")
    failed = store.select(scope, observations, o.trace_id).where(o.level == "ERROR", *_around(scope, wanted.period))
    has_failed = fn.if_else(t.id.in_(failed), 1, 0).label("has_failed")
    found = store.select(scope, traces, at, has_failed).where(*clauses).subquery("found")
    query = select(found.c["at"], fn.count().label("count"), fn.sum(found.c.has_failed).label("errors"))
    rows = store.rows(scope, query.group_by(found.c["at"]), tag="explorer-pulse")
    return {row.at: _bar(row, Measure.COUNT) for row in rows}


def _measured(
    scope: ProjectScope, wanted: Wanted, unit: str, clauses: list[Any], measure: Measure
) -> dict[datetime, Any]:
    """Cost, or latency, of the traces of each bar: of each trace first, as a trace is where it begins."""
    total = fn.sum(o.total_cost) if measure is Measure.COST else latency_of_trace()
    sums = (
        store.select(scope, observations, o.trace_id.label("summed_id"), total.label("total"))
        .where(*_around(scope, wanted.period))
        .group_by(o.trace_id)
        .subquery("sums")
    )
    value = (
        fn.sum(sums.c.total).label("cost")
        if measure is Measure.COST
        else fn.quantile_sampled(sums.c.total, q=0.95).label("p95")
    )
    at = fn.bucket(t.timestamp, unit=unit).label("at")
    query = store.select(scope, traces, at, value).join(sums, sums.c.summed_id == t.id).where(*clauses).group_by("at")
    return {row.at: row for row in store.rows(scope, query, tag=f"explorer-pulse-{measure}")}


def _around(scope: ProjectScope, period: Period) -> tuple[Any, ...]:
    """When the observations of the period's traces start: where it is open, nothing has to be asked for that."""
    return bounds(scope, period, within(t.timestamp, period) if period.until else ())


def _bar(row: Any, measure: Measure) -> PulseBar:
    cost = row.cost if measure is Measure.COST and hasattr(row, "cost") else None
    p95 = row.p95 if measure is Measure.LATENCY and hasattr(row, "p95") else None
    return PulseBar(row.at, row.at, row.count, row.errors, cost, p95)


def _first_time(scope: ProjectScope, wanted: Wanted, until: datetime) -> datetime | None:
    """When the oldest row before `until` was: the head of the key, and so a few rows to read."""
    table, time = (traces, t.timestamp) if wanted.noun is Noun.TRACES else (observations, o.start_time)
    found = store.newest(scope, table, time, where=[time < until], limit=1, oldest_first=True, tag="explorer-first")
    return found[0][0] if found else None


def _filled(
    counts: dict[datetime, PulseBar], since: datetime, until: datetime, step: timedelta, unit: str
) -> list[PulseBar]:
    starts = _starts(since, step, unit)
    bars: list[PulseBar] = []
    at = next(starts)
    while at < until:
        end = next(starts)
        bars.append(replace(counts.get(at, PulseBar(at, end, cost=None)), until=end))
        at = end
    return bars


def _starts(since: datetime, step: timedelta, unit: str) -> Any:
    if unit in _MONTHS:
        yield from _months(since, _MONTHS[unit])
        return
    # Weeks begin on Monday, and the epoch was a Thursday; every other step divides the time since then.
    origin = EPOCH + timedelta(days=4) if unit == "week" else EPOCH
    at = since - (since - origin) % step
    while True:
        yield at
        at += step


def _months(since: datetime, length: int) -> Any:
    at = since.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    at = at.replace(month=at.month - (at.month - 1) % length)
    while True:
        yield at
        month = at.month - 1 + length
        at = at.replace(year=at.year + month // 12, month=month % 12 + 1)
