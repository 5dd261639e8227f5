"""Traces as a view of metrics."""

from __future__ import annotations

from sqlalchemy import column

from tracing.analytics import functions as fn
from tracing.analytics.tables import observations, traces
from tracing.queries.filters import Column
from tracing.queries.metrics import joins
from tracing.queries.metrics.model import Dimension, Measure, View
from tracing.queries.metrics.observations import month

t = traces.c
_cost = observations.c.total_cost.type

TRACES = View(
    "traces",
    traces,
    t.timestamp,
    {
        "id": Dimension(t.id, is_high_cardinality=True),
        "name": Dimension(t.name),
        "tags": Dimension(t.tags, "list"),
        "userId": Dimension(t.user_id, is_high_cardinality=True),
        "sessionId": Dimension(t.session_id, is_high_cardinality=True),
        "release": Dimension(t.release),
        "version": Dimension(t.version),
        "environment": Dimension(t.environment),
        "timestampMonth": Dimension(month(t.timestamp)),
    },
    {
        "count": Measure(),
        "observationsCount": Measure(joins.or_zero("inside_observations"), join="inside"),
        "scoresCount": Measure(joins.or_zero("scored_scores"), join="scored"),
        "uniqueUserIds": Measure(fn.empty_to_null(t.user_id), is_number=False),
        "uniqueSessionIds": Measure(fn.empty_to_null(t.session_id), is_number=False),
        "latency": Measure(column("inside_latency"), join="inside"),
        "totalTokens": Measure(joins.or_zero("inside_tokens"), join="inside"),
        "totalCost": Measure(column("inside_cost", _cost), join="inside"),
    },
    {"inside": joins.observations_of_trace, "scored": joins.scores_of_trace},
    {"metadata": Column("map", t.metadata), "timestamp": Column("time", t.timestamp)},
)
