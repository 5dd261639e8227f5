"""The values of a term compared with an expression, by the kind of what is compared."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, false, not_, or_

from tracing.analytics import functions as fn
from tracing.analytics.types import Money, Timestamp
from tracing.queries.explorer.fields import Kind
from tracing.queries.explorer.language import Term
from tracing.queries.explorer.values import Value

Clause = ColumnElement[bool]
#: Whole numbers of the store have 64 bits.
_LARGEST = 2**63 - 1


def compared(term: Term, expression: Any, scale: int = 1) -> Clause:
    """Any of the term's values, negation aside. `scale` turns the unit of the field into that of the store."""
    kind = term.field.kind
    if kind is Kind.BOOLEAN:
        return or_(*(expression if _is_true(value) else not_(expression) for value in term.values))
    if kind in (Kind.NUMBER, Kind.TIME):
        return or_(*(_figure(expression, value, scale) for value in term.values))
    if kind is Kind.LIST:
        return _list(expression, term.values)
    if kind is Kind.MAP:
        return _map(expression, term)
    return text(expression, term.values)


def _is_true(value: Value) -> bool:
    return value.operator == "has" or bool(value.number)


def text(expression: Any, values: tuple[Value, ...]) -> Clause:
    plain = [value.text for value in values if value.is_plain]
    clauses = [_pattern_or_has(expression, value) for value in values if not value.is_plain]
    if plain:
        clauses.append(expression.in_(plain) if len(plain) > 1 else expression == plain[0])
    return or_(*clauses)


def _pattern_or_has(expression: Any, value: Value) -> Clause:
    if value.operator == "*":
        return fn.resembles(expression, value.text)  # type: ignore[return-value]
    there: Clause = expression != ""
    return there


def _list(expression: Any, values: tuple[Value, ...]) -> Clause:
    plain = [value.text for value in values if value.is_plain]
    clauses: list[Any] = [
        fn.any_resembles(expression, value.text) if value.operator == "*" else fn.array_length(expression) > 0
        for value in values
        if not value.is_plain
    ]
    if plain:
        clauses.append(fn.has_any(expression, plain))
    return or_(*clauses)


def _map(expression: Any, term: Term) -> Clause:
    """Of one key; nested objects are kept as their members, under dotted names."""
    if not term.key:
        return fn.array_length(fn.map_keys(expression)) > 0
    is_there: Any = fn.map_contains(expression, term.key)
    value: Any = fn.map_get(expression, term.key)
    clauses: list[Clause] = []
    plain = tuple(one for one in term.values if one.is_plain)
    if plain:
        clauses.append(and_(is_there, text(value, plain)))
    for one in term.values:
        if one.operator == "has":
            clauses.append(or_(is_there, fn.any_starts_with(fn.map_keys(expression), f"{term.key}.")))
        elif one.operator == "*":
            clauses.append(and_(is_there, fn.resembles(value, one.text)))
        elif not one.is_plain:
            clauses.append(and_(is_there, _figure(fn.to_number(value), one, 1)))
    return or_(*clauses)


def figures(expression: Any, values: tuple[Value, ...], scale: int = 1) -> Clause:
    return or_(*(_figure(expression, value, scale) for value in values))


def _figure(expression: Any, value: Value, scale: int) -> Clause:
    if value.operator == "has":
        return _is_something(expression)
    number, upper = (_as_kept(expression, end, scale) for end in (value.number, value.upper))
    match value.operator:
        case ">":
            return expression > number  # type: ignore[no-any-return]
        case ">=":
            return expression >= number  # type: ignore[no-any-return]
        case "<":
            return expression < number  # type: ignore[no-any-return]
        case "<=":
            return expression <= number  # type: ignore[no-any-return]
        case "..":
            ends = [expression >= number] if number is not None else []
            ends += [expression <= upper] if upper is not None else []
            return and_(*ends)
        case "=":
            return expression == number  # type: ignore[no-any-return]
    return false()


def _is_something(expression: Any) -> Clause:
    """A time that is there; a number that is there and not zero: cost and tokens are zero where nobody told them."""
    there: Clause = expression.is_not(None) if isinstance(expression.type, Timestamp) else expression > 0
    return there


def _as_kept(expression: Any, number: Any, scale: int) -> Any:
    """Money is kept in decimals and durations in whole microseconds; both are compared in what they are kept in."""
    if number is None or not isinstance(number, int | float):
        return number
    if isinstance(expression.type, Money):
        return round(Decimal(str(number)), Money.PLACES)
    if scale != 1:
        return max(-_LARGEST, min(_LARGEST, round(number * scale)))
    return number
