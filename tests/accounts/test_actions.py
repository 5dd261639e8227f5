from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import actions, signals
from accounts.access import OrganizationScope, ProjectScope
from accounts.audit import SYSTEM, Actor
from accounts.keys import KeyPair
from accounts.models import ApiKey, AuditLog, Invitation, Membership, Project, ProjectMembership, User
from accounts.roles import Role
from config.errors import Conflict, Forbidden, Invalid, NotFound
from tests.factories import Workspace, make_key, make_organization, make_project, make_user

OF_ORGANIZATION: dict[str, tuple[Role, Callable[[OrganizationScope, Workspace], object]]] = {
    "rename_organization": (Role.ADMIN, lambda s, w: actions.rename_organization(s, name="New", actor=SYSTEM)),
    "create_project": (Role.ADMIN, lambda s, w: actions.create_project(s, name="New", actor=SYSTEM)),
    "create_api_key": (Role.ADMIN, lambda s, w: actions.create_api_key(s, actor=SYSTEM)),
    "add_member": (
        Role.ADMIN,
        lambda s, w: actions.add_member(s, email="new@example.com", role=Role.VIEWER, actor=SYSTEM),
    ),
    "add_owner": (
        Role.OWNER,
        lambda s, w: actions.add_member(s, email="new@example.com", role=Role.OWNER, actor=SYSTEM),
    ),
    "promote": (Role.ADMIN, lambda s, w: actions.change_role(s, user_id=w.bob.pk, role=Role.MEMBER, actor=SYSTEM)),
    "make_owner": (Role.OWNER, lambda s, w: actions.change_role(s, user_id=w.bob.pk, role=Role.OWNER, actor=SYSTEM)),
    "remove_member": (Role.ADMIN, lambda s, w: actions.remove_member(s, user_id=w.bob.pk, actor=SYSTEM)),
}
OF_PROJECT: dict[str, tuple[Role, Callable[[ProjectScope, Workspace], object]]] = {
    "update_project": (Role.ADMIN, lambda s, w: actions.update_project(s, name="New", actor=SYSTEM)),
    "delete_project": (Role.OWNER, lambda s, w: actions.delete_project(s, actor=SYSTEM)),
    "create_api_key": (Role.ADMIN, lambda s, w: actions.create_api_key(s, actor=SYSTEM)),
    "set_project_role": (
        Role.ADMIN,
        lambda s, w: actions.set_project_role(s, user_id=w.bob.pk, role=Role.MEMBER, actor=SYSTEM),
    ),
}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("name", OF_ORGANIZATION)
def test_organization_actions_by_role(workspace, name, role):
    needed, action = OF_ORGANIZATION[name]
    scope = OrganizationScope(workspace.organization.pk, role)
    if role.allows(needed):
        action(scope, workspace)
        assert AuditLog.objects.count()
    else:
        with pytest.raises(Forbidden):
            action(scope, workspace)
        assert not AuditLog.objects.count()


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("name", OF_PROJECT)
def test_project_actions_by_role(workspace, name, role):
    needed, action = OF_PROJECT[name]
    scope = ProjectScope(workspace.project.pk, role)
    if role.allows(needed):
        action(scope, workspace)
        assert AuditLog.objects.filter(project_id=workspace.project.pk).count() == 1
    else:
        with pytest.raises(Forbidden):
            action(scope, workspace)
        assert not AuditLog.objects.count()


@pytest.fixture
def owner(workspace) -> OrganizationScope:
    return OrganizationScope(workspace.organization.pk, Role.OWNER, workspace.alice.pk)


@pytest.fixture
def project_owner(workspace) -> ProjectScope:
    return ProjectScope(workspace.project.pk, Role.OWNER, workspace.alice.pk)


def test_last_owner_stays(workspace, owner):
    with pytest.raises(Conflict):
        actions.change_role(owner, user_id=workspace.alice.pk, role=Role.ADMIN, actor=SYSTEM)
    with pytest.raises(Conflict):
        actions.remove_member(owner, user_id=workspace.alice.pk, actor=SYSTEM)
    actions.change_role(owner, user_id=workspace.bob.pk, role=Role.OWNER, actor=SYSTEM)
    actions.remove_member(owner, user_id=workspace.alice.pk, actor=SYSTEM)
    assert Membership.objects.get(organization=workspace.organization).user == workspace.bob


