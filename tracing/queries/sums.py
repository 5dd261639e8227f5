"""What the observations of a trace, a session or a user add up to, for lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import ZERO
from tracing.analytics.tables import observations
from tracing.queries.bounds import Bounded, has_observations, inside_of


@dataclass(frozen=True, slots=True)
class Sums:
    """Of all observations of one thing. `latency_us` reaches from the first start to the last end."""

    observations: int = 0
    errors: int = 0
    warnings: int = 0
    latency_us: int | None = None
    tokens: int = 0
    cost: Decimal = ZERO

    @property
    def level(self) -> str:
        return "ERROR" if self.errors else "WARNING" if self.warnings else ""


def sum_columns() -> list[Any]:
    o = observations.c
    return [
        fn.count().label("observations"),
        fn.count_if(o.level == "ERROR").label("errors"),
        fn.count_if(o.level == "WARNING").label("warnings"),
        fn.sum(o.total_tokens).label("tokens"),
        fn.sum(o.total_cost).label("cost"),
        fn.min(o.start_time).label("started_at"),
        fn.max(o.end_time).label("ended_at"),
    ]


def sums_of(row: Any) -> Sums:
    latency = None
    if row.started_at is not None and row.ended_at is not None:
        latency = max(0, round((row.ended_at - row.started_at) / timedelta(microseconds=1)))
    return Sums(row.observations, row.errors, row.warnings, latency, row.tokens, row.cost)


def sum_by_trace(scope: ProjectScope, found: Sequence[Bounded]) -> dict[str, Sums]:
    """Sums of the observations of these traces, by trace."""
    if not any(map(has_observations, found)):
        return {}
    o = observations.c
    query = store.select(scope, observations, o.trace_id, *sum_columns()).where(inside_of(found)).group_by(o.trace_id)
    return {row.trace_id: sums_of(row) for row in store.rows(scope, query, tag="trace-sums")}
