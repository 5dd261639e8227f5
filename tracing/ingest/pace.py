"""How much a public key alone may hand in. Whoever opens a page that holds it has it, and may be a program.

Counters of a minute on the broker, for the key and for each address. While the broker is away each process counts for
itself: feedback is not refused for that, and nobody may flood the inbox meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address, ip_network

import redis
from django.conf import settings

from config.errors import TooMany
from tracing.ingest import doorbell

_WINDOW_SECONDS = 60
#: of an IPv6 address, those that a provider gives to one customer
_HOUSEHOLD_BITS = 64
#: of one process without a broker; more addresses than this a minute share what is left of the key
_MOST_COUNTERS = 20_000

_own: dict[str, int] = {}
_own_window = 0
_lock = threading.Lock()


def take(public_key: str, address: str | None, scores: int) -> None:
    """Counts these scores. Raises TooMany where the key, or the address (None is not known), has had its share.

    What is refused counts too: a program that goes on asking is refused until it stops for a minute. What its address
    is refused does not count for the key: nobody uses up the share of the other visitors.
    """
    window, second = divmod(int(time.time()), _WINDOW_SECONDS)
    limits = {f"feedback:{window}:key:{public_key}": settings.FEEDBACK_PER_MINUTE_OF_KEY}
    if address:
        of_address = {f"feedback:{window}:{public_key}:{_household(address)}": settings.FEEDBACK_PER_MINUTE_OF_ADDRESS}
        limits = of_address | limits
    for name, limit in limits.items():
        if _count([name], scores, window)[name] > limit > 0:
            raise TooMany("Too many scores in this minute. Try again in the next one.", _WINDOW_SECONDS - second)


def take_reads(address: str | None) -> None:
    """Counts one request for what is open to everybody. Raises TooMany where the address has had its share."""
    window, second = divmod(int(time.time()), _WINDOW_SECONDS)
    name = f"public:{window}:{_household(address or '')}"
    limit = settings.PUBLIC_READS_PER_MINUTE_OF_ADDRESS
    if _count([name], 1, window)[name] > limit > 0:
        raise TooMany("Too many requests in this minute. Try again in the next one.", _WINDOW_SECONDS - second)


def _household(address: str) -> str:
    """What one visitor may have at will is one: of IPv6 everybody has 2**64 addresses."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if isinstance(known, IPv4Address):
        return address
    return str(known.ipv4_mapped or ip_network((known, _HOUSEHOLD_BITS), strict=False))


def _count(names: Sequence[str], scores: int, window: int) -> dict[str, int]:
    try:
        with doorbell.broker().pipeline(transaction=False) as pipe:
            for name in names:
                pipe.incrby(name, scores)
                pipe.expire(name, 2 * _WINDOW_SECONDS)
            return dict(zip(names, pipe.execute()[::2], strict=True))
    except redis.RedisError:
        return _count_here(names, scores, window)


def _count_here(names: Sequence[str], scores: int, window: int) -> dict[str, int]:
    global _own_window
    with _lock:
        if window != _own_window:
            _own.clear()
            _own_window = window
        for name in names:
            if name in _own or len(_own) < _MOST_COUNTERS:
                _own[name] = _own.get(name, 0) + scores
        return {name: _own.get(name, 0) for name in names}
