"""The figures of a chart: its groups and lines, and the same of the period before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select as select_from

from accounts.access import ProjectScope
from config.errors import TooExpensive
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.queries import filters, metrics
from tracing.queries.dashboards.definition import Chart, Definition
from tracing.queries.dashboards.views import VIEWS, is_additive
from tracing.queries.filters import Filter
from tracing.queries.metrics import TIME, Metric, MetricsQuery
from tracing.queries.metrics.model import Dimension, Measure, View
from tracing.queries.periods import RANGES, Period

if TYPE_CHECKING:
    from tracing.queries.dashboards.releases import Mark

Value = float | int | None
#: The values of a group's dimensions as texts; None where there is none.
Keys = tuple[str | None, ...]

_SHORTEST = timedelta(minutes=1)
#: More cannot be told apart, and each takes room in the process that draws them.
_MOST_BUCKETS, _MOST_POINTS = 5_000, 100_000
#: So many groups and buckets of a metric that adds up are read at once and added up here.
_MOST_SUMMANDS = 10_000
#: Buckets across a heatmap: each is a field to point at.
_CELLS = 31
#: How many times further than ninety-nine of a hundred values the last may be before bars stop short of it.
_FAR_OUT = 2
#: The same thing under the names that views have for it.
_OTHER_NAMES = {
    "traces": {"traceName": "name", "traceRelease": "release", "traceVersion": "version"},
    "observations": {"traceTags": "tags"},
}


@dataclass(frozen=True, slots=True)
class Span:
    """What a chart looks at: from `since` on, before `until`. It is compared with the same stretch `back` before."""

    since: datetime
    until: datetime
    back: timedelta

    @classmethod
    def between(cls, since: datetime, until: datetime) -> Span:
        return cls(since, until, until - since)

    @property
    def before(self) -> Span:
        return Span(self.since - self.back, self.until - self.back, self.back)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a page looks at: a time range, environments, and filters as they were sent, of which each chart takes those
    that its view has a column for."""

    period: Period
    environments: tuple[str, ...] = ()
    filters: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """One value of each dimension, and one value for each metric; `before` in the period before, if that was asked."""

    keys: Keys
    values: tuple[Value, ...]
    before: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A metric of a group in time: a value for each of the figure's `starts`. Without keys it is of everything;
    `is_rest`: of all groups that have no line."""

    metric: int
    values: list[Value]
    keys: Keys = ()
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """What a chart draws. Lists that do not belong to its kind are empty."""

    definition: Definition
    span: Span
    groups: list[Group]
    #: a value for each metric, of everything together; empty where that was not asked
    total: Group | None = None
    unit: str = ""
    starts: tuple[datetime, ...] = ()
    lines: tuple[Line, ...] = ()
    #: the lines of the period before, in the same order of buckets
    before: tuple[Line, ...] = ()
    #: bars of a histogram: from, to, how many
    bars: tuple[tuple[float, float, float], ...] = ()
    #: whether there are more groups than `groups`
    is_cut: bool = False
    #: filters of the page that hold for it, under the names of its view
    applied: tuple[Filter, ...] = ()
    #: columns of the page's filters that the chart's view does not have
    unapplied: tuple[str, ...] = ()
    #: what began meanwhile, for the axis of time
    marks: tuple[Mark, ...] = ()

    @property
    def is_widened(self) -> bool:
        """Whether its buckets are wider than the definition wants, because there would be too many."""
        wished = self.definition.config.unit
        return bool(self.unit and wished) and self.unit != wished

    @property
    def is_empty(self) -> bool:
        values = [*(self.total.values if self.total else ()), *(value for one in self.groups for value in one.values)]
        return not self.bars and not any(values) and not any(any(line.values) for line in self.lines)


def figure(scope: ProjectScope, definition: Definition, looked: Looked, now: datetime | None = None) -> Figure:
    """Raises Invalid for filters that cannot be read, TooExpensive and Unavailable as every query."""
    span = span_of(scope, definition, looked.period, now or datetime.now(UTC))
    applied, unapplied = _page_filters(definition.view, looked)
    more = (*applied, *_of_environments(looked))
    base = MetricsQuery(
        definition.view, definition.metrics, span.since, _last(span), definition.dimensions,
        (*definition.filters, *more), bins=definition.bins,
    )  # fmt: skip
    # Before the oldest there is nothing to compare with.
    has_before = looked.period.since is not None or bool(definition.config.range)
    return replace(_drawn(scope, definition, base, span, has_before), applied=applied, unapplied=unapplied)


def _drawn(scope: ProjectScope, definition: Definition, base: MetricsQuery, span: Span, has_before: bool) -> Figure:
    if definition.chart is Chart.HISTOGRAM:
        return Figure(definition, span, [], bars=_bars(scope, base))
    drawn = _in_one(scope, definition, base, span) or _in_parts(scope, definition, base, span)
    return _with_before(scope, drawn, base) if definition.config.compare and has_before else drawn


def span_of(scope: ProjectScope, definition: Definition, period: Period, now: datetime) -> Span:
    """In whole minutes, so that within one of them the same questions are asked, whose answers are remembered."""
    minute = now.replace(second=0, microsecond=0) + _SHORTEST
    if definition.config.range == "today":
        # With yesterday until the same time: a whole day would make every morning look bad.
        return Span(now.replace(hour=0, minute=0, second=0, microsecond=0), minute, timedelta(days=1))
    if definition.config.range:
        return Span.between(minute - (RANGES[definition.config.range] or timedelta()), minute)
    # In UTC, as the store's buckets are: an address names times in the reader's zone.
    until = (period.until or minute).astimezone(UTC)
    since = (period.since or _oldest(scope, definition.view) or until - timedelta(days=1)).astimezone(UTC)
    return Span.between(min(since, until - _SHORTEST), until)


def _oldest(scope: ProjectScope, view: View) -> datetime | None:
    found = store.newest(scope, view.table, view.time, limit=1, oldest_first=True, tag="dashboard-oldest")
    return found[0][0] if found else None


def _last(span: Span) -> datetime:
    """Ranges of metrics have both ends in them."""
    return span.until - timedelta(microseconds=1)


def _page_filters(view: View, looked: Looked) -> tuple[tuple[Filter, ...], tuple[str, ...]]:
    """Those of the page that fit the view, and the columns of those that do not."""
    columns, names = view.filter_columns, _OTHER_NAMES.get(view.name, {})
    items, unapplied = [], []
    for item in looked.filters:
        name = names.get(str(item.get("column")), str(item.get("column")))
        if name in columns and _is_of_records(view, name):
            items.append({**item, "column": name})
        else:
            unapplied.append(str(item.get("column")))
    return tuple(filters.parse_items(items, columns, at=("filters",))), tuple(dict.fromkeys(unapplied))


def _of_environments(looked: Looked) -> tuple[Filter, ...]:
    names = list(looked.environments)
    return (Filter("stringOptions", "environment", "any of", names),) if names else ()


def _is_of_records(view: View, name: str) -> bool:
    """The keys of a map can be chosen among only where a chart is by them, which is a matter of its own filters."""
    dimension = view.dimensions.get(name)
    return dimension is None or not dimension.is_exploded or dimension.kind != "text"


def _in_one(scope: ProjectScope, definition: Definition, base: MetricsQuery, span: Span) -> Figure | None:
    """All out of one answer, as the store reads the same records again for each: groups, their lines and the whole are
    sums of it. None where they are not, or are of more groups than anybody should read."""
    label, is_descending = definition.order
    labels = [one.label for one in base.metrics]
    unit, starts = _axis(definition, span, len(labels))
    rows = _summands(scope, replace(base, unit=unit)) if label in labels else None
    if rows is None:
        return None
    sums, at = _sums(base, rows), labels.index(label)
    # Ties are decided as the store does: by the keys, those without one last.
    ranked = sorted(sums, key=lambda keys: [(key is None, key or "") for key in keys])
    ranked.sort(key=lambda keys: sums[keys][at], reverse=is_descending)
    shown = ranked[: definition.limit] if base.grouped_by else []
    is_cut = bool(shown) and len(ranked) > len(shown)
    if len(starts) * len(labels) * len(shown) > _MOST_POINTS:
        return None  # of so many groups buckets are wider
    has_rest = is_cut and definition.chart.is_in_time
    lines = _read_lines(base, rows, shown if base.grouped_by else [()], starts, has_rest=has_rest) if unit else []
    groups = [Group(keys, _numbers(sums[keys])) for keys in shown]
    total = Group((), _numbers(_added(base, sums.values())))
    return Figure(definition, span, groups, total, unit, starts, tuple(lines), is_cut=is_cut)


def _in_parts(scope: ProjectScope, definition: Definition, base: MetricsQuery, span: Span) -> Figure:
    groups, is_cut = _groups(scope, definition, base) if base.grouped_by else ([], False)
    total = _total(scope, definition, base, groups, is_cut)
    drawn = Figure(definition, span, groups, total, is_cut=is_cut)
    return _with_lines(scope, drawn, base) if definition.is_in_time else drawn


def _summands(scope: ProjectScope, query: MetricsQuery) -> list[dict[str, Any]] | None:
    """Every group in every bucket; None for what does not add up, or is too much."""
    is_wide = any(query.dimension(name).is_high_cardinality for name in query.grouped_by)
    if is_wide or not all(_adds_up(query, one) for one in query.metrics):
        return None
    order = (TIME if query.unit else query.metrics[0].label, False)
    rows = metrics.read(scope, replace(query, order=(order,), limit=_MOST_SUMMANDS + 1))
    return rows if len(rows) <= _MOST_SUMMANDS else None


def _sums(query: MetricsQuery, rows: Iterable[dict[str, Any]]) -> dict[Keys, list[Any]]:
    """By keys, a sum for each metric, in the numbers of the store: money stays exact."""
    by_keys: dict[Keys, list[list[Any]]] = {}
    for row in rows:
        by_keys.setdefault(_keys(query, row), []).append([row[one.label] for one in query.metrics])
    return {keys: _added(query, values) for keys, values in by_keys.items()}


def _added(query: MetricsQuery, values: Collection[Sequence[Any]]) -> list[Any]:
    return [sum(value[at] for value in values if value[at] is not None) for at in range(len(query.metrics))]


def _numbers(values: Iterable[Any]) -> tuple[Value, ...]:
    return tuple(_number(value) for value in values)


def _groups(scope: ProjectScope, definition: Definition, base: MetricsQuery) -> tuple[list[Group], bool]:
    """The first few by the metric that decides, and whether there are more."""
    query = replace(base, order=(definition.order,), limit=definition.limit + 1)
    rows = metrics.read(scope, query)
    return [_group(base, row) for row in rows[: definition.limit]], len(rows) > definition.limit


def _group(query: MetricsQuery, row: dict[str, Any]) -> Group:
    return Group(_keys(query, row), _numbers(row[one.label] for one in query.metrics))


def _keys(query: MetricsQuery, row: dict[str, Any]) -> Keys:
    return tuple(_text(row[name]) for name in query.grouped_by)


def _total(
    scope: ProjectScope, definition: Definition, base: MetricsQuery, groups: Sequence[Group], is_cut: bool
) -> Group | None:
    """Of everything: added up where that is right, asked for where it is not and somebody looks at it."""
    if not base.grouped_by or _needs_total(definition, base, is_cut):
        rows = metrics.read(scope, replace(base, dimensions=())) if not _needs_keys(base) else []
        return _group(replace(base, dimensions=()), rows[0]) if rows else None
    if not is_cut and all(_adds_up(base, one) for one in base.metrics):
        return Group((), tuple(sum(group.values[at] or 0 for group in groups) for at in range(len(base.metrics))))
    return None


def _needs_total(definition: Definition, base: MetricsQuery, is_cut: bool) -> bool:
    """A table has a last line; what is left out of a pie or of lines is shown as the rest."""
    if definition.chart is Chart.TABLE:
        return is_cut or not all(_adds_up(base, one) for one in base.metrics)
    return is_cut and all(_adds_up(base, one) for one in base.metrics)


def _needs_keys(query: MetricsQuery) -> bool:
    """Whether a metric says nothing without the keys that it is by."""
    return bool(replace(query, dimensions=()).grouped_by)


def _adds_up(query: MetricsQuery, metric: Metric) -> bool:
    """Lists put one record into several groups, which then are more than the whole."""
    is_exploded = any(query.dimension(name).is_exploded for name in query.grouped_by)
    return not is_exploded and is_additive(query.view, metric.measure, metric.aggregation)


def _bars(scope: ProjectScope, base: MetricsQuery) -> tuple[tuple[float, float, float], ...]:
    """Bars of one width, of which the last takes all that is far out: one value of ten minutes would make a single bar
    of all that took seconds."""
    measure = base.metrics[0].measure
    ends = replace(base, metrics=tuple(Metric(measure, one) for one in ("min", "p99", "max")))
    low, far, high = (_number(value) for value in (*metrics.read(scope, ends), {"": None})[0].values())
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


# --- Lines -----------------------------------------------------------------------------------------------
def _with_lines(scope: ProjectScope, drawn: Figure, base: MetricsQuery) -> Figure:
    unit, starts = _axis(drawn.definition, drawn.span, len(base.metrics) * max(1, len(drawn.groups)))
    return replace(drawn, unit=unit, starts=starts, lines=tuple(_lines(scope, drawn, base, unit, starts)))


def _axis(definition: Definition, span: Span, lines: int) -> tuple[str, tuple[datetime, ...]]:
    """Buckets of time as wide as they are wanted, or wider, so that so many lines have no more points than a chart can
    show; nothing for a chart without them."""
    if not definition.is_in_time:
        return "", ()
    most = min(_MOST_BUCKETS, _MOST_POINTS // lines)
    fine = metrics.fine_unit(span.since, span.until, _CELLS if definition.is_heatmap else metrics.FINE_BUCKETS)
    for unit in metrics.units_from(definition.config.unit or fine):
        starts = tuple(islice(_starts(span, unit), most + 1))
        if len(starts) <= most:
            return unit, starts
    raise TooExpensive("These are more points than a chart can show. Narrow the range or show fewer groups.")


def _starts(span: Span, unit: str) -> Iterable[datetime]:
    at = metrics.bucket_start(span.since, unit)
    while at < span.until:
        yield at
        at = metrics.next_bucket(at, unit)


def _lines(scope: ProjectScope, drawn: Figure, base: MetricsQuery, unit: str, starts: Sequence[datetime]) -> list[Line]:
    if not base.grouped_by:
        return _of_everything(scope, base, unit, starts)
    rows = metrics.read(scope, replace(_among(base, drawn), unit=unit, order=((TIME, False),)))
    lines = _read_lines(base, rows, [group.keys for group in drawn.groups], starts)
    if drawn.is_cut and drawn.definition.chart.is_in_time and all(_adds_up(base, one) for one in base.metrics):
        lines += _rest(_of_everything(scope, base, unit, starts), lines)
    return lines


def _read_lines(
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
        group, at = _group(query, row), places.get(row[TIME])
        if at is None:
            continue
        for number, value in enumerate(group.values):
            if group.keys in values:
                values[group.keys][number][at] = value
            else:
                rest[number][at] = (rest[number][at] or 0) + (value or 0)
    lines = [Line(number, values[keys][number], keys) for number in range(len(query.metrics)) for keys in wanted]
    return lines + [Line(number, rest[number], is_rest=True) for number in range(len(rest)) if has_rest]


def _among(base: MetricsQuery, drawn: Figure) -> MetricsQuery:
    """Narrowed to the groups that have lines, where there are others."""
    name = base.grouped_by[0]
    dimension = base.dimension(name)
    if not drawn.is_cut or dimension.kind != "text" or dimension.is_exploded:
        return base
    names = [group.keys[0] or "" for group in drawn.groups]
    # A key of the metadata becomes a column that can be filtered by like any other.
    view = replace(base.view, dimensions={**base.view.dimensions, name: dimension})
    return replace(base, view=view, filters=(*base.filters, Filter("stringOptions", name, "any of", names)))


def _of_everything(scope: ProjectScope, base: MetricsQuery, unit: str, starts: Sequence[datetime]) -> list[Line]:
    query = replace(base, dimensions=(), unit=unit, order=((TIME, False),))
    return _read_lines(query, metrics.read(scope, query), [()], starts)


def _blank(query: MetricsQuery, starts: Sequence[datetime]) -> list[list[Value]]:
    """Where nothing happened a count is zero, and a mean is not there."""
    return [
        [0 if is_additive(query.view, one.measure, one.aggregation) or one.aggregation == "uniq" else None]
        * len(starts)
        for one in query.metrics
    ]


def _rest(everything: Sequence[Line], lines: Sequence[Line]) -> list[Line]:
    rest = []
    for whole in everything:
        parts = [line.values for line in lines if line.metric == whole.metric]
        values: list[Value] = [
            max((value or 0) - sum(part[at] or 0 for part in parts), 0) for at, value in enumerate(whole.values)
        ]
        rest.append(Line(whole.metric, values, is_rest=True))
    return rest


# --- The period before -----------------------------------------------------------------------------------
def _with_before(scope: ProjectScope, drawn: Figure, base: MetricsQuery) -> Figure:
    span, unit = drawn.span.before, "" if base.grouped_by else drawn.unit
    earlier = replace(base, from_time=span.since, to_time=_last(span))
    rows = _summands(scope, replace(earlier, unit=unit))
    sums = None if rows is None else _sums(earlier, rows)
    before = _lines_before(scope, drawn, earlier, rows) if unit else ()
    groups, total = _groups_before(scope, drawn, earlier, sums), _total_before(scope, drawn, earlier, sums)
    return replace(drawn, groups=groups, total=total, before=before)


def _lines_before(
    scope: ProjectScope, drawn: Figure, earlier: MetricsQuery, rows: list[dict[str, Any]] | None
) -> tuple[Line, ...]:
    starts = tuple(_starts(drawn.span.before, drawn.unit))
    if rows is None:
        lines = _of_everything(scope, earlier, drawn.unit, starts)
    else:
        lines = _read_lines(earlier, rows, [()], starts)
    return tuple(replace(line, values=_fitted(line.values, len(drawn.starts))) for line in lines)


def _groups_before(
    scope: ProjectScope, drawn: Figure, earlier: MetricsQuery, sums: dict[Keys, list[Any]] | None
) -> list[Group]:
    if not drawn.groups:
        return []
    if sums is None:
        query = replace(_among(earlier, drawn), limit=metrics.MOST_ROWS, order=())
        known = {group.keys: group.values for group in (_group(query, row) for row in metrics.read(scope, query))}
    else:
        known = {keys: _numbers(values) for keys, values in sums.items()}
    return [replace(group, before=known.get(group.keys, _nothing(earlier))) for group in drawn.groups]


def _total_before(
    scope: ProjectScope, drawn: Figure, earlier: MetricsQuery, sums: dict[Keys, list[Any]] | None
) -> Group | None:
    if drawn.total is None or _needs_keys(earlier):
        return drawn.total
    if sums is not None:
        return replace(drawn.total, before=_numbers(_added(earlier, sums.values())))
    whole = replace(earlier, dimensions=())
    rows = metrics.read(scope, whole)
    return replace(drawn.total, before=_group(whole, rows[0]).values if rows else _nothing(earlier))


def _nothing(query: MetricsQuery) -> tuple[Value, ...]:
    return tuple(0 if _adds_up(query, one) else None for one in query.metrics)


def _fitted(values: list[Value], length: int) -> list[Value]:
    """As many, with their ends together: a stretch as long may touch a bucket more or less."""
    return ([None] * length + values)[-length:]


# --- Values ----------------------------------------------------------------------------------------------
def _text(value: Any) -> str | None:
    """Of a list of texts (tags) its members together; of truth what the query language writes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(str(member) for member in value) or None
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return None if value is None or value == "" else str(value)


