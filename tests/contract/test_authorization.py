"""Every route of the public API × every kind of credentials, and never a trace of another project.

The routes are read from the site map: one that is added later is held to the same rules, or fails here.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts import access
from accounts.access import ProjectScope
from accounts.actions import NewKey, revoke_api_key
from accounts.audit import SYSTEM
from accounts.models import ApiKey
from accounts.roles import Role
from config.api.views import OpenView, OrganizationView, PostedElsewhere
from tests.factories import basic, make_key, make_organization, make_project
from tests.tracing.api_data import Api, fill, make_api
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tracing.ingest import drain

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

PREFIX = "/api/public/"
#: A value for each part of an address. A route with a new kind of part needs one here.
PARTS = {
    "trace_id": "t1",
    "observation_id": "gen",
    "session_id": "s1",
    "score_id": "n",
    "media_id": "m",
    "token": "x",
    "project_id": "p",
    "key_id": "k",
    "model_id": "m",
    "config_id": "c",
    "comment_id": "c",
    "queue_id": "q",
    "item_id": "i",
    "connection_id": "c",
    "name": "p",
    "version": "1",
    "run": "r",
    "evaluator_id": "e",
    "rule_id": "r",
    "dashboard_id": "a",
    "placement_id": "b",
    "widget_id": "c",
}
#: Answered before Django's own machinery; all of them take POST only.
POSTED = ("ingestion", "otel/v1/traces", "otel/v1/metrics")
#: Where the public key alone may hand something in.
FOR_PUBLIC_KEYS = {("POST", "scores"), ("POST", "ingestion")}
#: Open to anybody, and why: monitors, documentation, and addresses that are signed themselves.
OPEN = {"health", "ready", "openapi.json", "media/content/x"}
#: Where errors have a code beside their message.
STRUCTURED = ("v2/evaluat", "unstable/evaluat")
NO_HEADER = "No authorization header"
INVALID = "Invalid credentials. Confirm that you've configured the correct host."


def _patterns(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern) and address.startswith(PREFIX[1:]):
            yield address.removeprefix(PREFIX[1:]), pattern.callback


def _routes() -> Iterator[tuple[str, str, type]]:
    for address, callback in _patterns(get_resolver().url_patterns):
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: PARTS[found[1]], address)
        view = getattr(callback, "cls", None)
        if path in OPEN:
            assert view is None or issubclass(view, OpenView), path
        elif issubclass(view, PostedElsewhere):
            assert path in POSTED, path
            yield "POST", path, view
        else:
            assert not issubclass(view, OpenView), f"{path} is open to everybody"
            for verb in ("get", "post", "put", "patch", "delete"):
                if hasattr(view, verb):
                    yield verb.upper(), path, view


ROUTES = list(_routes())
IDS = [f"{verb} {path}" for verb, path, _ in ROUTES]


def refused(path: str, status: int, message: str) -> tuple[int, dict[str, str]]:
    """The answer to a key that does not fit. Only clients of `ingestion` have always been told its kind beside it."""
    names = {401: "UnauthorizedError", 403: "ForbiddenError"}
    if path.startswith(STRUCTURED):
        return status, {"message": message, "code": {401: "authentication_failed", 403: "access_denied"}[status]}
    return status, {"message": message, **({"error": names[status]} if path == "ingestion" else {})}


def is_for_organizations(verb: str, path: str, view: type) -> bool:
    return issubclass(view, OrganizationView) or (verb, path) == ("POST", "projects")


def send(verb: str, path: str, authorization: str | None, body: bytes = b"{}") -> tuple[int, Any]:
    headers = {} if authorization is None else {"Authorization": authorization}
    response = Client().generic(verb, PREFIX + path, body, content_type="application/json", headers=headers)
    assert response["Content-Type"] == "application/json"
    return response.status_code, response.json()


def pair(public: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{public}:{secret}".encode()).decode()


@pytest.fixture
def key() -> NewKey:
    return make_key(make_project())


def revoked() -> str:
    key = make_key(make_project())
    revoke_api_key(ProjectScope(key.key.project_id, Role.OWNER), key_id=key.key.id, actor=SYSTEM)
    return basic(key)


def expired() -> str:
    key = make_key(make_project())
    ApiKey.objects.filter(pk=key.key.pk).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    return basic(key)


def of_deleted_project() -> str:
    return basic(make_key(make_project(deleted_at=datetime.now(UTC))))


def wrong_secret() -> str:
    return pair(make_key(make_project()).key.public_key, "sk-lf-wrong")


def secret_of_another() -> str:
    one, other = make_key(make_project("One")), make_key(make_project("Other"))
    return pair(one.key.public_key, other.secret_key)


WRONG = {
    "unknown key": lambda: pair("pk-lf-nobody", "sk-lf-nobody"),
    "wrong secret": wrong_secret,
    "secret of another key": secret_of_another,
    "revoked key": revoked,
    "expired key": expired,
    "key of a deleted project": of_deleted_project,
    "public key without a secret": lambda: pair(make_key(make_project()).key.public_key, ""),
    "secret as bearer": lambda: f"Bearer {make_key(make_project()).secret_key}",
    "organization's public key as bearer": lambda: f"Bearer {make_key(make_organization()).key.public_key}",
    "other scheme": lambda: "Digest x",
    "no scheme": lambda: make_key(make_project()).secret_key,
    "empty": lambda: "Basic ",
    "not base64": lambda: "Basic ☃".encode().decode("latin-1"),
}


@pytest.mark.parametrize(("verb", "path", "view"), ROUTES, ids=IDS)
def test_no_key(verb, path, view):
    assert send(verb, path, None) == refused(path, 401, NO_HEADER)


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_key_is_refused_everywhere(wrong):
    authorization = WRONG[wrong]()
    answers = {route: send(verb, path, authorization) for route, (verb, path, _) in zip(IDS, ROUTES, strict=True)}
    assert answers == {route: refused(path, 401, INVALID) for route, (_, path, _) in zip(IDS, ROUTES, strict=True)}


@pytest.mark.parametrize(("verb", "path", "view"), ROUTES, ids=IDS)
def test_public_key_only(key, verb, path, view):
    status, body = send(verb, path, f"Bearer {key.key.public_key}", b"[")
    if (verb, path) in FOR_PUBLIC_KEYS:
        assert status == 400  # the key is good, the body is not
    elif is_for_organizations(verb, path, view):
        assert (status, body) == (403, {"message": access.ORGANIZATION_KEY_NEEDED})
    else:
        assert (status, body) == refused("" if path == "ingestion" else path, 403, access.PUBLIC_KEY_ONLY)


@pytest.mark.parametrize(("verb", "path", "view"), ROUTES, ids=IDS)
def test_key_of_an_organization(verb, path, view):
    organization = make_organization()
    make_project(organization=organization)
    status, body = send(verb, path, basic(make_key(organization)))
    if is_for_organizations(verb, path, view):
        assert status in (400, 404)  # it opens, to nothing that exists
    elif path == "projects":
        assert (status, body) == (403, {"message": "Invalid API key. Are you using an organization key?"})
    else:
        assert (status, body) == refused(path, 403, access.ORGANIZATION_KEY)


@pytest.mark.parametrize(("verb", "path", "view"), ROUTES, ids=IDS)
def test_key_of_a_project_opens_all_but_organizations(key, verb, path, view):
    status, body = send(verb, path, basic(key))
    if is_for_organizations(verb, path, view):
        assert (status, body) == (403, {"message": access.ORGANIZATION_KEY_NEEDED})
    else:
        assert status not in (401, 403, 405)
        assert status < 500


# --- Another project's key ---------------------------------------------------------------------------------------
SECRET = "TOPSECRET"


@pytest.fixture
def theirs() -> Api:
    """A project whose every text has the mark."""
    api = make_api()
    fill(api.project_id, SECRET)
    return api


def everything(api: Api) -> dict[str, Any]:
    """All that the project's own key reads."""
    return {
        path: (status, body)
        for verb, path, view in ROUTES
        if verb == "GET" and not is_for_organizations(verb, path, view)
        for status, body in [send(verb, path, api.authorization)]
    }


