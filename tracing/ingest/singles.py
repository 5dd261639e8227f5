"""A payload taken apart, to find out what of it cannot be stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import orjson

from tracing.ingest import otlp
from tracing.ingest.inbox import Payload
from tracing.ingest.text import as_text

#: Each part repeats what it shares with others: a small payload can become parts beyond all memory, or all patience.
_MOST_BYTES = 32 << 20
_MOST = 10_000


def singles(payload: Payload) -> list[Payload]:
    """A payload for each span, or for all events of one observation, trace or score, in the order of this one.

    Together they are stored as this payload would be, and each alone can be delivered later. None where it is not
    worth it.
    """
    parts, size = [], 0
    envelope = replace(payload.envelope, content_type="application/json")
    for text in _texts(payload):
        parts.append(Payload(envelope, text.encode()))
        size += len(parts[-1].body)
        if size > _MOST_BYTES or len(parts) > _MOST:
            return []
    return parts if len(parts) > 1 else []


def _texts(payload: Payload) -> Iterable[str]:
    if payload.envelope.kind == "otlp":
        return otlp.singles(payload.body, payload.envelope)
    return _by_record(orjson.loads(payload.body))


def _by_record(items: list[dict[str, Any]]) -> Iterator[str]:
    """Events of one record change one another: alone, one of them would come too late. Observations take from traces
    that are there before them."""
    of_record: dict[Any, list[dict[str, Any]]] = {}
    for item in sorted(items, key=lambda item: item.get("type") != "trace-create"):
        body = item.get("body")
        record = body.get("id") if isinstance(body, dict) else item.get("id")
        of_record.setdefault(record or id(item), []).append(item)
    return map(as_text, of_record.values())
