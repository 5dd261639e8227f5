"""Members of organizations and projects: added, promoted, removed."""

from __future__ import annotations

from django.db import transaction

from accounts.access import OrganizationScope, ProjectScope
from accounts.audit import Actor, record
from accounts.models import Invitation, Membership, Organization, Project, ProjectMembership, User
from accounts.roles import Role
from config.errors import Conflict, Invalid, NotFound


@transaction.atomic
def add_member(
    scope: OrganizationScope,
    *,
    email: str,
    role: Role,
    actor: Actor,
    project_id: str = "",
    project_role: Role | None = None,
) -> Membership | Invitation:
    """Adds the account with this e-mail address, or leaves an invitation for whoever signs up with it.

    `project_role`, if given, is the role in the one project `project_id`.
    """
    _may_grant(scope, role)
    project = _project_of(scope, project_id) if project_id else None
    if project is not None and project_role is not None:
        _may_grant(scope, project_role)
    email = email.strip().lower()
    user = User.objects.filter(email=email).first()
    if user is None:
        return _invite(scope, email, role, project, project_role, actor)
    membership, is_new = Membership.objects.get_or_create(
        organization_id=scope.organization_id, user=user, defaults={"role": role}
    )
    if not is_new:
        raise Conflict(f"{email} is already a member.")
    record(actor, "member.add", membership, after={"email": email, "role": role})
    if project is not None and project_role is not None:
        _put_project_role(project, user, project_role, actor)
    return membership


def _invite(
    scope: OrganizationScope,
    email: str,
    role: Role,
    project: Project | None,
    project_role: Role | None,
    actor: Actor,
) -> Invitation:
    if project is None or project_role is None:
        project, project_role = None, None
    invitation, is_new = Invitation.objects.get_or_create(
        organization_id=scope.organization_id,
        email=email,
        defaults={
            "role": role,
            "project": project,
            "project_role": project_role or "",
            "invited_by_id": scope.user_id or None,
        },
    )
    if not is_new:
        raise Conflict(f"{email} is already invited.")
    record(actor, "member.invite", invitation, after={"email": email, "role": role, "project_role": project_role})
    return invitation


@transaction.atomic
def accept_invitations(user: User, *, actor: Actor) -> int:
    """Turns everything that waits for this person's address into memberships; how many there were."""
    invitations = list(Invitation.objects.select_related("project").filter(email=user.email))
    for invitation in invitations:
        membership, _ = Membership.objects.get_or_create(
            organization_id=invitation.organization_id, user=user, defaults={"role": invitation.role}
        )
        record(actor, "member.accept", membership, after={"email": user.email, "role": membership.role})
        if invitation.project is not None:
            _put_project_role(invitation.project, user, Role(invitation.project_role), actor)
        invitation.delete()
    return len(invitations)


@transaction.atomic
def withdraw_invitation(scope: OrganizationScope, *, invitation_id: int, actor: Actor) -> None:
    scope.require(Role.ADMIN)
    invitation = Invitation.objects.filter(organization_id=scope.organization_id, pk=invitation_id).first()
    if invitation is None:
        raise NotFound("There is no such invitation.")
    record(actor, "member.uninvite", invitation, before={"email": invitation.email, "role": invitation.role})
    invitation.delete()


@transaction.atomic
def change_role(scope: OrganizationScope, *, user_id: str, role: Role, actor: Actor) -> Membership:
    """Raises Conflict when it would leave the organization without an owner."""
    membership = _membership(scope, user_id)
    _may_grant(scope, role)
    _may_touch(scope, membership, stays_owner=role is Role.OWNER)
    before = {"email": membership.user.email, "role": membership.role}
    membership.role = role
    membership.save(update_fields=["role"])
    record(actor, "member.change_role", membership, before=before, after={**before, "role": role})
    return membership


@transaction.atomic
def remove_member(scope: OrganizationScope, *, user_id: str, actor: Actor) -> None:
    """Takes somebody out of the organization and all its projects. Everybody may leave."""
    membership = _membership(scope, user_id)
    if user_id != scope.user_id:
        scope.require(Role.ADMIN)
    _may_touch(scope, membership, stays_owner=False)
    record(actor, "member.remove", membership, before={"email": membership.user.email, "role": membership.role})
    ProjectMembership.objects.filter(project__organization_id=scope.organization_id, user_id=user_id).delete()
    membership.delete()


@transaction.atomic
def set_project_role(scope: ProjectScope, *, user_id: str, role: Role | None, actor: Actor) -> None:
    """Gives a member another role in this project; None goes back to the organization's.

    Nobody changes what somebody above them has.
    """
    scope.require(Role.ADMIN)
    if role is not None:
        scope.require(role)
    project = Project.objects.get(pk=scope.project_id)
    membership = _membership(OrganizationScope(project.organization_id, scope.role, scope.user_id), user_id)
    if membership.role == Role.OWNER:
        raise Conflict("Owners of the organization are owners of all its projects.")
    override = ProjectMembership.objects.filter(project=project, user_id=user_id).first()
    if override is not None:
        scope.require(Role(override.role))
    if role is not None:
        _put_project_role(project, membership.user, role, actor)
    elif override is not None:
        record(actor, "project_member.remove", override, before={"email": membership.user.email, "role": override.role})
        override.delete()


def _put_project_role(project: Project, user: User, role: Role, actor: Actor) -> None:
    override = ProjectMembership.objects.filter(project=project, user=user).first()
    before = {"email": user.email, "role": override.role} if override else None
    if override is None:
        override = ProjectMembership(project=project, user=user)
    override.role = role
    override.save()
    record(actor, "project_member.set_role", override, before=before, after={"email": user.email, "role": role})


def _project_of(scope: OrganizationScope, project_id: str) -> Project:
    project = Project.objects.present().filter(organization_id=scope.organization_id, pk=project_id).first()
    if project is None:
        raise Invalid("There is no such project in this organization.")
    return project


def _membership(scope: OrganizationScope, user_id: str) -> Membership:
    # All changes of one organization's members wait for each other: two owners must not leave at the same moment.
    Organization.objects.select_for_update().get(pk=scope.organization_id)
    membership = (
        Membership.objects.select_related("user").filter(organization_id=scope.organization_id, user_id=user_id).first()
    )
    if membership is None:
        raise NotFound("There is no such member.")
    return membership


def _may_grant(scope: OrganizationScope, role: Role) -> None:
    scope.require(Role.ADMIN)
    scope.require(role)


def _may_touch(scope: OrganizationScope, membership: Membership, *, stays_owner: bool) -> None:
    if membership.role != Role.OWNER:
        return
    scope.require(Role.OWNER)
    others = Membership.objects.filter(organization_id=scope.organization_id, role=Role.OWNER).exclude(pk=membership.pk)
    if not stays_owner and not others.exists():
        raise Conflict("An organization needs an owner: make somebody else one first.")
