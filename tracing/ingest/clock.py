"""Times between the wire and the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tracing.analytics.records import EPOCH

_ONE_US = timedelta(microseconds=1)
#: what the store's times can hold, less a day for time zones
_EARLIEST = datetime(1900, 1, 2, tzinfo=UTC)
_LATEST = datetime(2299, 12, 30, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // _ONE_US


def parse_time(text: str) -> datetime:
    """A time in ISO 8601 that was checked when it was received, moved to the nearest one that can be stored."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # the year 0000 is the one that ISO 8601 has and Python has not
        return _EARLIEST
    if moment < _EARLIEST:
        return _EARLIEST
    return _LATEST if moment > _LATEST else moment.astimezone(UTC)
