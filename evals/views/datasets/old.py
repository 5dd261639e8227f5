"""Addresses that SDKs print and links that people kept lead to the pages as they are."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe


@require_safe
def datasets(request: HttpRequest, project_id: str, dataset_id: str = "", rest: str = "") -> HttpResponseBase:
    """`/project/<id>/datasets/<id>`, with `items`, `items/<id>` or `runs` behind it."""
    if not dataset_id:
        return redirect("evals:dataset-list", project_id)
    what, _slash, item_id = rest.rstrip("/").partition("/")
    if what == "items" and item_id:
        return redirect("evals:dataset-item", project_id, dataset_id, item_id)
    page = reverse("evals:dataset-detail", args=[project_id, dataset_id])
    return redirect(f"{page}?tab=experiments" if what == "runs" else page)
