"""Fixture `server`: one running product for the whole test run, shared by all xdist workers."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import httpx
import pytest

from config.ports import free_port
from tests.instance import Instance

_RUN = "SPANWISE_TEST_RUN"
#: the one address of this machine that the shared server may call, for tests of calls to models
OPEN_HOST = "127.0.0.2"
#: judgements that fail are tried again soon, and a model that says nothing is given up soon
_ENVIRONMENT = {
    "SPANWISE_OUTGOING_ALLOWED": OPEN_HOST,
    "SPANWISE_JUDGEMENT_RETRY_SECONDS": "1,1,1",
    "SPANWISE_JUDGEMENT_TIMEOUT_SECONDS": "5",
}


def pytest_configure() -> None:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # hundreds of polls would bury what failed
    os.environ.setdefault(_RUN, uuid.uuid4().hex)  # xdist's workers inherit it, and so find the same server


@pytest.hookimpl(trylast=True)  # after the tests have their markers, and their order by chance
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several workers one mostly drives the product, which waits more than it works, and another does what needs
    none; short files come last, and so nobody has much left to do when the others are done."""
    if not hasattr(config, "workerinput"):
        return
    tests = Counter(item.path for item in items)
    by_length = sorted(tests, key=lambda path: -tests[path])
    driving = {item.path for item in items if item.get_closest_marker("server")}
    pairs = zip_longest([one for one in by_length if one in driving], [one for one in by_length if one not in driving])
    places = {path: place for place, path in enumerate(path for pair in pairs for path in pair if path)}
    items.sort(key=lambda item: places[item.path])


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    folder = _folder()
    if (folder / "instance.json").exists():
        Instance.from_json((folder / "instance.json").read_text()).stop()
    shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"spanwise-tests-{os.environ[_RUN]}"


@pytest.fixture(scope="session")
def server() -> Instance:
    """The product on a folder of its own with one project; ended after the last test of the run."""
    folder = _folder()
    facts = folder / "instance.json"
    with _locked():
        if not facts.exists():
            instance = Instance(folder, free_port(), environment=_ENVIRONMENT)
            try:
                instance.start()
            finally:
                facts.write_text(instance.to_json())  # also when it failed: what was started must be ended
        instance = Instance.from_json(facts.read_text())
        if not instance.processes():
            pytest.fail(f"The product is not running any more:\n{instance.log()[-4000:]}", pytrace=False)
        return instance


def project_of(server: Instance, name: str) -> Instance:
    """The shared product with a project for some of the tests, whose counts and lists the others do not change."""
    with _locked():
        return server.with_project(name)


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """For one worker at a time."""
    _folder().mkdir(exist_ok=True, mode=0o700)
    with (_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def api(server: Instance) -> Iterator[httpx.Client]:
    """The shared server's public API, with the project's keys."""
    with server.client() as client:
        yield client


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Instance]:
    """A product of one's own, for tests that break it."""
    yield from started(Instance(tmp_path / "product", free_port()))


def started(instance: Instance) -> Iterator[Instance]:
    try:
        instance.start()
        yield instance
    finally:  # also of one that came up too late
        instance.stop()
