"""A payload taken apart, to find out what of it cannot be stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import orjson

from tracing.ingest import otlp
from tracing.ingest.inbox import Payload
from tracing.ingest.text import as_text

#: Each part repeats what it shares with others: a small payload can become parts beyond all memory.
_MOST_BYTES = 64 << 20


def singles(payload: Payload) -> list[Payload]:
    """A payload for each span, event or score of this one, or none where that is not worth it."""
    parts, size = [], 0
    envelope = replace(payload.envelope, content_type="application/json")
    for text in _texts(payload):
        parts.append(Payload(envelope, text.encode()))
        size += len(parts[-1].body)
        if size > _MOST_BYTES:
            return []
    return parts if len(parts) > 1 else []


def _texts(payload: Payload) -> Iterator[str]:
    if payload.envelope.kind == "otlp":
        return otlp.singles(payload.body, payload.envelope)
    return (as_text([item]) for item in orjson.loads(payload.body))
