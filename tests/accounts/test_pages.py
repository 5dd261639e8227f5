from __future__ import annotations

import re
from http import HTTPStatus as Status

import pytest
from django.test import Client
from django.urls import reverse

from accounts import access, actions
from accounts.access import OrganizationScope, ProjectScope
from accounts.audit import SYSTEM
from accounts.models import ApiKey, Invitation, Membership, Organization, Project, ProjectMembership, User
from accounts.roles import Role
from config.errors import Unauthenticated
from tests.factories import PASSWORD, Workspace, basic, make_key

PROJECT_READS = {"project-settings": Role.VIEWER, "project-members": Role.VIEWER, "project-api-keys": Role.MEMBER}
ORGANIZATION_READS = {
    "organization-settings": Role.VIEWER,
    "organization-members": Role.VIEWER,
    "organization-api-keys": Role.ADMIN,
}
#: address of a form -> the page it stands on, where a GET of that address leads
PAGE_OF_FORM = {
    "project-rename": "project-settings",
    "project-delete": "project-settings",
    "project-api-key-create": "project-api-keys",
    "project-api-key-revoke": "project-api-keys",
    "project-member-role": "project-members",
    "organization-rename": "organization-settings",
    "project-create": "organization-settings",
    "organization-api-key-create": "organization-api-keys",
    "organization-api-key-revoke": "organization-api-keys",
    "member-add": "organization-members",
    "member-role": "organization-members",
    "member-remove": "organization-members",
    "invitation-withdraw": "organization-members",
}


def url(name: str, workspace: Workspace) -> str:
    project, organization = workspace.project.pk, workspace.organization.pk
    arguments = {
        "project-api-key-revoke": [project, "no-such-key"],
        "project-member-role": [project, workspace.alice.pk],
        "organization-api-key-revoke": [organization, "no-such-key"],
        "member-role": [organization, workspace.alice.pk],
        "member-remove": [organization, workspace.alice.pk],
        "invitation-withdraw": [organization, 1],
    }
    of_organization = name.startswith(("organization", "project-create", "member"))
    return reverse(f"accounts:{name}", args=arguments.get(name, [organization if of_organization else project]))


@pytest.mark.parametrize("name", [*PROJECT_READS, *ORGANIZATION_READS])
def test_reading_by_role(name, workspace, alice, bob, charlie):
    address = url(name, workspace)
    anonymous = Client().get(address)
    assert anonymous.status_code == Status.FOUND
    assert anonymous["Location"].startswith("/accounts/login/?next=")
    assert charlie.get(address).status_code == Status.NOT_FOUND
    is_open = Role.VIEWER.allows({**PROJECT_READS, **ORGANIZATION_READS}[name])
    assert bob.get(address).status_code == (Status.OK if is_open else Status.FORBIDDEN)
    assert alice.get(address).status_code == Status.OK
    assert alice.post(address).status_code == Status.METHOD_NOT_ALLOWED


@pytest.mark.parametrize("name", PAGE_OF_FORM)
def test_writing_by_role(name, workspace, alice, bob, charlie):
    address = url(name, workspace)
    assert Client().post(address).status_code == Status.FOUND
    assert charlie.post(address).status_code == Status.NOT_FOUND
    assert bob.post(address).status_code == Status.FORBIDDEN
    assert alice.get(address)["Location"] == url(PAGE_OF_FORM[name], workspace)
    assert alice.put(address).status_code == Status.METHOD_NOT_ALLOWED
    workspace.project.refresh_from_db()
    assert workspace.project.name == "Chatbot"
    assert workspace.project.deleted_at is None


def test_posting_needs_the_token_of_the_form(workspace):
    client = Client(enforce_csrf_checks=True)
    client.force_login(workspace.alice, "allauth.account.auth_backends.AuthenticationBackend")
    assert client.post(url("project-rename", workspace), {"name": "Taken over"}).status_code == Status.FORBIDDEN


