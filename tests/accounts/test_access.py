from __future__ import annotations

import base64
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from accounts import access, actions, key_usage, keys
from accounts.access import AccessLevel, OrganizationScope, ProjectScope
from accounts.audit import SYSTEM
from accounts.key_cache import KeyCache
from accounts.models import ApiKey, Membership, ProjectMembership
from accounts.roles import Role
from config.errors import Forbidden, NotFound, Unauthenticated
from tests.factories import basic, make_key, make_project, make_user

INVALID = "Invalid credentials. Confirm that you've configured the correct host."
ROOT = Path(__file__).resolve().parents[2]


def refused(header: str | None) -> str:
    with pytest.raises(Unauthenticated) as error:
        access.authenticate(header)
    return error.value.message


def pair(public_key: str, secret_key: str) -> str:
    return "Basic " + base64.b64encode(f"{public_key}:{secret_key}".encode()).decode()


def test_project_key_opens_its_project(project):
    key = make_key(project)
    opened = access.authenticate(basic(key))
    assert opened.level is AccessLevel.PROJECT
    assert opened.scope == ProjectScope(project.pk, Role.ADMIN, public_key=key.key.public_key)
    assert (opened.organization_id, opened.key_id) == (project.organization_id, key.key.pk)
    assert access.project_key(basic(key)) == opened.scope


def test_scheme_in_any_case(project):
    assert access.authenticate(basic(make_key(project)).replace("Basic", "basic")).scope is not None


@pytest.mark.parametrize("header", [None, ""])
def test_no_header(db, header):
    assert refused(header) == "No authorization header"


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Basic " + base64.b64encode(b"pk\x00:x").decode(),
        pair("pk-lf-unknown", "sk-lf-unknown"),
        "Bearer pk-lf-unknown",
        "Bearer ",
        "Token abc",
        "Basic " + "A" * 100_000,
        "Basic \udcff",
    ],
)
def test_nonsense_is_invalid(db, header):
    assert refused(header) == INVALID
    assert refused(header) == INVALID


def test_halves_of_two_keys_do_not_fit(project):
    one, other = make_key(project), make_key(project)
    assert refused(pair(one.key.public_key, other.secret_key)) == INVALID


def test_keys_of_two_projects_open_only_their_own(project):
    other = make_project("Other", organization=project.organization)
    assert access.project_key(basic(make_key(project))).project_id == project.pk
    assert access.project_key(basic(make_key(other))).project_id == other.pk


def test_organization_key_opens_no_project(organization):
    header = basic(make_key(organization))
    opened = access.authenticate(header)
    assert (opened.level, opened.scope, opened.organization_id) == (AccessLevel.ORGANIZATION, None, organization.pk)
    with pytest.raises(Forbidden, match=r"Project ID not found for API token\. Are you using an organization key\?"):
        access.project_key(header)


def test_public_key_alone_may_only_hand_in_scores(project):
    header = f"Bearer {make_key(project).key.public_key}"
    opened = access.authenticate(header)
    assert opened.level is AccessLevel.SCORES
    assert opened.scope is not None
    assert (opened.scope.project_id, opened.scope.role) == (project.pk, Role.NONE)
    with pytest.raises(Forbidden, match="Access denied - insufficient permissions for this endpoint"):
        access.project_key(header)


def test_public_key_of_an_organization_opens_nothing(organization):
    assert refused(f"Bearer {make_key(organization).key.public_key}") == INVALID


def test_revoked_key_is_refused_at_once(project):
    new = make_key(project)
    access.authenticate(basic(new))
    actions.revoke_api_key(ProjectScope(project.pk, Role.OWNER), key_id=new.key.pk, actor=SYSTEM)
    assert refused(basic(new)) == INVALID


def test_new_key_works_although_it_was_refused_before(project):
    given = keys.new_key_pair()
    assert refused(pair(*given)) == INVALID
    make_key(project, pair=given)
    assert access.authenticate(pair(*given)).scope is not None


