"""The figures of a chart: its groups and lines, and the same of the period before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from accounts.access import ProjectScope
from config.errors import TooExpensive
from tracing.analytics import store
from tracing.queries import filters, metrics
from tracing.queries.dashboards.answers import (
    MOST_SUMMANDS,
    added,
    adds_up,
    group_of,
    needs_keys,
    numbers_of,
    read_lines,
    read_summands,
    sums_of,
)
from tracing.queries.dashboards.definition import Chart, Definition
from tracing.queries.dashboards.figure import Figure, Group, Keys, Line, Looked, Span, Value
from tracing.queries.dashboards.histograms import read_bars
from tracing.queries.filters import Filter
from tracing.queries.metrics import TIME, MetricsQuery, View
from tracing.queries.periods import RANGES, Period

_SHORTEST = timedelta(minutes=1)
#: More cannot be told apart, and each takes room in the process that draws them.
_MOST_BUCKETS, _MOST_POINTS = 5_000, 100_000
#: Buckets across a heatmap: each is a field to point at.
_CELLS = 31
#: The same thing under the names that views have for it.
_OTHER_NAMES = {
    "traces": {"traceName": "name", "traceRelease": "release", "traceVersion": "version"},
    "observations": {"traceTags": "tags"},
}


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
        return Figure(definition, span, [], bars=read_bars(scope, base))
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
    is_much = len(starts) * (definition.limit if base.grouped_by else 1) > MOST_SUMMANDS
    rows = read_summands(scope, replace(base, unit=unit)) if label in labels and not is_much else None
    if rows is None:
        return None
    sums, at = sums_of(base, rows), labels.index(label)
    # Ties are decided as the store does: by the keys, those without one last.
    ranked = sorted(sums, key=lambda keys: [(key is None, key or "") for key in keys])
    ranked.sort(key=lambda keys: sums[keys][at] or 0, reverse=is_descending)
    ranked.sort(key=lambda keys: sums[keys][at] is None)
    shown = ranked[: definition.limit] if base.grouped_by else []
    is_cut = bool(shown) and len(ranked) > len(shown)
    if len(starts) * len(labels) * len(shown) > _MOST_POINTS:
        return None  # of so many groups buckets are wider
    has_rest = is_cut and definition.chart.is_in_time
    lines = read_lines(base, rows, shown if base.grouped_by else [()], starts, has_rest=has_rest) if unit else []
    groups = [Group(keys, numbers_of(sums[keys])) for keys in shown]
    total = None if is_cut and definition.chart.is_bars else Group((), numbers_of(added(base, sums.values())))
    return Figure(definition, span, groups, total, unit, starts, tuple(lines), is_cut=is_cut)


def _in_parts(scope: ProjectScope, definition: Definition, base: MetricsQuery, span: Span) -> Figure:
    groups, is_cut = _groups(scope, definition, base) if base.grouped_by else ([], False)
    total = _total(scope, definition, base, groups, is_cut)
    drawn = Figure(definition, span, groups, total, is_cut=is_cut)
    return _with_lines(scope, drawn, base) if definition.is_in_time else drawn


def _groups(scope: ProjectScope, definition: Definition, base: MetricsQuery) -> tuple[list[Group], bool]:
    """The first few by the metric that decides, and whether there are more."""
    query = replace(base, order=(definition.order,), limit=definition.limit + 1)
    rows = metrics.read(scope, query)
    return [group_of(base, row) for row in rows[: definition.limit]], len(rows) > definition.limit


def _total(
    scope: ProjectScope, definition: Definition, base: MetricsQuery, groups: Sequence[Group], is_cut: bool
) -> Group | None:
    """Of everything: added up where that is right, asked for where it is not and somebody looks at it."""
    if not base.grouped_by or _needs_total(definition, base, is_cut):
        rows = metrics.read(scope, replace(base, dimensions=())) if not needs_keys(base) else []
        return group_of(replace(base, dimensions=()), rows[0]) if rows else None
    if not is_cut and all(adds_up(base, one) for one in base.metrics):
        return Group((), tuple(sum(group.values[at] or 0 for group in groups) for at in range(len(base.metrics))))
    return None


def _needs_total(definition: Definition, base: MetricsQuery, is_cut: bool) -> bool:
    """A table has a last line; what is left out of a pie or of lines is shown as the rest. The longest bars stand for
    themselves."""
    if definition.chart is Chart.TABLE:
        return is_cut or not all(adds_up(base, one) for one in base.metrics)
    return is_cut and not definition.chart.is_bars and all(adds_up(base, one) for one in base.metrics)


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
    lines = read_lines(base, rows, [group.keys for group in drawn.groups], starts)
    if drawn.is_cut and drawn.definition.chart.is_in_time and all(adds_up(base, one) for one in base.metrics):
        lines += _rest(_of_everything(scope, base, unit, starts), lines)
    return lines


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
    return read_lines(query, metrics.read(scope, query), [()], starts)


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
    rows = read_summands(scope, replace(earlier, unit=unit))
    sums = None if rows is None else sums_of(earlier, rows)
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
        lines = read_lines(earlier, rows, [()], starts)
    return tuple(replace(line, values=_fitted(line.values, len(drawn.starts))) for line in lines)


def _groups_before(
    scope: ProjectScope, drawn: Figure, earlier: MetricsQuery, sums: dict[Keys, list[Any]] | None
) -> list[Group]:
    if not drawn.groups:
        return []
    if sums is None:
        query = replace(_among(earlier, drawn), limit=metrics.MOST_ROWS, order=())
        known = {group.keys: group.values for group in (group_of(query, row) for row in metrics.read(scope, query))}
    else:
        known = {keys: numbers_of(values) for keys, values in sums.items()}
    return [replace(group, before=known.get(group.keys, _nothing(earlier))) for group in drawn.groups]


def _total_before(
    scope: ProjectScope, drawn: Figure, earlier: MetricsQuery, sums: dict[Keys, list[Any]] | None
) -> Group | None:
    if drawn.total is None or needs_keys(earlier):
        return drawn.total
    if sums is not None:
        return replace(drawn.total, before=numbers_of(added(earlier, sums.values())))
    whole = replace(earlier, dimensions=())
    rows = metrics.read(scope, whole)
    return replace(drawn.total, before=group_of(whole, rows[0]).values if rows else _nothing(earlier))


def _nothing(query: MetricsQuery) -> tuple[Value, ...]:
    return tuple(0 if adds_up(query, one) else None for one in query.metrics)


def _fitted(values: list[Value], length: int) -> list[Value]:
    """As many, with their ends together: a stretch as long may touch a bucket more or less."""
    return ([None] * length + values)[-length:]