def test_admin_touches_no_owner(workspace):
    admin = OrganizationScope(workspace.organization.pk, Role.ADMIN)
    with pytest.raises(Forbidden):
        actions.change_role(admin, user_id=workspace.alice.pk, role=Role.VIEWER, actor=SYSTEM)
    with pytest.raises(Forbidden):
        actions.remove_member(admin, user_id=workspace.alice.pk, actor=SYSTEM)


def test_everybody_may_leave(workspace):
    ProjectMembership.objects.create(project=workspace.project, user=workspace.bob, role=Role.MEMBER)
    scope = OrganizationScope(workspace.organization.pk, Role.VIEWER, workspace.bob.pk)
    actions.remove_member(scope, user_id=workspace.bob.pk, actor=SYSTEM)
    assert not workspace.bob.memberships.exists()
    assert not workspace.bob.project_memberships.exists()


def test_members_of_other_organizations_are_not_found(workspace, owner, project_owner):
    for action in (
        lambda: actions.change_role(owner, user_id=workspace.charlie.pk, role=Role.VIEWER, actor=SYSTEM),
        lambda: actions.remove_member(owner, user_id=workspace.charlie.pk, actor=SYSTEM),
        lambda: actions.set_project_role(project_owner, user_id=workspace.charlie.pk, role=Role.VIEWER, actor=SYSTEM),
    ):
        with pytest.raises(NotFound):
            action()


def test_keys_and_invitations_of_others_are_not_found(workspace, owner, project_owner):
    other = make_key(make_project("Other", organization=workspace.organization))
    with pytest.raises(NotFound):
        actions.revoke_api_key(project_owner, key_id=other.key.pk, actor=SYSTEM)
    with pytest.raises(NotFound):
        actions.revoke_api_key(owner, key_id=other.key.pk, actor=SYSTEM)
    foreign = Invitation.objects.create(organization=make_organization("X"), email="x@example.com", role=Role.OWNER)
    with pytest.raises(NotFound):
        actions.withdraw_invitation(owner, invitation_id=foreign.pk, actor=SYSTEM)


def test_project_role_and_back(workspace, project_owner):
    actions.set_project_role(project_owner, user_id=workspace.bob.pk, role=Role.ADMIN, actor=SYSTEM)
    assert workspace.bob.project_memberships.get().role == Role.ADMIN
    actions.set_project_role(project_owner, user_id=workspace.bob.pk, role=None, actor=SYSTEM)
    assert not workspace.bob.project_memberships.exists()
    with pytest.raises(Conflict):
        actions.set_project_role(project_owner, user_id=workspace.alice.pk, role=Role.VIEWER, actor=SYSTEM)


def test_nobody_grants_more_than_they_have(workspace):
    admin = ProjectScope(workspace.project.pk, Role.ADMIN)
    with pytest.raises(Forbidden):
        actions.set_project_role(admin, user_id=workspace.bob.pk, role=Role.OWNER, actor=SYSTEM)


def test_member_is_added_once(workspace, owner):
    added = actions.add_member(owner, email="CHARLIE@example.com ", role=Role.MEMBER, actor=SYSTEM)
    assert isinstance(added, Membership)
    with pytest.raises(Conflict):
        actions.add_member(owner, email="charlie@example.com", role=Role.VIEWER, actor=SYSTEM)


def test_invitation_waits_for_the_sign_up(workspace, owner):
    options = {"email": "Dora@Example.com", "role": Role.NONE, "actor": SYSTEM}
    actions.add_member(owner, **options, project_id=workspace.project.pk, project_role=Role.MEMBER)
    with pytest.raises(Conflict):
        actions.add_member(owner, **options)
    dora = User.objects.create_user("dora@example.com")
    actions.complete_sign_up(dora, actor=SYSTEM)
    assert dora.memberships.get().role == Role.NONE
    assert dora.project_memberships.get().role == Role.MEMBER
    assert not Invitation.objects.exists()
    assert not dora.is_staff


