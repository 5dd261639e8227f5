"""Where ClickHouse would have a null: its columns are nullable one by one, and what has no row is empty or zero."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table, types
from sqlalchemy.sql import elements

from tracing.analytics.functions import Operation
from tracing.analytics.types import Map, StringArray, Timestamp

#: Columns of the tables that may be null.
NULLABLE = frozenset(
    {
        "observations.end_time",
        "observations.completion_start_time",
        "observations.latency_us",
        "observations.time_to_first_token_us",
        "observations.prompt_version",
        "observations.experiment_item_version",
        "scores.value",
    }
)
#: Aggregates that have nothing to say about no rows.
_OF_SOME = frozenset(
    {
        "avg", "avg_if", "min", "min_if", "max", "max_if", "quantile", "quantile_if", "quantile_sampled",
        "quantile_exact", "stddev", "empty_to_null", "to_number",
    }
)  # fmt: skip
_NEVER = frozenset({"count", "count_if", "uniq", "uniq_if", "uniq_exact", "collect", "collect_unique", "map_get"})


def may_be_null(expression: Any) -> bool:
    """Whether it is nullable on ClickHouse, which fills the right of an outer join with empty values."""
    match expression:
        case elements.Null():
            return True
        case elements.BindParameter():
            return not expression.expanding and expression.effective_value is None
        case elements.Label() | elements.Grouping() | elements.UnaryExpression():
            return may_be_null(expression.element)
        case elements.BinaryExpression():
            return may_be_null(expression.left) or may_be_null(expression.right)
        case Operation():
            return _of_operation(expression)
        case elements.ColumnClause():
            return _of_column(expression)
    return False


def _of_operation(operation: Operation) -> bool:
    if operation.name in _OF_SOME:
        return True
    if operation.name in _NEVER:
        return False
    parts = list(operation.clauses)
    if operation.name == "if_else":
        # As in if(x IS NULL, 0, x), which is how queries make a number of nothing.
        condition, yes, no = parts
        if _asks_for_null(condition, no):
            return may_be_null(yes)
        return may_be_null(yes) or may_be_null(no)
    if operation.name in ("sum_if", "arg_max", "arg_min", "arg_max_if", "arg_min_if", "any_value"):
        return may_be_null(parts[0])
    if operation.name in ("greatest", "least"):
        return all(may_be_null(part) for part in parts)
    return any(may_be_null(part) for part in parts)


def _asks_for_null(condition: Any, value: Any) -> bool:
    return (
        isinstance(condition, elements.BinaryExpression)
        and isinstance(condition.right, elements.Null)
        and condition.left.compare(value)
    )


def _of_column(column: Any) -> bool:
    source = column.table
    source = getattr(source, "element", source)
    if isinstance(source, Table):
        return f"{source.name}.{column.name}" in NULLABLE
    inner = origin(column)
    return inner is not column and may_be_null(inner)


def origin(column: Any) -> Any:
    """What a column of a query in the FROM stands for there; else itself."""
    source = getattr(column, "table", None)
    query = getattr(source, "element", None)
    while query is not None and not isinstance(query, Select):
        query = getattr(query, "element", None) or next(iter(getattr(query, "selects", ())), None)
    if query is None:
        return column
    found = next((one for one in query.selected_columns if one.name == column.name), None)
    return column if found is None else found


def outer_sources(query: Select[Any]) -> list[Any]:
    """What stands on the right of this query's outer joins."""
    joined = [target for target, _on, _from, flags in query._setup_joins if flags["isouter"]]
    return [getattr(one, "selectable", one) for one in joined]


def default_of(kind: types.TypeEngine[Any]) -> str:
    """What ClickHouse has where there is no row."""
    match kind:
        case Timestamp():
            return "CAST('1970-01-01 00:00:00' AS DATETIME(6))"
        case StringArray():
            return "array()"
        case Map():
            return "CAST('{}' AS JSON)"
        case types.Boolean():
            return "false"
        case types.String():
            return "''"
    return "0"
