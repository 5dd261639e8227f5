"""Organizations: the ones a person belongs to, their settings and projects, and new ones."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import actions
from accounts.access import OrganizationScope, organization_page, signed_in
from accounts.audit import Actor
from accounts.forms import NameForm
from accounts.models import User
from accounts.queries import get_organization, organizations_of, projects_of
from accounts.roles import Role
from accounts.views.answers import see_other
from accounts.views.forms_in_pages import submit
from config.posting import posted_from
from config.rendering import render_page


@require_safe
@signed_in
def organization_list(request: HttpRequest, user: User) -> HttpResponse:
    """Everything a person can open: the place to land for those who have no project, or many."""
    return _list_page(request, user)


@posted_from("accounts:organization-list")
@signed_in
def organization_create(request: HttpRequest, user: User) -> HttpResponse:
    form = NameForm(request.POST)
    organization = submit(
        form, lambda: actions.create_organization(user, name=form.cleaned_data["name"], actor=Actor.of(request))
    )
    if organization is None:
        return _list_page(request, user, form=form, status=422)
    return see_other(reverse("accounts:organization-settings", args=[organization.pk]))


@require_safe
@organization_page(Role.VIEWER)
def organization_settings(request: HttpRequest, scope: OrganizationScope) -> HttpResponse:
    return _page(request, scope)


@posted_from("accounts:organization-settings")
@organization_page(Role.ADMIN)
def organization_rename(request: HttpRequest, scope: OrganizationScope) -> HttpResponse:
    form = NameForm(request.POST)
    actor = Actor.of(request)
    if submit(form, lambda: actions.rename_organization(scope, name=form.cleaned_data["name"], actor=actor)):
        messages.success(request, _("Saved."))
        return see_other(reverse("accounts:organization-settings", args=[scope.organization_id]))
    return _page(request, scope, rename=form, status=422)


@posted_from("accounts:organization-settings")
@organization_page(Role.ADMIN)
def project_create(request: HttpRequest, scope: OrganizationScope) -> HttpResponse:
    form = NameForm(request.POST, prefix="project")
    project = submit(
        form, lambda: actions.create_project(scope, name=form.cleaned_data["name"], actor=Actor.of(request))
    )
    if project is None:
        return _page(request, scope, create=form, status=422)
    return see_other(resolve_url("tracing:onboarding", project.pk))


def _list_page(request: HttpRequest, user: User, *, form: NameForm | None = None, status: int = 200) -> HttpResponse:
    projects, organizations = list(projects_of(user)), list(organizations_of(user))
    with_projects = {project.organization_id for project in projects}
    context = {
        "organizations": organizations,
        "organizations_without_projects": [one for one in organizations if one.pk not in with_projects],
        "projects": projects,
        "form": form or NameForm(),
    }
    return render_page(request, "accounts/organization_list.html", context, status=status)


def _page(
    request: HttpRequest,
    scope: OrganizationScope,
    *,
    rename: NameForm | None = None,
    create: NameForm | None = None,
    status: int = 200,
) -> HttpResponse:
    organization = get_organization(scope)
    context = {
        "scope": scope,
        "organization": organization,
        "projects": projects_of(request.user).filter(organization=organization),
        "rename": rename or NameForm(initial={"name": organization.name}),
        "create": create or NameForm(prefix="project"),
        "may_edit": scope.role.allows(Role.ADMIN),
    }
    return render_page(request, "accounts/organization_settings.html", context, status=status)
