"""Media: where to put the bytes, whether they arrived, and where to get them. The bytes go through signed addresses."""

from __future__ import annotations

import base64
import hashlib
import logging
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import errors
from config.api.body import has_end_of_its_own
from config.api.describe import Message, describe
from config.api.values import iso
from config.api.views import PublicView
from config.errors import Invalid, NotFound, SpanwiseError, TooLarge, Unavailable, issue
from config.file_answers import answer_file
from tracing.api import media_addresses
from tracing.api.params import parse_time
from tracing.api.shapes import media as shapes
from tracing.ingest.files import sync_to_disk
from tracing.ingest.issues import Issue, check_text, custom, wrong_type
from tracing.models.media import ID_LENGTH, ContentType, Media, MediaField, MediaLink

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
_IN_MEMORY = 4 * _CHUNK
_EXAMPLE = {
    "traceId": "trace-1",
    "field": "input",
    "contentType": "image/png",
    "contentLength": 3,
    "sha256Hash": "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
}
_OTHER_CONTENT = "The content does not match the announced sha256Hash."


class MediaUpload(PublicView):
    @describe(
        "Announce a file",
        body=shapes.Announcement,
        answer=shapes.Announced,
        status=201,
        text="Then PUT the bytes to `uploadUrl`, with the headers `Content-Type` and `x-amz-checksum-sha256`, and "
        "report it. `uploadUrl` is null when they are there already. Name a trace, or one of its observations, "
        "or an item of a dataset.",
        example=_EXAMPLE,
    )
    def post(self, request: Request) -> Response:
        wanted = _read_upload(self.body())
        media, _ = Media.objects.get_or_create(
            project_id=self.scope.project_id,
            media_id=wanted["media_id"],
            defaults={key: wanted[key] for key in ("sha256", "content_type", "content_length")},
        )
        if media.uploaded_at is None or media.content_type != wanted["content_type"]:
            media.content_type = wanted["content_type"]
            if media.uploaded_at is None:  # of bytes that are here we know the length
                media.content_length = wanted["content_length"]
            media.save(update_fields=["content_type", "content_length"])
        MediaLink.objects.get_or_create(project_id=self.scope.project_id, media=media, **wanted["link"])
        url = None if _is_stored(media) else media_addresses.upload_address(request._request, media)
        return Response({"mediaId": media.media_id, "uploadUrl": url}, status=201)


class OneMedia(PublicView):
    @describe("Read where a file is", answer=shapes.MediaItem, text="`url` needs no key and is valid for an hour.")
    def get(self, request: Request, media_id: str) -> Response:
        media = _find(self.scope.project_id, media_id)
        if media.upload_status is not None and not 200 <= media.upload_status < 300:
            raise NotFound(f"Media upload failed with status {media.upload_status}: {media.upload_error}")
        if media.uploaded_at is None:
            raise NotFound("Media not yet uploaded")
        expiry = datetime.now(UTC) + timedelta(seconds=media_addresses.VALID_SECONDS)
        return Response(
            {
                "mediaId": media.media_id,
                "contentType": media.content_type,
                "contentLength": media.content_length,
                "uploadedAt": iso(media.uploaded_at),
                "url": media_addresses.download_address(request._request, media),
                "urlExpiry": iso(expiry),
            }
        )

    @describe(
        "Report an upload",
        body=shapes.UploadReport,
        answer=Message,
        text="To be sent after each upload, be it one that failed. A success counts only when the bytes are there.",
    )
    def patch(self, request: Request, media_id: str) -> Response:
        """What a client tells counts only where we did not see the bytes ourselves."""
        media = _find(self.scope.project_id, media_id)
        status, moment, error = _read_report(self.body())
        if default_storage.exists(media.storage_key):
            if media.uploaded_at is None:
                _accept(media, moment)
        else:
            is_success = 200 <= status < 300  # without bytes here it is not one
            media.uploaded_at, media.upload_status = None, None if is_success else status
            media.upload_error = error
            media.save(update_fields=["upload_status", "upload_error", "uploaded_at"])
        return Response({"message": "OK"})


