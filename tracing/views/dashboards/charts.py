"""A figure as a chart that the browser draws, and as the table beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from tracing.queries.dashboards.definition import Chart
from tracing.queries.dashboards.figure import Figure, Group, Keys, Line, Value
from tracing.queries.dashboards.views import Unit, unit_of
from tracing.queries.metrics import Metric, next_bucket
from tracing.views.dashboards.drill import Drill
from tracing.views.dashboards.words import (
    AGGREGATIONS,
    NONE,
    Change,
    change,
    dimension_label,
    key_text,
    metric_label,
    value_text,
)

SHADES = 9
_HEADS = 6
_DAYS = ("day", "week", "month", "quarter", "year")
KINDS = {
    Chart.LINES: "lines", Chart.AREAS: "areas", Chart.BARS_IN_TIME: "stacks", Chart.BARS: "bars",
    Chart.COLUMNS: "columns", Chart.PIE: "pie", Chart.HISTOGRAM: "histogram",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """`shade` is 0 to `SHADES`, of a heatmap."""

    text: str
    change: Change | None = None
    is_number: bool = True
    url: str = ""
    shade: int = 0
    title: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Of texts. `total` is the last line, empty without one."""

    heads: list[tuple[str, bool]]
    rows: list[list[Cell]]
    total: list[Cell]
    is_heatmap: bool = False
    is_in_time: bool = False


def units_of(figure: Figure) -> list[Unit]:
    return [unit_of(one.measure, one.aggregation) for one in figure.definition.metrics]


# --- What the browser draws ------------------------------------------------------------------------------
def drawn(figure: Figure, drill: Drill, marks: Sequence[Any] = ()) -> dict[str, Any]:
    """For `static/js/charts.js`, which says what each part is."""
    definition = figure.definition
    units = units_of(figure)
    base = {
        "kind": KINDS[definition.chart],
        "unit": units[0].value,
        "labels": bool(definition.config.show_value_labels),
    }
    if definition.chart is Chart.HISTOGRAM:
        return {**base, "unit": _unit_of_values(figure).value, "bars": [list(bar) for bar in figure.bars]}
    if not definition.is_in_time:
        whole = figure.total if definition.chart is Chart.PIE else None
        return {
            **base,
            "metrics": [metric_label(one) for one in definition.metrics],
            "items": [*_items(figure, drill)],
            "total": value_text(whole.values[0], units[0]) if whole else "",
        }
    return {
        **base,
        "bucket": figure.unit,
        "times": [_iso(at) for at in (*figure.starts, next_bucket(figure.starts[-1], figure.unit))],
        "href": drill.to(),
        # The first bucket begins before what is looked at, and the last ends after it.
        "since": _iso(figure.span.since),
        "until": _iso(figure.span.until),
        "series": [*_series(figure, drill)],
        "marks": [{"at": _iso(mark.at), "name": mark.name} for mark in marks],
    }


def _unit_of_values(figure: Figure) -> Unit:
    """Of the values along a histogram."""
    return unit_of(figure.definition.metrics[0].measure, "avg")


#: What has a colour of its own wherever it is shown.
_TONES = {
    "level": {"ERROR": "bad", "WARNING": "warn", "DEBUG": "line-strong", "DEFAULT": "span"},
    "type": {
        name: name.lower()
        for name in ("SPAN", "GENERATION", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EMBEDDING", "EVALUATOR",
                     "GUARDRAIL")
    },
}  # fmt: skip


def _tone(figure: Figure, keys: Keys) -> dict[str, str]:
    names = figure.definition.dimensions
    tone = _TONES.get(names[0], {}).get(keys[0] or "") if len(names) == 1 and keys else None
    return {"tone": tone} if tone else {}


def _items(figure: Figure, drill: Drill) -> Iterator[dict[str, Any]]:
    for group in figure.groups:
        yield {
            "name": keys_text(group.keys),
            "values": list(group.values),
            "href": drill.to(group.keys),
            **_tone(figure, group.keys),
        }
    rest = _rest_of(figure)
    if rest:
        yield {"name": _("Other"), "values": rest, "rest": True}


def _rest_of(figure: Figure) -> list[Value]:
    """What the groups leave of everything; empty where that means nothing."""
    if not figure.is_cut or figure.total is None or figure.definition.chart is not Chart.PIE:
        return []
    whole = enumerate(figure.total.values)
    return [(value or 0) - sum(group.values[at] or 0 for group in figure.groups) for at, value in whole]


