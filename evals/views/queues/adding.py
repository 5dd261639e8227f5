"""Into a queue, from the page of a trace, an observation or a session."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Invalid
from config.posting import posted_from
from config.rendering import render_page
from evals.actions.queue_items import Place, add_once
from evals.models import QueueItem, QueueObject
from evals.queries import queues as queries
from evals.views.queues.pages import place_of
from evals.views.queues.shown import queue_rows, url_of_object


@require_safe
@project_page(Role.MEMBER)
def queue_add(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Which queues? Those that hold it already say so."""
    return _choice(request, scope, _place(scope, request.GET.dict()))


@posted_from("evals:queue-list")
@project_page(Role.MEMBER)
def queue_add_do(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    place = _place(scope, request.POST.dict())
    chosen = request.POST.getlist("queue")
    if not chosen:
        return _choice(request, scope, place, problem=_("Choose a queue."))
    added = sum(add_once(scope, queue_id, [place], actor=Actor.of(request)) for queue_id in dict.fromkeys(chosen))
    if added:
        said = ngettext("Added to %(n)d queue.", "Added to %(n)d queues.", added) % {"n": added}
        messages.success(request, said)
    else:
        messages.info(request, _("The queue has it already; it was not added again."))
    return see_other(_page_of(scope, place))


def _choice(request: HttpRequest, scope: ProjectScope, place: Place, *, problem: str = "") -> HttpResponse:
    holding = queries.queues_with(scope, place.object_type, place.object_id)
    context = {
        "scope": scope,
        "place": place,
        "kind": str(QueueObject(place.object_type).label),
        "rows": [(row, row.queue.pk in holding) for row in queue_rows(scope)],
        "back": _page_of(scope, place),
        "problem": problem,
    }
    return render_page(request, "evals/queue_add.html", context, status=422 if problem else 200)


def _place(scope: ProjectScope, asked: Mapping[str, str]) -> Place:
    kind = asked.get("kind", "")
    if kind not in QueueObject.values:
        raise Invalid(_("Choose what it is."))
    return place_of(scope, kind, asked.get("object", ""), asked.get("trace", ""))


def _page_of(scope: ProjectScope, place: Place) -> str:
    item = QueueItem(object_type=place.object_type, object_id=place.object_id, trace_id=place.trace_id)
    return url_of_object(scope, item)
