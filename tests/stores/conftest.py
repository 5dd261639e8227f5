"""Production stores, each a real server that the tests start on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.postgres import Postgres, postgres
from tests.stores.swift import Swift, swift

_HERE = Path(__file__).resolve().parent
#: They run files of the product's own tests once more, which takes longer than all the others here.
_PRODUCT_AGAIN = {"test_product.py", "test_same_answers.py", "test_live.py"}


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker("stores")
            if item.path.name in _PRODUCT_AGAIN:
                item.add_marker("product_on_stores")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    server = postgres()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def swift_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    server = swift(tmp_path_factory.mktemp("swift") / "node")
    server.start()
    yield server
    server.stop()
