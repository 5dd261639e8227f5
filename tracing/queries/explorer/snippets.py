"""The text around a hit, read in the database: inputs may have megabytes, a snippet has a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_, tuple_

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import observations, traces
from tracing.queries.bounds import has_observations, inside_of
from tracing.queries.explorer import search
from tracing.queries.explorer.rows import Snippet

t, o = traces.c, observations.c

#: Characters before the first hit, and in all.
BEFORE = 60
LENGTH = 240

_OBSERVATION_FIELDS: tuple[tuple[str, Any], ...] = (
    ("input", o.input),
    ("output", o.output),
    ("name", o.name),
    ("status", o.status_message),
    ("user", o.user_id),
    ("session", o.session_id),
    ("metadata", fn.joined(fn.map_values(o.metadata))),
    ("metadata", fn.joined(fn.map_keys(o.metadata))),
)
_TRACE_FIELDS: tuple[tuple[str, Any], ...] = (
    ("input", t.input),
    ("output", t.output),
    ("name", t.name),
    ("user", t.user_id),
    ("session", t.session_id),
    ("metadata", fn.joined(fn.map_values(t.metadata))),
    ("metadata", fn.joined(fn.map_keys(t.metadata))),
)


def of_traces(scope: ProjectScope, found: Sequence[Any], texts: Sequence[str]) -> dict[str, Snippet]:
    """By trace: the snippet of its own text, or of one of its observations that have the first of the words."""
    own = _around(_TRACE_FIELDS, texts)
    query = store.select(scope, traces, t.id, *own).where(
        t.timestamp.in_(sorted({row.timestamp for row in found})),
        t.id.in_([row.id for row in found]),
        or_(*(search.in_trace(text) for text in texts)),
    )
    snippets = {}
    inside = [row for row in found if has_observations(row)]
    if inside:
        snippets = _of_their_observations(scope, inside, texts)
    for row in store.rows(scope, query, tag="explorer-trace-snippets"):
        snippet = _snippet(row.field, row.piece, row.place, texts)
        if snippet is not None and row.id not in snippets:
            snippets[row.id] = snippet
    return snippets


def _of_their_observations(scope: ProjectScope, found: Sequence[Any], texts: Sequence[str]) -> dict[str, Snippet]:
    columns = _around(_OBSERVATION_FIELDS, texts)
    hits = store.select(scope, observations, o.trace_id, o.id, o.start_time, *columns).where(
        inside_of(found), or_(*(search.in_observation(text) for text in texts))
    )
    first = fn.first_of_each(hits, "trace_id", limit=1, order=[("start_time", False), ("id", False)])
    snippets = {}
    for row in store.rows(scope, first, tag="explorer-snippets"):
        snippet = _snippet(row.field, row.piece, row.place, texts, row.id)
        if snippet is not None:
            snippets[row.trace_id] = snippet
    return snippets


def of_observations(scope: ProjectScope, found: Sequence[Any], texts: Sequence[str]) -> dict[tuple[str, str], Snippet]:
    """By trace and id."""
    query = store.select(scope, observations, o.trace_id, o.id, *_around(_OBSERVATION_FIELDS, texts)).where(
        o.start_time.in_(sorted({row.start_time for row in found})),
        tuple_(o.trace_id, o.id).in_([(row.trace_id, row.id) for row in found]),
    )
    snippets = {}
    for row in store.rows(scope, query, tag="explorer-snippets"):
        snippet = _snippet(row.field, row.piece, row.place, texts, row.id)
        if snippet is not None:
            snippets[row.trace_id, row.id] = snippet
    return snippets


def _around(fields: Sequence[tuple[str, Any]], texts: Sequence[str]) -> list[Any]:
    """Field, text and place of the first hit: of the first word in the first field that has it."""
    field: Any = ""
    piece: Any = ""
    place: Any = 0
    for text in reversed(texts):
        for name, column in reversed(fields):
            at = fn.place_of(column, text)
            start = fn.if_else(at > BEFORE, at - BEFORE, 1)
            field = fn.if_else(at > 0, name, field)
            piece = fn.if_else(at > 0, fn.slice_of(column, start, LENGTH + 1), piece)
            place = fn.if_else(at > 0, start, place)
    return [field.label("field"), piece.label("piece"), place.label("place")]


def _snippet(field: str, piece: str, place: int, texts: Sequence[str], observation_id: str = "") -> Snippet | None:
    if not field:
        return None
    text = piece[:LENGTH]
    return Snippet(field, text, marks(text, texts), place > 1, len(piece) > LENGTH, observation_id)


def marks(text: str, texts: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Where any of the words stand, in any case; what overlaps is one mark."""
    pattern = "|".join(re.escape(word) for word in sorted(texts, key=len, reverse=True) if word)
    if not pattern:
        return ()
    return tuple(match.span() for match in re.finditer(pattern, text, re.IGNORECASE))
