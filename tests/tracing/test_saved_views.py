"""Saved views: kept, shared, opened by link and by default, and nobody else's business."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from tests.factories import make_project, make_user
from tracing.models import DefaultView, SavedView

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]


def lists(project, noun="trace"):
    return reverse(f"tracing:{noun}-list", args=[project.pk])


def change(client, project, act, noun="trace", **said):
    return client.post(reverse(f"tracing:{noun}-view-change", args=[project.pk]), {"act": act, **said}, follow=True)


def words(answer):
    return [str(message) for message in answer.context["messages"]]


def opened(client, project, query=""):
    answer = client.get(lists(project) + query)
    return parse_qs(urlsplit(answer.get("Location", "")).query)


def test_a_view_keeps_what_the_list_is_and_opens_by_its_link(alice, project):
    query = "?q=level%3AERROR&range=7d&sort=-cost&columns=time,name,cost&before=x&peek=y&evil=1"
    answer = change(alice, project, "save", name="  Dear  errors ", query=query)
    view = SavedView.objects.get()
    assert words(answer) == ["The view is saved."]
    assert view.name == "Dear errors"
    assert parse_qs(view.query) == {
        "q": ["level:ERROR"], "range": ["7d"], "sort": ["-cost"], "columns": ["time,name,cost"],
    }  # fmt: skip
    assert opened(alice, project, f"?view={view.pk}") == {**parse_qs(view.query), "view": [str(view.pk)]}
    page = alice.get(f"{lists(project)}?{view.query}&view={view.pk}").content.decode()
    assert "Dear errors" in page
    assert "Update “" not in page
    changed = alice.get(f"{lists(project)}?{view.query}+x&view={view.pk}").content.decode()
    assert "Update “Dear errors”" in changed.replace("&quot;", '"') or "changed" in changed


def test_names_are_taken_once_in_any_case_and_have_a_length(alice, project):
    change(alice, project, "save", name="Mine", query="q=a")
    assert "already a view" in words(change(alice, project, "save", name="mine", query="q=b"))[0]
    assert "1 to 80" in words(change(alice, project, "save", name="x" * 81, query=""))[0]
    assert "1 to 80" in words(change(alice, project, "save", name=" ", query=""))[0]
    change(alice, project, "save", name="mine", query="q=b", shared="1")
    change(alice, project, "save", "observation", name="mine", query="q=c")
    assert SavedView.objects.count() == 3
    assert "no such act" in words(change(alice, project, "nonsense"))[0]


def test_views_are_updated_renamed_shared_and_deleted(alice, project):
    change(alice, project, "save", name="one", query="q=a")
    view = SavedView.objects.get()
    for act, said, field, value in (
        ("update", {"query": "?q=b"}, "query", "q=b"),
        ("rename", {"name": "two"}, "name", "two"),
        ("share", {}, "is_shared", True),
        ("unshare", {}, "is_shared", False),
    ):
        change(alice, project, act, view=str(view.pk), **said)
        view.refresh_from_db()
        assert getattr(view, field) == value
    change(alice, project, "delete", view=str(view.pk))
    assert not SavedView.objects.exists()
    assert "no such view" in words(change(alice, project, "delete", view=str(view.pk)))[0]


def test_my_default_comes_before_the_projects_and_an_address_before_both(alice, bob, project):
    change(alice, project, "save", name="all", query="q=project", shared="1")
    change(alice, project, "save", name="own", query="q=own")
    shared, own = SavedView.objects.get(is_shared=True), SavedView.objects.get(is_shared=False)
    assert "Share the view" in words(change(alice, project, "set-default-project", view=str(own.pk)))[0]
    change(alice, project, "set-default-project", view=str(shared.pk))
    assert opened(bob, project)["q"] == ["project"]
    assert opened(alice, project)["q"] == ["project"]
    change(alice, project, "set-default-mine", view=str(own.pk))
    assert opened(alice, project)["q"] == ["own"]
    for said in ("?view=none", "?q=else", "?range=1h"):
        assert opened(alice, project, said) == {}
    change(alice, project, "drop-default-mine", view=str(own.pk))
    assert opened(alice, project)["q"] == ["project"]
    change(alice, project, "unshare", view=str(shared.pk))
    assert opened(bob, project) == {}, "nobody is led to what they cannot see"
    change(alice, project, "delete", view=str(shared.pk))
    assert not DefaultView.objects.exists()


def test_viewers_keep_their_own_and_members_share(alice, bob, charlie, workspace, project):
    change(bob, project, "save", name="bobs", query="q=b")
    own = SavedView.objects.get()
    assert own.owner == workspace.bob
    assert change(bob, project, "save", name="for all", query="", shared="1").status_code == 403
    assert change(bob, project, "share", view=str(own.pk)).status_code == 403
    assert alice.get(f"{lists(project)}?view={own.pk}").status_code == 404
    assert "no such view" in words(change(alice, project, "delete", view=str(own.pk)))[0]
    change(alice, project, "save", name="for all", query="q=a", shared="1")
    shared = SavedView.objects.get(is_shared=True)
    assert opened(bob, project, f"?view={shared.pk}")["q"] == ["a"]
    assert change(bob, project, "update", view=str(shared.pk), query="q=z").status_code == 403
    assert change(charlie, project, "save", name="x").status_code == 404
    member = make_user(organization=workspace.organization, role=Role.MEMBER)
    client = Client()
    client.force_login(member, "allauth.account.auth_backends.AuthenticationBackend")
    change(client, project, "rename", view=str(shared.pk), name="ours")
    assert SavedView.objects.get(is_shared=True).name == "ours"
    elsewhere = make_project("Another", organization=workspace.organization)
    assert alice.get(f"{lists(elsewhere)}?view={shared.pk}").status_code == 404
    assert alice.get(f"{lists(project, 'observation')}?view={shared.pk}").status_code == 404
    assert alice.get(f"{lists(project)}?view=nonsense").status_code == 404


def test_columns_that_are_gone_are_left_out_with_a_word(alice, project):
    change(alice, project, "save", name="old", query="columns=time,former,name,scores.s")
    view = SavedView.objects.get()
    answer = alice.get(f"{lists(project)}?view={view.pk}", follow=True)
    assert "former" in words(answer)[0]
    assert parse_qs(urlsplit(answer.redirect_chain[-1][0]).query)["columns"] == ["time,name,scores.s"]
