"""Who may change whose role in one project."""

from __future__ import annotations

from http import HTTPStatus as Status

import pytest
from django.urls import reverse

from accounts.forms import INHERIT
from accounts.models import Membership, ProjectMembership
from accounts.roles import Role
from tests.factories import make_user


@pytest.fixture
def dora(organization, project):
    """A member of the organization, owner of this one project."""
    user = make_user("dora@example.com", organization=organization)
    ProjectMembership.objects.create(project=project, user=user, role=Role.OWNER)
    return user


def _role_of(user):
    return ProjectMembership.objects.get(user=user).role


def _page(project):
    return reverse("accounts:project-members", args=[project.pk])


def _change(client, project, user, role):
    return client.post(reverse("accounts:project-member-role", args=[project.pk, user.pk]), {"role": role})


@pytest.mark.parametrize("role", [INHERIT, Role.VIEWER, Role.ADMIN, Role.NONE])
@pytest.mark.parametrize("is_admin_of_all", [True, False])
def test_admins_leave_an_owner_of_the_project_alone(bob, dora, project, organization, role, is_admin_of_all):
    if is_admin_of_all:
        Membership.objects.filter(user=bob.user).update(role=Role.ADMIN)
    else:
        ProjectMembership.objects.create(project=project, user=bob.user, role=Role.ADMIN)
    page = bob.get(_page(project)).content.decode()
    assert reverse("accounts:project-member-role", args=[project.pk, dora.pk]) not in page
    assert _change(bob, project, dora, role).status_code == Status.FORBIDDEN
    assert _role_of(dora) == Role.OWNER


def test_owners_change_an_owner_of_the_project(alice, dora, project):
    page = alice.get(_page(project)).content.decode()
    assert reverse("accounts:project-member-role", args=[project.pk, dora.pk]) in page
    assert '<option value="OWNER" selected>' in page
    assert _change(alice, project, dora, Role.VIEWER).status_code == Status.SEE_OTHER
    assert _role_of(dora) == Role.VIEWER
    assert _change(alice, project, dora, INHERIT).status_code == Status.SEE_OTHER
    assert not ProjectMembership.objects.filter(user=dora).exists()


def test_admins_change_who_is_not_above_them(bob, project, organization):
    Membership.objects.filter(user=bob.user).update(role=Role.ADMIN)
    other = make_user("erik@example.com", organization=organization)
    ProjectMembership.objects.create(project=project, user=other, role=Role.ADMIN)
    assert _change(bob, project, other, Role.VIEWER).status_code == Status.SEE_OTHER
    assert _role_of(other) == Role.VIEWER
