"""People: what follows a sign-up, and what they change about themselves."""

from __future__ import annotations

from django.db import transaction

from accounts.access import OrganizationScope
from accounts.actions.members import accept_invitations
from accounts.actions.organizations import create_organization, create_project
from accounts.audit import Actor, record
from accounts.models import Organization, User
from accounts.roles import Role

FIRST_ORGANIZATION = "My organization"
FIRST_PROJECT = "My project"


@transaction.atomic
def complete_sign_up(user: User, *, actor: Actor) -> None:
    """Joins what the person was invited to. Whoever signs up first on an empty instance gets a place to work."""
    record(actor, "user.sign_up", user, after={"email": user.email})
    accept_invitations(user, actor=actor)
    is_first = not User.objects.exclude(pk=user.pk).exists() and not Organization.objects.exists()
    if is_first:
        make_instance_owner(user)
        organization = create_organization(user, name=FIRST_ORGANIZATION, actor=actor)
        create_project(OrganizationScope(organization.pk, Role.OWNER, user.pk), name=FIRST_PROJECT, actor=actor)


def make_instance_owner(user: User) -> None:
    """Lets somebody into the admin site."""
    user.is_staff = user.is_superuser = True
    user.save(update_fields=["is_staff", "is_superuser"])


@transaction.atomic
def rename_user(user: User, *, name: str, actor: Actor) -> None:
    before = {"name": user.name}
    user.name = name
    user.save(update_fields=["name"])
    record(actor, "user.rename", user, before=before, after={"name": name})
