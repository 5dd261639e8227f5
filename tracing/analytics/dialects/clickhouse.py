"""SQLAlchemy Core to ClickHouse SQL: values as server-side parameters, functions by table.

A second database is a second module like this one: a compiler, the names of the types and `FUNCTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import types
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import ClauseElement, compiler, elements

from tracing.analytics.dialects.common import (
    Arguments,
    Compiler,
    Options,
    Pattern,
    Preparer,
    text_of_time,
    whole_text,
    zone_name,
)
from tracing.analytics.functions import FirstOfEach
from tracing.analytics.tenancy import Read
from tracing.analytics.types import Map, Money, StringArray, Timestamp

#: Units of `functions.bucket`.
_INTERVALS = {
    "minute": "1 MINUTE", "5 minutes": "5 MINUTE", "10 minutes": "10 MINUTE", "15 minutes": "15 MINUTE",
    "30 minutes": "30 MINUTE", "hour": "1 HOUR", "3 hours": "3 HOUR", "6 hours": "6 HOUR", "12 hours": "12 HOUR",
    "day": "1 DAY", "week": "1 WEEK", "month": "1 MONTH", "quarter": "1 QUARTER", "year": "1 YEAR",
}  # fmt: skip


def _bucket(arguments: Arguments, options: Options) -> str:
    zone = zone_name(options)
    start = f"toStartOfInterval({arguments[0]}, INTERVAL {_INTERVALS[options['unit']]}, '{zone}')"
    # Days and longer come back as dates of that zone; what callers want is the instant at which each begins.
    return f"toTimeZone(toDateTime64({start}, 0, '{zone}'), 'UTC')"


def _unix_start(arguments: Arguments, options: Options) -> str:
    # Through a time of 32 bits: from this form the database knows its places in the key.
    return f"toUnixTimestamp(toStartOf{options['unit'].capitalize()}(toDateTime({arguments[0]}, 'UTC')))"


def _quantile(name: str) -> Callable[[Arguments, Options], str]:
    return lambda arguments, options: f"{name}({float(options['q'])})({', '.join(arguments)})"


def _collect(name: str) -> Callable[[Arguments, Options], str]:
    return lambda arguments, options: f"{name}({int(options['limit'])})({arguments[0]})"


def _pairs(arguments: Arguments, options: Options) -> str:
    """Names are of Python's making, and letters only."""
    named = list(zip(options["names"], arguments, strict=True))
    single = ", ".join(f"('{name}', toString({value}))" for name, value in named if name not in options["lists"])
    parts = [f"[{single}]"] if single else []
    several = [(name, value) for name, value in named if name in options["lists"]]
    parts += [f"arrayMap(member -> ('{name}', toString(member)), {value})" for name, value in several]
    return f"arrayJoin(arrayConcat({', '.join(parts)}))" if len(parts) > 1 else f"arrayJoin({parts[0]})"


def _quantiles(arguments: Arguments, options: Options) -> str:
    return f"quantiles({', '.join(str(float(q)) for q in options['qs'])})({arguments[0]})"


