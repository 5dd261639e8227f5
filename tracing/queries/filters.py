"""The filter language of the public API and the query bar: one operator registry, columns named by each noun."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, not_, or_

from accounts.access import ProjectScope
from config.errors import Invalid, issue
from tracing.analytics import functions as fn
from tracing.analytics.types import Money
from tracing.queries.periods import parse_time

Clause = ColumnElement[bool]
Build = Callable[[ProjectScope, "Filter"], Clause]


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition. `value` has the type its `type` asks for: text, number, bool, datetime or list of texts."""

    type: str
    column: str
    operator: str
    value: Any = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """Something that can be filtered on: an expression of some kind, or what builds its condition."""

    kind: str
    expression: Any = None
    build: Build | None = None


#: Kind of column -> types of filter that fit it.
FITS: dict[str, frozenset[str]] = {
    "text": frozenset({"string", "stringOptions", "null"}),
    "number": frozenset({"number", "null"}),
    "time": frozenset({"datetime", "null"}),
    "boolean": frozenset({"boolean", "string"}),
    "list": frozenset({"arrayOptions", "stringOptions", "null"}),
    "map": frozenset({"stringObject"}),
    "numbers": frozenset({"numberObject"}),
    "categories": frozenset({"categoryOptions", "stringOptions"}),
    "booleans": frozenset({"booleanObject"}),
}
#: A column of this kind is known and takes any filter; whoever has one drops what is asked of it.
ANYTHING = "anything"

_TEXT: dict[str, Callable[[Any, Any], Clause]] = {
    "=": lambda column, value: column == value,
    "contains": lambda column, value: fn.contains(column, value),
    "does not contain": lambda column, value: not_(fn.contains(column, value)),
    "starts with": lambda column, value: fn.starts_with(column, value),
    "ends with": lambda column, value: fn.ends_with(column, value),
}
_COMPARE: dict[str, Callable[[Any, Any], Clause]] = {
    "=": lambda column, value: column == value,
    ">": lambda column, value: column > value,
    "<": lambda column, value: column < value,
    ">=": lambda column, value: column >= value,
    "<=": lambda column, value: column <= value,
}
_ORDER = {operator: build for operator, build in _COMPARE.items() if operator != "="}
_ONE_OF: dict[str, Callable[[Any, Any], Clause]] = {
    "any of": lambda column, values: column.in_(values),
    "none of": lambda column, values: column.not_in(values),
}
_EQUAL: dict[str, Callable[[Any, Any], Clause]] = {
    "=": lambda column, value: column == value,
    "<>": lambda column, value: column != value,
}

#: Type of filter -> operator -> how it reads.
OPERATORS: dict[str, dict[str, Callable[[Any, Any], Clause]]] = {
    "string": _TEXT,
    "number": _COMPARE,
    "numberObject": _COMPARE,
    "datetime": _ORDER,
    "stringOptions": _ONE_OF,
    "categoryOptions": _ONE_OF,
    "boolean": _EQUAL,
    "booleanObject": _EQUAL,
    "stringObject": {
        **_TEXT,
        "is set": lambda column, value: column != "",
        "is not set": lambda column, value: column == "",
    },
    "arrayOptions": {
        "any of": lambda column, values: fn.has_any(column, values),
        "none of": lambda column, values: not_(fn.has_any(column, values)),
        "all of": lambda column, values: fn.has_all(column, values),
    },
    "null": {
        "is null": lambda column, value: column.is_(None),
        "is not null": lambda column, value: column.is_not(None),
    },
}
#: Found in long texts with the help of an index; only some routes offer it.
MATCHES = "matches"
_TEXT_TYPES = {"string", "stringObject"}
_NEEDS_KEY = {"stringObject", "numberObject", "booleanObject", "categoryOptions"}
#: Beyond it integers of the store wrap and decimals overflow.
LARGEST_NUMBER = 10**18
#: The database would take minutes to understand thousands of them, or end.
MOST_FILTERS = 200
#: Labels that a column's name does not tell; the other labels are its words, as in "User ID".
_LABELS = {
    "bookmarked": "⭐️",
    "latency": "Latency (s)",
    "timeToFirstToken": "Time To First Token (s)",
    "tokensPerSecond": "Tokens per second",
    "inputCost": "Input Cost ($)",
    "outputCost": "Output Cost ($)",
    "totalCost": "Total Cost ($)",
    "errorCount": "Error Level Count",
    "warningCount": "Warning Level Count",
    "defaultCount": "Default Level Count",
    "debugCount": "Debug Level Count",
    "toolDefinitions": "Available Tools",
    "scores_avg": "Scores (numeric)",
    "score_categories": "Scores (categorical)",
    "score_booleans": "Scores (boolean)",
}
_WORD = re.compile(r"[A-Z]?[a-z]+")
#: A boolean column may also be asked with texts.
_BOOLEANS = (True, False, "true", "false")
#: Accepted by every client and ignored by the server.
_IGNORED = {"positionInTrace"}


