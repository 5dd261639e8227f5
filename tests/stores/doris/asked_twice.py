"""A plugin of pytest: what a test asks the analytics store, it asks MariaDB as well, in the dialect of Doris.

`python -m pytest -p tests.stores.doris.asked_twice tests/tracing/test_explorer_lists.py`, with the port of a MariaDB in
SPANWISE_TEST_MARIADB and the name of a file for the report in SPANWISE_TEST_REPORT. Whatever a test writes is in both
before the next question. The report has the tags of the questions asked, and each whose answers differ.
"""

from __future__ import annotations

import math
import os
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy.sql import elements

from tests import doris_lint
from tests.stores.doris import mirror
from tests.stores.mariadb import MariaDB
from tracing.analytics import paging, store, tenancy, versions
from tracing.analytics.dialects import doris, doris_answers
from tracing.analytics.functions import FirstOfEach
from tracing.analytics.records import Observation, Score, Trace

if TYPE_CHECKING:
    from accounts.access import ProjectScope

_RECORDS: dict[str, Any] = {"observations": Observation, "traces": Trace, "scores": Score}
#: Of a value in the report.
_SHOWN = 600
#: Sums of the two databases differ in their last digits.
_DIGITS = 9


class Twice:
    """Stands before the functions of `store`, and remembers what it saw."""

    def __init__(self, server: MariaDB, database: str) -> None:
        self.tags: Counter[str] = Counter()
        self.differences: list[dict[str, str]] = []
        self._server, self._database = server, database
        self._thread = threading.local()
        self._lock = threading.RLock()
        self._mirrored: set[str] = set()
        self._store = {name: getattr(store, name) for name in ("rows", "plain", "records", "newest")}
        self._changed = versions.changed

    def install(self) -> None:
        for name in self._store:
            setattr(store, name, getattr(self, name))
        versions.changed = self.changed

    def uninstall(self) -> None:
        for name, function in self._store.items():
            setattr(store, name, function)
        versions.changed = self._changed

    def changed(self, projects: Iterable[str]) -> None:
        written = list(projects)
        self._mirrored.difference_update(written)
        self._changed(written)

    # --- The functions of the store
    def rows(self, scope: ProjectScope, query: Any, *, tag: str, **options: Any) -> Any:
        found = self._store["rows"](scope, query, tag=tag, **options)
        self._ask(scope, query, tag, found)
        return found

    def plain(self, scope: ProjectScope, query: Any, *, tag: str, **options: Any) -> Any:
        found = self._store["plain"](scope, query, tag=tag, **options)
        self._ask(scope, query, tag, found, is_plain=True)
        return found

    def records(self, scope: ProjectScope, kind: Any, query: Any, *, tag: str, **options: Any) -> Any:
        found = self._store["records"](scope, kind, query, tag=tag, **options)
        names = [column.name for column in query.selected_columns]
        self._ask(scope, query, tag, [[getattr(one, name) for name in names] for one in found])
        return found

    def newest(self, scope: ProjectScope, source: Any, *columns: Any, tag: str, **options: Any) -> Any:
        with self._unasked():
            found = self._store["newest"](scope, source, *columns, tag=tag, **options)
        query = paging.paged(
            store.select(scope, source, *columns).where(*options.get("where", ())),
            source,
            options.get("before"),
            options.get("oldest_first", False),
            options["limit"],
        )
        shown = [row[: len(query.selected_columns)] for row in found]
        self._ask(scope, query, tag, shown, is_plain=options.get("as_plain", False))
        return found

    # --- The second answer
    def _unasked(self) -> _Within:
        return _Within(self._thread)

    def _ask(self, scope: ProjectScope, query: Any, tag: str, found: Sequence[Any], *, is_plain: bool = False) -> None:
        if getattr(self._thread, "is_within", False):
            return
        statement = doris.compile_query(query)
        if reads_versions(statement):
            return  # of rows that Doris has one version of
        self.tags[tag] += 1
        try:
            doris_lint.check(statement.sql)
            with self._lock, self._unasked():
                self._mirror(scope)
            with self._server.connect(self._database) as connection:
                theirs = mirror.answer(connection, statement, is_plain=is_plain)
        except Exception as error:  # whatever it is, it belongs into the report and not into what is tested
            self._differs(tag, statement, error=repr(error))
            return
        without = approximate(query)
        ours_told, theirs_told = _told(found, without), _told(theirs, without)
        if sorted(map(repr, ours_told)) != sorted(map(repr, theirs_told)):
            self._differs(tag, statement, clickhouse=repr(ours_told), doris=repr(theirs_told))
            return
        places = sorted_by(query)
        orders = [[[row[place] for place in places] for row in rows] for rows in (ours_told, theirs_told)]
        if orders[0] != orders[1]:
            self._differs(tag, statement, clickhouse_order=repr(orders[0]), doris_order=repr(orders[1]))

    def _mirror(self, scope: ProjectScope) -> None:
        if scope.project_id in self._mirrored:
            return
        self._mirrored.add(scope.project_id)
        with self._server.connect(self._database) as connection:
            for table in mirror.TABLES:
                with connection.cursor() as cursor:
                    cursor.execute(f"DELETE FROM `{table.name}` WHERE project_id = %s", (scope.project_id,))
                query = store.select(scope, table)
                found = self._store["records"](scope, _RECORDS[table.name], query, tag="mirror", is_anew=True)
                mirror.load(connection, table, found)

    def _differs(self, tag: str, statement: doris.Statement, **what: str) -> None:
        told = {name: text[:_SHOWN] for name, text in what.items()}
        values = repr(statement.parameters)[:_SHOWN]
        test = os.environ.get("PYTEST_CURRENT_TEST", "")
        self.differences.append({"tag": tag, "test": test, "sql": statement.sql, "values": values, **told})


class _Within:
    """What this thread asks meanwhile is part of another question."""

    def __init__(self, thread: threading.local) -> None:
        self._thread = thread

    def __enter__(self) -> None:
        self._before = getattr(self._thread, "is_within", False)
        self._thread.is_within = True

    def __exit__(self, *_: object) -> None:
        self._thread.is_within = self._before


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


def _told(rows: Sequence[Any], without: set[int]) -> list[list[Any]]:
    return [[None if at in without else _value(value) for at, value in enumerate(row)] for row in rows]


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
    server = MariaDB(Path(), int(os.environ["SPANWISE_TEST_MARIADB"]))
    database = f"twice_{os.getpid()}"
    mirror.make_database(server, database)
    config.stash[_TWICE] = twice = Twice(server, database)
    twice.install()


def pytest_unconfigure(config: pytest.Config) -> None:
    twice = config.stash[_TWICE]
    twice.uninstall()
    report = {"tags": twice.tags, "differences": twice.differences}
    Path(os.environ["SPANWISE_TEST_REPORT"]).write_bytes(orjson.dumps(report))


_TWICE = pytest.StashKey[Twice]()
