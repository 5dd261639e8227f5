"""Threads of a worker's own, beside Celery's: for work that mostly waits for somebody else, as calls to models do.

What is to be done is in rows, and whoever takes one leaves a mark in it (config/claims.py), so a crew holds nothing
that could be lost. A task calls it, also as a sweep; as many threads start as there is work, up to its size, and each
goes on until there is none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, connection

from config.errors import Unavailable

log = logging.getLogger(__name__)

#: what a database raises that is away, or busy for too long: the same may go well later
DATABASE_AWAY = (OperationalError, InterfaceError)

_crews: list[Crew] = []


def patiently(write: Callable[[], None], seconds: float = 60.0) -> None:
    """Tries to write what came of some work for so long: a store that is away for a moment must not lose what somebody
    has paid for. Raises what it raised last."""
    until = time.monotonic() + seconds
    while True:
        try:
            return write()
        except (*DATABASE_AWAY, Unavailable) as error:
            if connection.in_atomic_block or time.monotonic() >= until:
                raise
            log.warning("What came of some work cannot be written: %s. Trying again.", error)
            if not isinstance(error, Unavailable):
                connection.close()
            time.sleep(1.0)


class Crew:
    """`work_on_next` takes one piece of work, does it to its end and says True; False where there is none.
    `size` is the most threads at a time."""

    def __init__(self, name: str, size: Callable[[], int], work_on_next: Callable[[], bool]) -> None:
        self._name, self._size, self._work_on_next = name, size, work_on_next
        self._ending = threading.Event()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        _crews.append(self)

    @property
    def is_ending(self) -> bool:
        """Whether the process ends: nothing more is begun, and what can be broken off is."""
        return self._ending.is_set()

    def call(self, waiting: int) -> None:
        """Gives so many pieces of work to threads, as far as there is room, and returns at once."""
        with self._lock:
            for _number in range(min(waiting, self._size() - len(self._threads))):
                if self.is_ending:
                    return
                thread = threading.Thread(target=self._work_until_empty, name=self._name, daemon=True)
                self._threads.add(thread)
                thread.start()

    def stop(self) -> None:
        self._ending.set()

    def wait(self, seconds: float) -> None:
        """For the threads to come to the end of what they do. What takes longer is left to another process."""
        until = time.monotonic() + seconds
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0))

    def _work_until_empty(self) -> None:
        try:
            while not self.is_ending and self._work_on_next():
                pass
        except DATABASE_AWAY as error:
            log.warning("The database cannot be asked for work (%s): %s", self._name, error)
        except Exception:
            log.exception("Work broke off (%s); the sweep goes on with it", self._name)
        finally:
            connection.close()
            with self._lock:
                self._threads.discard(threading.current_thread())


def stop_all() -> None:
    for crew in _crews:
        crew.stop()


def wait_for_all(seconds: float) -> None:
    until = time.monotonic() + seconds
    for crew in _crews:
        crew.wait(max(until - time.monotonic(), 0))
