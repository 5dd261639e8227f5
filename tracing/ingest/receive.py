"""The door: authenticate, read within bounds, check that the payload parses, keep it, answer. No per-span work."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.access import ORGANIZATION_KEY, PUBLIC_KEY_ONLY, AccessLevel, KeyAccess, authenticate
from config.errors import Forbidden, SpanwiseError, TooLarge, Unauthenticated
from tracing.ingest import doorbell, legacy, otlp, scores
from tracing.ingest.inbox import FolderInbox, GroupCommit, Payload
from tracing.ingest.model import Envelope, PayloadRejected
from tracing.ingest.text import parse_json

log = logging.getLogger(__name__)

_READ_BYTES = 1 << 20
_commits = GroupCommit(FolderInbox(settings.INBOX_DIR), doorbell.ring)


class _BadEncoding(Exception):
    pass


def otlp_traces(request: HttpRequest) -> HttpResponse:
    """`POST /api/public/otel/v1/traces`."""
    access = _access(request, allow_scores_key=False)
    content_type = request.headers.get("Content-Type", "")
    try:
        body = read_body(request, settings.OTLP_MAX_BYTES)
    except _BadEncoding:
        return _json(400, {"error": "Failed to decompress request body"})
    envelope = _envelope(request, access, "otlp", content_type)
    otlp.check(body, content_type)
    if body:
        _keep(Payload(envelope, body))
    return _json(200, {})


def otlp_metrics(request: HttpRequest) -> HttpResponse:
    """`POST /api/public/otel/v1/metrics`: accepted and ignored, so that exporters with metrics on do not fail."""
    _access(request, allow_scores_key=False)
    return _json(200, {"message": "OK"})


def ingestion(request: HttpRequest) -> HttpResponse:
    """`POST /api/public/ingestion`: the event batches of older SDKs."""
    access = _access(request, allow_scores_key=True)
    payload = _json_body(request)
    receipt = legacy.receive(payload, access.level)
    if receipt.accepted:
        _keep(Payload(_envelope(request, access, "ingestion"), orjson.dumps(receipt.accepted)))
    return _json(207, receipt.response)


def create_scores(request: HttpRequest) -> HttpResponse:
    """`POST /api/public/scores`: one score as an object, or many as an array."""
    access = _access(request, allow_scores_key=True)
    receipt = scores.parse_many(_json_body(request))
    if receipt.accepted:
        _keep(Payload(_envelope(request, access, "scores"), orjson.dumps(receipt.accepted)))
    return _json(receipt.status, receipt.response)


_Handler = Callable[[HttpRequest], HttpResponse]
ROUTES: dict[str, _Handler] = {
    "/api/public/otel/v1/traces": otlp_traces,
    "/api/public/otel/v1/metrics": otlp_metrics,
    "/api/public/ingestion": ingestion,
    "/api/public/scores": create_scores,
}


def answer(request: HttpRequest, handler: _Handler) -> HttpResponse:
    """Run a handler and turn what it raises into the contract's JSON answers."""
    try:
        response = handler(request)
    except PayloadRejected as rejected:
        response = _json(rejected.status, rejected.body)
    except Unauthenticated as error:
        response = _json(401, {"message": error.message})
    except Forbidden as error:
        response = _json(403, {"message": error.message})
    except SpanwiseError as error:
        response = _json(error.status, {"message": error.message, "error": type(error).__name__})
    except OSError as error:
        # Disk full, folder gone: never accept what cannot be kept.
        log.error("The inbox cannot be written: %s", error)
        response = _json(
            503, {"message": "The inbox cannot be written. Try again.", "error": "ServiceUnavailableError"}
        )
        response["Retry-After"] = "5"
    except Exception:
        log.exception("Receiving %s failed", request.path)
        response = _unavailable("Temporarily unavailable. Try again.")
    response["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
    return response


def read_body(request: HttpRequest, limit: int) -> bytes:
    """The decompressed body of at most `limit` bytes, bounded while it is read. Raises TooLarge.

    Read from the WSGI stream: the JS SDK sends chunked bodies without a length, which Django takes to be empty.
    """
    raw = _read_raw(request, limit)
    if "gzip" in request.headers.get("Content-Encoding", "").lower():
        return _gunzip(raw, limit)
    return raw


def _read_raw(request: HttpRequest, limit: int) -> bytes:
    stream = request.META["wsgi.input"]
    declared = request.META.get("CONTENT_LENGTH") or ""
    if declared.isdigit():
        if int(declared) > limit:
            raise _too_large(limit)
        return _read_exactly(stream, int(declared))
    parts: list[bytes] = []
    size = 0
    while part := stream.read(_READ_BYTES):
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _read_exactly(stream: Any, size: int) -> bytes:
    body: bytes = stream.read(size)
    while len(body) < size and (more := stream.read(size - len(body))):
        body += more
    return body


def _gunzip(raw: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit + 1
    try:
        while raw:  # a gzip stream may have several members
            member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            parts.append(member.decompress(raw, left))
            left -= len(parts[-1])
            if left <= 0:
                raise _too_large(limit)
            if not member.eof:
                raise _BadEncoding
            raw = member.unused_data
    except zlib.error as error:
        raise _BadEncoding from error
    return b"".join(parts)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit:,} bytes. Send smaller batches.")


def _json_body(request: HttpRequest) -> Any:
    try:
        return parse_json(read_body(request, settings.INGESTION_MAX_BYTES))
    except _BadEncoding:
        raise PayloadRejected(
            400, {"message": "Failed to decompress request body", "error": "InvalidRequestError"}
        ) from None
    except ValueError as error:
        raise _bad_request(f"Invalid JSON: {error}") from None


def _bad_request(message: str) -> PayloadRejected:
    return PayloadRejected(400, {"message": message, "error": "InvalidRequestError"})


def _access(request: HttpRequest, *, allow_scores_key: bool) -> KeyAccess:
    access = authenticate(request.headers.get("Authorization"))
    if access.scope is None:
        raise Forbidden(ORGANIZATION_KEY)
    if access.level is AccessLevel.SCORES and not allow_scores_key:
        raise Forbidden(PUBLIC_KEY_ONLY)
    return access


def _envelope(request: HttpRequest, access: KeyAccess, kind: str, content_type: str = "") -> Envelope:
    assert access.scope is not None
    headers = request.headers
    return Envelope(
        project_id=access.scope.project_id,
        kind=kind,
        received_at=datetime.now(UTC),
        content_type=content_type.lower(),
        public_key=access.scope.public_key,
        sdk_name=headers.get("X-Langfuse-Sdk-Name", ""),
        sdk_version=headers.get("X-Langfuse-Sdk-Version", ""),
        ingestion_version=_ingestion_version(headers.get("X-Langfuse-Ingestion-Version")) if kind == "otlp" else 0,
    )


def _ingestion_version(value: str | None) -> int:
    if value is None:
        return 0
    if not value.strip().isdigit() or int(value) > 4:
        message = f'Unsupported x-langfuse-ingestion-version: "{value}". Maximum supported: "4".'
        raise PayloadRejected(400, {"error": message})
    return int(value)


def _keep(payload: Payload) -> None:
    _commits.store(payload)


def _unavailable(message: str) -> HttpResponse:
    response = _json(503, {"message": message, "error": "ServiceUnavailableError"})
    response["Retry-After"] = "5"
    return response


def _json(status: int, body: Any) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), status=status, content_type="application/json; charset=utf-8")
