"""Memory of all processes and bytes on disk."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import psutil

from tests.instance import Instance


def memory_mb(instance: Instance) -> float:
    """Sum over all processes; pages that several share count once in each, as `ps` shows them."""
    total = 0
    for process in instance.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / 1e6


def disk_bytes(folder: Path) -> int:
    """Blocks of all files, counted once each however many names they have."""
    seen: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            facts = path.lstat()
            seen[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return sum(seen.values())


class PeakMemory(threading.Thread):
    """`with PeakMemory(instance) as peak: …` then `peak.mb`."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(daemon=True)
        self.instance, self.mb, self._done = instance, 0.0, threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.5):
            self.mb = max(self.mb, memory_mb(self.instance))

    def __enter__(self) -> PeakMemory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()
