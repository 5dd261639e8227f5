"""What the trace page asks for after it is there: the skeleton, finds, beginnings of texts, the whole as a file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import SpanwiseError
from config.rendering import render_page
from tracing.analytics.decode import collector_paused
from tracing.analytics.records import EPOCH, Trace
from tracing.forms import text_from
from tracing.queries import trace_page
from tracing.queries.parallel import together
from tracing.views.acts.public import open_to_strangers
from tracing.views.shown import ShownObservation
from tracing.views.trace.page import is_live

#: ids in one request for beginnings of texts
_MOST_PREVIEWS = 200
_FAST = 1  # a skeleton of 100,000 rows takes 60 ms; the best compression takes ten times as long for a fifth less


@require_safe
@open_to_strangers
@project_page(Role.VIEWER)
def trace_skeleton(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """Lines of JSON: what is known of the whole, then rows column by column, then scores and comments by observation.

    `after` is the `version` of an earlier answer: only rows written since are sent.
    """
    trace = trace_page.get_trace_record(scope, request.GET.get("trace", ""))
    after = request.GET.get("after", "")
    lines = _Skeleton(scope, trace, after_version=_number(after)).lines()
    first = next(lines)  # an error is still an answer of its own here
    return _streamed(request, _chained(first, lines))


class _Skeleton:
    """Repeated words (types, names, levels, models) are sent once; a parent is the place of its row where that was
    sent before, or else its id. Times are milliseconds, since the first start or since the start of the row."""

    def __init__(self, scope: ProjectScope, trace: Trace, *, after_version: int) -> None:
        self._scope, self._trace, self._after = scope, trace, after_version
        self._words: dict[str, int] = {}
        self._places: dict[str, int] = {}
        #: rows sent so far; one whose start is changed meanwhile is sent once more, and has a place for each
        self._sent = 0

    def lines(self) -> Iterator[bytes]:
        parts = trace_page.skeleton(self._scope, self._trace, after_version=self._after)
        totals, first = together(lambda: trace_page.totals(self._scope, self._trace), lambda: next(parts, []))
        yield _line(
            {
                "origin": (self._trace.first_start - EPOCH) // timedelta(microseconds=1),
                "count": totals.observations,
                "version": totals.newest_version,
                "live": is_live(totals),
            }
        ) + _line(self._columns(first))
        try:
            for part in parts:
                yield _line(self._columns(part))
            yield _line(self._said())
        except SpanwiseError as error:  # the answer has begun: it says in its place why it ends
            yield _line({"problem": str(error)})

    def _columns(self, part: list[list[Any]]) -> dict[str, list[Any]]:
        if not part:
            return {"id": []}
        with collector_paused():
            ids, parents, types, names, levels, models, starts, lengths, firsts, tokens, costs, roots, *_rest = zip(
                *part, strict=True
            )
            known_words = len(self._words)
            self._places.update(zip(ids, range(self._sent, self._sent + len(ids)), strict=True))
            self._sent += len(ids)
            columns: dict[str, list[Any]] = {
                "id": list(ids),
                "parent": list(map(self._places.get, parents, parents)),
                "type": self._numbers(types),
                "name": self._numbers(names),
                "level": self._numbers(levels),
                "model": self._numbers(models),
                "start": list(starts),
                "length": list(lengths),
                "first": list(firsts),
                "tokens": list(tokens),
                "cost": list(costs),
                "roots": [at for at, is_root in enumerate(roots) if is_root and parents[at]],
            }
            columns["words"] = list(self._words)[known_words:]
        return columns

    def _numbers(self, column: Sequence[str]) -> list[int]:
        # Whole columns at once: a loop over 100,000 rows would take longer than reading them.
        for word in set(column).difference(self._words):
            self._words[word] = len(self._words)
        return list(map(self._words.__getitem__, column))

    def _said(self) -> dict[str, Any]:
        may_hear = bool(self._places) and self._scope.role is not Role.NONE  # an open trace is open without its talk
        return {
            "scores": trace_page.scores_by_observation(self._scope, self._trace.id),
            "comments": trace_page.comments_by_observation(self._scope, self._places) if may_hear else {},
        }


@require_safe
@open_to_strangers
@project_page(Role.VIEWER)
def trace_find(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Ids of the observations that hold a text somewhere."""
    trace = trace_page.get_trace_record(scope, request.GET.get("trace", ""))
    text = text_from(request.GET, "find")
    found = sorted(trace_page.find_in_trace(scope, trace, text)) if text else []
    return _json({"ids": found, "cut": len(found) >= trace_page.FIND_LIMIT})


@require_safe
@open_to_strangers
@project_page(Role.VIEWER)
def trace_previews(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """How input, output and status message of some observations begin, by id."""
    trace = trace_page.get_trace_record(scope, request.GET.get("trace", ""))
    ids = request.GET.getlist("id")[:_MOST_PREVIEWS]
    return _json({row[0]: row[1:] for row in trace_page.list_previews(scope, trace, ids)})


@require_safe
@open_to_strangers
@project_page(Role.VIEWER)
def trace_log_entry(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Input and output of one observation, for a row of the log."""
    trace = trace_page.get_trace_record(scope, request.GET.get("trace", ""))
    record = trace_page.get_observation(scope, trace, request.GET.get("observation", ""))
    shown = ShownObservation(scope, trace, record, [])
    context = {
        "shown": shown,
        "parts": [(_("Input"), shown.input), (_("Output"), shown.output)],
        "is_empty": shown.input.is_empty and shown.output.is_empty and not record.status_message,
    }
    return render_page(request, "tracing/_log_entry.html", context)


@require_safe
@open_to_strangers
@project_page(Role.VIEWER)
def trace_log(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """All observations by time, with everything they hold, as one JSON list."""
    trace = trace_page.get_trace_record(scope, request.GET.get("trace", ""))
    pieces = _list_of(trace_page.each_entry(scope, trace))
    response = _streamed(request, _chained(next(pieces), pieces), "application/json")
    if "shown" not in request.GET:
        response["Content-Disposition"] = 'attachment; filename="trace.json"'
    return response


def _list_of(entries: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    opening = b"[\n"
    for part in entries:
        lines = b",\n".join(orjson.dumps(entry, default=str) for entry in part)
        if lines:
            yield opening + lines
            opening = b",\n"
    yield (b"[" if opening == b"[\n" else b"") + b"\n]\n"


def _line(value: Any) -> bytes:
    return orjson.dumps(value, default=str) + b"\n"


def _json(value: Any) -> HttpResponse:
    response = HttpResponse(_line(value), content_type="application/json")
    response["Cache-Control"] = "private, no-store"
    return response


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _streamed(
    request: HttpRequest, pieces: Iterator[bytes], content_type: str = "application/x-ndjson"
) -> StreamingHttpResponse:
    is_zipped = "gzip" in request.headers.get("Accept-Encoding", "")
    response = StreamingHttpResponse(_zipped(pieces) if is_zipped else pieces, content_type=content_type)
    if is_zipped:
        response["Content-Encoding"] = "gzip"
    patch_vary_headers(response, ["Accept-Encoding", "Cookie"])
    response["Cache-Control"] = "private, no-store"
    return response


def _zipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Each piece can be read as soon as it has come."""
    zipper = zlib.compressobj(_FAST, wbits=31)
    for piece in pieces:
        yield zipper.compress(piece) + zipper.flush(zlib.Z_SYNC_FLUSH)
    yield zipper.flush()


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
