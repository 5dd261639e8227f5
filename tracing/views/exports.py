"""What a list shows, as a file: everything that its filters match."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.models import Project
from accounts.roles import Role
from config.errors import NotFound
from tracing.forms import exact_wanted_from
from tracing.queries.explorer.nouns import Noun
from tracing.queries.exports import EXPORTED, Format, export, file_name
from tracing.views.lists.columns import chosen_ids

_TYPES = {Format.CSV: "text/csv; charset=utf-8", Format.JSONL: "application/x-ndjson"}


@require_safe
@project_page(Role.VIEWER)
def export_list(request: HttpRequest, scope: ProjectScope, noun: str, format: str) -> HttpResponseBase:
    """The same parameters as the list's. `fields=columns` takes its columns only, else all there is comes."""
    if noun not in EXPORTED or format not in list(Format):
        raise NotFound("There is no such export.")
    kind, wanted = Format(format), exact_wanted_from(request.GET, Noun(noun))
    chosen = chosen_ids(request.GET) if request.GET.get("fields") == "columns" else ()
    project = Project.objects.get(pk=scope.project_id)
    pieces = export(scope, wanted, kind, chosen=chosen) if request.method == "GET" else iter(())
    response = StreamingHttpResponse(pieces, content_type=_TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="{file_name(project.name, Noun(noun), kind)}"'
    response["Cache-Control"] = "private, no-store"
    # A proxy that gathers the whole file first would need room for it.
    response["X-Accel-Buffering"] = "no"
    return response
