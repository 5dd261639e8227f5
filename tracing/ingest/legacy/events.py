"""The event types of `/ingestion`, and what is checked of each one's body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracing.analytics.records import Level, ObservationType
from tracing.ingest import scores
from tracing.ingest.issues import (
    Issue,
    Path,
    check_boolean,
    check_datetime,
    check_id,
    check_object,
    check_option,
    check_text,
    check_texts,
    custom,
    kind_of,
    no_match,
    wrong_type,
)

Body = dict[str, Any]
_Check = Callable[[Body, list[Issue]], None]

_BODY: Path = ("body",)
_LEVELS = tuple(level.value for level in Level)
_TYPES = tuple(type_.value for type_ in ObservationType)
_LONGEST_NAME = 1000

TRACE, SCORE, LOG = "trace-create", "score-create", "sdk-log"
#: what the public key alone, which is in every browser, may send
OPEN_TYPES = frozenset({SCORE, LOG})
UPDATES = frozenset({"span-update", "generation-update", "observation-update"})
#: event type -> type of the observation; of those not listed, the body says it
OBSERVATION_TYPES = {
    "event-create": "EVENT",
    "span-create": "SPAN",
    "span-update": "SPAN",
    "generation-create": "GENERATION",
    "generation-update": "GENERATION",
    "agent-create": "AGENT",
    "tool-create": "TOOL",
    "chain-create": "CHAIN",
    "retriever-create": "RETRIEVER",
    "evaluator-create": "EVALUATOR",
    "embedding-create": "EMBEDDING",
    "guardrail-create": "GUARDRAIL",
}


def find_issues(event: dict[str, Any]) -> list[Issue]:
    """Everything that is wrong with one event, in the order of the fields."""
    type_ = event.get("type")
    check = _CHECKS.get(type_) if isinstance(type_, str) else None
    if check is None:
        return [no_match("type", ("type",))]
    issues: list[Issue] = []
    check_id(event, "id", (), issues, required=True)
    check_datetime(event, "timestamp", (), issues, required=True)
    body = event.get("body")
    if isinstance(body, dict):
        check(body, issues)
    else:
        issues.append(wrong_type("object", body, _BODY, is_present="body" in event))
    return issues


def _check_trace(body: Body, issues: list[Issue]) -> None:
    check_id(body, "id", _BODY, issues)
    check_datetime(body, "timestamp", _BODY, issues)
    check_text(body, "name", _BODY, issues, maximum=_LONGEST_NAME)
    for key in ("externalId", "sessionId", "userId", "release", "version"):
        check_text(body, key, _BODY, issues)
    check_boolean(body, "public", _BODY, issues)
    check_texts(body, "tags", _BODY, issues)


def _check_base(body: Body, issues: list[Issue]) -> None:
    check_id(body, "traceId", _BODY, issues)
    check_text(body, "name", _BODY, issues)
    check_datetime(body, "startTime", _BODY, issues)
    check_option(body, "level", _BODY, issues, _LEVELS)
    check_text(body, "statusMessage", _BODY, issues)
    check_text(body, "parentObservationId", _BODY, issues)
    check_text(body, "version", _BODY, issues)
    check_id(body, "id", _BODY, issues, required=True)


def _check_span(body: Body, issues: list[Issue]) -> None:
    _check_base(body, issues)
    check_datetime(body, "endTime", _BODY, issues)


def _check_generation(body: Body, issues: list[Issue]) -> None:
    _check_span(body, issues)
    check_datetime(body, "completionStartTime", _BODY, issues)
    check_text(body, "model", _BODY, issues)
    _check_model_parameters(body, issues)
    for key in ("usage", "usageDetails", "costDetails"):
        check_object(body, key, _BODY, issues)
    check_text(body, "promptName", _BODY, issues)
    _check_prompt_version(body, issues)
    if not issues and bool(body.get("promptName")) != bool(body.get("promptVersion")):
        issues.append(custom(_BODY, "promptName and promptVersion must be given together, or neither of them"))


def _check_prompt_version(body: Body, issues: list[Issue]) -> None:
    version, path = body.get("promptVersion"), (*_BODY, "promptVersion")
    if version is None:
        return
    if isinstance(version, bool) or not isinstance(version, int | float):
        issues.append(wrong_type("number", version, path))
    elif version != int(version) or abs(version) >= 2**31:
        issues.append(wrong_type("int", version, path))


def _check_model_parameters(body: Body, issues: list[Issue]) -> None:
    check_object(body, "modelParameters", _BODY, issues)
    parameters = body.get("modelParameters")
    for key, value in parameters.items() if isinstance(parameters, dict) else ():
        entries = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
        if any(not isinstance(entry, str) for entry in entries):
            message = f"Invalid input: expected texts in {kind_of(value)}"
            issues.append(custom((*_BODY, "modelParameters", key), message))


def _check_observation(body: Body, issues: list[Issue]) -> None:
    _check_generation(body, issues)
    check_option(body, "type", _BODY, issues, _TYPES, required=True)


def _check_score(body: Body, issues: list[Issue]) -> None:
    issues.extend(scores.find_issues(body, _BODY))


def _check_log(body: Body, issues: list[Issue]) -> None:
    """Logs are accepted and dropped, whatever they say."""


_CHECKS: dict[str, _Check] = {
    TRACE: _check_trace,
    SCORE: _check_score,
    LOG: _check_log,
    **dict.fromkeys(OBSERVATION_TYPES, _check_generation),
    "event-create": _check_base,
    "span-create": _check_span,
    "span-update": _check_span,
    "observation-create": _check_observation,
    "observation-update": _check_observation,
}
