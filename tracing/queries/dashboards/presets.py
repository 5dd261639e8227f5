"""The built-in charts and dashboards, written as people's own are. A preset is named by placements, and copied to be
changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.utils.translation import gettext_lazy as _

from tracing.queries.dashboards.definition import Definition, read_definition

_ROOT = {"type": "boolean", "column": "isRootObservation", "operator": "=", "value": True}
_CALLS = {"type": "stringOptions", "column": "type", "operator": "any of", "value": ["GENERATION", "EMBEDDING"]}
_FAILED = {"type": "stringOptions", "column": "level", "operator": "any of", "value": ["ERROR"]}
_TOOLS = {"type": "stringOptions", "column": "type", "operator": "any of", "value": ["TOOL"]}


@dataclass(frozen=True, slots=True)
class Preset:
    """A built-in chart. `body` is as the public API writes a widget, without name and description."""

    id: str
    name: Any
    description: Any
    body: dict[str, Any]

    @property
    def definition(self) -> Definition:
        return _definition(self.id)


@dataclass(frozen=True, slots=True)
class Place:
    preset: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Board:
    """A built-in dashboard."""

    id: str
    name: Any
    description: Any
    places: tuple[Place, ...]


def _preset(
    id: str,
    name: Any,
    chart: str,
    *metrics: str,
    by: tuple[str, ...] = (),
    view: str = "observations",
    where: tuple[dict[str, Any], ...] = (),
    about: Any = "",
    **config: Any,
) -> Preset:
    """`metrics` as `sum totalCost`."""
    pairs = [metric.split(" ") for metric in metrics]
    body = {
        "view": view,
        "dimensions": [{"field": name} for name in by],
        "metrics": [{"measure": measure, "agg": aggregation} for aggregation, measure in pairs],
        "filters": list(where),
        "chartType": chart,
        "chartConfig": {"type": chart, **config},
    }
    return Preset(id, name, about, body)


def _no_total(column: str) -> dict[str, Any]:
    """Of amounts by kind one is called `total`: beside its parts it would count everything twice."""
    return {"type": "stringOptions", "column": column, "operator": "none of", "value": ["total"]}


_MODEL = ("providedModelName",)

PRESETS: Mapping[str, Preset] = {
    one.id: one
    for one in (
        # Numbers
        _preset("traces", _("Traces"), "NUMBER", "count count", view="traces", compare=True),
        _preset("cost", _("Cost"), "NUMBER", "sum totalCost", compare=True),
        _preset("tokens", _("Tokens"), "NUMBER", "sum totalTokens", compare=True),
        _preset("input-tokens", _("Input tokens"), "NUMBER", "sum inputTokens", compare=True),
        _preset("output-tokens", _("Output tokens"), "NUMBER", "sum outputTokens", compare=True),
        _preset("error-rate", _("Errors"), "NUMBER", "avg errorRate", about=_("Share of observations"), compare=True),
        _preset("latency", _("Latency p95"), "NUMBER", "p95 latency", where=(_ROOT,), compare=True),
        _preset("calls", _("Model calls"), "NUMBER", "count count", where=(_CALLS,), compare=True),
        _preset("users", _("Users"), "NUMBER", "uniq uniqueUserIds", compare=True),
        _preset("scores", _("Scores"), "NUMBER", "count count", view="scores-numeric", compare=True),
        # Usage
        _preset("calls-by-model", _("Calls per model"), "BAR_TIME_SERIES", "count count", by=_MODEL, where=(_CALLS,)),
        _preset(
            "today-by-model", _("Models today"), "PIVOT_TABLE", "count count", "sum inputTokens", "sum outputTokens",
            "sum totalCost", by=_MODEL, where=(_CALLS,), about=_("since midnight UTC, beside yesterday until now"),
            range="today", compare=True, row_limit=20,
        ),
        _preset(
            "models", _("Models"), "PIVOT_TABLE", "count count", "sum inputTokens", "sum outputTokens",
            "sum totalCost", "p95 latency", by=_MODEL, where=(_CALLS,), compare=True, row_limit=50,
        ),
        _preset(
            "calls-by-day", _("Calls per day"), "BAR_TIME_SERIES", "count count", by=_MODEL, where=(_CALLS,),
            range="30d", unit="day",
        ),
        _preset(
            "tokens-by-day", _("Tokens per day"), "BAR_TIME_SERIES", "sum inputTokens", "sum outputTokens",
            range="30d", unit="day",
        ),
        _preset("tokens-in-time", _("Tokens"), "AREA_TIME_SERIES", "sum inputTokens", "sum outputTokens"),
        _preset("tokens-by-model", _("Tokens per model"), "AREA_TIME_SERIES", "sum totalTokens", by=_MODEL),
        _preset(
            "usage-by-type", _("Tokens by kind"), "HORIZONTAL_BAR", "sum usageByType",
            where=(_no_total("usageType"),),
        ),
        _preset("traces-in-time", _("Traces"), "BAR_TIME_SERIES", "count count", view="traces", compare=True),
        _preset("traces-by-name", _("Traces by name"), "HORIZONTAL_BAR", "count count", by=("name",), view="traces"),
        _preset("observations-by-type", _("Observations by type"), "BAR_TIME_SERIES", "count count", by=("type",)),
        _preset("tools", _("Tools called"), "HORIZONTAL_BAR", "count count", by=("calledToolNames",)),
        _preset("users-in-time", _("Users"), "LINE_TIME_SERIES", "uniq uniqueUserIds", "uniq uniqueSessionIds"),
        _preset("top-users", _("Users with the highest cost"), "HORIZONTAL_BAR", "sum totalCost", by=("userId",)),
        # Cost
        _preset("cost-by-model", _("Cost per model"), "AREA_TIME_SERIES", "sum totalCost", by=_MODEL),
        _preset("cost-in-time", _("Cost"), "BAR_TIME_SERIES", "sum totalCost", compare=True),
        _preset("cost-by-trace", _("Cost by trace name"), "HORIZONTAL_BAR", "sum totalCost", by=("traceName",)),
        _preset("cost-by-name", _("Cost by step"), "HORIZONTAL_BAR", "sum totalCost", by=("name",)),
        _preset("cost-by-type", _("Cost by kind of usage"), "PIE", "sum costByType", where=(_no_total("costType"),)),
        _preset("cost-by-environment", _("Cost by environment"), "PIE", "sum totalCost", by=("environment",)),
        _preset("cost-by-prompt", _("Cost by prompt"), "HORIZONTAL_BAR", "sum totalCost", by=("promptName",)),
        # Latency
        _preset(
            "latency-in-time", _("Latency"), "LINE_TIME_SERIES", "p50 latency", "p95 latency", "p99 latency",
            where=(_ROOT,), about=_("of whole traces"),
        ),
        _preset(
            "latency-by-model", _("Latency per model, p95"), "LINE_TIME_SERIES", "p95 latency", by=_MODEL,
            where=(_CALLS,),
        ),
        _preset(
            "first-token", _("Time to first token, p95"), "LINE_TIME_SERIES", "p95 timeToFirstToken", by=_MODEL,
            where=(_CALLS,),
        ),
        _preset(
            "speed", _("Output tokens per second"), "LINE_TIME_SERIES", "avg outputTokensPerSecond", by=_MODEL,
            where=(_CALLS,),
        ),
        _preset(
            "latency-by-trace", _("Latency by trace"), "PIVOT_TABLE", "count count", "p50 latency", "p90 latency",
            "p95 latency", "p99 latency", by=("name",), where=(_ROOT,), row_limit=20,
            defaultSort={"column": "p95_latency", "order": "DESC"},
        ),
        _preset(
            "latency-by-step", _("Latency by step"), "PIVOT_TABLE", "count count", "p50 latency", "p90 latency",
            "p95 latency", "p99 latency", by=("type", "name"), row_limit=30,
            defaultSort={"column": "p95_latency", "order": "DESC"},
        ),
        _preset("latency-spread", _("Spread of latency"), "HISTOGRAM", "histogram latency", where=(_ROOT,), bins=30),
        # Quality
        _preset("scores-in-time", _("Scores"), "LINE_TIME_SERIES", "avg value", by=("name",), view="scores-numeric",
                about=_("means")),
        _preset(
            "scores-by-name", _("Scores"), "PIVOT_TABLE", "count count", "avg value", "p50 value", "min value",
            "max value", by=("name", "source"), view="scores-numeric",
        ),
        _preset("score-spread", _("Spread of scores"), "HISTOGRAM", "histogram value", view="scores-numeric",
                bins=20),
        _preset("labels", _("Labels"), "HORIZONTAL_BAR", "count count", by=("stringValue",), view="scores-categorical"),
        _preset("errors-in-time", _("Errors"), "BAR_TIME_SERIES", "count count", by=("name",), where=(_FAILED,)),
        _preset(
            "errors-by-step", _("Errors by step"), "PIVOT_TABLE", "sum errors", "avg errorRate", "count count",
            by=("type", "name"), row_limit=20,
        ),
        _preset("levels", _("Levels"), "BAR_TIME_SERIES", "count count", by=("level",)),
        _preset("tool-errors", _("Tools that fail"), "PIVOT_TABLE", "sum errors", "avg errorRate", "count count",
                by=("name",), where=(_TOOLS,), row_limit=20),
        _preset("errors-by-model", _("Errors when, by model"), "PIVOT_TABLE", "sum errors", by=_MODEL, where=(_CALLS,),
                display="heatmap", row_limit=12),
    )
}  # fmt: skip


def _rows(*rows: tuple[int, tuple[tuple[str, int], ...]]) -> tuple[Place, ...]:
    """Rows of charts as (height, ((preset, width), …)), one below the other."""
    places, y = [], 0
    for height, charts in rows:
        x = 0
        for preset, width in charts:
            places.append(Place(preset, x, y, width, height))
            x += width
        y += height
    return tuple(places)


_NUMBER, _CHART, _TABLE = 2, 5, 6
HOME = "home"
BOARDS: Mapping[str, Board] = {
    one.id: one
    for one in (
        Board(HOME, _("Home"), _("What is going on, at a glance."), _rows(
            (_NUMBER, (("traces", 2), ("calls", 2), ("cost", 2), ("tokens", 2), ("error-rate", 2), ("latency", 2))),
            (_CHART, (("calls-by-model", 6), ("latency-in-time", 6))),
            (_TABLE, (("today-by-model", 7), ("scores-in-time", 5))),
            (_CHART, (("calls-by-day", 6), ("tokens-by-day", 6))),
            (_CHART, (("cost-by-model", 6), ("errors-in-time", 6))),
            (_TABLE, (("traces-by-name", 4), ("top-users", 4), ("scores-by-name", 4))),
        )),
        Board("latency", _("Latency"), _("How long answers take, and where the time goes."), _rows(
            (_CHART, (("latency-in-time", 8), ("latency-spread", 4))),
            (_CHART, (("latency-by-model", 6), ("first-token", 6))),
            (_TABLE, (("latency-by-trace", 6), ("latency-by-step", 6))),
            (_CHART, (("speed", 12),)),
        )),
        Board("usage", _("Usage"), _("Who asks what, of which models."), _rows(
            (_NUMBER, (("traces", 3), ("calls", 3), ("users", 3), ("tokens", 3))),
            (_CHART, (("traces-in-time", 6), ("calls-by-model", 6))),
            (_CHART, (("tokens-in-time", 6), ("users-in-time", 6))),
            (_TABLE, (("models", 12),)),
            (_TABLE, (("traces-by-name", 4), ("tools", 4), ("usage-by-type", 4))),
            (_CHART, (("observations-by-type", 6), ("tokens-by-model", 6))),
        )),
        Board("cost", _("Cost"), _("What it costs, and what makes it so."), _rows(
            (_NUMBER, (("cost", 4), ("input-tokens", 4), ("output-tokens", 4))),
            (_CHART, (("cost-in-time", 6), ("cost-by-model", 6))),
            (_TABLE, (("cost-by-trace", 4), ("cost-by-name", 4), ("top-users", 4))),
            (_TABLE, (("cost-by-type", 4), ("cost-by-environment", 4), ("cost-by-prompt", 4))),
        )),
        Board("quality", _("Quality"), _("What fails, and how good answers are."), _rows(
            (_NUMBER, (("error-rate", 4), ("scores", 4), ("traces", 4))),
            (_CHART, (("scores-in-time", 8), ("score-spread", 4))),
            (_TABLE, (("scores-by-name", 8), ("labels", 4))),
            (_CHART, (("levels", 6), ("errors-in-time", 6))),
            (_TABLE, (("errors-by-step", 5), ("tool-errors", 3), ("errors-by-model", 4))),
        )),
    )
}  # fmt: skip


@cache
def _definition(preset: str) -> Definition:
    return read_definition(PRESETS[preset].body)
