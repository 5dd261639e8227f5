"""Rows that move: time is part of a row's key, so a row whose time changes is written anew and its old one deleted.

Both are on disk together only within a month, which is a partition. Beyond it the new row comes first: cut short
there, two rows are left, of which the next delivery removes the older; the other way round what earlier events said
would be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from tracing.analytics.records import Observation, Trace

Row = TypeVar("Row", bound=Observation | Trace)
Key = TypeVar("Key", bound=Hashable)


def newest(rows: Iterable[Row], key: Callable[[Row], Key]) -> tuple[dict[Key, Row], list[Row]]:
    """The one row of each key that counts, and tombstones of those that an unfinished move left behind."""
    found: dict[Key, Row] = {}
    left: list[Row] = []
    for row in rows:
        known = found.setdefault(key(row), row)
        if known is row:
            continue
        older, newer = sorted((known, row), key=lambda one: one.row_version)
        found[key(row)] = newer
        left.append(replace(older, row_version=older.row_version + 1, is_deleted=True))
    return found, left


def in_order(rows: list[Row], times: Iterable[datetime]) -> tuple[list[Row], list[Row]]:
    """What to write, and what to write once that is on disk. `times` are those of all that is written to the table."""
    tombstones = [row for row in rows if row.is_deleted]
    if not tombstones:
        return rows, []
    live = [row for row in rows if not row.is_deleted]
    if len({(time.year, time.month) for time in times}) > 1:
        return live, tombstones
    return [*live, *tombstones], []
