"""The bars of a histogram."""

from __future__ import annotations

from dataclasses import replace

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.queries import metrics
from tracing.queries.dashboards.answers import number_of
from tracing.queries.metrics import Metric, MetricsQuery
from tracing.queries.metrics.model import Dimension, Measure

#: How many times further than ninety-nine of a hundred values the last may be before bars stop short of it.
_FAR_OUT = 2


def read_bars(scope: ProjectScope, base: MetricsQuery) -> tuple[tuple[float, float, float], ...]:
    """Bars of one width, of which the last takes all that is far out: one value of ten minutes would make a single bar
    of all that took seconds."""
    measure = base.metrics[0].measure
    ends = replace(base, metrics=tuple(Metric(measure, one) for one in ("min", "p99", "max")))
    low, far, high = (number_of(value) for value in (*metrics.read(scope, ends), {"": None})[0].values())
    if low is None or far is None or high is None:
        return ()
    end = far if high - low > _FAR_OUT * (far - low) > 0 else high
    width = (end - low) / base.bins or 1.0
    counts = _bins(scope, base, low, width)
    last = min(base.bins - 1, max(counts, default=0))
    bars = [(low + at * width, low + (at + 1) * width, float(counts.get(at, 0))) for at in range(last)]
    return (*bars, (low + last * width, max(high, low + width), float(sum(counts[at] for at in counts if at >= last))))


def _bins(scope: ProjectScope, base: MetricsQuery, low: float, width: float) -> dict[int, int]:
    """How many values are in each bin, from `low` on."""
    measure = base.view.measures[base.metrics[0].measure]
    known = measure.expression.is_not(None)
    place = Dimension(fn.bin(fn.to_float(measure.expression), low, width), "number", join=measure.join)
    view = replace(
        base.view, dimensions={**base.view.dimensions, "bin": place}, where=(*base.view.where, known),
        measures={**base.view.measures, "count": Measure()},
    )  # fmt: skip
    query = replace(base, view=view, dimensions=("bin",), metrics=(Metric("count", "count"),), order=(("bin", False),))
    return {int(row["bin"]): int(row["count_count"]) for row in metrics.read(scope, query)}
