"""A plugin of pytest: what a test asks the analytics store, it asks the double of Doris as well.

`python -m pytest -p tests.stores.doris.asked_twice tests/tracing/test_explorer_lists.py`, with the ports of a double in
SPANWISE_TEST_DOUBLE and the name of a file for the report in SPANWISE_TEST_REPORT. The second time `store` has the
backend of Doris in place of ClickHouse's, and all else is the product's own: loads, statements, connections, answers.
Whatever a test writes is in both before the next question. The report has the tags of the questions asked, and each
whose answers differ.
"""

from __future__ import annotations

import math
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from django.conf import settings
from sqlalchemy.sql import elements

from tests import doris_lint
from tests.stores.doris.server import DorisDouble, running
from tracing.analytics import backends, migrate, store, tables, tenancy, versions
from tracing.analytics.backends import doris as backend
from tracing.analytics.backends.doris import pool
from tracing.analytics.dialects import doris, doris_answers
from tracing.analytics.functions import FirstOfEach
from tracing.analytics.records import Observation, Score, Trace

if TYPE_CHECKING:
    from accounts.access import ProjectScope

_RECORDS: dict[str, Any] = {"observations": Observation, "traces": Trace, "scores": Score}
_FIRST, _SECOND = "chDB", "Doris"
#: MariaDB's stand-ins for functions are slow, and what it takes is not what is asked here.
_ANSWER_SECONDS = 600
#: Of a value in the report.
_SHOWN = 600
#: Sums of the two databases differ in their last digits.
_DIGITS = 9


class Twice:
    """Stands before the functions of `store`, and remembers what it saw."""

    def __init__(self, double: DorisDouble) -> None:
        self.tags: Counter[str] = Counter()
        self.differences: list[dict[str, str]] = []
        self._double = double
        self._is_prepared = False
        self._thread = threading.local()
        self._lock = threading.RLock()
        self._mirrored: set[str] = set()
        self._store = {name: getattr(store, name) for name in ("rows", "plain", "records", "newest", "delete")}
        self._changed, self._current, self._ask_doris = versions.changed, backends.current, backend.ask

    def install(self) -> None:
        # Now, and not when they are needed: what is set while a test has settings of its own goes with them.
        for name, value in self._double.settings.items():
            setattr(settings, name, value)
        for name in ("rows", "plain", "records", "newest"):
            setattr(store, name, partial(self._twice, name))
        store.delete = self._delete
        versions.changed, backends.current, backend.ask = self.changed, self.current, self.ask

    def uninstall(self) -> None:
        for name, function in self._store.items():
            setattr(store, name, function)
        versions.changed, backends.current, backend.ask = self._changed, self._current, self._ask_doris

    # --- Where a thread is
    @property
    def _place(self) -> str:
        """Of the database that this thread is asking; empty between questions."""
        return getattr(self._thread, "place", "")

    @contextmanager
    def _at(self, place: str) -> Iterator[None]:
        before, self._thread.place = self._place, place
        try:
            yield
        finally:
            self._thread.place = before

    def current(self) -> backends.Backend:
        return backend if self._place == _SECOND else self._current()

    def changed(self, projects: Iterable[str] = ()) -> None:
        if self._place == _SECOND:
            return
        written = list(projects)
        self._mirrored.difference_update(written)
        self._changed(written)

    def ask(self, statement: doris.Statement, comment: str, **options: Any) -> bytes:
        self._thread.statement = statement
        doris_lint.check(statement.sql)
        return self._ask_doris(statement, comment, **options)

    # --- Questions
    def _twice(self, name: str, scope: ProjectScope, *given: Any, tag: str, **options: Any) -> Any:
        ask = partial(self._store[name], scope, *given, tag=tag)
        if self._place:  # part of another question
            return ask(**options)
        with self._at(_FIRST):
            found = ask(**options)
        self._thread.statement = None
        try:
            self._ask_again(_Question(name, given), scope, tag, found, partial(ask, **{**options, "is_anew": True}))
        except Exception as error:  # whatever it is, it belongs into the report and not into what is tested
            self._differs(tag, error=repr(error))
        return found

    def _ask_again(self, question: _Question, scope: ProjectScope, tag: str, found: Any, ask: Any) -> None:
        with self._lock, self._at(_SECOND):
            self._mirror(scope)
            theirs = ask()
        difference = question.difference(found, theirs)
        if difference and question.reads_versions():
            return  # Doris has one of each row; where chDB has one, too, they are compared
        self.tags[tag] += 1
        if difference:
            self._differs(tag, **difference)

    def _delete(self, scope: ProjectScope, table: Any, where: Any, *, tag: str) -> None:
        """From both, each by itself: what is left of the one must be left of the other."""
        delete = partial(self._store["delete"], scope, table, where, tag=tag)
        if self._place:
            delete()
            return
        try:
            with self._lock, self._at(_SECOND):
                self._mirror(scope)
                delete()
        except Exception as error:
            self._differs(tag, error=repr(error))
        with self._at(_FIRST):
            delete()
        self._mirrored.add(scope.project_id)
        keys = (table.c[name] for name in tables.KEYS[table.name])
        self._twice("rows", scope, store.select(scope, table, *keys), tag=tag)

    # --- What is asked
    def _mirror(self, scope: ProjectScope) -> None:
        """Loads what the project has. Labels go with the rows, or the same rows would not be loaded again."""
        if scope.project_id in self._mirrored:
            return
        self._prepare()
        with self._at(_FIRST):
            found = {
                table: self._store["records"](scope, kind, store.select(scope, table), tag="mirror", is_anew=True)
                for table, kind in ((tables.metadata.tables[name], kind) for name, kind in _RECORDS.items())
            }
        for table in found:
            self._double.ask(f"DELETE FROM `{table.name}` WHERE project_id = %s", scope.project_id)
        self._double.ask("DELETE FROM doris_double.labels")
        store.insert(**{table.name: records for table, records in found.items()})
        self._mirrored.add(scope.project_id)

    def _prepare(self) -> None:
        if self._is_prepared:
            return
        pool._ANSWER_SECONDS = _ANSWER_SECONDS
        migrate.apply(migrate.schema_files())
        self._is_prepared = True

    def _differs(self, tag: str, **what: str) -> None:
        told = {name: text[:_SHOWN] for name, text in what.items()}
        if statement := getattr(self._thread, "statement", None):
            told |= {"sql": statement.sql, "values": repr(statement.parameters)[:_SHOWN]}
        self.differences.append({"tag": tag, "test": os.environ.get("PYTEST_CURRENT_TEST", ""), **told})


