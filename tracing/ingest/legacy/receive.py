"""At the door: check each event of a batch, keep the good ones, tell of each what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accounts.access import AccessLevel
from tracing.ingest import scores
from tracing.ingest.clock import parse_time
from tracing.ingest.issues import Issue, as_json_text, kind_of
from tracing.ingest.legacy import events
from tracing.ingest.model import PayloadRejected
from tracing.ingest.score_rules import Rulebook

_INVALID = "Invalid request data"


@dataclass(slots=True)
class LegacyReceipt:
    """The events that go into the inbox, and the body of the 207."""

    accepted: list[dict[str, Any]]
    response: dict[str, Any]


def receive(payload: Any, level: AccessLevel, project_id: str) -> LegacyReceipt:
    """Raises PayloadRejected when the batch as a whole makes no sense; a bad event only costs itself."""
    valid: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    batch = _batch(payload)
    rulebook = Rulebook(project_id, (event.get("body") for event in batch if isinstance(event, dict)))
    for event in batch:
        error = _find_error(event, level, rulebook)
        if error is None:
            valid.append(event)
        else:
            errors.append(error)
    # Logs are for the people who run an SDK; they are neither kept nor counted.
    accepted = [_kept(event) for event in sorted(valid, key=_order) if event["type"] != events.LOG]
    successes = [{"id": event["id"], "status": 201} for event in accepted]
    return LegacyReceipt(accepted, {"successes": successes, "errors": errors})


def _batch(payload: Any) -> list[Any]:
    if not isinstance(payload, dict):
        raise _rejected("object", kind_of(payload))
    batch = payload.get("batch")
    if not isinstance(batch, list):
        raise _rejected("array", kind_of(batch, is_present="batch" in payload))
    return batch


def _rejected(expected: str, received: str) -> PayloadRejected:
    errors = [f"Invalid input: expected {expected}, received {received}"]
    return PayloadRejected(400, {"message": _INVALID, "errors": errors})


def _find_error(event: Any, level: AccessLevel, rulebook: Rulebook) -> dict[str, Any] | None:
    if not isinstance(event, dict):
        message = f"Invalid input: expected object, received {kind_of(event)}"
        return _invalid("unknown", [{"code": "invalid_type", "expected": "object", "path": [], "message": message}])
    issues = events.find_issues(event)
    if issues:
        id_ = event.get("id")
        return _invalid(id_ if isinstance(id_, str) and id_ else "unknown", issues)
    if level is not AccessLevel.PROJECT and event["type"] not in events.OPEN_TYPES:
        denied = {"message": "Authentication error", "error": "Access Scope Denied"}
        return {"id": event["id"], "status": 401, **denied}
    if event["type"] == events.SCORE and (breaches := rulebook.find_breaches(event["body"], ("body",))):
        return _invalid(event["id"], breaches)
    return None


def _invalid(id_: str, issues: list[Issue]) -> dict[str, Any]:
    return {"id": id_, "status": 400, "message": _INVALID, "error": as_json_text(issues)}


def _order(event: dict[str, Any]) -> tuple[bool, Any]:
    return event["type"] in events.UPDATES, parse_time(event["timestamp"])


def _kept(event: dict[str, Any]) -> dict[str, Any]:
    body = event["body"]
    if event["type"] == events.SCORE:
        body = scores.normalised(body)
    return {"id": event["id"], "type": event["type"], "timestamp": event["timestamp"], "body": body}
