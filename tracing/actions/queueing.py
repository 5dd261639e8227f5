"""Putting rows into an annotation queue: the app that owns queues says how."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from accounts.access import ProjectScope
from accounts.audit import Actor
from config.errors import NotFound
from tracing.queries.explorer.nouns import Noun
from tracing.queries.selection import RowId

#: (scope, queue id, noun of the rows, rows, whether their sessions are meant, actor). What the queue holds already is
#: left out. Raises NotFound without a queue.
Enqueue = Callable[[ProjectScope, str, Noun, Sequence[RowId], bool, Actor], None]
#: raises NotFound without a queue
Check = Callable[[ProjectScope, str], None]
_known: list[tuple[Enqueue, Check]] = []


def set_queueing(enqueue: Enqueue, check: Check) -> None:
    _known[:] = [(enqueue, check)]


def enqueue(
    scope: ProjectScope, queue_id: str, noun: Noun, rows: Sequence[RowId], *, of_sessions: bool, actor: Actor
) -> None:
    for put, _check in _known:
        put(scope, queue_id, noun, rows, of_sessions, actor)


def check_queue(scope: ProjectScope, queue_id: str) -> None:
    """Raises NotFound."""
    if not _known:
        raise NotFound("There are no queues.")
    for _put, check in _known:
        check(scope, queue_id)