#: Each operation of `functions.py`: a pattern of its arguments, or a function of arguments and options.
FUNCTIONS: dict[str, Pattern] = {
    "bucket": _bucket,
    "unix_start": _unix_start,
    "ms_diff": "(toFloat64(dateDiff('microsecond', {0}, {1})) / 1000)",
    "us_diff": "dateDiff('microsecond', {0}, {1})",
    "count": "count()",
    "count_if": "countIf({0})",
    "sum": "sum({0})",
    "sum_if": "sumIf({0}, {1})",
    "avg": "avg({0})",
    "avg_if": "avgIf({0}, {1})",
    "min": "minOrNull({0})",
    "min_if": "minOrNullIf({0}, {1})",
    "max": "maxOrNull({0})",
    "max_if": "maxOrNullIf({0}, {1})",
    "quantile": _quantile("quantileTDigest"),
    "quantile_if": _quantile("quantileTDigestIf"),
    "quantile_sampled": _quantile("quantile"),
    "quantiles": _quantiles,
    "quantile_exact": _quantile("quantileExactInclusive"),
    "uniq": "uniq({0})",
    "uniq_if": "uniqIf({0}, {1})",
    "uniq_exact": "uniqExact({0})",
    "arg_max": "argMax({0}, {1})",
    "arg_max_if": "argMaxIf({0}, {1}, {2})",
    "arg_min": "argMin({0}, {1})",
    "arg_min_if": "argMinIf({0}, {1}, {2})",
    "any_value": "any({0})",
    "collect": _collect("groupArray"),
    "collect_unique": _collect("groupUniqArray"),
    "collect_arrays": "groupUniqArrayArray({0})",
    "sum_map": "sumMap({0})",
    "histogram": lambda arguments, options: f"histogram({int(options['bins'])})({arguments[0]})",
    "stddev": "stddevSamp({0})",
    "map_get": "{0}[{1}]",
    "map_contains": "mapContains({0}, {1})",
    "map_keys": "mapKeys({0})",
    "map_values": "mapValues({0})",
    "has": "has({0}, {1})",
    "has_any": "hasAny({0}, {1})",
    "has_all": "hasAll({0}, {1})",
    "any_starts_with": "arrayExists(member -> startsWith(member, {1}), {0})",
    "array_length": "length({0})",
    "explode": "arrayJoin({0})",
    "pairs": _pairs,
    "member": lambda arguments, options: f"tupleElement({arguments[0]}, {int(options['place'])})",
    "level_rank": "indexOf(['DEBUG', 'DEFAULT', 'WARNING', 'ERROR'], {0})",
    "lower": "lowerUTF8({0})",
    "contains": "(position({0}, {1}) > 0)",
    "contains_ignoring_case": "(positionCaseInsensitiveUTF8({0}, {1}) > 0)",
    # In exactly this form the n-gram indexes of input and output serve it.
    "search": "like(lower({0}), {1})",
    "resembles": "ilike({0}, {1})",
    "any_resembles": "arrayExists(member -> ilike(member, {1}), {0})",
    "place_of": "positionCaseInsensitiveUTF8({0}, {1})",
    "slice_of": "substringUTF8({0}, {1}, {2})",
    "joined": r"arrayStringConcat({0}, '\n')",
    "starts_with": "startsWith({0}, {1})",
    "ends_with": "endsWith({0}, {1})",
    "text_length": "lengthUTF8({0})",
    "text_start": "substringUTF8({0}, 1, {1})",
    "text_end": "substringUTF8({0}, -{1})",
    "concat": lambda arguments, _: f"concat({', '.join(arguments)})",
    "lines": lambda arguments, _: "concat({})".format(r", '\n', ".join(arguments)),
    "to_text": "toString({0})",
    "to_number": "toFloat64OrNull(toString({0}))",
    "to_float": "toFloat64({0})",
    "json_length": "toInt64(JSONLength({0}))",
    "json_is_object": "(JSONType({0}) = 'Object')",
    "json_has": "JSONHas({0}, {1})",
    "json_value": "if(JSONType({0}, {1}) = 'String', JSONExtractString({0}, {1}), JSONExtractRaw({0}, {1}))",
    "json_text": lambda arguments, _: f"JSONExtractString({', '.join(arguments)})",
    # Parts first: asked for text, a list is given as its JSON.
    "last_message": (
        "coalesce(nullIf(JSONExtractString({0}, -1, 'content', -1, 'text'), ''), "
        "nullIf(JSONExtractString({0}, -1, 'content'), ''), "
        "nullIf(JSONExtractString({0}, 'messages', -1, 'content', -1, 'text'), ''), "
        "JSONExtractString({0}, 'messages', -1, 'content'))"
    ),
    "if_else": "if({0}, {1}, {2})",
    "empty_to_null": "nullIf({0}, '')",
    "bin": "floor(({0} - {1}) / {2})",
    "greatest": lambda arguments, _: f"greatest({', '.join(arguments)})",
    "least": lambda arguments, _: f"least({', '.join(arguments)})",
}


