"""Settings of a project: automations, for each role, against a receiver on this machine."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from accounts.access import scope_for_task
from accounts.audit import SYSTEM
from accounts.models import AuditLog
from accounts.roles import Role
from prompts.actions import automations as actions
from prompts.actions import prompts as changes
from prompts.actions import sending
from prompts.actions.prompts import NewVersion
from prompts.models import Automation, Delivery
from tests.factories import make_project, make_user, make_workspace
from tests.prompts.receiver_stub import ReceiverStub

pytestmark = pytest.mark.django_db
HEADER_SECRET, TOKEN = "team-secret-0123456789", "ghp_0123456789abcdefghij"
ALL = ["created", "updated", "deleted"]


@pytest.fixture
def receiver(settings):
    with ReceiverStub() as stub:
        settings.OUTGOING_ALLOWED = {"llm": [], "webhook": [f"localhost:{stub.port}"]}
        yield stub


@pytest.fixture
def workspace():
    return make_workspace()


@pytest.fixture
def scope(workspace):
    return scope_for_task(workspace.project.pk)


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
    return reverse(f"prompts:automation-{view}", args=[project.pk]) + (f"?{urlencode(query)}" if query else "")


def text_of(answer):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())))


def typed(receiver, path="/ok", **values):
    return {"kind": "webhook", "name": "mine", "url": receiver.url(path), "event": ALL, **values}


def automate(scope, url, **values):
    given = {"name": "mine", "kind": "webhook", "events": ALL, "url": url, **values}
    return actions.create_automation(scope, actions.Given(**given), actor=SYSTEM)[0]


def written(scope, name="movie-critic", **values):
    changes.create_version(scope, NewVersion(name=name, type="text", content="Rate {{movie}}.", **values), actor=SYSTEM)


# --- Added and edited -------------------------------------------------------------------------------------
def test_nothing_yet_says_what_to_do(workspace, alice):
    page = alice.get(at("list", workspace.project))
    assert "Nobody is told yet" in text_of(page)
    assert at("new", workspace.project) in page.content.decode()
    assert "incoming webhook" in text_of(alice.get(at("new", workspace.project)))
    for kind, field in (("webhook", "headers"), ("slack", "url"), ("github", "repository")):
        assert f'name="{field}"' in alice.get(at("new", workspace.project, kind=kind)).content.decode()
    assert 'name="headers"' not in alice.get(at("new", workspace.project, kind="slack")).content.decode()


def test_the_secret_is_shown_once_and_made_anew_by_a_button(workspace, alice, receiver):
    form = typed(
        receiver, names="movie-critic\nsupport/", labels="production, staging", headers=f"X-Key: {HEADER_SECRET}"
    )
    answer = alice.post(at("create", workspace.project), form)
    automation = Automation.objects.get()
    assert answer.status_code == 200
    assert automation.secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"] or "no-cache" in answer["Cache-Control"]
    assert (automation.names, automation.labels) == (["movie-critic", "support/"], ["production", "staging"])
    assert automation.headers == {"X-Key": HEADER_SECRET}
    where = {"automation": automation.pk}
    for view in ("list", "detail", "edit"):
        page = alice.get(at(view, workspace.project, **where)).content.decode()
        assert automation.secret not in page
        assert HEADER_SECRET not in page
    assert "X-Key" in page
    before = automation.secret
    renewed = alice.post(at("secret", workspace.project), where)
    automation.refresh_from_db()
    assert automation.secret != before
    assert automation.secret in renewed.content.decode()
    assert AuditLog.objects.filter(action="automation.secret").count() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "Give it a name."),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"name": "a\nb"}, "no line breaks"),
        ({"url": ""}, "Enter the address."),
        ({"url": "http://10.0.0.1/hook"}, "SPANWISE_OUTGOING_ALLOWED opens it"),
        ({"url": "http://169.254.169.254/latest"}, "SPANWISE_OUTGOING_ALLOWED opens it"),
        ({"url": "ftp://example.com"}, "An address begins with https://"),
        ({"url": "https://a:b@example.com/"}, "no user name or password"),
        ({"url": "https://" + "x" * 2000}, "at most 2000 characters"),
        ({"event": []}, "Choose at least one."),
        ({"event": ["boiled"]}, "This does not happen to prompts."),
        ({"labels": "Produktion!"}, "is no label"),
        ({"names": "\n".join(f"p{n}" for n in range(101))}, "at most 100 prompts and folders"),
        ({"names": "x" * 300}, "at most 255 characters"),
        ({"headers": "Host: x"}, "no header that can be set"),
        ({"headers": "X-Kéy: 1"}, "no header that can be set"),
        ({"kind": "github", "token": "", "repository": "acme/p", "event_type": "x"}, "Enter a token."),
        ({"kind": "github", "token": TOKEN, "repository": "acme", "event_type": "x"}, "as owner/name"),
        ({"kind": "github", "token": TOKEN, "repository": "acme/p", "event_type": ""}, "Name the event"),
        ({"kind": "github", "token": "a b", "repository": "acme/p", "event_type": "x"}, "A token holds no spaces"),
    ],
)
def test_what_is_wrong_is_told_in_place_and_what_was_typed_stays(workspace, alice, receiver, change, words):
    form = typed(receiver, **{"names": "kept/", "headers": f"X-Key: {HEADER_SECRET}", **change})
    answer = alice.post(at("create", workspace.project), form)
    assert answer.status_code == 422
    assert words in text_of(answer)
    if "names" not in change:
        assert "kept/" in answer.content.decode()
    assert HEADER_SECRET not in answer.content.decode()
    assert TOKEN not in answer.content.decode()
    assert not Automation.objects.exists()


def test_two_of_one_name_are_refused_and_so_are_too_many(workspace, scope, alice, receiver, monkeypatch):
    automate(scope, receiver.url("/ok"))
    answer = alice.post(at("create", workspace.project), typed(receiver))
    assert "Another automation has this name." in text_of(answer)
    monkeypatch.setattr(actions, "MOST_AUTOMATIONS", 1)
    answer = alice.post(at("create", workspace.project), typed(receiver, name="second"))
    assert (answer.status_code, "at most 1 automations" in text_of(answer)) == (422, True)


def test_one_is_changed_and_keeps_what_is_not_shown(workspace, scope, alice, receiver):
    automation = automate(scope, receiver.url("/ok"), headers={"X-A": HEADER_SECRET, "X-B": "2"})
    secret = automation.secret
    form = typed(
        receiver, "/other", name="renamed", automation=automation.pk, keep=["X-A"], headers="X-C: 3", event=["created"]
    )
    assert alice.post(at("update", workspace.project), form).status_code == 303
    automation.refresh_from_db()
    assert (automation.name, automation.events, automation.url) == ("renamed", ["created"], receiver.url("/other"))
    assert automation.headers == {"X-A": HEADER_SECRET, "X-C": "3"}
    assert automation.secret == secret


def test_secrets_do_not_follow_to_another_address(workspace, scope, alice, receiver):
    """Or whoever may edit could have them sent to themselves."""
    automation = automate(scope, receiver.url("/ok"), headers={"X-A": HEADER_SECRET})
    there = typed(receiver, automation=automation.pk, url="https://1.1.1.1/", keep=["X-A"])
    assert "Enter the header X-A again" in text_of(alice.post(at("update", workspace.project), there))
    github = automate(scope, receiver.url("/"), name="gh", kind="github", token=TOKEN, repository="a/b", event_type="x")
    there = {**there, "automation": github.pk, "repository": "a/b", "event_type": "x"}
    assert "Enter the token again" in text_of(alice.post(at("update", workspace.project), there))


def test_the_address_of_a_channel_is_never_shown_and_stays(workspace, scope, alice, receiver):
    url = receiver.url("/services/T0/B0/very-secret-path")
    automation = automate(scope, url, kind="slack")
    written(scope)
    sending.send_due()
    delivery = Delivery.objects.get()
    for address in (
        at("list", workspace.project),
        at("detail", workspace.project, automation=automation.pk),
        at("edit", workspace.project, automation=automation.pk),
        at("delivery", workspace.project, delivery=delivery.pk),
    ):
        assert "very-secret-path" not in alice.get(address).content.decode()
    form = {"automation": automation.pk, "name": "renamed", "url": "", "event": ["created"]}
    assert alice.post(at("update", workspace.project), form).status_code == 303
    automation.refresh_from_db()
    assert automation.url == url


# --- Looked into ------------------------------------------------------------------------------------------
def test_history_says_what_was_sent_and_what_came_back(workspace, scope, alice, receiver):
    automation = automate(scope, receiver.url("/echo"), headers={"X-Team-Key": HEADER_SECRET})
    written(scope, labels=["production"])
    receiver.answers.append(503)
    sending.send_due()
    detail = alice.get(at("detail", workspace.project, automation=automation.pk))
    assert "movie-critic v1 created" in text_of(detail)
    assert "trying again" in text_of(detail)
    assert "It answered 503." in text_of(detail)
    delivery = Delivery.objects.get()
    assert alice.post(at("again", workspace.project), {"delivery": delivery.pk}).status_code == 303
    sending.send_due()
    page = alice.get(at("delivery", workspace.project, delivery=delivery.pk))
    text = text_of(page)
    for words in (
        "delivered",
        "Attempt 2",
        "Attempt 1",
        "as it was told",
        "x-langfuse-signature",
        "tea…6789",
        "HTTP 200",
    ):
        assert words in text
    assert '"name": "movie-critic"' in text
    assert HEADER_SECRET not in page.content.decode()
    assert automation.secret not in page.content.decode()


def test_history_is_narrowed_and_walked(workspace, scope, alice, receiver):
    automation = automate(scope, receiver.url("/ok"), events=["created"])
    for at_number in range(60):
        written(scope, f"p/{at_number:02}")
    sending.send_due()
    Delivery.objects.filter(event__prompt_name="p/07").update(status="failed")
    here = {"automation": automation.pk}
    first = text_of(alice.get(at("detail", workspace.project, **here)))
    assert "All 60" in first
    assert "p/59" in first
    assert "p/05" not in first
    older = re.search(r'rel="next" href="([^"]*)"', alice.get(at("detail", workspace.project, **here)).content.decode())
    second = text_of(alice.get(unescape(older[1])))
    assert "p/05" in second
    assert "p/59" not in second
    failed = text_of(alice.get(at("detail", workspace.project, **here, status="failed")))
    assert "p/07" in failed
    assert "p/08" not in failed
    assert "No delivery here is like that." in text_of(
        alice.get(at("detail", workspace.project, **here, status="waiting"))
    )
    for odd in ({"status": "x"}, {"before": "x"}, {"before": "9" * 40}, {"before": "-1"}, {"status": "\x00"}):
        assert "p/59" in text_of(alice.get(at("detail", workspace.project, **here, **odd)))


def test_a_test_leads_to_what_came_of_it(workspace, scope, alice, receiver):
    automation = automate(scope, receiver.url("/500"))
    answer = alice.post(at("test", workspace.project), {"automation": automation.pk})
    assert answer.status_code == 303
    waiting = alice.get(answer.url)
    assert "hx-trigger" in waiting.content.decode()
    assert "A worker takes it in a moment." in text_of(waiting)
    sending.send_due()
    part = alice.get(answer.url, headers={"HX-Request": "true", "HX-Target": "delivery"})
    assert part.content.decode().strip().startswith('<div id="delivery"')
    assert "hx-trigger" not in part.content.decode()
    assert "a 500 of the stub" in text_of(part)
    assert "Test again" in text_of(alice.get(answer.url))
    assert receiver.payloads[0]["prompt"]["name"] == "spanwise-test"


def test_switched_off_it_says_why_and_is_switched_on_again(workspace, scope, alice, mia, receiver):
    automation = automate(scope, receiver.url("/410"))
    written(scope)
    sending.send_due()
    here = at("detail", workspace.project, automation=automation.pk)
    assert "mine was switched off. The receiver answered 410" in text_of(alice.get(at("list", workspace.project)))
    assert "Switch it on" in text_of(alice.get(here))
    assert "The receiver answered 410" in text_of(mia.get(here))
    assert "Switch it on" not in text_of(mia.get(here))
    on = alice.post(at("switch", workspace.project), {"automation": automation.pk, "on": "1"}, follow=True)
    assert "The automation “mine” is on." in text_of(on)
    assert "Switch it off" in text_of(on)
    Automation.objects.update(failures=2)
    assert "The last 2 deliveries failed for good." in text_of(alice.get(here))
    off = alice.post(at("switch", workspace.project), {"automation": automation.pk}, follow=True)
    assert "Nobody is told of changes." in text_of(off)
    again = alice.post(at("again", workspace.project), {"delivery": Delivery.objects.get().pk}, follow=True)
    assert "This automation is off." in text_of(again)
    gone = alice.post(at("delete", workspace.project), {"automation": automation.pk}, follow=True)
    assert "is deleted" in text_of(gone)
    assert not Delivery.objects.exists()


def test_hostile_names_and_answers_are_text(workspace, scope, alice, receiver):
    automation = automate(scope, receiver.url("/echo"), name="<script>alert(1)</script>", names=["<img src=x>*"])
    actions.send_test(scope, automation.pk)
    sending.send_due()
    attempt = Delivery.objects.get().attempts.get()
    attempt.response_body, attempt.problem = "<script>alert(2)</script>\u202e", "<img src=y>"
    attempt.response_headers = {"<b>": "<i>"}
    attempt.save()
    for address in (
        at("list", workspace.project),
        at("detail", workspace.project, automation=automation.pk),
        at("edit", workspace.project, automation=automation.pk),
        at("delivery", workspace.project, delivery=Delivery.objects.get().pk),
    ):
        page = alice.get(address).content.decode()
        for hostile in ("<script>alert", "<img src", "<b>:", "<i>", "\u202e"):
            assert hostile not in page


# --- Who may ----------------------------------------------------------------------------------------------
FORMS = ["create", "update", "delete", "test", "again", "secret", "switch"]


def test_members_and_viewers_see_the_state_and_no_headers(workspace, scope, mia, receiver):
    automation = automate(scope, receiver.url("/echo"), headers={"X-Team-Key": HEADER_SECRET})
    written(scope)
    sending.send_due()
    delivery = Delivery.objects.get()
    for client in (mia, signed_in(workspace.bob)):
        pages = [
            client.get(at("list", workspace.project)),
            client.get(at("detail", workspace.project, automation=automation.pk)),
            client.get(at("delivery", workspace.project, delivery=delivery.pk)),
        ]
        assert "delivered" in text_of(pages[1])
        assert "X-Team-Key" not in text_of(pages[1])
        assert automation.masked_secret not in text_of(pages[1])
        assert "User-Agent" not in text_of(pages[2])
        for page in pages:
            assert "<form" not in page.content.decode().split("<main", 1)[1].split("</main>", 1)[0]
        for view in ("new", "edit"):
            assert client.get(at(view, workspace.project, automation=automation.pk)).status_code == 403
        for view in FORMS:
            given = {"automation": automation.pk, "delivery": delivery.pk}
            assert client.post(at(view, workspace.project), given).status_code == 403


def test_strangers_and_other_projects_find_nothing(workspace, alice, receiver):
    other = scope_for_task(make_project("Other").pk)
    automation = automate(other, receiver.url("/ok"))
    actions.send_test(other, automation.pk)
    given = {"automation": automation.pk, "delivery": Delivery.objects.get().pk}
    charlie = signed_in(workspace.charlie)
    for view in ("list", "new", "edit", "detail", "delivery"):
        assert charlie.get(at(view, workspace.project, **given)).status_code == 404
    for view in ("edit", "detail", "delivery"):
        assert alice.get(at(view, workspace.project, **given)).status_code == 404
    for view in FORMS[1:]:
        assert alice.post(at(view, workspace.project), given).status_code == 404
    assert Automation.objects.get() == automation


@pytest.mark.parametrize("given", ["", "none", "x\x00y", "9" * 30, "-1", "٣"])
def test_what_there_is_not(workspace, alice, given):
    for view in ("edit", "detail", "delivery"):
        assert alice.get(at(view, workspace.project, automation=given, delivery=given)).status_code == 404
    for view in FORMS[1:]:
        assert alice.post(at(view, workspace.project), {"automation": given, "delivery": given}).status_code == 404
