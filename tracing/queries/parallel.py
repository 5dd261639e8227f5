"""Runs independent store queries side by side: each is a round trip, and the engine has more than one core."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

#: Shared by all requests of a process. Work here only waits for the store and never starts work of its own.
_pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="queries")


def together(*questions: Callable[[], Any]) -> tuple[Any, ...]:
    """The answers in the order of the questions; the first error, if any. The last one runs on this thread."""
    *others, last = questions
    waiting = [_pool.submit(question) for question in others]
    own = last()
    return (*(future.result() for future in waiting), own)
