"""Pages of a list: by number where the API promises totals, by key everywhere else."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import orjson
from sqlalchemy import ColumnElement, and_, or_

from config.errors import Invalid
from tracing.queries.periods import is_known_year

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageNumber:
    """Which page is asked for."""

    page: int = 1
    limit: int = 50

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit


@dataclass(frozen=True, slots=True)
class Numbered(Generic[T]):
    """A page of a list whose length is known."""

    items: list[T]
    number: PageNumber
    total: int

    @property
    def total_pages(self) -> int:
        return -(-self.total // self.number.limit) if self.number.limit else 0


@dataclass(frozen=True, slots=True)
class Keyed(Generic[T]):
    """A page of a list that goes on after `next_cursor`; empty on the last page."""

    items: list[T]
    next_cursor: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: the next one begins after it."""

    at: datetime
    id: str

    def __str__(self) -> str:
        return f"{self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}~{self.id}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        at, mark, row_id = text.partition("~")
        try:
            return cls(datetime.fromisoformat(at).astimezone(UTC), row_id) if mark else None
        except (ValueError, OverflowError):
            return None


def cut(rows: list[T], limit: int, cursor_of: Callable[[T], str]) -> Keyed[T]:
    """`rows` were read with one row more than asked for: that one tells whether there is a next page."""
    if len(rows) <= limit or limit == 0:
        return Keyed(rows[:limit])
    shown = rows[:limit]
    return Keyed(shown, cursor_of(shown[-1]))


def encode_cursor(*key: datetime | str) -> str:
    """A key as an opaque word that is safe in URLs."""
    values = [value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value for value in key]
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def decode_cursor(cursor: str, *, size: int) -> tuple[Any, ...]:
    """A time followed by `size - 1` texts. Raises Invalid for anything that `encode_cursor` did not make."""
    try:
        values = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if not isinstance(values, list) or len(values) != size or not all(isinstance(value, str) for value in values):
            raise ValueError("not a key")
        at = datetime.fromisoformat(values[0])
        if at.tzinfo is None or not is_known_year(at):
            raise ValueError("not a key")
    except (ValueError, binascii.Error):
        raise Invalid("Invalid cursor format") from None
    return (at, *values[1:])


def before(columns: tuple[Any, ...], key: tuple[Any, ...]) -> ColumnElement[bool]:
    """Rows that come after `key` when all `columns` are sorted downwards.

    The first condition repeats what the second implies: only it lets the engine use the primary key.
    """
    steps = [
        and_(*(columns[at] == key[at] for at in range(depth)), columns[depth] < key[depth])
        for depth in range(len(columns))
    ]
    return and_(columns[0] <= key[0], or_(*steps))
