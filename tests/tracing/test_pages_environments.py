"""The environments one works in: every list of that project keeps to them, and says so in its address."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from tests.factories import make_project
from tests.tracing.page_data import put_trace

LISTS = ("trace-list", "observation-list", "session-list", "user-list")
CHOSEN = "?environment=production"


@pytest.fixture
def two(project):
    for environment in ("production", "staging"):
        put_trace(
            project.pk, name=environment, environment=environment, session_id=environment, user_id=environment,
            root={"environment": environment},
        )  # fmt: skip


def _page(name, project):
    return reverse(f"tracing:{name}", args=[project.pk])


@pytest.mark.parametrize("name", LISTS)
def test_every_list_keeps_to_what_was_chosen_on_any(alice, project, two, name):
    alice.get(_page("trace-list", project) + CHOSEN)
    answer = alice.get(_page(name, project))
    assert (answer.status_code, answer["Location"]) == (302, _page(name, project) + CHOSEN)
    table = re.search("<tbody.*?</tbody>", alice.get(answer["Location"]).content.decode(), re.DOTALL)[0]
    assert "production" in table
    assert "staging" not in table


def test_another_choice_replaces_it_and_all_of_them_forgets_it(alice, project, two):
    address = _page("trace-list", project)
    alice.get(address + CHOSEN)
    assert alice.get(address + "?environment=&environment=staging&q=x", follow=True).redirect_chain == [
        (f"{address}?environment=staging&q=x", 302)
    ]
    assert alice.get(address)["Location"] == f"{address}?environment=staging"
    assert alice.get(address + "?environment=&q=x")["Location"] == f"{address}?q=x"
    assert alice.get(address).status_code == 200


def test_another_project_has_a_choice_of_its_own(alice, project, two, workspace):
    other = make_project("Other", organization=workspace.organization)
    alice.get(_page("trace-list", project) + CHOSEN)
    assert alice.get(_page("trace-list", other)).status_code == 200


def test_the_menu_offers_what_is_traced_and_what_is_chosen(alice, project, two):
    html = alice.get(_page("user-list", project) + "?environment=gone&range=30d").content.decode()
    menu = re.search(r'<details [^>]*id="environments".*?</details>', html, re.DOTALL)[0]
    offered = re.findall(r'type="checkbox" name="environment" value="([^"]*)"( checked)?', menu)
    assert sorted(offered) == [("gone", " checked"), ("production", ""), ("staging", "")]
    assert '<input type="hidden" name="range" value="30d"' in menu


def test_a_project_of_one_environment_needs_no_menu(alice, project):
    put_trace(project.pk, name="only")
    assert 'id="environments"' not in alice.get(_page("trace-list", project)).content.decode()


def test_what_is_no_environment_is_no_error(alice, project, two):
    answer = alice.get(_page("trace-list", project), {"environment": ["\0", "x" * 5000, "'; DROP"]}, follow=True)
    assert answer.status_code == 200
