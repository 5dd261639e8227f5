"""Scores as views of metrics, one for each kind of value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tracing.analytics import functions as fn
from tracing.analytics.tables import scores
from tracing.queries.filters import Column
from tracing.queries.metrics import joins
from tracing.queries.metrics.joins import of_observation, of_trace
from tracing.queries.metrics.model import Dimension, Measure, View
from tracing.queries.metrics.observations import month, number_as_text
from tracing.queries.scores import COLUMNS, metadata_value

s = scores.c

_OF_TRACE: dict[str, Dimension] = {
    "traceName": Dimension(of_trace("name"), join="trace"),
    "tags": Dimension(of_trace("tags"), "list", join="trace"),
    "userId": Dimension(of_trace("user_id"), join="trace", is_high_cardinality=True),
    "sessionId": Dimension(of_trace("session_id"), join="trace"),
    "traceRelease": Dimension(of_trace("release"), join="trace"),
    "traceVersion": Dimension(of_trace("version"), join="trace"),
}
_OF_OBSERVATION: dict[str, Dimension] = {
    "observationName": Dimension(of_observation("name"), join="observation"),
    "observationModelName": Dimension(of_observation("model"), join="observation"),
    "observationPromptName": Dimension(of_observation("prompt_name"), join="observation"),
    "observationPromptVersion": Dimension(
        of_observation("prompt_version"),
        "number",
        join="observation",
        filtered=number_as_text(of_observation("prompt_version")),
    ),
}
_OWN: dict[str, Dimension] = {
    "id": Dimension(s.id, is_high_cardinality=True),
    "environment": Dimension(s.environment),
    "name": Dimension(s.name),
    "source": Dimension(s.source),
    "dataType": Dimension(s.data_type),
    "traceId": Dimension(s.trace_id, is_high_cardinality=True),
    "configId": Dimension(s.config_id),
    "timestampMonth": Dimension(month(s.timestamp)),
    "timestampDay": Dimension(fn.text_start(fn.to_text(fn.bucket(s.timestamp, unit="day")), 10)),
    "observationId": Dimension(s.observation_id, is_high_cardinality=True),
}
_COUNT = {"count": Measure()}
_COUNT_AND_VALUE = {**_COUNT, "value": Measure(s.value)}


def _view(name: str, kinds: list[str], value: Mapping[str, Dimension], measures: Mapping[str, Measure]) -> View:
    return View(
        name,
        scores,
        s.timestamp,
        {**_OF_TRACE, **_OF_OBSERVATION, **_OWN, **value},
        measures,
        {"trace": joins.trace_of_score, "observation": joins.observation_of_score},
        {"metadata": COLUMNS["metadata"], "timestamp": Column("time", s.timestamp)},
        where=(s.data_type.in_(kinds),),
        metadata_value=metadata_value,
    )


#: Yes and no are 1 and 0 there, as they were before they had a view of their own.
NUMERIC = _view("scores-numeric", ["NUMERIC", "BOOLEAN"], {"value": Dimension(s.value, "number")}, _COUNT_AND_VALUE)
CATEGORICAL = _view("scores-categorical", ["CATEGORICAL"], {"stringValue": Dimension(s.string_value)}, _COUNT)
BOOLEAN = _view("scores-boolean", ["BOOLEAN"], {"booleanValue": Dimension(s.value == 1, "boolean")}, _COUNT_AND_VALUE)
SCORES_V1 = {view.name: view for view in (NUMERIC, CATEGORICAL, BOOLEAN)}


def _for_v2(view: View) -> View:
    """The session is the score's own there, and leads."""
    others = {name: one for name, one in view.dimensions.items() if name != "sessionId"}
    session = {"sessionId": Dimension(s.session_id, is_high_cardinality=True)}
    return replace(view, dimensions={**session, **others}, is_careful=True)


SCORES_V2 = {name: _for_v2(view) for name, view in SCORES_V1.items()}
