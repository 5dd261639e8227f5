"""Answers of the store that still hold: kept in this process until the project's data change.

Pages reload, clients poll and pages of a list share their total, mostly with nothing new in between. Kept are the raw
bytes, the newest of them, up to a bound.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from tracing.analytics import versions

_MOST_BYTES = 24 << 20
_LONGEST_ANSWER = 1 << 20
#: An answer is not kept for ever, should a change ever not have been told.
_KEPT_SECONDS = 30.0

_lock = threading.Lock()
_kept: OrderedDict[tuple[str, bytes], tuple[float, bytes]] = OrderedDict()
_size = 0


def remembered(project_id: str, question: str, ask: Callable[[], bytes]) -> bytes:
    """The answer to a question about a project, asked at most once while its data stay as they are."""
    word = versions.current(project_id)
    if not word:
        return ask()
    key = (word, hashlib.blake2b(f"{project_id} {question}".encode(), digest_size=16).digest())
    answer = _find(key)
    if answer is None:
        answer = ask()
        _keep(key, answer)
    return answer


def forget() -> None:
    global _size
    with _lock:
        _kept.clear()
        _size = 0


def _find(key: tuple[str, bytes]) -> bytes | None:
    with _lock:
        at, answer = _kept.get(key, (0.0, b""))
        if not at or time.monotonic() - at > _KEPT_SECONDS:
            return None
        _kept.move_to_end(key)
        return answer


def _keep(key: tuple[str, bytes], answer: bytes) -> None:
    global _size
    if len(answer) > _LONGEST_ANSWER:
        return
    with _lock:
        _size += len(answer) - len(_kept.pop(key, (0.0, b""))[1])
        _kept[key] = (time.monotonic(), answer)
        while _size > _MOST_BYTES:
            _size -= len(_kept.popitem(last=False)[1][1])