@pytest.mark.parametrize(("verb", "path", "view"), ROUTES, ids=IDS)
def test_key_of_another_project_sees_nothing(theirs, key, verb, path, view):
    status, body = send(verb, path, basic(key))
    assert SECRET not in str(body)
    assert theirs.project_id not in str(body)
    if verb == "GET" and path.partition("?")[0].endswith(tuple(f"/{part}" for part in PARTS.values())):
        assert status in (403, 404), "a thing of another project is as if it were not there"


def test_mark_is_seen_by_its_own_key(theirs):
    """Or the test above would prove nothing."""
    seen = [path for path, (_, body) in everything(theirs).items() if SECRET in str(body)]
    assert {"traces", "traces/t1", "observations", "v2/observations", "sessions/s1", "scores", "v3/scores"} <= set(seen)


@pytest.mark.usefixtures("broker", "own_inbox")
def test_writes_with_the_ids_of_another_project_leave_it_as_it_was(theirs, key):
    before = everything(theirs)
    stranger = Api("", basic(key))
    stranger("DELETE", "traces/t1")
    stranger("DELETE", "traces", {"traceIds": ["t1", "t2", "folder/t 3%"]})
    stranger("DELETE", "scores/n")
    stranger("POST", "scores", {"id": "n", "traceId": "t1", "name": "quality", "value": 0})
    for kind, body in INTRUSIONS:
        event = {"id": f"e-{kind}", "type": kind, "timestamp": "2026-03-02T10:00:00Z", "body": body}
        stranger("POST", "ingestion", {"batch": [event]})
    drain.drain()
    assert everything(theirs) == before
    assert [score["value"] for score in stranger.get("v3/scores")["data"]] == [0]  # they were stored, elsewhere


INTRUSIONS = [
    ("trace-create", {"id": "t1", "name": "mine", "userId": "mine"}),
    ("span-update", {"id": "root", "traceId": "t1", "output": "mine"}),
    ("generation-create", {"id": "gen", "traceId": "t1", "model": "mine"}),
]
