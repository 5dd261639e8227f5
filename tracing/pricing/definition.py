"""A model as somebody defines it: plain values, and the rules that its tiers keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

FLAT_TIER = "Standard"
LONGEST_TIER_NAME = 100
HIGHEST_PRIORITY = 999
LONGEST_KEY = 200


@dataclass(frozen=True, slots=True)
class TierDefinition:
    """`prices`: US dollars per unit. `conditions` are shaped as in the API; all must hold."""

    name: str
    prices: Mapping[str, Decimal]
    is_default: bool = False
    priority: int = 0
    conditions: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class ModelDefinition:
    name: str
    match_pattern: str
    tiers: Sequence[TierDefinition]
    unit: str = ""
    start_date: datetime | None = None
    tokenizer: str = ""
    tokenizer_config: Any = field(default_factory=dict)


def flat(prices: Mapping[str, Decimal]) -> TierDefinition:
    """The one tier of a model whose prices hang on nothing."""
    return TierDefinition(FLAT_TIER, prices, is_default=True)


def broken_rule(tiers: Sequence[TierDefinition]) -> str:
    """The first rule that these tiers break together, in words; empty when they keep them all."""
    defaults = [tier for tier in tiers if tier.is_default]
    if len(defaults) != 1:
        return f"Exactly one tier must be the default one (isDefault), not {len(defaults)}"
    if defaults[0].priority != 0:
        return "The default tier must have priority 0"
    if defaults[0].conditions:
        return "The default tier must not have conditions"
    for tier in tiers:
        if not tier.is_default and not tier.conditions:
            return f"Tier '{tier.name}' needs at least one condition, as it is not the default one"
    if twice := _first_twice(tier.name for tier in tiers):
        return f"Names of tiers must be unique: '{twice}' is there twice"
    if twice := _first_twice(str(tier.priority) for tier in tiers):
        return f"Priorities of tiers must be unique: {twice} is there twice"
    return _broken_rule_of_prices(tiers, defaults[0])


def _broken_rule_of_prices(tiers: Sequence[TierDefinition], default: TierDefinition) -> str:
    if not default.prices:
        return "Every tier needs at least one price"
    expected = sorted(default.prices)
    for tier in tiers:
        if sorted(tier.prices) != expected:
            return (
                f"Tier '{tier.name}' must price the same kinds of usage as the default tier: "
                f"expected {', '.join(expected)}, got {', '.join(sorted(tier.prices)) or 'none'}"
            )
    return ""


def _first_twice(values: Iterable[str]) -> str:
    return next((value for value, count in Counter(values).items() if count > 1), "")
