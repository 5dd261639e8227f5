"""From a prompt's version to a playground and back: nothing changes but what somebody changed."""

from __future__ import annotations

import re
from html import unescape

import orjson
import pytest
from django.test import Client
from django.urls import reverse

from accounts.access import scope_for_user
from accounts.audit import SYSTEM
from accounts.models import Project
from prompts.actions.prompts import NewVersion, create_version
from prompts.models import Playground, PromptVersion
from prompts.playground import origins
from tests.factories import make_workspace
from tests.prompts.playground import at, begin, connect, finished, run, send

pytestmark = pytest.mark.django_db

REFERENCE = "@@@langfusePrompt:name=style|label=production@@@"
CHAT = [
    {"role": "system", "content": f"{REFERENCE} Be brief, {{{{ name }}}}."},
    {"type": "placeholder", "name": "history"},
    {"role": "user", "content": "天气 {{topic}}?", "name": "ann"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c", "content": "sun"},
]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": {"type": "object"}}}
CONFIGS = {
    "none": {},
    "usual": {
        "model": "gpt-4o",
        "provider": "stub",
        "temperature": 0.70,
        "max_tokens": 100,
        "top_p": 1,
        "stop": ["END", "\n\n"],
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": SCHEMA,
    },
    "other words": {
        "model_name": "m",
        "maxTokens": "64",
        "stop_sequences": "END",
        "json_schema": {"properties": {}, "type": "object"},
        "reasoning_effort": "low",
        "options": {"user": "me"},
    },
    "strange": {"model": 5, "temperature": None, "tools": "none", "mine": [1, {"a": None}], "tool_choice": ["x"]},
    "list": [1, 2],
}


@pytest.fixture
def workspace():
    return make_workspace()


@pytest.fixture
def project(workspace):
    return workspace.project


@pytest.fixture
def scope(workspace, project):
    return scope_for_user(workspace.alice, project.pk)


@pytest.fixture
def alice(workspace):
    client = Client()
    client.force_login(workspace.alice)
    return client


def make(scope, content, config=None, name="critic"):
    if not PromptVersion.objects.filter(prompt__name="style").exists():
        style = NewVersion(name="style", type="text", content="In {{style}}.", labels=["production"])
        create_version(scope, style, actor=SYSTEM)
    kind = "text" if isinstance(content, str) else "chat"
    return create_version(scope, NewVersion(name=name, type=kind, content=content, config=config), actor=SYSTEM)


def opened(client, project, **form):
    answer = client.post(at("playground-new", project), form)
    assert answer.status_code == 303, answer.content
    return Playground.objects.get(pk=answer["Location"].rstrip("/").rpartition("/")[2])


def form_of(client, project, playground, window="a"):
    """The fields of the prefilled form, as a browser would send them."""
    page = reverse("prompts:prompt-new", args=[project.pk])
    answer = client.get(page, {"playground": playground.pk, "window": window})
    assert answer.status_code == 200, answer.content
    return answer.context["draft"], unescape(answer.content.decode())


def save(client, project, draft):
    rows = [(row.kind, row.role, row.content, row.extra) for row in draft.rows] if draft.type == "chat" else []
    kinds, roles, contents, extras = zip(*rows, strict=True) if rows else ((), (), (), ())
    fields = {
        "name": draft.name,
        "type": draft.type,
        "text": draft.text,
        "kind": kinds,
        "role": roles,
        "content": contents,
        "extra": extras,
        "config": draft.config,
        "base": draft.base,
        "version": draft.base_number or "",
        "next": "1" if draft.is_next else "",
    }
    answer = client.post(reverse("prompts:prompt-create", args=[project.pk]), fields)
    assert answer.status_code == 303, answer.context["draft"].errors
    return PromptVersion.objects.filter(prompt__name=draft.name).order_by("-number").first()


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("content", ["Rate {{film}} " + REFERENCE, CHAT], ids=["text", "chat"])
def test_there_and_back_nothing_changes(content, config, alice, project, scope):
    before = make(scope, content, CONFIGS[config])
    playground = opened(alice, project, prompt="critic", version=1)
    [window] = playground.state["windows"]
    assert window["prompt"] == {"name": "critic", "version": 1}
    assert playground.title == "critic v1"
    # As the page saves what it shows.
    body = {"revision": 1, "state": playground.state}
    assert send(alice, "put", at("playground-state", project, playground.pk), body)[0] == 200
    draft, _page = form_of(alice, project, playground)
    assert (draft.name, draft.is_next, draft.base_number) == ("critic", True, 1)
    after = save(alice, project, draft)
    assert (after.number, after.said, after.config) == (2, before.said, before.config)
    again = opened(alice, project, prompt="critic")
    assert {**again.state["windows"][0], "prompt": None} == {**window, "prompt": None}


def test_the_config_is_in_the_window(alice, project, scope):
    connect(project, None)
    make(scope, CHAT, CONFIGS["usual"])
    [window] = opened(alice, project, prompt="critic", version=1).state["windows"]
    assert (window["model"], window["connection"]) == ("gpt-4o", "stub")
    assert window["parameters"] == {"temperature": "0.7", "max_tokens": "100", "top_p": "1", "stop": "END\n\\n\\n"}
    assert [(tool["name"], orjson.loads(tool["parameters"])) for tool in window["tools"]] == [("f", {"type": "object"})]
    assert window["tool_choice"] == "f"
    assert window["output_schema"]["name"] == "verdict"
    assert [message.get("role", message.get("type")) for message in window["messages"]] == [
        "system",
        "placeholder",
        "user",
        "assistant",
        "tool",
    ]


def test_only_what_was_changed_changes(scope, alice, project):
    make(scope, "x", {**CONFIGS["other words"], "mine": 1})
    [window] = opened(alice, project, prompt="critic").state["windows"]
    window["parameters"] = {"max_tokens": "65", "temperature": "0.5", "stop": "END"}
    window["model"] = "n"
    window["tool_choice"] = "none"
    window["output_schema"] = None
    window["options"] = ""
    assert origins.config_of(scope, window, {**CONFIGS["other words"], "mine": 1}) == {
        "model_name": "n",
        "maxTokens": 65,
        "stop_sequences": "END",
        "temperature": 0.5,
        "tool_choice": "none",
        "mine": 1,
    }


def test_a_window_of_its_own_becomes_a_new_prompt(alice, project):
    connect(project, None)
    playground = begin(alice, project)
    given = playground.state
    given["windows"][0] |= {
        "connection": "stub",
        "model": "hello",
        "parameters": {"temperature": "0.5", "seed": "7"},
        "tools": [{"name": "f", "description": "d", "parameters": '{"type": "object"}'}],
        "output_schema": {"name": "", "schema": '{"type": "object"}'},
        "messages": [
            {"id": "1", "role": "system", "content": "</script> {{x}}"},
            {
                "id": "2",
                "role": "user",
                "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "https://a"}}],
            },
        ],
    }
    send(alice, "put", at("playground-state", project, playground.pk), {"revision": 1, "state": given})
    draft, page = form_of(alice, project, playground)
    assert (draft.name, draft.type, draft.is_next) == ("", "chat", False)
    assert orjson.loads(draft.config) == {
        "provider": "stub",
        "model": "hello",
        "temperature": 0.5,
        "seed": 7,
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
        ],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}},
    }
    assert [row.content for row in draft.rows] == ["</script> {{x}}", "See"]
    assert draft.rows[1].error
    assert draft.rows[1].error in page
    assert f'href="{at("playground", project, playground.pk)}">Cancel' in page
    draft.name = "fresh"
    assert save(alice, project, draft).said[0]["content"] == "</script> {{x}}"


