"""Rows for tests, each in one call."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from accounts.access import OrganizationScope, ProjectScope
from accounts.actions import NewKey, create_api_key
from accounts.audit import SYSTEM
from accounts.models import Membership, Organization, Project, User
from accounts.roles import Role

PASSWORD = "correct horse battery"


def make_user(email: str = "", *, organization: Organization | None = None, role: Role = Role.MEMBER) -> User:
    user = User(email=email or f"{uuid4().hex[:8]}@example.com")
    user.set_unusable_password()  # hashing one takes longer than most tests; sign in with `client.force_login`
    user.save()
    if organization is not None:
        Membership.objects.create(organization=organization, user=user, role=role)
    return user


def make_organization(name: str = "Acme", *, owner: User | None = None) -> Organization:
    organization = Organization.objects.create(name=name)
    if owner is not None:
        Membership.objects.create(organization=organization, user=owner, role=Role.OWNER)
    return organization


def make_project(name: str = "Chatbot", *, organization: Organization | None = None, **fields: Any) -> Project:
    return Project.objects.create(name=name, organization=organization or make_organization(), **fields)


def make_key(of: Project | Organization, **options: Any) -> NewKey:
    scope = ProjectScope(of.pk, Role.OWNER) if isinstance(of, Project) else OrganizationScope(of.pk, Role.OWNER)
    return create_api_key(scope, actor=SYSTEM, **options)


def basic(key: NewKey) -> str:
    """The Authorization header of a key."""
    return "Basic " + base64.b64encode(f"{key.key.public_key}:{key.secret_key}".encode()).decode()


@dataclass(frozen=True)
class Workspace:
    """An organization with one project and the cast: alice owns, bob looks, charlie is from elsewhere."""

    organization: Organization
    project: Project
    alice: User
    bob: User
    charlie: User


def make_workspace() -> Workspace:
    alice, charlie = make_user("alice@example.com"), make_user("charlie@example.com")
    organization = make_organization(owner=alice)
    elsewhere = make_organization("Elsewhere", owner=charlie)
    make_project("Secret", organization=elsewhere)
    return Workspace(
        organization=organization,
        project=make_project(organization=organization),
        alice=alice,
        bob=make_user("bob@example.com", organization=organization, role=Role.VIEWER),
        charlie=charlie,
    )
