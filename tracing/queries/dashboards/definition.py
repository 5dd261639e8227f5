"""What a chart shows, as the public API writes it and as rows keep it, read into one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, NoReturn

from django.utils.translation import gettext as _
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.errors import Invalid, issue
from tracing.models.dashboards import LONGEST_DASHBOARD_NAME
from tracing.queries import filters, metrics
from tracing.queries.dashboards.views import VIEWS
from tracing.queries.filters import Filter
from tracing.queries.metrics import Metric, MetricsQuery, View
from tracing.queries.metrics.aggregations import HISTOGRAM

LONGEST_DESCRIPTION = 2000
MOST_METRICS = 10
MOST_ROWS = 1000
MOST_BINS = 100
_LONGEST_FIELD = 300
#: any two moments will do to look at a question without asking it
_ANY_TIME = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


class Chart(StrEnum):
    LINES = "LINE_TIME_SERIES"
    AREAS = "AREA_TIME_SERIES"
    BARS_IN_TIME = "BAR_TIME_SERIES"
    BARS = "HORIZONTAL_BAR"
    COLUMNS = "VERTICAL_BAR"
    PIE = "PIE"
    NUMBER = "NUMBER"
    HISTOGRAM = "HISTOGRAM"
    TABLE = "PIVOT_TABLE"

    @property
    def is_in_time(self) -> bool:
        return self in (Chart.LINES, Chart.AREAS, Chart.BARS_IN_TIME)

    @property
    def is_bars(self) -> bool:
        """One for each group, the longest first."""
        return self in (Chart.BARS, Chart.COLUMNS)


#: How many dimensions a chart can show.
MOST_DIMENSIONS = {Chart.NUMBER: 0, Chart.HISTOGRAM: 0, Chart.TABLE: 2}
#: Of the charts that need one, how many groups they show unless they say.
_USUAL_ROWS = {Chart.PIE: 8, Chart.BARS: 10, Chart.COLUMNS: 20, Chart.TABLE: 100}
_USUAL_LINES = 8


def usual_limit(chart: Chart) -> int:
    return _USUAL_ROWS.get(chart, _USUAL_LINES)


Text = Annotated[str, Field(min_length=1, max_length=_LONGEST_FIELD)]
Aggregation = Literal[
    "sum", "avg", "count", "max", "min", "p50", "p75", "p90", "p95", "p99", "histogram", "uniq"
]  # fmt: skip


class _Part(BaseModel):
    """Fields that are not named are ignored: newer clients may send more."""

    model_config = ConfigDict(extra="ignore", defer_build=True)


class GivenDimension(_Part):
    field: Text


class GivenMetric(_Part):
    measure: Text
    agg: Aggregation


class GivenSort(_Part):
    column: Text
    order: Literal["ASC", "DESC"]


class GivenConfig(_Part):
    """`compare`, `display`, `range` and `unit` are our own: beside the period before, a table in colours, and a time
    range and width of buckets that do not follow those of the page."""

    type: Chart | None = None
    row_limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] | None = None
    show_value_labels: bool | None = None
    bins: Annotated[int, Field(ge=1, le=MOST_BINS)] | None = None
    defaultSort: GivenSort | None = None
    compare: bool | None = None
    display: Literal["heatmap"] | None = None
    range: Literal["today", "1h", "24h", "7d", "30d", "90d"] | None = None
    unit: Literal["hour", "day", "week", "month"] | None = None


class GivenWidget(_Part):
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_DASHBOARD_NAME)]
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] = ""
    view: Literal["observations", "traces", "scores-numeric", "scores-boolean", "scores-categorical"]
    dimensions: list[GivenDimension] = []
    metrics: Annotated[list[GivenMetric], Field(min_length=1, max_length=MOST_METRICS)]
    filters: list[dict[str, Any]] = []
    chartType: Chart
    chartConfig: GivenConfig = GivenConfig()


@dataclass(frozen=True, slots=True)
class Definition:
    """A chart as it can be asked for. `filters` are checked; `source` is what it was read from."""

    view_name: str
    dimensions: tuple[str, ...]
    metrics: tuple[Metric, ...]
    filters: tuple[Filter, ...]
    chart: Chart
    config: GivenConfig
    source: dict[str, Any] = field(compare=False, default_factory=dict)

    @property
    def view(self) -> View:
        return VIEWS[self.view_name]

    @property
    def is_heatmap(self) -> bool:
        return self.chart is Chart.TABLE and self.config.display == "heatmap"

    @property
    def is_in_time(self) -> bool:
        """Whether its figures have buckets of time; a heatmap of one dimension has them across."""
        return self.chart.is_in_time or (self.is_heatmap and len(self.dimensions) < 2)

    @property
    def limit(self) -> int:
        return self.config.row_limit or usual_limit(self.chart)

    @property
    def bins(self) -> int:
        return self.config.bins or metrics.DEFAULT_BINS

    @property
    def order(self) -> tuple[str, bool]:
        """The label that decides who is shown when there are more groups than room, and whether downwards."""
        labels = [one.label for one in self.metrics]
        sort = self.config.defaultSort
        if self.chart is Chart.TABLE and sort is not None and sort.column in (*labels, *self.dimensions):
            return sort.column, sort.order == "DESC"
        return labels[0], True


def read_widget(body: Any) -> GivenWidget:
    """A chart with its name. Raises Invalid with all that is wrong with its form, then with what it asks for."""
    given: GivenWidget = read_as(GivenWidget, body)
    definition_of(given)
    return given


def read_definition(body: Any) -> Definition:
    """The same without a name, for a chart that is being made."""
    given = {**body, "name": "-", "description": ""} if isinstance(body, dict) else body
    return definition_of(read_as(GivenWidget, given))


def definition_of(given: GivenWidget) -> Definition:
    view = VIEWS[given.view]
    for item in given.filters:
        if isinstance(item.get("column"), str):
            metrics.check_filter_column(view, item["column"])
    definition = Definition(
        view_name=given.view,
        dimensions=tuple(dict.fromkeys(one.field for one in given.dimensions)),
        metrics=tuple(dict.fromkeys(Metric(one.measure, one.agg) for one in given.metrics)),
        filters=tuple(filters.parse_items(given.filters, view.filter_columns, at=("filters",))),
        chart=given.chartType,
        config=given.chartConfig,
        source=given.model_dump(mode="json", exclude_none=True, exclude={"name", "description"}),
    )
    _check(definition)
    return definition


def _check(definition: Definition) -> None:
    """Raises Invalid in the words of the metrics API, and for what a chart cannot show."""
    from_time, to_time = _ANY_TIME
    metrics.check(
        MetricsQuery(definition.view, definition.metrics, from_time, to_time, definition.dimensions, definition.filters)
    )
    most = MOST_DIMENSIONS.get(definition.chart, 1)
    if len(definition.dimensions) > most:
        _refuse(("dimensions",), _("%(chart)s shows at most %(most)d dimensions."), definition, most=most)
    has_bars = [one.aggregation == HISTOGRAM for one in definition.metrics]
    if definition.chart is Chart.HISTOGRAM and has_bars != [True]:
        _refuse(("metrics",), _("%(chart)s shows one metric, with the aggregation histogram."), definition)
    measure = definition.view.measures[definition.metrics[0].measure]
    if definition.chart is Chart.HISTOGRAM and (measure.expression is None or measure.by):
        _refuse(("metrics",), _("%(chart)s needs a figure that each record has one of."), definition)
    if definition.chart is Chart.NUMBER and measure.by:
        _refuse(("metrics",), _("%(chart)s cannot show a metric by kind."), definition)
    if definition.chart is not Chart.HISTOGRAM and any(has_bars):
        _refuse(("metrics",), _("The aggregation histogram is shown by HISTOGRAM only."), definition)
    if definition.chart is Chart.NUMBER and len(definition.metrics) > 1:
        _refuse(("metrics",), _("%(chart)s shows one metric."), definition)


def _refuse(path: tuple[str, ...], message: str, definition: Definition, **words: Any) -> NoReturn:
    raise Invalid(issues=[issue(path, message % {"chart": definition.chart.value, **words})])


def read_as(shape: type[Any], body: Any) -> Any:
    """Raises Invalid with all that is wrong with its form."""
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        raise Invalid(issues=issues_of(error)) from None


def issues_of(error: ValidationError) -> list[dict[str, Any]]:
    """What pydantic found, as the API tells what is wrong: path, code, message."""
    return [
        {"code": one["type"], "path": list(one["loc"]), "message": one["msg"]}
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]
