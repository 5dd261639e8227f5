"""The time range a page looks at: a named stretch up to now, or two fixed ends."""

from __future__ import annotations

import re
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


#: An offset's plus sign that nobody escaped arrives as a space.
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$")


def parse_time(text: str) -> datetime | None:
    """ISO 8601 with `Z` or an offset; None for anything else: dates without a time, years beyond all calendars."""
    try:
        moment = datetime.fromisoformat(_LOST_PLUS.sub(r"+\1", text))
    except ValueError:
        return None
    if moment.tzinfo is None or not ("T" in text or " " in text):
        return None
    return moment if is_known_year(moment) else None


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` (inclusive) to `until` (exclusive); None is open."""

    range: str = DEFAULT_RANGE
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def named(cls, name: str, now: datetime | None = None) -> Period:
        """Back to the beginning of a minute: within it the same questions are asked, whose answers are remembered."""
        name = name if name in RANGES else DEFAULT_RANGE
        length = RANGES[name]
        minute = (now or datetime.now(UTC)).replace(second=0, microsecond=0)
        return cls(name, minute - length if length else None, None)

    @classmethod
    def between(cls, since: datetime | None, until: datetime | None) -> Period:
        return cls("custom", since, until)
