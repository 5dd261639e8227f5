"""Whether what is sent now can be kept, and whether somebody will store it. Asked by monitors, perhaps every second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import Error

from accounts.models import Project
from tracing.analytics import store
from tracing.ingest import doorbell
from tracing.ingest.inbox import Inbox

log = logging.getLogger(__name__)

SHUTTING_DOWN = "Shutting down"
INBOX = "The inbox cannot be written"
RELATIONAL = "The relational store does not answer"
ANALYTICS = "The analytics store does not answer"
BROKER = "The broker does not answer"
WORKER = "No worker is looking at the inbox"
SLOW = "The stores take long to answer"

#: However many ask: nobody needs a key for it, and an answer takes some milliseconds of four services.
_VALID_SECONDS = 1.0
#: A look that takes longer is a finding itself.
_LONGEST_LOOK_SECONDS = 5.0


class SharedLook:
    """What one of many who ask at the same time found out for all. Nobody waits for another: a store that stands still
    must not take all threads from those who send."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended_at, self._problems = float("-inf"), [SLOW]

    def problems(self, look: Callable[[], list[str]]) -> list[str]:
        """What is wrong, in words for anybody; empty when all is well. At most some seconds old."""
        if self._lock.acquire(blocking=False):
            try:
                if self._age_seconds() > _VALID_SECONDS:
                    self._problems = look()
                    self._ended_at = time.monotonic()
            finally:
                self._lock.release()
        elif self._age_seconds() > _VALID_SECONDS + _LONGEST_LOOK_SECONDS:
            return [SLOW]
        return self._problems

    def _age_seconds(self) -> float:
        return time.monotonic() - self._ended_at


_shared = SharedLook()


def is_shutting_down() -> bool:
    """The supervisor says so before it ends the first process."""
    return settings.STOPPING_FILE.exists()


def problems(inbox: Inbox) -> list[str]:
    """What is wrong, in words for anybody; empty when all is well."""
    return _shared.problems(lambda: [message for message, is_well in _checks(inbox) if not is_well()])


def _checks(inbox: Inbox) -> list[tuple[str, Callable[[], bool]]]:
    return [
        (INBOX, lambda: _has_room(inbox)),
        (RELATIONAL, _relational_store_answers),
        (ANALYTICS, store.ping),
        *_broker_checks(),
    ]


def _has_room(inbox: Inbox) -> bool:
    try:
        inbox.probe(settings.OTLP_MAX_BYTES)
    except OSError as error:
        log.warning("The inbox cannot be written: %s", error)
        return False
    return True


def _relational_store_answers() -> bool:
    """Reads a table: a bare SELECT 1 is answered by a SQLite whose file is gone."""
    try:
        Project.objects.exists()
    except Error:
        return False
    return True


def _broker_checks() -> list[tuple[str, Callable[[], bool]]]:
    """One or the other: without a broker nothing is known of workers."""
    try:
        has_worker = doorbell.has_worker()
    except Exception as error:  # whatever the broker's client raises
        log.warning("The broker does not answer: %s", error)
        return [(BROKER, lambda: False)]
    return [(WORKER, lambda: has_worker)]
