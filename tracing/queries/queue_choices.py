"""The annotation queues that rows may be put into, as the app that owns queues tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from accounts.access import ProjectScope


@dataclass(frozen=True, slots=True)
class QueueChoice:
    queue_id: str
    name: str


Lookup = Callable[[ProjectScope], Sequence[QueueChoice]]
_lookups: list[Lookup] = []


def set_queue_choices(lookup: Lookup) -> None:
    """The app that owns queues says here how to list them."""
    _lookups[:] = [lookup]


def list_queue_choices(scope: ProjectScope) -> list[QueueChoice]:
    """By name."""
    return [choice for lookup in _lookups for choice in lookup(scope)]
