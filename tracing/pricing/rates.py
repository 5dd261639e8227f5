"""Models and tiers ready for use: patterns compiled, prices exact, conditions as functions of a call."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

from tracing.models import Model, PricingTier
from tracing.pricing.patterns import Test, compile_pattern

LONGEST_USAGE_PATTERN = 200
_LONGEST_REMEMBERED = 200
#: a chat format adds a handful to each message
_MOST_EXTRA_TOKENS = 1000

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}
OPERATORS = tuple(_COMPARE)


@dataclass(frozen=True, slots=True)
class Call:
    """What a tier's conditions look at. `model_parameters` is JSON text, read only when a condition asks."""

    usage: Mapping[str, int]
    model_parameters: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UsageCondition:
    """The sum of all units whose key matches, compared with a value."""

    matches: Test
    compare: Callable[[Any, Any], bool]
    value: Decimal
    pattern: str = ""
    operator: str = ""

    def counted(self, call: Call) -> dict[str, int]:
        """The kinds of usage that it adds up."""
        return {key: units for key, units in call.usage.items() if self.matches(key)}

    def holds(self, call: Call) -> bool:
        return self.compare(sum(units for key, units in call.usage.items() if self.matches(key)), self.value)


@dataclass(frozen=True, slots=True)
class AttributeCondition:
    """A top-level key of the model parameters or the metadata has one of the values."""

    source: str
    key: str
    values: frozenset[str]

    def found(self, call: Call) -> str | None:
        """The value that the call has there, as text."""
        if self.source == "metadata":
            return call.metadata.get(self.key)
        # Most calls do not name the key at all: a look at the text is far cheaper than parsing it.
        if self.key not in call.model_parameters:
            return None
        try:
            parameters = orjson.loads(call.model_parameters)
        except orjson.JSONDecodeError:
            return None
        value = parameters.get(self.key) if isinstance(parameters, dict) else None
        return None if value is None else _as_text(value)

    def holds(self, call: Call) -> bool:
        return self.found(call) in self.values


Condition = UsageCondition | AttributeCondition


@dataclass(frozen=True, slots=True)
class Tier:
    id: str
    name: str
    prices: Mapping[str, Decimal]
    conditions: tuple[Condition, ...] = ()

    def applies(self, call: Call) -> bool:
        return bool(self.conditions) and all(condition.holds(call) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class PricedModel:
    id: str
    name: str
    matches: Test
    is_builtin: bool = True
    tokenizer: str = ""
    tokenizer_config: Mapping[str, Any] = field(default_factory=dict)
    default: Tier | None = None
    #: by ascending priority, without the default one
    conditional: tuple[Tier, ...] = ()
    pattern: str = ""
    #: calls that began earlier are another definition's
    starts_at: datetime | None = None
    unit: str = ""
    source_url: str = ""

    def tier_for(self, call: Call) -> Tier | None:
        for tier in self.conditional:
            if tier.applies(call):
                return tier
        return self.default


def priced_model(model: Model, tiers: Iterable[PricingTier]) -> PricedModel:
    """Raises Invalid when a pattern does not compile."""
    ordered = sorted(tiers, key=lambda tier: tier.priority)
    default = next((tier for tier in ordered if tier.is_default), None)
    return PricedModel(
        id=model.public_id,
        name=model.name,
        matches=compile_pattern(model.match_pattern),
        is_builtin=model.is_builtin,
        tokenizer=model.tokenizer,
        tokenizer_config=_tokenizer_config(model.tokenizer_config),
        default=_tier(default) if default else None,
        conditional=tuple(_tier(tier) for tier in ordered if not tier.is_default),
        pattern=model.match_pattern,
        starts_at=model.start_date,
        unit=model.unit,
        source_url=model.source_url,
    )


def _tokenizer_config(given: Any) -> dict[str, Any]:
    """What counting can use. Clients may put any JSON there, and no count may become negative or absurd by it."""
    entries = given.items() if isinstance(given, dict) else ()
    return {key: value for key, value in entries if isinstance(value, str) or value in range(_MOST_EXTRA_TOKENS)}


def _tier(tier: PricingTier) -> Tier:
    return Tier(
        id=tier.id,
        name=tier.name,
        # By way of the text: a price that came as a JSON number means its decimal digits.
        prices={key: Decimal(str(price)) for key, price in tier.prices.items()},
        conditions=tuple(_condition(condition) for condition in tier.conditions),
    )


def _condition(spec: Mapping[str, Any]) -> Condition:
    if "usageDetailPattern" in spec:
        flags = "" if spec.get("caseSensitive") else "(?i)"
        test = compile_pattern(flags + spec["usageDetailPattern"], LONGEST_USAGE_PATTERN + len(flags))
        value, how = Decimal(str(spec["value"])), spec["operator"]
        return UsageCondition(_remembering(test), _COMPARE[how], value, spec["usageDetailPattern"], how)
    return AttributeCondition(spec["source"], spec["key"], frozenset(spec["values"]))


def _remembering(test: Test) -> Test:
    """A handful of keys come again and again. Clients choose them, so long ones are not kept."""
    known = lru_cache(256)(test)
    return lambda key: known(key) if len(key) <= _LONGEST_REMEMBERED else test(key)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
