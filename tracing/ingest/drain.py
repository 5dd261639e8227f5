"""The worker's side of the inbox: gather entries, decode, write, delete. Decoding overlaps the previous batch's insert.

An entry is deleted only after its rows are on disk in the analytics store. Anything may be killed at any point: what
was not deleted is delivered again, and every write is idempotent.

A store that is away is waited for. An entry that ends the process, or that the store refuses while it takes others,
rests for a while, is then tried alone, and at last buried as a dead letter: it holds up nobody for long.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import TypeVar

from django.db import close_old_connections

from config.errors import Unavailable
from tracing.analytics import store
from tracing.ingest import dead_letters, doorbell, legacy, otlp, scores
from tracing.ingest.database import needs_database
from tracing.ingest.inbox import BrokenEntry, Payload, has_age, unpack
from tracing.ingest.inboxes import bring_along, open_inbox
from tracing.ingest.model import Decoded
from tracing.ingest.singles import singles
from tracing.ingest.write import Batch, Broken, prepare, write

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Enough for an efficient insert; small enough that one batch takes well under a second and little memory.
_BATCH_BYTES = 12 << 20
_CLAIM = 64
#: libraries do make cycles; a long drain must not pile them up
_BATCHES_PER_COLLECTION = 100
_MAX_WAIT_SECONDS = 30.0
_TRIES = 3
#: An entry is buried when so many deliveries of it failed.
_MOST_FAILURES = 4
#: What the store refuses is tried again after this, and ever later: it takes seven minutes to be buried.
_REST_SECONDS = 60.0
_LONGEST_REST_SECONDS = 600.0
#: With more at fault it is not for single spans: the payload is buried as a whole.
_MOST_AT_FAULT = 8
#: How long a batch looks for what is at fault, while everybody waits.
_NEIGHBOURS_SECONDS = 20.0
_ENDED_PROCESSES = "Given up: each time that it was being stored, the process ended."

_draining = threading.Lock()
_stopping = threading.Event()

inbox = open_inbox()


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
        except Exception:
            _hold_if_possible()  # this is an end: what is in hand is not to blame for it
            raise
        finally:
            doorbell.let_go()
            gc.enable()
            _draining.release()
        if _stopping.is_set() or doorbell.wait_for_ring_again() == 0:
            return
        doorbell.keep_ringing()


def sweep(*, older_than_seconds: float) -> int:
    """Ring again for entries that nobody is working on. Returns how many were found."""
    doorbell.be_seen()
    try:
        bring_along(inbox)
    except OSError as error:  # of another time; what arrives now must not wait for it
        log.error("Entries in the data folder cannot be moved to the bucket: %s", error)
    existing = list(inbox.keys())
    doorbell.forget_finished(set(existing))
    found = doorbell.announce([key for key in existing if has_age(key, older_than_seconds)])
    # Not only for new finds: a worker or broker that was killed took its call with it, and left the queue behind.
    if doorbell.needs_worker():
        doorbell.call_worker()
    return found


@dataclass(slots=True)
class _Claimed:
    """Entries being worked on, and the payloads in them."""

    #: key -> how often it was worked on before without an end
    failures: dict[str, int] = field(default_factory=dict)
    payloads: list[Payload] = field(default_factory=list)
    size: int = 0

    @property
    def most_failures(self) -> int:
        return max(self.failures.values(), default=0)

    @property
    def is_suspect(self) -> bool:
        """Then there is no other entry."""
        return doorbell.is_suspect(self.most_failures)


class _NotNow(Exception):
    """The store refuses something of this batch and takes other rows meanwhile."""


def _drain_all() -> None:
    with _Writer() as writer:
        while not _stopping.is_set():
            doorbell.keep_ringing()
            claimed = _claim_batch()
            if claimed.is_suspect:  # should it end the process, then without company
                writer.finish()
            batch = _decode(claimed) if claimed.failures else None
            writer.finish()
            if batch is None:
                break
            writer.start(claimed, batch)
            if claimed.is_suspect:
                writer.finish()


class _Writer:
    """A thread that writes one batch while the next is decoded."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "ingest-write")
        self._batches = 0
        self._at_work: tuple[_Claimed, Future[None]] | None = None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.finish()
        finally:
            self._thread.shutdown()

    def start(self, claimed: _Claimed, batch: Batch) -> None:
        self._at_work = claimed, self._thread.submit(_write, claimed, batch)
        self._batches += 1
        if self._batches % _BATCHES_PER_COLLECTION == 0:
            gc.collect()

    def finish(self) -> None:
        """Wait for the batch at hand, and delete its entries once they are written."""
        if self._at_work is None:
            return
        (claimed, written), self._at_work = self._at_work, None
        try:
            written.result()
        except Unavailable:  # still, and the worker is to stop
            doorbell.put_back(claimed.failures)
            raise
        except Exception as error:
            log.error("Entries wait for another try: %s", error, exc_info=not isinstance(error, _NotNow))
            seconds = min(_REST_SECONDS * 2**claimed.most_failures, _LONGEST_REST_SECONDS)
            doorbell.defer({key: failures + 1 for key, failures in claimed.failures.items()}, seconds)
        else:
            inbox.delete(claimed.failures)
            doorbell.release(claimed.failures)


