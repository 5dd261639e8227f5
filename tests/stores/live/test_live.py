"""On real servers, where the environment names one.

Doris by `SPANWISE_TEST_DORIS_FE_HTTP_URL` (with `…_FE_QUERY_PORT`, `…_USER`, `…_PASSWORD` and `…_BE_HTTP_URL`),
ClickHouse by `SPANWISE_TEST_CLICKHOUSE_URL` (with `…_USER` and `…_PASSWORD`).
"""

from __future__ import annotations

import os

import pytest

from tests.stores import product_tests

#: Reading, besides: lists, filters, facets, metrics, pages.
READING = (
    "tests/tracing/test_explorer_lists.py",
    "tests/tracing/test_api_metrics.py",
    "tests/contract/test_traces.py",
    "tests/contract/test_observations_v2.py",
    "tests/contract/test_scores.py",
    "tests/contract/test_metrics.py",
)
NEEDS = {"doris": "SPANWISE_TEST_DORIS_FE_HTTP_URL", "clickhouse": "SPANWISE_TEST_CLICKHOUSE_URL"}


@pytest.mark.parametrize("file", [*product_tests.WRITING, *READING])
@pytest.mark.parametrize("store", NEEDS)
def test_the_product_on_a_real_server(store: str, file: str) -> None:
    if not os.environ.get(NEEDS[store]):
        pytest.skip(f"{NEEDS[store]} names no server")
    product_tests.run([file], store=store)
