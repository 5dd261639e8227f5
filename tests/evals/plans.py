"""How a database goes about a question."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def by_indexes(*, each_table_alone: bool = False) -> Iterator[None]:
    """PostgreSQL plans by what is in the tables, and would read as little as is in these from end to end. Of tables
    that are joined it would begin with any."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
                if each_table_alone:
                    cursor.execute("SET LOCAL enable_nestloop = off")
        yield
