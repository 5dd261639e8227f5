"""Server programs that Debian packages and PyPI does not. Without one the tests of its store are skipped; in CI they
fail."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

import psutil
import pytest

#: where Debian keeps servers that nobody starts by hand
_MORE_FOLDERS = ("/usr/sbin", "/usr/lib/postgresql/*/bin")
#: of a program that did not come up
_LAST_CHARACTERS = 4000


def program(name: str, *, package: str) -> str:
    """The path of a server program; the newest where there are several. Skips the test without it, or fails in CI."""
    found = [path for folder in _MORE_FOLDERS for path in glob(f"{folder}/{name}")]
    path = shutil.which(name) or max(found, default=None)
    if path is None:
        message = f"{name} is not installed; on Debian: apt-get install {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return path  # not resolved: Redis goes by the name that it is called


@dataclass
class Server:
    """One server program in a process group of its own, on the loopback address and a folder of its own."""

    command: list[str]
    folder: Path
    is_ready: Callable[[], bool]
    #: runs as this user, where the tests run as root and the program refuses to
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    #: what its administrator's tool sends to end it
    ends_by: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        return self.folder / f"{Path(self.command[0]).name}.log"

    def start(self) -> None:
        """Returns when it can be used. Raises RuntimeError with its last lines if it does not come up."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + 60
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command} did not come up:\n{self.log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """As an administrator ends it; by force what does not end."""
        if self.process is None:
            return
        everything = self._everything()
        self.process.send_signal(self.ends_by)
        _gone, alive = psutil.wait_procs(everything, timeout=20)
        _kill(alive)
        self.process.wait()

    def kill(self) -> None:
        """As a power cut ends it."""
        assert self.process is not None
        everything = self._everything()
        _kill(everything)
        psutil.wait_procs(everything, timeout=20)
        self.process.wait()

    def restart(self) -> None:
        self.stop()
        self.start()

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")[-_LAST_CHARACTERS:]

    def _everything(self) -> list[psutil.Process]:
        assert self.process is not None
        try:
            first = psutil.Process(self.process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
