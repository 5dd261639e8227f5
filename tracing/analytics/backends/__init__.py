"""The databases that the analytics store may be, each a module that offers `Backend`.

`LANGFUSE_ANALYTICS_BACKEND` chooses one. What each is spoken to in is in `dialects/`, what its tables are in `schema/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

from django.conf import settings
from sqlalchemy import Select
from sqlalchemy.sql import ClauseElement

from tracing.analytics.pieces import Encoded
from tracing.analytics.tenancy import Read

#: Names that `LANGFUSE_ANALYTICS_BACKEND` may have.
NAMES = ("clickhouse", "doris")


class Statement(Protocol):
    """A query as its dialect compiled it: text, values, and what each SELECT in it reads."""

    @property
    def sql(self) -> str: ...
    @property
    def parameters(self) -> Any: ...
    @property
    def reads(self) -> list[Read]: ...


class Backend(Protocol):
    """Raises errors of `config.errors`, or the driver's own for statements and rows that are wrong in themselves."""

    #: where its numbered schema files are
    @property
    def FOLDER(self) -> Path: ...
    #: whether several rows of one key may be found until it has merged them
    @property
    def KEEPS_VERSIONS(self) -> bool: ...
    #: how long its server may take to come up
    @property
    def STARTING_SECONDS(self) -> float: ...

    def compile_query(self, query: ClauseElement, /) -> Any: ...

    def ask(self, statement: Any, comment: str, *, is_plain: bool, most_rows: int | None) -> bytes:
        """The answer, as `table` and `plain` understand it. `comment` says who asked."""
        ...

    def table(self, statement: Any, answer: bytes, /) -> tuple[tuple[str, ...], Iterable[Sequence[Any]]]:
        """Names and rows of an answer, with Python's values."""
        ...

    def plain(self, statement: Any, answer: bytes, /) -> list[list[Any]]:
        """Rows of an answer that was asked for plainly: times as text, money as numbers."""
        ...

    def encode(self, records: Sequence[Any], /) -> tuple[list[str], bytes]:
        """Column names, and records of one table as the body of an insert; bodies are put together by lines' ends."""
        ...

    def insert(self, table: str, parts: Sequence[Encoded], /) -> None:
        """On disk when it returns."""
        ...

    def delete(self, rows: Select[Any], table: str, comment: str, check: Callable[[Sequence[Read]], None], /) -> None:
        """Overwrites what `rows` finds (the key and `row_version`) by rows that say "deleted"."""
        ...

    def is_own_trouble(self, error: Exception, /) -> bool:
        """Whether an insert failed for anything but its rows, so that these may be stored later."""
        ...

    def is_error(self, error: Exception, /) -> bool:
        """Whether an error is one of its driver."""
        ...

    def is_reachable(self) -> bool: ...

    def explain(self, statement: Any, /) -> str: ...

    # --- Schema
    def is_ready(self) -> bool:
        """Whether tables can be made: a server may answer before that. Raises TooOld for one that never will do."""
        ...

    def make_history(self) -> None:
        """The table of what has been applied, and whatever it needs."""
        ...

    def applied(self) -> dict[int, str]:
        """Checksums of the schema files that were applied, by number."""
        ...

    def run(self, sql: str, /) -> None:
        """One statement of a schema file."""
        ...

    def remember(self, version: int, name: str, checksum: str, /) -> None: ...


def current() -> Backend:
    """The one that the settings name."""
    return cast(Backend, _module(settings.ANALYTICS_BACKEND))


def _module(name: str) -> ModuleType:
    if name not in NAMES:
        raise ValueError(f"LANGFUSE_ANALYTICS_BACKEND must be one of {', '.join(NAMES)}, not {name!r}")
    return import_module(f"{__name__}.{name}")
