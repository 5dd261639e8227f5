"""What a playground keeps: its state, for whom, against whom; and the project's tools and schemas."""

from __future__ import annotations

import orjson
import pytest
from django.test import Client

from accounts.models import AuditLog, Project
from accounts.roles import Role
from accounts.signals import project_deleted
from prompts.models import Playground, PlaygroundItem
from prompts.playground import state as shape
from prompts.queries import playground as queries
from tests.factories import make_user
from tests.prompts.playground import at, begin, send, signed_in, state, window

pytestmark = pytest.mark.django_db

HOSTILE = "</script><script>alert(1)</script> \x00 \u202e 天气 👋 {{x}} ' \" \\ \ud83d\ude00".encode(
    "utf-16", "surrogatepass"
).decode("utf-16")


@pytest.fixture
def playground(alice, project):
    return begin(alice, project)


def save(client, playground, given, revision=1):
    address = at("playground-state", playground.project, playground.pk)
    return send(client, "put", address, {"revision": revision, "state": given})


def scope_of(user, project):
    from accounts.access import scope_for_user

    return scope_for_user(user, project.pk)


# --- State -----------------------------------------------------------------------------------------------
def test_a_new_one_is_empty_and_ones_own(alice, playground, workspace):
    assert (playground.created_by, playground.updated_by, playground.revision) == (workspace.alice, workspace.alice, 1)
    assert [one["id"] for one in playground.state["windows"]] == ["a"]
    assert AuditLog.objects.filter(action="playground.create", object_id=playground.pk).exists()


def test_what_is_typed_is_kept_as_it_was_typed(alice, playground):
    given = state(
        window(
            "a",
            {
                "role": "user",
                "content": [{"type": "text", "text": HOSTILE}, {"type": "strange", "deep": [{"a": None}]}],
            },
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "1", "function": {"name": "", "arguments": "{"}}],
            },
            {"type": "placeholder", "name": "half na"},
            {"role": "", "content": "", "name": "me", "cache_control": {"type": "ephemeral"}},
            model=HOSTILE[:60],
            title=HOSTILE,
            parameters={"temperature": "0.", "stop": "\n\nEND"},
            options='{"half": ',
            tools=[{"name": "", "description": HOSTILE, "parameters": "{not yet"}],
            tool_choice="nobody",
            output_schema={"name": "", "schema": "{"},
            stream=False,
            prompt={"name": "gone", "version": 3},
            source={"trace_id": "t", "observation_id": "o"},
        ),
        window("b2"),
        variables={"topic": HOSTILE, "unused": ""},
        placeholders={"history": "[{"},
    )
    assert save(alice, playground, given) == (200, {"revision": 2})
    playground.refresh_from_db()
    assert playground.state == given
    assert playground.models == [HOSTILE[:60].replace("\x00", ""), "hello"]
    assert save(alice, playground, playground.state, 2) == (200, {"revision": 3})


