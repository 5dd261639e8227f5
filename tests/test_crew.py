"""A worker's own threads: as many as there is work and room, and nothing is begun once the process ends."""

from __future__ import annotations

import threading
from collections import deque

from config.crew import Crew


class Waiting:
    """Pieces of work that wait until they are let go."""

    def __init__(self, count: int, *, broken: int = 0) -> None:
        self.left = deque(range(count))
        self.broken = broken
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()
        self.done: list[int] = []

    def next(self) -> bool:
        try:
            piece = self.left.popleft()
        except IndexError:
            return False
        self.begun.release()
        self.go.wait(30)
        if piece < self.broken:
            raise RuntimeError("broken")
        self.done.append(piece)
        return True


def test_no_more_threads_than_its_size_and_all_of_the_work():
    waiting = Waiting(7)
    crew = Crew("test", lambda: 3, waiting.next)
    crew.call(7)
    crew.call(7)  # called again while all are busy
    for _thread in range(3):
        assert waiting.begun.acquire(timeout=30)
    assert not waiting.begun.acquire(blocking=False)
    waiting.go.set()
    crew.wait(30)
    assert sorted(waiting.done) == list(range(7))


def test_no_more_threads_than_work():
    waiting = Waiting(1)
    crew = Crew("test", lambda: 3, waiting.next)
    crew.call(1)
    assert waiting.begun.acquire(timeout=30)
    waiting.go.set()
    crew.wait(30)
    assert waiting.done == [0]


def test_what_breaks_one_thread_leaves_room_for_the_next(caplog):
    waiting = Waiting(4, broken=2)
    waiting.go.set()
    crew = Crew("test", lambda: 2, waiting.next)
    for _call in range(3):
        crew.call(4)
        crew.wait(30)
    assert sorted(waiting.done) == [2, 3]
    assert "Work broke off (test)" in caplog.text


def test_a_process_that_ends_begins_nothing_more():
    waiting = Waiting(5)
    crew = Crew("test", lambda: 1, waiting.next)
    crew.call(1)
    assert waiting.begun.acquire(timeout=30)
    crew.stop()
    waiting.go.set()
    crew.wait(30)
    crew.call(5)
    crew.wait(30)
    assert (waiting.done, crew.is_ending) == ([0], True)