def _series(figure: Figure, drill: Drill) -> Iterator[dict[str, Any]]:
    totals = {group.keys: group.values for group in figure.groups}
    if figure.total is not None:
        totals.setdefault((), figure.total.values)
    for line in figure.lines:
        unit = units_of(figure)[line.metric]
        one: dict[str, Any] = {"name": _line_name(figure, line), "values": line.values, "unit": unit.value}
        one |= _tone(figure, line.keys)
        if line.is_rest:
            yield {**one, "rest": True}
            continue
        total = totals.get(line.keys)
        shown = value_text(total[line.metric], unit) if total else ""
        yield {**one, "href": drill.to(line.keys) if line.keys else drill.to(), "total": shown}
    for line in figure.before:
        name = _("%(name)s, before") % {"name": _line_name(figure, line)}
        yield {"name": name, "values": line.values, "unit": units_of(figure)[line.metric].value, "before": True}


def _line_name(figure: Figure, line: Line) -> str:
    label = metric_label(figure.definition.metrics[line.metric])
    if line.is_rest:
        return _("Other")
    if not line.keys:
        return label
    keys = keys_text(line.keys)
    return f"{keys} · {label}" if len(figure.definition.metrics) > 1 else keys


def keys_text(keys: Keys) -> str:
    return " · ".join(key_text(key) for key in keys)


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


# --- Tables ----------------------------------------------------------------------------------------------
def table(figure: Figure, drill: Drill) -> Table:
    definition = figure.definition
    if definition.chart is Chart.HISTOGRAM:
        return _of_bars(figure)
    if definition.is_heatmap:
        return _across_time(figure, drill) if definition.is_in_time else _across_keys(figure, drill)
    if definition.is_in_time:
        return _of_lines(figure, drill)
    return _of_groups(figure, drill)


def _of_groups(figure: Figure, drill: Drill) -> Table:
    names = _key_names(figure)
    heads = [(dimension_label(name), False) for name in names]
    heads += [(label, True) for label in _metric_heads(figure.definition.metrics)]
    rows = []
    for group in figure.groups:
        keys = [Cell(key_text(key), is_number=False, title=key_text(key)) for key in group.keys]
        if keys:
            keys[0] = Cell(keys[0].text, is_number=False, url=drill.to(group.keys), title=keys[0].title)
        rows.append([*keys, *_value_cells(figure, group)])
    total: list[Cell] = []
    if figure.total is not None:
        blank = [Cell(_("Together"), is_number=False), *(Cell("", is_number=False) for _name in names[1:])]
        total = [*(blank if names else ()), *_value_cells(figure, figure.total)]
    return Table(heads, rows, total)


def _metric_heads(metrics: Sequence[Metric]) -> list[str]:
    """Of several percentiles of one measure only the first says of what."""
    seen: set[str] = set()
    heads = []
    for one in metrics:
        heads.append(str(AGGREGATIONS[one.aggregation]) if one.measure in seen else metric_label(one))
        seen.add(one.measure)
    return heads


def _key_names(figure: Figure) -> list[str]:
    """A metric by kind brings the kind along, which nobody asked for."""
    definition = figure.definition
    needed = [definition.view.measures[one.measure].by for one in definition.metrics]
    return list(dict.fromkeys([*definition.dimensions, *(name for name in needed if name)]))


def _value_cells(figure: Figure, group: Group) -> list[Cell]:
    cells = []
    for at, (metric, unit) in enumerate(zip(figure.definition.metrics, units_of(figure), strict=True)):
        before = group.before[at] if group.before else None
        cells.append(Cell(value_text(group.values[at], unit), change(metric, group.values[at], before)))
    return cells


def _of_lines(figure: Figure, drill: Drill) -> Table:
    heads = [(_("From"), False), *((_line_name(figure, line), True) for line in (*figure.lines, *figure.before))]
    units = units_of(figure)
    rows = []
    for number, (at, until) in enumerate(_buckets(figure)):
        cells = [Cell(time_text(at, figure.unit), is_number=False, url=drill.to((), at, until))]
        for line in (*figure.lines, *figure.before):
            cells.append(Cell(value_text(line.values[number], units[line.metric])))
        rows.append(cells)
    return Table(heads, rows, [])


def _buckets(figure: Figure) -> Iterator[tuple[datetime, datetime]]:
    """The beginning and the end of each."""
    ends = (*figure.starts[1:], next_bucket(figure.starts[-1], figure.unit))
    return zip(figure.starts, ends, strict=True)


def _of_bars(figure: Figure) -> Table:
    unit = _unit_of_values(figure)
    heads = [(_("From"), True), (_("Until"), True), (_("Count"), True)]
    rows = [
        [Cell(value_text(low, unit)), Cell(value_text(high, unit)), Cell(value_text(height, Unit.COUNT))]
        for low, high, height in figure.bars
    ]
    return Table(heads, rows, [])


