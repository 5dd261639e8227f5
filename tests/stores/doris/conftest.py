"""A double of Doris for these tests, with the schema in it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.core.management import call_command

from accounts.access import ProjectScope
from accounts.roles import Role
from tests.stores.doris.server import DorisDouble, pointed_at, started_double
from tests.tracing.conftest import own_inbox, sender  # noqa: F401 - fixtures of the door
from tracing.analytics.backends.doris import nodes, pool


@pytest.fixture(scope="session")
def doris_server() -> Iterator[DorisDouble]:
    with started_double() as double:
        with pointed_at(double):
            call_command("migrate_analytics", verbosity=0)
        yield double


@pytest.fixture(scope="module")
def double() -> Iterator[DorisDouble]:
    """One of a file's own, which may be killed; without tables."""
    with started_double() as double:
        yield double


@pytest.fixture
def doris(doris_server: DorisDouble, monkeypatch: pytest.MonkeyPatch) -> Iterator[DorisDouble]:
    """The settings name the double; nothing goes wrong until it is told to."""
    monkeypatch.setattr(pool, "RETRY_PAUSES_SECONDS", (0.05,))
    nodes.forget()
    doris_server.go_wrong()
    with pointed_at(doris_server):
        yield doris_server


@pytest.fixture
def scope() -> ProjectScope:
    return ProjectScope(project_id=f"doris-{uuid4().hex}", role=Role.OWNER)
