"""Pages of playgrounds, asked for by the Django client: what they show to whom, and what they make of bad input."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import html5lib
import orjson
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.access import ProjectScope
from accounts.audit import SYSTEM
from accounts.models import Project, User
from accounts.roles import Role
from prompts.actions import playground as actions
from prompts.models import Playground, PlaygroundRun
from tests.factories import make_project, make_user, make_workspace
from tests.prompts.playground import at, connect, state, window
from tests.tracing.page_data import HOSTILE

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace(settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    return make_workspace()


@pytest.fixture
def project(workspace) -> Project:
    return workspace.project


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def alice(workspace) -> Client:
    return signed_in(workspace.alice)


@pytest.fixture
def viewer(workspace) -> Client:
    return signed_in(make_user(organization=workspace.organization, role=Role.VIEWER))


def made(
    project: Project, *windows: dict[str, Any], title: str = "", owner: User | None = None, **shared: Any
) -> Playground:
    scope = ProjectScope(project.pk, Role.OWNER, owner.pk if owner else "")
    return actions.create_playground(scope, state(*(windows or (window(),)), **shared), title, actor=SYSTEM)


def ran(playground: Playground, window_id: str = "a", message: Any = None, **fields: Any) -> PlaygroundRun:
    now = timezone.now()
    given = {
        "status": "done", "connection": "stub", "model": "hello", "sent": "{}", "trace_id": "t" * 32,
        "observation_id": "o" * 16, "started_at": now - timedelta(seconds=2), "ended_at": now,
        "answer": orjson.dumps(message or {"role": "assistant", "content": "Well."}).decode(), **fields,
    }  # fmt: skip
    return PlaygroundRun.objects.create(
        playground=playground, project_id=playground.project_id, window=window_id, **given
    )


def page(client: Client, playground: Playground, query: str = "") -> str:
    answer = client.get(at("playground", playground.project, playground.pk) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def errors_of(html: str) -> list[str]:
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    parser.parse(html)
    return [f"{position}: {code} {data}" for position, code, data in parser.errors]


# --- The list --------------------------------------------------------------------------------------------
def test_the_list_has_ones_own_first_and_finds_by_name(workspace, project, alice):
    made(project, title="Of somebody else")
    made(project, window(model="gpt-x"), window("b", model="claude-y"), title="Mine <b>", owner=workspace.alice)
    made(make_project("Other", organization=workspace.organization), title="Of another project")
    html = alice.get(at("playground-list", project)).content.decode()
    assert html.index("Mine &lt;b&gt;") < html.index("Of somebody else")
    assert "Of another project" not in html
    assert "gpt-x" in html
    assert "claude-y" in html
    assert errors_of(html) == []
    found = alice.get(at("playground-list", project) + "?q=MINE").content.decode()
    assert "Mine &lt;b&gt;" in found
    assert "Of somebody else" not in found
    assert (
        "No playground has these words" in alice.get(at("playground-list", project) + "?q=%00nothing").content.decode()
    )


def test_many_playgrounds_have_pages_and_no_bad_number_breaks_them(project, alice):
    for number in range(52):
        made(project, title=f"No {number}")
    first = alice.get(at("playground-list", project)).content.decode()
    assert "52 playgrounds" in first
    assert 'rel="next"' in first
    second = alice.get(at("playground-list", project) + "?page=2").content.decode()
    assert second.count("row-link") == 2
    for number in ("0", "-1", "x", "9" * 30, "%00"):
        assert alice.get(at("playground-list", project) + f"?page={number}").status_code == 200


def test_an_empty_list_says_what_to_do(project, alice, viewer):
    html = alice.get(at("playground-list", project)).content.decode()
    assert "Start a playground" in html
    assert "Connect a model first" in html
    connect(project, None)
    assert "Connect a model first" not in alice.get(at("playground-list", project)).content.decode()
    assert "Start a playground" not in viewer.get(at("playground-list", project)).content.decode()


# --- One playground --------------------------------------------------------------------------------------
def test_everything_of_the_document_is_on_the_page_as_it_was_typed(project, alice):
    said = [
        {"role": "system", "content": "\n  Two\n\nlines {{x}}"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "sig"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "odd", "n": 1},
        ], "tool_calls": [{"id": "call_9", "type": "function", "function": {"name": "f", "arguments": '{"half'}}]},
        {"role": "tool", "content": "r", "tool_call_id": "call_9"},
        {"type": "placeholder", "name": "history"},
    ]  # fmt: skip
    one = window(
        "a", *said, title="First", parameters={"temperature": "0.2", "reasoning_effort": "odd"}, options='{"half',
        tools=[{"name": "f", "description": "d", "parameters": '{"type'}], tool_choice="f",
        output_schema={"name": "s", "schema": "{"}, stream=False,
    )  # fmt: skip
    html = page(alice, made(project, one, variables={"x": "1", "gone": "kept"}, placeholders={"history": "[{"}))
    assert errors_of(html) == []
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    fields = [unescape(text) for text in re.findall(r"<textarea[^>]*>\n([^<]*)</textarea>", html)]
    for text in ("\n  Two\n\nlines {{x}}", '{"half', '{"type', "{", "r", "1", "kept", "[{"):
        assert text in fields, text
    assert "<option selected>odd</option>" in html
    assert "https://example.com/a.png" in html
    assert "<img" not in html.split("</main>")[0].replace("<img>", "")
    assert "not used" in html


def test_hostile_content_is_shown_and_does_nothing(project, alice):
    hostile = f"</textarea>{HOSTILE}<script>alert(1)</script>"
    one = window(
        "a", hostile, {"role": hostile[:40], "content": [{"type": "odd", "v": hostile}]}, title=hostile[:200],
        tools=[{"name": hostile[:100], "description": hostile, "parameters": hostile}],
    )  # fmt: skip
    playground = made(project, one, title=hostile[:200], variables={"x": hostile})
    error = {"trouble": "status", "message": hostile, "status": 500, "body": hostile, "request_id": hostile}
    ran(playground, problem=orjson.dumps(error).decode(), status="failed", answer="")
    ran(playground, message={"role": "assistant", "content": hostile, "refusal": hostile})
    for query in ("", "?json=a", f"?run=a.{playground.runs.last().pk}"):
        html = page(alice, playground, query)
        assert "<script>alert(1)" not in html
        assert "</textarea><" not in html.replace("</textarea></", "").replace("</textarea><p class", "").replace(
            "</textarea><label", ""
        )


def test_whoever_may_only_look_is_told_and_finds_nothing_to_send(project, viewer):
    connect(project, None)
    playground = made(project, window("a", "Read {{me}}"))
    ran(playground)
    html = page(viewer, playground)
    assert "To change and run it, be a member of the project." in html
    assert 'data-may-edit=""' in html
    assert 'data-do="run"' not in html
    assert not re.search(r"<form[^>]*/playground/[^>]*method=.post|<form[^>]*action=.[^>]*/playground/", html)
    assert not [tag for tag in re.findall(r"<textarea[^>]*>", html) if "readonly" not in tag]
    assert not [tag for tag in re.findall(r'<input class="(?:pg-line|input)[^>]*>', html) if "readonly" not in tag]
    assert "Add to messages" not in html
    assert "Well." in html


def test_of_other_projects_nothing_is_shown(workspace, project, alice):
    elsewhere = make_project()
    theirs = made(elsewhere, title="Theirs")
    secret = ran(theirs, message={"role": "assistant", "content": "Secret words"})
    mine = made(project)
    ran(mine)
    assert alice.get(at("playground", elsewhere, theirs.pk)).status_code == 404
    assert alice.get(at("playground", project, theirs.pk)).status_code == 404
    for target in (theirs, mine):
        assert alice.get(at("playground-output", project, target.pk, secret.pk)).status_code == 404
    assert "Secret words" not in page(alice, mine, f"?run=a.{secret.pk}")
    assert alice.get(at("playground", project, "%00")).status_code == 404


def test_the_address_says_which_run_is_shown_and_how(project, alice):
    playground = made(project, window("a"), window("b"))
    old = ran(playground, message={"role": "assistant", "content": "The old one"})
    PlaygroundRun.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=1))
    ran(playground, message={"role": "assistant", "content": "The new one"})
    assert "The new one" in page(alice, playground)
    html = page(alice, playground, f"?run=a.{old.pk}&json=a")
    assert "The new one" not in html
    assert "1/2" in html
    assert 'class="json' in html
    # Nonsense shows what is there.
    for query in ("?run=a", "?run=.", "?run=b." + old.pk, "?window=zz", "?json=zz&window=%00", "?run=%00"):
        assert "The new one" in page(alice, playground, query)


def test_an_outcome_alone_is_for_scripts(project, alice):
    playground = made(project)
    run = ran(playground, usage={"input": 10, "input_cached_tokens": 5, "output": 3}, finish_reason="stop")
    address = at("playground-output", project, playground.pk, run.pk)
    answer = alice.get(address)
    assert answer.status_code == 303
    assert answer["Location"].endswith(f"/{playground.pk}/?run=a.{run.pk}&window=a")
    html = alice.get(address, headers={"HX-Request": "true"}).content.decode()
    assert html.startswith('<div id="output">')
    assert "<html" not in html
    assert orjson.loads(re.search(r'<script type="application/json">(.*?)</script>', html)[1])["content"] == "Well."
    assert re.sub(r"<[^>]*>", "", html).count("15 → 3") == 1
    assert "2.00 s" in html
    assert 'class="json' in alice.get(f"{address}?view=json", headers={"HX-Request": "true"}).content.decode()


@pytest.mark.parametrize(
    ("status", "trouble", "words"),
    [
        ("lost", None, "Run it again."),
        ("failed", "no_connection", "Message"),
        ("failed", "nonsense", "It said so"),
        ("stopped", None, "Stopped"),
    ],
)
def test_what_became_of_a_run_is_said(project, alice, status, trouble, words):
    playground = made(project)
    error = orjson.dumps({"trouble": trouble, "message": "It said so"}).decode() if trouble else ""
    ran(playground, status=status, problem=error, answer="")
    assert words in page(alice, playground)


def test_outputs_of_two_windows_are_compared(project, alice):
    playground = made(project, window("a"), window("b"), window("c"))
    ran(playground, "a", {"role": "assistant", "content": "One\nTwo"})
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"b": 1, "a": 2}'}}
    ran(playground, "b", {"role": "assistant", "content": "One\nThree", "tool_calls": [call]})
    for query in ("?compare=a,b", "?compare=a&compare=b"):
        html = page(alice, playground, query)
        assert 'id="output-diff"' in html
        assert "Three" in html.partition('id="output-diff"')[2]
        assert errors_of(html) == []
    assert "Run both windows" in page(alice, playground, "?compare=a,c")
    for query in ("?compare=a,a", "?compare=a", "?compare=,", "?compare=x,y", "?compare=%00"):
        assert "Name two different windows" in page(alice, playground, query)


def test_links_lead_to_what_is_there(project, alice):
    trace = {"trace_id": "t" * 32, "observation_id": "o" * 16}
    gone = {"name": "not-here", "version": 3}
    html = page(alice, made(project, window("a", source=trace, prompt=gone)))
    assert f"/traces/{'t' * 32}/?observation={'o' * 16}" in html
    assert "which is not in this project" in html
    assert 'href="/projects/' + project.pk + "/prompts/not-here" not in html
    assert "Save as a prompt" in html
    untraced = made(project)
    ran(untraced, is_traced=False)
    assert "/traces/tttt" not in page(alice, untraced)
    ran(untraced, is_traced=True)
    assert "/traces/tttt" in page(alice, untraced)


def test_without_a_connection_the_page_says_where_to_add_one(project, alice, viewer):
    playground = made(project)
    assert "This project has no connection to a model yet." in page(alice, playground)
    assert "an admin can add one" in page(viewer, playground)
    connect(project, None, custom_models=["my-own"])
    html = page(alice, playground)
    assert "has no connection" not in html
    assert 'data-model="my-own"' in html


def test_it_is_gone_to_by_name(workspace, project, alice):
    made(project, window(model="gpt-x"), title="Refunds, tried")
    made(make_project("Other", organization=workspace.organization), title="Refunds of others")
    found = alice.get(reverse("accounts:go", args=[project.pk]) + "?q=refunds").content.decode()
    assert "Refunds, tried" in found
    assert "gpt-x" in found
    assert "Refunds of others" not in found
