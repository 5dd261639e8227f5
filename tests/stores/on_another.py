"""A plugin of pytest (`-p tests.stores.on_another`): tests of the product on another analytics store than chDB.

`SPANWISE_TEST_ANALYTICS` says which: `double` (of Doris), or `doris` or `clickhouse`, a real server that the variables
`SPANWISE_TEST_DORIS_…` and `SPANWISE_TEST_CLICKHOUSE_…` name, which are otherwise those of the settings. There the
tests work in a database of their own, which is dropped afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import call_command

from tests import analytics_fixture


@pytest.fixture(scope="session")
def analytics_server() -> Iterator[Any]:
    """Migrated, and named by the settings until the end of the session."""
    match os.environ["SPANWISE_TEST_ANALYTICS"]:
        case "double":
            yield from _double()
        case "doris":
            yield from _doris()
        case "clickhouse":
            yield from _clickhouse()


# The conftest, which is loaded later, takes the fixture from there.
analytics_fixture.analytics_server = analytics_server


def _double() -> Iterator[Any]:
    from tests.stores.doris.server import doris_double, pointed_at

    double = doris_double()
    try:
        double.start()
        with pointed_at(double):
            call_command("migrate_analytics", verbosity=0)
            yield double
    finally:
        double.stop()


def _doris() -> Iterator[None]:
    from tracing.analytics.backends.doris import execute

    database = f"spanwise_test_{uuid4().hex[:12]}"
    given = _given("DORIS", ("FE_HTTP_URL", "USER", "PASSWORD", "BE_HTTP_URL"))
    if port := os.environ.get("SPANWISE_TEST_DORIS_FE_QUERY_PORT"):
        given["DORIS_FE_QUERY_PORT"] = int(port)
    with _settings({**given, "ANALYTICS_BACKEND": "doris", "DORIS_DB": database}):
        call_command("migrate_analytics", verbosity=0)
        try:
            yield
        finally:
            execute(f"DROP DATABASE `{database}` FORCE", database="")


def _clickhouse() -> Iterator[None]:
    from tracing.analytics import client

    database = f"spanwise_test_{uuid4().hex[:12]}"
    given = _given("CLICKHOUSE", ("URL", "USER", "PASSWORD"))
    with _settings({**given, "ANALYTICS_BACKEND": "clickhouse"}):
        client.call(lambda c: c.command(f"CREATE DATABASE `{database}`"))
        try:
            with _settings({"CLICKHOUSE_DB": database}):
                call_command("migrate_analytics", verbosity=0)
                yield
        finally:
            client.call(lambda c: c.command(f"DROP DATABASE `{database}`"))


def _given(kind: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Settings from the variables that tests may have."""
    known = {f"{kind}_{name}": os.environ.get(f"SPANWISE_TEST_{kind}_{name}") for name in names}
    return {name: value for name, value in known.items() if value is not None}


@contextmanager
def _settings(values: dict[str, Any]) -> Iterator[None]:
    before = {name: getattr(settings, name) for name in values}
    for name, value in values.items():
        setattr(settings, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)
