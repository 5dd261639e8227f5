"""What the dialects write alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import Select
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql import compiler

from tracing.analytics.functions import Operation
from tracing.analytics.tenancy import Read

Arguments = list[str]
Options = Mapping[str, Any]
#: How an operation of `functions.py` is written: a pattern of its arguments, or a function of arguments and options.
Pattern = str | Callable[[Arguments, Options], str]

#: Operations that look for characters in a text.
_INTO_TEXTS = frozenset({"search", "resembles", "place_of", "contains", "contains_ignoring_case"})


def zone_name(options: Options) -> str:
    """For between quotation marks."""
    zone: str = options["timezone"]
    return zone.replace("\\", "").replace("'", "")


def text_of_time(value: datetime) -> str:
    """In UTC with its microseconds. What drivers make of a time is local, or without them."""
    moment = value.astimezone(UTC) if value.tzinfo else value
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def whole_text(value: str) -> str:
    """Without halves of surrogate pairs, which no database takes."""
    return value.encode("utf-8", "replace").decode("utf-8")


class Compiler(compiler.SQLCompiler):
    """Knows operations, and remembers what each SELECT reads."""

    functions: ClassVar[Mapping[str, Pattern]]
    looks_into_texts = False

    @property
    def reads(self) -> list[Read]:
        found: list[Read] = self.__dict__.setdefault("_reads", [])
        return found

    def _compose_select_body(
        self, text: str, select_stmt: Select[Any], compile_state: Any, inner_columns: Any, froms: Any, *rest: Any
    ) -> str:
        # The one place that knows what a SELECT reads without working it out again, which takes longer than compiling.
        self.reads.append(Read(select_stmt, tuple(froms)))
        compose: Callable[..., str] = super()._compose_select_body
        return compose(text, select_stmt, compile_state, inner_columns, froms, *rest)

    def visit_operation(self, operation: Operation, **kw: Any) -> str:
        """An operation of `functions.py`."""
        self.looks_into_texts |= operation.name in _INTO_TEXTS
        pattern, arguments = self.functions[operation.name], self.arguments_of(operation, **kw)
        return pattern(arguments, operation.constants) if callable(pattern) else pattern.format(*arguments)

    def arguments_of(self, operation: Operation, **kw: Any) -> Arguments:
        return [self.process(argument, **kw) for argument in operation.clauses]

    def limit_clause(self, select: Any, **kw: Any) -> str:
        text = ""
        if select._limit_clause is not None:
            text += "\n LIMIT " + self.process(select._limit_clause, **kw)
        if select._offset_clause is not None:
            text += " OFFSET " + self.process(select._offset_clause, **kw)
        return text

    def visit_is_true_unary_operator(self, element: Any, operator: Any, **kw: Any) -> str:
        return self.process(element.element, **kw)

    def visit_is_false_unary_operator(self, element: Any, operator: Any, **kw: Any) -> str:
        return f"NOT {self.process(element.element, **kw)}"


class Preparer(compiler.IdentifierPreparer):
    """Backticks around everything: `release`, `timestamp` and more are words of the language somewhere."""

    def __init__(self, dialect: DefaultDialect) -> None:
        super().__init__(dialect, initial_quote="`", final_quote="`", escape_quote="`")

    def _requires_quotes(self, value: str) -> bool:
        return True
