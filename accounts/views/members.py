"""Members: of an organization, and what one project says otherwise about them."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import actions
from accounts.access import OrganizationScope, ProjectScope, organization_page, project_page
from accounts.audit import Actor
from accounts.forms import INHERIT, InviteForm, ProjectRoleForm, RoleForm
from accounts.models import Invitation
from accounts.queries import (
    Member,
    get_organization,
    get_project,
    list_invitations,
    list_members,
    list_project_members,
    list_projects,
)
from accounts.roles import Role
from accounts.views.answers import see_other
from accounts.views.forms_in_pages import submit
from config.posting import posted_from
from config.rendering import render_page


@dataclass(frozen=True, slots=True)
class Row:
    """A member, and the form to change the role; None where the reader may not."""

    member: Member
    form: RoleForm | ProjectRoleForm | None
    may_remove: bool = False


@require_safe
@organization_page(Role.VIEWER)
def organization_members(request: HttpRequest, scope: OrganizationScope) -> HttpResponse:
    return _organization_page(request, scope)


@posted_from("accounts:organization-members")
@organization_page(Role.ADMIN)
def member_add(request: HttpRequest, scope: OrganizationScope) -> HttpResponse:
    form = InviteForm(request.POST, own_role=scope.role, projects=list_projects(scope))
    added = submit(
        form,
        lambda: actions.add_member(
            scope,
            email=form.cleaned_data["email"],
            role=form.cleaned_data["role"],
            project_id=form.cleaned_data["project"].pk if form.cleaned_data["project"] else "",
            project_role=form.cleaned_data["project_role"],
            actor=Actor.of(request),
        ),
    )
    if added is None:
        return _organization_page(request, scope, invite=form, status=422)
    if isinstance(added, Invitation):
        text = _("%(email)s is invited: the role waits for whoever signs up with this address.")
        messages.success(request, text % {"email": added.email})
    else:
        messages.success(request, _("%(email)s is a member now.") % {"email": added.user.email})
    return see_other(_members_url(scope))


@posted_from("accounts:organization-members")
@organization_page(Role.ADMIN)
def member_role(request: HttpRequest, scope: OrganizationScope, user_id: str) -> HttpResponse:
    form = RoleForm(request.POST, own_role=scope.role)
    changed = submit(
        form,
        lambda: actions.change_role(scope, user_id=user_id, role=form.cleaned_data["role"], actor=Actor.of(request)),
    )
    if changed is None:
        return _organization_page(request, scope, refused=form, status=422)
    messages.success(request, _("Saved."))
    return see_other(_members_url(scope))


@posted_from("accounts:organization-members")
@organization_page(Role.VIEWER)
def member_remove(request: HttpRequest, scope: OrganizationScope, user_id: str) -> HttpResponse:
    actions.remove_member(scope, user_id=user_id, actor=Actor.of(request))
    if user_id == scope.user_id:
        messages.success(request, _("You have left the organization."))
        return see_other(reverse("accounts:organization-list"))
    messages.success(request, _("Removed."))
    return see_other(_members_url(scope))


@posted_from("accounts:organization-members")
@organization_page(Role.ADMIN)
def invitation_withdraw(request: HttpRequest, scope: OrganizationScope, invitation_id: int) -> HttpResponse:
    actions.withdraw_invitation(scope, invitation_id=invitation_id, actor=Actor.of(request))
    messages.success(request, _("The invitation is withdrawn."))
    return see_other(_members_url(scope))


@require_safe
@project_page(Role.VIEWER)
def project_members(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _project_page(request, scope)


@posted_from("accounts:project-members")
@project_page(Role.ADMIN)
def project_member_role(request: HttpRequest, scope: ProjectScope, user_id: str) -> HttpResponse:
    form = ProjectRoleForm(request.POST, own_role=scope.role)

    def change() -> bool:
        role = form.cleaned_data["role"] or None
        actions.set_project_role(scope, user_id=user_id, role=role, actor=Actor.of(request))
        return True

    if not submit(form, change):
        return _project_page(request, scope, refused=form, status=422)
    messages.success(request, _("Saved."))
    return see_other(reverse("accounts:project-members", args=[scope.project_id]))


def _members_url(scope: OrganizationScope) -> str:
    return reverse("accounts:organization-members", args=[scope.organization_id])


def _organization_page(
    request: HttpRequest,
    scope: OrganizationScope,
    *,
    invite: InviteForm | None = None,
    refused: RoleForm | None = None,
    status: int = 200,
) -> HttpResponse:
    may_edit = scope.role.allows(Role.ADMIN)
    context = {
        "scope": scope,
        "organization": get_organization(scope),
        "rows": _organization_rows(scope),
        "invitations": list_invitations(scope) if may_edit else [],
        "invite": invite or InviteForm(own_role=scope.role, projects=list_projects(scope)),
        "refused": refused,
        "may_edit": may_edit,
    }
    return render_page(request, "accounts/organization_members.html", context, status=status)


def _organization_rows(scope: OrganizationScope) -> list[Row]:
    members = list_members(scope)
    owners = sum(member.organization_role is Role.OWNER for member in members)
    rows = []
    for member in members:
        is_last_owner = member.organization_role is Role.OWNER and owners == 1
        may_edit = scope.role.allows(Role.ADMIN) and scope.role.allows(member.organization_role) and not is_last_owner
        form = RoleForm(own_role=scope.role, initial={"role": member.organization_role}, auto_id=f"{member.user_id}-%s")
        may_leave = member.user_id == scope.user_id and not is_last_owner
        rows.append(Row(member, form if may_edit else None, may_remove=may_edit or may_leave))
    return rows


def _project_page(
    request: HttpRequest, scope: ProjectScope, *, refused: ProjectRoleForm | None = None, status: int = 200
) -> HttpResponse:
    context = {
        "scope": scope,
        "project": get_project(scope),
        "rows": [_project_row(scope, member) for member in list_project_members(scope)],
        "refused": refused,
        "may_edit": scope.role.allows(Role.ADMIN),
    }
    return render_page(request, "accounts/project_members.html", context, status=status)


def _project_row(scope: ProjectScope, member: Member) -> Row:
    is_above = not scope.role.allows(member.project_role or Role.NONE)
    if is_above or member.organization_role is Role.OWNER or not scope.role.allows(Role.ADMIN):
        return Row(member, None)
    initial = {"role": member.project_role or INHERIT}
    return Row(member, ProjectRoleForm(own_role=scope.role, initial=initial, auto_id=f"{member.user_id}-%s"))