def test_rows_in_which_nothing_was_written_are_left_out(scope, alice, project):
    make(scope, [{"role": "user", "content": "{{x}}"}, {"role": "assistant", "content": ""}], {"model": "hello"})
    playground = opened(alice, project, prompt="critic")
    given = playground.state
    given["windows"][0]["messages"].append({"id": "new", "role": "user", "content": ""})
    given["windows"][0]["tools"].append({"name": "", "description": "", "parameters": ""})
    send(alice, "put", at("playground-state", project, playground.pk), {"revision": 1, "state": given})
    draft, _page = form_of(alice, project, playground)
    assert [(row.role, row.content) for row in draft.rows] == [("user", "{{x}}"), ("assistant", "")]
    assert orjson.loads(draft.config) == {"model": "hello"}
    draft, _page = form_of(alice, project, begin(alice, project))
    assert [row.role for row in draft.rows] == ["system", "user"]


def test_a_text_prompt_that_has_become_a_conversation_is_another_prompt(alice, project, scope):
    make(scope, "Rate {{film}}")
    playground = opened(alice, project, prompt="critic")
    given = playground.state
    given["windows"][0]["messages"].append({"id": "n", "role": "assistant", "content": "Good"})
    send(alice, "put", at("playground-state", project, playground.pk), {"revision": 1, "state": given})
    draft, _page = form_of(alice, project, playground)
    assert (draft.name, draft.type, draft.is_next, draft.base) == ("", "chat", False, "critic")


