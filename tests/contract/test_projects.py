"""Projects and their API keys, for keys of projects and of organizations."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest.mock import ANY

import pytest

from accounts.actions import NewKey
from accounts.keys import KeyPair
from accounts.models import ApiKey, AuditLog, Project
from tests.contract.harness import Case, check
from tests.factories import basic, make_key, make_organization, make_project
from tests.tracing.api_data import Api

pytestmark = pytest.mark.django_db

NEEDS_ORGANIZATION = {"message": "Invalid API key. Organization-scoped API key required for this operation."}
NO_PROJECT = {"message": "Project not found or you don't have access to it"}
BAD_NAME = {"message": "Invalid project name. Should be between 3 and 60 characters."}
BAD_METADATA = {"message": "Invalid metadata. Should be a valid JSON object."}
BAD_RETENTION = {"message": "Invalid retention value. Must be 0 (for ever) or at least 3 days."}
BAD_EXPIRY = {"message": "Invalid expiresAt. Should be an ISO 8601 time with a zone."}
EXPIRED = {"message": "The expiry must be in the future."}
NUL = {"message": "Text must not hold the character U+0000."}
NOT_AN_OBJECT = {"message": "Invalid request body: expected a JSON object"}
PAIR = {"publicKey": "pk-lf-own", "secretKey": "sk-lf-own"}


@pytest.fixture
def project():
    project = make_project("Chatbot", metadata={"team": "a"})
    Project.objects.filter(pk=project.pk).update(id="p1")
    return Project.objects.get(pk="p1")


@pytest.fixture
def organization(project):
    return project.organization


@pytest.fixture
def api(project) -> Api:
    """Requests with the key of the project."""
    return Api(project.id, basic(make_key(project)))


@pytest.fixture
def manager(organization) -> Api:
    """Requests with the key of the organization."""
    return Api("", basic(make_key(organization)))


def shown(name: str, **values: object) -> dict[str, object]:
    return {"id": ANY, "name": name, "organization": {"id": ANY, "name": "Acme"}, "metadata": {}, **values}


OF_PROJECTS = [
    Case("the project of the key", "GET projects", 200, {"data": [shown("Chatbot", id="p1", metadata={"team": "a"})]}),
    Case("unknown parameters", "GET projects?x=1", 200, {"data": [shown("Chatbot", metadata={"team": "a"})]}),
    Case("create", "POST projects", 403, NEEDS_ORGANIZATION, body={"name": "New one", "retention": 0}),
    Case("update", "PUT projects/p1", 403, NEEDS_ORGANIZATION, body={"name": "New one"}),
    Case("delete", "DELETE projects/p1", 403, NEEDS_ORGANIZATION),
    Case("list keys", "GET projects/p1/apiKeys", 403, NEEDS_ORGANIZATION),
    Case("create key", "POST projects/p1/apiKeys", 403, NEEDS_ORGANIZATION),
    Case("delete key", "DELETE projects/p1/apiKeys/k", 403, NEEDS_ORGANIZATION),
    Case("wrong verb", "PATCH projects", 405, {"message": "Method not allowed"}),
    Case("wrong verb of one", "GET projects/p1", 405, {"message": "Method not allowed"}),
]


@pytest.mark.parametrize("case", OF_PROJECTS, ids=str)
def test_key_of_a_project(api, case):
    check(api, case)


OF_ORGANIZATIONS = [
    Case("no project to tell", "GET projects", 403, {"message": "Invalid API key. Are you using an organization key?"}),
    Case("create", "POST projects", 201, shown("New one"), body={"name": "New one", "retention": 0}),
    Case(
        "create with all",
        "POST projects",
        201,
        shown("数据 ünï", metadata={"a": [1]}, retentionDays=30),
        body={"name": " 数据 ünï ", "metadata": {"a": [1]}, "retention": 30, "unknown": 1},
    ),
    Case("null metadata", "POST projects", 201, shown("New"), body={"name": "New", "metadata": None, "retention": 0}),
    Case("no name", "POST projects", 400, BAD_NAME, body={"retention": 0}),
    Case("short name", "POST projects", 400, BAD_NAME, body={"name": "ab", "retention": 0}),
    Case("blank name", "POST projects", 400, BAD_NAME, body={"name": "     ", "retention": 0}),
    Case("long name", "POST projects", 400, BAD_NAME, body={"name": "x" * 61, "retention": 0}),
    Case("name is a number", "POST projects", 400, BAD_NAME, body={"name": 12345, "retention": 0}),
    Case("NUL in the name", "POST projects", 400, NUL, body={"name": "a\0bc", "retention": 0}),
    Case("metadata is text", "POST projects", 400, BAD_METADATA, body={"name": "New", "metadata": "x", "retention": 0}),
    Case(
        "metadata is a list", "POST projects", 400, BAD_METADATA, body={"name": "New", "metadata": [], "retention": 0}
    ),
    Case("no retention", "POST projects", 400, BAD_RETENTION, body={"name": "New"}),
    Case("retention too short", "POST projects", 400, BAD_RETENTION, body={"name": "New", "retention": 2}),
    Case("negative retention", "POST projects", 400, BAD_RETENTION, body={"name": "New", "retention": -1}),
    Case("retention is text", "POST projects", 400, BAD_RETENTION, body={"name": "New", "retention": "7"}),
    Case("retention is true", "POST projects", 400, BAD_RETENTION, body={"name": "New", "retention": True}),
    Case("huge retention", "POST projects", 400, BAD_RETENTION, body={"name": "New", "retention": 10**12}),
    Case("not JSON", "POST projects", 400, {"message": "Invalid JSON"}, body=b"{"),
    Case("not an object", "POST projects", 400, NOT_AN_OBJECT, body=[1]),
    Case(
        "taken name",
        "POST projects",
        409,
        {"message": "A project with this name already exists in your organization"},
        body={"name": "Chatbot", "retention": 0},
    ),
    Case("rename", "PUT projects/p1", 200, shown("Other", metadata={"team": "a"}), body={"name": "Other"}),
    Case("same name", "PUT projects/p1", 200, shown("Chatbot", metadata={"team": "a"}), body={"name": "Chatbot"}),
    Case("new metadata", "PUT projects/p1", 200, shown("Other"), body={"name": "Other", "metadata": {}}),
    Case(
        "new retention",
        "PUT projects/p1",
        200,
        shown("Other", metadata={"team": "a"}, retentionDays=3),
        body={"name": "Other", "retention": 3},
    ),
    Case("update without a name", "PUT projects/p1", 400, BAD_NAME, body={"retention": 0}),
    Case("update with bad retention", "PUT projects/p1", 400, BAD_RETENTION, body={"name": "Abc", "retention": 1}),
    Case("update an unknown one", "PUT projects/nope", 404, NO_PROJECT, body={"name": "Other"}),
    Case(
        "delete",
        "DELETE projects/p1",
        202,
        {"success": True, "message": "Project deletion is being processed asynchronously"},
    ),
    Case("delete an unknown one", "DELETE projects/nope", 404, NO_PROJECT),
    Case("wrong verb", "POST projects/p1", 405, {"message": "Method not allowed"}),
]


@pytest.mark.parametrize("case", OF_ORGANIZATIONS, ids=str)
def test_key_of_an_organization(manager, case):
    check(manager, case)


def key_shown(**values: object) -> dict[str, object]:
    fields = {"id": ANY, "createdAt": ANY, "expiresAt": None, "note": None, "name": None, "publicKey": ANY}
    return {**fields, "displaySecretKey": ANY, "secretKey": ANY, **values}


IN_A_YEAR = "2999-01-01T00:00:00.000Z"
ONE_OF_BOTH = {"message": "Both publicKey and secretKey must be given when one of them is."}
PREFIXES = {"message": "A public key starts with pk-lf- and a secret key with sk-lf-."}
KEYS = [
    Case("empty body", "POST projects/p1/apiKeys", 201, key_shown(), body={}),
    Case("no body", "POST projects/p1/apiKeys", 201, key_shown()),
    Case("note", "POST projects/p1/apiKeys", 201, key_shown(note="ci", name="ci"), body={"note": "ci"}),
    Case("name", "POST projects/p1/apiKeys", 201, key_shown(note="ci", name="ci"), body={"name": "ci", "note": None}),
    Case(
        "pair of one's own",
        "POST projects/p1/apiKeys",
        201,
        key_shown(**PAIR, displaySecretKey="sk-lf-...-own"),
        body=PAIR,
    ),
    Case("expiry", "POST projects/p1/apiKeys", 201, key_shown(expiresAt=IN_A_YEAR), body={"expiresAt": IN_A_YEAR}),
    Case(
        "expiry with an offset",
        "POST projects/p1/apiKeys",
        201,
        key_shown(expiresAt=IN_A_YEAR),
        body={"expiresAt": "2999-01-01T02:00:00+02:00"},
    ),
    Case(
        "note and name",
        "POST projects/p1/apiKeys",
        400,
        {"message": "Give either name or note, not both."},
        body={"note": "a", "name": "b"},
    ),
    Case(
        "long note",
        "POST projects/p1/apiKeys",
        400,
        {"message": "Invalid note. Should be text of at most 200 characters."},
        body={"note": "x" * 201},
    ),
    Case("half a pair", "POST projects/p1/apiKeys", 400, ONE_OF_BOTH, body={"publicKey": "pk-lf-1"}),
    Case("other half", "POST projects/p1/apiKeys", 400, ONE_OF_BOTH, body={"secretKey": "sk-lf-1"}),
    Case("wrong prefix", "POST projects/p1/apiKeys", 400, PREFIXES, body={**PAIR, "publicKey": "own"}),
    Case("wrong prefix of the secret", "POST projects/p1/apiKeys", 400, PREFIXES, body={**PAIR, "secretKey": "own"}),
    Case("expired", "POST projects/p1/apiKeys", 400, EXPIRED, body={"expiresAt": "2020-01-01T00:00:00Z"}),
    Case("no zone", "POST projects/p1/apiKeys", 400, BAD_EXPIRY, body={"expiresAt": "2999-01-01T00:00:00"}),
    Case("no time", "POST projects/p1/apiKeys", 400, BAD_EXPIRY, body={"expiresAt": "soon"}),
    Case("impossible day", "POST projects/p1/apiKeys", 400, BAD_EXPIRY, body={"expiresAt": "2999-02-30T00:00:00Z"}),
    Case(
        "after the last year",
        "POST projects/p1/apiKeys",
        400,
        BAD_EXPIRY,
        body={"expiresAt": "9999-12-31T23:59:59-12:00"},
    ),
    Case(
        "a pair that could not be sent",
        "POST projects/p1/apiKeys",
        400,
        {"message": "A public key has no colon: that is where its secret begins when both are sent."},
        body={"publicKey": "pk-lf-a:b", "secretKey": "sk-lf-own"},
    ),
    Case("time is a number", "POST projects/p1/apiKeys", 400, BAD_EXPIRY, body={"expiresAt": 4102444800}),
    Case("not an object", "POST projects/p1/apiKeys", 400, NOT_AN_OBJECT, body="text"),
    Case("key of an unknown project", "POST projects/nope/apiKeys", 404, NO_PROJECT, body={}),
    Case("keys of an unknown project", "GET projects/nope/apiKeys", 404, NO_PROJECT),
    Case("unknown key", "DELETE projects/p1/apiKeys/nope", 404, {"message": "API key not found"}),
    Case("unknown key, unknown project", "DELETE projects/nope/apiKeys/nope", 404, NO_PROJECT),
]


@pytest.mark.parametrize("case", KEYS, ids=str)
def test_api_keys(manager, case):
    check(manager, case)


def test_life_of_a_key(manager):
    made = check(manager, Case("", "POST projects/p1/apiKeys", 201, key_shown(note="x", name="x"), body={"name": "x"}))
    own = Api("p1", basic(NewKey(ApiKey(public_key=made["publicKey"]), made["secretKey"])))
    assert own.get("projects")["data"][0]["id"] == "p1"
    listed = [key for key in manager.get("projects/p1/apiKeys")["apiKeys"] if key["id"] == made["id"]]
    assert listed == [
        {
            "id": made["id"],
            "createdAt": made["createdAt"],
            "expiresAt": None,
            "lastUsedAt": ANY,
            "note": "x",
            "name": "x",
            "publicKey": made["publicKey"],
            "displaySecretKey": f"sk-lf-...{made['secretKey'][-4:]}",
        }
    ]
    assert made["secretKey"] not in str(listed)
    check(manager, Case("", f"DELETE projects/p1/apiKeys/{made['id']}", 200, {"success": True}))
    assert own("GET", "projects").status_code == 401
    check(manager, Case("", f"DELETE projects/p1/apiKeys/{made['id']}", 404, {"message": "API key not found"}))
    assert made["id"] not in [key["id"] for key in manager.get("projects/p1/apiKeys")["apiKeys"]]


def test_existing_pair_is_a_conflict_in_any_project(manager, organization):
    other = make_project("Other", organization=organization)
    check(manager, Case("", "POST projects/p1/apiKeys", 201, key_shown(**PAIR), body=PAIR))
    taken = {"message": "An API key with this public key already exists."}
    for of in ("p1", other.id):
        check(manager, Case("", f"POST projects/{of}/apiKeys", 409, taken, body=PAIR))


def test_another_organization_is_as_if_it_were_not_there(project):
    stranger = Api("", basic(make_key(make_organization("Elsewhere"))))
    key = ApiKey.objects.create(project=project, public_key="pk-lf-x", secret_hash="", display_secret="")
    for case in (
        Case("", "PUT projects/p1", 404, NO_PROJECT, body={"name": "Mine now"}),
        Case("", "DELETE projects/p1", 404, NO_PROJECT),
        Case("", "GET projects/p1/apiKeys", 404, NO_PROJECT),
        Case("", "POST projects/p1/apiKeys", 404, NO_PROJECT, body={}),
        Case("", f"DELETE projects/p1/apiKeys/{key.id}", 404, NO_PROJECT),
    ):
        check(stranger, case)
    project.refresh_from_db()
    assert (project.name, project.deleted_at, list(project.api_keys.values_list("revoked_at", flat=True))) == (
        "Chatbot",
        None,
        [None],
    )
    # The same name elsewhere is no conflict, and tells nothing.
    made = stranger("POST", "projects", {"name": "Chatbot", "retention": 0})
    assert made.json()["organization"]["name"] == "Elsewhere"


def test_deleted_project_is_gone_at_once(manager, api):
    assert manager("DELETE", "projects/p1").status_code == 202
    assert api("GET", "projects").status_code == 401
    check(manager, Case("", "PUT projects/p1", 404, NO_PROJECT, body={"name": "Again"}))
    assert manager("POST", "projects", {"name": "Chatbot", "retention": 0}).status_code == 201


def test_changes_are_in_the_audit_log_with_the_key_that_made_them(manager, organization):
    key = ApiKey.objects.get(organization=organization)
    before = datetime.now(UTC)
    manager("POST", "projects", {"name": "New one", "retention": 0})
    manager("PUT", "projects/p1", {"name": "Renamed"})
    manager("POST", "projects/p1/apiKeys", {})
    manager("DELETE", "projects/p1")
    entries = AuditLog.objects.filter(at__gte=before).order_by("id").values_list("actor", "action")
    assert list(entries) == [
        (key.public_key, action) for action in ("project.create", "project.update", "api_key.create", "project.delete")
    ]


def test_the_longest_public_key_fits_into_the_audit_log(project, organization):
    """SQLite takes more than a column holds, PostgreSQL fails."""
    pair = KeyPair("pk-lf-".ljust(255, "x"), "sk-lf-own")
    longest = Api("", basic(make_key(organization, pair=pair)))
    assert longest("PUT", "projects/p1", {"name": "Renamed"}).status_code == 200
    entry = AuditLog.objects.get(action="project.update")
    entry.full_clean(exclude=["before", "after", "actor_id", "ip"])
    assert entry.actor == pair.public_key[:254]
