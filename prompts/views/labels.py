"""Settings of a project: which labels of prompts only admins move."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.queries import get_project
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Invalid
from config.posting import posted_from
from config.rendering import render_page
from prompts.actions import prompts as actions
from prompts.models import LABEL_LENGTH
from prompts.queries.listing import label_counts
from prompts.queries.prompts import protected_labels


@require_safe
@project_page(Role.VIEWER)
def label_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _page(request, scope)


@posted_from("prompts:label-list")
@project_page(Role.ADMIN)
def label_protect(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Protects `label`, or with `open` lets everybody move it again."""
    label = request.POST.get("label", "").strip()
    is_opened = bool(request.POST.get("open"))
    try:
        actions.protect_label(scope, label, protected=not is_opened, actor=Actor.of(request))
    except Invalid as refusal:
        return _page(request, scope, problem=refusal.words, typed=label)
    said = _("Every member may move “%(label)s” now.") if is_opened else _("Only admins move “%(label)s” from now on.")
    messages.success(request, said % {"label": label})
    return see_other(reverse("prompts:label-list", args=[scope.project_id]))


def _page(request: HttpRequest, scope: ProjectScope, *, problem: str = "", typed: str = "") -> HttpResponse:
    counts = dict(label_counts(scope))
    protected = protected_labels(scope)
    rows = [(name, counts.get(name, 0), name in protected) for name in sorted({*counts, *protected})]
    context = {
        "scope": scope,
        "project": get_project(scope),
        "may_edit": scope.role.allows(Role.ADMIN),
        "rows": rows,
        "problem": problem,
        "typed": typed,
        "longest": LABEL_LENGTH,
    }
    return render_page(request, "prompts/label_list.html", context, status=422 if problem else 200)
