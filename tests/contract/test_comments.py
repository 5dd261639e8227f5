"""Comments: on what, by whom, and whose they are."""

from __future__ import annotations

import base64
from unittest.mock import ANY

import pytest

from accounts.access import scope_for_task
from accounts.models import AuditLog
from accounts.roles import Role
from tests.contract.harness import Case, check
from tests.factories import make_user
from tests.tracing.api_data import fill, make_api
from tracing import actions
from tracing.models.comments import Comment
from tracing.queries import comments

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

INVALID = "Invalid request data"
NOT_FOUND = {"message": "Comment not found within authorized project", "error": "LangfuseNotFoundError"}
NO_MEMBER = {
    "message": "The author of a comment must be a member of the project's organization.",
    "error": "InvalidRequestError",
}
NO_TYPE = 'Invalid option: expected one of "TRACE"|"OBSERVATION"|"SESSION"|"PROMPT"'


@pytest.fixture
def api():
    api = make_api()
    fill(api.project_id)
    return api


def remark(api, **changes):
    return {"projectId": api.project_id, "objectType": "TRACE", "objectId": "t1", "content": "Look", **changes}


def write(api, **changes):
    response = api("POST", "comments", remark(api, **changes))
    assert response.status_code == 200, response.content
    return response.json()["id"]


def nothing_there(kind, object_id):
    message = f"Reference object, {kind}: {object_id} not found. Skipping comment creation."
    return {"message": message, "error": "LangfuseNotFoundError"}


def wrong_type(expected, received, *path):
    message = f"Invalid input: expected {expected}, received {received}"
    return {"expected": expected, "code": "invalid_type", "path": list(path), "message": message}


def length(code, key, limit):
    bound, word, sign = {"too_small": ("minimum", "small", ">="), "too_big": ("maximum", "big", "<=")}[code]
    message = f"Too {word}: expected string to have {sign}{limit} characters"
    return {"origin": "string", "code": code, bound: limit, "inclusive": True, "path": [key], "message": message}


def option(key):
    values = ["TRACE", "OBSERVATION", "SESSION", "PROMPT"]
    return {"code": "invalid_value", "values": values, "path": [key], "message": NO_TYPE}


@pytest.mark.parametrize(
    ("kind", "object_id", "content", "kept"),
    [
        ("TRACE", "t1", "Look", "Look"),
        ("TRACE", "folder/t 3%", "odd ids", "odd ids"),
        ("OBSERVATION", "gen", "  trimmed\n", "trimmed"),
        ("SESSION", "s1", "x" * 5000, "x" * 5000),
        ("SESSION", "s1", " " + "x" * 5000 + " ", "x" * 5000),
        ("TRACE", "t1", "Grüße 🎉\n<b>", "Grüße 🎉\n<b>"),
    ],
    ids=["trace", "odd id", "observation", "longest", "longest when trimmed", "any text"],
)
def test_a_comment_is_written_and_read_back(api, kind, object_id, content, kept):
    comment_id = write(api, objectType=kind, objectId=object_id, content=content, authorUserId=None)
    expected = {
        "id": comment_id,
        "projectId": api.project_id,
        "createdAt": ANY,
        "updatedAt": ANY,
        "objectType": kind,
        "objectId": object_id,
        "content": kept,
        "authorUserId": None,
    }
    check(api, Case("one", f"GET comments/{comment_id}", 200, expected))
    meta = {"page": 1, "limit": 50, "totalItems": 1, "totalPages": 1}
    check(api, Case("list", "GET comments", 200, {"data": [expected], "meta": meta}))


@pytest.mark.parametrize(
    ("changes", "issues"),
    [
        ({"content": ""}, [length("too_small", "content", 1)]),
        ({"content": " \n\t "}, [length("too_small", "content", 1)]),
        ({"content": "x" * 5001}, [length("too_big", "content", 5000)]),
        ({"content": None}, [wrong_type("string", "null", "content")]),
        ({"content": {"a": 1}}, [wrong_type("string", "object", "content")]),
        ({"objectType": "trace"}, [option("objectType")]),
        ({"objectType": "SCORE"}, [option("objectType")]),
        ({"objectType": None}, [option("objectType")]),
        ({"objectId": ""}, [length("too_small", "objectId", 1)]),
        ({"objectId": 5}, [wrong_type("string", "number", "objectId")]),
        ({"objectId": "t" * 801}, [length("too_big", "objectId", 800)]),
        ({"projectId": None}, [wrong_type("string", "null", "projectId")]),
        ({"authorUserId": 5}, [wrong_type("string", "number", "authorUserId")]),
        (
            {"author": "me", "at": 1},
            [
                {
                    "code": "unrecognized_keys",
                    "keys": ["at", "author"],
                    "path": [],
                    "message": 'Unrecognized keys: "at", "author"',
                }
            ],
        ),
        (
            {"objectType": "X", "content": 1},
            [option("objectType"), wrong_type("string", "number", "content")],
        ),
    ],
)
def test_what_is_no_comment(api, changes, issues):
    body = remark(api, **changes)
    check(api, Case("", "POST comments", 400, {"message": INVALID, "error": issues}, body=body))
    assert not Comment.objects.exists()


@pytest.mark.parametrize(("body", "received"), [([], "array"), ("x", "string"), (5, "number")])
def test_what_is_no_object(api, body, received):
    answer = {"message": INVALID, "error": [wrong_type("object", received)]}
    check(api, Case("", "POST comments", 400, answer, body=body))


@pytest.mark.parametrize(
    ("kind", "object_id"),
    [
        ("TRACE", "nope"),
        ("TRACE", "gen"),
        ("OBSERVATION", "t1"),
        ("SESSION", "t1"),
        ("PROMPT", "p"),
    ],
)
def test_nothing_to_comment_on(api, kind, object_id):
    body = remark(api, objectType=kind, objectId=object_id)
    check(api, Case("", "POST comments", 404, nothing_there(kind, object_id), body=body))


