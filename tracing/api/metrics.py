"""The metrics query object of the public API, read into the one `MetricsQuery`; and usage by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import PAGE, PageMeta, Shape, describe, parameter
from config.api.values import as_number
from config.api.views import PublicView
from config.errors import Invalid
from tracing.api import present
from tracing.api.numbers import whole
from tracing.api.params import Params
from tracing.queries import filters, metrics
from tracing.queries.filters import Filter
from tracing.queries.metrics import Metric, MetricsQuery, View, daily
from tracing.queries.periods import parse_time

_AGGREGATIONS = ("sum", "avg", "count", "max", "min", "p50", "p75", "p90", "p95", "p99", "histogram", "uniq")
_GRANULARITIES = ("auto", *metrics.UNITS)
_MOST_ROWS_ASKED = 1000
_MOST_BINS = 100
_V2_ROWS = 100


class MetricRows(Shape):
    """Each row has its dimensions, `time_dimension` where asked for, and `<aggregation>_<measure>` for each metric."""

    data: list[dict[str, Any]]


class ModelUsage(Shape):
    model: str | None
    inputUsage: int
    outputUsage: int
    totalUsage: int
    totalCost: float
    countObservations: int
    countTraces: int


class DayUsage(Shape):
    date: date
    countTraces: int
    countObservations: int
    totalCost: float
    usage: list[ModelUsage]


class DayPage(Shape):
    data: list[DayUsage]
    meta: PageMeta


_EXAMPLE = (
    '{"view":"observations","dimensions":[{"field":"providedModelName"}],'
    '"metrics":[{"measure":"totalCost","aggregation":"sum"}],"timeDimension":{"granularity":"day"},'
    '"fromTimestamp":"2026-01-01T00:00:00Z","toTimestamp":"2026-02-01T00:00:00Z"}'
)


def _query_parameter(views: Mapping[str, View]) -> Any:
    text = (
        f"What is asked, as a JSON object: `view` ({', '.join(views)}), `metrics` (`measure`, `aggregation`), "
        "`dimensions` (`field`), `filters`, `timeDimension` (`granularity`), `fromTimestamp`, `toTimestamp` (both "
        "belong to the range), `orderBy` (`field`, `direction`) and `config` (`bins`, `row_limit`)."
    )
    return parameter("query", text, required=True, example=_EXAMPLE)


def _words(views: Mapping[str, View]) -> str:
    """What can be asked, from the registries themselves."""
    lines = [f"Aggregations: {', '.join(_AGGREGATIONS)}. Granularities: {', '.join(_GRANULARITIES)}."]
    for name, view in views.items():
        lines.append(f"- {name}: dimensions {', '.join(view.dimensions)}; measures {', '.join(view.measures)}.")
    return "\n".join(lines)


class MetricsV1(PublicView):
    @describe(
        "Query metrics",
        query=[_query_parameter(metrics.VIEWS_V1)],
        answer=MetricRows,
        text=_words(metrics.VIEWS_V1),
    )
    def get(self, request: Request) -> Response:
        return Response({"data": _shown(metrics.run(self.scope, _read(request, metrics.VIEWS_V1)))})


class MetricsV2(PublicView):
    @describe(
        "Query metrics of observations and scores",
        query=[_query_parameter(metrics.VIEWS_V2)],
        answer=MetricRows,
        text=f"{_words(metrics.VIEWS_V2)}\nWithout `config.row_limit` there are at most {_V2_ROWS} rows.",
    )
    def get(self, request: Request) -> Response:
        query = _read(request, metrics.VIEWS_V2)
        metrics.check(query)
        return Response({"data": _shown(metrics.run(self.scope, replace(query, limit=query.limit or _V2_ROWS)))})


def _shown(value: Any) -> Any:
    """Rows, and lists within them, with their numbers as the API writes them."""
    match value:
        case list():
            return [_shown(member) for member in value]
        case dict():
            return {name: _shown(member) for name, member in value.items()}
        case Decimal():
            return as_number(value)
        case float():
            return whole(value)
    return value


class DailyMetrics(PublicView):
    @describe(
        "List usage by day",
        query=[
            *PAGE,
            parameter("traceName"),
            parameter("userId"),
            parameter("tags", "Traces that have all of these.", many=True),
            parameter("environment", "Traces of any of these.", many=True),
            parameter("fromTimestamp", "Traces from then on.", "time"),
            parameter("toTimestamp", "Traces before then.", "time"),
        ],
        answer=DayPage,
        text="Days with traces, in UTC, newest first, with what each model used.",
    )
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        wanted = daily.DayFilters(
            trace_name=params.text("traceName"),
            user_id=params.text("userId"),
            tags=params.words("tags"),
            environments=params.words("environment"),
            from_time=params.time("fromTimestamp"),
            to_time=params.time("toTimestamp"),
        )
        params.check()
        page = daily.list_days(self.scope, wanted, number=number)
        return Response({"data": [_day_item(one) for one in page.items], "meta": present.meta(page)})


def _day_item(one: daily.Day) -> dict[str, Any]:
    return {
        "date": one.day.isoformat(),
        "countTraces": one.traces,
        "countObservations": one.observations,
        "totalCost": as_number(one.cost),
        "usage": [
            {
                "model": used.model or None,
                "inputUsage": used.input,
                "outputUsage": used.output,
                "totalUsage": used.total,
                "totalCost": as_number(used.cost),
                "countObservations": used.observations,
                "countTraces": used.traces,
            }
            for used in one.usage
        ],
    }


def _read(request: Request, views: Mapping[str, View]) -> MetricsQuery:
    """Raises Invalid with everything that is wrong with the form of the query; what it asks for is checked later."""
    asked = _Asked(_json_query(request))
    view = views.get(asked.choice(["view"], asked.get("view"), tuple(views)))
    dimensions = tuple(
        asked.text(["dimensions", at, "field"], item) for at, item in asked.objects("dimensions", "field")
    )
    wanted = tuple(
        Metric(
            asked.text(["metrics", at, "measure"], item),
            asked.choice(["metrics", at, "aggregation"], asked.member("metrics", at, "aggregation"), _AGGREGATIONS),
        )
        for at, item in asked.objects("metrics", "measure", required=True)
    )
    items = asked.members("filters")
    granularity = asked.granularity()
    from_time, to_time = asked.time("fromTimestamp"), asked.time("toTimestamp")
    order = tuple(
        (
            asked.text(["orderBy", at, "field"], item),
            asked.choice(["orderBy", at, "direction"], asked.member("orderBy", at, "direction"), ("asc", "desc")),
        )
        for at, item in asked.objects("orderBy", "field")
    )
    bins = asked.config("bins", _MOST_BINS)
    limit = asked.config("row_limit", _MOST_ROWS_ASKED)
    asked.check()
    assert view is not None
    assert from_time is not None
    assert to_time is not None
    if from_time >= to_time:
        raise Invalid(issues=[_issue([], "fromTimestamp must be before toTimestamp", "custom")])
    query = MetricsQuery(
        view=view,
        metrics=tuple(dict.fromkeys(wanted)),
        from_time=from_time,
        to_time=to_time,
        dimensions=tuple(dict.fromkeys(dimensions)),
        unit=metrics.auto_unit(from_time, to_time) if granularity == "auto" else granularity,
        order=tuple((name, direction == "desc") for name, direction in order),
        limit=limit,
        bins=bins or metrics.DEFAULT_BINS,
    )
    return replace(query, filters=_filters(view, items))


def _json_query(request: Request) -> dict[str, Any]:
    params = Params(request.query_params)
    if not params.has("query"):
        raise Invalid(issues=[_wrong_type([], "string", _MISSING)])
    text = params.text("query")
    params.check()
    try:
        asked = orjson.loads(text)
    except ValueError:
        raise Invalid("Invalid JSON in query parameter") from None
    if not isinstance(asked, dict):
        raise Invalid(issues=[_wrong_type([], "object", asked)])
    return asked


def _filters(view: View, items: list[Any]) -> tuple[Filter, ...]:
    for item in items:
        name = item.get("column") if isinstance(item, dict) else None
        if isinstance(name, str):
            metrics.check_filter_column(view, name)
    return tuple(filters.parse_items(items, view.filter_columns, at=("query", "filters")))


class _Missing:
    """Stands for what is not there, which is not the same as null."""


_MISSING = _Missing()
_JSON_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}


class _Asked:
    """The query as it was sent. Gathers what is wrong with it; whatever is read then has a value that nobody uses."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked = asked
        self.issues: list[dict[str, Any]] = []

    def check(self) -> None:
        if self.issues:
            raise Invalid(issues=self.issues)

    def get(self, name: str) -> Any:
        return self._asked.get(name, _MISSING)

    def member(self, name: str, at: int, field: str) -> Any:
        return self._asked[name][at].get(field, _MISSING)

    def text(self, path: list[Any], value: Any) -> str:
        if isinstance(value, str):
            return value
        self.issues.append(_wrong_type(path, "string", value))
        return ""

    def choice(self, path: list[Any], value: Any, options: Sequence[str]) -> str:
        if isinstance(value, str) and value in options:
            return value
        expected = "|".join(f'"{option}"' for option in options)
        message = f"Invalid option: expected one of {expected}"
        self.issues.append(_issue(path, message, "invalid_value", values=list(options)))
        return ""

    def members(self, name: str, *, required: bool = False) -> list[Any]:
        value = self.get(name)
        if isinstance(value, list):
            return value
        if required or value not in (None, _MISSING):
            self.issues.append(_wrong_type([name], "array", value))
        return []

    def objects(self, name: str, field: str, *, required: bool = False) -> list[tuple[int, Any]]:
        """Position and `field` of each member of a list."""
        found = []
        for at, item in enumerate(self.members(name, required=required)):
            if isinstance(item, dict):
                found.append((at, item.get(field, _MISSING)))
            else:
                self.issues.append(_wrong_type([name, at], "object", item))
        return found

    def granularity(self) -> str:
        value = self.get("timeDimension")
        if value in (None, _MISSING):
            return ""
        if not isinstance(value, dict):
            self.issues.append(_wrong_type(["timeDimension"], "object", value))
            return ""
        return self.choice(["timeDimension", "granularity"], value.get("granularity", _MISSING), _GRANULARITIES)

    def time(self, name: str) -> datetime | None:
        value = self.get(name)
        if not isinstance(value, str):
            self.issues.append(_wrong_type([name], "string", value))
            return None
        moment = parse_time(value)
        if moment is None:
            more = {"format": "datetime", "origin": "string"}
            self.issues.append(_issue([name], "Invalid ISO datetime", "invalid_format", **more))
            return None
        return moment.astimezone(UTC)

    def config(self, name: str, most: int) -> int | None:
        """A whole number from 1 to `most`, if there is one."""
        config = self.get("config")
        if config in (None, _MISSING):
            return None
        if not isinstance(config, dict):
            self.issues.append(_wrong_type(["config"], "object", config))
            return None
        value, path = config.get(name), ["config", name]
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            self.issues.append(_wrong_type(path, "number", value))
        elif value != int(value):
            self.issues.append(_wrong_type(path, "int", value))
        elif value < 1:
            message = "Too small: expected number to be >=1"
            self.issues.append(_issue(path, message, "too_small", minimum=1, **_BOUND))
        elif value > most:
            message = f"Too big: expected number to be <={most}"
            self.issues.append(_issue(path, message, "too_big", maximum=most, **_BOUND))
        else:
            return int(value)
        return None


_BOUND = {"origin": "number", "inclusive": True}


def _wrong_type(path: list[Any], expected: str, value: Any) -> dict[str, Any]:
    received = "undefined" if value is _MISSING else _JSON_TYPES.get(type(value), "null")
    return _issue(path, f"Invalid input: expected {expected}, received {received}", "invalid_type", expected=expected)


def _issue(path: list[Any], message: str, code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "path": ["query", *path], "message": message, **more}
