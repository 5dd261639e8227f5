"""Records as the JSON that clients expect. Plain functions: a trace may hold thousands of observations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson

from config.api import as_number, iso
from tracing.analytics.records import Observation, Score, Trace
from tracing.queries.paging import Numbered
from tracing.queries.prices import UNKNOWN, UnitPrices
from tracing.queries.scores import ScoreRow
from tracing.queries.sessions import Session
from tracing.queries.traces import Parts, TraceDetail, TraceRow

Json = dict[str, Any]
_JSON_STARTS = frozenset('{["-0123456789tfn \n\t\r')
#: Kept beside the user's own keys on every observation: maps of their own, whose keys may hold dots.
_GROUPS = ("attributes", "resourceAttributes", "scope")
_METADATA_SHOWN = 200


def meta(page: Numbered[Any]) -> Json:
    number = page.number
    return {"page": number.page, "limit": number.limit, "totalItems": page.total, "totalPages": page.total_pages}


def parsed(text: str) -> Any:
    """Content as v1 shows it: JSON where it is JSON, the text otherwise, null when there is none."""
    if not text:
        return None
    if text[0] not in _JSON_STARTS:
        return text
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def nested(metadata: Mapping[str, str]) -> Json:
    """Metadata as it was sent: nested objects were flattened to dotted names for the store."""
    result: Json = {}
    for key, text in metadata.items():
        group, dot, rest = key.partition(".")
        if dot and group in _GROUPS:
            _put_in_group(result.setdefault(group, {}), group, rest, text)
        elif dot:
            _put(result, key, parsed(text) if text else text)
        else:
            result[key] = parsed(text) if text else text
    if isinstance(result.get("scope"), dict) and "name" in result["scope"]:
        result["scope"].setdefault("attributes", {})
    return result


def _put_in_group(group: Any, name: str, key: str, text: str) -> None:
    if not isinstance(group, dict):
        return
    if name == "scope" and key.startswith("attributes."):
        inner = group.setdefault("attributes", {})
        if isinstance(inner, dict):
            inner[key.removeprefix("attributes.")] = text
        return
    # Attributes are text ("1.10" is a version, not a number); only lists and objects were JSON.
    group[key] = parsed(text) if text[:1] in ("{", "[") else text


def _put(result: Json, key: str, value: Any) -> None:
    """Into nested objects along the dots; a name that is taken by something else stays as it is."""
    *path, last = key.split(".")
    at = result
    for part in path:
        inner = at.setdefault(part, {})
        if not isinstance(inner, dict):
            result[key] = value
            return
        at = inner
    at[last] = value


def _number(value: Decimal | None) -> int | float | None:
    return None if value is None else as_number(value)


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else _round(microseconds / 1_000_000)


def _round(seconds: float) -> int | float:
    shown = round(seconds, 3)
    return int(shown) if shown == int(shown) else shown


def _trace(trace: Trace) -> Json:
    return {
        "id": trace.id,
        "projectId": trace.project_id,
        "externalId": None,
        "timestamp": iso(trace.timestamp),
        "name": trace.name or None,
        "userId": trace.user_id or None,
        "sessionId": trace.session_id or None,
        "release": trace.release or None,
        "version": trace.version or None,
        "environment": trace.environment,
        "public": trace.public,
        "bookmarked": trace.bookmarked,
        "tags": trace.tags,
        "createdAt": iso(trace.created_at),
        "updatedAt": iso(trace.updated_at),
    }


def trace_item(row: TraceRow, parts: Parts) -> Json:
    item = _trace(row.trace)
    if parts.io:
        item |= {"input": parsed(row.input), "output": parsed(row.output), "metadata": nested(row.metadata)}
    item["observations"] = row.sums.observation_ids if parts.observations else []
    item["scores"] = row.score_ids if parts.scores else []
    item["totalCost"] = as_number(row.sums.total_cost) if parts.metrics else -1
    item["latency"] = _round(row.sums.latency_seconds) if parts.metrics else -1
    item["htmlPath"] = _html_path(row.trace)
    return item


def trace_detail(detail: TraceDetail, parts: Parts, prices: Mapping[str, UnitPrices]) -> Json:
    item = _trace(detail.trace)
    if parts.io:
        item |= {"input": parsed(detail.input), "output": parsed(detail.output), "metadata": nested(detail.metadata)}
    else:
        item["metadata"] = {}
    shown = detail.observations if parts.observations else ()
    item["observations"] = [observation_v1(one, prices.get(one.model_id, UNKNOWN)) for one in shown]
    item["scores"] = [score_v1(score) for score in detail.scores if score.data_type != "CORRECTION"]
    item["totalCost"] = as_number(detail.sums.total_cost) if parts.metrics else -1
    item["latency"] = _round(detail.sums.latency_seconds) if parts.metrics else -1
    item["htmlPath"] = _html_path(detail.trace)
    return item


def _html_path(trace: Trace) -> str:
    return f"/project/{trace.project_id}/traces/{trace.id}"


def session_trace(row: TraceRow) -> Json:
    return {
        **_trace(row.trace),
        "input": parsed(row.input),
        "output": parsed(row.output),
        "metadata": nested(row.metadata),
    }


def session(item: Session, project_id: str) -> Json:
    return {
        "id": item.id,
        "createdAt": iso(item.created_at),
        "projectId": project_id,
        "environment": item.environment,
    }


def _sum_of(usage: Mapping[str, int], start: str) -> int:
    return sum(value for key, value in usage.items() if key.startswith(start))


def _usage(one: Observation) -> tuple[int, int, int]:
    if not one.usage:
        return 0, 0, 0
    usage = one.usage
    return _sum_of(usage, "input"), _sum_of(usage, "output"), usage.get("total", 0)


def observation_v1(one: Observation, prices: UnitPrices) -> Json:
    units_in, units_out, units = _usage(one)
    cost = {key: as_number(value) for key, value in one.cost.items()}
    return {
        "id": one.id,
        "traceId": one.trace_id,
        "projectId": one.project_id,
        "startTime": iso(one.start_time),
        "endTime": iso(one.end_time) if one.end_time else None,
        "parentObservationId": one.parent_id or None,
        "type": one.type,
        "environment": one.environment,
        "name": one.name,
        "level": one.level,
        "statusMessage": one.status_message or None,
        "version": one.version or None,
        "createdAt": iso(one.created_at),
        "updatedAt": iso(one.updated_at),
        "input": parsed(one.input),
        "output": parsed(one.output),
        "metadata": nested(one.metadata),
        "model": one.model or None,
        "modelParameters": parsed(one.model_parameters),
        "completionStartTime": iso(one.completion_start_time) if one.completion_start_time else None,
        "promptId": one.prompt_id or None,
        "promptName": one.prompt_name or None,
        "promptVersion": one.prompt_version,
        "latency": _seconds(one.latency_us),
        "timeToFirstToken": _seconds(one.time_to_first_token_us),
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
        "inputPrice": _number(prices.input),
        "outputPrice": _number(prices.output),
        "totalPrice": _number(prices.total),
        "calculatedInputCost": cost.get("input"),
        "calculatedOutputCost": cost.get("output"),
        "calculatedTotalCost": cost.get("total", as_number(one.total_cost)),
    }


def observation_v2(one: Observation, groups: frozenset[str], prices: UnitPrices, expanded: frozenset[str]) -> Json:
    """Core and the always-present fields, and the groups asked for."""
    has_model = "model" in groups
    item: Json = {
        "id": one.id,
        "traceId": one.trace_id,
        "startTime": iso(one.start_time),
        "endTime": iso(one.end_time) if one.end_time else None,
        "projectId": one.project_id,
        "parentObservationId": one.parent_id or None,
        "type": one.type,
        "modelId": (one.model_id or None) if has_model else None,
        "inputPrice": _decimal(prices.input) if has_model else None,
        "outputPrice": _decimal(prices.output) if has_model else None,
        "totalPrice": _decimal(prices.total) if has_model else None,
        "latency": _seconds(one.latency_us) if "metrics" in groups else None,
        "timeToFirstToken": _seconds(one.time_to_first_token_us) if "metrics" in groups else None,
    }
    for group, show in _GROUPS_V2.items():
        if group in groups:
            item |= show(one)
    if "metadata" in groups:
        item["metadata"] = _cut_metadata(one.metadata, expanded, is_whole="io" in groups)
    return item


def _decimal(value: Decimal | None) -> str | None:
    return None if value is None else format(value.normalize(), "f")


def _basic(one: Observation) -> Json:
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


def _time(one: Observation) -> Json:
    return {
        "completionStartTime": iso(one.completion_start_time) if one.completion_start_time else None,
        "createdAt": iso(one.created_at),
        "updatedAt": iso(one.updated_at),
    }


def _model(one: Observation) -> Json:
    return {
        "model": one.model,
        "providedModelName": one.model,
        "internalModelId": one.model_id or None,
        "modelParameters": parsed(one.model_parameters),
    }


def _usage_v2(one: Observation) -> Json:
    return {
        "usageDetails": one.usage,
        "costDetails": {key: as_number(value) for key, value in one.cost.items()},
        "totalCost": as_number(one.total_cost),
        "usagePricingTierName": one.pricing_tier_name or None,
        "usagePricingTierId": one.pricing_tier_id or None,
    }


_GROUPS_V2: dict[str, Callable[[Observation], Json]] = {
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


def _score_metadata(text: str) -> Json:
    value = parsed(text)
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"metadata": value}


def _whole(value: float | None) -> int | float | None:
    return int(value) if value is not None and value == int(value) else value


def _score(score: Score) -> Json:
    item: Json = {
        "id": score.id,
        "projectId": score.project_id,
        "environment": score.environment,
        "name": score.name,
        "source": score.source,
        "authorUserId": score.author_user_id or None,
        "comment": score.comment or None,
        "metadata": _score_metadata(score.metadata),
        "configId": score.config_id or None,
        "queueId": score.queue_id or None,
        "executionTraceId": score.execution_trace_id or None,
        "createdAt": iso(score.created_at),
        "updatedAt": iso(score.updated_at),
        "timestamp": iso(score.timestamp),
        "traceId": score.trace_id or None,
        "observationId": score.observation_id or None,
        "stringValue": None if score.data_type == "NUMERIC" else score.string_value,
        "dataType": score.data_type,
    }
    # A text has no number, and clients refuse a null one.
    if score.data_type != "TEXT":
        item["value"] = _whole(score.value) if score.value is not None else 0
    return item


def score_v1(score: Score) -> Json:
    return _score(score)


def score_v1_item(row: ScoreRow) -> Json:
    of = row.trace
    trace = {"userId": of.user_id or None, "tags": of.tags, "environment": of.environment} if of else None
    return {**_score(row.score), "trace": trace or {"userId": None, "tags": [], "environment": None}}


def score_v2(score: Score) -> Json:
    return {
        **_score(score),
        "sessionId": score.session_id or None,
        "datasetRunId": score.dataset_run_id or None,
    }


def score_v2_item(row: ScoreRow, *, with_trace: bool) -> Json:
    item = score_v2(row.score)
    of = row.trace
    if not with_trace:
        return item
    item["trace"] = (
        {
            "userId": of.user_id or None,
            "tags": of.tags,
            "environment": of.environment,
            "sessionId": of.session_id or None,
        }
        if of
        else None
    )
    return item


def score_v3(score: Score, groups: Sequence[str]) -> Json:
    item: Json = {
        "id": score.id,
        "projectId": score.project_id,
        "name": score.name,
        "source": score.source,
        "timestamp": iso(score.timestamp),
        "environment": score.environment,
        "createdAt": iso(score.created_at),
        "updatedAt": iso(score.updated_at),
        "dataType": score.data_type,
        "value": _value_v3(score),
    }
    if "details" in groups:
        item |= {
            "comment": score.comment or None,
            "configId": score.config_id or None,
            "metadata": _score_metadata(score.metadata),
        }
    if "annotation" in groups:
        item |= {"authorUserId": score.author_user_id or None, "queueId": score.queue_id or None}
    if "subject" in groups:
        item["subject"] = _subject(score)
    return item


def _value_v3(score: Score) -> Any:
    if score.data_type == "NUMERIC":
        return _whole(score.value)
    if score.data_type == "BOOLEAN":
        return score.value == 1
    return score.string_value


def _subject(score: Score) -> Json | None:
    if score.dataset_run_id:
        return {"kind": "experiment", "id": score.dataset_run_id}
    if score.observation_id:
        return {"kind": "observation", "id": score.observation_id, "traceId": score.trace_id}
    if score.session_id:
        return {"kind": "session", "id": score.session_id}
    return {"kind": "trace", "id": score.trace_id} if score.trace_id else None
