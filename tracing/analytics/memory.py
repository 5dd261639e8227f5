"""Gives back the memory that loading the engine's half-gigabyte library leaves mapped."""

from __future__ import annotations

import ctypes
import logging
from pathlib import Path

logger = logging.getLogger("spanwise.analytics")

_MADV_DONTNEED = 4
_MAPS = Path("/proc/self/maps")


def forget_start_up_code(library: str) -> None:
    """Unmaps the library's code pages; what is run again comes back from the page cache by itself.

    Loading touches 120 MB of code that is never run again. Only executable, unwritable mappings of the file are
    touched: those hold nothing but what is in the file.
    """
    if not _MAPS.exists():
        return  # not Linux
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for line in _MAPS.read_text().splitlines():
        parts = line.split(maxsplit=5)
        if len(parts) == 6 and parts[1] == "r-xp" and parts[5].endswith(library):
            start, end = (int(part, 16) for part in parts[0].split("-"))
            if madvise(start, end - start, _MADV_DONTNEED) != 0:
                logger.debug("madvise failed: %d", ctypes.get_errno())
