"""The whole product on a double of Doris: whatever is killed in the middle of a load, each span is there once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.ports import free_port
from tests.clients.conftest import eventually
from tests.clients.load import Exporters, stored_count, stored_ids
from tests.instance import Instance
from tests.stores.doris.server import DorisDouble

_RECOVERY_SECONDS = 60
_SLOW = {"part": "be", "kind": "slow", "seconds": 1.0}


@pytest.fixture(scope="module")
def product(double: DorisDouble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder: Path = tmp_path_factory.mktemp("doris-product")
    instance = Instance(folder, free_port(), environment=double.environment)
    try:
        instance.start()
        yield instance
    finally:
        instance.stop()


def at_work(double: DorisDouble) -> int:
    return int(double.ask("SELECT count(*) FROM doris_double.labels WHERE state = 'PREPARE'")[0][0])


def wait_for_a_load(double: DorisDouble) -> None:
    def loading() -> None:
        assert at_work(double)

    eventually(loading, _RECOVERY_SECONDS)


def assert_exactly_once(product: Instance, double: DorisDouble, load: Exporters) -> None:
    assert len(load.acknowledged) > 40, "the load was too small to prove anything"

    def all_there() -> None:
        assert stored_count(product, load.environment) >= len(load.acknowledged)

    eventually(all_there, _RECOVERY_SECONDS)
    counts = Counter(stored_ids(product, load.environment))
    assert set(counts) == load.acknowledged
    assert max(counts.values()) == 1
    [(rows,)] = double.ask("SELECT count(*) FROM observations WHERE environment = %s", load.environment)
    assert rows == len(load.acknowledged)
    assert 500 not in load.refused


def test_no_engine_of_its_own_is_started(product: Instance) -> None:
    assert product.part("worker")
    assert not product.part("analytics")


def test_a_store_killed_in_the_middle_of_loads_loses_and_doubles_nothing(
    product: Instance, double: DorisDouble
) -> None:
    with Exporters(product, "store-killed") as load:
        time.sleep(0.5)
        for _ in range(3):
            double.go_wrong(*[_SLOW] * 4)
            wait_for_a_load(double)
            double.kill()
            time.sleep(0.5)
            double.start()
            time.sleep(0.5)
    double.go_wrong()
    assert double.ask("SELECT count(*) FROM doris_double.labels WHERE state = 'ABORTED'")[0][0] >= 3
    assert_exactly_once(product, double, load)


def test_a_worker_killed_in_the_middle_of_a_load_loses_and_doubles_nothing(
    product: Instance, double: DorisDouble
) -> None:
    with Exporters(product, "worker-killed") as load:
        time.sleep(0.3)
        for _ in range(2):
            double.go_wrong(*[_SLOW] * 4)
            wait_for_a_load(double)
            product.kill("worker")
            time.sleep(0.5)
    double.go_wrong()
    assert_exactly_once(product, double, load)


@pytest.mark.parametrize("kind", ["drop after commit", "drop in the middle", "drop, then commit", "publish timeout"])
def test_answers_that_are_lost_lose_and_double_nothing(product: Instance, double: DorisDouble, kind: str) -> None:
    double.go_wrong(*[{"part": "be", "kind": kind, "seconds": 0.2}] * 5)
    with Exporters(product, f"lost-{kind.replace(', ', '-').replace(' ', '-')}") as load:
        time.sleep(2)
    assert_exactly_once(product, double, load)


def test_everything_killed_at_once_comes_back(product: Instance, double: DorisDouble) -> None:
    with Exporters(product, "everything-killed") as load:
        double.go_wrong(*[_SLOW] * 4)
        wait_for_a_load(double)
        product.kill_everything()
        double.kill()
        double.start()
        product.start()
    assert_exactly_once(product, double, load)
