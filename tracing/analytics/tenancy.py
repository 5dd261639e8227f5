"""Refuses a query that reads any table without the project of its scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Alias, FromClause, Select, Table
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList, ColumnClause

if TYPE_CHECKING:
    from accounts.access import ProjectScope


class NotScoped(Exception):
    """A mistake in the program: the query could read another project's rows."""


@dataclass(frozen=True, slots=True)
class Read:
    """One SELECT of a statement, and what stands in its FROM."""

    select: Select[Any]
    sources: tuple[FromClause, ...]


def check(scope: ProjectScope, reads: Sequence[Read]) -> None:
    """`reads` are all SELECTs of a statement, as its compiler met them. Raises NotScoped."""
    if not reads:
        raise NotScoped("this statement reads nothing")
    for read in reads:
        held = _held(read.select, scope.project_id)
        for source in read.sources:
            _check_source(source, held)


def _check_source(source: Any, held: set[Any]) -> None:
    for part in _leaves(source):
        if _is_table(part) and part not in held:
            raise NotScoped(f"{part} is read without the project: begin with store.select(scope, …)")


def _leaves(source: Any) -> list[Any]:
    """The tables and aliases of a FROM, through its joins."""
    if source.__visit_name__ == "join":
        return _leaves(source.left) + _leaves(source.right)
    return [source]


def _is_table(source: Any) -> bool:
    return isinstance(source, Table) or (isinstance(source, Alias) and isinstance(source.element, Table))


def _held(query: Select[Any], project_id: str) -> set[Any]:
    """Sources whose project_id is compared with this project, in a condition that must hold."""
    conditions = list(query._where_criteria)
    held = set()
    while conditions:
        condition = conditions.pop()
        if isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
            conditions.extend(condition.clauses)
        elif _is_project_filter(condition, project_id):
            held.add(condition.left.table)
    return held


def _is_project_filter(condition: Any, project_id: str) -> bool:
    return (
        isinstance(condition, BinaryExpression)
        and condition.operator is operators.eq
        and isinstance(condition.left, ColumnClause)
        and condition.left.name == "project_id"
        and isinstance(condition.right, BindParameter)
        and condition.right.effective_value == project_id
    )