def _accept(media: Media, moment: datetime) -> None:
    """The bytes are there. Those in a bucket we have not seen: whoever put them may have put others."""
    bucket = media_addresses.bucket()
    if bucket is not None and not bucket.holds(media.storage_key, sha256=media.sha256):
        default_storage.delete(media.storage_key)
        media.upload_status, media.upload_error = 400, _OTHER_CONTENT
        media.save(update_fields=["upload_status", "upload_error"])
        raise Invalid(_OTHER_CONTENT)
    media.uploaded_at, media.upload_status, media.upload_error = moment, 200, ""
    media.content_length = default_storage.size(media.storage_key)
    media.save(update_fields=["uploaded_at", "upload_status", "upload_error", "content_length"])


@csrf_exempt
def content(request: HttpRequest, token: str) -> HttpResponseBase:
    """The bytes, to put or to get; the signed token in the address is the permission."""
    try:
        response: HttpResponseBase = _content(request, token)
    except SpanwiseError as error:
        response = errors.answer(error)
    except OSError as error:
        log.error("A file can be neither stored nor read: %s", error)
        response = errors.answer(Unavailable("The storage of files cannot be reached."))
    for name, value in errors.CORS_HEADERS.items():
        response[name] = value
    return response


def _content(request: HttpRequest, token: str) -> HttpResponseBase:
    if request.method == "OPTIONS":
        asked = request.headers.get("Access-Control-Request-Headers", "Content-Type")
        return HttpResponse(status=204, headers={"Access-Control-Allow-Headers": asked})
    method = {"GET": "get", "HEAD": "get", "PUT": "put"}.get(request.method or "")
    if method is None:
        return errors.failure(405, "Method not allowed")
    media = _find(*media_addresses.open_token(token, method))
    return _download(request, media) if method == "get" else _receive(request, media)


def _download(request: HttpRequest, media: Media) -> HttpResponseBase:
    if not default_storage.exists(media.storage_key):
        raise NotFound("Media not yet uploaded")
    response = answer_file(
        request,
        default_storage.open(media.storage_key),
        default_storage.size(media.storage_key),
        as_attachment=not media_addresses.is_inline(media),
        filename=media.media_id,
        content_type=media.content_type,
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
            raise Invalid(_OTHER_CONTENT)
        size = spool.tell()
        spool.seek(0)
        default_storage.save(media.storage_key, File(spool, name=media.storage_key))
        sync_to_disk(media.storage_key)
    media.uploaded_at, media.upload_status, media.upload_error = datetime.now(UTC), 200, ""
    media.content_length = size
    media.save(update_fields=["uploaded_at", "upload_status", "upload_error", "content_length"])
    return HttpResponse(status=200)


def _chunks(request: HttpRequest, most: int) -> Iterator[bytes]:
    stream: IO[bytes] = request.META["wsgi.input"] if has_end_of_its_own(request) else request  # type: ignore[assignment]
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > most:
            raise TooLarge(f"More than the announced {most} bytes were sent.")
        yield chunk


def _find(project_id: str, media_id: str) -> Media:
    # An address that was signed before its project was deleted opens nothing any more.
    media = Media.objects.filter(project_id=project_id, media_id=media_id, project__deleted_at=None).first()
    if media is None:
        raise NotFound("Media asset not found")
    return media


def _is_stored(media: Media) -> bool:
    return media.uploaded_at is not None and default_storage.exists(media.storage_key)


def _read_report(body: Any) -> tuple[int, datetime, str]:
    """Status, time and error of an upload, as a client saw them."""
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    issues: list[Issue] = []
    status, moment = body.get("uploadHttpStatus"), None
    check_text(body, "uploadedAt", (), issues, required=True)
    if not issues:
        moment = parse_time(body["uploadedAt"])
        if moment is None:
            issues.append(custom(("uploadedAt",), "Invalid ISO datetime"))
    if not isinstance(status, int) or isinstance(status, bool):
        is_present = "uploadHttpStatus" in body
        issues.append(wrong_type("number", status, ("uploadHttpStatus",), is_present=is_present))
    elif not 0 <= status < 1000:
        issues.append(custom(("uploadHttpStatus",), "Invalid input: expected the status of an HTTP answer"))
    check_text(body, "uploadHttpError", (), issues)
    if issues or moment is None or not isinstance(status, int):
        raise Invalid(issues=issues)
    return status, moment, (body.get("uploadHttpError") or "")[:2000]


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


def _is_sha256(text: str) -> bool:
    try:
        digest = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return len(digest) == 32 and base64.b64encode(digest).decode() == text  # each hash is written in one way


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
    return Invalid(issues=[issue(name or (), message)])