def test_invitation_to_a_project_of_others_is_refused(workspace, owner):
    with pytest.raises(Invalid):
        actions.add_member(
            owner,
            email="x@example.com",
            role=Role.NONE,
            project_id=Project.objects.get(name="Secret").pk,
            project_role=Role.VIEWER,
            actor=SYSTEM,
        )


def test_first_sign_up_gets_a_place_to_work(db):
    first = User.objects.create_user("first@example.com")
    actions.complete_sign_up(first, actor=SYSTEM)
    assert first.memberships.get().role == Role.OWNER
    assert Project.objects.get().organization_id == first.memberships.get().organization_id
    assert first.is_staff
    second = User.objects.create_user("second@example.com")
    actions.complete_sign_up(second, actor=SYSTEM)
    assert not second.memberships.exists()
    assert Project.objects.count() == 1


def test_project_names_are_unique_in_an_organization(workspace, owner, project_owner):
    with pytest.raises(Conflict):
        actions.create_project(owner, name="Chatbot", actor=SYSTEM)
    actions.delete_project(project_owner, actor=SYSTEM)
    actions.create_project(owner, name="Chatbot", actor=SYSTEM)


def test_deletion_is_announced(workspace, project_owner, django_capture_on_commit_callbacks):
    heard: list[str] = []

    def listen(project_id: str, **_: object) -> None:
        heard.append(project_id)

    signals.project_deleted.connect(listen)
    with django_capture_on_commit_callbacks(execute=True):
        actions.delete_project(project_owner, actor=SYSTEM)
    signals.project_deleted.disconnect(listen)
    assert heard == [workspace.project.pk]


def test_given_pairs_are_checked(project_owner):
    given = KeyPair("pk-lf-mine", "sk-lf-mine")
    actions.create_api_key(project_owner, pair=given, actor=SYSTEM)
    with pytest.raises(Conflict):
        actions.create_api_key(project_owner, pair=given, actor=SYSTEM)
    with pytest.raises(Invalid):
        actions.create_api_key(project_owner, pair=KeyPair("mine", "sk-lf-mine"), actor=SYSTEM)
    with pytest.raises(Invalid):
        actions.create_api_key(project_owner, expires_at=timezone.now() - timedelta(days=1), actor=SYSTEM)


def test_audit_entry_says_who_what_and_where(workspace, project_owner):
    actor = Actor.person(workspace.alice, ip="203.0.113.9")
    actions.update_project(project_owner, name="Better", actor=actor)
    entry = AuditLog.objects.get()
    assert (entry.actor_id, entry.actor, entry.ip) == (workspace.alice.pk, "alice@example.com", "203.0.113.9")
    assert (entry.action, entry.object_type, entry.object_id) == ("project.update", "project", workspace.project.pk)
    assert (entry.organization_id, entry.project_id) == (workspace.organization.pk, workspace.project.pk)
    assert (entry.before["name"], entry.after["name"]) == ("Chatbot", "Better")


def test_audit_log_is_append_only(workspace, project_owner):
    actions.update_project(project_owner, name="Better", actor=SYSTEM)
    entry = AuditLog.objects.get()
    for change in (entry.save, entry.delete, AuditLog.objects.all().delete):
        with pytest.raises(TypeError):
            change()
    with pytest.raises(TypeError):
        AuditLog.objects.update(actor="somebody else")


def test_audit_log_holds_no_secret(project_owner):
    new = actions.create_api_key(project_owner, actor=SYSTEM)
    entry = AuditLog.objects.get()
    assert new.secret_key not in str(entry.after)
    actions.revoke_api_key(project_owner, key_id=new.key.pk, actor=SYSTEM)
    actions.revoke_api_key(project_owner, key_id=new.key.pk, actor=SYSTEM)
    assert AuditLog.objects.filter(action="api_key.revoke").count() == 1
    assert ApiKey.objects.get().revoked_at is not None


def test_two_spellings_are_one_person(db):
    user = make_user("Mixed@Example.COM")
    assert user.email == "mixed@example.com"
    assert User.objects.get_by_natural_key(" MIXED@example.com") == user
