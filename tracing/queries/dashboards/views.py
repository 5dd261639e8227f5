"""What charts can be made of: the views of metrics, with units, and a few measures that only charts have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

from tracing.analytics import functions as fn
from tracing.analytics.tables import observations
from tracing.queries.metrics import VIEWS_V1, VIEWS_V2
from tracing.queries.metrics.aggregations import HISTOGRAM, TEXT_AGGREGATIONS
from tracing.queries.metrics.model import Measure, View

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


_is_error = fn.if_else(o.level == "ERROR", 1, 0)
#: Shares are means of zeros and ones.
_OF_OBSERVATIONS = {"errors": Measure(_is_error), "errorRate": Measure(_is_error)}
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


def _of_charts(view: View, **measures: Measure) -> View:
    """A chart asks for the top few by itself, so no dimension has too many values for it."""
    return replace(view, is_careful=False, measures={**view.measures, **measures})


VIEWS: Mapping[str, View] = {
    "observations": _of_charts(VIEWS_V2["observations"], **_OF_OBSERVATIONS),
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
