"""Records to the rows of a Stream Load: one JSON object a line.

Where a row differs from ClickHouse's is decided here and in `schema/doris/`, and nowhere else:

| value         | column          | in the load            | because                                                |
|---------------|-----------------|------------------------|--------------------------------------------------------|
| time          | DATETIME(6)     | text in UTC, no offset | what an offset means depends on the load's `timezone`  |
| money         | DECIMAL(38, 12) | text                   | numbers of JSON go through doubles                     |
| flag          | BOOLEAN         | 0 or 1                 | true and false were not always taken                   |
| list          | ARRAY<STRING>   | a JSON list            |                                                        |
| map           | JSON            | text of a JSON object  | MAP lost values with quotation marks in loads          |
| … its keys    |                 | at most 255 bytes      | JSON holds no longer ones: their ends are cut off      |
| … its money   |                 | text                   | numbers with a fraction are doubles there              |
| input, output | STRING          | whole                  | no column can be put together from others on each read |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import types

from tracing.analytics import tables
from tracing.analytics.encode import clean, money
from tracing.analytics.records import Observation, Score, Trace
from tracing.analytics.types import Map, Timestamp

_KEY_BYTES = 255
_TABLES = {Observation: tables.observations, Trace: tables.traces, Score: tables.scores}


def rows(records: Sequence[Any]) -> tuple[list[str], bytes]:
    """Column names, and one JSON object a line."""
    names, read, changes = _reader(type(records[0]))  # type: ignore[arg-type] # mypy doubts that types can be hashed
    lines = []
    for record in records:
        values = list(read(record))
        for at, change in changes:
            values[at] = change(values[at])
        lines.append(_line(dict(zip(names, values, strict=True))))
    return names, b"\n".join(lines)


def _line(row: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(row, money)
    except TypeError:  # half a surrogate pair, an integer beyond 64 bits
        return orjson.dumps(clean(row), money)


@lru_cache(maxsize=8)
def _reader(kind: Any) -> tuple[list[str], Callable[[Any], tuple[Any, ...]], list[tuple[int, Callable[[Any], Any]]]]:
    """The columns of a kind of record, what reads their values off one, and those that are written in another form."""
    names = [field.name for field in fields(kind)]
    columns = _TABLES[kind].c
    changes = [(at, _CHANGES.get(type(columns[name].type))) for at, name in enumerate(names)]
    return names, attrgetter(*names), [(at, change) for at, change in changes if change is not None]


def _time(value: Any) -> Any:
    if not isinstance(value, datetime):  # none, or what is no time: Doris says so
        return value
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _flag(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _object(value: dict[str, Any]) -> str:
    if any(len(key) * 4 > _KEY_BYTES for key in value):
        value = {_short(key): one for key, one in value.items()}
    try:
        return orjson.dumps(value, money).decode()
    except TypeError:
        return orjson.dumps(clean(value), money).decode()


def _short(key: str) -> str:
    return key.encode("utf-8", "replace")[:_KEY_BYTES].decode("utf-8", "ignore")


#: by type of column; text, numbers, money and lists go as they are
_CHANGES: dict[type[types.TypeEngine[Any]], Callable[[Any], Any]] = {
    Timestamp: _time,
    types.Boolean: _flag,
    Map: _object,
}
