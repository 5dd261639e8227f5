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
from collections.abc import Collection, Mapping
from itertools import islice, takewhile

import redis
from celery import current_app

from config.broker import client

log = logging.getLogger(__name__)

_WAITING = "ingest:waiting"  # sorted set: key of an inbox entry -> when it arrived
_CLAIMED = "ingest:claimed"  # hash: key of an inbox entry -> "<failures> <host>:<pid>:<life>:<lease end>"
_RUNG = "ingest:rung"  # set while a worker is on its way or draining
_RUNG_SECONDS = 10
_SEEN = "ingest:seen"  # set while workers look at the inbox, by sweeps and by drains
#: Four sweeps. A worker that dies is started again within a fraction of it.
_SEEN_SECONDS = 20
#: A batch takes a few seconds at most; a worker on another machine that is silent for longer is taken to be dead.
_LEASE_SECONDS = 60
#: A lease that ends later than any can was given before the clock was set back.
_LONGEST_SECONDS = 600
#: An entry whose processing ended this often without an end is taken to be the reason, and claimed alone.
_SUSPECT_AFTER = 2
#: How long requests do not even try a broker that just refused.
_PAUSE_SECONDS = 1.0

_HOST = socket.gethostname()
#: tells this process from an earlier one that had the same number, as in a container
_LIFE = secrets.token_hex(4)
_silent_until = 0.0
_send_lock = threading.Lock()
#: what this process works on right now; a claim of ours on anything else is one that a failure left behind
_held: dict[str, int] = {}


def broker() -> redis.Redis:
    return client("ingest", socket_connect_timeout=0.5, socket_timeout=2, health_check_interval=30)


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
    be_seen()


def be_seen() -> None:
    """This worker looks at the inbox."""
    broker().set(_SEEN, 1, ex=_SEEN_SECONDS)


def has_worker() -> bool:
    """Whether a worker looked at the inbox some seconds ago. Raises what the broker's client raises when it is away."""
    return bool(broker().exists(_SEEN))


def claim(count: int, *, has_company: bool = False) -> dict[str, int]:
    """The oldest waiting entries, now this process's, and how often each was worked on before without an end.

    Ends are what the other functions here report: a process that is killed reports none. An entry that may be what
    killed it is claimed alone, and not at all where it would join others: none must be taken for it.
    """
    waiting = {str(entry[0]): float(entry[1]) for entry in broker().zpopmin(_WAITING, count)}
    if not waiting:
        return {}
    marks = broker().hmget(_CLAIMED, list(waiting))
    claims = _first_fit({key: _failures(mark) for key, mark in zip(waiting, marks, strict=True)}, has_company)
    _held.update(claims)
    _mark_as_held({key: failures + 1 for key, failures in claims.items()})
    left = {key: arrived for key, arrived in waiting.items() if key not in claims}
    if left:
        broker().zadd(_WAITING, left)
    return claims


def _first_fit(failures: dict[str, int], has_company: bool) -> dict[str, int]:
    """Entries up to the first suspect, or that alone."""
    trusted = dict(takewhile(lambda entry: not is_suspect(entry[1]), failures.items()))
    return trusted if trusted or has_company else dict(islice(failures.items(), 1))


def is_suspect(failures: int) -> bool:
    return failures >= _SUSPECT_AFTER


def hold() -> None:
    """What this process works on waits for a store: renew the lease, and blame no entry if the process ends now."""
    _mark_as_held(dict(_held))


def release(keys: Collection[str]) -> None:
    """These entries are finished."""
    for key in keys:
        _held.pop(key, None)
    if keys:
        broker().hdel(_CLAIMED, *keys)


def let_go() -> None:
    """A drain has ended, well or not: this process works on nothing any more, so the next sweep may take it all."""
    _held.clear()


def put_back(claims: Mapping[str, int]) -> None:
    """Let somebody else, or a later try, have these entries; this try does not count."""
    if claims:
        _mark(claims, lease_end=0)
        broker().zadd(_WAITING, dict.fromkeys(claims, time.time()))


def defer(claims: Mapping[str, int], seconds: float) -> None:
    """Let these entries rest, and then be found by a sweep."""
    _mark(claims, lease_end=time.time() + seconds)


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
    release([str(key) for key in broker().hkeys(_CLAIMED) if key not in existing])


def _mark_as_held(claims: Mapping[str, int]) -> None:
    if claims:
        holder = f"{_HOST}:{os.getpid()}:{_LIFE}:{time.time() + _LEASE_SECONDS:.0f}"
        broker().hset(_CLAIMED, mapping={key: f"{failures} {holder}" for key, failures in claims.items()})


def _mark(claims: Mapping[str, int], *, lease_end: float) -> None:
    """Nobody's, until a time."""
    for key in claims:
        _held.pop(key, None)
    if claims:
        broker().hset(_CLAIMED, mapping={key: f"{n} :0::{lease_end:.0f}" for key, n in claims.items()})


def _failures(mark: object) -> int:
    head = str(mark or "").partition(" ")[0]
    return int(head) if head.isdigit() else 0


def _is_held(key: str, mark: str) -> bool:
    host, pid, life, lease_end = mark.rpartition(" ")[2].rsplit(":", 3)
    if host == _HOST:
        if int(pid) == os.getpid():
            return life == _LIFE and key in _held
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
    return 0 < float(lease_end) - time.time() <= _LONGEST_SECONDS
