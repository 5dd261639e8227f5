"""Settings of a project: LLM connections, for each role, against a provider on this machine."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditLog, Membership
from accounts.roles import Role
from config.sealing import seal
from prompts.models import LlmConnection
from prompts.queries.connections import models_of
from tests.factories import make_project, make_user, make_workspace
from tests.prompts.provider_stub import ERROR, KEY
from tracing.models import Model, PricingTier

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace():
    return make_workspace()


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def alice(workspace):
    return signed_in(workspace.alice)


@pytest.fixture
def mia(workspace):
    return signed_in(make_user("mia@example.com", organization=workspace.organization, role=Role.MEMBER))


def at(view, project, **query):
    from urllib.parse import urlencode

    return reverse(f"prompts:connection-{view}", args=[project.pk]) + (f"?{urlencode(query)}" if query else "")


def text_of(answer):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())))


def typed(stub=None, **values):
    base = {"base_url": f"{stub.url}/v1"} if stub else {}
    return {
        "adapter": "openai",
        "provider": "mine",
        "secret": KEY,
        "models": "hello",
        "with_default_models": "on",
        **base,
        **values,
    }


def saved(project, stub=None, **fields):
    values = {
        "provider": "mine",
        "adapter": "openai",
        "sealed_secret": seal(KEY),
        "masked_secret": "sk-…cdef",
        "base_url": f"{stub.url}/v1" if stub else "",
        "custom_models": ["hello"],
        **fields,
    }
    connection = LlmConnection(project=project, **values)
    connection.save()
    return connection


# --- Added and edited -------------------------------------------------------------------------------------
def test_nothing_yet_says_what_to_do(workspace, alice):
    page = alice.get(at("list", workspace.project))
    assert "No connections yet" in text_of(page)
    assert at("new", workspace.project) in page.content.decode()
    for preset in ("openai", "anthropic", "azure", "bedrock", "google-ai-studio", "google-vertex-ai", "ollama", "vllm"):
        form = alice.get(at("new", workspace.project, preset=preset))
        assert form.status_code == 200
        assert 'name="provider"' in form.content.decode()


def test_one_is_added_and_its_key_never_comes_back(workspace, alice):
    form = typed(headers="X-Team: header-secret\nX-Other: 2", default_model="hello", use_responses_api="on")
    answer = alice.post(at("create", workspace.project), form)
    assert (answer.status_code, answer.url) == (303, at("list", workspace.project))
    connection = LlmConnection.objects.get()
    assert (connection.secret, connection.headers) == (KEY, {"X-Team": "header-secret", "X-Other": "2"})
    assert (connection.config, connection.default_model) == ({"useResponsesApi": True}, "hello")
    edit = at("edit", workspace.project, connection=connection.pk)
    for address in (at("list", workspace.project), edit):
        page = alice.get(address).content.decode()
        assert "sk-…cdef" in page
        assert KEY not in page
        assert "header-secret" not in page
    assert "X-Team" in page
    entry = AuditLog.objects.get(action="llm_connection.create")
    assert entry.after["secret"] == "sk-…cdef"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"provider": ""}, "Give it a name."),
        ({"secret": ""}, "Enter the key."),
        ({"secret": "a b"}, "A key holds no spaces"),
        ({"base_url": "http://10.0.0.1:8000/v1"}, "SPANWISE_OUTGOING_ALLOWED opens it"),
        ({"base_url": "ftp://example.com"}, "An address begins with https://"),
        ({"headers": "Host: x"}, "no header that can be set"),
        ({"models": "x" * 300}, "at most 255 characters"),
        ({"adapter": "bedrock", "secret": "", "region": "eu-central-1"}, "Enter the key."),
        ({"adapter": "bedrock", "region": "nowhere/"}, "Bedrock needs a region"),
        ({"adapter": "google-vertex-ai", "secret": "{}"}, "JSON key of a service account"),
        ({"adapter": "azure"}, "Azure OpenAI needs the address"),
    ],
)
def test_what_is_wrong_is_told_in_place_and_what_was_typed_stays(workspace, alice, change, words):
    answer = alice.post(at("create", workspace.project), typed(**change))
    assert answer.status_code == 422
    assert words in text_of(answer)
    if change.get("provider") != "":
        assert 'value="mine"' in answer.content.decode()
    assert KEY not in answer.content.decode()
    assert not LlmConnection.objects.exists()


def test_two_of_one_name_are_refused(workspace, alice):
    saved(workspace.project)
    assert "Another connection has this name." in text_of(alice.post(at("create", workspace.project), typed()))


def test_editing_keeps_what_is_not_typed_anew(workspace, alice):
    connection = saved(workspace.project)
    connection.set_headers({"X-A": "1", "X-B": "2"})
    connection.save()
    form = typed(secret="", connection=connection.pk, provider="renamed", keep=["X-A"], headers="X-C: 3")
    assert alice.post(at("update", workspace.project), form).status_code == 303
    connection.refresh_from_db()
    assert (connection.provider, connection.secret) == ("renamed", KEY)
    assert connection.headers == {"X-A": "1", "X-C": "3"}


def test_a_key_does_not_follow_to_another_address(workspace, alice):
    """Or whoever may edit could have it sent to themselves."""
    connection = saved(workspace.project)
    connection.set_headers({"X-A": "1"})
    connection.save()
    there = {"connection": connection.pk, "base_url": "https://1.1.1.1/v1"}
    for view, do in (("update", "save"), ("update", "test")):
        answer = alice.post(at(view, workspace.project), typed(secret="", do=do, **there))
        assert answer.status_code == 422
        assert "Enter the key again" in text_of(answer)
    answer = alice.post(at("update", workspace.project), typed(keep=["X-A"], **there))
    assert "Enter the header X-A again" in text_of(answer)
    assert LlmConnection.objects.get().base_url == ""


def test_servers_of_one_s_own_need_no_key(workspace, alice, provider):
    form = typed(provider, secret="", provider="local")
    assert alice.post(at("create", workspace.project), form).status_code == 303
    assert LlmConnection.objects.get().masked_secret == ""


def test_one_is_deleted(workspace, alice):
    connection = saved(workspace.project)
    answer = alice.post(at("delete", workspace.project), {"connection": connection.pk}, follow=True)
    assert "is deleted" in text_of(answer)
    assert not LlmConnection.objects.exists()
    assert AuditLog.objects.filter(action="llm_connection.delete").count() == 1


# --- Tried ------------------------------------------------------------------------------------------------
def test_a_connection_that_works_says_so(workspace, mia, provider):
    connection = saved(workspace.project, provider)
    answer = mia.post(at("test", workspace.project), {"connection": connection.pk})
    assert "mine answers" in text_of(answer)
    assert "18 tokens" in text_of(answer)
    assert provider.last.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("401", "The key was refused"),
        ("404", "The model or the address is not known there"),
        ("429", "Too many requests"),
        ("500", "The provider has a problem"),
        ("cut", "The answer broke off in the middle"),
        ("page", "What came is no answer of a model"),
        ("moved", "The address leads elsewhere"),
        ("failing", "The provider broke off with an error"),
    ],
)
def test_what_is_wrong_with_a_call_is_said_in_words_and_as_it_came(workspace, alice, provider, model, words):
    connection = saved(workspace.project, provider, default_model=model)
    answer = text_of(alice.post(at("test", workspace.project), {"connection": connection.pk}))
    assert words in answer
    if model.isdigit():
        assert ERROR in answer
        assert f"status {model}" in answer
        assert "req_stub" in answer
    if model == "429":
        assert "again in 7 s" in answer


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("http://no-such-host.invalid/v1", "There is no such host"),
        ("http://127.0.0.1:9/v1", "This instance does not call that address"),
        ("https://127.0.0.1:{port}/v1", "No secure connection"),
    ],
)
def test_addresses_that_lead_nowhere(workspace, alice, provider, base, words):
    connection = saved(workspace.project, base_url=base.format(port=provider.port))
    assert words in text_of(alice.post(at("test", workspace.project), {"connection": connection.pk}))


def test_what_was_typed_is_tried_and_not_saved(workspace, alice, provider):
    form = typed(provider, do="test", model="hello")
    answer = alice.post(at("create", workspace.project), form)
    assert "mine answers" in text_of(answer)
    assert KEY not in answer.content.decode()
    assert not LlmConnection.objects.exists()
    part = alice.post(
        at("create", workspace.project), {**form, "model": "401"}, headers={"HX-Request": "true", "HX-Target": "trial"}
    )
    assert part.content.decode().strip().startswith('<div id="trial"')
    assert "The key was refused" in text_of(part)
    part = alice.post(
        at("create", workspace.project), {**form, "secret": "a b"}, headers={"HX-Request": "true", "HX-Target": "trial"}
    )
    assert "A key holds no spaces" in text_of(part)


def test_without_a_model_there_is_nothing_to_call(workspace, alice, provider):
    connection = saved(workspace.project, provider, custom_models=[])
    assert "Name a model to call." in text_of(alice.post(at("test", workspace.project), {"connection": connection.pk}))


def test_hostile_names_and_answers_are_text(workspace, alice, provider):
    name = "<script>alert(1)</script>\u202e"
    connection = saved(workspace.project, provider, provider=name, custom_models=["<img src=x>"])
    for answer in (
        alice.get(at("list", workspace.project)),
        alice.get(at("edit", workspace.project, connection=connection.pk)),
        alice.post(at("test", workspace.project), {"connection": connection.pk}),
    ):
        assert "<script>alert" not in answer.content.decode()
        assert "<img src=x>" not in answer.content.decode()


# --- Models -----------------------------------------------------------------------------------------------
def test_models_are_one_s_own_then_those_with_prices(workspace):
    for name, provider, prices in (
        ("gpt-9", "openai", {"input": "1", "output": "2"}),
        ("embed-9", "openai", {"input": "1"}),
        ("claude-9", "anthropic", {"input": "1", "output": "2"}),
        ("deepseek-9", "deepseek", {"input": "1", "output": "2"}),
    ):
        model = Model.objects.create(name=name, match_pattern=name, provider=provider)
        PricingTier.objects.create(model=model, name="Standard", is_default=True, prices=prices)
    assert models_of(saved(workspace.project)) == ["hello", "gpt-9"]
    assert models_of(saved(workspace.project, provider="b", with_default_models=False)) == ["hello"]
    assert models_of(saved(workspace.project, provider="c", adapter="anthropic")) == ["hello", "claude-9"]
    deepseek = saved(workspace.project, provider="d", base_url="https://api.deepseek.com/v1")
    assert models_of(deepseek) == ["hello", "deepseek-9"]
    assert models_of(saved(workspace.project, provider="e", base_url="http://10.0.0.1")) == ["hello"]


# --- Who may ----------------------------------------------------------------------------------------------
FORMS = ["create", "update", "delete", "test"]


def test_members_see_and_test_but_do_not_change(workspace, mia):
    connection = saved(workspace.project)
    page = mia.get(at("list", workspace.project)).content.decode()
    assert "sk-…cdef" in page
    assert at("new", workspace.project) not in page
    assert "Delete this connection" not in page
    for view in ("new", "edit"):
        assert mia.get(at(view, workspace.project, connection=connection.pk)).status_code == 403
    for view in ("create", "update", "delete"):
        assert mia.post(at(view, workspace.project), typed(connection=connection.pk)).status_code == 403


def test_viewers_see(workspace):
    connection = saved(workspace.project)
    bob = signed_in(workspace.bob)
    page = bob.get(at("list", workspace.project))
    assert "sk-…cdef" in page.content.decode()
    assert at("test", workspace.project) not in page.content.decode()
    for view in FORMS:
        assert bob.post(at(view, workspace.project), {"connection": connection.pk}).status_code == 403


def test_strangers_find_nothing(workspace):
    connection = saved(workspace.project)
    charlie = signed_in(workspace.charlie)
    for view in ("list", "new", "edit"):
        assert charlie.get(at(view, workspace.project, connection=connection.pk)).status_code == 404
    for view in FORMS:
        assert charlie.post(at(view, workspace.project), {"connection": connection.pk}).status_code == 404


def test_connections_of_other_projects_are_not_there(workspace, alice):
    other = saved(make_project("Other"))
    assert "mine" not in text_of(alice.get(at("list", workspace.project))).replace("determine", "")
    assert alice.get(at("edit", workspace.project, connection=other.pk)).status_code == 404
    for view in ("update", "delete", "test"):
        answer = alice.post(at(view, workspace.project), typed(connection=other.pk))
        assert answer.status_code == 404
    assert LlmConnection.objects.get() == other


@pytest.mark.parametrize("connection", ["", "none", "x\x00y"])
def test_connections_that_are_none(workspace, alice, connection):
    assert alice.get(at("edit", workspace.project, connection=connection)).status_code == 404
    assert alice.post(at("test", workspace.project), {"connection": connection}).status_code == 404


def test_a_key_that_cannot_be_read_any_more_says_so(workspace, alice, settings):
    connection = saved(workspace.project)
    settings.ENCRYPTION_KEY = "another"
    answer = text_of(alice.post(at("test", workspace.project), {"connection": connection.pk}))
    assert "The connection is not set up right" in answer
    assert "another ENCRYPTION_KEY" in answer


def test_roles_are_looked_up_each_time(workspace):
    Membership.objects.filter(user=workspace.bob).delete()
    assert signed_in(workspace.bob).get(at("list", workspace.project)).status_code == 404
