"""Usage and cost as clients send them, cleaned once for every way of ingestion.

What cannot be a count of units or a price is left out, never refused: a number that is wrong
must not cost the user the span it came with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tracing.ingest.usage_shapes import from_provider

#: what the store's 64-bit integers hold
_LARGEST_COUNT = 2**63 - 1
#: above it a "cost" is garbage, and would not fit the store's decimals
_LARGEST_COST = 10**12

_TOTALS = ("total_tokens", "totalTokens", "total_token_count", "totalTokenCount")
#: (input, output) of OpenAI's two usage objects; each is one only with its own keys and no others
_OPENAI_SHAPES = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))


def clean_usage(value: Any) -> dict[str, int]:
    """Units by kind, none counted twice: providers' own usage objects become such kinds, of other maps the counts
    stay under the names they have."""
    if not isinstance(value, dict) or not value:
        return {}
    for input_key, output_key in _OPENAI_SHAPES:
        if _is_openai(value, input_key, output_key):
            return _from_openai(value, input_key, output_key)
    provided = from_provider(value, _count)
    if provided is not None:
        return provided
    counts = ((str(key), _count(entry)) for key, entry in value.items())
    return _with_total({key: count for key, count in counts if count is not None})


def _with_total(counts: dict[str, int]) -> dict[str, int]:
    """A sum under a provider's name for it is no kind of its own: the tokens would count twice."""
    for name in _TOTALS:
        if name in counts:
            total = counts.pop(name)
            counts.setdefault("total", total)
    return counts


def clean_cost(value: Any) -> dict[str, Decimal]:
    """US dollars by kind, of the entries that are numbers of zero or more."""
    if not isinstance(value, dict):
        return {}
    amounts = ((str(key), _amount(entry)) for key, entry in value.items())
    return {key: amount for key, amount in amounts if amount is not None}


def usage_from_legacy(usage: Any, usage_details: Any) -> dict[str, int]:
    """The older `usage` object and the newer map together; the map's entries win."""
    details = clean_usage(usage_details)
    if not isinstance(usage, dict):
        return details
    given_input = _either(usage, "input", "promptTokens")
    given_output = _either(usage, "output", "completionTokens")
    total = _either(usage, "total", "totalTokens")
    if total is None and not details:
        total = given_input or given_output
        if given_input and given_output:
            total = min(given_input + given_output, _LARGEST_COUNT)
    parts = {"input": given_input, "output": given_output, "total": total}
    return {key: count for key, count in parts.items() if count is not None} | details


def cost_from_legacy(usage: Any, cost_details: Any) -> dict[str, Decimal]:
    """Costs inside the older `usage` object and the newer map together; the map's entries win."""
    details = clean_cost(cost_details)
    if not isinstance(usage, dict):
        return details
    parts = {"input": usage.get("inputCost"), "output": usage.get("outputCost"), "total": usage.get("totalCost")}
    return clean_cost(parts) | details


def _count(value: Any) -> int | None:
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None
    elif isinstance(value, float):
        value = int(value) if value.is_integer() else None
    elif not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if value is not None and 0 <= value <= _LARGEST_COUNT else None


def _amount(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if not math.isfinite(value) or not 0 <= value <= _LARGEST_COST:
        return None
    # By way of its text: 0.1 is meant as one tenth, not as the binary number next to it.
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _either(usage: dict[str, Any], key: str, openai_key: str) -> int | None:
    count = _count(usage.get(key))
    return _count(usage.get(openai_key)) if count is None else count


def _is_openai(value: dict[str, Any], input_key: str, output_key: str) -> bool:
    required = (input_key, output_key, "total_tokens")
    if any(not isinstance(value.get(key), int | float) or _count(value[key]) is None for key in required):
        return False
    details = {f"{input_key}_details", f"{output_key}_details"}
    return all(key in required or (key in details and _is_details(entry)) for key, entry in value.items())


def _is_details(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, dict) and all(
        entry is None or (not isinstance(entry, str) and _count(entry) is not None) for entry in value.values()
    )


def _from_openai(value: dict[str, Any], input_key: str, output_key: str) -> dict[str, int]:
    cleaned = {"input": int(value[input_key]), "output": int(value[output_key]), "total": int(value["total_tokens"])}
    for side, key in (("input", f"{input_key}_details"), ("output", f"{output_key}_details")):
        for name, count in _details(value.get(key)):
            cleaned[f"{side}_{name}"] = count
            cleaned[side] = max(cleaned[side] - count, 0)
    return cleaned


def _details(value: dict[str, Any] | None) -> Iterator[tuple[str, int]]:
    for name, entry in (value or {}).items():
        count = _count(entry)
        if count is not None:
            yield name, count