def test_expired_key_is_refused(project):
    new = make_key(project, expires_at=timezone.now() + timedelta(hours=1))
    access.authenticate(basic(new))
    ApiKey.objects.filter(pk=new.key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    access.forget_keys()
    assert refused(basic(new)) == INVALID


def test_deleted_project_takes_its_keys_along(project):
    new = make_key(project)
    access.authenticate(basic(new))
    actions.delete_project(ProjectScope(project.pk, Role.OWNER), actor=SYSTEM)
    assert refused(basic(new)) == INVALID


def test_second_look_asks_no_database(project, django_assert_num_queries):
    header = basic(make_key(project))
    access.authenticate(header)
    with django_assert_num_queries(0):
        access.authenticate(header)


def test_refusal_is_remembered_too(db, django_assert_num_queries):
    header = pair("pk-lf-x", "sk-lf-x")
    refused(header)
    with django_assert_num_queries(0):
        refused(header)


def test_cache_forgets_values_looked_up_before_a_clear():
    cache: KeyCache[int] = KeyCache(seconds=60, size=10)
    before = cache.generation
    cache.clear()
    cache.put(b"a", 1, generation=before)
    assert cache.get(b"a") is None


def test_cache_is_bounded_and_short():
    cache: KeyCache[int] = KeyCache(seconds=60, size=2)
    for number in range(5):
        cache.put(bytes([number]), number, generation=cache.generation)
    assert [cache.get(bytes([number])) for number in range(5)] == [None, None, None, 3, 4]
    cache.put(b"gone", 1, generation=cache.generation, until=-1)
    assert cache.get(b"gone") is None


def test_last_use_is_written_once_a_minute(project):
    new = make_key(project)
    access.authenticate(basic(new))
    key_usage.write()
    new.key.refresh_from_db()
    first = new.key.last_used_at
    assert first is not None
    access.authenticate(basic(new))
    key_usage.write()
    new.key.refresh_from_db()
    assert new.key.last_used_at == first
    key_usage._written[new.key.pk] -= timedelta(minutes=2)
    key_usage.write()
    new.key.refresh_from_db()
    assert new.key.last_used_at > first


def test_secret_is_stored_only_as_hash(project):
    new = make_key(project)
    stored = "|".join(str(value) for value in ApiKey.objects.filter(pk=new.key.pk).values_list()[0])
    assert new.secret_key not in stored
    assert new.key.secret_hash == keys.hash_secret(new.secret_key)
    assert new.key.display_secret == f"{new.secret_key[:6]}...{new.secret_key[-4:]}"


@pytest.mark.parametrize(
    ("in_organization", "in_project", "expected"),
    [
        (Role.OWNER, None, Role.OWNER),
        (Role.OWNER, Role.NONE, Role.OWNER),
        (Role.ADMIN, Role.VIEWER, Role.VIEWER),
        (Role.MEMBER, None, Role.MEMBER),
        (Role.VIEWER, Role.ADMIN, Role.ADMIN),
        (Role.VIEWER, Role.NONE, None),
        (Role.NONE, None, None),
        (Role.NONE, Role.MEMBER, Role.MEMBER),
        (None, None, None),
        (None, Role.MEMBER, None),
    ],
)
def test_role_in_a_project(project, in_organization, in_project, expected):
    user = make_user()
    if in_organization is not None:
        Membership.objects.create(organization=project.organization, user=user, role=in_organization)
    if in_project is not None:
        ProjectMembership.objects.create(project=project, user=user, role=in_project)
    from accounts.queries import projects_of

    assert list(projects_of(user)) == ([project] if expected else [])
    if expected is None:
        with pytest.raises(NotFound):
            access.scope_for_user(user, project.pk)
    else:
        assert access.scope_for_user(user, project.pk) == ProjectScope(project.pk, expected, user_id=user.pk)


def test_nobody_opens_nothing(project):
    with pytest.raises(NotFound):
        access.scope_for_user(AnonymousUser(), project.pk)


def test_scope_requires_roles():
    scope = ProjectScope("p", Role.MEMBER)
    scope.require(Role.VIEWER)
    with pytest.raises(Forbidden):
        scope.require(Role.ADMIN)
    with pytest.raises(Forbidden):
        OrganizationScope("o", Role.ADMIN).require(Role.OWNER)


def test_nothing_else_makes_scopes():
    makers = {
        str(path.relative_to(ROOT))
        for folder in ("accounts", "config", "tracing", "prompts", "evals")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\bProjectScope\(", path.read_text(encoding="utf-8").replace("class ProjectScope(", ""))
    }
    # The first start works for the system before anybody can sign in.
    assert makers <= {"accounts/access.py", "accounts/bootstrap.py"}
