"""Buckets of time: how long, where they begin, and those in which nothing happened."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from tracing.queries.metrics.aggregations import HISTOGRAM
from tracing.queries.metrics.model import TIME, MetricsQuery

_AUTO_UNITS = (
    (timedelta(hours=2), "minute"),
    (timedelta(hours=72), "hour"),
    (timedelta(days=60), "day"),
    (timedelta(days=365), "week"),
)


#: The first with at most `FINE_BUCKETS` of them in a range is what a chart is drawn in.
_LENGTHS = {
    "minute": timedelta(minutes=1), "5 minutes": timedelta(minutes=5), "15 minutes": timedelta(minutes=15),
    "30 minutes": timedelta(minutes=30), "hour": timedelta(hours=1), "3 hours": timedelta(hours=3),
    "6 hours": timedelta(hours=6), "12 hours": timedelta(hours=12), "day": timedelta(days=1),
    "week": timedelta(days=7), "month": timedelta(days=31), "quarter": timedelta(days=92), "year": timedelta(days=366),
}  # fmt: skip
FINE_BUCKETS = 72
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def fine_unit(from_time: datetime, to_time: datetime, most: int = FINE_BUCKETS) -> str:
    """A bucket size for a line: fine enough to show when something happened, and few enough to be told apart."""
    return next((unit for unit, length in _LENGTHS.items() if (to_time - from_time) / length <= most), "year")


def units_from(unit: str) -> list[str]:
    """A bucket size and all that are wider."""
    units = list(_LENGTHS)
    return units[units.index(unit) :]


def auto_unit(from_time: datetime, to_time: datetime) -> str:
    """A bucket size that gives a readable number of bars."""
    return next((unit for most, unit in _AUTO_UNITS if to_time - from_time < most), "month")


def without_gaps(query: MetricsQuery, rows: list[dict[str, Any]], labels: list[str], limit: int) -> list[Any]:
    """`rows` by time, with one of zeros for each bucket that has none; no more than `limit`."""
    present = {row[TIME] for row in rows}
    zero: dict[str, Any] = {label: None if label in query.grouped_by else 0 for label in labels}
    zero |= {one.label: [] for one in query.metrics if one.aggregation == HISTOGRAM}
    empty = ({**zero, TIME: at} for at in _buckets(query) if at not in present)
    return list(islice(heapq.merge(rows, empty, key=lambda row: row[TIME]), limit))


def _buckets(query: MetricsQuery) -> Iterator[datetime]:
    at = bucket_start(query.from_time, query.unit)
    while at < query.to_time:
        yield at
        at = next_bucket(at, query.unit)


def bucket_start(moment: datetime, unit: str) -> datetime:
    """The same instants that the database's buckets begin at."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit in _MONTHS:
        months = (day.month - 1) // _MONTHS[unit] * _MONTHS[unit]
        return day.replace(month=months + 1, day=1)
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day + (moment - day) // _LENGTHS[unit] * _LENGTHS[unit]


def next_bucket(at: datetime, unit: str) -> datetime:
    if unit in _MONTHS:
        years, month = divmod(at.month - 1 + _MONTHS[unit], 12)
        return at.replace(year=at.year + years, month=month + 1, day=1)
    return at + _LENGTHS[unit]


def bucket_text(at: datetime, unit: str) -> str:
    """Days and longer are dates."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ" if _LENGTHS[unit] < timedelta(days=1) else "%Y-%m-%d")
