"""The broker as doorbell: which inbox entries wait, which are being worked on, and by whom.

Nothing here is needed for correctness. Losing all of it costs a delay until the next sweep of the inbox.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from functools import cache

import redis
from celery import current_app
from django.conf import settings

log = logging.getLogger(__name__)

_WAITING = "ingest:waiting"  # sorted set: key of an inbox entry -> when it arrived
_CLAIMED = "ingest:claimed"  # hash: key of an inbox entry -> "<host>:<pid>:<life>:<lease end>"
_RUNG = "ingest:rung"  # set while a worker is on its way or draining
_RUNG_SECONDS = 10
#: A batch takes a few seconds at most; a worker on another machine that is silent for longer is taken to be dead.
_LEASE_SECONDS = 60
#: How long requests do not even try a broker that just refused.
_PAUSE_SECONDS = 1.0

_HOST = socket.gethostname()
#: tells this process from an earlier one that had the same number, as in a container
_LIFE = secrets.token_hex(4)
_silent_until = 0.0
_send_lock = threading.Lock()
#: what this process works on right now; a claim of ours on anything else is one that a failure left behind
_held: set[str] = set()


@cache
def broker() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=0.5,
        socket_timeout=2,
        decode_responses=True,
        health_check_interval=30,
    )


def ring(key: str) -> None:
    """Tell a worker that this entry waits. Never raises: the entry is safe, and a sweep finds it."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return
    try:
        pipeline = broker().pipeline(transaction=False)
        pipeline.zadd(_WAITING, {key: time.time()})
        pipeline.set(_RUNG, 1, nx=True, ex=_RUNG_SECONDS)
        if pipeline.execute()[1]:
            call_worker()
    except Exception as error:  # whatever the broker's client raises, the payload is accepted already
        _silent_until = time.monotonic() + _PAUSE_SECONDS
        log.warning("The broker cannot be reached (%s); the sweep will deliver.", error)


def call_worker() -> None:
    with _send_lock:
        current_app.send_task("tracing.tasks.drain_inbox", retry=False)


def wait_for_ring_again() -> int:
    """Take the bell down and say how many entries wait: one that came meanwhile is seen here or rings anew."""
    broker().delete(_RUNG)
    return int(broker().zcard(_WAITING))


def keep_ringing() -> None:
    """While a worker drains, new entries need not call another."""
    broker().set(_RUNG, 1, ex=_RUNG_SECONDS)


def claim(count: int) -> list[str]:
    """The oldest waiting entries, now this process's."""
    keys = [str(entry[0]) for entry in broker().zpopmin(_WAITING, count)]
    if keys:
        _held.update(keys)
        broker().hset(_CLAIMED, mapping=dict.fromkeys(keys, _mark()))
    return keys


def release(keys: list[str]) -> None:
    _held.difference_update(keys)
    if keys:
        broker().hdel(_CLAIMED, *keys)


def let_go() -> None:
    """A drain has ended, well or not: this process works on nothing any more, so the next sweep may take it all."""
    _held.clear()


def put_back(keys: list[str]) -> None:
    """Let somebody else, or a later try, have these entries."""
    if keys:
        broker().zadd(_WAITING, dict.fromkeys(keys, time.time()))
        release(keys)


def needs_worker() -> bool:
    """Whether entries wait and no worker is on its way. If so, the caller must call one: the bell is rung here."""
    return bool(broker().zcard(_WAITING)) and bool(broker().set(_RUNG, 1, nx=True, ex=_RUNG_SECONDS))


def announce(keys: list[str]) -> int:
    """Queue those of these entries that nobody is working on. Returns how many were new."""
    if not keys:
        return 0
    claims = broker().hmget(_CLAIMED, keys)
    free = [key for key, claim in zip(keys, claims, strict=True) if claim is None or not _is_held(key, str(claim))]
    if not free:
        return 0
    return int(broker().zadd(_WAITING, dict.fromkeys(free, time.time()), nx=True) or 0)


def forget_finished(existing: set[str]) -> None:
    """Drop claims on entries that are gone."""
    gone = [str(key) for key in broker().hkeys(_CLAIMED) if key not in existing]
    release(gone)


def _mark() -> str:
    return f"{_HOST}:{os.getpid()}:{_LIFE}:{time.time() + _LEASE_SECONDS:.0f}"


def _is_held(key: str, mark: str) -> bool:
    host, pid, life, lease_end = mark.rsplit(":", 3)
    if host == _HOST:
        if int(pid) == os.getpid():
            return life == _LIFE and key in _held
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
    return float(lease_end) > time.time()
