"""Kinds of usage that stand for the same thing, so that a price list can be read by people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tracing.pricing.builtin import FAMILIES

_FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}


def grouped(
    tiers: Sequence[dict[str, Decimal]],
) -> list[tuple[list[str], list[Decimal | None]]]:
    """Names that mean the same kind and cost the same in every tier, with the price in each of the tiers."""
    groups: dict[object, tuple[list[str], list[Decimal | None]]] = {}
    for key in _keys(tiers):
        prices = [tier.get(key) for tier in tiers]
        names, _ = groups.setdefault((_FAMILY_OF.get(key, key), tuple(prices)), ([], prices))
        names.append(key)
    return list(groups.values())


def _keys(tiers: Iterable[dict[str, Decimal]]) -> list[str]:
    """As in the built-in list, then the others as they come."""
    found = list(dict.fromkeys(key for tier in tiers for key in tier))
    known = {name: place for place, name in enumerate(_FAMILY_OF)}
    return sorted(found, key=lambda key: known.get(key, len(known)))
