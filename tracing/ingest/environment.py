"""Environment names: every way of ingestion normalises them alike, and never refuses one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

DEFAULT = "default"
_MAXIMUM = 40
_LONGEST_REMEMBERED = 200
#: environments of that prefix are kept for what the server itself runs
_RESERVED = re.compile(r"(?:langfuse[-_]?)+")
_VALID = re.compile(r"[a-z0-9_-]+")


def normalise_environment(value: Any) -> str:
    if not isinstance(value, str):
        return DEFAULT
    return _remembered(value) if len(value) <= _LONGEST_REMEMBERED else _normalise(value)


def _normalise(value: str) -> str:
    name = value.lower()
    reserved = _RESERVED.match(name)
    if reserved:
        name = name[reserved.end() :]
    name = name[:_MAXIMUM]
    return name if _VALID.fullmatch(name) else DEFAULT


_remembered = lru_cache(maxsize=4096)(_normalise)
