"""The relational store as ingestion needs it: when it is away, entries wait in the inbox instead of failing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection

from config.errors import Unavailable


@contextmanager
def needs_database() -> Iterator[None]:
    """Away or locked becomes Unavailable, which the drain waits out."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if not connection.in_atomic_block:  # the next try is to find a new connection, not the broken one
            connection.close()
        raise Unavailable(f"The database is away: {error}") from error
