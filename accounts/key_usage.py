"""When each API key was last used, noted in memory and written by a thread of the serving process."""

from __future__ import annotations

import logging
from datetime import datetime
from threading import Lock, Thread
from time import sleep

from django.db import DatabaseError, close_old_connections, transaction
from django.utils import timezone

from accounts.models import ApiKey

WRITE_EVERY_SECONDS = 5
#: a busy key costs one row update a minute, not one a request
SAME_KEY_EVERY_SECONDS = 60

_log = logging.getLogger(__name__)
_noted: dict[str, datetime] = {}
_written: dict[str, datetime] = {}
_lock = Lock()


def note(key_id: str) -> None:
    """Remembers that the key was used now: one dictionary entry a key, no I/O."""
    _noted[key_id] = timezone.now()


def write() -> None:
    """Writes what was noted, leaving out keys written within the last minute."""
    with _lock:
        due = {
            key_id: at
            for key_id, at in list(_noted.items())
            if key_id not in _written or (at - _written[key_id]).total_seconds() >= SAME_KEY_EVERY_SECONDS
        }
        if not due:
            return
        with transaction.atomic():
            for key_id, at in due.items():
                ApiKey.objects.filter(pk=key_id).update(last_used_at=at)
        _written.update(due)
        for key_id, at in due.items():
            if _noted.get(key_id) == at:
                _noted.pop(key_id, None)


def start_writer() -> None:
    """Called once by each process that serves requests; commands and tests have no such thread."""
    Thread(target=_keep_writing, name="key-usage", daemon=True).start()


def _keep_writing() -> None:
    while True:
        sleep(WRITE_EVERY_SECONDS)
        try:
            write()
        except DatabaseError as error:  # noted times stay and go out with the next round
            _log.warning("could not write when API keys were last used: %s", error)
        finally:
            close_old_connections()
