"""The operations that queries may use, whatever the database. How each is written is in `dialects/`.

`from tracing.analytics import functions as fn`. Constants that a database wants in its text (units, quantiles)
are keyword arguments here and checked; everything else may be a column, an expression or a plain value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Boolean, Float, Select, Text, desc, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine

from tracing.analytics.types import Map, StringArray, Timestamp

UNITS = (
    "minute", "5 minutes", "10 minutes", "15 minutes", "30 minutes", "hour", "3 hours", "6 hours", "12 hours",
    "day", "week", "month", "quarter", "year",
)  # fmt: skip


#: of a histogram
MOST_BINS = 100


class Operation(FunctionElement[Any]):
    """One operation on columns and values. `constants` go into the text of the statement."""

    inherit_cache = False

    def __init__(self, name: str, kind: TypeEngine[Any], *arguments: Any, **constants: Any) -> None:
        self.name = name
        self.constants = constants
        super().__init__(*(_clause(argument) for argument in arguments))
        self.type = kind


@compiles(Operation)
def _render(operation: Operation, compiler: SQLCompiler, **kw: Any) -> str:
    """Dialects without the operations, such as the one `str(query)` uses, show its name."""
    render = getattr(compiler, "visit_operation", None)
    if render is None:
        return f"{operation.name}({compiler.process(operation.clause_expr.element, **kw)})"
    rendered: str = render(operation, **kw)
    return rendered


class FirstOfEach(ClauseElement):
    """The first `limit` rows of a query for each value of its column `by`, in the query's order. `order` is that order
    once more, by the names of columns and whether downwards."""

    inherit_cache = False

    def __init__(self, query: Select[Any], by: str, limit: int, order: Sequence[tuple[str, bool]]) -> None:
        names = {column.name for column in query.selected_columns}
        if not {by, *(name for name, _ in order)} <= names:
            raise ValueError(f"{by} and {order} must be columns of the query")
        self.query, self.by, self.limit, self.order = query, by, int(limit), tuple(order)


@compiles(FirstOfEach)
def _render_first(element: FirstOfEach, compiler: SQLCompiler, **kw: Any) -> str:
    rendered: str = compiler.visit_first_of_each(element, **kw)  # type: ignore[attr-defined]
    return rendered


def first_of_each(query: Select[Any], by: str, *, limit: int, order: Sequence[tuple[str, bool]]) -> FirstOfEach:
    """`order` names columns of the query, with whether they go downwards."""
    terms: list[Any] = [desc(name) if is_down else name for name, is_down in order]
    return FirstOfEach(query.order_by(None).order_by(*terms), by, limit, order)


def _clause(argument: Any) -> Any:
    if isinstance(argument, list | tuple):
        return literal(list(argument), StringArray())
    return argument


def _kind(argument: Any) -> TypeEngine[Any]:
    """The type of a column or an expression: what an operation that hands its argument through returns."""
    kind = getattr(argument, "type", None)
    return kind if isinstance(kind, TypeEngine) else NullType()


# --- Time ------------------------------------------------------------------------------------------------
def bucket(time: Any, *, unit: str, timezone: str = "UTC") -> Operation:
    """The start of the interval that `time` is in, as an instant. Weeks begin on Monday."""
    if unit not in UNITS:
        raise ValueError(f"unit must be one of {', '.join(UNITS)}, not {unit!r}")
    return Operation("bucket", Timestamp(), time, unit=unit, timezone=ZoneInfo(timezone).key)


def unix_start(time: Any, *, unit: str) -> Operation:
    """Unix seconds at which the minute or hour begins that `time` is in. As a condition on the time of a key (`in_`) it
    leads the database straight to those places."""
    if unit not in ("minute", "hour"):
        raise ValueError(f"unit must be minute or hour, not {unit!r}")
    return Operation("unix_start", BigInteger(), time, unit=unit)


def ms_diff(start: Any, end: Any) -> Operation:
    """Milliseconds from `start` to `end`, with fraction."""
    return Operation("ms_diff", Float(), start, end)


def us_diff(start: Any, end: Any) -> Operation:
    """Whole microseconds from `start` to `end`."""
    return Operation("us_diff", BigInteger(), start, end)


# --- Aggregates ------------------------------------------------------------------------------------------
def count() -> Operation:
    return Operation("count", BigInteger())


def count_if(condition: Any) -> Operation:
    return Operation("count_if", BigInteger(), condition)


def sum(value: Any) -> Operation:
    return Operation("sum", _kind(value), value)


def sum_if(value: Any, condition: Any) -> Operation:
    return Operation("sum_if", _kind(value), value, condition)


def avg(value: Any) -> Operation:
    """None when there are no rows."""
    return Operation("avg", Float(), value)


def avg_if(value: Any, condition: Any) -> Operation:
    return Operation("avg_if", Float(), value, condition)


def min(value: Any) -> Operation:
    """None when there are no rows."""
    return Operation("min", _kind(value), value)


def min_if(value: Any, condition: Any) -> Operation:
    return Operation("min_if", _kind(value), value, condition)


def max(value: Any) -> Operation:
    """None when there are no rows."""
    return Operation("max", _kind(value), value)


def max_if(value: Any, condition: Any) -> Operation:
    return Operation("max_if", _kind(value), value, condition)


def quantile(value: Any, *, q: float) -> Operation:
    """Approximate (t-digest): within about a percent, in bounded memory. None when there are no rows."""
    return Operation("quantile", Float(), value, q=_share(q))


def quantile_if(value: Any, condition: Any, *, q: float) -> Operation:
    return Operation("quantile_if", Float(), value, condition, q=_share(q))


def quantile_sampled(value: Any, *, q: float) -> Operation:
    """Interpolated between neighbours: exact for groups of up to 8192 values, from a sample as large beyond."""
    return Operation("quantile_sampled", Float(), value, q=_share(q))


def quantiles(value: Any, *, qs: tuple[float, ...]) -> Operation:
    """Several at once, as `quantile_sampled` has each; NaN when there are no rows."""
    return Operation("quantiles", NullType(), value, qs=tuple(_share(q) for q in qs))


def quantile_exact(value: Any, *, q: float) -> Operation:
    """Interpolated between neighbours; holds every value in memory."""
    return Operation("quantile_exact", Float(), value, q=_share(q))


def uniq(value: Any) -> Operation:
    """Distinct values, approximately."""
    return Operation("uniq", BigInteger(), value)


def uniq_if(value: Any, condition: Any) -> Operation:
    return Operation("uniq_if", BigInteger(), value, condition)


def uniq_exact(value: Any) -> Operation:
    return Operation("uniq_exact", BigInteger(), value)


def arg_max(value: Any, by: Any) -> Operation:
    """`value` of the row with the largest `by`."""
    return Operation("arg_max", _kind(value), value, by)


def arg_max_if(value: Any, by: Any, condition: Any) -> Operation:
    return Operation("arg_max_if", _kind(value), value, by, condition)


def arg_min(value: Any, by: Any) -> Operation:
    return Operation("arg_min", _kind(value), value, by)


def arg_min_if(value: Any, by: Any, condition: Any) -> Operation:
    return Operation("arg_min_if", _kind(value), value, by, condition)


def any_value(value: Any) -> Operation:
    return Operation("any_value", _kind(value), value)


def collect(value: Any, *, limit: int = 1000) -> Operation:
    """The values of a group as a list, in no order."""
    return Operation("collect", NullType(), value, limit=limit)


def collect_unique(value: Any, *, limit: int = 1000) -> Operation:
    return Operation("collect_unique", NullType(), value, limit=limit)


def collect_arrays(value: Any) -> Operation:
    """The distinct members of all lists of a group."""
    return Operation("collect_arrays", StringArray(), value)


def sum_map(value: Any) -> Operation:
    """Maps of numbers, added key by key."""
    return Operation("sum_map", _kind(value), value)


def histogram(value: Any, *, bins: int) -> Operation:
    """Bars as `[lower, upper, height]`, at most `bins` of them, as narrow as the values lie close. Neighbours smooth
    one another, so heights have fractions; together they are about the number of values. Empty without any."""
    if not 1 <= bins <= MOST_BINS:
        raise ValueError(f"bins must be between 1 and {MOST_BINS}, not {bins!r}")
    return Operation("histogram", NullType(), value, bins=int(bins))


def stddev(value: Any) -> Operation:
    """Of the sample."""
    return Operation("stddev", Float(), value)


# --- Maps and lists --------------------------------------------------------------------------------------
def map_get(value: Any, key: Any) -> Operation:
    """The value of a key; empty text or zero when it is not there."""
    kind = _kind(value)
    return Operation("map_get", kind.value if isinstance(kind, Map) else Text(), value, key)


def map_contains(value: Any, key: Any) -> Operation:
    return Operation("map_contains", Boolean(), value, key)


def map_keys(value: Any) -> Operation:
    return Operation("map_keys", StringArray(), value)


def map_values(value: Any) -> Operation:
    return Operation("map_values", NullType(), value)


def has(values: Any, member: Any) -> Operation:
    return Operation("has", Boolean(), values, member)


def has_any(values: Any, members: Any) -> Operation:
    return Operation("has_any", Boolean(), values, members)


def has_all(values: Any, members: Any) -> Operation:
    return Operation("has_all", Boolean(), values, members)


def any_starts_with(values: Any, start: str) -> Operation:
    """Whether any member of a list of texts begins so."""
    return Operation("any_starts_with", Boolean(), values, start)


def array_length(values: Any) -> Operation:
    return Operation("array_length", BigInteger(), values)


def explode(values: Any) -> Operation:
    """One row for each member; rows with an empty list vanish."""
    return Operation("explode", Text(), values)


def pairs(values: dict[str, Any]) -> Operation:
    """A row for each of these values: a pair of its name and its text. Of a list there is one for each member."""
    lists = frozenset(name for name, value in values.items() if _is_list(value))
    return Operation("pairs", NullType(), *values.values(), names=tuple(values), lists=lists)


def _is_list(value: Any) -> bool:
    return isinstance(_kind(value), StringArray)


def member(pair: Any, place: int) -> Operation:
    """A member of a pair, counted from 1."""
    return Operation("member", Text(), pair, place=int(place))


# --- Text ------------------------------------------------------------------------------------------------
def lower(text: Any) -> Operation:
    return Operation("lower", Text(), text)


def contains(text: Any, part: Any, *, ignore_case: bool = False) -> Operation:
    """Literally: no wildcards."""
    return Operation("contains_ignoring_case" if ignore_case else "contains", Boolean(), text, part)


def search(text: Any, words: str) -> Operation:
    """Holds these characters somewhere, ignoring the case of A to Z. On an observation's input and output this is
    served by an index, whatever the language, from three characters on."""
    folded = re.sub("[A-Z]+", lambda found: found.group().lower(), words)
    pattern = re.sub(r"([\\%_])", r"\\\1", folded)
    return Operation("search", Boolean(), text, f"%{pattern}%")


def resembles(text: Any, pattern: str) -> Operation:
    """Is, as a whole and in any case, like a pattern in which `*` stands for any characters."""
    return Operation("resembles", Boolean(), text, _like(pattern))


def any_resembles(values: Any, pattern: str) -> Operation:
    """Whether any member of a list of texts is like the pattern."""
    return Operation("any_resembles", Boolean(), values, _like(pattern))


def _like(pattern: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", pattern).replace("*", "%")


def place_of(text: Any, part: str) -> Operation:
    """Where `part` first occurs, in any case, counted in characters from 1; 0 when it does not."""
    return Operation("place_of", BigInteger(), text, part)


def slice_of(text: Any, place: Any, length: int) -> Operation:
    """Characters from `place` on, which counts from 1."""
    return Operation("slice_of", Text(), text, place, length)


def joined(values: Any) -> Operation:
    """The members of a list of texts as one text, each followed by a line's end but the last."""
    return Operation("joined", Text(), values)


