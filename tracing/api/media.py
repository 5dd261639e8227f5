"""Media: where to put the bytes, whether they arrived, and where to get them. The bytes go through signed addresses."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from django.conf import settings
from django.core import signing
from django.core.files import File
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import CORS_HEADERS, PublicView, error_body, iso, to_json
from config.errors import Forbidden, Invalid, NotFound, SpanwiseError, TooLarge
from tracing.api.params import parse_time
from tracing.models.media import ID_LENGTH, ContentType, Media, MediaField, MediaLink

_VALID_SECONDS = 3600
_SALT = "media"
_CHUNK = 1 << 20
_IN_MEMORY = 4 * _CHUNK
#: Shown in a browser these cannot run anything; the rest is handed over as a download.
_SHOWN_INLINE = ("image/", "audio/", "video/", "text/plain", "application/pdf")


class MediaUpload(PublicView):
    def post(self, request: Request) -> Response:
        wanted = _read_upload(self.body())
        media, _ = Media.objects.get_or_create(
            project_id=self.scope.project_id,
            media_id=wanted["media_id"],
            defaults={key: wanted[key] for key in ("sha256", "content_type", "content_length")},
        )
        if media.uploaded_at is None or media.content_type != wanted["content_type"]:
            media.content_type, media.content_length = wanted["content_type"], wanted["content_length"]
            media.save(update_fields=["content_type", "content_length"])
        MediaLink.objects.get_or_create(project_id=self.scope.project_id, media=media, **wanted["link"])
        url = None if _is_stored(media) else _signed_url(request._request, media, "put")
        return Response({"mediaId": media.media_id, "uploadUrl": url}, status=201)


class OneMedia(PublicView):
    def get(self, request: Request, media_id: str) -> Response:
        media = _find(self.scope.project_id, media_id)
        if media.upload_status is not None and not 200 <= media.upload_status < 300:
            raise NotFound(f"Media upload failed with status {media.upload_status}: {media.upload_error}")
        if media.uploaded_at is None:
            raise NotFound("Media not yet uploaded")
        expiry = datetime.now(UTC) + timedelta(seconds=_VALID_SECONDS)
        return Response(
            {
                "mediaId": media.media_id,
                "contentType": media.content_type,
                "contentLength": media.content_length,
                "uploadedAt": iso(media.uploaded_at),
                "url": _signed_url(request._request, media, "get"),
                "urlExpiry": iso(expiry),
            }
        )

    def patch(self, request: Request, media_id: str) -> Response:
        """What a client tells counts only where we did not see the bytes ourselves."""
        media = _find(self.scope.project_id, media_id)
        body = self.body()
        status, at = (body.get("uploadHttpStatus"), body.get("uploadedAt")) if isinstance(body, dict) else (None, None)
        if not isinstance(status, int) or not 0 <= status < 1000:
            raise _invalid("uploadHttpStatus", "Invalid input: expected number")
        moment = parse_time(at) if isinstance(at, str) else None
        if moment is None:
            raise _invalid("uploadedAt", "Invalid ISO datetime")
        if not default_storage.exists(media.storage_key):
            is_success = 200 <= status < 300
            media.upload_status, media.upload_error = status, _error_text(body.get("uploadHttpError"))
            media.uploaded_at = None
            if is_success:
                media.upload_status = None  # a success without bytes here is not one
            media.save(update_fields=["upload_status", "upload_error", "uploaded_at"])
        return Response({"message": "OK"})


@csrf_exempt
def content(request: HttpRequest, token: str) -> HttpResponseBase:
    """The bytes, to put or to get; the signed token in the address is the permission."""
    try:
        response: HttpResponseBase = _content(request, token)
    except SpanwiseError as error:
        body = to_json(error_body(error))
        response = HttpResponse(body, status=error.status, content_type="application/json")
    for name, value in CORS_HEADERS.items():
        response[name] = value
    return response


def _content(request: HttpRequest, token: str) -> HttpResponseBase:
    if request.method == "OPTIONS":
        asked = request.headers.get("Access-Control-Request-Headers", "Content-Type")
        return HttpResponse(status=204, headers={"Access-Control-Allow-Headers": asked})
    method = {"GET": "get", "HEAD": "get", "PUT": "put"}.get(request.method or "")
    if method is None:
        body = to_json({"message": "Method not allowed", "error": "MethodNotAllowedError"})
        return HttpResponse(body, status=405, content_type="application/json")
    media = _open_token(token, method)
    return _download(media) if method == "get" else _receive(request, media)


def _download(media: Media) -> FileResponse:
    if not default_storage.exists(media.storage_key):
        raise NotFound("Media not yet uploaded")
    is_inline = media.content_type.startswith(_SHOWN_INLINE) and media.content_type != "image/svg+xml"
    response = FileResponse(
        default_storage.open(media.storage_key), as_attachment=not is_inline, content_type=media.content_type
    )
    # What was traced is hostile: it must run nothing, whatever type it claims.
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, max-age=3600"
    return response


def _receive(request: HttpRequest, media: Media) -> HttpResponse:
    """Stores the bytes only when they are those that were announced."""
    claimed = request.headers.get("x-amz-checksum-sha256")
    if claimed and claimed != media.sha256:
        raise Invalid("The checksum header differs from the announced sha256Hash.")
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        digest = hashlib.sha256()
        for chunk in _chunks(request, media.content_length):
            digest.update(chunk)
            spool.write(chunk)
        if base64.b64encode(digest.digest()).decode() != media.sha256:
            raise Invalid("The content does not match the announced sha256Hash.")
        size = spool.tell()
        spool.seek(0)
        if not default_storage.exists(media.storage_key):
            default_storage.save(media.storage_key, File(spool, name=media.storage_key))
    media.uploaded_at, media.upload_status, media.upload_error = datetime.now(UTC), 200, ""
    media.content_length = size
    media.save(update_fields=["uploaded_at", "upload_status", "upload_error", "content_length"])
    return HttpResponse(status=200)


def _chunks(request: HttpRequest, most: int) -> Iterator[bytes]:
    length = request.META.get("CONTENT_LENGTH") or ""
    is_chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower() and not length
    stream: IO[bytes] = request.META["wsgi.input"] if is_chunked else request  # type: ignore[assignment]
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > most:
            raise TooLarge(f"More than the announced {most} bytes were sent.")
        yield chunk


def _find(project_id: str, media_id: str) -> Media:
    media = Media.objects.filter(project_id=project_id, media_id=media_id).first()
    if media is None:
        raise NotFound("Media asset not found")
    return media


def _is_stored(media: Media) -> bool:
    return media.uploaded_at is not None and default_storage.exists(media.storage_key)


def _signed_url(request: HttpRequest, media: Media, method: str) -> str:
    """Under the address the client itself used: behind a proxy or in a container that is the one that works."""
    token = signing.dumps([media.project_id, media.media_id, method], salt=_SALT, compress=True)
    return request.build_absolute_uri(reverse("media-content", args=[token]))


def _open_token(token: str, method: str) -> Media:
    try:
        project_id, media_id, allowed = signing.loads(token, salt=_SALT, max_age=_VALID_SECONDS)
    except (signing.BadSignature, ValueError):
        raise Forbidden("This address is not valid or has expired.") from None
    if allowed != method:
        raise Forbidden("This address was made for something else.")
    return _find(project_id, media_id)


def _read_upload(body: Any) -> dict[str, Any]:
    """The announcement of an upload, checked."""
    if not isinstance(body, dict):
        raise _invalid("", "Invalid input: expected object")
    given = {key: value for key, value in body.items() if value is not None}
    content_type, length, digest = given.get("contentType"), given.get("contentLength"), given.get("sha256Hash")
    if content_type not in ContentType.values:
        raise _invalid("contentType", "Invalid option: expected one of the supported media types")
    if not isinstance(length, int) or isinstance(length, bool) or length < 1:
        raise _invalid("contentLength", "Invalid input: expected a positive integer")
    if length > settings.MEDIA_MAX_BYTES:
        raise Invalid(f"File size must be less than {settings.MEDIA_MAX_BYTES} bytes")
    if not isinstance(digest, str) or not _is_sha256(digest):
        raise _invalid("sha256Hash", "Invalid input: expected the base64 of a SHA-256 (44 characters)")
    return {
        "media_id": digest.replace("+", "-").replace("/", "_")[:22],
        "sha256": digest,
        "content_type": content_type,
        "content_length": length,
        "link": _read_link(given),
    }


def _error_text(error: Any) -> str:
    """What a client tells of a failed upload, as it can be kept: PostgreSQL refuses NUL in text."""
    return str(error or "").replace("\x00", "")[:2000]


def _is_sha256(text: str) -> bool:
    try:
        return len(text) == 44 and len(base64.b64decode(text, validate=True)) == 32
    except ValueError:
        return False


def _read_link(given: dict[str, Any]) -> dict[str, str]:
    """Exactly one context: a trace (and an observation of it), or a dataset item."""
    names = {
        "traceId": "trace_id",
        "observationId": "observation_id",
        "datasetId": "dataset_id",
        "datasetItemId": "dataset_item_id",
    }
    ids = {key: given.get(key, "") for key in names}
    for key, value in ids.items():
        if not isinstance(value, str) or len(value) > ID_LENGTH or "\x00" in value:
            raise _invalid(key, "Invalid input: expected string")
    is_trace = bool(ids["traceId"]) and not ids["datasetId"] and not ids["datasetItemId"]
    is_item = bool(ids["datasetId"] and ids["datasetItemId"]) and not ids["traceId"] and not ids["observationId"]
    if not (is_trace or is_item):
        raise _invalid("traceId", "Give either traceId (and observationId) or datasetId and datasetItemId")
    fields = (MediaField.INPUT, MediaField.OUTPUT if is_trace else MediaField.EXPECTED_OUTPUT, MediaField.METADATA)
    if given.get("field") not in fields:
        raise _invalid("field", f"Invalid option: expected one of {'|'.join(fields)}")
    return {column: ids[key] for key, column in names.items()} | {"field": given["field"]}


def _invalid(name: str, message: str) -> Invalid:
    return Invalid(issues=[{"code": "custom", "path": [name] if name else [], "message": message}])