def condition(scope: ProjectScope, column: Column, item: Filter) -> Clause:
    """What a filter means in SQL."""
    if column.build is not None:
        return column.build(scope, item)
    if item.type == "null":
        return _null_condition(column, item)
    if column.kind == "map":
        return _map_condition(column.expression, item)
    if column.kind == "boolean":
        return _EQUAL[item.operator](column.expression, item.value)
    if column.kind == "list":
        return OPERATORS["arrayOptions"][item.operator](column.expression, item.value)
    return OPERATORS[item.type][item.operator](column.expression, _as_kept(column.expression, item.value))


def _as_kept(expression: Any, value: Any) -> Any:
    """Money is kept in decimals and compared in them; a finer number than the store has equals none of its own."""
    if not isinstance(value, float) or not isinstance(expression.type, Money):
        return value
    amount = Decimal(str(value))
    return amount if amount == round(amount, Money.PLACES) else value


def _null_condition(column: Column, item: Filter) -> Clause:
    """Absent text and lists are stored empty, absent numbers and times as nulls."""
    is_null = item.operator == "is null"
    if column.kind == "list":
        length = fn.array_length(column.expression)
        empty: Clause = length == 0
        return empty if is_null else not_(empty)
    if column.kind == "text":
        blank: Clause = column.expression == ""
        return blank if is_null else not_(blank)
    return OPERATORS["null"][item.operator](column.expression, None)


def _map_condition(expression: Any, item: Filter) -> Clause:
    """The key must be there, also for `does not contain`."""
    is_there = fn.map_contains(expression, item.key)
    if item.operator in ("is set", "is not set"):
        # An object is stored as its members, under dotted names.
        is_set = or_(is_there, fn.any_starts_with(fn.map_keys(expression), f"{item.key}."))
        return is_set if item.operator == "is set" else not_(is_set)
    value = fn.map_get(expression, item.key)
    if item.operator == MATCHES:
        return and_(is_there, fn.contains(value, item.value))
    return and_(is_there, OPERATORS["stringObject"][item.operator](value, item.value))


def conditions(scope: ProjectScope, columns: Mapping[str, Column], items: Iterable[Filter]) -> list[Clause]:
    return [condition(scope, columns[item.column], item) for item in items]


def parse(text: str, columns: Mapping[str, Column], extra_operators: frozenset[str] = frozenset()) -> list[Filter]:
    """The `filter` parameter. Raises Invalid naming what is wrong with it."""
    try:
        items = orjson.loads(text)
    except ValueError:
        raise Invalid("Invalid JSON in filter parameter") from None
    return parse_items(items, columns, extra_operators)


def parse_items(
    items: Any, columns: Mapping[str, Column], extra_operators: frozenset[str] = frozenset(), at: tuple[Any, ...] = ()
) -> list[Filter]:
    """Checked filters; `extra_operators` are allowed for text and texts by key beside the usual ones."""
    if not isinstance(items, list):
        raise Invalid(issues=[issue((*at, "filter"), "Invalid input: expected array")])
    if len(items) > MOST_FILTERS:
        raise Invalid(issues=[issue((*at, "filter"), f"Too big: expected array to have <={MOST_FILTERS} items")])
    issues: list[dict[str, object]] = []
    filters = []
    for number, item in enumerate(items):
        where = (*at, number)
        problem = _shape_problem(item, extra_operators)
        if problem is not None:
            issues.append(issue((*where, problem[0]) if problem[0] else where, problem[1]))
        elif item["type"] not in _IGNORED:
            filters.append(_checked(item, columns))
    if issues:
        raise Invalid(issues=issues)
    return filters


