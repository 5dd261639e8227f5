"""Records as the JSON that clients expect. Plain functions: a trace may hold thousands of observations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from config.api.values import as_number, iso
from tracing.analytics.records import Score, Trace
from tracing.api.content import Json, nested, parsed
from tracing.api.numbers import rounded, whole
from tracing.api.present_observations import observation_v1
from tracing.queries.paging import Numbered
from tracing.queries.prices import UNKNOWN, UnitPrices
from tracing.queries.scores import ScoreRow
from tracing.queries.sessions import Session
from tracing.queries.traces import Parts, TraceDetail, TraceRow


def meta(page: Numbered[Any]) -> Json:
    number = page.number
    return {"page": number.page, "limit": number.limit, "totalItems": page.total, "totalPages": page.total_pages}


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
    item["latency"] = rounded(row.sums.latency_seconds) if parts.metrics else -1
    item["htmlPath"] = _html_path(row.trace)
    return item


def trace_detail(detail: TraceDetail, parts: Parts, prices: Mapping[str, UnitPrices]) -> Json:
    item = _trace(detail.trace)
    if parts.io:
        item |= {"input": parsed(detail.input), "output": parsed(detail.output), "metadata": nested(detail.metadata)}
    else:
        item["metadata"] = {}
    shown, project_id = (detail.observations if parts.observations else ()), detail.trace.project_id
    item["observations"] = [observation_v1(one, project_id, prices.get(one.model_id, UNKNOWN)) for one in shown]
    item["scores"] = [score_v1(score) for score in detail.scores if score.data_type != "CORRECTION"]
    item["totalCost"] = as_number(detail.sums.total_cost) if parts.metrics else -1
    item["latency"] = rounded(detail.sums.latency_seconds) if parts.metrics else -1
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


def _score_metadata(text: str) -> Any:
    value = parsed(text)
    if value is None:
        return {}
    is_object = value is not text and text.lstrip().startswith("{")
    return value if is_object else {"metadata": value}


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
        item["value"] = whole(score.value) if score.value is not None else 0
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
        return whole(score.value)
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
