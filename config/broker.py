"""Clients of the broker: one of each kind, for all threads of a process."""

from __future__ import annotations

import threading
from typing import Any

import redis
from django.conf import settings

_lock = threading.Lock()
_clients: dict[str, redis.Redis] = {}


def client(kind: str, **options: Any) -> redis.Redis:
    """The client called `kind`, made by whoever asks first. `options` are those of `redis.Redis.from_url`; keys and
    values are texts.

    Two threads must not make one each: the one that is forgotten would close its connections when it is collected,
    under whoever is using them.
    """
    found = _clients.get(kind)
    if found is None:
        with _lock:
            found = _clients.get(kind)
            if found is None:
                found = _clients[kind] = redis.Redis.from_url(settings.REDIS_URL, decode_responses=True, **options)
    return found