def _shape_problem(item: Any, extra_operators: frozenset[str]) -> tuple[str, str] | None:
    """Field and message of the first thing that is wrong, whatever the column."""
    if not isinstance(item, dict):
        return "", "Invalid input: expected object"
    kind = item.get("type")
    if not isinstance(kind, str) or kind not in {*OPERATORS, *_IGNORED}:
        return "type", f"Invalid filter type. Expected one of {', '.join(OPERATORS)}"
    if kind in _IGNORED:
        return None
    if not isinstance(item.get("column"), str):
        return "column", "Invalid input: expected string"
    allowed = [*OPERATORS[kind], *(sorted(extra_operators) if kind in _TEXT_TYPES else ())]
    if item.get("operator") not in allowed:
        return "operator", f"Invalid operator. Expected one of {', '.join(allowed)}"
    if kind in _NEEDS_KEY and not isinstance(item.get("key"), str):
        return "key", "Invalid input: expected string"
    message = _value_problem(kind, item.get("operator"), item.get("value"))
    return ("value", message) if message else None


def _value_problem(kind: str, operator: Any, value: Any) -> str:
    if kind in ("string", "stringObject"):
        is_fine = isinstance(value, str) or operator in ("is set", "is not set")
        return "" if is_fine else "Invalid input: expected string"
    if kind in ("number", "numberObject"):
        if not isinstance(value, int | float) or isinstance(value, bool):
            return "Invalid input: expected number"
        return "" if abs(value) <= LARGEST_NUMBER else f"Invalid input: expected number within ±{LARGEST_NUMBER:.0e}"
    if kind in ("boolean", "booleanObject"):
        return "" if isinstance(value, bool) else "Invalid input: expected boolean"
    if kind in ("stringOptions", "categoryOptions", "arrayOptions"):
        is_list = isinstance(value, list) and all(isinstance(member, str) for member in value)
        if not is_list:
            return "Invalid input: expected array of strings"
        return "Too small: expected array to have >=1 items" if kind == "stringOptions" and not value else ""
    if kind == "datetime":
        return "" if isinstance(value, str) and parse_time(value) else "Invalid ISO datetime"
    if kind == "null":
        return "" if value in ("", None) else 'Invalid input: expected ""'
    return ""


def label_of(name: str) -> str:
    """What clients may call a column instead of its name: the heading that Langfuse's tables show for it."""
    words = ("ID" if word.lower() == "id" else word.capitalize() for word in _WORD.findall(name))
    return _LABELS.get(name) or " ".join(words)


def _name_of(called: str, columns: Mapping[str, Column]) -> str:
    """The column that is called so, by its name or its label."""
    if called in columns:
        return called
    for name in columns:
        if label_of(name) == called:
            return name
    raise Invalid(f"Column {called} does not match a UI / CH table mapping.")


def _checked(item: dict[str, Any], columns: Mapping[str, Column]) -> Filter:
    name = _name_of(item["column"], columns)
    kind, column = item["type"], columns[name]
    if column.kind != ANYTHING and kind not in FITS[column.kind]:
        fitting = ", ".join(sorted(FITS[column.kind]))
        raise Invalid(f"Filter type {kind} does not fit column {item['column']}. Use one of: {fitting}.")
    if column.kind == "boolean" and (item["operator"] not in _EQUAL or item["value"] not in _BOOLEANS):
        raise Invalid(f"Column {item['column']} can only be compared with true and false, by = or <>.")
    return Filter(kind, name, item["operator"], _value(kind, column, item.get("value")), str(item.get("key") or ""))


def _value(kind: str, column: Column, value: Any) -> Any:
    """What was sent, as what it stands for."""
    if kind == "datetime":
        return parse_time(value)
    return value in (True, "true") if column.kind == "boolean" else value
