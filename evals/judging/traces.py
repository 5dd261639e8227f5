"""A judgement as a trace of its project, handed in as clients hand in theirs: one generation for each call."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from accounts.access import ProjectScope, scope_for_task
from evals.judging.asking import ended_at
from evals.models import Judgement, JudgementStatus, Trial
from tracing.analytics.records import Level
from tracing.ingest.own import OWN_PREFIX, keep_own_events, trace_row

ENVIRONMENT = f"{OWN_PREFIX}llm-as-a-judge"
TAG = "evaluator"
_LONGEST_STATUS = 5_000


def hand_in_row(row: Judgement | Trial, name: str, metadata: dict[str, Any]) -> None:
    """Where nobody was asked there is nothing to trace. What cannot be handed in now is found by the sweep."""

    def hand_in_log() -> None:
        if row.log:
            hand_in(scope_for_task(row.project_id), row, name=name, metadata=metadata)

    trace_row(row, hand_in_log)


def hand_in(scope: ProjectScope, row: Judgement | Trial, *, name: str, metadata: dict[str, Any]) -> None:
    """Doing it again changes nothing: ids and times are those of the row. Raises Unavailable."""
    entries = row.log
    began = _began(row, entries).isoformat()
    trace_id = row.execution_trace_id
    failed = row.status == JudgementStatus.FAILED
    outcome: Any = {"score": row.value, "reasoning": row.reasoning} if row.value else {"problem": row.problem}
    common = {"environment": ENVIRONMENT, "metadata": metadata}
    events: list[tuple[str, str, dict[str, Any]]] = [
        (
            "trace-create",
            f"{row.pk}-trace",
            {"id": trace_id, "timestamp": began, "name": name, "tags": [TAG], "output": outcome, **common},
        )
    ]
    for number, entry in enumerate(entries):
        body = _call(trace_id, number, entry, failed and number == len(entries) - 1)
        kind = "span-create" if entry["way"] == "code" else "generation-create"
        events.append((kind, f"{row.pk}-call-{number}", {**body, **common}))
    keep_own_events(
        scope, [{"id": id_, "type": type_, "timestamp": began, "body": body} for type_, id_, body in events]
    )


def _began(row: Judgement | Trial, entries: list[dict[str, Any]]) -> datetime:
    return datetime.fromisoformat(entries[0]["at"]) if entries else row.started_at or row.created_at


def _call(trace_id: str, number: int, entry: dict[str, Any], is_last_failure: bool) -> dict[str, Any]:
    level = Level.DEFAULT
    if entry["problem"]:
        level = Level.ERROR if is_last_failure else Level.WARNING
    found: dict[str, Any] = {
        "id": f"{trace_id[:12]}{number:04x}",
        "traceId": trace_id,
        "name": f"judge ({entry['way']})",
        "startTime": entry["at"],
        "endTime": ended_at(entry).isoformat(),
        "level": level.value,
        "statusMessage": entry["problem"][:_LONGEST_STATUS],
    }
    if "response" in entry:
        found["output"] = entry["response"]
    if entry["way"] != "code":
        found["model"] = entry["model"]
        found["usageDetails"] = entry["usage"] or None
        found |= _asked(entry)
    return found


def _asked(entry: dict[str, Any]) -> dict[str, Any]:
    """Nothing of a call whose texts were pruned: the trace has had them for long."""
    if "request" not in entry:
        return {}
    request = dict(entry["request"])
    parameters = request.get("parameters", {})
    return {
        "input": request.get("messages"),
        "modelParameters": {key: value for key, value in parameters.items() if isinstance(value, str | int | float)},
    }
