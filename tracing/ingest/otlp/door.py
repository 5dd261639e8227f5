"""The check at the door: what cannot be taken is refused as a whole, before it is kept, with what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tracing.ingest.model import PayloadRejected
from tracing.ingest.otlp import json_encoding, protobuf
from tracing.ingest.text import parse_json

_HINTS = {
    "traceId:absent": "each span needs a traceId",
    "traceId:not_an_id": "a traceId is hex text or a list of bytes",
    "spanId:absent": "each span needs a spanId",
    "spanId:not_an_id": "a spanId is hex text or a list of bytes",
    "parentSpanId:not_an_id": "a parentSpanId is hex text or a list of bytes, or left out for a root",
}
_SCOPES_NAMED = 5


def check(body: bytes, content_type: str) -> None:
    """Raises PayloadRejected when the export cannot be taken."""
    if is_protobuf(content_type):
        try:
            request = protobuf.parse(body)
        except ValueError:
            raise _rejected("Failed to parse OTel Protobuf Trace") from None
        _check_protobuf(request)
    elif "application/json" in content_type.lower():
        try:
            document = parse_json(body)
        except ValueError:
            raise _rejected("Failed to parse OTel JSON Trace") from None
        _check_json(document)
    else:
        raise _rejected("Invalid content type")


def is_protobuf(content_type: str) -> bool:
    return "application/x-protobuf" in content_type.lower()


def _rejected(message: str) -> PayloadRejected:
    return PayloadRejected(400, {"error": message})


class _Defects:
    def __init__(self) -> None:
        self.spans = 0
        self.bad_spans = 0
        self.reasons: Counter[str] = Counter()
        self.scopes: dict[str, None] = {}

    def add(self, reasons: list[str], scope: str) -> None:
        self.reasons.update(reasons)
        if scope:
            self.scopes.setdefault(scope)

    def raise_any(self) -> None:
        if not self.reasons:
            return
        reasons = ", ".join(f"{reason} ({count})" for reason, count in self.reasons.items())
        hints = "; ".join(_HINTS[reason] for reason in self.reasons if reason in _HINTS)
        scopes = ", ".join(list(self.scopes)[:_SCOPES_NAMED])
        parts = [
            f"{self.bad_spans} of {self.spans} span(s) cannot be read: {reasons}.",
            f"Hint: {hints}." if hints else "",
            "The entire export was rejected.",
            f"Instrumentation scopes: {scopes}." if scopes else "",
            "This endpoint takes OTLP traces only, not logs.",
        ]
        raise _rejected(" ".join(part for part in parts if part))


def _check_protobuf(request: Any) -> None:
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                if not span.trace_id or not span.span_id:
                    return _name_defects(request)
    return None


def _name_defects(request: Any) -> None:
    defects = _Defects()
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                ids = (("traceId", span.trace_id), ("spanId", span.span_id))
                absent = [f"{name}:absent" for name, value in ids if not value]
                defects.spans += 1
                defects.bad_spans += bool(absent)
                if absent:
                    defects.add(absent, scope_spans.scope.name)
    defects.raise_any()


def _check_json(document: Any) -> None:
    if isinstance(document, list):
        return
    if not isinstance(document, dict):
        raise _rejected("Failed to parse OTel JSON Trace")
    resource_spans = document.get("resourceSpans")
    # An empty object there is taken for "nothing to do", as upstream does.
    if not resource_spans:
        return
    defects = _Defects()
    for entry in _list(document, "resourceSpans", defects):
        resource = _child(entry, "resource", defects)
        _list(resource, "attributes", defects, "resource.attributes")
        for scope_spans in _list(entry, "scopeSpans", defects):
            _check_scope(scope_spans, defects)
    defects.raise_any()


def _check_scope(scope_spans: dict[str, Any], defects: _Defects) -> None:
    scope = _child(scope_spans, "scope", defects)
    _list(scope, "attributes", defects, "scope.attributes")
    name = scope.get("name")
    for span in _list(scope_spans, "spans", defects):
        defects.spans += 1
        reasons = list(_span_defects(span))
        if reasons:
            defects.bad_spans += 1
            defects.add(reasons, name if isinstance(name, str) else "")


def _span_defects(span: dict[str, Any]) -> Iterator[str]:
    for key in ("traceId", "spanId"):
        value = span.get(key)
        if not isinstance(value, str) or not value:
            if value is None or value == "" or value == []:
                yield f"{key}:absent"
            elif not json_encoding.id_of(value):
                yield f"{key}:not_an_id"
    parent = span.get("parentSpanId")
    if parent and not isinstance(parent, str) and json_encoding.id_of(parent) is None:
        yield "parentSpanId:not_an_id"
    if not isinstance(span.get("attributes") or [], list):
        yield "attributes:not_an_array"
    events = span.get("events")
    if events:
        if not isinstance(events, list):
            yield "events:not_an_array"
        elif any(isinstance(event, dict) and not isinstance(event.get("attributes") or [], list) for event in events):
            yield "event.attributes:not_an_array"


def _list(parent: dict[str, Any], key: str, defects: _Defects, name: str = "") -> list[Any]:
    value = parent.get(key)
    if not value:
        return []
    if not isinstance(value, list):
        defects.add([f"{name or key}:not_an_array"], "")
        return []
    if name:
        return value
    wrong = sum(not isinstance(entry, dict) for entry in value)
    if wrong:
        defects.add([f"{key}:not_an_object"], "")
    return [entry for entry in value if isinstance(entry, dict)] if wrong else value


def _child(parent: dict[str, Any], key: str, defects: _Defects) -> dict[str, Any]:
    value = parent.get(key)
    if not value:
        return {}
    if not isinstance(value, dict):
        defects.add([f"{key}:not_an_object"], "")
        return {}
    return value
