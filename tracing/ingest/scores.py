"""Scores as clients send them, to `POST /scores` or as events: one validation, one form in the store."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from config.errors import Unavailable
from tracing.analytics.records import Score, ScoreSource, ScoreType
from tracing.ingest.clock import microseconds, parse_time
from tracing.ingest.environment import normalise_environment
from tracing.ingest.issues import (
    Issue,
    Path,
    check_datetime,
    check_id,
    check_option,
    check_text,
    custom,
    kind_of,
    no_match,
    wrong_type,
)
from tracing.ingest.model import Decoded, Envelope, PayloadRejected, Refused, SetAside, reason_of
from tracing.ingest.score_rules import LONGEST_TEXT, Rulebook, ScoreRules
from tracing.ingest.text import as_text

_CORRECTION_NAME = "output"
_TARGETS = ("traceId", "sessionId", "datasetRunId", "observationId")
_ONE_TARGET = (
    "Provide exactly one of the following: traceId (with optional observationId), sessionId or datasetRunId. "
    "ObservationId requires traceId."
)
_KEPT = (
    *("id", "traceId", "sessionId", "datasetRunId", "observationId", "name", "value", "dataType", "configId"),
    *("comment", "metadata", "environment", "queueId", "source", "executionTraceId"),
)


@dataclass(slots=True)
class ScoreReceipt:
    """What goes into the inbox, and the answer."""

    accepted: list[dict[str, Any]]
    status: int
    response: dict[str, Any]


def parse_many(payload: Any, project_id: str) -> ScoreReceipt:
    """Check what was sent to `POST /scores`. Raises PayloadRejected when nothing of it can be accepted."""
    if isinstance(payload, list):
        return _parse_array(payload, project_id)
    issues = find_issues(payload, ()) or Rulebook(project_id, [payload]).find_breaches(payload, ())
    if issues:
        raise PayloadRejected(400, {"message": "Invalid request data", "error": issues})
    accepted = normalised(payload)
    return ScoreReceipt([accepted], 200, {"id": accepted["id"]})


def _parse_array(payload: list[Any], project_id: str) -> ScoreReceipt:
    accepted: list[dict[str, Any]] = []
    errors: list[dict[str, str]] = []
    rulebook = Rulebook(project_id, payload)
    for position, item in enumerate(payload):
        issues = find_issues(item, ())
        if isinstance(item, dict):
            check_datetime(item, "timestamp", (), issues)
        issues = issues or rulebook.find_breaches(item, ())
        if issues:
            errors.append({"message": _refusal(item, position, issues)})
            continue
        score = normalised(item)
        if item.get("timestamp"):
            score["timestamp"] = item["timestamp"]
        accepted.append(score)
    if not errors:
        return ScoreReceipt(accepted, 202, {"message": "Accepted"})
    return ScoreReceipt(accepted, 207, {"accepted": len(accepted), "rejected": len(errors), "errors": errors})


def _refusal(item: Any, position: int, issues: list[Issue]) -> str:
    names = [item.get("name"), item.get("id")] if isinstance(item, dict) else []
    named = " ".join(repr(name[:100]) for name in names if isinstance(name, str) and name)
    reasons = "; ".join(f"{'.'.join(map(str, issue['path']))}: {issue['message']}" for issue in issues)
    return f"Score {named or 'without a name'} (number {position + 1} of the request) is invalid. {reasons}"


def find_issues(body: Any, path: Path) -> list[Issue]:
    """Everything that is wrong with one score; `path` is where it was found."""
    if not isinstance(body, dict):
        return [wrong_type("object", body, path)]
    issues: list[Issue] = []
    for key in ("id", "traceId", "sessionId", "datasetRunId", "observationId"):
        check_id(body, key, path, issues)
    data_type = body.get("dataType")
    check_text(body, "name", path, issues, required=data_type != ScoreType.CORRECTION, minimum=1)
    for key in ("comment", "configId", "queueId", "executionTraceId"):
        check_text(body, key, path, issues)
    check_option(body, "source", path, issues, (ScoreSource.API.value, ScoreSource.ANNOTATION.value))
    _check_value(body, data_type, path, issues)
    # Rules between fields make no sense to a client before each field is right.
    return issues or _find_conflicts(body, data_type, path)


def _check_value(body: dict[str, Any], data_type: Any, path: Path, issues: list[Issue]) -> None:
    value = body.get("value")
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    where = (*path, "value")
    if data_type is None:
        if not is_number and not isinstance(value, str):
            issues.append(_neither(value, where, is_present="value" in body))
    elif data_type in (ScoreType.NUMERIC, ScoreType.BOOLEAN):
        if not is_number:
            issues.append(wrong_type("number", value, where, is_present="value" in body))
        elif data_type == ScoreType.BOOLEAN and value not in (0, 1):
            issues.append(custom(where, "Value must be either 0 or 1 for data type BOOLEAN"))
    elif data_type == ScoreType.TEXT:
        check_text(body, "value", path, issues, required=True, minimum=1, maximum=LONGEST_TEXT)
    elif data_type in (ScoreType.CATEGORICAL, ScoreType.CORRECTION):
        check_text(body, "value", path, issues, required=True)
    else:
        issues.append(no_match("dataType", (*path, "dataType")))


def _neither(value: Any, path: Path, *, is_present: bool) -> Issue:
    errors = [[wrong_type(expected, value, (), is_present=is_present)] for expected in ("string", "number")]
    return {"code": "invalid_union", "errors": errors, "path": path, "message": "Invalid input"}


def _find_conflicts(body: dict[str, Any], data_type: Any, path: Path) -> list[Issue]:
    issues: list[Issue] = []
    targets = [key for key in ("traceId", "sessionId", "datasetRunId") if body.get(key)]
    if len(targets) != 1 or (body.get("observationId") and targets != ["traceId"]):
        issues.append(custom((*path, *_TARGETS), _ONE_TARGET))
    is_correction = data_type == ScoreType.CORRECTION
    if is_correction and targets != ["traceId"]:
        issues.append(custom((*path, "traceId"), "A correction is about a trace or an observation: give a traceId"))
    if is_correction and body.get("configId"):
        issues.append(custom((*path, "configId"), "A correction has no score config"))
    if body.get("source") == ScoreSource.ANNOTATION and not is_correction and not body.get("configId"):
        issues.append(custom((*path, "configId"), "An annotation needs a configId"))
    return issues


def normalised(body: dict[str, Any]) -> dict[str, Any]:
    """The known fields that say something, and an id: delivered twice, it is still one score."""
    kept = {key: body[key] for key in _KEPT if body.get(key) is not None}
    kept.setdefault("id", str(uuid.uuid4()))
    return kept


def decode_body(body: bytes, envelope: Envelope) -> Decoded:
    """The scores of one inbox payload, as `parse_many` accepted them."""
    decoded = Decoded()
    for item in orjson.loads(body):
        try:
            timestamp = item.get("timestamp")
            at = parse_time(timestamp) if timestamp else envelope.received_at
            decoded.scores.append(decode_score(item, envelope, at))
        except Unavailable:
            raise
        except Exception as error:  # one bad score must not take its neighbours with it
            decoded.set_aside.append(SetAside(reason=reason_of(error), payload=as_text([item]), item_id=item["id"]))
    return decoded


def decode_score(body: dict[str, Any], envelope: Envelope, at: datetime) -> Score:
    """The record of one accepted score. Raises Refused where it breaks its config."""
    rules, breach = Rulebook(envelope.project_id, [body]).hold(body)
    if breach:
        raise Refused(breach.reason)
    return score_record(body, rules, envelope, at)


def score_record(body: dict[str, Any], rules: ScoreRules | None, envelope: Envelope, at: datetime) -> Score:
    """The record of a score that has an id, no issues, and keeps to the rules of its config."""
    data_type = body.get("dataType") or (rules.data_type if rules else _inferred(body["value"]))
    value, string_value = _stored_value(data_type, body["value"], rules)
    received_at = envelope.received_at
    return Score(
        project_id=envelope.project_id,
        id=body["id"],
        timestamp=at,
        name=_CORRECTION_NAME if data_type == ScoreType.CORRECTION else rules.name if rules else body["name"],
        trace_id=body.get("traceId", ""),
        observation_id=body.get("observationId", ""),
        session_id=body.get("sessionId", ""),
        dataset_run_id=body.get("datasetRunId", ""),
        source=body.get("source", ScoreSource.API.value),
        data_type=data_type,
        value=value,
        string_value=string_value,
        comment=body.get("comment", ""),
        metadata=as_text(body.get("metadata")),
        environment=normalise_environment(body.get("environment")),
        config_id=body.get("configId", ""),
        queue_id=body.get("queueId", ""),
        execution_trace_id=body.get("executionTraceId", ""),
        created_at=received_at,
        updated_at=received_at,
        row_version=microseconds(received_at),
    )


def _inferred(value: Any) -> str:
    return ScoreType.CATEGORICAL.value if kind_of(value) == "string" else ScoreType.NUMERIC.value


def _stored_value(data_type: str, value: Any, rules: ScoreRules | None) -> tuple[float | None, str]:
    if data_type == ScoreType.NUMERIC:
        return float(value), ""
    if data_type == ScoreType.BOOLEAN:
        return float(value), "True" if value else "False"
    if data_type == ScoreType.TEXT:
        return None, value
    number = rules.labels.get(value, 0.0) if rules and data_type == ScoreType.CATEGORICAL else 0.0
    return number, value
