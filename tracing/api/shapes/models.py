"""Definitions of models as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from config.api.describe import Given, PageMeta, Shape

Unit = Literal["TOKENS", "CHARACTERS", "MILLISECONDS", "SECONDS", "REQUESTS", "IMAGES"]
Operator = Literal["gt", "gte", "lt", "lte", "eq", "neq"]
Source = Literal["model_parameters", "metadata"]


class ModelPrice(Shape):
    price: float


class UsageCondition(Shape):
    """Holds when the units of all kinds of usage that match the pattern, added up, compare so with the value."""

    usageDetailPattern: str
    operator: Operator
    value: float
    caseSensitive: bool = False


class AttributeCondition(Shape):
    """Holds when a top-level key of the model parameters or the metadata has one of the values."""

    source: Source
    key: str
    operator: Literal["in"]
    values: list[str]


class PricingTier(Shape):
    id: str
    name: str
    isDefault: bool
    priority: int
    conditions: list[UsageCondition | AttributeCondition]
    prices: dict[str, float]


class ModelItem(Shape):
    """Prices are US dollars per unit. `prices` and the three flat ones are those of the default tier."""

    id: str
    modelName: str
    matchPattern: str
    startDate: datetime | None
    unit: Unit | None
    inputPrice: float | None
    outputPrice: float | None
    totalPrice: float | None
    tokenizerId: str | None
    tokenizerConfig: Any
    isLangfuseManaged: bool
    createdAt: datetime
    prices: dict[str, ModelPrice]
    pricingTiers: list[PricingTier]


class ModelList(Shape):
    data: list[ModelItem]
    meta: PageMeta


class GivenTier(Given):
    name: str
    isDefault: bool
    priority: int
    conditions: list[UsageCondition | AttributeCondition]
    prices: dict[str, float]


class NewModel(Given):
    """Either flat prices (`totalPrice` excludes the other two) or `pricingTiers`, exactly one of them the default."""

    modelName: str
    matchPattern: str
    startDate: datetime | None = None
    unit: Unit | None = None
    inputPrice: float | None = None
    outputPrice: float | None = None
    totalPrice: float | None = None
    pricingTiers: list[GivenTier] | None = None
    tokenizerId: Literal["openai", "claude"] | None = None
    tokenizerConfig: Any = None