class _Question:
    """A call of `store`, and how its answers are compared."""

    def __init__(self, name: str, given: Sequence[Any]) -> None:
        self._name = name
        #: of `newest` there is none
        self._query = None if name == "newest" else given[-1]
        columns = (given[1:] or given[0].c) if name == "newest" else getattr(self._query, "selected_columns", ())
        self._names = [column.name for column in columns]

    def reads_versions(self) -> bool:
        return self._query is not None and reads_versions(doris.compile_query(self._query))

    def difference(self, found: Sequence[Any], theirs: Sequence[Any]) -> dict[str, str]:
        ours_told, theirs_told = self._told(found), self._told(theirs)
        if sorted(map(repr, ours_told)) != sorted(map(repr, theirs_told)):
            return {"clickhouse": repr(ours_told), "doris": repr(theirs_told)}
        places = self._sorted_by()
        ours_told, theirs_told = ([[row[at] for at in places] for row in rows] for rows in (ours_told, theirs_told))
        if ours_told != theirs_told:
            return {"clickhouse_order": repr(ours_told), "doris_order": repr(theirs_told)}
        return {}

    def _told(self, answer: Sequence[Any]) -> list[list[Any]]:
        without = approximate(self._query)
        return [[None if at in without else _value(one) for at, one in enumerate(self._row(row))] for row in answer]

    def _row(self, row: Any) -> Sequence[Any]:
        if self._name == "records":
            return [getattr(row, name) for name in self._names]
        # Behind its columns `newest` may have what it pages by.
        return list(row[: len(self._names)] if self._name == "newest" else row)

    def _sorted_by(self) -> list[int]:
        return list(range(len(self._names))) if self._query is None else sorted_by(self._query)


def reads_versions(statement: doris.Statement) -> bool:
    """Whether it looks at versions of rows one by one."""
    for read in statement.reads:
        newest = {source for source, _dialect in read.select._hints}
        for source in read.sources:
            if any(tenancy._is_table(part) and part not in newest for part in tenancy._leaves(source)):
                return True
    return False


def sorted_by(query: Any) -> list[int]:
    """Places of the columns that rows are sorted by, as far as they are among those selected."""
    if isinstance(query, FirstOfEach):
        names = [column.name for column in query.query.selected_columns]
        return [names.index(name) for name, _is_down in query.order]
    columns = list(getattr(query, "selected_columns", ()))
    places: list[int] = []
    for term in getattr(query, "_order_by_clauses", ()):
        while isinstance(term, elements._label_reference | elements.UnaryExpression):
            term = term.element
        name = term.element if isinstance(term, elements._textual_label_reference) else None
        place = next((at for at, one in enumerate(columns) if one is term or one.name == name), None)
        if place is None:
            break
        places.append(place)
    return places


def approximate(query: Any) -> set[int]:
    """Places of columns that each database makes in its own way, and says so: the bars of histograms."""
    columns = list(getattr(query, "selected_columns", ()))
    operations = [doris_answers.operation_of(column) for column in columns]
    return {at for at, operation in enumerate(operations) if operation is not None and operation.name == "histogram"}


def _value(value: Any) -> Any:
    """Numbers without their types and last digits; lists, which databases collect in any order, sorted."""
    match value:
        case bool() | int() | float() | Decimal():
            number = float(value)
            return None if math.isnan(number) else f"{number:.{_DIGITS}g}"
        case dict():
            return {key: _value(one) for key, one in sorted(value.items())}
        case list() | tuple():
            return sorted((_value(one) for one in value), key=repr)
    return value


def pytest_configure(config: pytest.Config) -> None:
    double = running(os.environ["SPANWISE_TEST_DOUBLE"], f"twice_{os.getpid()}")
    config.stash[_TWICE] = twice = Twice(double)
    twice.install()


def pytest_unconfigure(config: pytest.Config) -> None:
    twice = config.stash[_TWICE]
    twice.uninstall()
    report = {"tags": twice.tags, "differences": twice.differences}
    Path(os.environ["SPANWISE_TEST_REPORT"]).write_bytes(orjson.dumps(report))


_TWICE = pytest.StashKey[Twice]()