def _number(value: Any) -> Value:
    """Money as a float: it is drawn, not added up any more. A mean of nothing is none."""
    if value is None or (isinstance(value, float) and value != value):
        return None
    return float(value) if isinstance(value, Decimal) else value


# --- What can be chosen ----------------------------------------------------------------------------------
MOST_KEYS = 200
_RECORDS = 20_000
_DOCUMENTS = 1_000


def list_metadata_keys(scope: ProjectScope, view_name: str, span: Span) -> list[str]:
    """Keys of the metadata of a view's newest records, the most frequent first: what one can group by."""
    view = VIEWS[view_name]
    inside = (view.time >= span.since, view.time < span.until, *view.where)
    if view.metadata_value is not None:
        return _keys_of_documents(scope, view, inside)
    keys = fn.map_keys(view.columns["metadata"].expression).label("keys")
    newest = store.select(scope, view.table, keys).where(*inside).order_by(view.time.desc()).limit(_RECORDS)
    found = select_from(fn.explode(newest.subquery("newest").c["keys"]).label("key")).subquery("found")
    times = fn.count().label("times")
    query = select_from(found.c.key, times).group_by(found.c.key).order_by(times.desc(), found.c.key)
    rows = store.rows(scope, query.limit(MOST_KEYS), tag="metadata-keys")
    return [row.key for row in rows]


def _keys_of_documents(scope: ProjectScope, view: View, inside: tuple[Any, ...]) -> list[str]:
    """The metadata of scores are JSON as it came."""
    metadata = view.table.c.metadata
    query = store.select(scope, view.table, metadata).where(*inside, metadata != "")
    rows = store.rows(scope, query.order_by(view.time.desc()).limit(_DOCUMENTS), tag="metadata-keys")
    times = Counter(key for row in rows for key in _keys_of(row.metadata))
    return [key for key, _times in sorted(times.items(), key=lambda pair: (-pair[1], pair[0]))][:MOST_KEYS]


def _keys_of(document: str) -> list[str]:
    try:
        found = orjson.loads(document)
    except ValueError:
        return []
    return list(found) if isinstance(found, dict) else []