def _across_time(figure: Figure, drill: Drill) -> Table:
    """A row for each group, a column for each bucket."""
    metric, unit = figure.definition.metrics[0], units_of(figure)[0]
    lines = [line for line in figure.lines if line.metric == 0]
    shade = _shades([value for line in lines for value in line.values])
    rows = []
    for line in lines:
        cells = [Cell(keys_text(line.keys) or metric_label(metric), is_number=False, url=drill.to(line.keys))]
        for value, (since, until) in zip(line.values, _buckets(figure), strict=True):
            title = f"{time_text(since, figure.unit)} · {value_text(value, unit)}"
            cells.append(
                Cell("", url=drill.to(line.keys, since, until) if value else "", shade=shade(value), title=title)
            )
        rows.append(cells)
    names = _key_names(figure)
    heads = [(dimension_label(names[0]) if names else "", False)]
    return Table([*heads, *((words, True) for words in _days(figure))], rows, [], is_heatmap=True, is_in_time=True)


def _days(figure: Figure) -> list[str]:
    """For each bucket the day that begins with it; of many, as many as there is room for, and none at the very end."""
    local = [at if figure.unit in _DAYS else timezone.localtime(at) for at in figure.starts]
    begun = [0, *(place for place in range(1, len(local)) if local[place].date() != local[place - 1].date())]
    chosen = set(begun[:: -(-len(begun) // _HEADS)])
    room = len(local) / _HEADS / 2
    return [f"{at:%b} {at.day}" if n in chosen and len(local) - n >= room else "" for n, at in enumerate(local)]


def _across_keys(figure: Figure, drill: Drill) -> Table:
    """Rows of the first dimension, columns of the second."""
    unit = units_of(figure)[0]
    values = {group.keys: group.values[0] for group in figure.groups}
    downwards = list(dict.fromkeys(keys[0] for keys in values))
    across = list(dict.fromkeys(keys[1] for keys in values))
    shade = _shades(list(values.values()))
    rows = []
    for first in downwards:
        cells = [Cell(key_text(first), is_number=False, title=key_text(first))]
        for second in across:
            value = values.get((first, second))
            text = "" if value is None else value_text(value, unit)
            url = drill.to((first, second)) if value else ""
            cells.append(Cell(text, url=url, shade=shade(value), title=f"{key_text(first)} · {key_text(second)}"))
        rows.append(cells)
    heads = [(dimension_label(figure.definition.dimensions[0]), False), *((key_text(key), True) for key in across)]
    return Table(heads, rows, [], is_heatmap=True)


def _shades(values: Sequence[Value]) -> Any:
    """From 0 for nothing to `SHADES` for the most, even steps between."""
    most = max((value for value in values if value), default=0)
    return lambda value: max(1, round(value / most * SHADES)) if value and value > 0 and most > 0 else 0


def time_text(at: datetime, unit: str) -> str:
    """Days and longer are days of UTC; what is shorter is written in the reader's time."""
    if unit in _DAYS:
        return at.strftime("%Y-%m-%d")
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M")


# --- CSV -------------------------------------------------------------------------------------------------
def csv_rows(figure: Figure) -> Iterator[list[Any]]:
    """A head and rows of plain values: times in UTC, numbers without units."""
    metrics = figure.definition.metrics
    if figure.definition.chart is Chart.HISTOGRAM:
        yield ["from", "until", "count"]
        yield from ([*bar] for bar in figure.bars)
        return
    names = _key_names(figure)
    if not figure.definition.is_in_time:
        compared = [f"before_{one.label}" for one in metrics] if figure.definition.config.compare else []
        yield [*names, *(one.label for one in metrics), *compared]
        groups = figure.groups or ([figure.total] if figure.total and not names else [])
        yield from ([*(key or "" for key in one.keys), *one.values, *one.before] for one in groups)
        return
    yield ["time", *names, *(one.label for one in metrics)]
    yield from _csv_of_lines(figure, names, metrics)


def _csv_of_lines(figure: Figure, names: Sequence[str], metrics: Sequence[Metric]) -> Iterator[list[Any]]:
    by_keys: dict[tuple[Keys, bool], dict[int, Line]] = {}
    for line in figure.lines:
        by_keys.setdefault((line.keys, line.is_rest), {})[line.metric] = line
    for number, at in enumerate(figure.starts):
        for (keys, is_rest), lines in by_keys.items():
            shown = ["(other)", *("" for _name in names[1:])] if is_rest and names else [key or "" for key in keys]
            yield [_iso(at), *shown, *(lines[place].values[number] for place in range(len(metrics)))]


__all__ = ["KINDS", "NONE", "Cell", "Table", "csv_rows", "drawn", "keys_text", "table", "time_text", "units_of"]
