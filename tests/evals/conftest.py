"""What tests of evaluation share."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from tests.prompts.conftest import alice, bob, charlie, project, provider, workspace  # noqa: F401 - fixtures for all


@pytest.fixture
def planned_by_indexes(db):
    """PostgreSQL plans by what is in the tables, and would read as little as is in these from end to end."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
        yield
