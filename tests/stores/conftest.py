"""Production stores, each a real server that the tests start on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.postgres import Postgres, postgres

_HERE = Path(__file__).resolve().parent


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker("stores")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    server = postgres()
    server.start()
    yield server
    server.stop()
