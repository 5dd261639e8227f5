"""Prompts: every rule of creating, fetching, labelling, listing and deleting them, and whose they are."""

from __future__ import annotations

from unittest.mock import ANY

import pytest
from django.test import Client

from accounts import signals
from accounts.models import AuditLog
from config import words
from prompts import composition
from prompts.models import Prompt
from tests.contract.harness import Case, check, check_documented
from tests.tracing.api_data import make_api

pytestmark = pytest.mark.django_db

NOT_FOUND = "LangfuseNotFoundError"
INVALID = "InvalidRequestError"


@pytest.fixture
def api():
    return make_api()


@pytest.fixture(autouse=True)
def broker_is_asked(monkeypatch):
    """Also where a test before has found none."""
    monkeypatch.setattr(words, "_silent_until", 0.0)


def create(api, name="movie-critic", prompt="Do you like {{movie}}?", status=201, **fields):
    response = api("POST", "v2/prompts", {"name": name, "prompt": prompt, **fields})
    assert response.status_code == status, response.content
    check_documented("POST", response)
    return response.json()


def fetch(api, name="movie-critic", status=200, **params):
    response = api("GET", f"v2/prompts/{name}", **params)
    assert response.status_code == status, response.content
    check_documented("GET", response)
    return response.json()


def label(api, number, *labels, name="movie-critic", status=200):
    response = api("PATCH", f"v2/prompts/{name}/versions/{number}", {"newLabels": list(labels)})
    assert response.status_code == status, response.content
    return response.json()


def delete(api, name="movie-critic", status=204, **params):
    response = api("DELETE", f"v2/prompts/{name}", **params)
    assert response.status_code == status, response.content
    check_documented("DELETE", response)
    return response


def embed(name, **which):
    [(kind, value)] = which.items()
    return f"@@@langfusePrompt:name={name}|{kind}={value}@@@"


# --- Creating and fetching -------------------------------------------------------------------------------
def test_a_prompt_is_answered_in_full(api):
    config = {"model": "gpt-4o", "temperature": 0.7}
    created = create(api, labels=["production"], config=config, tags=["films"], commitMessage="first")
    assert created == {
        "id": ANY,
        "createdAt": ANY,
        "updatedAt": ANY,
        "projectId": api.project_id,
        "createdBy": "API",
        "prompt": "Do you like {{movie}}?",
        "name": "movie-critic",
        "version": 1,
        "type": "text",
        "isActive": True,
        "config": config,
        "tags": ["films"],
        "labels": ["production", "latest"],
        "commitMessage": "first",
        "resolutionGraph": None,
    }
    assert fetch(api) == created
    assert fetch(api, version=1) == created
    assert fetch(api, label="latest") == created
    assert AuditLog.objects.filter(action="prompt.create", project_id=api.project_id).count() == 1


def test_versions_count_up_and_labels_move_with_them(api):
    create(api, labels=["production", "staging"])
    second = create(api, prompt="v2", labels=["staging"], config=None)
    assert (second["version"], second["config"], second["labels"]) == (2, {}, ["staging", "latest"])
    assert second["isActive"] is False
    assert fetch(api)["version"] == 1
    assert fetch(api)["labels"] == ["production"]
    assert fetch(api, label="staging")["version"] == fetch(api, label="latest")["version"] == 2
    assert create(api, prompt="v3", labels=["latest"])["labels"] == ["latest"]


def test_messages_and_placeholders(api):
    messages = [
        {"role": "system", "content": "You are {{who}}."},
        {"type": "chatmessage", "role": "user", "content": "你好"},
        {"type": "placeholder", "name": "history"},
    ]
    created = create(api, type="chat", prompt=messages)
    assert created["prompt"] == [messages[0], {"role": "user", "content": "你好"}, messages[2]]
    assert fetch(api, label="latest")["prompt"] == created["prompt"]


def test_tags_belong_to_the_name(api):
    create(api, tags=["a", "b"])
    assert create(api)["tags"] == ["a", "b"]
    assert create(api, tags=["c"])["tags"] == ["c"]
    assert fetch(api, version=1)["tags"] == ["c"]
    assert create(api, tags=[])["tags"] == []


