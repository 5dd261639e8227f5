"""What a few letters find: pages and things of this project and the reader's other projects, and of nobody else's."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.urls import reverse

from config.errors import Unavailable
from tests.factories import make_project
from tests.tracing.page_data import HOSTILE, put_trace
from tracing.queries import named


@pytest.fixture
def find(project):
    def ask(client, text):
        answer = client.get(reverse("accounts:go", args=[project.pk]), {"q": text})
        assert answer.status_code == 200
        options = re.findall(r'role="option"[^>]*href="([^"]*)".*?class="title">(.*?)<', answer.content.decode())
        return {unescape(title): unescape(url) for url, title in options}

    return ask


def test_without_a_word_the_pages_are_offered(find, alice, project):
    assert find(alice, "")["Sessions"] == reverse("tracing:session-list", args=[project.pk])


def test_things_by_their_whole_id(find, alice, project):
    traced = put_trace(project.pk, {"name": "inner"}, name="outer")
    address = reverse("tracing:trace-detail", args=[project.pk, traced.id])
    assert find(alice, traced.id)["outer"] == address
    child = traced.observations[1]
    assert find(alice, child.id)["inner"] == f"{address}?observation={child.id}"
    assert "outer" not in find(alice, traced.id[:-1])


def test_names_sessions_and_users_by_a_part_in_any_case(find, alice, project):
    put_trace(project.pk, name="Weekly Überblick", session_id="chat/ÜBER 1", user_id="über@example.com")
    found = find(alice, "über")
    assert found["Weekly Überblick"].endswith("?q=name%3A%22Weekly+%C3%9Cberblick%22")
    assert found["chat/ÜBER 1"] == reverse("tracing:session-detail", args=[project.pk, "chat/ÜBER 1"])
    assert found["über@example.com"] == reverse("tracing:user-detail", args=[project.pk, "über@example.com"])


def test_what_looks_like_the_query_language_is_searched_as_words(find, alice):
    assert find(alice, 'level:ERROR "x')['Traces that hold “level:ERROR "x”'].endswith("?q=%22level%3AERROR+%5C%22x%22")


def test_another_project_is_a_place_to_go_and_its_things_are_not(find, alice, project, workspace):
    put_trace(make_project("Other", organization=workspace.organization).pk, name="other trace", id="0" * 32)
    assert set(find(alice, "other")) == {"Other", "Traces that hold “other”"}
    assert set(find(alice, "0" * 32)) == {f"Traces that hold “{'0' * 32}”"}


def test_strangers_find_nothing(alice, charlie, client, project, find):
    assert charlie.get(reverse("accounts:go", args=[project.pk])).status_code == 404
    assert client.get(reverse("accounts:go", args=[project.pk])).status_code == 302
    assert "Secret" not in find(alice, "secret")


def test_settings_are_offered_to_those_who_may_open_them(find, alice, bob):
    assert "API keys" in find(alice, "api keys")
    assert "API keys" not in find(bob, "api keys")


def test_names_are_text(alice, project):
    put_trace(project.pk, name=HOSTILE, user_id=HOSTILE, session_id=HOSTILE)
    html = alice.get(reverse("accounts:go", args=[project.pk]), {"q": "script"}).content.decode()
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert") == 3


def test_pages_are_found_while_the_store_is_away(find, alice, monkeypatch):
    def away(*args, **kwargs):
        raise Unavailable("away")

    monkeypatch.setattr(named.store, "rows", away)
    assert "Sessions" in find(alice, "sess")
