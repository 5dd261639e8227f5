"""How the values of a group become one. A new aggregation is one entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracing.analytics import functions as fn

HISTOGRAM = "histogram"

#: The values of a group, and how many bars a histogram may have.
Aggregate = Callable[[Any, int], Any]


def _quantile(q: float) -> Aggregate:
    return lambda value, bins: fn.quantile_sampled(fn.to_float(value), q=q)


AGGREGATIONS: dict[str, Aggregate] = {
    "sum": lambda value, bins: fn.sum(value),
    "avg": lambda value, bins: fn.avg(value),
    "count": lambda value, bins: fn.count_if(value.is_not(None)),
    "max": lambda value, bins: fn.max(value),
    "min": lambda value, bins: fn.min(value),
    "p50": _quantile(0.5),
    "p75": _quantile(0.75),
    "p90": _quantile(0.9),
    "p95": _quantile(0.95),
    "p99": _quantile(0.99),
    HISTOGRAM: lambda value, bins: fn.histogram(fn.to_float(value), bins=bins),
    "uniq": lambda value, bins: fn.uniq(value),
}
#: For measures that are text.
TEXT_AGGREGATIONS = ("count", "uniq")
#: Where each record is one, these are the number of records.
COUNTS = ("sum", "count")