def type_name(kind: types.TypeEngine[Any]) -> str | None:
    """What a SQLAlchemy type is called in a parameter, or None where only the value can tell."""
    match kind:
        case Timestamp() | types.DateTime():
            return "DateTime64(6, 'UTC')"
        case Money():
            return "Decimal(38, 12)"
        case Map():
            return f"Map(String, {type_name(kind.value)})"
        case StringArray():
            return "Array(String)"
        case types.TupleType():
            return f"Tuple({', '.join(str(type_name(member)) for member in kind.types)})"
        case types.Boolean():
            return "Bool"
        case types.Integer():
            return "Int64"
        case types.Float():
            return "Float64"
        case types.String():
            return "String"
    return None


def type_of_value(value: Any) -> str:
    match value:
        case bool():
            return "Bool"
        case int():
            return "Int64"
        case float():
            return "Float64"
        case Decimal():
            return "Decimal(38, 12)"
        case datetime():
            return "DateTime64(6, 'UTC')"
        case str():
            return "String"
        case list() | tuple():
            return f"Array({type_of_value(value[0]) if value else 'String'})"
    raise CompileError(f"a value of type {type(value).__name__} cannot be sent to the analytics store")


def parameter_value(value: Any) -> Any:
    """What the client makes the text of a parameter from."""
    match value:
        case datetime():
            return text_of_time(value)
        case str():
            return whole_text(value)
        case tuple():
            return tuple(parameter_value(item) for item in value)
        case list() | set() | frozenset():
            return [parameter_value(item) for item in value]
        case Decimal():
            return format(value, "f")
    return value


class ClickHouseCompiler(Compiler):
    """Renders each bound value as `{p0:Type}`, numbered in order of appearance: equal queries are equal text."""

    functions = FUNCTIONS

    @property
    def server_parameters(self) -> dict[str, Any]:
        """Values of the parameters by name."""
        return dict(self._named.values())

    @property
    def _named(self) -> dict[str, tuple[str, Any]]:
        named: dict[str, tuple[str, Any]] = self.__dict__.setdefault("_named_parameters", {})
        return named

    def visit_bindparam(self, bindparam: elements.BindParameter[Any], *args: Any, **kw: Any) -> str:
        value = bindparam.effective_value
        name = type_name(bindparam.type)
        if bindparam.expanding:
            value = list(value or ())
            name = f"Array({name or (type_of_value(value[0]) if value else 'String')})"
        elif value is None:
            return "NULL"
        if bindparam.key not in self._named:
            self._named[bindparam.key] = (f"p{len(self._named)}", parameter_value(value))
        return f"{{{self._named[bindparam.key][0]}:{name or type_of_value(value)}}}"

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        return text  # FINAL

    def visit_first_of_each(self, element: FirstOfEach, **kw: Any) -> str:
        return f"{self.process(element.query, **kw)}\n LIMIT {element.limit} BY {self.preparer.quote(element.by)}"

    def visit_truediv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        # It divides as Python does by itself; SQLAlchemy would cast the divisor to FLOAT, which has 24 bits here.
        return f"{self.process(binary.left, **kw)} / {self.process(binary.right, **kw)}"


class ClickHouseDialect(DefaultDialect):
    name = "clickhouse"
    statement_compiler = ClickHouseCompiler
    preparer: type[compiler.IdentifierPreparer] = Preparer
    supports_native_boolean = True
    supports_statement_cache = False
    max_identifier_length = 127


DIALECT = ClickHouseDialect()


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text, the values of its parameters, and what each SELECT in it reads."""

    sql: str
    parameters: dict[str, Any]
    reads: list[Read]
    #: whether it looks for words in texts, which may have megabytes
    looks_into_texts: bool = False


def compile_query(query: ClauseElement) -> Statement:
    compiled = query.compile(dialect=DIALECT)
    assert isinstance(compiled, ClickHouseCompiler)
    return Statement(compiled.string, compiled.server_parameters, compiled.reads, compiled.looks_into_texts)
