"""A real analytics server for the tests: one per pytest session (per xdist worker), on a folder of its own."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from config.ports import free_port

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class LocalServer:
    """`python -m tracing.analytics.server` as a child process."""

    folder: Path
    port: int
    token: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tracing.analytics.server", "--data", str(self.folder), "--port", str(self.port)],
            cwd=ROOT,
            env={**os.environ, "SPANWISE_ANALYTICS_TOKEN": self.token},
            stderr=(self.folder.parent / "analytics.log").open("ab"),
        )
        self._wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/ping", timeout=2):
                    return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder.parent / "analytics.log").read_text()[-2000:]) from None
                time.sleep(0.05)


def local_server(folder: Path) -> LocalServer:
    return LocalServer(folder / "store", free_port(), secrets.token_hex(16))


@contextmanager
def pointed_at(server: LocalServer) -> Iterator[None]:
    """Django's settings name this server meanwhile."""
    names = {"CLICKHOUSE_URL": server.url, "CLICKHOUSE_PASSWORD": server.token, "CLICKHOUSE_DB": "default"}
    before = {name: getattr(settings, name) for name in names}
    for name, value in names.items():
        setattr(settings, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)


@pytest.fixture(scope="session")
def analytics_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """Running, migrated, and named by the settings until the end of the session."""
    server = local_server(tmp_path_factory.mktemp("analytics"))
    server.start()
    with pointed_at(server):
        call_command("migrate_analytics", verbosity=0)
        yield server
    server.stop()
