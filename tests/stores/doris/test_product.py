"""The product's own tests of writing, with the double of Doris as the analytics store."""

from __future__ import annotations

import pytest

from tests.stores import product_tests
from tests.stores.programs import program


@pytest.mark.parametrize("file", product_tests.WRITING)
def test_the_product_writes_to_doris(file: str) -> None:
    program("mariadbd", package="mariadb-server")
    product_tests.run([file], store="double")
