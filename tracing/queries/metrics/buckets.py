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
    if unit == "minute":
        return moment.replace(second=0, microsecond=0)
    if unit == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


def next_bucket(at: datetime, unit: str) -> datetime:
    if unit == "month":
        return (at + timedelta(days=32)).replace(day=1)
    return at + timedelta(**{f"{unit}s": 1})


def bucket_text(at: datetime, unit: str) -> str:
    """Days and longer are dates."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if unit in ("minute", "hour") else at.strftime("%Y-%m-%d")
