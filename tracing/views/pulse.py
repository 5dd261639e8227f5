"""The strip above the trace list: bars of an SVG, in its own units, with the address each bar leads to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import QueryDict

from tracing.queries.pages import PulseBar

WIDTH, HEIGHT = 1000, 44


@dataclass(frozen=True, slots=True)
class Bar:
    # Text, because templates write numbers in the reader's language, and SVG wants a point.
    x: str
    width: str
    y: str
    height: str
    error_y: str
    error_height: str
    at: datetime
    traces: int
    errors: int
    url: str


@dataclass(frozen=True, slots=True)
class Strip:
    bars: list[Bar]
    #: times below the strip, from its start to its end
    marks: list[datetime]
    is_coarse: bool


def draw(counts: Sequence[PulseBar], query: QueryDict) -> Strip | None:
    """`query` is the page's: a bar leads to the same filters in its own stretch of time."""
    if not counts or not any(bar.traces for bar in counts):
        return None
    highest = max(bar.traces for bar in counts)
    slot = WIDTH / len(counts)
    bars = [_bar(bar, index, slot, highest, _address(query, bar)) for index, bar in enumerate(counts)]
    last = len(counts) - 1
    marks = [counts[round(last * share / 4)].at for share in range(5)] if last >= 4 else [counts[0].at]
    return Strip(bars, marks, is_coarse=(counts[-1].until - counts[0].at).days > 2)


def _bar(bar: PulseBar, index: int, slot: float, highest: int, url: str) -> Bar:
    # One failed trace in a thousand must still be seen.
    height = max(2.0, bar.traces / highest * (HEIGHT - 2)) if bar.traces else 0.0
    failed = max(2.0, bar.errors / highest * (HEIGHT - 2)) if bar.errors else 0.0
    width = slot * 0.82
    return Bar(
        x=_short(index * slot),
        width=_short(width),
        y=_short(HEIGHT - height),
        height=_short(height),
        error_y=_short(HEIGHT - failed),
        error_height=_short(failed),
        at=bar.at,
        traces=bar.traces,
        errors=bar.errors,
        url=url,
    )


def _address(query: QueryDict, bar: PulseBar) -> str:
    narrowed = query.copy()
    for name in ("range", "before"):
        narrowed.pop(name, None)
    narrowed["from"], narrowed["to"] = _iso(bar.at), _iso(bar.until)
    return f"?{narrowed.urlencode()}"


def _short(number: float) -> str:
    return f"{number:.2f}"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
