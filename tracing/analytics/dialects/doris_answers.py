"""Rows of Doris, as pymysql gives them, to what ClickHouse's answers become by `decode.table` and `decode.plain`.

A column of an answer is known by the expression in the query: its type, and for some operations its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import Select, types
from sqlalchemy.sql import elements
from sqlalchemy.sql.selectable import CompoundSelect

from tracing.analytics.dialects.doris_nulls import origin
from tracing.analytics.functions import FirstOfEach, Operation
from tracing.analytics.types import Map, Money, StringArray, Timestamp

Convert = Callable[[Any], Any]

#: Operations that make lists of what is no list of texts by its type.
_LISTS = frozenset({"collect", "collect_unique", "quantiles", "map_values"})


@dataclass(frozen=True, slots=True)
class Column:
    """The name of a column of an answer, and what is made of its values: none where pymysql's own is right."""

    name: str
    convert: Convert | None
    convert_plain: Convert | None
    #: what stands for a null
    nothing: Any = None


def columns_of(query: Any) -> Iterator[Column]:
    if isinstance(query, FirstOfEach):
        query = query.query
    if isinstance(query, CompoundSelect):
        query = query.selects[0]
    if not isinstance(query, Select):
        return
    for column in query.selected_columns:
        yield Column(column.name, _converter(column), _plain_converter(column), _nothing(column))


def rows(columns: Sequence[Column], found: Iterable[Sequence[Any]], *, is_plain: bool = False) -> list[list[Any]]:
    """Lists of values, as `decode.table` has them, or as `decode.plain` does."""
    converts = [(column.convert_plain if is_plain else column.convert, column.nothing) for column in columns]
    return [
        [_converted(convert, nothing, value) for (convert, nothing), value in zip(converts, row, strict=True)]
        for row in found
    ]


def _converted(convert: Convert | None, nothing: Any, value: Any) -> Any:
    if value is None:
        return nothing
    return value if convert is None else convert(value)


def _nothing(column: Any) -> Any:
    operation = operation_of(column)
    if operation is None:
        return None
    match operation.name:
        case "quantiles":
            return [None] * len(operation.constants["qs"])
        case "collect" | "collect_unique" | "collect_arrays" | "histogram":
            return []
        case "sum_map":
            return {}
    return None


def is_list(column: Any) -> bool:
    """Whether it is an array, which must be asked for as JSON."""
    operation = operation_of(column)
    if operation is not None and operation.name in _LISTS:
        return True
    if operation is not None and operation.name in ("collect_arrays", "sum_map"):
        return True
    return isinstance(column.type, StringArray) and (operation is None or operation.name not in ("explode", "pairs"))


def operation_of(column: Any) -> Operation | None:
    """What is behind a column, through labels and subqueries."""
    while True:
        if isinstance(column, elements.Label):
            column = column.element
        elif isinstance(column, Operation):
            return column
        elif isinstance(column, elements.ColumnClause) and (inner := origin(column)) is not column:
            column = inner
        else:
            return None


def _converter(column: Any) -> Convert | None:
    operation = operation_of(column)
    if operation is not None and operation.name in _OF_OPERATIONS:
        return _OF_OPERATIONS[operation.name](operation)
    return _of_type(column.type)


def _plain_converter(column: Any) -> Convert | None:
    """As JSON has it: text of times, numbers of money."""
    convert = _converter(column)
    match column.type:
        case Timestamp():
            return _text_of_time
        case Money():
            return float
        case Map():
            return _plain_map if isinstance(column.type.value, Money) else orjson.loads
    return convert


def _of_type(kind: types.TypeEngine[Any]) -> Convert | None:
    match kind:
        case Timestamp():
            return _time
        case Money():
            return Decimal
        case Map():
            return _money_map if isinstance(kind.value, Money) else orjson.loads
        case StringArray():
            return orjson.loads
        case types.Boolean():
            return bool
        case types.Integer():
            return int
        case types.Float():
            return float
        case types.String():
            return _text
    return _number


def _time(value: Any) -> datetime:
    return _naive(value).replace(tzinfo=UTC)


def _text_of_time(value: Any) -> str:
    return _naive(value).isoformat(sep=" ", timespec="microseconds")


def _naive(value: Any) -> datetime:
    at: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _number(value: Any) -> Any:
    """Of a type that nobody told: decimals without a fraction are counts."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else value
    return value


def _money_map(value: str) -> dict[str, Decimal]:
    return {key: Decimal(str(amount)) for key, amount in orjson.loads(value).items()}


def _plain_map(value: str) -> dict[str, float]:
    return {key: float(amount) for key, amount in orjson.loads(value).items()}


def _members(value: str) -> list[Any]:
    return list(orjson.loads(value))


def _union(value: str) -> list[str]:
    """Of lists that were collected as JSON."""
    return list(dict.fromkeys(member for one in orjson.loads(value) for member in orjson.loads(one)))


def _added_up(number: Convert) -> Convert:
    def add(value: str) -> dict[str, Any]:
        sums: dict[str, Any] = {}
        for one in orjson.loads(value):
            for key, amount in orjson.loads(one).items():
                sums[key] = sums.get(key, number(0)) + number(amount)
        return dict(sorted(sums.items()))

    return add


def _sum_map(operation: Operation) -> Convert:
    is_money = isinstance(operation.type, Map) and isinstance(operation.type.value, Money)
    return _added_up((lambda amount: Decimal(str(amount))) if is_money else int)


def _bars(value: str) -> list[list[float]]:
    """Of the histogram function: stretches with about as many values each, so narrow where values lie close."""
    document = orjson.loads(value)
    return [[float(one["lower"]), float(one["upper"]), float(one["count"])] for one in document.get("buckets") or ()]


_OF_OPERATIONS: dict[str, Callable[[Operation], Convert]] = {
    "collect": lambda _: _members,
    "collect_unique": lambda _: _members,
    "map_values": lambda _: _members,
    "quantiles": lambda _: _members,
    "collect_arrays": lambda _: _union,
    "sum_map": _sum_map,
    "histogram": lambda _: _bars,
}
