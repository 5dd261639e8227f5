"""What all tests share: real services, started once a worker when first needed, and a clean slate by tenant."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.analytics_fixture import analytics_server  # noqa: F401 - a fixture for all
from tests.environment import PRODUCTION_STORES

pytest_plugins = ["tests.server_fixture"]
ROOT = Path(__file__).resolve().parent.parent


def _start(command: list[str], is_ready: Callable[[], bool], **environment: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"{command} did not start")
        time.sleep(0.02)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def broker() -> Iterator[None]:
    """A real Valkey on the port that the settings name, unless they name a production store."""
    from config.supervisor import _answers, _valkey_binary

    if "REDIS_HOST" in PRODUCTION_STORES:
        yield
        return
    port = os.environ["REDIS_PORT"]
    command = [_valkey_binary(), "--port", port, "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]
    process = _start(command, lambda: _answers(int(port)))
    yield
    _stop(process)


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A foreign SDK on a busy machine may miss one moment; what is broken fails three times."""
    for item in items:
        if "analytics_server" in getattr(item, "fixturenames", ()):
            item.add_marker("store")
        if "tests/clients" in item.nodeid:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))
