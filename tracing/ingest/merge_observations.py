"""The events of one observation become its record, also when an update comes before its create.

A stored observation does not know which event each field came from, only when its latest event was (`updated_at`).
So an event later than that overwrites, and an earlier one fills what is still empty. A create that comes late also
brings the type and the true start; the start is part of the row's key, so then the row moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from datetime import timedelta
from typing import Any

from tracing.analytics.records import ZERO, Level, Observation
from tracing.ingest.clock import microseconds
from tracing.ingest.environment import DEFAULT
from tracing.ingest.model import ObservationPatch, TraceUpdate
from tracing.ingest.otlp import tools
from tracing.ingest.text import as_text, preview

_ONE_US = timedelta(microseconds=1)
#: what the first event decides
_IMMUTABLE = frozenset({"start_time", "environment", "created_at"})
_DEFAULTS = {"level": Level.DEFAULT.value, "environment": DEFAULT}


def merge_observation(stored: Observation | None, patches: Sequence[ObservationPatch]) -> list[Observation]:
    """Rows to write, the live one last; before it a tombstone of the stored row if the start moved."""
    ordered = sorted(patches, key=lambda patch: (patch.at, patch.is_update))
    if not ordered:
        return []
    merged = _copy(stored) if stored is not None else _begin(ordered[0])
    for patch in ordered:
        _apply(merged, patch)
    _complete(merged)
    if stored is None:
        return [merged]
    if merged == stored:
        # Written again all the same: its trace may not have heard of it before a crash.
        return [merged]
    _forget_computed(merged)
    merged.row_version = max(merged.row_version, stored.row_version + 1)
    if merged.start_time == stored.start_time:
        return [merged]
    return [_tombstone(stored, merged.row_version), merged]


def observation_update(observation: Observation) -> TraceUpdate:
    """What a merged observation says about its trace: its start, and if it is the root, what the trace shows of it."""
    fields: dict[str, Any] = {"environment": observation.environment}
    if observation.is_root:
        fields |= {
            "root_id": observation.id,
            "root_type": observation.type,
            "input_preview": observation.input_preview,
            "output_preview": observation.output_preview,
        }
    return TraceUpdate(
        project_id=observation.project_id,
        trace_id=observation.trace_id,
        at=observation.updated_at,
        timestamp=observation.start_time,
        start=observation.start_time,
        fields=fields,
    )


def _begin(first: ObservationPatch) -> Observation:
    return Observation(
        project_id=first.project_id,
        trace_id=first.trace_id,
        id=first.id,
        type=first.type,
        start_time=first.fields.get("start_time", first.at),
        environment=first.fields.get("environment", DEFAULT),
        created_at=first.fields.get("created_at", first.at),
        updated_at=first.at,
    )


def _copy(stored: Observation) -> Observation:
    merged = copy(stored)
    merged.metadata = dict(stored.metadata)
    return merged


def _apply(merged: Observation, patch: ObservationPatch) -> None:
    is_late = patch.at < merged.updated_at or (patch.at == merged.updated_at and not patch.is_update)
    if is_late and not patch.is_update:
        merged.type = patch.type
        merged.start_time = min(merged.start_time, patch.fields.get("start_time", merged.start_time))
    for name, value in patch.fields.items():
        if name in _IMMUTABLE:
            continue
        current = getattr(merged, name)
        if not is_late or current is None or current == _DEFAULTS.get(name) or not current:
            setattr(merged, name, value)
    if merged.environment == DEFAULT:
        merged.environment = patch.fields.get("environment", DEFAULT)
    merged.metadata = patch.metadata | merged.metadata if is_late else merged.metadata | patch.metadata
    merged.updated_at = max(merged.updated_at, patch.at)


def _complete(merged: Observation) -> None:
    """The fields that follow from others."""
    start, end, first_token = merged.start_time, merged.end_time, merged.completion_start_time
    if end is not None and end < start:
        merged.end_time = end = start
    merged.is_root = merged.is_root if merged.source == "otel" else not merged.parent_id
    merged.input_preview = preview(merged.input)
    merged.output_preview = preview(merged.output)
    _add_tools(merged)
    merged.latency_us = None if end is None else (end - start) // _ONE_US
    merged.time_to_first_token_us = None if first_token is None else (first_token - start) // _ONE_US
    merged.row_version = max(merged.row_version, microseconds(merged.created_at))


def _add_tools(merged: Observation) -> None:
    calls = tools.calls(merged.output)
    merged.tool_definitions = tools.definitions(merged.input)
    merged.tool_calls = as_text(calls) if calls else ""
    merged.called_tool_names = list(dict.fromkeys(call["name"] for call in calls))


def _forget_computed(merged: Observation) -> None:
    """Usage and cost are computed again from what was provided, which may have changed."""
    merged.usage, merged.cost = {}, {}
    merged.model_id = merged.pricing_tier_id = merged.pricing_tier_name = ""
    merged.input_tokens = merged.output_tokens = merged.total_tokens = 0
    merged.input_cost = merged.output_cost = merged.total_cost = ZERO


def _tombstone(stored: Observation, row_version: int) -> Observation:
    return Observation(
        project_id=stored.project_id,
        trace_id=stored.trace_id,
        id=stored.id,
        start_time=stored.start_time,
        row_version=row_version,
        is_deleted=True,
    )
