"""Figures that many look at, read once: dashboards are reloaded by ten people at a time while data arrive.

What is kept holds while the project's data are as they were, and for a few seconds beyond: on a busy project they
change several times a second, and nobody can tell a chart from the one of three seconds ago. Whoever asks for what is
being read waits for that. And only so many charts are read at a time, so that the store has room for what arrives.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import orjson

from accounts.access import ProjectScope
from config.errors import SpanwiseError, Unavailable
from tracing.analytics import store, versions
from tracing.queries.dashboards.definition import Definition
from tracing.queries.dashboards.figure import Figure, Looked
from tracing.queries.dashboards.figures import figure
from tracing.queries.dashboards.releases import list_releases

FRESH_SECONDS = 5.0
LONGEST_SECONDS = 60.0
#: at a time in this process, and how many more may wait for that: each holds a thread of those that also take what
#: arrives
TURNS = 2
WAITING = 12
WAIT_SECONDS = 20.0
#: Finding that the store is away takes two seconds: whoever waits for a turn then is told at once, and not after all
#: others.
AWAY_SECONDS = 2.0
_MOST, _MOST_TEXTS = 512, 4
_BUSY = "Many charts are being read right now. Try again in a moment."


@dataclass(frozen=True, slots=True)
class Kept:
    """A figure, and what was made of it for those who look: ten people who see the same chart read the same text."""

    figure: Figure
    _texts: dict[Hashable, str] = field(default_factory=dict, compare=False)

    def text(self, variant: Hashable, make: Callable[[], str]) -> str:
        """What `make` makes of the figure, kept as long as it. `variant` is all that the text depends on beside."""
        known = self._texts.get(variant)
        if known is None:
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            known = self._texts[variant] = make()
        return known


@dataclass(slots=True)
class _Slot:
    """One question, and its last answer."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    answer: Kept | None = None
    word: str = ""
    at: float = field(default_factory=time.monotonic)

    def holds(self, word: str) -> bool:
        age = time.monotonic() - self.at
        return self.answer is not None and (
            age < FRESH_SECONDS or (bool(word) and word == self.word and age < LONGEST_SECONDS)
        )

    def is_over(self) -> bool:
        return time.monotonic() - self.at > 2 * LONGEST_SECONDS and not self.lock.locked()


_slots: OrderedDict[bytes, _Slot] = OrderedDict()
_slots_lock = threading.Lock()
#: until when the store is taken for away, and what it said
_away: list[tuple[float, Unavailable]] = []
_turns = threading.BoundedSemaphore(TURNS)
_places = threading.BoundedSemaphore(TURNS + WAITING)


def kept_figure(scope: ProjectScope, definition: Definition, looked: Looked, *, is_anew: bool = False) -> Kept:
    """As `figures.figure`; Unavailable, too, when it was not one's turn in time. `is_anew` reads it in any case."""
    now = datetime.now(UTC)
    slot = _slot_of(_key(scope, definition, looked, now))
    word = versions.current(scope.project_id)
    answer = slot.answer
    if answer is not None and not is_anew and slot.holds(word):
        return answer
    with _taken(_places, wait_seconds=0), _taken(slot.lock):
        # Whoever waited for it may find what it waited for.
        if slot.answer is None or not slot.holds(word) or is_anew:
            answer = Kept(_in_turn(lambda: _marked(scope, figure(scope, definition, looked, now), looked)))
            slot.answer, slot.word, slot.at = answer, word, time.monotonic()
        return slot.answer


@contextmanager
def _taken(what: threading.Lock | threading.Semaphore, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Raises Unavailable when others have it for so long."""
    if not what.acquire(timeout=wait_seconds):
        raise Unavailable(_BUSY)
    try:
        yield
    finally:
        what.release()


def _marked(scope: ProjectScope, drawn: Figure, looked: Looked) -> Figure:
    """With the releases that began on its axis of time."""
    if not drawn.definition.chart.is_in_time or drawn.is_empty:
        return drawn
    try:
        return replace(drawn, marks=tuple(list_releases(scope, drawn.span, looked.environments)))
    except SpanwiseError:  # the figures are there
        return drawn


def _in_turn(ask: Callable[[], Figure]) -> Figure:
    with _taken(_turns):
        for until, refusal in _away:
            if time.monotonic() < until:
                raise Unavailable(refusal.message)
        return _asked(ask)


def _asked(ask: Callable[[], Figure]) -> Figure:
    try:
        return ask()
    except Unavailable as refusal:
        # It may also have no room for this one chart, which says nothing about others.
        if not store.ping():
            _away[:] = [(time.monotonic() + AWAY_SECONDS, refusal)]
        raise


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
        # The minute is in the key: what is older than one is never asked for again.
        while len(_slots) > _MOST or next(iter(_slots.values())).is_over():
            _slots.popitem(last=False)
        return slot


def forget() -> None:
    with _slots_lock:
        _slots.clear()
        _away.clear()