def starts_with(text: Any, part: Any) -> Operation:
    return Operation("starts_with", Boolean(), text, part)


def ends_with(text: Any, part: Any) -> Operation:
    return Operation("ends_with", Boolean(), text, part)


def text_length(text: Any) -> Operation:
    """In characters."""
    return Operation("text_length", BigInteger(), text)


def text_start(text: Any, characters: int) -> Operation:
    return Operation("text_start", Text(), text, characters)


def text_end(text: Any, characters: int) -> Operation:
    return Operation("text_end", Text(), text, characters)


def concat(*parts: Any) -> Operation:
    return Operation("concat", Text(), *parts)


def lines(*parts: Any) -> Operation:
    """Texts as one, with a line's end between them."""
    return Operation("lines", Text(), *parts)


def to_text(value: Any) -> Operation:
    return Operation("to_text", Text(), value)


def to_number(text: Any) -> Operation:
    """None when it is not a number."""
    return Operation("to_number", Float(), text)


def to_float(number: Any) -> Operation:
    return Operation("to_float", Float(), number)


def json_length(document: Any) -> Operation:
    """How many members a JSON list has; 0 for anything else."""
    return Operation("json_length", BigInteger(), document)


def json_is_object(document: Any) -> Operation:
    return Operation("json_is_object", Boolean(), document)


