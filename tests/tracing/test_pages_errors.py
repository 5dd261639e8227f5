"""What cannot be shown says why: as a page, or in the place of the part that a script asked for."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from config import navigation
from config.errors import Unavailable
from tracing.queries import explorer, groups, traces

LISTS = ("trace-list", "session-list", "user-list")
NAVIGATION = '<nav class="nav"'


def _page(name, project, *args):
    return reverse(f"tracing:{name}", args=[project.pk, *args])


def _asking_for(part):
    return {"HX-Request": "true", "HX-Target": part}


def _text(answer):
    return answer.content.decode()


@pytest.fixture
def lenient(alice):
    alice.raise_request_exception = False
    return alice


def _fail(error):
    def failing(*args, **kwargs):
        raise error

    return failing


@pytest.mark.parametrize("name", [*LISTS, "onboarding"])
def test_scripts_are_told_where_to_sign_in(client, project, name):
    address = f"{_page(name, project)}?q=x"
    answer = client.get(address, headers=_asking_for("results"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["HX-Redirect"] == f"/accounts/login/?next={address.replace('?', '%3F').replace('=', '%3D')}"
    assert answer["Cache-Control"] == "no-store"
    assert "Location" not in answer
    assert client.get(address).status_code == 302


def test_what_is_not_there_keeps_the_navigation(alice, charlie, project):
    for address in (_page("trace-detail", project, "nope"), "/no/such/page"):
        answer = alice.get(address)
        assert answer.status_code == 404
        assert NAVIGATION in _text(answer)
        assert reverse("tracing:session-list", args=[project.pk]) in _text(answer)
    stranger = charlie.get(_page("trace-list", project))
    assert stranger.status_code == 404
    assert project.pk not in _text(stranger).replace(_page("trace-list", project), "")
    assert project.name not in _text(stranger)


def test_nobody_is_shown_a_navigation_of_nothing(db):
    answer = Client().get("/no/such/page")
    assert answer.status_code == 404
    assert NAVIGATION not in _text(answer)


def test_a_failure_of_the_server_is_told_without_the_navigation(lenient, project, monkeypatch):
    monkeypatch.setattr(explorer, "list_page", _fail(RuntimeError("broken")))
    answer = lenient.get(_page("trace-list", project))
    assert answer.status_code == 500
    assert NAVIGATION not in _text(answer)
    assert "Something went wrong" in _text(answer)


def test_a_database_that_fails_under_the_navigation_too_is_told(lenient, monkeypatch):
    monkeypatch.setattr(navigation, "projects_of", _fail(OperationalError("gone")))
    answer = lenient.get("/no/such/page")
    assert answer.status_code == 500
    assert "Something went wrong" in _text(answer)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_cannot_be_read_says_so_in_its_place(alice, project, monkeypatch, name):
    for module, function in ((explorer, "list_page"), (groups, "list_groups")):
        monkeypatch.setattr(module, function, _fail(Unavailable("away")))
    answer = alice.get(_page(name, project), headers=_asking_for("results"))
    assert answer.status_code == 503
    assert answer["HX-Retarget"] == "#results"
    assert 'id="results"' in _text(answer)
    assert "does not answer" in _text(answer)


def test_another_part_that_cannot_be_read_is_a_line_above_the_page(alice, project, monkeypatch):
    monkeypatch.setattr(traces, "newest_trace", _fail(Unavailable("away")))
    answer = alice.get(_page("onboarding", project), headers=_asking_for("waiting"))
    assert answer.status_code == 503
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#messages", "beforeend")
    assert answer["HX-Push-Url"] == "false"
    assert 'data-about="waiting"' in _text(answer)
    assert "<html" not in _text(answer)


def test_a_form_of_before_one_signed_in_anew_says_so_where_it_was_sent_from(workspace, project):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(workspace.alice, "allauth.account.auth_backends.AuthenticationBackend")
    form, address = {"trace": "t", "bookmarked": "1"}, _page("trace-bookmark", project)
    page = strict.post(address, form)
    assert page.status_code == 403
    assert NAVIGATION in _text(page)
    here = f"{_page('trace-detail', project, 't')}?find=x"
    headers = {**_asking_for("trace-acts"), "HX-Current-URL": f"http://testserver{here}"}
    line = strict.post(address, form, headers=headers)
    assert (line.status_code, line["HX-Retarget"]) == (403, "#messages")
    for answer in (page, line):
        assert "from before you last signed in" in _text(answer)
    assert f'href="{here}"' in _text(line)
    strict.logout()
    assert "Allow cookies" in _text(strict.post("/accounts/login/", {}))
