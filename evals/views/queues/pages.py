"""Annotation queues: listed, made, changed, deleted; one queue with its items."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.queries import list_project_members
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Invalid, NotFound
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import queue_items
from evals.actions import queues as actions
from evals.actions.queue_items import Place
from evals.actions.queues import LONGEST_NAME, LONGEST_TEXT, QueueFields
from evals.forms import NewConfigForm
from evals.models import AnnotationQueue, QueueObject
from evals.queries import queues as queries
from evals.queries.queue_objects import find_trace_of
from evals.queries.score_configs import score_configs
from evals.views.annotate import save_config
from evals.views.queues.shown import QueuePage, queue_rows
from tracing.queries.comments import is_there

_NOTHING = QueueFields("", ())


@require_safe
@project_page(Role.VIEWER)
def queue_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    rows = queue_rows(scope)
    context = {
        "scope": scope,
        "mine": [row for row in rows if row.is_mine],
        "others": [row for row in rows if not row.is_mine],
        "rows": rows,
        "may_edit": scope.role.allows(Role.MEMBER),
    }
    return render_page(request, "evals/queue_list.html", context)


@require_safe
@project_page(Role.VIEWER)
def queue_detail(request: HttpRequest, scope: ProjectScope, queue_id: str) -> HttpResponse:
    return _detail(request, scope, queries.get_queue(scope, queue_id))


def _detail(
    request: HttpRequest,
    scope: ProjectScope,
    queue: AnnotationQueue,
    *,
    problem: str = "",
    typed: QueryDict | None = None,
) -> HttpResponse:
    page = QueuePage(
        scope, queue, status=request.GET.get("status", ""), cursor=request.GET.get("before", "").replace("\x00", "")
    )
    context = {
        "scope": scope,
        "queue": queue,
        "page": page,
        "may_edit": scope.role.allows(Role.MEMBER),
        "problem": problem,
        "typed": typed or {},
    }
    return render_page(
        request, "evals/queue_detail.html", context, fragment="queue_items", status=422 if problem else 200
    )


# --- The form --------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.MEMBER)
def queue_new(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _form(request, scope, _NOTHING, None)


@posted_from("evals:queue-new")
@project_page(Role.MEMBER)
def queue_create(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _save(request, scope, None)


@require_safe
@project_page(Role.MEMBER)
def queue_edit(request: HttpRequest, scope: ProjectScope, queue_id: str) -> HttpResponse:
    queue = queries.get_queue(scope, queue_id)
    return _form(request, scope, actions.fields_of(queue), queue)


@posted_from("evals:queue-list")
@project_page(Role.MEMBER)
def queue_update(request: HttpRequest, scope: ProjectScope, queue_id: str) -> HttpResponse:
    return _save(request, scope, queries.get_queue(scope, queue_id))


@posted_from("evals:queue-list")
@project_page(Role.MEMBER)
def queue_delete(request: HttpRequest, scope: ProjectScope, queue_id: str) -> HttpResponse:
    """Asks first, unless the form says that it did."""
    if request.POST.get("confirmed") != "1":
        queue = queries.get_queue(scope, queue_id)
        page = QueuePage(scope, queue, status="", cursor="")
        return render_page(request, "evals/queue_delete.html", {"scope": scope, "queue": queue, "page": page})
    queue = actions.delete_queue(scope, queue_id, actor=Actor.of(request))
    messages.success(request, _("The queue “%(name)s” is deleted. Its scores stay.") % {"name": queue.name})
    return see_other(reverse("evals:queue-list", args=[scope.project_id]))


def _save(request: HttpRequest, scope: ProjectScope, known: AnnotationQueue | None) -> HttpResponse:
    """Saves what was typed, or makes the config that was missing and goes on with the form."""
    fields = _typed(request.POST)
    if request.POST.get("do") == "config":
        return _with_new_config(request, scope, fields, known)
    try:
        if known is None:
            queue = actions.create_queue(scope, fields, actor=Actor.of(request))
        else:
            queue = actions.update_queue(scope, known.pk, fields, actor=Actor.of(request))
    except Invalid as refusal:
        issues: Any = refusal.issues or [{"path": ["name"], "message": refusal.message}]
        errors = {str(issue["path"][0]): str(issue["message"]) for issue in issues}
        return _form(request, scope, fields, known, errors=errors)
    messages.success(request, _("The queue “%(name)s” is saved.") % {"name": queue.name})
    return see_other(reverse("evals:queue-detail", args=[scope.project_id, queue.pk]))


def _typed(post: QueryDict) -> QueueFields:
    def text(name: str) -> str:
        return post.get(name, "").replace("\r\n", "\n")

    return QueueFields(
        name=text("name"),
        config_ids=tuple(post.getlist("configs")),
        description=text("description"),
        instructions=text("instructions"),
        assignee_ids=tuple(post.getlist("people")),
    )


def _with_new_config(
    request: HttpRequest, scope: ProjectScope, fields: QueueFields, known: AnnotationQueue | None
) -> HttpResponse:
    form = NewConfigForm(request.POST, prefix="config")
    made = save_config(request, scope, form)
    if made is None:
        return _form(request, scope, fields, known, new_config=form)
    with_it = QueueFields(
        fields.name, (*fields.config_ids, made.pk), fields.description, fields.instructions, fields.assignee_ids
    )
    return _form(request, scope, with_it, known)


def _form(
    request: HttpRequest,
    scope: ProjectScope,
    fields: QueueFields,
    known: AnnotationQueue | None,
    *,
    errors: dict[str, str] | None = None,
    new_config: NewConfigForm | None = None,
) -> HttpResponse:
    chosen = set(fields.config_ids)
    configs = [
        config
        for config in score_configs(scope).order_by("name", "id")
        if not config.is_archived or config.pk in chosen
    ]
    context = {
        "scope": scope,
        "known": known,
        "fields": fields,
        "errors": errors or {},
        "configs": [(config, config.pk in chosen) for config in configs],
        "people": [
            (one.user_id, one.name or one.email, one.email, one.user_id in fields.assignee_ids)
            for one in list_project_members(scope)
            if one.role is not Role.NONE
        ],
        "new_config": new_config or NewConfigForm(prefix="config"),
        "longest_name": LONGEST_NAME,
        "longest_text": LONGEST_TEXT,
    }
    is_wrong = bool(errors) or (new_config is not None and bool(new_config.errors))
    return render_page(request, "evals/queue_form.html", context, status=422 if is_wrong else 200)


# --- The items -------------------------------------------------------------------------------------------
@posted_from("evals:queue-list")
@project_page(Role.MEMBER)
def queue_items_act(request: HttpRequest, scope: ProjectScope, queue_id: str) -> HttpResponse:
    """Removes, reopens or assigns the items that are ticked."""
    act, ids, actor = request.POST.get("act", ""), request.POST.getlist("item"), Actor.of(request)
    if not ids:
        raise Invalid(_("Nothing is selected."))
    if act == "remove":
        number = queue_items.remove_items(scope, queue_id, ids, actor=actor)
        said = ngettext("%(n)d item removed.", "%(n)d items removed.", number)
    elif act == "reopen":
        number = queue_items.reopen_items(scope, queue_id, ids, actor=actor)
        said = ngettext("%(n)d item reopened.", "%(n)d items reopened.", number)
    elif act == "assign":
        number = queue_items.assign_items(scope, queue_id, ids, request.POST.get("person", ""), actor=actor)
        said = ngettext("%(n)d item assigned.", "%(n)d items assigned.", number)
    else:
        raise Invalid(_("There is no such act."))
    messages.success(request, said % {"n": number})
    return see_other(_back(request, scope, queue_id))


def _back(request: HttpRequest, scope: ProjectScope, queue_id: str) -> str:
    """The queue's page, narrowed as it was."""
    query = QueryDict(mutable=True)
    if request.POST.get("status"):
        query["status"] = request.POST["status"]
    url = reverse("evals:queue-detail", args=[scope.project_id, queue_id])
    return f"{url}?{query.urlencode()}" if query else url