def _claim_batch() -> _Claimed:
    claimed = _Claimed()
    while claimed.size < _BATCH_BYTES and not claimed.is_suspect:
        claims = doorbell.claim(_CLAIM, has_company=bool(claimed.failures))
        if not claims:
            break
        inbox.expect(claims)
        left = dict(claims)
        for key, failures in claims.items():
            if claimed.size >= _BATCH_BYTES:
                break
            del left[key]
            _open(key, failures, claimed)
        doorbell.put_back(left)
    return claimed


def _open(key: str, failures: int, claimed: _Claimed) -> None:
    """Add an entry to the batch. One that cannot be read must not hold up the others."""
    try:
        payloads = _read(key, failures)
    except OSError as error:
        log.error("The inbox entry %s cannot be read: %s", key, error)
        doorbell.defer({key: failures}, _REST_SECONDS)
        return
    if payloads:
        claimed.failures[key] = failures
        claimed.payloads += payloads
        claimed.size += sum(len(payload.body) for payload in payloads)
    else:
        doorbell.release([key])


def _read(key: str, failures: int) -> list[Payload]:
    """The payloads of an entry; none when there is nothing to do with it any more."""
    entry = inbox.get(key)
    if entry is None:  # another worker has finished it
        return []
    try:
        payloads = list(unpack(entry))
    except BrokenEntry as error:
        log.error("%s is no inbox entry (%s); it was moved to %s.", key, error, inbox.set_aside(key))
        return []
    if len(payloads) > 1 and failures == _MOST_FAILURES - 1:
        _take_apart(key, payloads, failures)
        return []
    return payloads


def _take_apart(key: str, payloads: list[Payload], failures: int) -> None:
    """It failed alone, too: as entries of their own all of its payloads but the one at fault get through."""
    parts = {inbox.put([payload.pack()]): failures for payload in payloads}
    doorbell.put_back(parts)
    inbox.delete([key])


def _decode(claimed: _Claimed) -> Batch:
    batch = Batch()
    if claimed.most_failures >= _MOST_FAILURES:
        batch.broken = [(payload, _ENDED_PROCESSES) for payload in claimed.payloads]
        return batch
    for payload in claimed.payloads:
        try:
            batch.add(payload, _when_possible(partial(decode, payload)))
        except Unavailable:  # still, and the worker is to stop
            raise
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


def _write(claimed: _Claimed, batch: Batch) -> None:
    """Write a batch, and bury what will never be written. Raises _NotNow when something of it must be tried again."""
    close_old_connections()
    at_fault: list[Broken] = []
    refused = _write_in_parts(batch, at_fault)
    is_last = claimed.most_failures + 1 >= _MOST_FAILURES
    if is_last:
        at_fault += refused
        refused = []
    until = time.monotonic() + _NEIGHBOURS_SECONDS
    for payload, reason in at_fault:
        batch.broken += _write_neighbours(batch, payload, reason, until, is_last=is_last)
    _when_possible(partial(_tell, batch))
    if refused:
        raise _NotNow(f"{len(refused)} payloads were refused, such as: {refused[0][1]}")


def _tell(batch: Batch) -> None:
    """People shall know what is left out."""
    try:
        with needs_database():
            for payload, decoded in batch.parts:
                if decoded.set_aside:
                    dead_letters.set_aside(payload.envelope, decoded.set_aside)
            for payload, reason in batch.broken:
                dead_letters.bury(payload, reason)
    except OSError as error:
        raise Unavailable(f"Dead letters cannot be written: {error}") from error


def _write_in_parts(batch: Batch, at_fault: list[Broken]) -> list[Broken]:
    """Write as much of a batch as can be. Returns what the store refuses for now; adds what is at fault to the list."""
    if not batch.parts:
        return []
    outcome = _write_when_possible(batch)
    if outcome is _Outcome.WRITTEN:
        return []
    if len(batch.parts) > 1:
        return [payload for half in batch.halves() for payload in _write_in_parts(half, at_fault)]
    failed = batch.parts[0][0], batch.failure
    if outcome is _Outcome.REFUSED:
        return [failed]
    at_fault.append(failed)
    return []


