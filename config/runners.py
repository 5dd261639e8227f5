"""Who works on a row that several processes may take: a mark in the row, and whether whoever left it is still there."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import datetime, timedelta

from django.utils import timezone

_HOST = socket.gethostname()
#: tells this process from an earlier one that had the same number, as in a container
_LIFE = secrets.token_hex(4)


def new_mark() -> str:
    """For one claim of this process."""
    return f"{_HOST}:{os.getpid()}:{_LIFE}:{secrets.token_hex(4)}"


def is_own(mark: str) -> bool:
    """Whether this very process left it."""
    return mark.rsplit(":", 1)[0] == f"{_HOST}:{os.getpid()}:{_LIFE}"


def is_gone(mark: str, heartbeat_at: datetime | None, lease: timedelta) -> bool:
    """Whether the process that left this mark has ended, as far as can be told: on this machine that is looked up;
    one that is elsewhere is taken to have ended once it was silent for `lease`."""
    parts = mark.rsplit(":", 3)
    is_silent = heartbeat_at is None or timezone.now() - heartbeat_at >= lease
    if len(parts) != 4 or parts[0] != _HOST:
        return is_silent
    pid, life = int(parts[1]), parts[2]
    if pid == os.getpid():
        return life != _LIFE or is_silent
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return is_silent
