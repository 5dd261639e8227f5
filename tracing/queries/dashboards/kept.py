"""Figures that many look at, read once: dashboards are reloaded by ten people at a time while data arrive.

What is kept holds while the project's data are as they were, and for a few seconds beyond: on a busy project they
change several times a second, and nobody can tell a chart from the one of three seconds ago. Whoever asks for what is
being read waits for that. And only so many charts are read at a time, so that the store has room for what arrives.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import orjson

from accounts.access import ProjectScope
from config.errors import Unavailable
from tracing.analytics import versions
from tracing.queries.dashboards.definition import Definition
from tracing.queries.dashboards.figures import Figure, Looked, figure
from tracing.queries.dashboards.releases import list_releases

FRESH_SECONDS = 5.0
LONGEST_SECONDS = 60.0
#: at a time in this process
TURNS = 2
WAIT_SECONDS = 30.0
_MOST = 512


@dataclass(slots=True)
class _Slot:
    """One question, and its last answer."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    answer: Figure | None = None
    word: str = ""
    at: float = 0.0

    def holds(self, word: str) -> bool:
        age = time.monotonic() - self.at
        return self.answer is not None and (
            age < FRESH_SECONDS or (bool(word) and word == self.word and age < LONGEST_SECONDS)
        )


_slots: OrderedDict[bytes, _Slot] = OrderedDict()
_slots_lock = threading.Lock()
_turns = threading.BoundedSemaphore(TURNS)


def kept_figure(scope: ProjectScope, definition: Definition, looked: Looked, *, is_anew: bool = False) -> Figure:
    """As `figures.figure`; Unavailable, too, when it was not one's turn in time. `is_anew` reads it in any case."""
    now = datetime.now(UTC)
    slot = _slot_of(_key(scope, definition, looked, now))
    with slot.lock:
        word = versions.current(scope.project_id)
        if is_anew or not slot.holds(word):
            answer = _in_turn(lambda: _marked(scope, figure(scope, definition, looked, now), looked))
            slot.answer, slot.word, slot.at = answer, word, time.monotonic()
        assert slot.answer is not None
        return slot.answer


def _marked(scope: ProjectScope, drawn: Figure, looked: Looked) -> Figure:
    """With the releases that began on its axis of time."""
    if not drawn.definition.chart.is_in_time or drawn.is_empty:
        return drawn
    return replace(drawn, marks=tuple(list_releases(scope, drawn.span, looked.environments)))


def _in_turn(ask: Callable[[], Figure]) -> Figure:
    if not _turns.acquire(timeout=WAIT_SECONDS):
        raise Unavailable("Too many charts are being read right now. Try again in a moment.")
    try:
        return ask()
    finally:
        _turns.release()


def _key(scope: ProjectScope, definition: Definition, looked: Looked, now: datetime) -> bytes:
    """Ranges that end now move on with each minute."""
    minute = now.replace(second=0, microsecond=0)
    period = (looked.period.range, looked.period.since, looked.period.until)
    asked = (scope.project_id, definition.source, period, looked.environments, looked.filters, minute)
    return orjson.dumps(asked, option=orjson.OPT_SORT_KEYS, default=str)


def _slot_of(key: bytes) -> _Slot:
    with _slots_lock:
        slot = _slots.setdefault(key, _Slot())
        _slots.move_to_end(key)
        while len(_slots) > _MOST:
            _slots.popitem(last=False)
        return slot


def forget() -> None:
    with _slots_lock:
        _slots.clear()
