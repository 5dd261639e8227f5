"""The metrics query object of the public API, read into the one `MetricsQuery`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import PublicView
from config.errors import Invalid
from tracing.api.params import parse_time
from tracing.queries import filters, metrics
from tracing.queries.filters import Filter
from tracing.queries.metrics import TIME, Metric, MetricsQuery, View

_AGGREGATIONS = ("sum", "avg", "count", "max", "min", "p50", "p75", "p90", "p95", "p99", "histogram", "uniq")
_GRANULARITIES = ("auto", *metrics.UNITS)
_MOST_ROWS_ASKED = 1000
_V2_ROWS = 100


class MetricsV1(PublicView):
    def get(self, request: Request) -> Response:
        query = _read(request, metrics.VIEWS_V1, default_limit=metrics.MOST_ROWS)
        return Response({"data": metrics.run(self.scope, query)})


class MetricsV2(PublicView):
    def get(self, request: Request) -> Response:
        query = _read(request, metrics.VIEWS_V2, default_limit=_V2_ROWS)
        _check_cardinality(query, _json_query(request))
        return Response({"data": metrics.run(self.scope, query)})


def _json_query(request: Request) -> dict[str, Any]:
    text = request.query_params.get("query")
    if text is None:
        raise _issue([], "Invalid input: expected string, received undefined", code="invalid_type", expected="string")
    try:
        asked = orjson.loads(text)
    except ValueError:
        raise Invalid("Invalid JSON in query parameter") from None
    if not isinstance(asked, dict):
        raise _issue([], "Invalid input: expected object", code="invalid_type", expected="object")
    return asked


def _read(request: Request, views: Mapping[str, View], *, default_limit: int) -> MetricsQuery:
    asked = _json_query(request)
    name = asked.get("view")
    if not isinstance(name, str) or name not in views:
        raise _choice(["view"], tuple(views))
    view = views[name]
    from_time, to_time = _range(asked)
    read_metrics = _metrics(asked, view)
    dimensions = _dimensions(asked, view)
    unit = _unit(asked, from_time, to_time)
    labels = {*dimensions, *(one.label for one in read_metrics), *((TIME,) if unit else ())}
    return MetricsQuery(
        view=view,
        metrics=read_metrics,
        from_time=from_time,
        to_time=to_time,
        dimensions=dimensions,
        filters=_filters(asked, view),
        unit=unit,
        order=_order(asked, labels),
        limit=_row_limit(asked) or default_limit,
    )


def _range(asked: dict[str, Any]) -> tuple[datetime, datetime]:
    times = []
    for name in ("fromTimestamp", "toTimestamp"):
        value = asked.get(name)
        moment = parse_time(value) if isinstance(value, str) else None
        if moment is None:
            raise _issue([name], "Invalid ISO datetime", code="invalid_format", format="datetime", origin="string")
        times.append(moment.astimezone(UTC))
    if times[0] >= times[1]:
        raise _issue([], "fromTimestamp must be before toTimestamp")
    return times[0], times[1]


def _metrics(asked: dict[str, Any], view: View) -> tuple[Metric, ...]:
    found = []
    for at, item in enumerate(_list(asked, "metrics", required=True)):
        if not isinstance(item, dict):
            raise _issue(["metrics", at], "Invalid input: expected object", code="invalid_type", expected="object")
        measure, aggregation = item.get("measure"), item.get("aggregation")
        if aggregation not in _AGGREGATIONS:
            raise _choice(["metrics", at, "aggregation"], _AGGREGATIONS)
        if not isinstance(measure, str) or measure not in view.measures:
            raise Invalid(f"Invalid metric {measure}. Must be one of {','.join(view.measures)}")
        is_text = not view.measures[measure].is_number
        if aggregation not in metrics.AGGREGATIONS or (is_text and aggregation not in metrics.TEXT_AGGREGATIONS):
            raise Invalid(f"Aggregation {aggregation} is not supported for metric {measure}.")
        if view.measures[measure].expression is None and aggregation.startswith("p"):
            raise Invalid(f"Aggregation {aggregation} is not supported for metric {measure}.")
        found.append(Metric(measure, aggregation))
    return tuple(dict.fromkeys(found))


def _dimensions(asked: dict[str, Any], view: View) -> tuple[str, ...]:
    names = []
    for item in _list(asked, "dimensions"):
        name = item.get("field") if isinstance(item, dict) else None
        if not isinstance(name, str) or name not in view.dimensions:
            raise Invalid(f"Invalid dimension {name}. Must be one of {','.join(view.dimensions)}")
        names.append(name)
    return tuple(dict.fromkeys(names))


def _filters(asked: dict[str, Any], view: View) -> tuple[Filter, ...]:
    columns = view.filter_columns
    items = _list(asked, "filters")
    for item in items:
        name = item.get("column") if isinstance(item, dict) else None
        if isinstance(name, str) and name not in columns:
            raise Invalid(
                f"Invalid filter column {name}. Must be one of {','.join(view.dimensions)} or {view.time.name}"
            )
    return tuple(filters.parse_items(items, columns, at=("query",)))


def _unit(asked: dict[str, Any], from_time: datetime, to_time: datetime) -> str:
    wanted = asked.get("timeDimension")
    if wanted is None:
        return ""
    unit = wanted.get("granularity") if isinstance(wanted, dict) else None
    if unit not in _GRANULARITIES:
        raise _choice(["timeDimension", "granularity"], _GRANULARITIES)
    return metrics.auto_unit(from_time, to_time) if unit == "auto" else str(unit)


def _order(asked: dict[str, Any], labels: set[str]) -> tuple[tuple[str, bool], ...]:
    order = []
    for at, item in enumerate(_list(asked, "orderBy")):
        name, direction = (item.get("field"), item.get("direction")) if isinstance(item, dict) else (None, None)
        if direction not in ("asc", "desc"):
            raise _choice(["orderBy", at, "direction"], ("asc", "desc"))
        if not isinstance(name, str) or name not in labels:
            raise Invalid(f"Invalid orderBy field: {name}. Must be one of the dimension or metric fields.")
        order.append((name, direction == "desc"))
    return tuple(order)


def _row_limit(asked: dict[str, Any]) -> int | None:
    config = asked.get("config")
    limit = config.get("row_limit") if isinstance(config, dict) else None
    if limit is None:
        return None
    path = ["config", "row_limit"]
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise _issue(path, "Invalid input: expected int", code="invalid_type", expected="int")
    if limit < 1:
        raise _issue(path, "Too small: expected number to be >=1", code="too_small", minimum=1, origin="number")
    if limit > _MOST_ROWS_ASKED:
        message = f"Too big: expected number to be <={_MOST_ROWS_ASKED}"
        raise _issue(path, message, code="too_big", maximum=_MOST_ROWS_ASKED, origin="number", inclusive=True)
    return limit


def _check_cardinality(query: MetricsQuery, asked: dict[str, Any]) -> None:
    """Dimensions with very many values need a top few: a limit, and the metric that decides who is in."""
    many = [name for name in query.dimensions if query.view.dimensions[name].is_high_cardinality]
    if not many:
        return
    labels = {one.label for one in query.metrics}
    has_order = any(is_descending and name in labels for name, is_descending in query.order)
    if query.unit or not has_order or _row_limit(asked) is None:
        raise Invalid(
            f"High cardinality dimension(s) '{', '.join(many)}' require config.row_limit and orderBy "
            "with direction desc on a metric, and no timeDimension."
        )


def _list(asked: dict[str, Any], name: str, *, required: bool = False) -> list[Any]:
    value = asked.get(name)
    if value is None and not required:
        return []
    if not isinstance(value, list):
        received = "undefined" if name not in asked else "null" if value is None else type(value).__name__
        message = f"Invalid input: expected array, received {received}"
        raise _issue([name], message, code="invalid_type", expected="array")
    return value


def _choice(path: list[Any], options: tuple[str, ...]) -> Invalid:
    expected = "|".join(f'"{option}"' for option in options)
    return _issue(path, f"Invalid option: expected one of {expected}", code="invalid_value", values=list(options))


def _issue(path: list[Any], message: str, *, code: str = "custom", **more: Any) -> Invalid:
    return Invalid(issues=[{"code": code, "path": ["query", *path], "message": message, **more}])