def test_key_is_shown_once_and_works(workspace, alice):
    address = url("project-api-key-create", workspace)
    shown = alice.post(address, {"note": "staging", "expires": "30"})
    assert shown.status_code == Status.OK
    assert "no-store" in shown["Cache-Control"]
    assert f'href="{url("project-api-keys", workspace)}" aria-current="page"' in shown.content.decode()
    secret = re.search(r"sk-lf-[0-9a-f-]{36}", shown.content.decode()).group()
    key = ApiKey.objects.get()
    assert (key.note, key.created_by) == ("staging", workspace.alice)
    assert key.expires_at is not None
    page = alice.get(url("project-api-keys", workspace)).content.decode()
    assert secret not in page
    assert key.public_key in page
    assert key.display_secret in page
    assert access.project_key(basic(actions.NewKey(key, secret))).project_id == workspace.project.pk


def test_key_form_refuses_nonsense(workspace, alice):
    assert alice.post(url("project-api-key-create", workspace), {"expires": "soon"}).status_code == 422
    assert not ApiKey.objects.exists()


def test_key_is_revoked(workspace, alice):
    new = make_key(workspace.project)
    access.authenticate(basic(new))
    answer = alice.post(reverse("accounts:project-api-key-revoke", args=[workspace.project.pk, new.key.pk]))
    assert answer.status_code == Status.SEE_OTHER
    assert new.key.public_key not in alice.get(answer["Location"], follow=True).content.decode().split("<h2>Keys")[1]
    with pytest.raises(Unauthenticated):
        access.authenticate(basic(new))


def test_key_of_another_project_is_not_found(workspace, alice):
    foreign = make_key(Project.objects.get(name="Secret"))
    address = reverse("accounts:project-api-key-revoke", args=[workspace.project.pk, foreign.key.pk])
    assert alice.post(address).status_code == Status.NOT_FOUND
    assert foreign.key.public_key not in alice.get(url("project-api-keys", workspace)).content.decode()


def test_project_is_renamed(workspace, alice):
    address = url("project-rename", workspace)
    assert alice.post(address, {"name": "Better"}).status_code == Status.SEE_OTHER
    workspace.project.refresh_from_db()
    assert workspace.project.name == "Better"
    too_short = alice.post(address, {"name": "x"})
    assert too_short.status_code == 422
    assert "at least 3 characters" in too_short.content.decode()


def test_name_taken_by_another_project(workspace, alice):
    Project.objects.create(name="Taken", organization=workspace.organization)
    answer = alice.post(url("project-rename", workspace), {"name": "Taken"})
    assert answer.status_code == 422
    assert "already exists" in answer.content.decode()


def test_project_is_deleted_by_typing_its_name(workspace, alice):
    address = url("project-delete", workspace)
    assert alice.post(address, {"confirmation": "Chatbo"}).status_code == 422
    assert alice.post(address, {"confirmation": "Chatbot"}).status_code == Status.SEE_OTHER
    assert alice.get(url("project-settings", workspace)).status_code == Status.NOT_FOUND


def test_organization_and_project_are_made(workspace, charlie):
    answer = charlie.post(reverse("accounts:organization-create"), {"name": "New team"})
    assert answer.status_code == Status.SEE_OTHER
    made = Organization.objects.get(name="New team")
    assert answer["Location"] == reverse("accounts:organization-settings", args=[made.pk])
    answer = charlie.post(reverse("accounts:project-create", args=[made.pk]), {"project-name": "First"})
    assert answer.status_code == Status.SEE_OTHER
    assert made.projects.get().name == "First"
    assert charlie.post(reverse("accounts:organization-create"), {"name": ""}).status_code == 422


def test_address_of_a_new_organization_leads_to_the_list(workspace, alice):
    assert alice.get(reverse("accounts:organization-create"))["Location"] == reverse("accounts:organization-list")


