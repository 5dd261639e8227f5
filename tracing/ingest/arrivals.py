"""Who else hears what was stored, right after it was: rooms above tracing say so at start."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from accounts.access import ProjectScope
from tracing.analytics.records import Observation

#: Told of observations that are on disk and readable, new or changed; of a batch that is delivered again, again. What
#: it raises counts as a failure of the write, so that nothing is stored that it was not told of.
Listener = Callable[[ProjectScope, Sequence[Observation]], None]

_listeners: list[Listener] = []


def add_listener(listener: Listener) -> None:
    if listener not in _listeners:
        _listeners.append(listener)


def tell(scope: ProjectScope, stored: Sequence[Observation]) -> None:
    if stored:
        for listener in _listeners:
            listener(scope, stored)
