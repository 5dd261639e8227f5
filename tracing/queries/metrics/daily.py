"""What each day's traces used, by model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import NEVER, ZERO
from tracing.analytics.tables import observations, traces
from tracing.queries.paging import Numbered, PageNumber
from tracing.queries.parallel import together

o, t = observations.c, traces.c


@dataclass(frozen=True, slots=True)
class DayFilters:
    """Of traces. `environments`: any of them; `tags`: all of them; the end does not belong to the range."""

    trace_name: str = ""
    user_id: str = ""
    tags: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    from_time: datetime | None = None
    to_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and US dollars of one model; `model` is empty for observations without one."""

    model: str
    input: int
    output: int
    total: int
    cost: Decimal
    observations: int
    traces: int


@dataclass(frozen=True, slots=True)
class Day:
    """In UTC, by the times of the traces."""

    day: date
    traces: int
    usage: list[Usage]

    @property
    def observations(self) -> int:
        return sum(one.observations for one in self.usage)

    @property
    def cost(self) -> Decimal:
        return sum((one.cost for one in self.usage), ZERO)


def list_days(scope: ProjectScope, wanted: DayFilters, *, number: PageNumber) -> Numbered[Day]:
    """Days with traces, newest first."""
    days = _days(scope, wanted)
    page = days.order_by(_day.desc()).limit(number.limit).offset(number.offset)
    count: Any = select(fn.count().label("total")).select_from(days.subquery("days"))
    total, found = together(
        lambda: store.rows(scope, count, tag="daily-count")[0].total,
        lambda: store.rows(scope, page, tag="daily"),
    )
    usage = _usage(scope, wanted, found)
    shown = [Day(row.day.date(), row.traces, usage.get(row.day, [])) for row in found]
    return Numbered(shown, number, total)


_day = fn.bucket(t.timestamp, unit="day")


def _days(scope: ProjectScope, wanted: DayFilters) -> Any:
    """With the times between which the observations of a day's traces start; null where there are none."""
    has_observations = t.last_start > NEVER
    query = store.select(
        scope,
        traces,
        _day.label("day"),
        fn.count().label("traces"),
        fn.min_if(t.first_start, has_observations).label("first"),
        fn.max_if(t.last_start, has_observations).label("last"),
    )
    return query.where(*_conditions(wanted)).group_by(_day)


def _usage(scope: ProjectScope, wanted: DayFilters, days: list[Any]) -> dict[datetime, list[Usage]]:
    """Most expensive model first."""
    used = [row for row in days if row.first is not None]
    if not used:
        return {}
    of_days = store.select(scope, traces, t.id.label("of_trace_id"), _day.label("day"))
    of_days = of_days.where(*_conditions(wanted), _day.in_([row.day for row in used]))
    its_trace = of_days.subquery("its_trace")
    cost = fn.sum(o.total_cost)
    query = store.select(
        scope,
        observations,
        its_trace.c.day,
        o.model,
        fn.sum(o.input_tokens).label("input"),
        fn.sum(o.output_tokens).label("output"),
        fn.sum(o.total_tokens).label("total"),
        cost.label("cost"),
        fn.count().label("observations"),
        fn.uniq_exact(o.trace_id).label("traces"),
    )
    query = query.join(its_trace, its_trace.c.of_trace_id == o.trace_id)
    query = query.where(o.start_time >= min(row.first for row in used), o.start_time <= max(row.last for row in used))
    query = query.group_by(its_trace.c.day, o.model).order_by(cost.desc(), o.model)
    found: dict[datetime, list[Usage]] = {}
    for day, *values in store.rows(scope, query, tag="daily-usage"):
        found.setdefault(day, []).append(Usage(*values))
    return found


def _conditions(wanted: DayFilters) -> list[Any]:
    conditions: list[Any] = []
    if wanted.trace_name:
        conditions.append(t.name == wanted.trace_name)
    if wanted.user_id:
        conditions.append(t.user_id == wanted.user_id)
    if wanted.tags:
        conditions.append(fn.has_all(t.tags, list(wanted.tags)))
    if wanted.environments:
        conditions.append(t.environment.in_(wanted.environments))
    if wanted.from_time:
        conditions.append(t.timestamp >= wanted.from_time)
    if wanted.to_time:
        conditions.append(t.timestamp < wanted.to_time)
    return conditions
