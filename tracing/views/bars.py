"""Bars and small lines over time, as SVG in its own units: numbers are text there, because templates write those in the
reader's language and SVG wants a point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracing.analytics.records import EPOCH
from tracing.queries.groups import Bucket

WIDTH, HEIGHT = 1000, 56
SPARK_WIDTH, SPARK_HEIGHT = 96, 20
#: length of a bar -> its name for the database
_STEPS = (
    (timedelta(hours=1), "hour"), (timedelta(hours=3), "3 hours"), (timedelta(hours=6), "6 hours"),
    (timedelta(hours=12), "12 hours"), (timedelta(days=1), "day"), (timedelta(days=7), "week"),
)  # fmt: skip
#: of the longest, years are cut to their end
_MOST_BARS = 400


@dataclass(frozen=True, slots=True)
class Bar:
    at: datetime
    value: float
    failed: float
    x: str
    width: str
    y: str
    height: str
    failed_y: str
    failed_height: str


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    bars: list[Bar]
    highest: float
    total: float
    first_at: datetime
    last_at: datetime


def step_of(since: datetime, until: datetime, *, most: int) -> tuple[timedelta, str]:
    """The shortest step that needs no more bars than this; weeks where none does."""
    return next((step for step in _STEPS if (until - since) / step[0] <= most), _STEPS[-1])


def filled(found: Sequence[Bucket], since: datetime, until: datetime, step: timedelta) -> list[Bucket]:
    """One bucket for each step, also where there was nothing."""
    by_time = {bucket.at: bucket for bucket in found}
    # Weeks begin on Monday, and the epoch was a Thursday; every other step divides the time since then.
    origin = EPOCH + timedelta(days=4) if step == timedelta(days=7) else EPOCH
    at = max(since, until - step * _MOST_BARS)
    at -= (at - origin) % step
    buckets = []
    while at < until:
        buckets.append(by_time.get(at) or Bucket(at, 0))
        at += step
    return buckets


def draw(
    title: str,
    buckets: Sequence[Bucket],
    value: Callable[[Bucket], float],
    failed: Callable[[Bucket], float] = lambda bucket: 0,
) -> Chart:
    highest = max((value(bucket) for bucket in buckets), default=0)
    slot = WIDTH / max(1, len(buckets))
    bars = [_bar(bucket, place, slot, highest, value(bucket), failed(bucket)) for place, bucket in enumerate(buckets)]
    total = sum(value(bucket) for bucket in buckets)
    return Chart(title, bars, highest, total, buckets[0].at, buckets[-1].at)


def _bar(bucket: Bucket, place: int, slot: float, highest: float, value: float, failed: float) -> Bar:
    height, bad = (_height(number, highest) for number in (value, failed))
    return Bar(
        bucket.at,
        value,
        failed,
        x=_short(place * slot),
        width=_short(slot * 0.8),
        y=_short(HEIGHT - height),
        height=_short(height),
        failed_y=_short(HEIGHT - bad),
        failed_height=_short(bad),
    )


def _height(value: float, highest: float) -> float:
    # One of a thousand must still be seen.
    return max(2.0, value / highest * (HEIGHT - 2)) if value and highest else 0.0


def spark(buckets: Sequence[Bucket]) -> str:
    """The path of a small line: traces in time."""
    highest = max((bucket.traces for bucket in buckets), default=0) or 1
    step = SPARK_WIDTH / max(1, len(buckets) - 1)
    points = (
        f"{_short(place * step)} {_short(SPARK_HEIGHT - 1 - bucket.traces / highest * (SPARK_HEIGHT - 2))}"
        for place, bucket in enumerate(buckets)
    )
    return "M" + "L".join(points)


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
