"""Organizations and projects: created, renamed, deleted."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import signals
from accounts.access import OrganizationScope, ProjectScope
from accounts.audit import Actor, record
from accounts.models import Membership, Organization, Project, User
from accounts.roles import Role
from config.errors import Conflict, NotFound


@transaction.atomic
def create_organization(owner: User, *, name: str, actor: Actor) -> Organization:
    """Anybody who is signed in may have an organization; whoever makes it owns it."""
    organization = Organization.objects.create(name=name)
    Membership.objects.create(organization=organization, user=owner, role=Role.OWNER)
    record(actor, "organization.create", organization, after={"name": name, "owner": owner.email})
    return organization


@transaction.atomic
def rename_organization(scope: OrganizationScope, *, name: str, actor: Actor) -> Organization:
    scope.require(Role.ADMIN)
    organization = Organization.objects.select_for_update().get(pk=scope.organization_id)
    before = {"name": organization.name}
    organization.name = name
    organization.save(update_fields=["name", "updated_at"])
    record(actor, "organization.rename", organization, before=before, after={"name": name})
    return organization


@transaction.atomic
def create_project(
    scope: OrganizationScope,
    *,
    name: str,
    actor: Actor,
    metadata: dict[str, Any] | None = None,
    retention_days: int | None = None,
) -> Project:
    """Raises Conflict when the organization has a project of that name."""
    scope.require(Role.ADMIN)
    _refuse_taken_name(scope.organization_id, name)
    project = Project.objects.create(
        organization_id=scope.organization_id, name=name, metadata=metadata or {}, retention_days=retention_days
    )
    record(actor, "project.create", project, after=_facts(project))
    return project


@transaction.atomic
def update_project(
    scope: ProjectScope,
    *,
    actor: Actor,
    name: str | None = None,
    metadata: dict[str, Any] | None = None,
    retention_days: int | None = None,
) -> Project:
    """Changes what is given. A retention of 0 days means for ever."""
    scope.require(Role.ADMIN)
    project = _project(scope)
    before = _facts(project)
    if name is not None and name != project.name:
        _refuse_taken_name(project.organization_id, name)
        project.name = name
    if metadata is not None:
        project.metadata = metadata
    if retention_days is not None:
        project.retention_days = retention_days or None
    project.save(update_fields=["name", "metadata", "retention_days", "updated_at"])
    record(actor, "project.update", project, before=before, after=_facts(project))
    return project


@transaction.atomic
def delete_project(scope: ProjectScope, *, actor: Actor) -> None:
    """Closes the project and its keys at once; its data go in the background, by receivers of `project_deleted`."""
    scope.require(Role.OWNER)
    project = _project(scope)
    project.deleted_at = timezone.now()
    project.save(update_fields=["deleted_at", "updated_at"])
    record(actor, "project.delete", project, before=_facts(project))
    transaction.on_commit(lambda: signals.project_deleted.send(Project, project_id=project.pk))


def _project(scope: ProjectScope) -> Project:
    project = Project.objects.present().select_for_update().filter(pk=scope.project_id).first()
    if project is None:
        raise NotFound("There is no such project.")
    return project


def _refuse_taken_name(organization_id: str, name: str) -> None:
    if Project.objects.present().filter(organization_id=organization_id, name=name).exists():
        raise Conflict(f"A project named “{name}” already exists in this organization.")


def _facts(project: Project) -> dict[str, Any]:
    return {"name": project.name, "metadata": project.metadata, "retention_days": project.retention_days}