@posted_from("evals:queue-list")
@project_page(Role.MEMBER)
def queue_item_add(request: HttpRequest, scope: ProjectScope, queue_id: str) -> HttpResponse:
    """One object by its id."""
    queue = queries.get_queue(scope, queue_id)
    kind, object_id = request.POST.get("kind", ""), request.POST.get("object", "").strip()
    try:
        if kind not in QueueObject.values:
            raise Invalid(_("Choose what it is."))
        place = place_of(scope, kind, object_id)
        added = queue_items.add_once(scope, queue_id, [place], actor=Actor.of(request))
    except Invalid as refusal:
        return _detail(request, scope, queue, problem=refusal.message, typed=request.POST)
    if added:
        messages.success(request, _("Added to the queue."))
    else:
        messages.info(request, _("The queue has it already; it was not added again."))
    return see_other(_back(request, scope, queue_id))


def place_of(scope: ProjectScope, kind: str, object_id: str, trace_id: str = "") -> Place:
    """What a person named, which must be there. Raises Invalid."""
    if not object_id or "\x00" in object_id + trace_id:
        raise Invalid(_("Give an id."))
    if kind == QueueObject.OBSERVATION and not trace_id:
        try:
            trace_id = find_trace_of(scope, object_id)
        except NotFound as error:
            raise Invalid(_("There is nothing with this id in the project.")) from error
    elif not is_there(scope, kind, object_id):
        raise Invalid(_("There is nothing with this id in the project."))
    return Place(kind, object_id, trace_id if kind == QueueObject.OBSERVATION else "")
