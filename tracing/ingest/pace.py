"""How much a public key alone may hand in. Whoever opens a page that holds it has it, and may be a program.

Counters of a minute on the broker, for the key and for each address. While the broker is away each process counts for
itself: feedback is not refused for that, and nobody may flood the inbox meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import redis
from django.conf import settings

from config.errors import TooMany
from tracing.ingest import doorbell

_WINDOW_SECONDS = 60
#: of one process without a broker; more addresses than this a minute share what is left of the key
_MOST_COUNTERS = 20_000

_own: dict[str, int] = {}
_own_window = 0
_lock = threading.Lock()


def take(public_key: str, address: str | None, scores: int) -> None:
    """Counts these scores. Raises TooMany where the key, or the address (None is not known), has had its share.

    What is refused counts too: a program that goes on asking is refused until it stops for a minute.
    """
    window, second = divmod(int(time.time()), _WINDOW_SECONDS)
    limits = {f"feedback:{window}:key:{public_key}": settings.FEEDBACK_PER_MINUTE_OF_KEY}
    if address:
        limits[f"feedback:{window}:{public_key}:{address}"] = settings.FEEDBACK_PER_MINUTE_OF_ADDRESS
    counts = _count(limits, scores, window)
    if any(limit and counts[name] > limit for name, limit in limits.items()):
        raise TooMany("Too many scores in this minute. Try again in the next one.", _WINDOW_SECONDS - second)


def take_reads(address: str | None) -> None:
    """Counts one request for what is open to everybody. Raises TooMany where the address has had its share."""
    window, second = divmod(int(time.time()), _WINDOW_SECONDS)
    name = f"public:{window}:{address or ''}"
    limit = settings.PUBLIC_READS_PER_MINUTE_OF_ADDRESS
    if _count({name: limit}, 1, window)[name] > limit > 0:
        raise TooMany("Too many requests in this minute. Try again in the next one.", _WINDOW_SECONDS - second)


def _count(names: Mapping[str, int], scores: int, window: int) -> dict[str, int]:
    try:
        with doorbell.broker().pipeline(transaction=False) as pipe:
            for name in names:
                pipe.incrby(name, scores)
                pipe.expire(name, 2 * _WINDOW_SECONDS)
            return dict(zip(names, pipe.execute()[::2], strict=True))
    except redis.RedisError:
        return _count_here(names, scores, window)


def _count_here(names: Mapping[str, int], scores: int, window: int) -> dict[str, int]:
    global _own_window
    with _lock:
        if window != _own_window:
            _own.clear()
            _own_window = window
        for name in names:
            if name in _own or len(_own) < _MOST_COUNTERS:
                _own[name] = _own.get(name, 0) + scores
        return {name: _own.get(name, 0) for name in names}
