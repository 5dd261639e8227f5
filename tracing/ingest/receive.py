"""The door: authenticate, read within bounds, check that the payload parses, keep it, answer. No per-span work."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.access import ORGANIZATION_KEY, PUBLIC_KEY_ONLY, AccessLevel, KeyAccess, authenticate
from accounts.audit import client_address
from config.api import errors
from config.api.body import BadEncoding, Body
from config.errors import Forbidden, Invalid, SpanwiseError, Unavailable
from tracing.analytics.records import ScoreSource, ScoreType
from tracing.ingest import doorbell, legacy, otlp, pace, readiness, scores
from tracing.ingest.inbox import GroupCommit, Payload
from tracing.ingest.inboxes import open_inbox
from tracing.ingest.model import Envelope, PayloadRejected
from tracing.ingest.text import as_text, parse_json

log = logging.getLogger(__name__)

_NUMBER = re.compile("[0-9]{1,9}")
_commits = GroupCommit(open_inbox(), doorbell.ring)


def otlp_traces(request: HttpRequest) -> HttpResponse:
    """`POST /api/public/otel/v1/traces`."""
    access = _access(request, allow_scores_key=False)
    content_type = request.headers.get("Content-Type", "")
    try:
        with Body(request, settings.OTLP_MAX_BYTES) as body:
            envelope = _envelope(request, access, "otlp", content_type)
            otlp.check(body, content_type)
            if body:
                _keep(Payload(envelope, body))
    except BadEncoding:
        return _json(400, {"error": "Failed to decompress request body"})
    return _json(200, {})


def otlp_metrics(request: HttpRequest) -> HttpResponse:
    """`POST /api/public/otel/v1/metrics`: accepted and ignored, so that exporters with metrics on do not fail."""
    _access(request, allow_scores_key=False)
    return _json(200, {"message": "OK"})


def ingestion(request: HttpRequest) -> HttpResponse:
    """`POST /api/public/ingestion`: the event batches of older SDKs."""
    access = _access(request, allow_scores_key=True)
    with Body(request, _most_bytes(access)) as body:
        payload = _parsed(body)
        _pace(request, access, payload.get("batch") if isinstance(payload, dict) else None)
        receipt = legacy.receive(payload, access.level, _project_id(access))
        if receipt.accepted:
            _keep(Payload(_envelope(request, access, "ingestion"), _packed(receipt.accepted)))
    return _json(207, receipt.response)


def create_scores(request: HttpRequest) -> HttpResponse:
    """`POST /api/public/scores`: one score as an object, or many as an array."""
    access = _access(request, allow_scores_key=True)
    with Body(request, _most_bytes(access)) as body:
        payload = _parsed(body)
        _pace(request, access, payload)
        receipt = scores.parse_many(payload, _project_id(access))
        if receipt.accepted:
            _keep(Payload(_envelope(request, access, "scores"), _packed(receipt.accepted)))
    return _json(receipt.status, receipt.response)


def _most_bytes(access: KeyAccess) -> int:
    limit: int = settings.INGESTION_MAX_BYTES
    if access.level is AccessLevel.SCORES and settings.FEEDBACK_MAX_BYTES:
        limit = min(limit, settings.FEEDBACK_MAX_BYTES)
    return limit


def _pace(request: HttpRequest, access: KeyAccess, items: Any) -> None:
    """A public key alone may hand in so much a minute; whoever has the secret as well may send all day."""
    if access.level is not AccessLevel.SCORES:
        return
    given = items if isinstance(items, list) else [items]
    pace.take(access.public_key, _visitor(request), max(1, len(given)))
    if any(_claims_more(item) or _claims_more(item.get("body")) for item in given if isinstance(item, dict)):
        raise Forbidden(MORE_THAN_FEEDBACK)


def _claims_more(score: Any) -> bool:
    """Every visitor of a page has its public key: none of them is an annotator, nor says what should have been said."""
    if not isinstance(score, dict):
        return False
    return score.get("source") == ScoreSource.ANNOTATION or score.get("dataType") == ScoreType.CORRECTION


def _visitor(request: HttpRequest) -> str | None:
    """The address that asks. Behind a proxy that nobody vouched for all visitors have the same one: None."""
    is_forwarded = "HTTP_X_FORWARDED_FOR" in request.META and not settings.ALLAUTH_TRUSTED_PROXY_COUNT
    return None if is_forwarded and _is_inside(request.META.get("REMOTE_ADDR", "")) else client_address(request)


def _is_inside(address: str) -> bool:
    try:
        return not ip_address(address).is_global
    except ValueError:  # a Unix socket
        return True


def keep_event(request: HttpRequest, access: KeyAccess, event: dict[str, Any]) -> None:
    """One event of `/ingestion`, checked already. Raises Unavailable, and Invalid for what no worker could read."""
    try:
        _keep(Payload(_envelope(request, access, "ingestion"), _packed([event])))
    except PayloadRejected as rejected:
        raise Invalid(rejected.body["message"]) from None


def keep_payload(envelope: Envelope, accepted: list[dict[str, Any]]) -> None:
    """Events that were checked already. Raises Unavailable."""
    _keep(Payload(envelope, _packed(accepted)))


def keep_body(envelope: Envelope, body: bytes) -> None:
    """A payload that was checked already. Raises Unavailable."""
    _keep(Payload(envelope, body))


MORE_THAN_FEEDBACK = "Annotations and corrections need the secret key: a public key alone hands in feedback."

_Handler = Callable[[HttpRequest], HttpResponse]
ROUTES: dict[str, _Handler] = {
    "/api/public/otel/v1/traces": otlp_traces,
    "/api/public/otel/v1/metrics": otlp_metrics,
    "/api/public/ingestion": ingestion,
    "/api/public/scores": create_scores,
}


def readiness_problems() -> list[str]:
    """What keeps payloads from being kept or stored; empty when nothing does."""
    return readiness.problems(_commits.inbox)


def answer(request: HttpRequest, handler: _Handler) -> HttpResponse:
    """Run a handler and turn what it raises into the contract's JSON answers."""
    try:
        response = handler(request)
    except PayloadRejected as rejected:
        response = _json(rejected.status, rejected.body)
    except SpanwiseError as error:
        response = errors.answer(error, names_key_errors=handler is ingestion)
    except Exception:
        log.exception("Receiving %s failed", request.path)
        response = errors.answer(Unavailable("Temporarily unavailable. Try again."))
    for name, value in errors.CORS_HEADERS.items():
        response[name] = value
    return response


