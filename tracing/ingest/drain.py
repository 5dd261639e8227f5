"""The worker's side of the inbox: gather entries, decode, write, delete. Decoding overlaps the previous batch's insert.

An entry is deleted only after its rows are on disk in the analytics store. Anything may be killed at any point: what
was not deleted is delivered again, and every write is idempotent.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from django.conf import settings
from django.db import close_old_connections

from config.errors import Unavailable
from tracing.ingest import dead_letters, doorbell, legacy, otlp, scores
from tracing.ingest.inbox import FolderInbox, Payload, unpack
from tracing.ingest.model import Decoded
from tracing.ingest.write import Batch, prepare, write

log = logging.getLogger(__name__)

#: Enough for an efficient insert; small enough that one batch takes well under a second and little memory.
_BATCH_BYTES = 12 << 20
_CLAIM = 64
#: libraries do make cycles; a long drain must not pile them up
_BATCHES_PER_COLLECTION = 100
_MAX_WAIT_SECONDS = 30.0
_TRIES = 3

_draining = threading.Lock()
_stopping = threading.Event()

inbox = FolderInbox(settings.INBOX_DIR)


def stop() -> None:
    """Finish the batch at hand and take no more."""
    _stopping.set()


def drain() -> None:
    """Work until the inbox is empty. One thread of a process at a time: two would only share one GIL.

    Meanwhile without the cycle collector: records hold no cycles, and walking hundreds of thousands of them again and
    again more than doubled the time of decoding.
    """
    while _draining.acquire(blocking=False):
        gc.disable()
        try:
            _drain_all()
        finally:
            doorbell.let_go()
            gc.enable()
            _draining.release()
        if _stopping.is_set() or doorbell.wait_for_ring_again() == 0:
            return
        doorbell.keep_ringing()


def sweep(*, older_than_seconds: float) -> int:
    """Ring again for entries that nobody is working on. Returns how many were found."""
    existing = set(inbox.keys())
    doorbell.forget_finished(existing)
    found = doorbell.announce([key for key in inbox.keys(older_than_seconds=older_than_seconds) if key in existing])
    # Not only for new finds: a worker or broker that was killed took its call with it, and left the queue behind.
    if doorbell.needs_worker():
        doorbell.call_worker()
    return found


@dataclass(slots=True)
class _Claimed:
    """Entries being worked on, and the payloads in them."""

    keys: list[str] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)
    size: int = 0


def _drain_all() -> None:
    pending: tuple[_Claimed, Future[None]] | None = None
    batches = 0
    with ThreadPoolExecutor(1, "ingest-write") as writer:
        while not _stopping.is_set():
            doorbell.keep_ringing()
            claimed = _claim_batch()
            batch = _decode(claimed) if claimed.keys else None
            if pending is not None:
                _finish(*pending)
                pending = None
            if batch is None:
                break
            pending = claimed, writer.submit(_write, batch)
            batches += 1
            if batches % _BATCHES_PER_COLLECTION == 0:
                gc.collect()
        if pending is not None:
            _finish(*pending)


def _claim_batch() -> _Claimed:
    claimed = _Claimed()
    while claimed.size < _BATCH_BYTES:
        keys = doorbell.claim(_CLAIM if claimed.size == 0 else 1)
        if not keys:
            break
        for position, key in enumerate(keys):
            if claimed.size >= _BATCH_BYTES:
                doorbell.put_back(keys[position:])
                break
            _open(key, claimed)
    return claimed


def _open(key: str, claimed: _Claimed) -> None:
    entry = inbox.get(key)
    if entry is None:
        doorbell.release([key])
        return
    claimed.keys.append(key)
    claimed.payloads.extend(unpack(entry))
    claimed.size += len(entry)


def _decode(claimed: _Claimed) -> Batch:
    batch = Batch()
    for payload in claimed.payloads:
        try:
            batch.add(payload, decode(payload))
        except Exception as error:  # a payload that breaks decoding must not hold up its neighbours
            log.exception("A %s payload cannot be decoded", payload.envelope.kind)
            batch.broken.append((payload, f"{type(error).__name__}: {error}"))
    try:
        prepare(batch)
    except Exception as error:  # writing tries again, waits for a store that is away, and finds the payload at fault
        log.warning("A batch could not be prepared: %s", error)
        batch.shares = {}
    return batch


def decode(payload: Payload) -> Decoded:
    """Records of one payload. Raises whatever a decoder raises on a payload it cannot make sense of."""
    match payload.envelope.kind:
        case "otlp":
            return otlp.decode(payload.body, payload.envelope)
        case "ingestion":
            return legacy.decode_body(payload.body, payload.envelope)
        case "scores":
            return scores.decode_body(payload.body, payload.envelope)
    raise ValueError(f"unknown kind of payload: {payload.envelope.kind}")


def _write(batch: Batch) -> None:
    """Write a batch; if it fails as a whole, its payloads one by one, and bury those that keep failing."""
    close_old_connections()
    if not _write_when_possible(batch):
        for payload, decoded in batch.parts:
            alone = Batch()
            alone.add(payload, decoded)
            if not _write_when_possible(alone):
                batch.broken.append((payload, alone.failure))
    for payload, decoded in batch.parts:
        if decoded.set_aside:
            dead_letters.set_aside(payload.envelope, decoded.set_aside)
    for payload, reason in batch.broken:
        dead_letters.bury(payload, reason)


def _write_when_possible(batch: Batch) -> bool:
    """False when the batch itself is at fault. A store that is away is waited for: the inbox keeps everything."""
    wait, tries = 0.1, 0
    while True:
        try:
            write(batch)
            return True
        except Unavailable as error:
            if _stopping.is_set():
                raise
            log.warning("The analytics store is away (%s); trying again in %.1f s.", error.message, wait)
            _stopping.wait(wait)
            wait = min(wait * 2, _MAX_WAIT_SECONDS)
            _keep_ringing_if_possible()
        except Exception as error:
            tries += 1
            batch.failure = f"{type(error).__name__}: {error}"
            if len(batch.parts) > 1 or tries >= _TRIES:
                log.exception("A batch of %d payloads cannot be written", len(batch.parts))
                return False
            time.sleep(0.2 * tries)


def _keep_ringing_if_possible() -> None:
    try:
        doorbell.keep_ringing()
    except Exception as error:  # the broker may be away at the same time
        log.warning("The broker is away: %s", error)


def _finish(claimed: _Claimed, written: Future[None]) -> None:
    try:
        written.result()
    except Exception:
        doorbell.put_back(claimed.keys)
        raise
    inbox.delete(claimed.keys)
    doorbell.release(claimed.keys)