def test_references_are_resolved_when_a_window_runs(alice, project, scope, provider, broker):
    connect(project, provider)
    make(scope, CHAT)
    playground = opened(alice, project, prompt="critic")
    given = playground.state
    given["windows"][0] |= {"connection": "stub", "model": "echo"}
    given["placeholders"] = {"history": '[{"role": "user", "content": "{{kept}}"}]'}
    status, answer = run(alice, playground, given)
    assert (status, answer["runs"]) == (201, [])
    assert {tuple(issue["path"]) for issue in answer["issues"]} == {
        ("variables", "style"),
        ("variables", "name"),
        ("variables", "topic"),
    }
    given["variables"] = {"style": "verse", "name": "Ann", "topic": "rain"}
    [found] = finished(alice, playground, given)
    asked = orjson.loads(found.message["content"])["messages"]
    assert asked[0]["content"] == "In verse. Be brief, Ann."
    assert asked[1]["content"] == "{{kept}}"
    assert asked[2] == {"role": "user", "content": "天气 rain?", "name": "ann"}


def test_what_is_not_there_is_not_found(alice, project, scope, workspace):
    make(scope, "x")
    for form in ({"prompt": "gone"}, {"prompt": "critic", "version": "9"}, {"prompt": "critic", "version": "x"}):
        assert alice.post(at("playground-new", project), form).status_code == 404
    playground = begin(alice, project)
    page = reverse("prompts:prompt-new", args=[project.pk])
    for query in ({"playground": "x"}, {"playground": playground.pk, "window": "zz"}, {"playground": "\x00"}):
        assert alice.get(page, query).status_code == 404
    charlie = Client()
    charlie.force_login(workspace.charlie)
    theirs = Project.objects.get(name="Secret")
    assert charlie.post(at("playground-new", theirs), {"prompt": "critic"}).status_code == 404
    page = reverse("prompts:prompt-new", args=[theirs.pk])
    assert charlie.get(page, {"playground": playground.pk, "window": "a"}).status_code == 404


def test_the_page_of_a_prompt_leads_there_for_members(alice, project, scope, workspace):
    make(scope, "x")
    page = reverse("prompts:prompt-detail", args=[project.pk, "critic"])
    form = re.compile(rf'action="{at("playground-new", project)}".*?name="version" value="1"', re.DOTALL)
    assert form.search(alice.get(page).content.decode())
    bob = Client()
    bob.force_login(workspace.bob)
    assert not form.search(bob.get(page).content.decode())
