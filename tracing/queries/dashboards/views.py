"""What charts can be made of: the views of metrics, with units, and a few measures that only charts have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics.tables import observations
from tracing.queries.filters import Column
from tracing.queries.metrics import VIEWS_V1, VIEWS_V2, MetricsQuery, joins
from tracing.queries.metrics.aggregations import HISTOGRAM, TEXT_AGGREGATIONS
from tracing.queries.metrics.joins import of_trace
from tracing.queries.metrics.model import Dimension, Joined, Measure, View

o = observations.c


class Unit(StrEnum):
    """What a number is, which decides how it is written."""

    COUNT = "count"
    DOLLARS = "dollars"
    MILLISECONDS = "milliseconds"
    TOKENS = "tokens"
    TOKENS_PER_SECOND = "tokens_per_second"
    SHARE = "share"
    NUMBER = "number"


def _own_or_of_trace(own: Any, name: str) -> Any:
    """Older SDKs say user, session and the like of the trace alone."""
    is_own = fn.array_length(own) > 0 if name == "tags" else own != ""
    return fn.if_else(is_own, own, of_trace(name))


def _trace_if_known(scope: ProjectScope, query: MetricsQuery) -> Joined:
    return replace(joins.trace_of_observation(scope, query), is_outer=True)


_user, _session = _own_or_of_trace(o.user_id, "user_id"), _own_or_of_trace(o.session_id, "session_id")
_release = _own_or_of_trace(o.release, "release")
_DIMENSIONS = {
    "userId": Dimension(_user, join="trace", is_high_cardinality=True),
    "sessionId": Dimension(_session, join="trace", is_high_cardinality=True),
    "tags": Dimension(_own_or_of_trace(o.tags, "tags"), "list", join="trace"),
    "traceName": Dimension(_own_or_of_trace(o.trace_name, "name"), join="trace"),
    "release": Dimension(_release, join="trace"),
    "traceRelease": Dimension(_release, join="trace"),
}
_is_error = fn.if_else(o.level == "ERROR", 1, 0)
#: Shares are means of zeros and ones.
_MEASURES = {
    "errors": Measure(_is_error),
    "errorRate": Measure(_is_error),
    "uniqueUserIds": Measure(fn.empty_to_null(_user), is_number=False, join="trace"),
    "uniqueSessionIds": Measure(fn.empty_to_null(_session), is_number=False, join="trace"),
}
_UNITS = {
    "latency": Unit.MILLISECONDS,
    "streamingLatency": Unit.MILLISECONDS,
    "timeToFirstToken": Unit.MILLISECONDS,
    "inputTokens": Unit.TOKENS,
    "outputTokens": Unit.TOKENS,
    "totalTokens": Unit.TOKENS,
    "usageByType": Unit.TOKENS,
    "inputCost": Unit.DOLLARS,
    "outputCost": Unit.DOLLARS,
    "totalCost": Unit.DOLLARS,
    "costByType": Unit.DOLLARS,
    "outputTokensPerSecond": Unit.TOKENS_PER_SECOND,
    "tokensPerSecond": Unit.TOKENS_PER_SECOND,
    "errorRate": Unit.SHARE,
    "value": Unit.NUMBER,
}


def _of_charts(view: View) -> View:
    """A chart asks for the top few by itself, so no dimension has too many values for it. Figures of a record can be
    filtered by, too."""
    figures = {
        name: Column("number", one.expression)
        for name, one in view.measures.items()
        if one.is_number and one.expression is not None and not one.join and not one.by
    }
    return replace(view, is_careful=False, columns={**figures, **view.columns})


def _of_observations(view: View) -> View:
    return replace(
        _of_charts(view),
        dimensions={**view.dimensions, **_DIMENSIONS},
        measures={**view.measures, **_MEASURES},
        joins={**view.joins, "trace": _trace_if_known},
    )


VIEWS: Mapping[str, View] = {
    "observations": _of_observations(VIEWS_V2["observations"]),
    "traces": _of_charts(VIEWS_V1["traces"]),
    **{name: _of_charts(view) for name, view in VIEWS_V2.items() if name.startswith("scores-")},
}


def unit_of(measure: str, aggregation: str) -> Unit:
    if aggregation in TEXT_AGGREGATIONS:
        return Unit.COUNT
    return _UNITS.get(measure, Unit.COUNT)


def is_additive(view: View, measure: str, aggregation: str) -> bool:
    """Whether the values of parts add up to that of the whole."""
    return aggregation in ("sum", "count") and measure != "errorRate" and not view.measures[measure].by


def aggregations_of(view: View, measure: str) -> tuple[str, ...]:
    """Those that mean something for a measure, the usual one first."""
    one = view.measures[measure]
    if one.expression is None:
        return ("count",)
    if not one.is_number:
        return ("uniq", "count")
    if measure == "errorRate":
        return ("avg",)
    if measure == "errors":
        return ("sum", "avg", "max")
    first = "p95" if _UNITS.get(measure) is Unit.MILLISECONDS else "avg" if measure == "value" else "sum"
    rest = ("sum", "avg", "min", "max", "p50", "p75", "p90", "p95", "p99", HISTOGRAM, "uniq", "count")
    return (first, *(name for name in rest if name != first))
