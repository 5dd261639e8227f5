"""Deleting experiments, and a comparison as a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import NotFound
from config.posting import posted_from
from config.rendering import render_page
from evals.actions.experiments import delete_experiment
from evals.experiments import exports
from evals.models import Experiment
from evals.queries.experiment_comparison import compare_experiments
from evals.queries.experiments import find_experiments
from evals.views.experiments.compare import chosen_items, found_of
from evals.views.experiments.state import state_from

_LIST = "evals:experiment-list"
_MOST_AT_ONCE = 100
_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


@require_safe
@project_page(Role.MEMBER)
def experiment_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """What deleting the experiments `id` would take away."""
    found = _named(scope, request.GET)
    context = {
        "scope": scope,
        "found": [(one, one.items.count()) for one in found],
        "back": reverse(_LIST, args=[scope.project_id]),
    }
    return render_page(request, "evals/experiment_delete.html", context)


@posted_from(_LIST)
@project_page(Role.MEMBER)
def experiment_delete_confirm(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    found = _named(scope, request.POST)
    for one in found:
        delete_experiment(scope, one, actor=Actor.of(request))
    said = ngettext("“%(name)s” is deleted.", "%(n)d experiments are deleted.", len(found))
    messages.success(request, said % {"name": found[0].name, "n": len(found)})
    return see_other(reverse(_LIST, args=[scope.project_id]))


def _named(scope: ProjectScope, query: QueryDict) -> list[Experiment]:
    found = find_experiments(scope, query.getlist("id")[:_MOST_AT_ONCE])
    if not found:
        raise NotFound("There are no such experiments.")
    return found


@require_safe
@project_page(Role.VIEWER)
def experiment_export(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """The rows of a comparison with all their texts: `format` is csv or jsonl, all else as its page has it."""
    kind = request.GET.get("format", "csv")
    if kind not in _TYPES:
        raise NotFound("There is no such export.")
    state = state_from(request.GET)
    found = found_of(scope, state)
    loaded = compare_experiments(scope, found, lower=state.lower)
    items = chosen_items(loaded, state)
    pieces: Iterator[Any] = iter(()) if request.method == "HEAD" else exports.written(scope, loaded, items, kind)
    response = StreamingHttpResponse(pieces, content_type=_TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="comparison.{kind}"'
    response["Cache-Control"] = "private, no-store"
    response["X-Accel-Buffering"] = "no"
    return response
