"""Answers of the metrics as groups, lines and sums."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.access import ProjectScope
from tracing.queries import metrics
from tracing.queries.dashboards.figure import Group, Keys, Line, Value
from tracing.queries.dashboards.views import is_additive
from tracing.queries.metrics import TIME, Metric, MetricsQuery

#: So many groups and buckets of a metric that adds up are read at once and added up here.
MOST_SUMMANDS = 10_000


def read_summands(scope: ProjectScope, query: MetricsQuery) -> list[dict[str, Any]] | None:
    """Every group in every bucket; None for what does not add up, or is too much."""
    is_wide = any(query.dimension(name).is_high_cardinality for name in query.grouped_by)
    if is_wide or not all(adds_up(query, one) for one in query.metrics):
        return None
    order = (TIME if query.unit else query.metrics[0].label, False)
    rows = metrics.read(scope, replace(query, order=(order,), limit=MOST_SUMMANDS + 1))
    return rows if len(rows) <= MOST_SUMMANDS else None


def sums_of(query: MetricsQuery, rows: Iterable[dict[str, Any]]) -> dict[Keys, list[Any]]:
    """By keys, a sum for each metric, in the numbers of the store: money stays exact."""
    by_keys: dict[Keys, list[list[Any]]] = {}
    for row in rows:
        by_keys.setdefault(keys_of(query, row), []).append([row[one.label] for one in query.metrics])
    return {keys: added(query, values) for keys, values in by_keys.items()}


def added(query: MetricsQuery, values: Collection[Sequence[Any]]) -> list[Any]:
    """For each metric; what none of them knows is not known, and nothing at all is zero."""
    known = ([value[at] for value in values if value[at] is not None] for at in range(len(query.metrics)))
    return [sum(one) if one or not values else None for one in known]


def group_of(query: MetricsQuery, row: dict[str, Any]) -> Group:
    return Group(keys_of(query, row), numbers_of(row[one.label] for one in query.metrics))


def keys_of(query: MetricsQuery, row: dict[str, Any]) -> Keys:
    return tuple(_text(row[name]) for name in query.grouped_by)


def numbers_of(values: Iterable[Any]) -> tuple[Value, ...]:
    return tuple(number_of(value) for value in values)


def read_lines(
    query: MetricsQuery,
    rows: Iterable[dict[str, Any]],
    wanted: Sequence[Keys],
    starts: Sequence[datetime],
    *,
    has_rest: bool = False,
) -> list[Line]:
    """A line for each metric of each group in `wanted`, and what is left of the metric, added up."""
    places = {start: at for at, start in enumerate(starts)}
    values, rest = {keys: _blank(query, starts) for keys in wanted}, _blank(query, starts)
    for row in rows:
        group, at = group_of(query, row), places.get(row[TIME])
        if at is None:
            continue
        for number, value in enumerate(group.values):
            if group.keys in values:
                values[group.keys][number][at] = value
            else:
                rest[number][at] = (rest[number][at] or 0) + (value or 0)
    lines = [Line(number, values[keys][number], keys) for number in range(len(query.metrics)) for keys in wanted]
    return lines + [Line(number, rest[number], is_rest=True) for number in range(len(rest)) if has_rest]


def _blank(query: MetricsQuery, starts: Sequence[datetime]) -> list[list[Value]]:
    """Where nothing happened a count is zero, and a mean is not there."""
    return [
        [0 if is_additive(query.view, one.measure, one.aggregation) or one.aggregation == "uniq" else None]
        * len(starts)
        for one in query.metrics
    ]


def needs_keys(query: MetricsQuery) -> bool:
    """Whether a metric says nothing without the keys that it is by."""
    return bool(replace(query, dimensions=()).grouped_by)


def adds_up(query: MetricsQuery, metric: Metric) -> bool:
    """Lists put one record into several groups, which then are more than the whole."""
    is_exploded = any(query.dimension(name).is_exploded for name in query.grouped_by)
    return not is_exploded and is_additive(query.view, metric.measure, metric.aggregation)


def _text(value: Any) -> str | None:
    """Of a list of texts (tags) its members together; of truth what the query language writes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(str(member) for member in value) or None
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return None if value is None or value == "" else str(value)


def number_of(value: Any) -> Value:
    """Money as a float: it is drawn, not added up any more. A mean of nothing is none."""
    if value is None or (isinstance(value, float) and value != value):
        return None
    return float(value) if isinstance(value, Decimal) else value