def test_another_app_can_say_what_exists(api, monkeypatch):
    monkeypatch.setattr(comments, "_existence", dict(comments._existence))
    comments.set_existence("PROMPT", lambda scope, prompt: (scope.project_id, prompt) == (api.project_id, "p"))
    write(api, objectType="PROMPT", objectId="p")
    body = remark(api, objectType="PROMPT", objectId="q")
    check(api, Case("", "POST comments", 404, nothing_there("PROMPT", "q"), body=body))


def test_an_object_of_another_project_is_none(api):
    stranger = make_api(name="Other")
    for body in (remark(api), remark(stranger)):
        check(stranger, Case("", "POST comments", 404, nothing_there("TRACE", "t1"), body=body))


def test_the_project_is_that_of_the_key(api):
    stranger = make_api(name="Other")
    comment_id = write(api, projectId=stranger.project_id)
    assert api.get(f"comments/{comment_id}")["projectId"] == api.project_id
    assert stranger.get("comments")["data"] == []


def test_the_author_is_a_member(api):
    alice = make_user(organization=api.organization, role=Role.VIEWER)
    comment_id = write(api, authorUserId=alice.pk)
    assert api.get(f"comments/{comment_id}")["authorUserId"] == alice.pk
    for nobody in ("nope", make_user().pk, make_user(organization=make_api(name="Other").organization).pk):
        check(api, Case("", "POST comments", 400, NO_MEMBER, body=remark(api, authorUserId=nobody)))
    alice.delete()
    assert api.get(f"comments/{comment_id}")["authorUserId"] is None


def test_the_list_is_newest_first_and_can_be_narrowed(api):
    alice = make_user(organization=api.organization)
    on_trace, by_alice = write(api), write(api, authorUserId=alice.pk)
    on_span, on_other = write(api, objectType="OBSERVATION", objectId="gen"), write(api, objectId="t2")
    assert api.ids("comments") == [on_other, on_span, by_alice, on_trace]
    assert api.ids("comments", objectType="TRACE") == [on_other, by_alice, on_trace]
    assert api.ids("comments", objectType="TRACE", objectId="t1") == [by_alice, on_trace]
    assert api.ids("comments", objectType="OBSERVATION", objectId="t1") == []
    assert api.ids("comments", authorUserId=alice.pk) == [by_alice]
    assert api.ids("comments", objectType="", objectId="", authorUserId="") == [on_other, on_span, by_alice, on_trace]
    page = api.get("comments", limit=3, page=2)
    assert [item["id"] for item in page["data"]] == [on_trace]
    assert page["meta"] == {"page": 2, "limit": 3, "totalItems": 4, "totalPages": 2}
    assert api.ids("comments", page=3, limit=3) == []


BOUND = {"origin": "number", "inclusive": True}
UNKNOWN = {"code": "unrecognized_keys", "path": [], "message": 'Unrecognized key: "user"', "keys": ["user"]}


@pytest.mark.parametrize(
    ("query", "issues"),
    [
        ("user=x", [UNKNOWN]),
        ("objectId=t1", [{"code": "custom", "path": ["objectId"], "message": "objectId needs objectType"}]),
        ("objectId=t1&objectType=", [{"code": "custom", "path": ["objectId"], "message": "objectId needs objectType"}]),
        ("objectType=SCORE", [option("objectType") | {"values": ANY}]),
        ("objectType=SCORE&objectId=x", [option("objectType") | {"values": ANY}]),
        ("limit=0", [{"code": "too_small", "path": ["limit"], "message": ANY, "minimum": 1, **BOUND}]),
        ("limit=101", [{"code": "too_big", "path": ["limit"], "message": ANY, "maximum": 100, **BOUND}]),
        ("page=0", [{"code": "too_small", "path": ["page"], "message": ANY, "minimum": 1, **BOUND}]),
    ],
)
def test_parameters_that_cannot_be(api, query, issues):
    check(api, Case("", f"GET comments?{query}", 400, {"message": INVALID, "error": issues}))


def test_one_that_is_not_there(api):
    comment_id = write(api)
    check(api, Case("", "GET comments/nope", 404, NOT_FOUND))
    check(make_api(name="Other"), Case("", f"GET comments/{comment_id}", 404, NOT_FOUND))


@pytest.mark.parametrize("request_line", ["PUT comments", "DELETE comments/x", "PATCH comments/x", "POST comments/x"])
def test_verbs_that_are_none(api, request_line):
    answer = {"message": "Method not allowed", "error": "MethodNotAllowedError"}
    check(api, Case("", request_line, 405, answer))


def test_comments_go_with_their_traces(api):
    write(api), write(api, objectType="OBSERVATION", objectId="gen")
    kept = [
        write(api, objectId="t2"),
        write(api, objectType="OBSERVATION", objectId="event"),
        write(api, objectType="SESSION", objectId="s1"),
    ]
    api("DELETE", "traces/t1")
    assert sorted(api.ids("comments")) == sorted(kept)


def test_comments_go_with_their_project(api):
    other = make_api(name="Other")
    fill(other.project_id)
    write(api)
    kept = write(other)
    actions.delete_project_data(scope_for_task(api.project_id))
    assert [comment.pk for comment in Comment.objects.all()] == [kept]


def test_a_comment_is_in_the_audit_log_with_the_key_that_wrote_it(api):
    entry = AuditLog.objects.get(object_id=write(api))
    public_key = base64.b64decode(api.authorization.split()[1]).decode().partition(":")[0]
    assert (entry.action, entry.project_id, entry.actor) == ("comment.create", api.project_id, public_key)
