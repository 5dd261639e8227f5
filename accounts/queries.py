"""Reads: who is a member of what, which keys there are, where a person can go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q, QuerySet

from accounts import key_usage
from accounts.access import OrganizationScope, ProjectScope, role_in_project
from accounts.models import ApiKey, Invitation, Membership, Organization, Project, ProjectMembership
from accounts.roles import Role
from config.errors import NotFound


@dataclass(frozen=True, slots=True)
class Member:
    """`project_role` is set where one project says something else than the organization; `role` is what counts."""

    user_id: str
    email: str
    name: str
    organization_role: Role
    project_role: Role | None
    role: Role
    created_at: datetime


def get_project(scope: ProjectScope) -> Project:
    project = Project.objects.present().select_related("organization").filter(pk=scope.project_id).first()
    if project is None:
        raise NotFound("There is no such project.")
    return project


def get_organization(scope: OrganizationScope) -> Organization:
    return Organization.objects.get(pk=scope.organization_id)


def projects_of(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Project]:
    """The projects a person may open, with their organizations, in the order of the switcher."""
    mine = Membership.objects.filter(user_id=user.pk)
    overrides = ProjectMembership.objects.filter(user_id=user.pk)
    hidden = Q(pk__in=overrides.filter(role=Role.NONE).values("project_id"))
    opened = Q(pk__in=overrides.exclude(role=Role.NONE).values("project_id"))
    owner = Q(organization_id__in=mine.filter(role=Role.OWNER).values("organization_id"))
    open_by_default = Q(organization_id__in=mine.exclude(role=Role.NONE).values("organization_id"))
    member = Q(organization_id__in=mine.values("organization_id"))
    return (
        Project.objects.present()
        .filter(member & (owner | opened | (open_by_default & ~hidden)))
        .select_related("organization")
        .order_by("organization__name", "organization_id", "name", "pk")
    )


def organizations_of(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Organization]:
    """The organizations a person may open."""
    return Organization.objects.filter(
        pk__in=Membership.objects.filter(user_id=user.pk).exclude(role=Role.NONE).values("organization_id")
    )


def list_projects(scope: OrganizationScope) -> QuerySet[Project]:
    return Project.objects.present().filter(organization_id=scope.organization_id)


def projects_in_use(since: datetime) -> list[str]:
    """Projects whose keys were used since then, the latest first."""
    # What is written of a busy key is up to this old.
    written_late = timedelta(seconds=key_usage.SAME_KEY_EVERY_SECONDS + key_usage.WRITE_EVERY_SECONDS)
    used = ApiKey.objects.filter(last_used_at__gte=since - written_late, project__deleted_at=None)
    latest_first = used.exclude(project=None).order_by("-last_used_at")
    return list(dict.fromkeys(latest_first.values_list("project_id", flat=True)))


def list_members(scope: OrganizationScope) -> list[Member]:
    return _members(scope.organization_id, {})


def list_project_members(scope: ProjectScope) -> list[Member]:
    """Everybody of the organization, with what this project says about them."""
    project = get_project(scope)
    overrides = ProjectMembership.objects.filter(project=project)
    return _members(project.organization_id, {override.user_id: Role(override.role) for override in overrides})


def _members(organization_id: str, project_roles: dict[str, Role]) -> list[Member]:
    memberships = Membership.objects.filter(organization_id=organization_id).select_related("user")
    return [
        Member(
            user_id=membership.user_id,
            email=membership.user.email,
            name=membership.user.name,
            organization_role=Role(membership.role),
            project_role=project_roles.get(membership.user_id),
            role=role_in_project(Role(membership.role), project_roles.get(membership.user_id)),
            created_at=membership.created_at,
        )
        for membership in memberships.order_by("user__email")
    ]


def list_invitations(scope: OrganizationScope) -> QuerySet[Invitation]:
    return Invitation.objects.filter(organization_id=scope.organization_id).select_related("project").order_by("email")


def list_api_keys(scope: ProjectScope | OrganizationScope) -> QuerySet[ApiKey]:
    """Newest first, without the revoked ones."""
    keys = ApiKey.objects.filter(revoked_at=None).select_related("created_by").order_by("-created_at", "id")
    if isinstance(scope, ProjectScope):
        return keys.filter(project_id=scope.project_id)
    return keys.filter(organization_id=scope.organization_id)
