"""From units and prices to money, and the account of it line by line.

Usage buckets are disjoint: decoding has taken cached tokens out of `input` and reasoning out of `output`. So each
key is multiplied by its own price and nothing is counted twice. A key without a price costs nothing and is shown so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tracing.pricing.rates import PricedModel, Tier

#: what the store's decimals hold; beyond it the numbers are garbage
LARGEST_COST = Decimal(999_999)
_LARGEST_COUNT = 2**63 - 1


def units_of(provided: Mapping[str, int]) -> dict[str, int]:
    """What is shown for the usage a client sent: the same, with the sum of everything as `total` unless it gave one."""
    usage = dict(provided)
    if usage and "total" not in usage:
        usage["total"] = min(sum(usage.values()), _LARGEST_COUNT)
    return usage


def provided_cost(provided: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What is shown for the cost a client sent. A total is added only when input and output are all there is."""
    cost = {key: amount for key, amount in provided.items() if amount <= LARGEST_COST}
    if cost and "total" not in cost and cost.keys() <= {"input", "output"}:
        cost["total"] = sum(cost.values(), Decimal(0))
    return cost


def computed_cost(usage: Mapping[str, int], prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Price times units for each key with a price. A price for `total` decides the total, else it is the sum."""
    cost = {key: prices[key] * units for key, units in usage.items() if key in prices}
    if cost and "total" not in cost:
        cost["total"] = sum(cost.values(), Decimal(0))
    return cost if not cost or max(cost.values()) <= LARGEST_COST else {}


@dataclass(frozen=True, slots=True)
class CostLine:
    """One kind of unit. Without a price, and so without an amount, it is not billed."""

    key: str
    units: int | None
    price: Decimal | None
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a cost came about, or why there is none (`reason`)."""

    lines: tuple[CostLine, ...]
    total: Decimal | None
    model_name: str = ""
    tier_name: str = ""
    is_provided: bool = False
    is_usage_estimated: bool = False
    reason: str = ""


def explain(
    usage: Mapping[str, int],
    provided: Mapping[str, Decimal],
    model: PricedModel | None,
    tier: Tier | None,
    *,
    is_usage_counted: bool = False,
) -> Explanation:
    """The account of a cost, by the functions that ingestion computes it with. `is_usage_counted`: by our tokenizer."""
    cost = provided_cost(provided) if provided else computed_cost(usage, tier.prices if tier else {})
    prices = tier.prices if tier and not provided else {}
    keys = [key for key in {**usage, **cost} if key != "total" or key in prices]
    return Explanation(
        lines=tuple(CostLine(key, usage.get(key), prices.get(key), cost.get(key)) for key in keys),
        total=cost.get("total"),
        model_name=model.name if model else "",
        tier_name=tier.name if tier else "",
        is_provided=bool(provided),
        is_usage_estimated=is_usage_counted and model is not None and model.tokenizer == "claude",
        reason="" if cost else _why_no_cost(usage, model, tier),
    )


def _why_no_cost(usage: Mapping[str, int], model: PricedModel | None, tier: Tier | None) -> str:
    if model is None:
        return "No model matches this model name"
    if not usage:
        return "There is no usage"
    if tier is None:
        return "The model has no prices"
    if not usage.keys() & tier.prices.keys():
        return "None of these kinds of usage has a price"
    return "The amount is too large to be true"
