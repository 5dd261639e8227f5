"""Observations as the JSON that clients expect, in both versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from config.api.values import as_number
from tracing.api.content import Json, nested, parsed
from tracing.api.numbers import seconds
from tracing.queries.observations import ObservationRow
from tracing.queries.prices import UnitPrices

_METADATA_SHOWN = 200


def _iso(time: str) -> str:
    """ISO with milliseconds, from the store's text of it."""
    return f"{time[:10]}T{time[11:23]}Z"


def _iso_or_none(time: str | None) -> str | None:
    return _iso(time) if time else None


def _price(value: Decimal | None) -> int | float | None:
    return None if value is None else as_number(value)


def _if_known(total: float, side: str, cost: Mapping[str, float]) -> float | None:
    """What all kinds of input (or output) cost; null where no kind of it has a price."""
    return total if total or any(side in kind for kind in cost) else None


def observation_v1(one: ObservationRow, project_id: str, prices: UnitPrices) -> Json:
    units_in, units_out, units = one.input_tokens, one.output_tokens, one.usage.get("total", 0)
    cost = one.cost
    return {
        "id": one.id,
        "traceId": one.trace_id,
        "projectId": project_id,
        "startTime": _iso(one.start_time),
        "endTime": _iso_or_none(one.end_time),
        "parentObservationId": one.parent_id or None,
        "type": one.type,
        "environment": one.environment,
        "name": one.name,
        "level": one.level,
        "statusMessage": one.status_message or None,
        "version": one.version or None,
        "createdAt": _iso(one.created_at),
        "updatedAt": _iso(one.updated_at),
        "input": parsed(one.input),
        "output": parsed(one.output),
        "metadata": nested(one.metadata),
        "model": one.model or None,
        "modelParameters": parsed(one.model_parameters),
        "completionStartTime": _iso_or_none(one.completion_start_time),
        "promptId": one.prompt_id or None,
        "promptName": one.prompt_name or None,
        "promptVersion": one.prompt_version,
        "latency": seconds(one.latency_us),
        "timeToFirstToken": seconds(one.time_to_first_token_us),
        "usageDetails": one.usage,
        "costDetails": cost,
        "usage": {"unit": "TOKENS", "input": units_in, "output": units_out, "total": units},
        "unit": "TOKENS",
        "promptTokens": units_in,
        "completionTokens": units_out,
        "totalTokens": units,
        "usagePricingTierId": one.pricing_tier_id or None,
        "usagePricingTierName": one.pricing_tier_name or None,
        "modelId": one.model_id or None,
        "inputPrice": _price(prices.input),
        "outputPrice": _price(prices.output),
        "totalPrice": _price(prices.total),
        "calculatedInputCost": _if_known(one.input_cost, "input", cost),
        "calculatedOutputCost": _if_known(one.output_cost, "output", cost),
        "calculatedTotalCost": cost.get("total", one.total_cost),
    }


def observation_v2(
    one: ObservationRow, project_id: str, groups: frozenset[str], prices: UnitPrices, expanded: frozenset[str]
) -> Json:
    """Core and the always-present fields, and the groups asked for."""
    has_model = "model" in groups
    item: Json = {
        "id": one.id,
        "traceId": one.trace_id,
        "startTime": _iso(one.start_time),
        "endTime": _iso_or_none(one.end_time),
        "projectId": project_id,
        "parentObservationId": one.parent_id or None,
        "type": one.type,
        "modelId": (one.model_id or None) if has_model else None,
        "inputPrice": _decimal(prices.input) if has_model else None,
        "outputPrice": _decimal(prices.output) if has_model else None,
        "totalPrice": _decimal(prices.total) if has_model else None,
        "latency": seconds(one.latency_us) if "metrics" in groups else None,
        "timeToFirstToken": seconds(one.time_to_first_token_us) if "metrics" in groups else None,
    }
    for group, show in _GROUPS_V2.items():
        if group in groups:
            item |= show(one)
    if "metadata" in groups:
        item["metadata"] = _cut_metadata(one.metadata, expanded, is_whole="io" in groups)
    return item


def _decimal(value: Decimal | None) -> str | None:
    return None if value is None else format(value.normalize(), "f")


def _basic(one: ObservationRow) -> Json:
    return {
        "name": one.name,
        "level": one.level,
        "statusMessage": one.status_message,
        "version": one.version,
        "environment": one.environment,
        "bookmarked": False,
        "public": one.public,
        "userId": one.user_id,
        "sessionId": one.session_id,
        "isRootObservation": one.is_root,
    }


def _time(one: ObservationRow) -> Json:
    return {
        "completionStartTime": _iso_or_none(one.completion_start_time),
        "createdAt": _iso(one.created_at),
        "updatedAt": _iso(one.updated_at),
    }


def _model(one: ObservationRow) -> Json:
    return {
        "model": one.model,
        "providedModelName": one.model,
        "internalModelId": one.model_id or None,
        "modelParameters": parsed(one.model_parameters),
    }


def _usage_v2(one: ObservationRow) -> Json:
    return {
        "usageDetails": one.usage,
        "costDetails": one.cost,
        "totalCost": one.total_cost,
        "usagePricingTierName": one.pricing_tier_name or None,
        "usagePricingTierId": one.pricing_tier_id or None,
    }


_GROUPS_V2: dict[str, Callable[[ObservationRow], Json]] = {
    "basic": _basic,
    "time": _time,
    "io": lambda one: {"input": one.input or None, "output": one.output or None},
    "model": _model,
    "usage": _usage_v2,
    "prompt": lambda one: {
        "promptId": one.prompt_id or None,
        "promptName": one.prompt_name or None,
        "promptVersion": one.prompt_version,
    },
    "trace_context": lambda one: {
        "tags": one.tags,
        "release": one.release,
        "traceName": one.trace_name or (one.name if one.is_root else "") or None,
    },
}
GROUPS_V2 = frozenset({*_GROUPS_V2, "core", "metadata", "metrics"})


def _cut_metadata(metadata: Mapping[str, str], expanded: frozenset[str], *, is_whole: bool) -> Json:
    """Flat, with dotted names; long values are cut unless asked for."""
    result: Json = {}
    for key, text in metadata.items():
        if not is_whole and len(text) > _METADATA_SHOWN and key not in expanded:
            result[key] = text[:_METADATA_SHOWN]
        else:
            result[key] = parsed(text) if text else text
    return result
