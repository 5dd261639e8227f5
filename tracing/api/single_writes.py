"""The deprecated writes of one trace, span, generation or event. Each becomes one event of `/ingestion`: checked by the
same rules, kept in the same inbox, stored by the same worker."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import describe
from config.api.values import iso
from config.api.views import PublicView
from config.errors import Invalid
from tracing.api.shapes import single_writes as shapes
from tracing.ingest import receive
from tracing.ingest.issues import Issue, check_id, wrong_type
from tracing.ingest.legacy import events

_LATER = "It can be read some moments later. Newer clients send OpenTelemetry."


class TraceWrites(PublicView):
    """The part of `/traces` that writes."""

    @describe(
        "Write one trace",
        body=shapes.WrittenTrace,
        optional_body=True,
        answer=shapes.Written,
        text=_LATER,
        deprecated=True,
    )
    def post(self, request: Request) -> Response:
        return _create(self, events.TRACE)


class Spans(PublicView):
    @describe(
        "Write one span",
        body=shapes.WrittenSpan,
        optional_body=True,
        answer=shapes.Written,
        text=_LATER,
        deprecated=True,
    )
    def post(self, request: Request) -> Response:
        return _create(self, "span-create")

    @describe("Change one span", body=shapes.ChangedSpan, answer=shapes.Written, text=_LATER, deprecated=True)
    def patch(self, request: Request) -> Response:
        return _update(self, "span-update", "spanId")


class Generations(PublicView):
    @describe(
        "Write one generation",
        body=shapes.WrittenGeneration,
        optional_body=True,
        answer=shapes.Written,
        text=_LATER,
        deprecated=True,
    )
    def post(self, request: Request) -> Response:
        return _create(self, "generation-create")

    @describe(
        "Change one generation", body=shapes.ChangedGeneration, answer=shapes.Written, text=_LATER, deprecated=True
    )
    def patch(self, request: Request) -> Response:
        return _update(self, "generation-update", "generationId")


class Events(PublicView):
    @describe(
        "Write one event",
        body=shapes.WrittenEvent,
        optional_body=True,
        answer=shapes.Written,
        text=_LATER,
        deprecated=True,
    )
    def post(self, request: Request) -> Response:
        return _create(self, "event-create")


def _create(view: PublicView, type_: str) -> Response:
    body = _object(view)
    if body.get("id") is None:
        body["id"] = str(uuid.uuid4())
    return _keep(view, type_, body, [])


def _update(view: PublicView, type_: str, id_name: str) -> Response:
    """The id is given as `id_name`."""
    body = _object(view)
    issues: list[Issue] = []
    check_id(body, id_name, (), issues, required=True)
    body["id"] = "missing" if issues else body[id_name]
    return _keep(view, type_, body, issues)


def _object(view: PublicView) -> dict[str, Any]:
    body = view.body()
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    return body


def _keep(view: PublicView, type_: str, body: dict[str, Any], issues: list[Issue]) -> Response:
    if type_.startswith("generation"):
        body = _with_new_names(body)
    event = {"id": str(uuid.uuid4()), "type": type_, "timestamp": iso(datetime.now(UTC)), "body": body}
    # Clients sent the body alone: they know nothing of the event around it.
    issues = issues + [{**issue, "path": issue["path"][1:]} for issue in events.find_issues(event)]
    if issues:
        raise Invalid(issues=issues)
    receive.keep_event(view.request._request, view.opened, event)
    return Response({"id": body["id"]})


def _with_new_names(body: dict[str, Any]) -> dict[str, Any]:
    old = {"input": body.get("prompt"), "output": body.get("completion")}
    return {**body, **{name: value for name, value in old.items() if value is not None and body.get(name) is None}}
