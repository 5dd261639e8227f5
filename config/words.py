"""Which state something is in: a word that changes with every write, shared by all processes.

What was read holds for as long as the word is the same. Without the broker there are no words, and everything is read
anew. Things are named `kind:id`, such as `data:<project>`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from uuid import uuid4

import redis

from config import broker

log = logging.getLogger(__name__)

_WORD_SECONDS = 7 * 86_400
#: A word is worth less than the wait for a broker that does not answer.
_PATIENCE_SECONDS = 0.25
#: How long a broker that just failed is not even asked.
_PAUSE_SECONDS = 2.0

_lock = threading.Lock()
_silent_until = 0.0
#: things whose change could not be told
_untold: set[str] = set()


def changed(things: Iterable[str] = ()) -> None:
    """To be called after a write, once its rows can be read. What cannot be told now is told with the next call: a
    worker makes one every few seconds, with or without news."""
    with _lock:
        _untold.update(things)
        telling = list(_untold)
    if not telling:
        return
    try:
        pipeline = _broker().pipeline(transaction=False)
        for thing in telling:
            pipeline.set(thing, uuid4().hex, ex=_WORD_SECONDS)
        pipeline.execute()
    except redis.RedisError as error:
        log.warning("It cannot be told that something changed (%s); it will be.", error)
        return
    with _lock:
        _untold.difference_update(telling)


def current(thing: str) -> str:
    """The word for now; empty when there is none. Read it before what is to be kept under it: rows that arrive while
    that is read may be in it or not, and the word changes after them."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return ""
    try:
        return _broker().get(thing) or _first_word(thing)  # type: ignore[return-value]
    except redis.RedisError:
        _silent_until = time.monotonic() + _PAUSE_SECONDS
        return ""


def _first_word(thing: str) -> str:
    pipeline = _broker().pipeline(transaction=False)
    pipeline.set(thing, uuid4().hex, nx=True, ex=_WORD_SECONDS)
    pipeline.get(thing)
    word: str = pipeline.execute()[1] or ""
    return word


def _broker() -> redis.Redis:
    return broker.client("words", socket_connect_timeout=_PATIENCE_SECONDS, socket_timeout=_PATIENCE_SECONDS)
