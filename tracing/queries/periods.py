"""The time range a page looks at: a named stretch up to now, or two fixed ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

#: name in the address -> length; None is all time
RANGES: dict[str, timedelta | None] = {
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "all": None,
}
DEFAULT_RANGE = "7d"
#: The years that the analytics store knows. Further out, counting from a time overflows.
_EARLIEST, _TOO_LATE = datetime(1900, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC)


def is_known_year(moment: datetime) -> bool:
    """Whether the store can hold this zoned time, and whether it can be moved by a period without overflow."""
    return _EARLIEST <= moment < _TOO_LATE


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` (inclusive) to `until` (exclusive); None is open."""

    range: str = DEFAULT_RANGE
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def named(cls, name: str, now: datetime | None = None) -> Period:
        name = name if name in RANGES else DEFAULT_RANGE
        length = RANGES[name]
        return cls(name, (now or datetime.now(UTC)) - length if length else None, None)

    @classmethod
    def between(cls, since: datetime | None, until: datetime | None) -> Period:
        return cls("custom", since, until)
