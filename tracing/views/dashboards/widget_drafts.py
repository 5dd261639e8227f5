"""A chart while it is made: as the form has it, and what is wrong at each of its fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from config.errors import Invalid
from tracing.queries.dashboards.definition import (
    MOST_BINS,
    MOST_DIMENSIONS,
    MOST_METRICS,
    MOST_ROWS,
    Chart,
    Definition,
    read_definition,
)
from tracing.queries.dashboards.views import VIEWS, aggregations_of
from tracing.queries.metrics import METADATA, View
from tracing.queries.metrics.aggregations import HISTOGRAM
from tracing.views.dashboards import conditions
from tracing.views.dashboards.conditions import Condition, Item
from tracing.views.dashboards.returning import back_from
from tracing.views.dashboards.words import STEPS, suggested_name

#: in the form, what stands for the choice of a key
KEY = "metadata"
#: kind of chart, what it is called, and the picture of it (`templates/tracing/_chart_pictures.html`)
CHARTS: Mapping[Chart, Any] = {
    Chart.NUMBER: lazy("Number"),
    Chart.LINES: lazy("Lines"),
    Chart.AREAS: lazy("Areas"),
    Chart.BARS_IN_TIME: lazy("Bars in time"),
    Chart.BARS: lazy("Bars"),
    Chart.COLUMNS: lazy("Columns"),
    Chart.PIE: lazy("Pie"),
    Chart.HISTOGRAM: lazy("Histogram"),
    Chart.TABLE: lazy("Table"),
}
OWN_RANGES = [
    ("", lazy("that of the page")),
    ("today", lazy("today, since midnight UTC")),
    ("1h", lazy("the last hour")),
    ("24h", lazy("the last 24 hours")),
    ("7d", lazy("the last 7 days")),
    ("30d", lazy("the last 30 days")),
    ("90d", lazy("the last 90 days")),
]
UNITS = [("", lazy("as fits the time range")), *((name, STEPS[name]) for name in ("hour", "day", "week", "month"))]
#: what a preview looks at where the chart has no range of its own
LOOKS = [("24h", lazy("24 hours")), ("7d", lazy("7 days")), ("30d", lazy("30 days")), ("90d", lazy("90 days"))]
_KINDS = [one.value for one in Chart]
_LONGEST = 2000


@dataclass(slots=True)
class MetricRow:
    measure: str = "count"
    aggregation: str = "count"


@dataclass(slots=True)
class DimensionRow:
    """`name` is a dimension, or `KEY` with the key."""

    name: str = ""
    key: str = ""

    @property
    def field(self) -> str:
        if self.name != KEY:
            return self.name
        return METADATA + self.key if self.key else ""

    @classmethod
    def of(cls, name: str) -> DimensionRow:
        return cls(KEY, name.removeprefix(METADATA)) if name.startswith(METADATA) else cls(name)


@dataclass(slots=True)
class WidgetDraft:
    #: the widget that is changed; empty for a new one
    widget: str = ""
    #: where it goes, and what it replaces there
    dashboard: str = ""
    place: str = ""
    #: the page that it was opened from, where that is not the one of `dashboard` while it is arranged
    back: str = ""
    #: when the widget was changed last, as the form knows it
    based_on: str = ""
    view: str = "observations"
    metrics: list[MetricRow] = field(default_factory=lambda: [MetricRow()])
    dimensions: list[DimensionRow] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    chart: str = Chart.LINES.value
    row_limit: str = ""
    bins: str = ""
    has_labels: bool = False
    sort: str = ""
    is_compared: bool = False
    is_heatmap: bool = False
    range: str = ""
    unit: str = ""
    name: str = ""
    description: str = ""
    look: str = "7d"
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def shown_view(self) -> View:
        return VIEWS[self.view]

    @property
    def kind(self) -> Chart:
        return Chart(self.chart)

    @property
    def has_errors(self) -> bool:
        return bool(self.errors) or any(one.error for one in self.conditions)

    def settle(self) -> None:
        """Leaves nothing chosen that the chosen view does not have."""
        view = self.shown_view
        for one in self.metrics:
            if one.measure not in view.measures:
                one.measure = "count"
            if one.aggregation not in aggregations_of(view, one.measure):
                one.aggregation = aggregations_of(view, one.measure)[0]
        self.metrics = self.metrics or [MetricRow()]
        self.dimensions = [one for one in self.dimensions if one.name == KEY or one.name in view.dimensions]

    def body(self) -> dict[str, Any]:
        """As the API writes it, without a name. What is wrong with a field is said at it."""
        return {
            "view": self.view,
            "dimensions": [{"field": one.field} for one in self.dimensions if one.field],
            "metrics": [{"measure": one.measure, "agg": one.aggregation} for one in self.metrics],
            "filters": self._filters(),
            "chartType": self.chart,
            "chartConfig": self._config(),
        }

    def _filters(self) -> list[Item]:
        return conditions.items_of(self.conditions, self.shown_view.filter_columns)

    def _config(self) -> dict[str, Any]:
        """Only what the chosen kind of chart has a use for."""
        kind = self.kind
        config: dict[str, Any] = {"type": self.chart}
        if kind is Chart.HISTOGRAM:
            config["bins"] = self._number("bins", MOST_BINS)
        elif kind is not Chart.NUMBER:
            config["row_limit"] = self._number("row_limit", MOST_ROWS)
        if kind is Chart.TABLE:
            column, _dot, order = self.sort.rpartition(":")
            config["defaultSort"] = {"column": column, "order": order} if column and column in self.sortable else None
            config["display"] = "heatmap" if self.is_heatmap else None
        if kind not in (Chart.TABLE, Chart.NUMBER):
            config["show_value_labels"] = self.has_labels or None
        if kind is not Chart.HISTOGRAM:
            config["compare"] = self.is_compared or None
        config["range"] = self.range or None
        config["unit"] = (self.unit or None) if kind.is_in_time or self.is_heatmap else None
        return {name: value for name, value in config.items() if value is not None}

    def _number(self, name: str, most: int) -> int | None:
        text = getattr(self, name)
        if not text:
            return None
        if text.isascii() and text.isdigit() and 1 <= int(text) <= most:
            return int(text)
        self.errors[name] = _("Give a whole number from 1 to %(most)d.") % {"most": most}
        return None

    @property
    def sortable(self) -> list[str]:
        return [*(f"{one.aggregation}_{one.measure}" for one in self.metrics), *self.fields]

    @property
    def fields(self) -> list[str]:
        return [one.field for one in self.dimensions if one.field]

    def definition(self) -> Definition | None:
        """None when it cannot be read; what is wrong is said where it belongs."""
        body = self.body()
        if misfit := self.misfit(self.kind):
            self.errors["chartType"] = misfit
        self._say_misuse()
        if self.has_errors:
            return None
        try:
            return read_definition(body)
        except Invalid as refusal:
            self.refused(refusal)
            return None

    def _say_misuse(self) -> None:
        """Figures by kind are of the keys of one map, and those of two would multiply each other."""
        dimensions = self.shown_view.dimensions
        maps = [name for name, one in dimensions.items() if one.is_exploded and one.kind == "text"]
        needed = [self.shown_view.measures[one.measure].by for one in self.metrics]
        asked = [name for name in maps if name in (*self.fields, *needed)]
        if len(asked) > 1:
            self.errors["metrics"] = _("Cost by kind and tokens by kind each need a chart of their own.")
        for one in self.conditions:
            if one.column in maps and one.column not in asked:
                one.error = _("A chart can be asked this only where it is broken down by it.")

    def refused(self, refusal: Invalid) -> None:
        """Puts what was found wrong where it belongs."""
        if not refusal.issues:
            self.errors["whole"] = refusal.message
        for issue in refusal.issues or ():
            path: Any = issue.get("path") or ("whole",)
            message = str(issue["message"])
            head = str(path[0])
            if head == "filters" and conditions.put_issues(
                self.conditions, path[1] if len(path) > 1 else None, message
            ):
                continue
            name = str(path[1]) if head == "chartConfig" and len(path) > 1 else head
            self.errors[name if name in _PLACES else "whole"] = message

    def misfit(self, kind: Chart) -> str:
        """Why a kind of chart cannot show what is asked for; empty if it can."""
        spreads = [one.aggregation == HISTOGRAM for one in self.metrics]
        measure = self.shown_view.measures[self.metrics[0].measure]
        most = MOST_DIMENSIONS.get(kind, 1)
        words = ""
        if kind is Chart.HISTOGRAM and (spreads != [True] or measure.expression is None or measure.by):
            words = _("“%(chart)s” shows one measure that each record has a value of, such as latency, as its spread.")
        elif kind is not Chart.HISTOGRAM and any(spreads):
            words = _("“%(chart)s” shows no spread: a histogram does.")
        elif len(self.fields) > most and not most:
            words = _("“%(chart)s” has no room for a breakdown.")
        elif len(self.fields) > most:
            words = _("“%(chart)s” has room for one breakdown: a table takes two.")
        elif kind is Chart.NUMBER and len(self.metrics) > 1:
            words = _("“%(chart)s” shows one measure.")
        elif kind is Chart.NUMBER and measure.by:
            words = _("“%(chart)s” shows one figure, and a measure by kind has several.")
        return words % {"chart": CHARTS[kind]}

    @property
    def suggested_name(self) -> str:
        try:
            plain = {**self.body(), "filters": [], "chartType": Chart.TABLE.value, "chartConfig": {}}
            if self.kind is Chart.HISTOGRAM:
                plain["chartType"] = self.chart
            return suggested_name(read_definition(plain))
        except Invalid:
            return ""


def chart_words(kind: str) -> str:
    return str(CHARTS[Chart(kind)]) if kind in _KINDS else kind


#: fields that say themselves what is wrong with them
_PLACES = {"metrics", "dimensions", "filters", "row_limit", "bins", "defaultSort", "name", "description", "chartType"}


def change_shape(draft: WidgetDraft, wish: str) -> None:
    """What a button of the form asks for: lines that come and go."""
    conditions.change_lines(draft.conditions, wish)
    if wish == "add-metric" and len(draft.metrics) < MOST_METRICS:
        draft.metrics.append(_next_metric(draft))
    if wish == "add-dimension":
        draft.dimensions.append(DimensionRow(_next_dimension(draft)))
    name, _colon, number = wish.partition(":")
    lines: dict[str, list[Any]] = {"remove-metric": draft.metrics, "remove-dimension": draft.dimensions}
    if name in lines and number.isascii() and number.isdigit() and int(number) < len(lines[name]):
        del lines[name][int(number)]


def _next_metric(draft: WidgetDraft) -> MetricRow:
    """One that is not there yet."""
    taken = {one.measure for one in draft.metrics}
    measure = next((one for one in draft.shown_view.measures if one not in taken), "count")
    return MetricRow(measure, aggregations_of(draft.shown_view, measure)[0])


def _next_dimension(draft: WidgetDraft) -> str:
    usual = ("providedModelName", "name", "traceName", "type", "environment", "userId")
    taken = set(draft.fields)
    return next((one for one in usual if one in draft.shown_view.dimensions and one not in taken), "environment")


# --- Where drafts come from ------------------------------------------------------------------------------
def of_body(body: Mapping[str, Any]) -> WidgetDraft:
    """A chart as the API writes it, with or without a name."""
    config = body.get("chartConfig") or {}
    sort = config.get("defaultSort") or {}
    view = body["view"] if body["view"] in VIEWS else "observations"
    return WidgetDraft(
        view=view,
        metrics=[MetricRow(one["measure"], one["agg"]) for one in body["metrics"]],
        dimensions=[DimensionRow.of(one["field"]) for one in body["dimensions"]],
        conditions=conditions.conditions_of(body["filters"], VIEWS[view].filter_columns),
        chart=body["chartType"] if body["chartType"] in _KINDS else Chart.LINES.value,
        row_limit=str(config.get("row_limit") or ""),
        bins=str(config.get("bins") or ""),
        has_labels=bool(config.get("show_value_labels")),
        sort=f"{sort['column']}:{sort['order']}" if sort else "",
        is_compared=bool(config.get("compare")),
        is_heatmap=config.get("display") == "heatmap",
        range=config.get("range") or "",
        unit=config.get("unit") or "",
        name=body.get("name") or "",
        description=body.get("description") or "",
    )


def of_post(data: QueryDict) -> WidgetDraft:
    """What was typed, as it was typed."""

    def text(name: str) -> str:
        return data.get(name, "").replace("\x00", "").replace("\r\n", "\n").strip()[: _LONGEST + 1]

    def column(name: str) -> list[str]:
        return [one.replace("\x00", "").strip()[:_LONGEST] for one in data.getlist(name)[:MOST_METRICS]]

    def one_of(name: str, allowed: Sequence[str] | Mapping[str, Any], otherwise: str) -> str:
        return text(name) if text(name) in allowed else otherwise

    return WidgetDraft(
        widget=text("widget"),
        dashboard=text("dashboard"),
        place=text("place"),
        back=back_from(data),
        based_on=text("based_on"),
        view=one_of("view", VIEWS, "observations"),
        metrics=[MetricRow(*pair) for pair in zip(column("measure"), column("agg"), strict=False)],
        dimensions=[DimensionRow(*pair) for pair in zip(column("dimension"), column("dimension_key"), strict=False)],
        conditions=conditions.of_post(data),
        chart=one_of("chart", _KINDS, Chart.LINES.value),
        row_limit=text("row_limit"),
        bins=text("bins"),
        has_labels=text("labels") == "1",
        sort=text("sort"),
        is_compared=text("compare") == "1",
        is_heatmap=text("heatmap") == "1",
        range=one_of("range", dict(OWN_RANGES), ""),
        unit=one_of("unit", dict(UNITS), ""),
        name=text("name"),
        description=text("description"),
        look=one_of("look", dict(LOOKS), "7d"),
    )
