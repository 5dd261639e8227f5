"""Addresses of scores and queues as they were called before, which people have kept."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe


@require_safe
def scores(request: HttpRequest, project_id: str, page: str = "list") -> HttpResponse:
    return HttpResponseRedirect(reverse(f"evals:score-{page}", args=[project_id]))


@require_safe
def queues(request: HttpRequest, project_id: str, queue_id: str = "", item_id: str = "") -> HttpResponse:
    if not queue_id:
        return HttpResponseRedirect(reverse("evals:queue-list", args=[project_id]))
    if not item_id:
        return HttpResponseRedirect(reverse("evals:queue-detail", args=[project_id, queue_id]))
    url = reverse("evals:queue-process", args=[project_id, queue_id])
    return HttpResponseRedirect(f"{url}?{urlencode({'item': item_id})}")
