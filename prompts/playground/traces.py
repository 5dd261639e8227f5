"""A run as a trace of its project, handed to ingestion as clients hand in theirs; and what it cost, by the very prices
that the trace is given."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.access import ProjectScope
from prompts.llm.naming import traced_model
from prompts.models import PlaygroundRun, RunStatus
from tracing.analytics.encode import MONEY_LIMIT
from tracing.analytics.records import Level, Observation, ObservationType
from tracing.ingest.enrich import price
from tracing.ingest.own import OWN_PREFIX, keep_own_events
from tracing.ingest.text import as_text, flatten
from tracing.ingest.usage import usage_from_legacy
from tracing.pricing.catalogue import catalogue_for

#: one word to leave all of them out by, or to see nothing else
ENVIRONMENT = f"{OWN_PREFIX}playground"
NAME = "playground"
TAG = "playground"
#: as the store keeps money
_PLACES = Decimal("0.000000000001")
_LEVELS = {
    RunStatus.DONE: Level.DEFAULT,
    RunStatus.STOPPED: Level.WARNING,
    RunStatus.FAILED: Level.ERROR,
    RunStatus.LOST: Level.ERROR,
}
_LONGEST_STATUS = 5_000


def cost_of(run: PlaygroundRun) -> Decimal | None:
    """What the trace of this run will show as its cost; None where the model has no price."""
    catalogue = catalogue_for(run.project_id)
    body = _generation(run)
    observation = Observation(
        project_id=run.project_id,
        trace_id=run.trace_id,
        id=run.observation_id,
        type=ObservationType.GENERATION.value,
        start_time=_began(run),
        level=body["level"],
        input=as_text(body["input"]),
        output=as_text(body["output"]),
        metadata=flatten(body["metadata"]),
        model=body["model"],
        model_parameters=as_text(body["modelParameters"]),
        provided_usage=usage_from_legacy(None, body["usageDetails"]),
    )
    price(observation, catalogue)
    if not observation.cost:
        return None
    return min(observation.total_cost, MONEY_LIMIT).quantize(_PLACES)


def hand_in(scope: ProjectScope, run: PlaygroundRun) -> None:
    """Doing it again changes nothing: ids and times are those of the run. Raises Unavailable."""
    began = _began(run).isoformat()
    call = run.call
    trace = {
        "id": run.trace_id,
        "timestamp": began,
        "name": call.get("title") or NAME,
        "userId": call.get("user") or None,
        "environment": ENVIRONMENT,
        "tags": [TAG],
        "metadata": _metadata(run),
    }
    events = [("trace-create", f"{run.pk}-trace", trace), ("generation-create", run.pk, _generation(run))]
    keep_own_events(
        scope, [{"id": id_, "type": type_, "timestamp": began, "body": body} for type_, id_, body in events]
    )


def _generation(run: PlaygroundRun) -> dict[str, Any]:
    call = run.call
    prompt = call.get("prompt")
    linked = {"promptName": prompt["name"], "promptVersion": prompt["version"]} if prompt else {}
    return {
        "id": run.observation_id,
        "traceId": run.trace_id,
        "name": call.get("window_title") or NAME,
        "startTime": _began(run).isoformat(),
        "endTime": _time(run.ended_at),
        "completionStartTime": _time(run.first_token_at),
        "model": traced_model(run.project_id, run.model, run.answered_model, _began(run)),
        "modelParameters": _parameters(call),
        "input": _input(call),
        "output": run.message,
        "level": _LEVELS.get(RunStatus(run.status), Level.DEFAULT).value,
        "statusMessage": _status_message(run),
        "usageDetails": run.usage or None,
        "environment": ENVIRONMENT,
        "metadata": _metadata(run),
        **linked,
    }


def _input(call: dict[str, Any]) -> Any:
    """In OpenAI's shape, so that tools are shown as tools."""
    if not call["tools"]:
        return call["messages"]
    return {"messages": call["messages"], "tools": [{"type": "function", "function": tool} for tool in call["tools"]]}


def _parameters(call: dict[str, Any]) -> dict[str, Any]:
    found = dict(call["parameters"])
    if call["tool_choice"]:
        found["tool_choice"] = call["tool_choice"]
    if call["output_schema"] is not None:
        schema = {"name": call.get("schema_name") or "answer", "schema": call["output_schema"]}
        found["response_format"] = as_text({"type": "json_schema", "json_schema": schema})
    for name, value in call["options"].items():
        found[str(name)] = value if isinstance(value, str | int | float | bool) else as_text(value)
    found["stream"] = call["stream"]
    return found


def _metadata(run: PlaygroundRun) -> dict[str, Any]:
    return {
        "connection": run.connection,
        "playground_id": run.playground_id,
        "window": run.window,
        "run_id": run.pk,
        "requested_model": run.model,
    }


def _status_message(run: PlaygroundRun) -> str:
    problem = run.error or {}
    status = problem.get("status")
    said = str(problem.get("message") or "")
    return (f"{status}: {said}" if status and status != 200 else said)[:_LONGEST_STATUS]


def _began(run: PlaygroundRun) -> datetime:
    return run.started_at or run.created_at


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