def json_has(document: Any, key: str) -> Operation:
    """Whether an object has this key, be it for a null."""
    return Operation("json_has", Boolean(), document, key)


def json_value(document: Any, key: str) -> Operation:
    """What an object has under a key: text as it is, all else as JSON without blanks; empty when it is not there."""
    return Operation("json_value", Text(), document, key)


def json_text(document: Any, *path: str) -> Operation:
    """Text at a path of a JSON document; empty when it is not there or not text."""
    return Operation("json_text", Text(), document, *path)


def level_rank(level: Any) -> Operation:
    """How bad a level is, from 1 (DEBUG) to 4 (ERROR); 0 for anything else."""
    return Operation("level_rank", BigInteger(), level)


def last_message(document: Any) -> Operation:
    """The text of the last message where a JSON document is a conversation: a list of objects with content, or such a
    list under `messages`. Empty for anything else."""
    return Operation("last_message", Text(), document)


# --- Values ----------------------------------------------------------------------------------------------
def if_else(condition: Any, yes: Any, no: Any) -> Operation:
    return Operation("if_else", _kind(yes), condition, yes, no)


def empty_to_null(text: Any) -> Operation:
    """Aggregates leave nulls out, so counting distinct users does not count "no user"."""
    return Operation("empty_to_null", Text(), text)


def bin(value: Any, low: Any, width: Any) -> Operation:
    """Which bar of a histogram that begins at `low` a value falls into, from 0."""
    return Operation("bin", BigInteger(), value, low, width)


def greatest(*values: Any) -> Operation:
    return Operation("greatest", _kind(values[0]), *values)


def least(*values: Any) -> Operation:
    return Operation("least", _kind(values[0]), *values)


def _share(q: float) -> float:
    if not 0 <= q <= 1:
        raise ValueError(f"q must be between 0 and 1, not {q!r}")
    return float(q)
