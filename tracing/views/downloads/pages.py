"""The addresses of downloads. Traces are streamed: the first bytes leave before the last ones are read."""

from __future__ import annotations

from itertools import chain

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from tracing.queries import trace_export, trace_page
from tracing.views.acts.public import open_to_strangers
from tracing.views.downloads import plain
from tracing.views.downloads.otlp import trace_as_otlp

_JSON = "application/json"


@require_safe
@open_to_strangers
@project_page(Role.VIEWER)
def record_download(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """One observation, or what belongs to the trace as a whole; shown, or as a file with `as=file`."""
    trace = trace_page.get_trace_record(scope, request.GET.get("trace", ""))
    observation_id = request.GET.get("observation", "")
    record = trace_page.get_observation(scope, trace, observation_id) if observation_id else trace
    response = HttpResponse(plain.as_json(record), content_type=_JSON)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    if request.GET.get("as") == "file":
        _as_file(response, f"observation-{record.id}" if observation_id else f"trace-{record.id}")
    return response


@require_safe
@open_to_strangers
@project_page(Role.VIEWER)
def trace_download(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """All of a trace as a file; `as=otlp` makes it an OTLP export."""
    trace = trace_page.get_trace_record(scope, request.GET.get("trace", ""))
    observations = trace_export.each_observation(scope, trace)
    is_otlp = request.GET.get("as") == "otlp"
    if is_otlp:
        pieces = trace_as_otlp(trace, observations)
    else:
        pieces = plain.trace_as_json(trace, observations, trace_export.each_score(scope, trace.id))
    # What is wrong from the start is an error of its own, and no half file.
    first, second = next(pieces), next(pieces)
    response = StreamingHttpResponse(chain((first, second), pieces), content_type=_JSON)
    _as_file(response, f"trace-{trace.id}{'-otlp' if is_otlp else ''}")
    return response


def _as_file(response: HttpResponseBase, name: str) -> None:
    fit = "".join(character if character.isascii() and character.isalnum() else "-" for character in name)[:120]
    response["Content-Disposition"] = f'attachment; filename="{fit}.json"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
