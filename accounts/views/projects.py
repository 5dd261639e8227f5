"""A project's settings: general facts and deletion."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import actions
from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.forms import DeleteProjectForm, NameForm
from accounts.queries import get_project
from accounts.roles import Role
from accounts.views.answers import see_other
from accounts.views.forms_in_pages import submit
from config.posting import posted_from
from config.rendering import render_page


@require_safe
@project_page(Role.VIEWER)
def project_settings(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _page(request, scope)


@posted_from("accounts:project-settings")
@project_page(Role.ADMIN)
def project_rename(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    form = NameForm(request.POST)
    if submit(form, lambda: actions.update_project(scope, name=form.cleaned_data["name"], actor=Actor.of(request))):
        messages.success(request, _("Saved."))
        return see_other(reverse("accounts:project-settings", args=[scope.project_id]))
    return _page(request, scope, rename=form, status=422)


@posted_from("accounts:project-settings")
@project_page(Role.OWNER)
def project_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    project = get_project(scope)
    form = DeleteProjectForm(request.POST, project=project)
    if not form.is_valid():
        return _page(request, scope, delete=form, status=422)
    actions.delete_project(scope, actor=Actor.of(request))
    messages.success(request, _("The project “%(name)s” is deleted.") % {"name": project.name})
    return see_other(reverse("accounts:organization-list"))


def _page(
    request: HttpRequest,
    scope: ProjectScope,
    *,
    rename: NameForm | None = None,
    delete: DeleteProjectForm | None = None,
    status: int = 200,
) -> HttpResponse:
    project = get_project(scope)
    context = {
        "scope": scope,
        "project": project,
        "rename": rename or NameForm(initial={"name": project.name}),
        "delete": delete or DeleteProjectForm(project=project),
        "may_edit": scope.role.allows(Role.ADMIN),
        "may_delete": scope.role.allows(Role.OWNER),
    }
    return render_page(request, "accounts/project_settings.html", context, status=status)
