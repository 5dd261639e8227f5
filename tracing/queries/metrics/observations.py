"""Observations as a view of metrics."""

from __future__ import annotations

from typing import Any

from tracing.analytics import functions as fn
from tracing.analytics.tables import observations
from tracing.queries.filters import Column
from tracing.queries.metrics import joins
from tracing.queries.metrics.joins import of_trace
from tracing.queries.metrics.model import Dimension, Measure, View

o = observations.c


def month(time: Any) -> Any:
    """As in 2026-03."""
    return fn.text_start(fn.to_text(fn.bucket(time, unit="month")), 7)


def number_as_text(number: Any) -> Column:
    """Versions are numbers that clients filter as if they were words."""
    return Column("text", fn.if_else(number.is_(None), "", fn.to_text(number)))


def _per_second(tokens: Any, milliseconds: Any) -> Any:
    return fn.if_else(milliseconds > 0, tokens * 1000.0 / milliseconds, None)


def _unless_zero(number: Any) -> Any:
    return fn.if_else(number > 0, number, None)


_latency_ms = o.latency_us / 1000.0
_streaming_ms = fn.ms_diff(o.completion_start_time, o.end_time)
_tool_names = fn.map_keys(o.tool_definitions)
_trace_name = fn.if_else(o.trace_name != "", o.trace_name, fn.if_else(o.is_root, o.name, ""))

_MEASURES: dict[str, Measure] = {
    "latency": Measure(_latency_ms),
    "streamingLatency": Measure(_streaming_ms),
    "inputTokens": Measure(o.input_tokens),
    "outputTokens": Measure(o.output_tokens),
    "totalTokens": Measure(o.total_tokens),
    "outputTokensPerSecond": Measure(_per_second(o.output_tokens, _streaming_ms)),
    "tokensPerSecond": Measure(_per_second(o.total_tokens, _latency_ms)),
    "inputCost": Measure(o.input_cost),
    "outputCost": Measure(o.output_cost),
    "totalCost": Measure(o.total_cost),
    "timeToFirstToken": Measure(o.time_to_first_token_us / 1000.0),
    "countScores": Measure(joins.or_zero("scored_scores"), join="scored"),
    # Null for observations that have nothing to do with tools, so that averages leave them out.
    "toolDefinitions": Measure(_unless_zero(fn.array_length(_tool_names))),
    "toolCalls": Measure(_unless_zero(fn.json_length(o.tool_calls))),
}
_COLUMNS = {
    "metadata": Column("map", o.metadata),
    "startTime": Column("time", o.start_time),
    "start_time": Column("time", o.start_time),
}
_JOINS = {"trace": joins.trace_of_observation, "scored": joins.scores_of_observation}
_prompt_version = Dimension(o.prompt_version, "number", filtered=number_as_text(o.prompt_version))

#: What older clients see: user, session, tags and the like are those of the trace.
OBSERVATIONS_V1 = View(
    "observations",
    observations,
    o.start_time,
    {
        "id": Dimension(o.id),
        "traceId": Dimension(o.trace_id),
        "traceName": Dimension(of_trace("name"), join="trace"),
        "environment": Dimension(o.environment),
        "parentObservationId": Dimension(o.parent_id),
        "type": Dimension(o.type),
        "name": Dimension(o.name),
        "level": Dimension(o.level),
        "version": Dimension(o.version),
        "tags": Dimension(of_trace("tags"), "list", join="trace"),
        "providedModelName": Dimension(o.model),
        "promptName": Dimension(o.prompt_name),
        "promptVersion": _prompt_version,
        "userId": Dimension(of_trace("user_id"), join="trace"),
        "sessionId": Dimension(of_trace("session_id"), join="trace"),
        "traceRelease": Dimension(of_trace("release"), join="trace"),
        "traceVersion": Dimension(of_trace("version"), join="trace"),
        "startTimeMonth": Dimension(month(o.start_time)),
        "toolNames": Dimension(_tool_names, "list", is_exploded=True),
        "calledToolNames": Dimension(o.called_tool_names, "list", is_exploded=True),
    },
    {"count": Measure(), **_MEASURES, "totalCost": Measure(joins.known_cost)},
    _JOINS,
    _COLUMNS,
)
#: Everything as the observation itself carries it.
OBSERVATIONS_V2 = View(
    "observations",
    observations,
    o.start_time,
    {
        "id": Dimension(o.id, is_high_cardinality=True),
        "traceId": Dimension(o.trace_id, is_high_cardinality=True),
        "environment": Dimension(o.environment),
        "parentObservationId": Dimension(o.parent_id, is_high_cardinality=True),
        "isRootObservation": Dimension(o.is_root, "boolean"),
        "type": Dimension(o.type),
        "name": Dimension(o.name),
        "level": Dimension(o.level),
        "version": Dimension(o.version),
        "userId": Dimension(o.user_id, is_high_cardinality=True),
        "sessionId": Dimension(o.session_id, is_high_cardinality=True),
        "tags": Dimension(o.tags, "list"),
        "release": Dimension(o.release),
        "traceName": Dimension(_trace_name),
        "traceRelease": Dimension(o.release),
        "traceVersion": Dimension(o.version),
        "providedModelName": Dimension(o.model),
        "promptName": Dimension(o.prompt_name),
        "promptVersion": _prompt_version,
        "startTimeMonth": Dimension(month(o.start_time)),
        "toolNames": Dimension(_tool_names, "list", is_exploded=True),
        "calledToolNames": Dimension(o.called_tool_names, "list", is_exploded=True),
        "costType": Dimension(fn.map_keys(o.cost), is_exploded=True),
        "usageType": Dimension(fn.map_keys(o.usage), is_exploded=True),
        "experimentName": Dimension(o.experiment_name, is_high_cardinality=True),
        "experimentDatasetId": Dimension(o.experiment_dataset_id, is_high_cardinality=True),
        "experimentId": Dimension(o.experiment_id, is_high_cardinality=True),
    },
    {
        "count": Measure(),
        "traceId": Measure(o.trace_id, is_number=False),
        "uniqueUserIds": Measure(fn.empty_to_null(o.user_id), is_number=False),
        "uniqueSessionIds": Measure(fn.empty_to_null(o.session_id), is_number=False),
        **_MEASURES,
        "costByType": Measure(o.cost, by="costType"),
        "usageByType": Measure(o.usage, by="usageType"),
    },
    _JOINS,
    _COLUMNS,
    is_careful=True,
)
