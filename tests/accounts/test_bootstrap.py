from __future__ import annotations

import json
import stat
from io import StringIO
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.utils import timezone

from accounts import access, bootstrap, keys
from accounts.models import ApiKey, AuditLog, Membership, Organization, Project, User
from accounts.roles import Role
from tests.factories import make_user

INIT = {
    "ORG_ID": "acme",
    "ORG_NAME": "Acme",
    "PROJECT_ID": "chatbot",
    "PROJECT_NAME": "Chatbot",
    "PROJECT_RETENTION": "30",
    "PROJECT_PUBLIC_KEY": "pk-lf-1",
    "PROJECT_SECRET_KEY": "sk-lf-1",
    "USER_EMAIL": "Root@Example.com",
    "USER_NAME": "Root",
    "USER_PASSWORD": "given password",
}


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def give(monkeypatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"LANGFUSE_INIT_{name}", value)


def everything() -> list[object]:
    models = (User, Organization, Project, Membership, ApiKey, AuditLog)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_first_start_makes_what_is_needed(db):
    first = bootstrap.ensure_first_account()
    assert first is not None
    user = User.objects.get()
    assert user.check_password(first.password)
    assert (user.is_staff, user.memberships.get().role) == (True, Role.OWNER)
    key = ApiKey.objects.get()
    assert (key.public_key, key.project_id) == (first.public_key, first.project_id)
    assert key.secret_hash == keys.hash_secret(first.secret_key)


def test_second_start_changes_nothing(db):
    bootstrap.ensure_first_account()
    before = everything()
    assert bootstrap.ensure_first_account() is None
    assert everything() == before


def test_facts_are_kept_for_the_owner_of_the_files_only(db, data_dir):
    first = bootstrap.ensure_first_account()
    path = data_dir / "secrets" / "first-start.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert bootstrap.FirstStart(**json.loads(path.read_text())) == first


def test_what_is_printed_can_be_pasted(db):
    first = bootstrap.ensure_first_account()
    text = first.render()
    assert first.password in text
    for name, value in {
        "PUBLIC_KEY": first.public_key,
        "SECRET_KEY": first.secret_key,
        "HOST": first.url,
        "BASE_URL": first.url,
    }.items():
        assert f'export LANGFUSE_{name}="{value}"\n' in text


def test_welcome_ends_with_the_first_sign_in(db):
    assert bootstrap.welcome_text() == ""
    first = bootstrap.ensure_first_account()
    assert first.password in bootstrap.welcome_text()
    User.objects.update(last_login=timezone.now())
    assert bootstrap.welcome_text() == ""


def test_instance_with_people_gets_no_account(db):
    make_user("somebody@example.com")
    assert bootstrap.ensure_first_account() is None
    assert User.objects.count() == 1


def test_named_by_the_environment(db, monkeypatch):
    give(monkeypatch, **INIT)
    first = bootstrap.ensure_first_account()
    assert (first.project_id, first.email, first.password) == ("chatbot", "root@example.com", "")
    project = Project.objects.get()
    assert (project.pk, project.name, project.retention_days) == ("chatbot", "Chatbot", 30)
    assert (project.organization_id, project.organization.name) == ("acme", "Acme")
    user = User.objects.get()
    assert user.check_password("given password")
    assert user.memberships.get().role == Role.OWNER
    assert access.project_key("Basic cGstbGYtMTpzay1sZi0x").project_id == "chatbot"
    before = everything()
    assert bootstrap.ensure_first_account() is None
    assert everything() == before


def test_existing_password_and_names_stay(db, monkeypatch):
    give(monkeypatch, **INIT)
    bootstrap.ensure_first_account()
    give(monkeypatch, USER_PASSWORD="changed in the file", PROJECT_NAME="Other", ORG_NAME="Other")
    bootstrap.ensure_first_account()
    assert User.objects.get().check_password("given password")
    assert (Project.objects.get().name, Organization.objects.get().name) == ("Chatbot", "Acme")


def test_a_name_that_another_project_has_is_explained_and_a_renamed_project_stays(db, monkeypatch):
    give(monkeypatch, **INIT)
    bootstrap.ensure_first_account()
    give(monkeypatch, PROJECT_ID="second")
    with pytest.raises(ImproperlyConfigured, match="LANGFUSE_INIT_PROJECT_NAME: Acme has another project"):
        bootstrap.ensure_first_account()
    give(monkeypatch, PROJECT_NAME="Second")
    bootstrap.ensure_first_account()
    give(monkeypatch, PROJECT_NAME="Chatbot")
    assert bootstrap.ensure_first_account() is None
    assert list(Project.objects.order_by("name").values_list("name", flat=True)) == ["Chatbot", "Second"]


def test_without_a_user_somebody_can_still_sign_in(db, monkeypatch):
    give(monkeypatch, **{name: value for name, value in INIT.items() if not name.startswith("USER")})
    first = bootstrap.ensure_first_account()
    assert User.objects.get(email=first.email).check_password(first.password)
    assert Membership.objects.get().role == Role.OWNER
    assert first.public_key == "pk-lf-1"


def test_organization_alone(db, monkeypatch):
    give(monkeypatch, ORG_ID="acme")
    first = bootstrap.ensure_first_account()
    assert (first.project_id, first.public_key) == ("", "")
    assert not Project.objects.exists()


def test_named_later_is_added(db, monkeypatch):
    bootstrap.ensure_first_account()
    give(monkeypatch, **INIT)
    assert bootstrap.ensure_first_account() is None
    assert Project.objects.filter(pk="chatbot").exists()
    assert not User.objects.get(email="root@example.com").is_superuser


def test_revoked_key_stays_revoked(db, monkeypatch):
    give(monkeypatch, **INIT)
    bootstrap.ensure_first_account()
    ApiKey.objects.update(revoked_at=timezone.now())
    bootstrap.ensure_first_account()
    assert ApiKey.objects.get().revoked_at is not None


def test_without_organization_the_rest_is_ignored(db, monkeypatch):
    give(monkeypatch, **{**INIT, "ORG_ID": ""})
    first = bootstrap.ensure_first_account()
    assert first.email == bootstrap.FIRST_EMAIL
    assert not Project.objects.filter(pk="chatbot").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"PROJECT_SECRET_KEY": ""},
        {"PROJECT_PUBLIC_KEY": "mine"},
        {"USER_PASSWORD": ""},
        {"USER_EMAIL": "nobody"},
        {"PROJECT_RETENTION": "long"},
    ],
)
def test_wrong_settings_say_so(db, monkeypatch, wrong):
    give(monkeypatch, **{**INIT, **wrong})
    with pytest.raises(ImproperlyConfigured, match="LANGFUSE_INIT_"):
        bootstrap.ensure_first_account()
    assert not Organization.objects.exists()


def test_command_prints_once(db):
    out = StringIO()
    call_command("bootstrap", stdout=out)
    assert "export LANGFUSE_PUBLIC_KEY" in out.getvalue()
    again = StringIO()
    call_command("bootstrap", stdout=again)
    assert again.getvalue() == ""
