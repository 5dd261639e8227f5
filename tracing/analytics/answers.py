"""Answers of the store that still hold: kept in this process until the project's data change.

Pages reload, clients poll and pages of a list share their total, mostly with nothing new in between. Kept are the raw
bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from config.kept import Kept
from tracing.analytics import versions

_kept = Kept(most_bytes=24 << 20, longest=1 << 20, seconds=30.0)


def remembered(project_id: str, question: str, ask: Callable[[], bytes]) -> bytes:
    """The answer to a question about a project, asked at most once while its data stay as they are."""
    word = versions.current(project_id)
    if not word:
        return ask()
    key = (word, hashlib.blake2b(f"{project_id} {question}".encode(), digest_size=16).digest())
    answer = _kept.get(key)
    if answer is None:
        answer = ask()
        _kept.put(key, answer)
    return answer


def forget() -> None:
    _kept.clear()
