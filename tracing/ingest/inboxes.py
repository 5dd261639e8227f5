"""Which inbox this instance has: a folder of its own, or a bucket that many machines share."""

from __future__ import annotations

import logging

from django.conf import settings

from tracing.ingest.inbox import FolderInbox, Inbox

log = logging.getLogger(__name__)


def open_inbox() -> Inbox:
    if settings.INBOX_BUCKET is None:
        return FolderInbox(settings.INBOX_DIR)
    from tracing.ingest.bucket_inbox import BucketInbox  # its client costs 30 MB of memory

    return BucketInbox(settings.INBOX_BUCKET)


def bring_along(inbox: Inbox) -> int:
    """What waits in the folder since the time before there was a bucket goes there, and waits in it. Returns how many
    entries that were. Raises OSError; what was moved by then is in the bucket, and once more at most in the folder."""
    if isinstance(inbox, FolderInbox):
        return 0
    moved = 0
    folder = FolderInbox(settings.INBOX_DIR)
    for key in list(folder.keys()):
        entry = folder.get(key)
        if entry is not None:
            inbox.put([entry])
            folder.delete([key])
            moved += 1
    if moved:
        log.warning("%d entries of the inbox were moved from the data folder to the bucket.", moved)
    return moved
