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


def normalise_environment(value: Any, *, is_own: bool = False) -> str:
    """`is_own`: it comes from the server itself, and so may begin with what is kept for that."""
    if not isinstance(value, str):
        return DEFAULT
    if is_own or len(value) > _LONGEST_REMEMBERED:
        return _normalise(value, is_own=is_own)
    return _remembered(value)


def _normalise(value: str, *, is_own: bool = False) -> str:
    name = value.lower()
    reserved = None if is_own else _RESERVED.match(name)
    if reserved:
        name = name[reserved.end() :]
    name = name[:_MAXIMUM]
    return name if _VALID.fullmatch(name) else DEFAULT


_remembered = lru_cache(maxsize=4096)(_normalise)
