from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts import actions
from accounts.access import ProjectScope
from accounts.audit import SYSTEM
from accounts.models import ApiKey, AuditLog, Invitation, Membership, ProjectMembership, User
from accounts.roles import Role
from tests.factories import make_key

MODELS = [model for model in admin.site._registry if model._meta.app_label == "accounts"]


@pytest.fixture
def root(workspace) -> Client:
    user = User.objects.create_superuser("root@example.com", "x")
    client = Client()
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    return client


def _address(model: type, page: str, *arguments: object) -> str:
    return reverse(f"admin:accounts_{model._meta.model_name}_{page}", args=arguments)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_is_listed_and_opened(model, root, workspace):
    make_key(workspace.project)
    ProjectMembership.objects.create(project=workspace.project, user=workspace.bob, role=Role.MEMBER)
    Invitation.objects.create(organization=workspace.organization, email="x@example.com", role=Role.VIEWER)
    assert root.get(_address(model, "changelist")).status_code == 200
    row = model.objects.first()
    page = root.get(_address(model, "change", row.pk))
    assert page.status_code == 200
    assert ApiKey.objects.get().secret_hash not in page.content.decode()


def test_audit_log_can_only_be_read(root, workspace):
    actions.update_project(ProjectScope(workspace.project.pk, Role.OWNER), name="Better", actor=SYSTEM)
    entry = AuditLog.objects.get()
    assert root.get(_address(AuditLog, "add")).status_code == 403
    assert root.post(_address(AuditLog, "delete", entry.pk), {"post": "yes"}).status_code == 403
    assert root.post(_address(AuditLog, "change", entry.pk), {"actor": "x"}).status_code == 403


def test_change_in_the_admin_is_logged(root, workspace):
    membership = Membership.objects.get(user=workspace.bob)
    data = {"user": workspace.bob.pk, "organization": workspace.organization.pk, "role": "ADMIN"}
    assert root.post(_address(Membership, "change", membership.pk), data).status_code == 302
    entry = AuditLog.objects.get()
    assert (entry.actor, entry.action, entry.after) == ("root@example.com", "admin.update", {"changed": ["Role"]}) or (
        entry.after == {"changed": ["role"]}
    )


def test_owner_of_a_project_is_no_administrator(alice):
    assert alice.get("/admin/").status_code == 302