def _parsed(body: bytes) -> Any:
    try:
        return parse_json(body)
    except ValueError as error:
        raise _bad_request(f"Invalid JSON: {error}") from None


def _packed(accepted: list[dict[str, Any]]) -> bytes:
    """What waits in the inbox. The worker must be able to read it: a single score sits one level deeper there."""
    try:
        return orjson.dumps(accepted)
    except orjson.JSONEncodeError:  # nested deeper than it writes, though it read it
        body = as_text(accepted).encode()
    _parsed(body)
    return body


def _bad_request(message: str) -> PayloadRejected:
    return PayloadRejected(400, {"message": message, "error": "InvalidRequestError"})


def _access(request: HttpRequest, *, allow_scores_key: bool) -> KeyAccess:
    access = authenticate(request.headers.get("Authorization"))
    if access.scope is None:
        raise Forbidden(ORGANIZATION_KEY)
    if access.level is AccessLevel.SCORES and not allow_scores_key:
        raise Forbidden(PUBLIC_KEY_ONLY)
    return access


def _project_id(access: KeyAccess) -> str:
    assert access.scope is not None
    return access.scope.project_id


def _envelope(request: HttpRequest, access: KeyAccess, kind: str, content_type: str = "") -> Envelope:
    headers = request.headers
    return Envelope(
        project_id=_project_id(access),
        kind=kind,
        received_at=datetime.now(UTC),
        content_type=content_type.lower(),
        public_key=access.scope.public_key if access.scope else "",
        sdk_name=headers.get("X-Langfuse-Sdk-Name", ""),
        sdk_version=headers.get("X-Langfuse-Sdk-Version", ""),
        ingestion_version=_ingestion_version(headers.get("X-Langfuse-Ingestion-Version")) if kind == "otlp" else 0,
    )


def _ingestion_version(value: str | None) -> int:
    if value is None:
        return 0
    if not _NUMBER.fullmatch(value.strip()) or int(value) > 4:
        message = f'Unsupported x-langfuse-ingestion-version: "{value}". Maximum supported: "4".'
        raise PayloadRejected(400, {"error": message})
    return int(value)


def _keep(payload: Payload) -> None:
    """Raises Unavailable when the disk is full or the folder gone: never accept what cannot be kept."""
    try:
        _commits.store(payload)
    except OSError as error:
        log.error("The inbox cannot be written: %s", error)
        raise Unavailable("The inbox cannot be written. Try again.") from error


def _json(status: int, body: Any) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), status=status, content_type="application/json")
