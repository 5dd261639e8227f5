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
from tracing.ingest.inbox import FolderInbox

log = logging.getLogger(__name__)

SHUTTING_DOWN = "Shutting down"
INBOX = "The inbox cannot be written"
RELATIONAL = "The relational store does not answer"
ANALYTICS = "The analytics store does not answer"
BROKER = "The broker does not answer"
WORKER = "No worker is looking at the inbox"

#: However many ask: nobody needs a key for it, and an answer takes some milliseconds of four services.
_VALID_SECONDS = 1.0
_lock = threading.Lock()
_known: tuple[float, list[str]] | None = None


def is_shutting_down() -> bool:
    """The supervisor says so before it ends the first process."""
    return settings.STOPPING_FILE.exists()


def problems(inbox: FolderInbox) -> list[str]:
    """What is wrong, in words for anybody; empty when all is well. At most a second old."""
    global _known
    with _lock:
        if _known is None or time.monotonic() - _known[0] > _VALID_SECONDS:
            found = [message for message, is_well in _checks(inbox) if not is_well()]
            _known = time.monotonic(), found
        return _known[1]


def _checks(inbox: FolderInbox) -> list[tuple[str, Callable[[], bool]]]:
    return [
        (INBOX, lambda: _has_room(inbox)),
        (RELATIONAL, _relational_store_answers),
        (ANALYTICS, store.ping),
        *_broker_checks(),
    ]


def _has_room(inbox: FolderInbox) -> bool:
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