def test_after_signing_in_a_form_leads_to_its_page(workspace):
    client = Client()
    sent_away = client.post(url("project-rename", workspace), {"name": "Better"})
    workspace.alice.set_password(PASSWORD)
    workspace.alice.save()
    signed_in = client.post(sent_away["Location"], {"login": "alice@example.com", "password": PASSWORD}, follow=True)
    assert signed_in.redirect_chain[-1][0] == url("project-settings", workspace)
    assert signed_in.status_code == Status.OK


def test_member_is_added_promoted_removed(workspace, alice):
    added = alice.post(url("member-add", workspace), {"email": "charlie@example.com", "role": "MEMBER"})
    assert added.status_code == Status.SEE_OTHER
    membership = Membership.objects.get(organization=workspace.organization, user=workspace.charlie)
    arguments = [workspace.organization.pk, workspace.charlie.pk]
    promoted = alice.post(reverse("accounts:member-role", args=arguments), {"role": "ADMIN"})
    assert promoted.status_code == Status.SEE_OTHER
    membership.refresh_from_db()
    assert membership.role == Role.ADMIN
    assert alice.post(reverse("accounts:member-remove", args=arguments)).status_code == Status.SEE_OTHER
    assert not Membership.objects.filter(pk=membership.pk).exists()


def test_last_owner_cannot_step_down(workspace, alice):
    answer = alice.post(url("member-role", workspace), {"role": "VIEWER"})
    assert answer.status_code == 422
    assert "needs an owner" in answer.content.decode()
    assert alice.post(url("member-remove", workspace)).status_code == Status.CONFLICT


def test_role_out_of_thin_air_is_refused(workspace, alice):
    assert alice.post(url("member-role", workspace), {"role": "EMPEROR"}).status_code == 422


def test_invitation_is_listed_and_withdrawn(workspace, alice, bob):
    alice.post(url("member-add", workspace), {"email": "new@example.com", "role": "VIEWER"})
    assert "new@example.com" in alice.get(url("organization-members", workspace), follow=True).content.decode()
    assert "new@example.com" not in bob.get(url("organization-members", workspace)).content.decode()
    arguments = [workspace.organization.pk, Invitation.objects.get().pk]
    assert alice.post(reverse("accounts:invitation-withdraw", args=arguments)).status_code == Status.SEE_OTHER
    assert not Invitation.objects.exists()


def test_half_an_exception_is_refused(workspace, alice):
    data = {"email": "x@example.com", "role": "NONE", "project": workspace.project.pk}
    assert alice.post(url("member-add", workspace), data).status_code == 422


def test_role_in_one_project(workspace, alice):
    address = reverse("accounts:project-member-role", args=[workspace.project.pk, workspace.bob.pk])
    assert alice.post(address, {"role": "MEMBER"}).status_code == Status.SEE_OTHER
    assert ProjectMembership.objects.get().role == Role.MEMBER
    assert alice.post(address, {"role": "INHERIT"}).status_code == Status.SEE_OTHER
    assert not ProjectMembership.objects.exists()
    assert alice.post(address, {"role": "?"}).status_code == 422


def test_own_name(bob):
    address = reverse("accounts:user-settings")
    assert Client().get(address).status_code == Status.FOUND
    assert bob.post(address, {"name": "Bob <b>Bold</b>"}).status_code == Status.SEE_OTHER
    page = bob.get(address).content.decode()
    assert "Bob &lt;b&gt;Bold&lt;/b&gt;" in page
    assert "<b>Bold" not in page
    assert bob.post(address, {"name": "x" * 61}).status_code == 422


def test_list_of_organizations_shows_only_own(workspace, alice, charlie):
    address = reverse("accounts:organization-list")
    assert "Chatbot" in alice.get(address).content.decode()
    assert "Secret" not in alice.get(address).content.decode()
    assert "Chatbot" not in charlie.get(address).content.decode()


def test_viewer_is_shown_no_forms_of_others(workspace, bob):
    for name in ("project-settings", "project-members", "organization-settings", "organization-members"):
        page = bob.get(url(name, workspace)).content.decode()
        assert "/rename/" not in page
        assert "/delete/" not in page
        assert "/role/" not in page


