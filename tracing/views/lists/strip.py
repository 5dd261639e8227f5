"""The strip above a list: bars of an SVG, in its own units, with the stretch of time each leads to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.templatetags import formatting
from tracing.queries.explorer.histogram import Pulse, PulseBar
from tracing.queries.explorer.wanted import Measure

WIDTH, HEIGHT = 1000, 44


@dataclass(frozen=True, slots=True)
class Bar:
    # Text, because templates write numbers in the reader's language, and SVG wants a point.
    x: str
    slot: str
    width: str
    y: str
    height: str
    error_y: str
    error_height: str
    at: datetime
    since: str
    until: str
    #: what it says in words
    words: str
    is_empty: bool
    url: str


@dataclass(frozen=True, slots=True)
class MeasureLink:
    measure: Measure
    label: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Strip:
    bars: list[Bar]
    #: times below the strip, from its start to its end
    marks: list[datetime]
    is_coarse: bool
    measures: list[MeasureLink]


def draw(found: Pulse, query: QueryDict) -> Strip | None:
    """`query` is the page's: a bar leads to the same filters in its own stretch of time."""
    counts, measure = found.bars, found.measure
    if not counts or not any(bar.count for bar in counts):
        return None
    highest = max(_height(bar, measure) for bar in counts) or 1.0
    slot = WIDTH / len(counts)
    bars = [_bar(bar, place, slot, highest, measure, query) for place, bar in enumerate(counts)]
    last = len(counts) - 1
    marks = [counts[round(last * share / 4)].at for share in range(5)] if last >= 4 else [counts[0].at]
    is_coarse = (counts[-1].until - counts[0].at).days > 2
    return Strip(bars, marks, is_coarse, _measures(measure, query))


def _height(bar: PulseBar, measure: Measure) -> float:
    if measure is Measure.COST:
        return float(bar.cost or 0)
    if measure is Measure.LATENCY:
        return bar.p95_latency_us or 0.0
    return float(bar.count)


def _bar(bar: PulseBar, place: int, slot: float, highest: float, measure: Measure, query: QueryDict) -> Bar:
    # One failed trace in a thousand must still be seen.
    value = _height(bar, measure)
    height = max(2.0, value / highest * (HEIGHT - 2)) if value else 0.0
    has_errors = bar.errors and measure is Measure.COUNT
    failed = max(2.0, bar.errors / highest * (HEIGHT - 2)) if has_errors else 0.0
    since, until = _iso(bar.at), _iso(bar.until)
    return Bar(
        x=_short(place * slot),
        slot=_short(slot),
        width=_short(slot * 0.82),
        y=_short(HEIGHT - height),
        height=_short(height),
        error_y=_short(HEIGHT - failed),
        error_height=_short(failed),
        at=bar.at,
        since=since,
        until=until,
        words=_words(bar, measure),
        is_empty=not bar.count,
        url=_address(query, since, until),
    )


def _words(bar: PulseBar, measure: Measure) -> str:
    parts: list[Any] = [_rows(bar.count)]
    if bar.errors:
        parts.append(ngettext("%(n)s with errors", "%(n)s with errors", bar.errors) % {"n": f"{bar.errors:,}"})
    if measure is Measure.COST:
        parts.insert(0, formatting.money(bar.cost))
    if measure is Measure.LATENCY:
        parts.insert(0, _("p95 %(time)s") % {"time": formatting.duration(bar.p95_latency_us)})
    return " · ".join(parts)


def _rows(count: int) -> str:
    return ngettext("%(n)s row", "%(n)s rows", count) % {"n": f"{count:,}"}


def _measures(current: Measure, query: QueryDict) -> list[MeasureLink]:
    labels = {Measure.COUNT: _("Count"), Measure.COST: _("Cost"), Measure.LATENCY: _("p95 latency")}
    found = []
    for measure, label in labels.items():
        changed = _without_places(query)
        changed.pop("chart", None)
        if measure is not Measure.COUNT:
            changed["chart"] = measure.value
        found.append(MeasureLink(measure, label, f"?{changed.urlencode()}", measure is current))
    return found


def _address(query: QueryDict, since: str, until: str) -> str:
    narrowed = _without_places(query)
    narrowed.pop("range", None)
    narrowed["from"], narrowed["to"] = since, until
    return f"?{narrowed.urlencode()}"


def _without_places(query: QueryDict) -> QueryDict:
    changed = query.copy()
    for name in ("before", "peek", "observation"):
        changed.pop(name, None)
    return changed


def _short(number: float) -> str:
    return f"{number:.2f}"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
