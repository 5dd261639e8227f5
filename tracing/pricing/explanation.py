"""The account of a cost, line by line: which units, where from, by whose price, in which tier, and why not.

It calls the functions that ingestion computes costs with, so the two cannot disagree. Where they do with what is
stored, prices have changed since, and the account says so (`is_current`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tracing.analytics.records import ZERO, Level, Observation
from tracing.pricing.catalogue import Catalogue
from tracing.pricing.cost import computed_cost, provided_cost
from tracing.pricing.rates import Call, Condition, PricedModel, Tier, UsageCondition


class Origin(StrEnum):
    """Where a number of units comes from."""

    SENT = "sent"  # by the client
    COUNTED = "counted"  # here, by the model's tokenizer
    ADDED_UP = "added up"  # here, of the other kinds


class Reason(StrEnum):
    """Why there is no cost."""

    NO_MODEL_NAME = "no model name"
    NO_MATCH = "no match"
    NO_TOKENS = "no tokens"
    NO_TOKENS_FAILED = "no tokens, failed"
    NO_PRICES = "no prices"
    NO_PRICE_FOR_KINDS = "no price for these kinds"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class Compared:
    """A tier's condition and what it was compared with: `keys` and `found` (a sum of units, or a value)."""

    source: str  # "usage", "model_parameters" or "metadata"
    subject: str  # the pattern of kinds, or the key
    operator: str
    wanted: str
    found: str | None
    keys: tuple[str, ...]
    holds: bool


@dataclass(frozen=True, slots=True)
class TriedTier:
    name: str
    conditions: tuple[Compared, ...]
    is_chosen: bool
    is_default: bool


@dataclass(frozen=True, slots=True)
class CostLine:
    """One kind of unit. Without a price, and so without an amount, it is not billed. `price` is for one unit."""

    key: str
    units: int | None
    origin: Origin | None
    price: Decimal | None
    amount: Decimal | None

    @property
    def price_per_million(self) -> Decimal | None:
        return None if self.price is None else self.price * 1_000_000


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a cost came about, or why there is none (`reason`).

    `lines` and `total` are those of the stored cost. `total_now` is what it would be by the prices of now; of a cost
    that the client sent, what its usage would have been priced at.
    """

    lines: tuple[CostLine, ...]
    total: Decimal | None
    units: int
    model_name: str
    model: PricedModel | None
    tiers: tuple[TriedTier, ...]
    is_provided: bool
    is_current: bool
    total_now: Decimal | None
    reason: Reason | None
    stored_tier_name: str
    nearest: tuple[PricedModel, ...] = ()

    @property
    def tier(self) -> TriedTier | None:
        return next((tier for tier in self.tiers if tier.is_chosen), None)

    @property
    def is_counted(self) -> bool:
        return any(line.origin == Origin.COUNTED for line in self.lines)

    @property
    def is_estimated(self) -> bool:
        """For Claude there is no public tokenizer."""
        return self.is_counted and self.model is not None and self.model.tokenizer == "claude"

    @property
    def unpriced(self) -> tuple[CostLine, ...]:
        """Kinds that were used and cost nothing because nobody knows their price."""
        if self.is_provided:
            return ()
        if any(line.key == "total" for line in self.lines):
            return ()  # the price is for all kinds together
        return tuple(line for line in self.lines if line.amount is None and line.units)

    @property
    def sum_of_lines(self) -> Decimal:
        return sum((line.amount for line in self.lines if line.amount is not None and line.key != "total"), ZERO)


def explain(observation: Observation, catalogue: Catalogue) -> Explanation:
    """Of an observation as it is stored, by the definitions of now."""
    model = catalogue.match(observation.model, observation.start_time) if observation.model else None
    usage, is_provided = observation.usage, bool(observation.provided_cost)
    call = Call(usage, observation.model_parameters, observation.metadata)
    tier = model.tier_for(call) if model is not None and usage else None
    priced = computed_cost(usage, tier.prices) if tier is not None else {}
    now = provided_cost(observation.provided_cost) if is_provided else priced
    is_current = now == observation.cost
    prices = (tier.prices if tier and is_current else _implied(observation)) if not is_provided else {}
    return Explanation(
        lines=_lines(observation, prices),
        total=observation.cost.get("total"),
        units=observation.total_tokens,
        model_name=observation.model,
        model=model,
        tiers=_tried(model, tier, call) if usage else (),
        is_provided=is_provided,
        is_current=is_current,
        total_now=priced.get("total"),
        reason=None if observation.cost else _why_no_cost(observation, model, tier),
        stored_tier_name=observation.pricing_tier_name,
        nearest=tuple(catalogue.nearest(observation.model)) if observation.model and model is None else (),
    )


def tried_tiers(model: PricedModel, call: Call) -> tuple[TriedTier, ...]:
    """All tiers of a model in the order in which they are tried, with what their conditions find in this call."""
    return _tried(model, model.tier_for(call), call)


def _lines(observation: Observation, prices: Mapping[str, Decimal]) -> tuple[CostLine, ...]:
    usage, cost = observation.usage, observation.cost
    keys = [key for key in {**usage, **cost} if key != "total" or key in prices]
    return tuple(
        CostLine(key, usage.get(key), _origin(observation, key), prices.get(key), cost.get(key)) for key in keys
    )


def _origin(observation: Observation, key: str) -> Origin | None:
    if key not in observation.usage:
        return None
    if key in observation.provided_usage:
        return Origin.SENT
    return Origin.ADDED_UP if key == "total" else Origin.COUNTED


def _implied(observation: Observation) -> dict[str, Decimal]:
    """The unit prices that a stored cost was computed with, whatever they are now."""
    usage, cost = observation.usage, observation.cost
    parts = {key: cost[key] / units for key, units in usage.items() if units and key in cost and key != "total"}
    is_sum = cost.get("total") == sum((amount for key, amount in cost.items() if key != "total"), ZERO)
    if "total" in cost and not is_sum and usage.get("total"):
        parts["total"] = cost["total"] / usage["total"]
    return parts


def _tried(model: PricedModel | None, chosen: Tier | None, call: Call) -> tuple[TriedTier, ...]:
    if model is None:
        return ()
    tiers = [*model.conditional, *([model.default] if model.default else [])]
    return tuple(
        TriedTier(
            name=tier.name,
            conditions=tuple(_compared(condition, call) for condition in tier.conditions),
            is_chosen=tier is chosen,
            is_default=tier is model.default,
        )
        for tier in tiers
    )


def _compared(condition: Condition, call: Call) -> Compared:
    holds = condition.holds(call)
    if isinstance(condition, UsageCondition):
        counted = condition.counted(call)
        found = str(sum(counted.values()))
        wanted = f"{condition.value:f}"
        return Compared("usage", condition.pattern, condition.operator, wanted, found, tuple(counted), holds)
    wanted = ", ".join(sorted(condition.values))
    return Compared(condition.source, condition.key, "in", wanted, condition.found(call), (condition.key,), holds)


def _why_no_cost(observation: Observation, model: PricedModel | None, tier: Tier | None) -> Reason:
    if not observation.model:
        return Reason.NO_MODEL_NAME
    if model is None:
        return Reason.NO_MATCH
    if not observation.usage:
        return Reason.NO_TOKENS_FAILED if observation.level == Level.ERROR else Reason.NO_TOKENS
    if tier is None:
        return Reason.NO_PRICES
    if not observation.usage.keys() & tier.prices.keys():
        return Reason.NO_PRICE_FOR_KINDS
    return Reason.TOO_LARGE
