"""From units and prices to money, and the account of it line by line.

Usage buckets are disjoint: decoding has taken cached tokens out of `input` and reasoning out of `output`. So each
key is multiplied by its own price and nothing is counted twice. A key without a price costs nothing and is shown so.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

#: what the store's decimals hold; beyond it the numbers are garbage
LARGEST_COST = Decimal(999_999)
_LARGEST_COUNT = 2**63 - 1
_STORED_DIGITS = 12
_LAST_DIGIT = Decimal(1).scaleb(-_STORED_DIGITS)


def units_of(provided: Mapping[str, int]) -> dict[str, int]:
    """What is shown for the usage a client sent: the same, with the sum of everything as `total` unless it gave one."""
    usage = dict(provided)
    if usage and "total" not in usage:
        usage["total"] = min(sum(usage.values()), _LARGEST_COUNT)
    return usage


def provided_cost(provided: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What is shown for the cost a client sent. A total is added only when input and output are all there is."""
    cost = _as_stored({key: amount for key, amount in provided.items() if amount <= LARGEST_COST})
    if cost and "total" not in cost and cost.keys() <= {"input", "output"}:
        cost["total"] = sum(cost.values(), Decimal(0))
    return cost


def computed_cost(usage: Mapping[str, int], prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Price times units for each key with a price. A price for `total` decides the total, else it is the sum."""
    cost = {key: prices[key] * units for key, units in usage.items() if key in prices}
    if not cost:
        return cost
    if max(cost.values()) > LARGEST_COST:
        return {}
    cost = _as_stored(cost)
    if "total" not in cost:
        cost["total"] = sum(cost.values(), Decimal(0))
    return cost if cost["total"] <= LARGEST_COST else {}


def _as_stored(cost: dict[str, Decimal]) -> dict[str, Decimal]:
    """Each amount rounded to the last digit that is kept, so that what is added up here adds up there."""
    exponent = sum(cost.values(), Decimal(0)).as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -_STORED_DIGITS:
        return cost  # as good as always: the sum is as fine as the finest
    return {key: amount.quantize(_LAST_DIGIT) for key, amount in cost.items()}
