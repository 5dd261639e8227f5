"""SQLAlchemy Core to the SQL of Apache Doris (4.0.6 and later): values as `%s` for pymysql, functions by table.

What queries mean is what they mean on ClickHouse; where Doris differs by itself, this module makes up for it: sums and
outer joins have zeros and not nulls, nulls come last, rows have no versions but may be marked as deleted.

How columns are kept (`schema/doris/`): text and numbers as themselves, times as DATETIME(6) in UTC, money as
DECIMAL(38, 12), lists as ARRAY<STRING>, and maps as JSON objects, in which money is text. Not as MAP: loading one lost
values with quotation marks until 4.0.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, false, types
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import ClauseElement, compiler, elements, operators

from tracing.analytics.dialects import doris_answers
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
from tracing.analytics.dialects.doris_nulls import default_of, may_be_null, outer_sources
from tracing.analytics.functions import FirstOfEach, Operation
from tracing.analytics.records import EPOCH
from tracing.analytics.tenancy import Read
from tracing.analytics.types import Money

#: An expression may have 10,000 children.
_MOST_IN_LIST = 5_000
#: As many as a group may have, for functions that want to know.
_ALL = 10_000_000
#: What parts the members of keys that are compared as one text.
_PARTING = "char(10)"


# --- Operations ------------------------------------------------------------------------------------------
#: Units of `functions.bucket`: how to go down to the start of one.
_FLOORS = {
    "minute": "date_trunc({0}, 'minute')", "5 minutes": "minute_floor({0}, 5)", "10 minutes": "minute_floor({0}, 10)",
    "15 minutes": "minute_floor({0}, 15)", "30 minutes": "minute_floor({0}, 30)", "hour": "date_trunc({0}, 'hour')",
    "3 hours": "hour_floor({0}, 3)", "6 hours": "hour_floor({0}, 6)", "12 hours": "hour_floor({0}, 12)",
    "day": "date_trunc({0}, 'day')", "week": "date_trunc({0}, 'week')", "month": "date_trunc({0}, 'month')",
    "quarter": "date_trunc({0}, 'quarter')", "year": "date_trunc({0}, 'year')",
}  # fmt: skip


def _bucket(arguments: Arguments, options: Options) -> str:
    zone, floor = zone_name(options), _FLOORS[options["unit"]]
    if zone == "UTC":
        return floor.format(arguments[0])
    local = f"convert_tz({arguments[0]}, '+00:00', '{zone}')"
    return f"convert_tz({floor.format(local)}, '{zone}', '+00:00')"


def _unix_start(arguments: Arguments, options: Options) -> str:
    # Not unix_timestamp, which has a zero for all times before 1970.
    return f"seconds_diff(date_trunc({arguments[0]}, '{options['unit']}'), '1970-01-01 00:00:00')"


def _pairs(arguments: Arguments, options: Options) -> str:
    """A list of texts, `name`, a line's end and the value each. Names are of Python's making, and letters only."""
    named = list(zip(options["names"], arguments, strict=True))
    single = [f"concat('{name}', {_PARTING}, {value})" for name, value in named if name not in options["lists"]]
    parts = [f"array({', '.join(single)})"] if single else []
    several = [(name, value) for name, value in named if name in options["lists"]]
    parts += [f"array_map(member -> concat('{name}', {_PARTING}, member), {value})" for name, value in several]
    return f"array_concat({', '.join(parts)})" if len(parts) > 1 else parts[0]


def _member(arguments: Arguments, options: Options) -> str:
    """Of what `_pairs` wrote."""
    pair = arguments[0]
    if int(options["place"]) == 1:
        return f"substring({pair}, 1, locate({_PARTING}, {pair}) - 1)"
    return f"substring({pair}, locate({_PARTING}, {pair}) + 1)"


def _quantiles(arguments: Arguments, options: Options) -> str:
    return f"percentile_array({_double(arguments[0])}, [{', '.join(str(float(q)) for q in options['qs'])}])"


def _double(value: str) -> str:
    return f"CAST({value} AS DOUBLE)"


def _quantile(name: str, *, is_conditional: bool = False) -> Callable[[Arguments, Options], str]:
    def render(arguments: Arguments, options: Options) -> str:
        value = f"if({arguments[1]}, {arguments[0]}, NULL)" if is_conditional else arguments[0]
        return f"{name}({_double(value)}, {float(options['q'])})"

    return render


def _json_text(arguments: Arguments, _options: Options) -> str:
    """Of what is there but is no text, nothing: it is not the same as the text of itself. What a text of JSON becomes
    by CAST, with quotation marks or without, is not told by the documentation."""
    document, path = f"json_parse_error_to_null({arguments[0]})", arguments[1]
    text = f"json_extract_string({document}, {path})"
    return f"if(json_contains({document}, json_parse_error_to_null(json_quote({text})), {path}), {text}, '')"


def _json_value(arguments: Arguments, _options: Options) -> str:
    """The text of a null of JSON is a null of SQL, as is that of what is not there."""
    document, path = f"json_parse_error_to_null({arguments[0]})", arguments[1]
    text = f"coalesce(json_extract_string({document}, {path}), 'null')"
    return f"if(json_exists_path({document}, {path}), {text}, '')"


_LAST_MESSAGE = (
    "$[last].content[last].text", "$[last].content", "$.messages[last].content[last].text", "$.messages[last].content",
)  # fmt: skip


def _last_message(arguments: Arguments, _options: Options) -> str:
    document = f"json_parse_error_to_null({arguments[0]})"
    found = (f"nullif(json_extract_string({document}, '{path}'), '')" for path in _LAST_MESSAGE)
    return f"coalesce({', '.join(found)}, '')"


#: Each operation of `functions.py`: a pattern of its arguments, or a function of arguments and options. Those that need
#: to know what their arguments are stand in the compiler, as methods `operation_…`.
FUNCTIONS: dict[str, Pattern] = {
    "bucket": _bucket,
    "unix_start": _unix_start,
    "ms_diff": "(CAST(microseconds_diff({1}, {0}) AS DOUBLE) / 1000)",
    "us_diff": "microseconds_diff({1}, {0})",
    "count": "count(*)",
    "count_if": "count(if({0}, 1, NULL))",
    "avg": "avg(CAST({0} AS DOUBLE))",
    "avg_if": "avg(if({1}, CAST({0} AS DOUBLE), NULL))",
    "min": "min({0})",
    "min_if": "min(if({1}, {0}, NULL))",
    "max": "max({0})",
    "max_if": "max(if({1}, {0}, NULL))",
    "quantile": _quantile("percentile_approx"),
    "quantile_if": _quantile("percentile_approx", is_conditional=True),
    "quantile_sampled": _quantile("percentile"),
    "quantiles": _quantiles,
    "quantile_exact": _quantile("percentile"),
    # Its approximation errs by a percent even among hundreds, where people can count.
    "uniq": "count(DISTINCT {0})",
    "uniq_if": "count(DISTINCT if({1}, {0}, NULL))",
    "uniq_exact": "count(DISTINCT {0})",
    "arg_max": "max_by({0}, {1})",
    "arg_min": "min_by({0}, {1})",
    "any_value": "any_value({0})",
    "collect": lambda arguments, options: f"collect_list({arguments[0]}, {int(options['limit'])})",
    "collect_unique": lambda arguments, options: f"collect_set({arguments[0]}, {int(options['limit'])})",
    # Lists and maps as JSON, which Python adds up (`doris_answers`): functions that could are younger than 4.0.6.
    "collect_arrays": f"collect_set(CAST(to_json({{0}}) AS STRING), {_ALL})",
    "sum_map": f"collect_list(CAST({{0}} AS STRING), {_ALL})",
    "histogram": lambda arguments, options: f"histogram({arguments[0]}, {int(options['bins'])})",
    "stddev": "stddev_samp(CAST({0} AS DOUBLE))",
    "map_contains": "json_exists_path({0}, {1})",
    "map_keys": "json_keys({0})",
    "map_values": "CAST(json_extract({0}, '$.*') AS ARRAY<STRING>)",
    "has": "array_contains({0}, {1})",
    "any_starts_with": "array_exists(member -> starts_with(member, {1}), {0})",
    "array_length": "coalesce(array_size({0}), 0)",
    "pairs": _pairs,
    "member": _member,
    "level_rank": "field({0}, 'DEBUG', 'DEFAULT', 'WARNING', 'ERROR')",
    "lower": "lower({0})",
    "contains": "(locate({1}, {0}) > 0)",
    "contains_ignoring_case": "(locate(lower({1}), lower({0})) > 0)",
    "search": "(lower({0}) LIKE lower({1}))",
    "resembles": "(lower({0}) LIKE lower({1}))",
    "any_resembles": "array_exists(member -> lower(member) LIKE lower({1}), {0})",
    "place_of": "locate(lower({1}), lower({0}))",
    "slice_of": "substring({0}, {1}, {2})",
    # All members of an object without any are a null.
    "joined": f"coalesce(array_join({{0}}, {_PARTING}), '')",
    "starts_with": "starts_with({0}, {1})",
    "ends_with": "ends_with({0}, {1})",
    "text_length": "char_length({0})",
    "text_start": "substring({0}, 1, {1})",
    "text_end": "right({0}, {1})",
    "concat": lambda arguments, _: f"concat({', '.join(arguments)})",
    "lines": lambda arguments, _: f"concat({f', {_PARTING}, '.join(arguments)})",
    "to_number": "TRY_CAST({0} AS DOUBLE)",
    "to_float": "CAST({0} AS DOUBLE)",
    "json_length": "if(starts_with(ltrim({0}), '['), json_length(json_parse_error_to_null({0})), 0)",
    "json_is_object": "(starts_with(ltrim({0}), '{{') AND json_parse_error_to_null({0}) IS NOT NULL)",
    "json_has": "coalesce(json_exists_path(json_parse_error_to_null({0}), {1}), false)",
    "json_value": _json_value,
    "json_text": _json_text,
    "last_message": _last_message,
    "if_else": "if({0}, {1}, {2})",
    "empty_to_null": "nullif({0}, '')",
    "bin": "CAST(floor(CAST({0} - {1} AS DOUBLE) / {2}) AS BIGINT)",
    "as_json": "to_json({0})",
}
#: Operations whose last arguments are keys, which are written as a path: how many stand before them.
_WITH_PATH = {"map_get": 1, "map_contains": 1, "json_has": 1, "json_value": 1, "json_text": 1}


def path_of(keys: Iterable[str]) -> str:
    """Where a JSON document has what is under these keys."""
    return "$" + "".join('."{}"'.format(re.sub(r'(["\\])', r"\\\1", key)) for key in keys)


# --- Values ----------------------------------------------------------------------------------------------
def type_name(kind: types.TypeEngine[Any]) -> str:
    """What a number in a map is called in a cast."""
    return "DECIMAL(38, 12)" if isinstance(kind, Money) else "BIGINT"


def parameter_value(value: Any) -> Any:
    """What pymysql writes as it should be."""
    match value:
        case datetime():
            return text_of_time(value)
        case str():
            return whole_text(value)
        case bool() | int() | float() | Decimal():
            return value
    raise CompileError(f"a value of type {type(value).__name__} cannot be sent to the analytics store")


_MARK = re.compile("\x01(\\d+)\x02")


class DorisCompiler(Compiler):
    """Renders each bound value as a mark, of which `for_pymysql` makes `%s` in the order in which they stand: an
    argument may be written twice, or behind a later one."""

    functions = FUNCTIONS

    @property
    def _values(self) -> list[Any]:
        values: list[Any] = self.__dict__.setdefault("_bound_values", [])
        return values

    @property
    def _from_outside(self) -> set[Any]:
        """What stands on the right of the outer joins met so far."""
        found: set[Any] = self.__dict__.setdefault("_outer_sources", set())
        return found

    def for_pymysql(self) -> tuple[str, list[Any]]:
        """The statement for `cursor.execute`, and its values."""
        values = [self._values[int(number)] for number in _MARK.findall(self.string)]
        return _MARK.sub("%s", self.string.replace("%", "%%")), values

    # --- What is read
    def visit_select(self, select_stmt: Select[Any], *args: Any, **kw: Any) -> str:
        for source, dialect in select_stmt._hints:
            if dialect == "clickhouse":  # FINAL: of versions the newest, and those alone that are not deleted
                select_stmt = select_stmt.where(source.c.is_deleted == false())
        self._from_outside.update(outer_sources(select_stmt))
        visit: Callable[..., str] = super().visit_select
        text = visit(select_stmt, *args, **kw)
        exploded = [column for column in select_stmt.selected_columns if _exploded(column) is not None]
        return self._with_members(select_stmt, text, exploded) if exploded else text

    def _with_members(self, query: Select[Any], text: str, exploded: Sequence[Any]) -> str:
        """Rows for the members of lists, around the query that has the lists. Within it a view would have to stand
        behind the one table of a join that it takes its list from."""
        if query._group_by_clauses or query._order_by_clauses or query._limit_clause is not None:
            raise CompileError("explode lists in a query of their own, which neither groups nor sorts")
        quote = self.preparer.quote
        is_nested = text.startswith("(")
        inner = text if is_nested else f"({text})"
        members = {column.name: f"`each_{at}`.`member`" for at, column in enumerate(exploded)}
        names = [column.name for column in query.selected_columns]
        columns = ", ".join(f"{members.get(name, f'`lists`.{quote(name)}')} AS {quote(name)}" for name in names)
        views = " ".join(
            f"LATERAL VIEW explode(`lists`.{quote(column.name)}) `each_{at}` AS `member`"
            for at, column in enumerate(exploded)
        )
        rows = f"SELECT {columns}\nFROM {inner} AS `lists` {views}"
        return f"({rows})" if is_nested else rows

    def visit_first_of_each(self, element: FirstOfEach, **kw: Any) -> str:
        quote = self.preparer.quote
        order = ", ".join(f"{quote(name)} {'DESC' if is_down else 'ASC'}" for name, is_down in element.order)
        names = ", ".join(quote(column.name) for column in element.query.selected_columns)
        place = f"row_number() OVER (PARTITION BY {quote(element.by)} ORDER BY {order})"
        # Sorted below, by columns that are there.
        rows = self.process(element.query.order_by(None), **kw)
        numbered = f"SELECT {names}, {place} AS `place_among_its` FROM ({rows}) AS `all_of_them`"  # noqa: S608
        kept = f"FROM ({numbered}) AS `numbered` WHERE `place_among_its` <= {int(element.limit)}"
        return f"SELECT {names} {kept} ORDER BY {order}"

    def visit_column(self, column: Any, *args: Any, **kw: Any) -> str:
        text: str = super().visit_column(column, *args, **kw)
        if column.table in self._from_outside and not may_be_null(column):
            return f"coalesce({text}, {default_of(column.type)})"
        return text

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        return None

    # --- Values
    def visit_bindparam(self, bindparam: elements.BindParameter[Any], *args: Any, **kw: Any) -> str:
        value = bindparam.effective_value
        if bindparam.expanding:
            return f"({', '.join(self._bound(one) for one in value or ())})"
        if value is None:
            return "NULL"
        if isinstance(value, list | tuple):
            return f"array({', '.join(self._bound(one) for one in value)})"
        return self._bound(value)

    def _bound(self, value: Any) -> str:
        self._values.append(parameter_value(value))
        return f"\x01{len(self._values) - 1}\x02"

    # --- Conditions
    def visit_in_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return self._among(binary, "IN", "OR", "false", **kw)

    def visit_not_in_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return self._among(binary, "NOT IN", "AND", "true", **kw)

    def _among(self, binary: Any, word: str, between: str, of_none: str, **kw: Any) -> str:
        left, right = binary.left, binary.right
        if not isinstance(right, elements.BindParameter):
            return self._among_rows(left, right, word, **kw)
        values = list(right.effective_value or ())
        if not values:
            return of_none
        if isinstance(left, elements.Tuple):
            return self._among_tuples(left, values, word, **kw)
        text = self.process(left, **kw)
        lists = (", ".join(self._bound(one) for one in some) for some in _in_parts(values))
        listed = f" {between} ".join(f"{text} {word} ({some})" for some in lists)
        if isinstance(left, Operation) and left.name == "unix_start" and word == "IN":
            return f"(({listed}) AND {self._around(left, values, **kw)})"
        return f"({listed})"

    def _around(self, start: Operation, seconds: Sequence[int], **kw: Any) -> str:
        """From the first to the last of these minutes or hours, by the time itself: partitions are known by it."""
        time = self.process(next(iter(start.clauses)), **kw)
        length = {"minute": 60, "hour": 3600}[start.constants["unit"]]
        first, last = (self._bound(EPOCH + timedelta(seconds=at)) for at in (min(seconds), max(seconds) + length))
        return f"{time} >= {first} AND {time} < {last}"

    def _among_rows(self, left: Any, right: Any, word: str, **kw: Any) -> str:
        query: Any = right.element if isinstance(right, elements.Grouping) else right
        query = getattr(query, "element", query)
        if not isinstance(left, elements.Tuple):
            return f"{self.process(left, **kw)} {word} {self._nested(query, **kw)}"
        columns = list(query.selected_columns)
        one_text = query.with_only_columns(Operation("key_text", types.Text(), *columns), maintain_column_froms=True)
        return f"{self._key_text(list(left.clauses), **kw)} {word} {self._nested(one_text, **kw)}"

    def _nested(self, query: Any, **kw: Any) -> str:
        text = self.process(query, **{**kw, "asfrom": False, "within_columns_clause": False})
        return text if text.startswith("(") else f"({text})"

    def _among_tuples(self, left: elements.Tuple, values: list[Any], word: str, **kw: Any) -> str:
        """Keys as one text each, and, for the indexes, their members by themselves."""
        columns = list(left.clauses)
        keys = ", ".join(self._bound(key_text(one)) for one in values)
        conditions = [f"{self._key_text(columns, **kw)} {word} ({keys})"]
        if word == "IN":
            for at, column in enumerate(columns):
                members = ", ".join(self._bound(one) for one in dict.fromkeys(value[at] for value in values))
                conditions.append(f"{self.process(column, **kw)} IN ({members})")
        return f"({' AND '.join(conditions)})"

    def _key_text(self, columns: Sequence[Any], **kw: Any) -> str:
        parts = []
        for column in columns:
            text = self.process(column, **kw)
            is_text = isinstance(column.type, types.String)
            parts += [f"char_length({text})", "':'", text] if is_text else [f"CAST({text} AS STRING)", "','"]
        return f"concat({', '.join(parts)})"

    def visit_truediv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        left, right = (self.process(side, **kw) for side in (binary.left, binary.right))
        return f"CAST({left} AS DOUBLE) / CAST({right} AS DOUBLE)"

    def visit_true(self, expr: Any, **kw: Any) -> str:
        return "true"

    def visit_false(self, expr: Any, **kw: Any) -> str:
        return "false"

    # --- Order
    def order_by_clause(self, select: Any, **kw: Any) -> str:
        terms = ", ".join(self._ordered(one, **kw) for one in select._order_by_clauses)
        return f" ORDER BY {terms}" if terms else ""

    def _ordered(self, term: Any, **kw: Any) -> str:
        inner = term.element if isinstance(term, elements._label_reference) else term
        is_down = isinstance(inner, elements.UnaryExpression) and inner.modifier is operators.desc_op
        text = self.process(term, **kw)
        if is_down or not may_be_null(self._labelled(inner)):
            return text
        # Nulls are the smallest here, so upwards they would come first.
        return f"{text.removesuffix(' ASC')} IS NULL, {text}"

    def _labelled(self, term: Any) -> Any:
        if not isinstance(term, elements._textual_label_reference):
            return term
        state: Any = self.stack[-1]["compile_state"]
        return state._label_resolve_dict[0][term.element]

    def visit_textual_label_reference(self, element: Any, within_columns_clause: bool = False, **kw: Any) -> str:
        # In full: where a table has a column of this name, it would be meant.
        return self.process(self._labelled(element), within_columns_clause=within_columns_clause, **kw)

    # --- Operations
    def visit_operation(self, operation: Operation, **kw: Any) -> str:
        special = getattr(self, f"operation_{operation.name}", None)
        if special is None:
            return super().visit_operation(operation, **kw)
        rendered: str = special(operation, list(operation.clauses), **kw)
        return rendered

    def arguments_of(self, operation: Operation, **kw: Any) -> Arguments:
        if operation.name not in _WITH_PATH:
            return super().arguments_of(operation, **kw)
        parts, before = list(operation.clauses), _WITH_PATH[operation.name]
        return [*(self.process(part, **kw) for part in parts[:before]), self._path(parts[before:], **kw)]

    def _path(self, keys: Sequence[Any], **kw: Any) -> str:
        if all(isinstance(key, elements.BindParameter) for key in keys):
            return self._bound(path_of(str(key.effective_value) for key in keys))
        [key] = keys
        return f"""concat('$."', {self.process(key, **kw)}, '"')"""

    def operation_explode(self, operation: Operation, parts: list[Any], **kw: Any) -> str:
        """The list: its members are made of the rows of the whole query."""
        return self.process(parts[0], **kw)

    def operation_key_text(self, operation: Operation, parts: list[Any], **kw: Any) -> str:
        return self._key_text(parts, **kw)

    def operation_map_get(self, operation: Operation, parts: list[Any], **kw: Any) -> str:
        document, path = self.process(parts[0], **kw), self._path(parts[1:], **kw)
        text = f"json_extract_string({document}, {path})"
        if isinstance(operation.type, types.String):
            return f"coalesce({text}, '')"
        return f"coalesce(CAST({text} AS {type_name(operation.type)}), 0)"

    def operation_sum(self, operation: Operation, parts: list[Any], **kw: Any) -> str:
        return self._sum(parts[0], self.process(parts[0], **kw))

    def operation_sum_if(self, operation: Operation, parts: list[Any], **kw: Any) -> str:
        value, condition = (self.process(part, **kw) for part in parts)
        return self._sum(parts[0], f"if({condition}, {value}, NULL)")

    def _sum(self, summed: Any, text: str) -> str:
        return f"sum({text})" if may_be_null(summed) else f"coalesce(sum({text}), 0)"

    def operation_arg_max_if(self, operation: Operation, parts: list[Any], **kw: Any) -> str:
        return self._by_if("max_by", operation, parts, **kw)

    def operation_arg_min_if(self, operation: Operation, parts: list[Any], **kw: Any) -> str:
        return self._by_if("min_by", operation, parts, **kw)

    def _by_if(self, name: str, operation: Operation, parts: list[Any], **kw: Any) -> str:
        value, by, condition = (self.process(part, **kw) for part in parts)
        found = f"{name}({value}, if({condition}, {by}, NULL))"
        return found if may_be_null(parts[0]) else f"coalesce({found}, {default_of(operation.type)})"

    def operation_has_any(self, operation: Operation, parts: list[Any], **kw: Any) -> str:
        if _is_empty_list(parts[1]):
            return "false"
        return f"arrays_overlap({self.process(parts[0], **kw)}, {self.process(parts[1], **kw)})"

    def operation_has_all(self, operation: Operation, parts: list[Any], **kw: Any) -> str:
        if not isinstance(parts[1], elements.BindParameter):
            raise CompileError("has_all needs the members as values")
        values = self.process(parts[0], **kw)
        members = [self._bound(one) for one in parts[1].effective_value or ()]
        return "({})".format(" AND ".join(f"array_contains({values}, {one})" for one in members)) if members else "true"

    def operation_to_text(self, operation: Operation, parts: list[Any], **kw: Any) -> str:
        text = self.process(parts[0], **kw)
        if isinstance(parts[0].type, types.Boolean):
            return f"if({text}, 'true', 'false')"
        return f"CAST({text} AS STRING)"

    def operation_greatest(self, operation: Operation, parts: list[Any], **kw: Any) -> str:
        return self._farthest("greatest", parts, **kw)

    def operation_least(self, operation: Operation, parts: list[Any], **kw: Any) -> str:
        return self._farthest("least", parts, **kw)

    def _farthest(self, name: str, parts: list[Any], **kw: Any) -> str:
        """Nulls are passed over; here one of them would be the answer."""
        texts = [self.process(part, **kw) for part in parts]
        if any(may_be_null(part) for part in parts):
            texts = [f"coalesce({', '.join([text, *(one for one in texts if one != text)])})" for text in texts]
        return f"{name}({', '.join(texts)})"


def _in_parts(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + _MOST_IN_LIST] for start in range(0, len(values), _MOST_IN_LIST))


def key_text(key: Sequence[Any]) -> str:
    """What `DorisCompiler._key_text` makes of the same values. The length of a text says where it ends."""
    return "".join(f"{len(one)}:{one}" if isinstance(one, str) else f"{parameter_value(one)}," for one in key)


def _is_empty_list(members: Any) -> bool:
    return isinstance(members, elements.BindParameter) and not members.effective_value


def _exploded(column: Any) -> Operation | None:
    element: Any = column.element if isinstance(column, elements.Label) else column
    is_one = isinstance(element, Operation) and (element.name == "explode" or element.name == "pairs")
    return element if is_one else None


class DorisDialect(DefaultDialect):
    name = "doris"
    statement_compiler = DorisCompiler
    preparer: type[compiler.IdentifierPreparer] = Preparer
    supports_native_boolean = True
    supports_statement_cache = False
    supports_simple_order_by_label = False
    max_identifier_length = 64


DIALECT = DorisDialect()


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text for pymysql, the values of its `%s`, what each SELECT in it reads, and how to read each column of the
    answer."""

    sql: str
    parameters: list[Any]
    reads: list[Read]
    #: whether it looks for words in texts, which may have megabytes
    looks_into_texts: bool = False
    columns: tuple[doris_answers.Column, ...] = ()


def compile_query(query: ClauseElement) -> Statement:
    columns = tuple(doris_answers.columns_of(query))
    compiled = _readable(query).compile(dialect=DIALECT)
    assert isinstance(compiled, DorisCompiler)
    sql, parameters = compiled.for_pymysql()
    return Statement(sql, parameters, compiled.reads, compiled.looks_into_texts, columns)


def _readable(query: Any) -> Any:
    """Lists come as JSON: what they are as text differs from version to version, and is no JSON."""
    if isinstance(query, FirstOfEach):
        return query
    if not isinstance(query, Select):
        return query
    shown = [
        Operation("as_json", types.Text(), _unlabelled(column)).label(column.name)
        if doris_answers.is_list(column)
        else column
        for column in query.selected_columns
    ]
    if all(one is column for one, column in zip(shown, query.selected_columns, strict=True)):
        return query
    return query.with_only_columns(*shown, maintain_column_froms=True)


def _unlabelled(column: Any) -> Any:
    return column.element if isinstance(column, elements.Label) else column