WRONG = {
    "no object": ([], []),
    "nothing": ({}, ["windows"]),
    "no windows": ({"windows": []}, ["windows"]),
    "window": ({"windows": [1]}, ["windows", 0]),
    "id": ({"windows": [{"id": "A!"}]}, ["windows", 0, "id"]),
    "id twice": ({"windows": [{"id": "a"}, {"id": "a"}]}, ["windows", 1, "id"]),
    "title": ({"windows": [{"id": "a", "title": 1}]}, ["windows", 0, "title"]),
    "parameter": ({"windows": [{"id": "a", "parameters": {"heat": "1"}}]}, ["windows", 0, "parameters", "heat"]),
    "number": ({"windows": [{"id": "a", "parameters": {"seed": 1}}]}, ["windows", 0, "parameters", "seed"]),
    "message": ({"windows": [{"id": "a", "messages": ["x"]}]}, ["windows", 0, "messages", 0]),
    "content": (
        {"windows": [{"id": "a", "messages": [{"role": "user", "content": {}}]}]},
        ["windows", 0, "messages", 0, "content"],
    ),
    "calls": (
        {"windows": [{"id": "a", "messages": [{"role": "user", "content": "", "tool_calls": [1]}]}]},
        ["windows", 0, "messages", 0, "tool_calls"],
    ),
    "tool": ({"windows": [{"id": "a", "tools": [{"parameters": {}}]}]}, ["windows", 0, "tools", 0, "parameters"]),
    "schema": ({"windows": [{"id": "a", "output_schema": "x"}]}, ["windows", 0, "output_schema"]),
    "prompt": (
        {"windows": [{"id": "a", "prompt": {"name": "x", "version": True}}]},
        ["windows", 0, "prompt", "version"],
    ),
    "variable": ({"windows": [{"id": "a"}], "variables": {"x": 1}}, ["variables", "x"]),
    "placeholders": ({"windows": [{"id": "a"}], "placeholders": []}, ["placeholders"]),
    "long title": ({"windows": [{"id": "a", "title": "x" * 201}]}, ["windows", 0, "title"]),
    "many windows": ({"windows": [{"id": f"w{n}"} for n in range(11)]}, ["windows"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_state_is_refused_with_its_path(case, alice, playground):
    given, path = WRONG[case]
    status, answer = save(alice, playground, given)
    assert status == 400
    assert path in [issue["path"] for issue in answer["issues"]]
    assert all(issue["message"] for issue in answer["issues"])
    assert Playground.objects.get(pk=playground.pk).revision == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b'{"revision": 0, "state": {}}', b'{"state": {}}'])
def test_what_is_no_body_is_refused(body, alice, playground, project):
    status, answer = send(alice, "put", at("playground-state", project, playground.pk), body)
    assert (status, bool(answer["message"])) == (400, True)


def test_too_much_is_refused(alice, playground):
    for size in (shape.MOST_BYTES - 3000, shape.MOST_BYTES):
        status, answer = save(alice, playground, state(window("a", "x" * size)))
        assert status == (200 if size < shape.MOST_BYTES else 413)
    assert "4 MB" in answer["message"]
    assert send(alice, "put", at("playground-state", playground.project, playground.pk), b" " * 6_000_000)[0] == 413


def test_who_comes_second_is_told_of_the_first(alice, playground, workspace):
    mia = make_user("mia@example.com", organization=workspace.organization, role=Role.MEMBER)
    assert save(signed_in(mia), playground, state(window("a", "hers")))[0] == 200
    status, answer = save(alice, playground, state(window("a", "mine")))
    playground.refresh_from_db()
    assert (status, answer["revision"], answer["by"]) == (409, 2, "mia@example.com")
    assert answer["at"].startswith(playground.updated_at.isoformat()[:19])
    assert playground.state["windows"][0]["messages"][0]["content"] == "hers"
    assert save(alice, playground, state(window("a", "mine")), answer["revision"]) == (200, {"revision": 3})


# --- Whose -----------------------------------------------------------------------------------------------
def test_a_viewer_changes_nothing(bob, playground, project):
    assert save(bob, playground, state(window()))[0] == 403
    for view, arguments in (
        ("playground-new", ()),
        ("playground-rename", (playground.pk,)),
        ("playground-delete", (playground.pk,)),
    ):
        assert bob.post(at(view, project, *arguments), {"title": "x"}).status_code == 403
    assert bob.post(at("playground-library-save", project), {"kind": "tool", "name": "x"}).status_code == 403
    assert bob.post(at("playground-library-delete", project), {"id": "x"}).status_code == 403
    assert bob.get(at("playground-library", project)).status_code == 200
    assert Playground.objects.get() == playground


def test_those_of_other_projects_are_not_there(alice, charlie, playground, project):
    theirs = begin(charlie, Project.objects.get(name="Secret"))
    assert save(alice, theirs, state(window()))[0] == 404
    as_mine = at("playground-state", project, theirs.pk)
    assert send(alice, "put", as_mine, {"revision": 1, "state": state(window())})[0] == 404
    for view in ("playground-rename", "playground-delete"):
        assert alice.post(at(view, project, theirs.pk), {"title": "Mine"}).status_code == 404
    assert alice.post(at("playground-new", project), {"copy": theirs.pk}).status_code == 404
    theirs.refresh_from_db()
    assert (theirs.title, theirs.revision) == ("Playground", 1)


def test_forms_need_a_token(workspace, project, playground):
    client = Client(enforce_csrf_checks=True)
    client.force_login(workspace.alice)
    assert client.post(at("playground-new", project)).status_code == 403
    assert client.put(at("playground-state", project, playground.pk), b"{}", "application/json").status_code == 403


# --- Names, copies, the list -----------------------------------------------------------------------------
def test_renamed_copied_and_deleted(alice, playground, project):
    save(alice, playground, state(window("a", "Kept")))
    assert alice.post(at("playground-rename", project, playground.pk), {"title": "  Ab\n c\x00 "}).status_code == 303
    alice.post(at("playground-rename", project, playground.pk), {"title": " "})
    playground.refresh_from_db()
    assert playground.title == "Ab c"
    answer = alice.post(at("playground-new", project), {"copy": playground.pk})
    copy = Playground.objects.exclude(pk=playground.pk).get()
    assert answer["Location"].endswith(f"/playground/{copy.pk}/")
    assert (copy.title, copy.state, copy.revision) == ("Copy of Ab c", playground.state, 1)
    assert alice.post(at("playground-delete", project, playground.pk)).status_code == 303
    assert Playground.objects.get() == copy
    assert alice.post(at("playground-delete", project, playground.pk)).status_code == 404


def test_the_list_has_ones_own_first_and_finds_titles(alice, project, workspace):
    mia = make_user("mia@example.com", organization=workspace.organization, role=Role.MEMBER)
    old, new = begin(alice, project), begin(alice, project)
    hers = begin(signed_in(mia), project)
    alice.post(at("playground-rename", project, hers.pk), {"title": "Weather 天气"})
    scope = scope_of(workspace.alice, project)
    assert [one.pk for one in queries.list_playgrounds(scope).items] == [new.pk, old.pk, hers.pk]
    assert [one.pk for one in queries.list_playgrounds(scope, "天气").items] == [hers.pk]
    assert queries.list_playgrounds(scope, "50%_\x00").items == []


def test_what_is_wanted_by_windows_is_listed_with_embedded_prompts(alice, project, workspace):
    from accounts.audit import SYSTEM
    from prompts.actions.prompts import NewVersion, create_version

    scope = scope_of(workspace.alice, project)
    create_version(scope, NewVersion(name="part", type="text", content="In {{style}} for {{topic}}"), actor=SYSTEM)
    reference = "@@@langfusePrompt:name=part|version=1@@@"
    given = state(
        window("a", "{{ topic }} {{1no}} {{topic}}", {"type": "placeholder", "name": "history"}),
        window("b", f"{reference} {{{{mine}}}}", "@@@langfusePrompt:name=gone|version=1@@@ {{x}}"),
        variables={"topic": "rain", "unused": "x"},
        placeholders={"history": "[]"},
    )
    assert shape.variables(given) == [
        {"name": "topic", "windows": ["a"], "is_set": True},
        {"name": "mine", "windows": ["b"], "is_set": False},
        {"name": "x", "windows": ["b"], "is_set": False},
    ]
    found = {one["name"]: (one["windows"], one["is_set"]) for one in queries.variables(scope, given)}
    assert found == {"topic": (["a", "b"], True), "mine": (["b"], False), "x": (["b"], False), "style": (["b"], False)}
    assert shape.placeholders(given) == [{"name": "history", "windows": ["a"], "is_set": True}]


def test_a_deleted_project_takes_its_playgrounds_along(alice, playground, project):
    alice.post(at("playground-library-save", project), {"kind": "schema", "name": "x", "schema": "{}"})
    project_deleted.send(sender=None, project_id=project.pk)
    assert not Playground.objects.exists()
    assert not PlaygroundItem.objects.exists()


# --- Library ---------------------------------------------------------------------------------------------
def library(client, project):
    return orjson.loads(client.get(at("playground-library", project)).content)


def keep(client, project, **fields):
    answer = client.post(at("playground-library-save", project), fields)
    return answer.status_code, orjson.loads(answer.content)


def test_tools_and_schemas_are_kept_for_the_project(alice, bob, charlie, project):
    status, answer = keep(alice, project, kind="tool", name=" weather ", description="天气", parameters='{"type": ')
    assert status == 200
    keep(alice, project, kind="schema", name="weather", schema="{}")
    status, _answer = keep(alice, project, kind="tool", name="weather", description="new", parameters="{}")
    [tool] = library(bob, project)["tools"]
    assert tool == {"id": answer["id"], "name": "weather", "description": "new", "parameters": "{}"}
    [schema] = library(bob, project)["schemas"]
    assert (schema["name"], schema["schema"]) == ("weather", "{}")

    secret = Project.objects.get(name="Secret")
    assert library(charlie, secret) == {"tools": [], "schemas": []}
    assert charlie.post(at("playground-library-delete", secret), {"id": tool["id"]}).status_code == 404
    answer = alice.post(at("playground-library-delete", project), {"id": tool["id"]})
    assert orjson.loads(answer.content)["tools"] == []
    assert len(library(alice, project)["schemas"]) == 1


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"kind": "x", "name": "y"}, ["kind"]),
        ({"kind": "tool", "name": " "}, ["name"]),
        ({"kind": "tool", "name": "a\nb"}, ["name"]),
        ({"kind": "tool", "name": "x" * 201}, ["name"]),
        ({"kind": "tool", "name": "x", "parameters": "\x00"}, ["parameters"]),
        ({"kind": "tool", "name": "x", "description": "\x00"}, ["description"]),
        ({"kind": "schema", "name": "x", "schema": "x" * 200_001}, ["schema"]),
    ],
)
def test_what_the_library_does_not_keep_is_said_by_its_field(fields, path, alice, project):
    status, answer = keep(alice, project, **fields)
    assert (status, answer["issues"][0]["path"]) == (400, path)
    assert library(alice, project) == {"tools": [], "schemas": []}
