"""What a page links to as it is: the raw text of an input or output, and files that came with a trace."""

from __future__ import annotations

from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import NotFound
from config.file_answers import answer_file
from tracing.models import Media
from tracing.queries import trace_page

#: shown in place; everything else, SVG and HTML first of all, is only ever downloaded
_SHOWN_FAMILIES = ("audio/", "video/")
_SHOWN_IMAGES = {"image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp", "image/avif", "image/bmp"}
_RAW_FIELDS = {"input", "output"}


@require_safe
@project_page(Role.VIEWER)
def trace_raw(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """The whole text of one field, as plain text."""
    field = request.GET.get("field", "")
    if field not in _RAW_FIELDS:
        raise NotFound()
    trace = trace_page.get_trace_record(scope, request.GET.get("trace", ""))
    observation_id = request.GET.get("observation", "")
    record = trace_page.get_observation(scope, trace, observation_id) if observation_id else trace
    response = HttpResponse(getattr(record, field), content_type="text/plain; charset=utf-8")
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_safe
@project_page(Role.VIEWER)
def media_file(request: HttpRequest, scope: ProjectScope, media_id: str) -> HttpResponseBase:
    media = Media.objects.filter(project_id=scope.project_id, media_id=media_id, uploaded_at__isnull=False).first()
    if media is None or not default_storage.exists(media.storage_key):
        raise NotFound("There is no such file in this project, or its upload never ended.")
    shown = media.content_type in _SHOWN_IMAGES or media.content_type.startswith(_SHOWN_FAMILIES)
    response = answer_file(
        request,
        default_storage.open(media.storage_key),
        default_storage.size(media.storage_key),
        content_type=media.content_type if shown else "application/octet-stream",
        as_attachment=not shown,
        filename=media.media_id,
    )
    response["X-Content-Type-Options"] = "nosniff"
    # Content never changes under its id.
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response
