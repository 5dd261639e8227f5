"""Environment names: every way of ingestion normalises them alike, and never refuses one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

DEFAULT = "default"
_MAXIMUM = 40
#: environments of that prefix are kept for what the server itself runs
_RESERVED = re.compile(r"(?:langfuse[-_]?)+")
_VALID = re.compile(r"[a-z0-9_-]+")


def normalise_environment(value: Any) -> str:
    return _normalise(value) if isinstance(value, str) else DEFAULT


@lru_cache(maxsize=4096)
def _normalise(value: str) -> str:
    name = value.lower()
    reserved = _RESERVED.match(name)
    if reserved:
        name = name[reserved.end() :]
    name = name[:_MAXIMUM]
    return name if _VALID.fullmatch(name) else DEFAULT