def test_pages_hold_nothing_inline(workspace, alice):
    make_key(workspace.project)
    workspace.alice.set_password(PASSWORD)
    workspace.alice.save()
    alice.force_login(workspace.alice, "allauth.account.auth_backends.AuthenticationBackend")
    addresses = [url(name, workspace) for name in (*PROJECT_READS, *ORGANIZATION_READS)]
    addresses += [
        reverse("accounts:user-settings"),
        reverse("accounts:organization-list"),
        "/accounts/password/change/",
    ]
    for address in addresses:
        page = alice.get(address).content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)", page), address
        assert len(re.findall(r"<h1", page)) == 1, address


@pytest.mark.parametrize(
    "path", ["login", "signup", "password/reset", "password/reset/done", "password/reset/key/done"]
)
def test_signed_out_pages(db, path):
    page = Client().get(f"/accounts/{path}/")
    assert page.status_code == Status.OK
    assert not re.search(r"<style|\sstyle=|\son\w+=", page.content.decode())


def test_sign_up_sign_in_sign_out(workspace):
    client = Client()
    actions.add_member(
        OrganizationScope(workspace.organization.pk, Role.OWNER),
        email="dora@example.com",
        role=Role.VIEWER,
        actor=SYSTEM,
    )
    data = {"name": "Dora", "email": "Dora@Example.com", "password1": PASSWORD}
    assert client.post("/accounts/signup/", data).status_code == Status.FOUND
    dora = User.objects.get(email="dora@example.com")
    assert dora.name == "Dora"
    assert client.get(url("project-settings", workspace)).status_code == Status.OK
    client.post("/accounts/logout/")
    assert client.get(url("project-settings", workspace)).status_code == Status.FOUND
    wrong = client.post("/accounts/login/", {"login": "dora@example.com", "password": "wrong"})
    assert "not correct" in wrong.content.decode()
    right = client.post("/accounts/login/", {"login": "DORA@example.com", "password": PASSWORD})
    assert right.status_code == Status.FOUND


def test_password_is_changed(workspace):
    workspace.bob.set_password(PASSWORD)
    workspace.bob.save()
    client = Client()
    client.force_login(workspace.bob, "allauth.account.auth_backends.AuthenticationBackend")
    data = {"oldpassword": PASSWORD, "password1": "another long phrase", "password2": "another long phrase"}
    assert client.post("/accounts/password/change/", data).status_code == Status.FOUND
    workspace.bob.refresh_from_db()
    assert workspace.bob.check_password("another long phrase")


def test_password_is_reset_by_mail(workspace, mailoutbox):
    workspace.bob.set_password(PASSWORD)
    workspace.bob.save()
    client = Client()
    assert client.post("/accounts/password/reset/", {"email": "bob@example.com"}).status_code == Status.FOUND
    link = re.search(r"/accounts/password/reset/key/\S+", mailoutbox[0].body).group()
    form = client.get(link)
    data = {"password1": "another long phrase", "password2": "another long phrase"}
    assert client.post(form["Location"], data).status_code == Status.FOUND
    workspace.bob.refresh_from_db()
    assert workspace.bob.check_password("another long phrase")


def test_closed_sign_up(db, settings):
    settings.SIGN_UP_DISABLED = True
    data = {"email": "dora@example.com", "password1": PASSWORD}
    assert "Sign-up is closed" in Client().post("/accounts/signup/", data).content.decode()
    assert not User.objects.exists()
    assert "/accounts/signup/" not in Client().get("/accounts/login/").content.decode()


def test_weak_passwords_are_refused(db):
    for weak in ("short", "1234567890", "dora@example.com"):
        Client().post("/accounts/signup/", {"email": "dora@example.com", "password1": weak})
    assert not User.objects.exists()


def test_scope_names_the_person(workspace, bob):
    scope = access.scope_for_user(workspace.bob, workspace.project.pk)
    assert scope == ProjectScope(workspace.project.pk, Role.VIEWER, user_id=workspace.bob.pk)