def _write_neighbours(batch: Batch, payload: Payload, reason: str, until: float, *, is_last: bool) -> list[Broken]:
    """Write all of a payload but what is at fault. Returns that, or the whole payload where it cannot be told apart.

    Raises _NotNow where something may be taken, or found, at another delivery.
    """
    whole = [(payload, reason)]
    try:
        apart = _apart(payload, until)
        if payload.envelope.kind != "otlp":  # rules of scores may have changed meanwhile; of spans all was said before
            batch.parts += [part for part in apart.parts if part[1].set_aside]
        found = _search(apart, until, is_last=is_last) if apart.parts else whole
        return found if len(found) <= _MOST_AT_FAULT else whole
    except _TooLong as error:
        if is_last:
            return whole
        raise _NotNow("What is at fault was not found in time.") from error
    except (Unavailable, _NotNow):
        raise
    except Exception:  # it was decoded before: whatever this is, the payload is kept
        log.exception("A %s payload cannot be taken apart", payload.envelope.kind)
        return whole


def _apart(payload: Payload, until: float) -> Batch:
    """What a payload holds, each for itself. Of a span that it holds twice the later one stands, as in the payload."""
    batch, seen = Batch(), set[tuple[str, str]]()
    for single in reversed(singles(payload)):
        _go_on(until)
        decoded = _when_possible(partial(decode, single))
        spans = {(one.trace_id, one.id) for one in decoded.observations}
        if not spans or not spans <= seen:
            batch.add(single, decoded)
        seen |= spans
    batch.parts.reverse()
    return batch


def _search(apart: Batch, until: float, *, is_last: bool) -> list[Broken]:
    """Write in ever smaller halves, as they were sent, and return what is at fault; not all of it where it is much."""
    found: list[Broken] = []
    waiting = [apart]
    while waiting and len(found) <= _MOST_AT_FAULT:
        _go_on(until)
        part = waiting.pop()
        outcome = _write_when_possible(part)
        if outcome is _Outcome.WRITTEN:
            continue
        if len(part.parts) > 1:
            waiting += reversed(part.halves())
            continue
        if outcome is _Outcome.REFUSED and not is_last:
            raise _NotNow(f"A part of a payload was refused: {part.failure}")
        found.append((part.parts[0][0], part.failure))
    return found


class _TooLong(Exception):
    """Everybody has waited long enough."""


def _go_on(until: float) -> None:
    if _stopping.is_set():
        raise Unavailable("The worker is to stop.")
    if time.monotonic() > until:
        raise _TooLong


class _Outcome(Enum):
    WRITTEN = auto()
    #: by a store that takes other rows
    REFUSED = auto()
    #: the batch is at fault, and always will be
    FAILED = auto()


def _write_when_possible(batch: Batch) -> _Outcome:
    """A store that is away is waited for: the inbox keeps everything."""
    pause, failures, refusals = _Pause(), 0, 0
    while True:
        try:
            write(batch)
            return _Outcome.WRITTEN
        except Exception as error:
            batch.failure = f"{type(error).__name__}: {error}"
            is_trouble_of_store = store.is_own_trouble(error)
            if not is_trouble_of_store and not isinstance(error, Unavailable):
                failures += 1
                if len(batch.parts) > 1 or failures >= _TRIES:
                    log.exception("A batch of %d payloads cannot be written", len(batch.parts))
                    return _Outcome.FAILED
            elif is_trouble_of_store and store.takes_rows():
                refusals += 1
                if len(batch.parts) > 1 or refusals >= _TRIES:
                    return _Outcome.REFUSED
            else:
                pause.wait_for_store(error)
                continue
        pause.wait()


def _when_possible(work: Callable[[], T]) -> T:
    """Do what needs a store. Raises Unavailable only when the worker is to stop."""
    pause = _Pause()
    while True:
        try:
            return work()
        except Unavailable as error:
            pause.wait_for_store(error)


class _Pause:
    """Ever longer."""

    def __init__(self) -> None:
        self._seconds = 0.1

    def wait(self) -> None:
        _stopping.wait(self._seconds)
        self._seconds = min(self._seconds * 2, _MAX_WAIT_SECONDS)

    def wait_for_store(self, error: Exception) -> None:
        """Raises Unavailable when the worker is to stop."""
        if _stopping.is_set():
            raise error if isinstance(error, Unavailable) else Unavailable(str(error)) from error
        log.warning("Nothing can be stored right now (%s); trying again in %.1f s.", error, self._seconds)
        _hold_if_possible()
        self.wait()


def _hold_if_possible() -> None:
    try:
        doorbell.keep_ringing()
        doorbell.hold()
    except Exception as error:  # the broker may be away at the same time
        log.warning("The broker is away: %s", error)
