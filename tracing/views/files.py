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
from tracing.analytics.records import Observation, Trace
from tracing.models import Media
from tracing.queries import trace_page
from tracing.views import conversation
from tracing.views.acts.public import open_to_strangers
from tracing.views.conversation.transcript import message_text, transcript
from tracing.views.shown import as_json

#: shown in place; everything else, SVG and HTML first of all, is only ever downloaded
_SHOWN_FAMILIES = ("audio/", "video/")
_SHOWN_IMAGES = {"image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp", "image/avif", "image/bmp"}


@require_safe
@open_to_strangers
@project_page(Role.VIEWER)
def trace_raw(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """The whole text of one field, as plain text: as it was sent, as markdown, or one message of it."""
    trace = trace_page.get_trace_record(scope, request.GET.get("trace", ""))
    observation_id = request.GET.get("observation", "")
    record = trace_page.get_observation(scope, trace, observation_id) if observation_id else trace
    field, is_markdown = request.GET.get("field", ""), request.GET.get("as") == "markdown"
    text = _whole(record) if is_markdown and not field else _text_of(record, field)
    place = request.GET.get("message", "")
    if field and (place or is_markdown):
        text = _read(record, text, field, place)
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-cache"
    return response


def _text_of(record: Observation | Trace, field: str) -> str:
    if field in ("input", "output"):
        return record.input if field == "input" else record.output
    if field == "metadata":
        return as_json(record.metadata)
    raise NotFound()


def _read(record: Observation | Trace, text: str, field: str, place: str) -> str:
    content = conversation.read(text, default_role=_default_role(record, field))
    if not place:
        return transcript(content)
    if not place.isdecimal() or len(place) > 9 or int(place) >= len(content.messages):
        raise NotFound("There is no such message.")
    return message_text(content.messages[int(place)])


def _default_role(record: Observation | Trace, field: str) -> str:
    is_answer = field == "output" and (isinstance(record, Trace) or record.type == "GENERATION")
    return "assistant" if is_answer else ""


def _whole(record: Observation | Trace) -> str:
    """Input and output below each other, under the name."""
    parts = [f"# {record.name or record.id}\n"]
    for field, title in (("input", "Input"), ("output", "Output")):
        text = _text_of(record, field)
        if text:
            content = conversation.read(text, default_role=_default_role(record, field))
            parts.append(f"## {title}\n\n{transcript(content)}")
    return "\n".join(parts)


@require_safe
@open_to_strangers
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
