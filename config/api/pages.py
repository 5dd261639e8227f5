"""The API's document and its reference: both open to anybody, both the same until the next release."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe
from rest_framework.request import Request

from config.api.describe import describe
from config.api.values import to_json
from config.api.views import OpenView
from config.rendering import render_page


class OpenApiDocument(OpenView):
    @describe(
        "This document",
        answer=dict[str, Any],
        answers={304: None},
        text="OpenAPI 3.1. Send the ETag back as If-None-Match to learn whether it has changed.",
    )
    def get(self, request: Request) -> HttpResponse:
        body, etag = _document()
        fresh = HttpResponse(body, content_type="application/json", headers={"ETag": etag, "Cache-Control": "no-cache"})
        answer = get_conditional_response(request._request, etag=etag, response=fresh)
        return answer or fresh


@cache
def _document() -> tuple[bytes, str]:
    from config.api.openapi import document

    body = to_json(document())
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


@require_safe
@login_not_required
def api_reference_start(request: HttpRequest) -> HttpResponse:
    """The address without its slash, as people type it."""
    return redirect("api-reference")


@require_safe
@login_not_required
def api_reference(request: HttpRequest) -> HttpResponse:
    """All operations, or those that are searched for."""
    from config.api import reference

    text = request.GET.get("q", "").strip()
    context = {
        "q": text,
        "found": reference.find(text),
        "index": reference.groups(),
        "host": settings.PUBLIC_URL,
        "operation": None,
    }
    return render_page(request, "reference/overview.html", context, fragment="operations")


@require_safe
@login_not_required
def api_operation(request: HttpRequest, operation_id: str) -> HttpResponse:
    """One operation in full."""
    from config.api import reference

    operation = reference.operations().get(operation_id)
    if operation is None:
        raise Http404
    host = settings.PUBLIC_URL
    context = {
        "operation": operation,
        "index": reference.groups(),
        "host": host,
        "curl": operation.curl(host),
    }
    return render_page(request, "reference/operation.html", context)
