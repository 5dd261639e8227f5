"""Answers of the database to Python values: aware times, decimals, numbers, text, lists, dicts.

ClickHouse names each column's type, so what comes out does not depend on how the query was put together.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

Converter = Callable[[Any], Any]


def table(body: bytes) -> tuple[tuple[str, ...], Iterable[list[Any]]]:
    """Names and rows of a `JSONCompactEachRowWithNamesAndTypes` answer."""
    lines = body.split(b"\n")
    names = tuple(orjson.loads(lines[0]))
    converters = [(at, _converter(kind)) for at, kind in enumerate(orjson.loads(lines[1]))]
    wanted = [(at, convert) for at, convert in converters if convert is not None]
    with collector_paused():
        rows = [orjson.loads(line) for line in lines[2:] if line]
        for at, convert in wanted:
            for row in rows:
                value = row[at]
                if value is not None:
                    row[at] = convert(value)
    return names, rows


def plain(body: bytes) -> list[list[Any]]:
    """Rows of the same answer, with JSON's own values."""
    with collector_paused():
        return [orjson.loads(line) for line in body.split(b"\n")[2:] if line]


@contextmanager
def collector_paused() -> Iterator[None]:
    """Thousands of new objects and not one of them garbage: looking for it takes longer than making them (5,000 full
    observations: 0.36 s instead of 1.3 s). Threads may overlap; whoever found it running sets it running again."""
    was_running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_running:
            gc.enable()


@lru_cache(maxsize=512)
def _converter(kind: str) -> Converter | None:
    """None where JSON's own value is already right."""
    for wrapper in ("Nullable(", "LowCardinality("):
        if kind.startswith(wrapper):
            return _converter(kind[len(wrapper) : -1])
    if kind.startswith("DateTime"):
        return time_of
    if kind.startswith("Decimal"):
        return Decimal
    if kind.startswith("Date"):
        return _date
    if kind.startswith("Array("):
        return _list_of(_converter(kind[6:-1]))
    if kind.startswith("Map("):
        return _map_of(_converter(kind[4:-1].split(", ", 1)[1]))
    return None


def time_of(value: str) -> datetime:
    """A time from the store's text of it."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def _date(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def _list_of(convert: Converter | None) -> Converter | None:
    if convert is None:
        return None
    return lambda values: [None if value is None else convert(value) for value in values]


def _map_of(convert: Converter | None) -> Converter | None:
    if convert is None:
        return None
    return lambda values: {key: None if value is None else convert(value) for key, value in values.items()}
