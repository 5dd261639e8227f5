"""What was paid for, added up: of a trace by model, tier and kind, and of a project by the model names it sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import ZERO, Trace
from tracing.analytics.tables import observations
from tracing.queries.bounds import has_observations, within
from tracing.queries.periods import Period

o = observations.c

#: names that a project's clients may have made up for every call; the most used ones are shown
MOST_NAMES = 200


def is_empty(column: Any) -> ColumnElement[bool]:
    """A map without entries."""
    empty: ColumnElement[bool] = fn.array_length(fn.map_keys(column)) == 0
    return empty


#: Units were used and nobody knows what they cost; free units have a cost, of nothing.
IS_UNPRICED = and_(o.total_tokens > 0, is_empty(o.cost))
IS_MODEL_CALL = or_(o.model != "", o.total_tokens > 0)


@dataclass(frozen=True, slots=True)
class KindSum:
    """All units of one kind. No amount: none of them had a price."""

    key: str
    units: int
    amount: Decimal | None

    @property
    def price_per_million(self) -> Decimal | None:
        """On average; where all were billed in one tier it is that tier's price."""
        if self.amount is None or not self.units:
            return None
        return self.amount / self.units * 1_000_000


@dataclass(frozen=True, slots=True)
class CostGroup:
    """The calls of a trace that were billed alike. `total` is what their observations say, as sums of it do."""

    model: str
    model_id: str
    tier_name: str
    is_provided: bool
    calls: int
    units: int
    total: Decimal
    kinds: tuple[KindSum, ...]

    @property
    def is_unpriced(self) -> bool:
        return not self.is_provided and all(kind.amount is None for kind in self.kinds)


@dataclass(frozen=True, slots=True)
class ObservedModel:
    """A model name as clients send it ("" where they send none), and what its calls came to."""

    name: str
    calls: int
    unpriced_calls: int
    units: int
    cost: Decimal
    last_at: datetime
    #: kinds of usage that no call of this name had a price for
    unpriced_kinds: tuple[str, ...]

    @property
    def is_unpriced(self) -> bool:
        return bool(self.unpriced_calls or self.unpriced_kinds)


def cost_of_trace(scope: ProjectScope, trace: Trace) -> list[CostGroup]:
    """Dearest first, what has no price last."""
    if not has_observations(trace):
        return []
    is_provided = ~is_empty(o.provided_cost)
    query = (
        store.select(
            scope,
            observations,
            o.model,
            o.model_id,
            o.pricing_tier_name,
            is_provided.label("is_provided"),
            fn.count().label("calls"),
            fn.sum(o.total_tokens).label("units"),
            fn.sum(o.total_cost).label("total"),
            fn.sum_map(o.usage).label("usage"),
            fn.sum_map(o.cost).label("cost"),
            fn.collect_arrays(fn.map_keys(o.cost)).label("priced"),
        )
        .where(o.start_time >= trace.first_start, o.start_time <= trace.last_start, o.trace_id == trace.id)
        .where(IS_MODEL_CALL)
        .group_by(o.model, o.model_id, o.pricing_tier_name, is_provided)
    )
    groups = [_group(row) for row in store.rows(scope, query, tag="trace-cost")]
    return sorted(groups, key=lambda group: (group.is_unpriced, -group.total, group.model))


def list_observed_models(scope: ProjectScope, period: Period, names: Sequence[str] = ()) -> list[ObservedModel]:
    """The most used first; only these when some are named."""
    query = store.select(
        scope,
        observations,
        o.model,
        fn.count().label("calls"),
        fn.count_if(IS_UNPRICED).label("unpriced"),
        fn.sum(o.total_tokens).label("units"),
        fn.sum(o.total_cost).label("cost"),
        fn.max(o.start_time).label("last_at"),
        fn.collect_arrays(fn.if_else(is_empty(o.provided_cost), fn.map_keys(o.usage), fn.map_keys(o.cost))).label(
            "used"
        ),
        fn.collect_arrays(fn.map_keys(o.cost)).label("priced"),
    ).where(IS_MODEL_CALL, *within(o.start_time, period))
    if names:
        query = query.where(o.model.in_(list(names)))
    query = query.group_by(o.model).order_by(fn.count().desc(), o.model).limit(MOST_NAMES)
    return [_observed(row) for row in store.rows(scope, query, tag="observed-models")]


def _group(row: Any) -> CostGroup:
    priced = set(row.priced)
    keys = [key for key in {**row.usage, **row.cost, **dict.fromkeys(row.priced)} if key != "total"]
    is_by_total = "total" in priced and not priced & set(keys)
    if is_by_total and not row.is_provided:
        keys = ["total"]  # one price for whatever was used
    kinds = tuple(
        KindSum(key, row.usage.get(key, 0), row.cost.get(key, ZERO) if key in priced else None) for key in keys
    )
    return CostGroup(
        model=row.model,
        model_id=row.model_id,
        tier_name=row.pricing_tier_name,
        is_provided=bool(row.is_provided),
        calls=row.calls,
        units=row.units,
        total=row.total,
        kinds=kinds,
    )


def _observed(row: Any) -> ObservedModel:
    priced = set(row.priced)
    kinds = () if "total" in priced and priced == {"total"} else tuple(sorted(set(row.used) - priced - {"total"}))
    return ObservedModel(row.model, row.calls, row.unpriced, row.units, row.cost, row.last_at, kinds)
