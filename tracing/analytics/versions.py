"""Which state the data of a project are in: a word that changes with every write, shared by all processes.

What was computed of a project holds for as long as its word is the same. Without the broker there are no words, and
everything is computed anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from uuid import uuid4

from django.core.cache import cache

#: After it an answer is computed anew, should a word ever not have changed.
_KEPT_SECONDS = 300


def changed(project_ids: Iterable[str]) -> None:
    """To be called after a write, once its rows can be read. A process that ends in between delivers its batch again,
    and so comes by here then."""
    cache.set_many({_key(project_id): uuid4().hex for project_id in project_ids}, timeout=None)


def remembered(project_id: str, question: str, compute: Callable[[], int]) -> int:
    """What `compute` says; computed once for each question and state of the data."""
    # The word is read first: rows that arrive meanwhile may be counted or not, and the word changes after them.
    state = _current(project_id)
    if not state:
        return compute()
    key = f"answer:{project_id}:{state}:{hashlib.blake2b(question.encode(), digest_size=16).hexdigest()}"
    known: int | None = cache.get(key)
    if known is None:
        known = compute()
        cache.set(key, known, timeout=_KEPT_SECONDS)
    return known


def _current(project_id: str) -> str:
    """The word for now; empty when there is none."""
    known: str | None = cache.get(_key(project_id))
    if known is None:
        cache.add(_key(project_id), uuid4().hex, timeout=None)
        known = cache.get(_key(project_id))
    return known or ""


def _key(project_id: str) -> str:
    return f"data:{project_id}"
