"""What a run has said so far: a list in the broker for each run, which pages read while it goes on.

Nothing here is needed for the outcome, which is in the run's row. Without the broker a page shows the answer whole, at
its end.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config import broker
from prompts.llm import Event, TextDelta, ThinkingDelta, ToolCallDelta

log = logging.getLogger(__name__)

#: Not one round trip a token: pages look a few times a second.
_FLUSH_SECONDS = 0.05
#: longer than any run may last
_LIFE_SECONDS = 1800
#: for pages that are a little late
_AFTERLIFE_SECONDS = 120
#: Of longer answers the rest is seen at the end: the broker holds everything in memory.
_MOST_CHARACTERS = 1_000_000
_PATIENCE_SECONDS = 0.5
_PAUSE_SECONDS = 2.0

Piece = dict[str, Any]


#: without the tries that redis-py makes by itself: meanwhile an answer would wait
IMPATIENT: dict[str, Any] = {
    "socket_connect_timeout": _PATIENCE_SECONDS,
    "socket_timeout": _PATIENCE_SECONDS,
    "retry": Retry(NoBackoff(), 0),
}


def _broker() -> redis.Redis:
    return broker.client("pieces", **IMPATIENT)


def _key(run_id: str) -> str:
    return f"playground:pieces:{run_id}"


def piece_of(event: Event) -> Piece | None:
    """None for events that are not shown while they come."""
    match event:
        case TextDelta(text, is_refusal):
            return {"kind": "refusal" if is_refusal else "text", "text": text} if text else None
        case ThinkingDelta(text):
            return {"kind": "thinking", "text": text} if text else None
        case ToolCallDelta(index, _, name, arguments):
            return {"kind": "tool", "index": index, "name": name, "text": arguments} if name or arguments else None
    return None


def together(pieces: list[Piece]) -> list[Piece]:
    """Neighbours of one kind, and of one tool call, as one piece."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else {}
        if last.get("kind") == piece["kind"] and last.get("index") == piece.get("index"):
            found[-1] = {**last, "text": last["text"] + piece["text"]}
            if piece.get("name"):
                found[-1]["name"] = last.get("name") or piece["name"]
        else:
            found.append(piece)
    return found


class Writer:
    """Puts a run's pieces where pages find them. Never raises: an answer is not lost for want of a broker."""

    def __init__(self, run_id: str) -> None:
        self._key = _key(run_id)
        self._waiting: list[Piece] = []
        self._room = _MOST_CHARACTERS
        self._next_at = 0.0

    def add(self, event: Event) -> None:
        piece = piece_of(event)
        if piece is not None and self._room > 0:
            self._room -= len(piece["text"]) + 20
            self._waiting.append(piece)
        self.flush()

    def flush(self, *, is_last: bool = False) -> None:
        """To be called while nothing comes, too."""
        if time.monotonic() < self._next_at and not is_last:
            return
        if not self._waiting and not is_last:
            return
        self._next_at = time.monotonic() + _FLUSH_SECONDS
        try:
            pipeline = _broker().pipeline(transaction=False)
            if self._waiting:
                pipeline.rpush(self._key, orjson.dumps(together(self._waiting)))
            pipeline.expire(self._key, _AFTERLIFE_SECONDS if is_last else _LIFE_SECONDS)
            pipeline.execute()
        except redis.RedisError as error:
            log.warning("Pieces of a run cannot be shown while it goes on: %s", error)
            self._next_at = time.monotonic() + _PAUSE_SECONDS
            return
        self._waiting.clear()


def read(after: dict[str, int]) -> dict[str, tuple[int, list[Piece]]]:
    """For each run the cursor to ask with next, and its pieces after the one that was given. Without the broker
    nothing is new."""
    if not after:
        return {}
    try:
        pipeline = _broker().pipeline(transaction=False)
        for run_id, cursor in after.items():
            pipeline.lrange(_key(run_id), cursor, -1)
        found = pipeline.execute()
    except redis.RedisError as error:
        log.warning("The broker cannot be asked for pieces of runs: %s", error)
        return {run_id: (cursor, []) for run_id, cursor in after.items()}
    return {
        run_id: (cursor + len(batches), together([piece for batch in batches for piece in orjson.loads(batch)]))
        for (run_id, cursor), batches in zip(after.items(), found, strict=True)
    }
