"""One item's run as spans of its project, handed to ingestion as SDKs hand in theirs: a root that says what went in and
came out, and the call to the model below it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from accounts.access import ProjectScope
from evals.experiments.plan import Plan
from evals.models import DatasetItemVersion, Experiment, ExperimentItem
from prompts.llm import Answer
from prompts.llm.naming import traced_model
from tracing.analytics.records import Level
from tracing.ingest.own import OWN_PREFIX, OwnSpan, keep_own_spans

ENVIRONMENT = f"{OWN_PREFIX}prompt-experiment"
ROOT_NAME = "experiment-item-run"
_IDS = uuid.UUID("b2b9b5a4-6a0e-4c1e-9d0b-6f4f0d3c9a10")
_LONGEST_STATUS = 5_000


def trace_id_of(experiment: Experiment, item_id: str, repetition: int) -> str:
    """However often a run is begun anew, it comes to the same trace."""
    about = f"{experiment.project_id}\n{experiment.experiment_id}\n{item_id}\n{repetition}"
    return uuid.uuid5(_IDS, about).hex


def span_id_of(trace_id: str, name: str) -> str:
    return hashlib.sha256(f"{trace_id}/{name}".encode()).hexdigest()[:16]


@dataclass(slots=True, kw_only=True)
class Ran:
    """What came of one item: an answer, or words about what went wrong."""

    began_at: datetime
    ended_at: datetime
    first_at: datetime | None = None
    #: as `prompts.playground.calls.to_json` has it; None where none could be made
    call: Mapping[str, Any] | None = None
    answer: Answer | None = None
    problem: str = ""


def hand_in(scope: ProjectScope, item: ExperimentItem, version: DatasetItemVersion, plan: Plan, ran: Ran) -> None:
    """Doing it again changes nothing. Raises Unavailable."""
    shared = {
        **_shared(item, version, plan),
        "langfuse.observation.output": _output(ran),
        "langfuse.observation.level": Level.ERROR.value if ran.problem else None,
        "langfuse.observation.status_message": ran.problem[:_LONGEST_STATUS],
    }
    root = OwnSpan(
        trace_id=item.trace_id,
        id=item.observation_id,
        name=ROOT_NAME,
        start_time=ran.began_at,
        end_time=ran.ended_at,
        attributes={**shared, "langfuse.observation.input": version.input_text},
    )
    called = replace(
        root,
        id=span_id_of(item.trace_id, "generation"),
        parent_id=root.id,
        name=plan.prompt,
        attributes={**shared, **_generation(item, plan, ran)},
    )
    keep_own_spans(scope, [root, called] if ran.call is not None else [root])


def _shared(item: ExperimentItem, version: DatasetItemVersion, plan: Plan) -> dict[str, Any]:
    experiment = item.experiment
    return {
        "langfuse.environment": ENVIRONMENT,
        "langfuse.trace.name": ROOT_NAME,
        "langfuse.trace.tags": [experiment.name[:200]],
        "langfuse.experiment.id": experiment.experiment_id,
        "langfuse.experiment.name": experiment.name,
        "langfuse.experiment.description": experiment.description,
        "langfuse.experiment.dataset.id": experiment.dataset_id,
        "langfuse.experiment.item.id": item.item_id,
        "langfuse.experiment.item.version": version.valid_from.isoformat(),
        "langfuse.experiment.item.root_observation_id": item.observation_id,
        "langfuse.experiment.item.expected_output": version.expected_output_text,
        "langfuse.experiment.item.metadata": version.metadata_text,
        "langfuse.experiment.metadata": experiment.metadata_text,
        "langfuse.observation.metadata.repetition": str(item.repetition) if plan.repetitions > 1 else None,
    }


def _generation(item: ExperimentItem, plan: Plan, ran: Ran) -> dict[str, Any]:
    call = ran.call or {}
    finished = ran.answer.finished if ran.answer else None
    tools = call.get("tools")
    answered = finished.model.replace("\x00", "") if finished else ""
    said: Any = call.get("messages")
    if tools:
        said = {"messages": said, "tools": [{"type": "function", "function": tool} for tool in tools]}
    return {
        "langfuse.observation.type": "generation",
        "langfuse.observation.input": orjson.dumps(said).decode(),
        "langfuse.observation.model.name": traced_model(item.experiment.project_id, plan.model, answered, ran.began_at),
        "langfuse.observation.model.parameters": orjson.dumps(call.get("parameters")).decode(),
        "langfuse.observation.usage_details": orjson.dumps(dict(finished.usage)).decode() if finished else None,
        "langfuse.observation.prompt.name": plan.prompt,
        "langfuse.observation.prompt.version": str(plan.version),
        "langfuse.observation.completion_start_time": ran.first_at.isoformat() if ran.first_at else None,
    }


def _output(ran: Ran) -> str:
    """The text of the answer, or the whole message where it is more than that."""
    answer = ran.answer
    if answer is None or not (answer.text or answer.refusal or answer.tool_calls):
        return ""
    if answer.tool_calls:
        return orjson.dumps(answer.as_message()).decode()
    return answer.text or answer.refusal