def test_names_are_any_text_in_folders(api):
    for name in ("folder/sub/prompt", "ä 退款 %2F?#&=", "a.b", "folder/new"):
        create(api, name=name, labels=["production"])
    escaped = {
        "folder%2Fsub%2Fprompt": "folder/sub/prompt",
        "folder/sub/prompt": "folder/sub/prompt",
        "%C3%A4%20%E9%80%80%E6%AC%BE%20%252F%3F%23%26%3D": "ä 退款 %2F?#&=",
        "a.b": "a.b",
        "folder%2Fnew": "folder/new",
    }
    for written, name in escaped.items():
        assert fetch(api, written)["name"] == name
    assert label(api, 1, "x", name="folder%2Fsub%2Fprompt")["labels"] == ["production", "x", "latest"]


def test_what_is_missing_is_told_in_the_words_that_clients_know(api):
    create(api)
    for params, which in (
        ({}, "with label 'production'"),
        ({"label": "staging"}, "with label 'staging'"),
        ({"version": 7}, "with version 7"),
    ):
        answer = fetch(api, status=404, **params)
        assert answer == {"message": f"Prompt not found: 'movie-critic' {which}", "error": NOT_FOUND}
    assert fetch(api, "nobody", status=404)["message"] == "Prompt not found: 'nobody' with label 'production'"


