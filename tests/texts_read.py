"""Counts what comes back from the relational store, whichever way it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper


@contextmanager
def reading(word: str) -> Iterator[list[Any]]:
    """The rows, read within, in which a text has this word."""
    found: list[Any] = []

    def note(rows: Any) -> Any:
        found.extend(row for row in rows if any(isinstance(cell, str) and word in cell for cell in row))
        return rows

    class Noting(CursorWrapper):
        def __iter__(self) -> Iterator[Any]:
            for row in super().__iter__():
                yield note([row])[0]

        def fetchone(self) -> Any:
            row = self.cursor.fetchone()
            return row if row is None else note([row])[0]

        def fetchmany(self, *size: int) -> Any:
            return note(self.cursor.fetchmany(*size))

        def fetchall(self) -> Any:
            return note(self.cursor.fetchall())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "make_cursor", lambda cursor: Noting(cursor, connection))
        yield found
