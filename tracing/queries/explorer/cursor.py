"""The place in a list behind which its next page begins: a word for addresses, safe against nonsense."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from config.errors import Invalid
from tracing.queries.filters import LARGEST_NUMBER
from tracing.queries.paging import decode_cursor, encode_cursor


@dataclass(frozen=True, slots=True)
class Place:
    """The last row that was shown: what it is sorted by (text of it; empty for time), its time, its ids."""

    sort: str
    value: str
    at: datetime
    trace_id: str
    id: str

    def __str__(self) -> str:
        return encode_cursor(self.at.astimezone(UTC), self.sort, self.value, self.trace_id, self.id)


def read_place(cursor: str, sort: str) -> Place | None:
    """None for a cursor that was not made for this order, or not made here at all: the list then begins anew."""
    if not cursor:
        return None
    try:
        at, of_sort, value, trace_id, row_id = decode_cursor(cursor, size=5)
    except Invalid:
        return None
    return Place(sort, value, at, trace_id, row_id) if of_sort == sort else None


def number_of(text: str, kind: type[int] | type[Decimal]) -> int | Decimal:
    """Zero for what is no number, or none that the store could compare with."""
    try:
        number = Decimal(text)
        return kind(number) if abs(number) < LARGEST_NUMBER else kind(0)
    except (ValueError, ArithmeticError):  # NaN says so when it is compared
        return kind(0)