GOOD = {"name": "p", "prompt": "x"}
CHAT = {"name": "p", "type": "chat"}
BAD_BODIES = {
    "no body": [],
    "no name": {"prompt": "x"},
    "empty name": {**GOOD, "name": ""},
    "blank name": {**GOOD, "name": "  "},
    "name that is no text": {**GOOD, "name": 7},
    "name with markup": {**GOOD, "name": "a<b>"},
    "name with a bar": {**GOOD, "name": "a|b"},
    "name with a line": {**GOOD, "name": "a\nb"},
    "name with NUL": {**GOOD, "name": "a\x00b"},
    "slash first": {**GOOD, "name": "/a"},
    "slash last": {**GOOD, "name": "a/"},
    "two slashes": {**GOOD, "name": "a//b"},
    "name of a page": {**GOOD, "name": "new"},
    "name like a version's address": {**GOOD, "name": "a/versions/3"},
    "long name": {**GOOD, "name": "x" * 256},
    "no prompt": {"name": "p"},
    "prompt of messages without a type": {**GOOD, "prompt": []},
    "unknown type": {**GOOD, "type": "image"},
    "chat of text": {**CHAT, "prompt": "x"},
    "chat of texts": {**CHAT, "prompt": ["x"]},
    "message without role": {**CHAT, "prompt": [{"content": "x"}]},
    "message without content": {**CHAT, "prompt": [{"role": "user"}]},
    "content that is no text": {**CHAT, "prompt": [{"role": "user", "content": [{"type": "text"}]}]},
    "placeholder without name": {**CHAT, "prompt": [{"type": "placeholder"}]},
    "placeholder with a blank": {**CHAT, "prompt": [{"type": "placeholder", "name": "a b"}]},
    "variable and placeholder of one name": {
        **CHAT,
        "prompt": [{"role": "user", "content": "{{ history }}"}, {"type": "placeholder", "name": "history"}],
    },
    "label in capitals": {**GOOD, "labels": ["Production"]},
    "long label": {**GOOD, "labels": ["x" * 37]},
    "label that is no text": {**GOOD, "labels": [7]},
    "labels that are no list": {**GOOD, "labels": "production"},
    "tags that are no list": {**GOOD, "tags": {}},
    "blank tag": {**GOOD, "tags": [" "]},
    "message of a commit that is no text": {**GOOD, "commitMessage": 7},
    "reference that is not understood": {**GOOD, "prompt": "@@@langfusePrompt:name=a@@@"},
    "reference in the other order": {**GOOD, "prompt": "@@@langfusePrompt:version=1|name=a@@@"},
    "reference to nothing": {**GOOD, "prompt": embed("nobody", version=1)},
    "reference to itself": {**GOOD, "prompt": embed("p", label="production")},
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_bodies_are_refused_and_nothing_is_made(api, name):
    response = api("POST", "v2/prompts", BAD_BODIES[name])
    assert response.status_code == 400
    check_documented("POST", response)
    assert response.json()["message"]
    assert not Prompt.objects.filter(project_id=api.project_id).exists()


def test_a_prompt_stays_of_its_type(api):
    create(api, "p")
    response = api("POST", "v2/prompts", {"name": "p", "type": "chat", "prompt": []})
    assert (response.status_code, response.json()["error"]) == (400, INVALID)


BAD_QUERIES = [
    {"version": 0},
    {"version": "x"},
    {"version": 1.5},
    {"version": 2**31},
    {"version": 1, "label": "production"},
    {"resolve": "maybe"},
]


@pytest.mark.parametrize("params", BAD_QUERIES, ids=str)
def test_bad_questions_are_refused(api, params):
    create(api, labels=["production"])
    fetch(api, status=400, **params)


# --- Labels ----------------------------------------------------------------------------------------------
def test_labels_move_and_those_that_stand_there_stay(api):
    create(api, labels=["production"])
    create(api, prompt="v2", labels=["staging"])
    moved = label(api, 2, "production", "canary")
    assert set(moved["labels"]) == {"staging", "production", "canary", "latest"}
    assert fetch(api, version=1)["labels"] == []
    assert fetch(api)["version"] == 2
    assert label(api, 1, "production", "production")["labels"] == ["production"]
    assert fetch(api)["version"] == 1


@pytest.mark.parametrize(
    ("number", "body", "status"),
    [
        (1, {"newLabels": ["latest"]}, 400),
        (1, {"newLabels": ["Up"]}, 400),
        (1, {"newLabels": [1]}, 400),
        (1, {"newLabels": "x"}, 400),
        (1, {}, 400),
        (1, [], 400),
        ("x", {"newLabels": ["a"]}, 400),
        (0, {"newLabels": ["a"]}, 400),
        (9, {"newLabels": ["a"]}, 404),
    ],
)
def test_bad_labels_are_refused(api, number, body, status):
    create(api, labels=["production"])
    response = api("PATCH", f"v2/prompts/movie-critic/versions/{number}", body)
    assert response.status_code == status
    check_documented("PATCH", response)
    assert fetch(api)["labels"] == ["production", "latest"]


def test_the_next_request_after_a_change_sees_it(api, broker):
    create(api, labels=["production"])
    assert [fetch(api)["version"] for _ in range(3)] == [1, 1, 1]
    create(api, prompt="v2")
    assert fetch(api, label="latest")["version"] == 2
    label(api, 2, "production")
    assert [fetch(api)["version"] for _ in range(3)] == [2, 2, 2]
    part = create(api, "part", "one", labels=["production"])
    create(api, "whole", f"the {embed('part', label='production')}", labels=["production"])
    assert fetch(api, "whole")["prompt"] == "the one"
    create(api, "part", "two", labels=["production"])
    assert fetch(api, "whole")["prompt"] == "the two"
    delete(api, "whole")
    fetch(api, "whole", status=404)
    assert part["version"] == 1


def test_what_is_kept_is_asked_of_memory_alone(api, broker, monkeypatch, django_assert_num_queries):
    created = create(api, labels=["production"])
    other = make_api()
    assert fetch(api) == fetch(api) == created
    with django_assert_num_queries(0):
        again = api("GET", "v2/prompts/movie-critic")
    assert again.json() == created
    assert again["Access-Control-Allow-Origin"] == "*"
    assert again["Content-Type"] == "application/json"
    # What another project keeps is its own, and a key that is no key opens nothing.
    fetch(other, status=404)
    assert Client().get("/api/public/v2/prompts/movie-critic").status_code == 401
    # Without a broker nothing is known to hold, and everything is read.
    monkeypatch.setattr(words, "current", lambda _thing: "")
    assert fetch(api) == created


# --- Composition -----------------------------------------------------------------------------------------
def test_embedded_prompts_are_put_in(api):
    leaf = create(api, "leaf", "leaf {{a}}", labels=["production"])
    middle = create(api, "folder/middle", f"<{embed('leaf', version=1)}>")
    text = f"{embed('folder/middle', label='latest')} and {embed('leaf', label='production')}"
    root = create(api, "root", text, labels=["production"])
    assert root["resolutionGraph"] is None
    assert root["prompt"] == text
    found = fetch(api, "root")
    assert found["prompt"] == "<leaf {{a}}> and leaf {{a}}"
    named = {one["id"]: {key: one[key] for key in ("id", "name", "version")} for one in (leaf, middle, root)}
    assert found["resolutionGraph"] == {
        "root": named[root["id"]],
        "dependencies": {root["id"]: [named[middle["id"]], named[leaf["id"]]], middle["id"]: [named[leaf["id"]]]},
    }
    raw = fetch(api, "root", resolve="false")
    assert (raw["prompt"], raw["resolutionGraph"]) == (text, None)
    chat = create(api, "chat", [{"role": "system", "content": embed("leaf", version=1)}], type="chat")
    assert fetch(api, "chat", version=chat["version"])["prompt"] == [{"role": "system", "content": "leaf {{a}}"}]


def test_what_cannot_be_put_in_is_told(api, monkeypatch):
    create(api, "chat", [], type="chat")
    create(api, "a", "plain", labels=["production"])
    create(api, "b", embed("a", label="production"), labels=["production"])
    # By a label that moves, a circle can be closed after both were written.
    create(api, "a", embed("b", version=1), status=400)
    create(api, "x", embed("chat", version=1), status=400)
    for number in range(1, composition.DEEPEST + 1):
        create(api, f"d{number}", embed(f"d{number - 1}", version=1) if number > 1 else "deep", status=201)
    create(api, "d6", embed("d5", version=1), status=201)
    create(api, "d7", embed("d6", version=1), status=400)
    monkeypatch.setattr(composition, "_LONGEST", 4)
    assert fetch(api, "b", status=409)["error"] == "LangfuseConflictError"


def test_what_others_embed_stays(api):
    create(api, "part", "one", labels=["production"])
    create(api, "part", "two")
    create(api, "by-number", embed("part", version=2))
    create(api, "by-label", embed("part", label="production"))
    assert "by-number" in delete(api, "part", status=400, version=2).json()["message"]
    delete(api, "part", status=400, label="production")
    delete(api, "part", status=400)
    delete(api, "by-number")
    delete(api, "part", version=2)
    delete(api, "by-label")
    delete(api, "part")
    assert not Prompt.objects.filter(project_id=api.project_id).exists()


# --- Deleting --------------------------------------------------------------------------------------------
def test_versions_are_deleted_by_number_label_or_all(api):
    for number in range(1, 5):
        create(api, prompt=f"v{number}", labels=["production"] if number == 2 else [])
    delete(api, version=4)
    assert fetch(api, label="latest")["version"] == 3
    delete(api, label="production")
    fetch(api, status=404)
    delete(api, label="latest")
    assert fetch(api, label="latest")["version"] == 1
    assert create(api)["version"] == 2
    delete(api, status=404, version=9)
    delete(api, status=404, label="nobody")
    delete(api, status=400, version=1, label="production")
    delete(api)
    delete(api, status=404)
    assert AuditLog.objects.filter(action="prompt.delete", project_id=api.project_id).count() == 4


def test_prompts_go_with_their_project(api):
    create(api)
    signals.project_deleted.send(None, project_id=api.project_id)
    fetch(api, status=404, label="latest")


# --- Lists -----------------------------------------------------------------------------------------------
@pytest.fixture
def several(api):
    create(api, "a", labels=["production"], tags=["x"], config={"model": "gpt-4o"})
    create(api, "a", labels=["staging"], config={"model": "o3", "top": 1})
    create(api, "b", [], type="chat", tags=["x", "y"])
    create(api, "c/d", labels=["production"])
    return api


def listed(api, **params):
    response = api("GET", "v2/prompts", **params)
    assert response.status_code == 200, response.content
    check_documented("GET", response)
    return {item["name"]: item["versions"] for item in response.json()["data"]}


def test_a_list_has_an_item_for_each_name(several):
    answer = several.get("v2/prompts", limit=2)
    assert answer["data"][0] == {
        "name": "a",
        "type": "text",
        "versions": [1, 2],
        "labels": ["production", "staging", "latest"],
        "tags": ["x"],
        "lastUpdatedAt": ANY,
        "lastConfig": {"model": "o3", "top": 1},
    }
    assert answer["meta"] == answer["pagination"] == {"page": 1, "limit": 2, "totalItems": 3, "totalPages": 2}
    assert list(listed(several, page=2, limit=2)) == ["c/d"]
    assert several.get("v2/prompts")["meta"]["limit"] == 10


NARROWED = [
    ({"name": "a"}, {"a": [1, 2]}),
    ({"name": "A"}, {}),
    ({"version": 2}, {"a": [2]}),
    ({"label": "production"}, {"a": [1], "c/d": [1]}),
    ({"label": "latest"}, {"a": [2], "b": [1], "c/d": [1]}),
    ({"tag": "y"}, {"b": [1]}),
    ({"tag": "x", "label": "production"}, {"a": [1]}),
    ({"fromUpdatedAt": "2000-01-01T00:00:00Z"}, {"a": [1, 2], "b": [1], "c/d": [1]}),
    ({"toUpdatedAt": "2000-01-01T00:00:00Z"}, {}),
    ({"filter": "[]", "name": "b"}, {"a": [1, 2], "b": [1], "c/d": [1]}),
]
FILTERED = [
    ("string", "name", "=", "a", {"a": [1, 2]}),
    ("string", "name", "contains", "D", {"c/d": [1]}),
    ("string", "name", "does not contain", "/", {"a": [1, 2], "b": [1]}),
    ("string", "name", "starts with", "C/", {"c/d": [1]}),
    ("string", "name", "ends with", "_d", {"c/d": [1]}),
    ("string", "name", "contains", "%", {"a": [1, 2], "b": [1], "c/d": [1]}),
    ("string", "name", "contains", "\\%", {}),
    ("string", "name", "is not empty", "", {"a": [1, 2], "b": [1], "c/d": [1]}),
    ("stringOptions", "type", "any of", ["chat"], {"b": [1]}),
    ("stringOptions", "type", "none of", ["chat"], {"a": [1, 2], "c/d": [1]}),
    ("number", "version", ">", 1, {"a": [2]}),
    ("datetime", "createdAt", ">", "2000-01-01T00:00:00Z", {"a": [1, 2], "b": [1], "c/d": [1]}),
    ("datetime", "updatedAt", "<", "2000-01-01T00:00:00Z", {}),
    ("arrayOptions", "labels", "any of", ["staging", "production"], {"a": [1, 2], "c/d": [1]}),
    ("arrayOptions", "labels", "none of", ["latest"], {"a": [1]}),
    ("arrayOptions", "tags", "all of", ["x", "y"], {"b": [1]}),
    ("stringObject", "config.model", "=", "o3", {"a": [2]}),
    ("stringObject", "config.model", "contains", "GPT", {"a": [1]}),
    ("stringObject", "config.model", "contains", "", {"a": [1, 2]}),
    ("stringObject", "config.top", "is set", "", {"a": [2]}),
    ("stringObject", "config.top", "is not set", "", {"a": [1], "b": [1], "c/d": [1]}),
]


def test_lists_are_narrowed(several):
    for params, names in NARROWED:
        assert listed(several, **params) == names, params
    for kind, column, operator, value, names in FILTERED:
        column, _, key = column.partition(".")
        item = {"type": kind, "column": column, "operator": operator, "value": value, **({"key": key} if key else {})}
        assert listed(several, filter=[item]) == names, item


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 101},
        {"limit": 0},
        {"page": 0},
        {"version": "x"},
        {"fromUpdatedAt": "yesterday"},
        {"filter": "{"},
        {"filter": [{"type": "string", "column": "nope", "operator": "=", "value": "x"}]},
        {"filter": [{"type": "number", "column": "name", "operator": "=", "value": 1}]},
    ],
    ids=str,
)
def test_bad_lists_are_refused(several, params):
    response = several("GET", "v2/prompts", **params)
    assert response.status_code == 400
    check_documented("GET", response)


# --- v1, and others --------------------------------------------------------------------------------------
def test_the_first_clients_are_served(api):
    made = api("POST", "prompts", {"name": "old", "prompt": "hi", "isActive": True, "config": {"a": 1}})
    assert made.status_code == 201
    check_documented("POST", made)
    api("POST", "prompts", {"name": "old", "prompt": "ho", "isActive": False})
    assert api.get("prompts", name="old")["prompt"] == "hi"
    assert api.get("prompts", name="old", version=2)["isActive"] is False
    for case in (
        Case("unknown", "GET prompts?name=nobody", 404, ANY),
        Case("no name", "GET prompts", 400, ANY),
        Case("no text", "POST prompts", 400, ANY, body={"name": "x", "isActive": True}),
        Case("not said", "POST prompts", 400, ANY, body={"name": "x", "prompt": "y"}),
    ):
        check(api, case)


def test_prompts_of_another_project_are_nobody_s(api):
    other = make_api()
    created = create(api, "mine", "secret", labels=["production"])
    fetch(other, "mine", status=404)
    label(other, 1, "x", name="mine", status=404)
    delete(other, "mine", status=404)
    assert listed(other) == {}
    create(other, "theirs", embed("mine", label="production"), status=400)
    assert fetch(api, "mine") == created
