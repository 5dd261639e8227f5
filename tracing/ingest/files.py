"""Files of ingestion in the storage: what is written there must survive a power cut before anything relies on it."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage


def store_bytes(key: str, content: bytes) -> bool:
    """Put bytes under exactly this key, which stands for them; False when they are there already.

    They are not on disk before `sync_to_disk`, so that many files need not wait for the disk one by one.
    """
    # One of another size was cut short by a power cut.
    if default_storage.exists(key) and default_storage.size(key) == len(content):
        return False
    default_storage.save(key, ContentFile(content))
    return True


def sync_to_disk(key: str) -> None:
    """The file, and the folders that name it. A bucket needs no such thing."""
    try:
        path, root = Path(default_storage.path(key)), Path(default_storage.path(""))
    except NotImplementedError:
        return
    for place in (path, *path.parents):
        _sync(place)
        if place == root:
            return


def _sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
