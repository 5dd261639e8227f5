"""Clients of the broker: one of each kind, for all threads of a process."""

from __future__ import annotations

import threading
from typing import Any

import redis
from django.conf import settings
from redis.sentinel import Sentinel

from config.redis_options import RedisOptions

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
                found = _clients[kind] = _connect(options)
    return found


def _connect(options: dict[str, Any]) -> redis.Redis:
    where: RedisOptions = settings.REDIS
    if not where.sentinels:
        return redis.Redis.from_url(where.url, decode_responses=True, **where.tls, **options)
    sentinels = Sentinel(where.sentinels, sentinel_kwargs=where.of_sentinels)  # type: ignore[no-untyped-call]
    watched = {**where.of_watched, **options, "decode_responses": True}
    master: redis.Redis = sentinels.master_for(where.master_name, **watched)  # type: ignore[no-untyped-call]
    return master
