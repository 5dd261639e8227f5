"""Automations: what is told to whom, how often it is tried, when they give up; against a receiver on this machine."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.access import scope_for_task
from accounts.actions import delete_project
from accounts.audit import SYSTEM, Actor
from accounts.models import AuditLog, Membership, ProjectMembership
from accounts.roles import Role
from config.errors import Conflict, Forbidden, Invalid, NotFound
from prompts import bundles
from prompts.actions import automations as actions
from prompts.actions import prompts as changes
from prompts.actions import sending
from prompts.actions.prompts import NewVersion
from prompts.models import Attempt, Automation, Delivery, PromptEvent
from prompts.queries.automations import get_automation, get_delivery
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


@pytest.fixture
def clock(monkeypatch):
    """Time goes on when it is told to."""
    now, passed = timezone.now, SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(seconds=passed.seconds))

    def forward(seconds):
        passed.seconds += seconds

    return forward


def automate(scope, url, **values):
    given = {"name": f"to {Automation.objects.count()}", "kind": "webhook", "events": ALL, "url": url, **values}
    return actions.create_automation(scope, actions.Given(**given), actor=SYSTEM)


def written(scope, name="movie-critic", text="Rate {{movie}}.", actor=SYSTEM, **values):
    return changes.create_version(scope, NewVersion(name=name, type="text", content=text, **values), actor=actor)


def told(receiver):
    return [(one["action"], one["prompt"]["name"], one["prompt"]["version"]) for one in receiver.payloads]


def outcomes(automation):
    return [(one.status, one.tries) for one in Delivery.objects.filter(automation=automation).order_by("id")]


# --- What is told -----------------------------------------------------------------------------------------
def test_a_webhook_is_what_receivers_of_langfuse_expect(workspace, scope, receiver):
    automation, secret = automate(scope, receiver.url("/ok"), headers={"X-Team-Key": HEADER_SECRET})
    workspace.alice.name = "Alice 爱丽丝"
    workspace.alice.save()
    version = written(
        scope,
        config={"model": "gpt-4o"},
        labels=["production"],
        tags=["films"],
        commit_message="Kinder",
        actor=Actor.person(workspace.alice),
    )
    sending.send_due()
    (got,) = receiver.got
    payload = got.payload
    assert list(payload) == ["id", "timestamp", "type", "apiVersion", "action", "user", "prompt"]
    delivery = Delivery.objects.get()
    assert payload["id"] == delivery.key
    assert (payload["type"], payload["apiVersion"], payload["action"]) == ("prompt-version", "v1", "created")
    assert payload["timestamp"].endswith("Z")
    assert payload["user"] == {"id": workspace.alice.pk, "name": "Alice 爱丽丝", "email": "alice@example.com"}
    times = {name: payload["prompt"].pop(name) for name in ("createdAt", "updatedAt")}
    assert all(time.endswith("Z") for time in times.values())
    assert payload["prompt"] == {
        "id": version.pk,
        "name": "movie-critic",
        "version": 1,
        "projectId": scope.project_id,
        "labels": ["production", "latest"],
        "prompt": "Rate {{movie}}.",
        "type": "text",
        "config": {"model": "gpt-4o"},
        "commitMessage": "Kinder",
        "tags": ["films"],
    }
    # Computed as the documents of receivers compute it.
    parts = dict(part.split("=", 1) for part in got.headers["x-langfuse-signature"].split(","))
    signed = f"{parts['t']}.{got.body.decode()}".encode()
    assert parts["v1"] == hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert abs(int(parts["t"]) - timezone.now().timestamp()) < 60
    assert secret.startswith("lf-whsec_")
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-team-key"] == HEADER_SECRET
    assert got.headers["user-agent"].startswith("Langfuse/1.0")
    assert outcomes(automation) == [("delivered", 1)]


def test_each_change_tells_of_the_versions_that_it_touches(scope, receiver):
    automate(scope, receiver.url("/ok"))
    written(scope, labels=["production"])
    written(scope, text="2")
    changes.set_labels(scope, "movie-critic", 2, ["production"], actor=SYSTEM)
    changes.set_tags(scope, "movie-critic", ["a"], actor=SYSTEM)
    changes.set_tags(scope, "movie-critic", ["a"], actor=SYSTEM)
    changes.set_labels(scope, "movie-critic", 2, ["production"], actor=SYSTEM)
    changes.delete_versions(scope, "movie-critic", number=2, actor=SYSTEM)
    changes.delete_versions(scope, "movie-critic", actor=SYSTEM)
    sending.send_due()
    said = [(one["action"], one["prompt"]["version"], one["prompt"]["labels"]) for one in receiver.payloads]
    assert said == [
        ("created", 1, ["production", "latest"]),
        ("updated", 1, ["production"]),  # `latest` has moved on
        ("created", 2, ["latest"]),
        ("updated", 1, []),
        ("updated", 2, ["production", "latest"]),
        ("updated", 2, ["production", "latest"]),  # its tags
        ("deleted", 2, ["production", "latest"]),
        ("updated", 1, ["latest"]),
        ("deleted", 1, ["latest"]),
    ]
    assert receiver.payloads[5]["prompt"]["tags"] == ["a"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"events": ["deleted"]}, []),
        ({"events": ["updated"]}, [("updated", "movies/critic", 1)]),
        ({"names": ["movies/"], "events": ["created"]}, [("created", "movies/critic", n) for n in (1, 2)]),
        ({"names": ["movies"]}, []),
        ({"names": ["mov*"], "events": ["created"]}, [("created", "movies/critic", n) for n in (1, 2)]),
        ({"names": ["x", "plain"]}, [("created", "plain", 1)]),
        ({"labels": ["production"]}, [("created", "movies/critic", 1), ("updated", "movies/critic", 1)]),
        ({"labels": ["latest"], "names": ["plain"]}, [("created", "plain", 1)]),
    ],
)
def test_filters_say_what_is_told(scope, receiver, given, expected):
    automate(scope, receiver.url("/ok"), **given)
    written(scope, "movies/critic", labels=["production"])
    written(scope, "movies/critic", text="2")
    written(scope, "plain")
    sending.send_due()
    assert told(receiver) == expected


def test_of_a_label_that_moves_who_waits_for_it_hears_once_and_also_when_it_goes(scope, receiver):
    automate(scope, receiver.url("/ok"), labels=["production"], events=["updated"])
    written(scope, labels=["production"])
    written(scope, text="2")
    receiver.got.clear()
    Delivery.objects.all().delete()
    changes.set_labels(scope, "movie-critic", 2, ["production"], actor=SYSTEM)
    sending.send_due()
    assert told(receiver) == [("updated", "movie-critic", 2)]
    changes.set_labels(scope, "movie-critic", 2, [], actor=SYSTEM, exactly=True)
    sending.send_due()
    assert told(receiver)[1:] == [("updated", "movie-critic", 2)]
    assert receiver.payloads[1]["prompt"]["labels"] == ["latest"]


def test_embedded_prompts_are_put_in_as_programs_get_them(scope, receiver):
    written(scope, "rules", "Be kind.", labels=["production"])
    automate(scope, receiver.url("/ok"), names=["outer"])
    written(scope, "outer", "@@@langfusePrompt:name=rules|label=production@@@ Go.")
    sending.send_due()
    assert receiver.payloads[0]["prompt"]["prompt"] == "Be kind. Go."


def test_slack_gets_text_and_blocks_that_call_nobody(workspace, scope, receiver, settings):
    automate(scope, receiver.url("/services/T0/B0/slack-secret-path"), kind="slack")
    written(
        scope,
        "a & <b>/c".replace("<b>", "b"),
        labels=["production"],
        commit_message="<!channel> look\nhere",
        actor=Actor.person(workspace.alice),
    )
    sending.send_due()
    payload = receiver.payloads[0]
    assert set(payload) == {"text", "blocks"}
    assert payload["text"] == "a &amp; b/c: version 1 was created"
    text = payload["blocks"][0]["text"]["text"]
    assert f"<{settings.PUBLIC_URL}/projects/{scope.project_id}/prompts/a%20&%20b/c/?version=1|a &amp; b/c>" in text
    assert "&lt;!channel&gt; look\n> here" in text
    assert "`production`, `latest`" in text
    assert payload["blocks"][1]["elements"][0]["text"] == "Chatbot, by alice@example.com"
    assert "x-langfuse-signature" not in receiver.got[0].headers


def test_github_is_asked_to_dispatch(scope, receiver):
    github = {"kind": "github", "token": TOKEN, "repository": "acme/prompts", "event_type": "prompt-changed"}
    automate(scope, receiver.url("/api/v3/"), **github)
    written(scope)
    written(scope, "vast", "x" * 70_000)
    sending.send_due()
    got = receiver.got[0]
    assert got.path == "/api/v3/repos/acme/prompts/dispatches"
    assert got.headers["authorization"] == f"Bearer {TOKEN}"
    assert got.payload["event_type"] == "prompt-changed"
    assert got.payload["client_payload"]["prompt"]["name"] == "movie-critic"
    assert len(got.payload["client_payload"]) <= 10
    cut = receiver.got[1]
    assert len(cut.body) < 64 * 1024
    assert cut.payload["client_payload"]["truncation"]["payloadTruncated"] is True
    assert cut.payload["client_payload"]["prompt"]["name"] == "vast"
    shown = json.dumps(list(Attempt.objects.values("request_headers", "url", "response_headers")))
    assert TOKEN not in shown


# --- Through every door, and at the price of little -------------------------------------------------------
def bundle(number):
    rows = [{"name": f"p/{at}", "prompt": f"text {at}", "labels": ["production"]} for at in range(number)]
    return bundles.read(json.dumps(rows))


def test_an_import_writes_its_events_together_and_calls_one_worker(
    scope, receiver, monkeypatch, django_capture_on_commit_callbacks
):
    calls = []
    monkeypatch.setattr(sending, "call_worker", lambda: calls.append(1))
    for at in range(3):
        automate(scope, receiver.url(f"/ok/{at}"))
    with (
        django_capture_on_commit_callbacks(execute=True),
        CaptureQueriesContext(
            connection,
        ) as queries,
    ):
        assert bundles.import_prompts(scope, bundle(40), actor=SYSTEM) == 40
    assert (PromptEvent.objects.count(), Delivery.objects.count(), len(calls)) == (40, 120, 1)
    about = [one["sql"] for one in queries if "prompts_automation" in one["sql"] or "prompts_promptevent" in one["sql"]]
    written_down = [one["sql"] for one in queries if "prompts_delivery" in one["sql"]]
    assert len(about) <= 4
    assert len(written_down) <= 4


def test_a_change_that_is_taken_back_is_told_to_nobody(scope, receiver):
    automate(scope, receiver.url("/ok"))
    rows = bundle(2)
    rows[1].versions[0] = NewVersion(name="p/1", type="text", content="@@@langfusePrompt:name=no|label=x@@@")
    with pytest.raises(Invalid):
        bundles.import_prompts(scope, rows, actor=SYSTEM)
    with pytest.raises(Invalid):
        changes.set_labels(scope, *_existing(scope), ["latest"], actor=SYSTEM)
    assert PromptEvent.objects.filter(prompt_name__startswith="p/").count() == 0


def _existing(scope):
    version = written(scope, "there")
    return version.prompt.name, version.number


def test_where_nobody_listens_a_change_costs_one_query(scope, receiver):
    written(scope)
    with CaptureQueriesContext(connection) as queries:
        changes.set_labels(scope, "movie-critic", 1, ["a"], actor=SYSTEM)
    assert len([one for one in queries if "prompts_automation" in one["sql"]]) == 1
    assert not any("prompts_delivery" in one["sql"] or "prompts_promptevent" in one["sql"] for one in queries)


def test_copies_are_told_of_too(scope, receiver):
    written(scope, labels=["production"])
    written(scope, text="2")
    automate(scope, receiver.url("/ok"), events=["created"])
    changes.duplicate_prompt(scope, "movie-critic", "copy", number=None, actor=SYSTEM)
    sending.send_due()
    assert told(receiver) == [("created", "copy", 1), ("created", "copy", 2)]


# --- Trying again -----------------------------------------------------------------------------------------
def test_what_fails_is_tried_by_plan_and_then_given_up(scope, receiver, clock):
    automation, _ = automate(scope, receiver.url("/500"))
    written(scope)
    sending.send_due()
    for number, pause in enumerate(sending.PLAN, 1):
        assert (outcomes(automation), len(receiver.got)) == ([("waiting", number)], number)
        clock(pause - 1)
        sending.send_due()
        assert len(receiver.got) == number
        clock(2)
        sending.send_due()
    assert (outcomes(automation), len(receiver.got)) == ([("failed", 5)], 5)
    clock(100_000)
    sending.send_due()
    assert len(receiver.got) == 5
    assert {one["id"] for one in receiver.payloads} == {Delivery.objects.get().key}
    signatures = {one.headers["x-langfuse-signature"] for one in receiver.got}
    assert len(signatures) == 5  # each attempt is signed at its own time
    attempts = list(Attempt.objects.all())
    assert [one.problem for one in attempts] == ["It answered 500."] * 5
    assert attempts[0].response_body == "a 500 of the stub"
    automation.refresh_from_db()
    assert (automation.failures, automation.is_on) == (1, True)


def test_order_is_kept_while_one_waits_to_be_tried_again(scope, receiver, clock):
    automation, _ = automate(scope, receiver.url("/ok"), events=["created"])
    receiver.answers.append(503)
    for name in ("a", "b", "c"):
        written(scope, name)
    sending.send_due()
    assert told(receiver) == [("created", "a", 1)]
    clock(11)
    sending.send_due()
    assert told(receiver) == [("created", name, 1) for name in ("a", "a", "b", "c")]
    assert outcomes(automation) == [("delivered", 2), ("delivered", 1), ("delivered", 1)]


def test_a_receiver_that_asks_for_time_gets_it(scope, receiver, clock):
    automate(scope, receiver.url("/429"))
    written(scope)
    sending.send_due()
    clock(60)
    sending.send_due()
    assert len(receiver.got) == 1  # the plan says ten seconds, the receiver 120
    clock(61)
    sending.send_due()
    assert len(receiver.got) == 2


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/slow", "did not answer in time"),
        ("/cut", "broke off in the middle"),
        ("/moved/302", "where the event would be lost"),
        ("/moved/307", "is a private or special address"),
        ("/418", "It answered 418."),
    ],
)
def test_what_went_wrong_is_said_and_tried_again(scope, receiver, monkeypatch, path, problem):
    monkeypatch.setattr(sending, "_LIMITS", sending.Limits(1, 0.3, 0.6, 1024))
    receiver.redirect_to = "http://127.0.0.2:9/inner"
    automation, _ = automate(scope, receiver.url(path))
    written(scope)
    sending.send_due()
    attempt = Attempt.objects.get()
    assert problem in attempt.problem
    assert outcomes(automation) == [("waiting", 1)]


def test_a_redirect_that_keeps_the_event_is_followed_without_secrets(scope, receiver):
    with ReceiverStub() as other:
        from django.conf import settings

        settings.OUTGOING_ALLOWED["webhook"].append(f"localhost:{other.port}")
        receiver.redirect_to = other.url("/ok")
        automate(scope, receiver.url("/moved/308"), headers={"X-Team-Key": HEADER_SECRET})
        written(scope)
        sending.send_due()
        (got,) = other.got
    assert got.body == receiver.got[0].body
    assert "x-team-key" not in got.headers
    assert Delivery.objects.get().status == "delivered"


def test_long_answers_are_cut_and_count(scope, receiver):
    automation, _ = automate(scope, receiver.url("/long"))
    written(scope, text="y" * 50_000)
    sending.send_due()
    attempt = Attempt.objects.get()
    assert (len(attempt.response_body), attempt.is_response_cut) == (sending.KEPT, True)
    assert (len(attempt.request_body), attempt.request_bytes) == (sending.KEPT, len(receiver.got[0].body))
    assert outcomes(automation) == [("delivered", 1)]


def test_secrets_that_come_back_are_masked_in_the_history(scope, receiver):
    url = receiver.url("/echo/path-that-is-a-key")
    _, secret = automate(scope, url, headers={"X-Team-Key": HEADER_SECRET})
    written(scope)
    sending.send_due()
    assert receiver.got[0].headers["x-team-key"] == HEADER_SECRET
    kept = json.dumps(list(Attempt.objects.values()), default=str)
    logged = json.dumps(list(AuditLog.objects.values()), default=str)
    rows = json.dumps([list(model.objects.values()) for model in (Automation, PromptEvent, Delivery)], default=str)
    for hidden in (HEADER_SECRET, secret, "path-that-is-a-key"):
        assert hidden not in kept + logged + rows
    attempt = Attempt.objects.get()
    assert attempt.request_headers["X-Team-Key"] == "tea…6789"
    assert "X-Echo".lower() in attempt.response_headers
    assert "set-cookie" not in attempt.response_headers


# --- Crashes ----------------------------------------------------------------------------------------------
def test_what_was_written_down_and_not_sent_is_found_by_the_sweep(scope, receiver):
    """The process ended between the commit and the call for a worker."""
    automate(scope, receiver.url("/ok"))
    with transaction.atomic():
        written(scope)
    assert receiver.got == []
    sending.send_due()
    assert len(receiver.got) == 1


def test_what_a_killed_worker_was_sending_is_sent_again_and_counted(scope, receiver, clock, monkeypatch):
    automation, _ = automate(scope, receiver.url("/ok"))
    written(scope)

    class Killed(BaseException):
        pass

    def die(_message):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(sending, "post", die)
        # What a killed process would have done afterwards does not happen.
        patch.setattr(sending, "_release", lambda _automation: None)
        with pytest.raises(Killed):
            sending.send_due()
    assert outcomes(automation) == [("waiting", 1)]
    sending.send_due()
    assert receiver.got == []  # for all that is known, it is still at work
    clock(80)
    sending.send_due()
    assert outcomes(automation) == [("delivered", 2)]
    assert [one.seconds is None for one in Attempt.objects.all()] == [True, False]


def test_a_worker_that_dies_each_time_does_not_try_for_ever(scope, receiver, clock):
    automation, _ = automate(scope, receiver.url("/ok"))
    written(scope)
    Delivery.objects.update(tries=sending.MOST_TRIES)
    sending.send_due()
    assert (outcomes(automation), receiver.got) == ([("failed", 5)], [])


def test_who_lost_its_claim_changes_nothing(scope, receiver, monkeypatch):
    """A worker that was thought dead comes back: the delivery is somebody else's by now."""
    automate(scope, receiver.url("/500"))
    written(scope)
    real = sending.post

    def slow(message):
        Automation.objects.update(claim="somebody else")
        return real(message)

    monkeypatch.setattr(sending, "post", slow)
    sending.send_due()
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.tries) == ("waiting", 1)
    assert delivery.next_at <= timezone.now()
    assert Automation.objects.get().claim == "somebody else"


# --- Giving up --------------------------------------------------------------------------------------------
def fail_for_good(scope, automation, times, clock):
    for at in range(times):
        written(scope, f"p{at}-{automation.name[-3:]}")
        for pause in (0, *sending.PLAN):
            clock(pause + 1)
            sending.send_due()


def test_five_in_a_row_switch_it_off_and_admins_are_told(
    workspace, scope, receiver, clock, django_capture_on_commit_callbacks
):
    admin = make_user("admin@example.com", organization=workspace.organization, role=Role.MEMBER)
    membership = Membership.objects.get(user=admin)
    ProjectMembership.objects.create(user=admin, project=workspace.project, role=Role.ADMIN)
    assert membership.role == Role.MEMBER
    automation, secret = automate(scope, receiver.url("/500"), events=["created"], headers={"X-K": HEADER_SECRET})
    with django_capture_on_commit_callbacks(execute=True):
        fail_for_good(scope, automation, 4, clock)
        automation.refresh_from_db()
        assert (automation.failures, automation.is_on) == (4, True)
        written(scope, "fifth")
        written(scope, "sixth")
        for pause in (0, *sending.PLAN):
            clock(pause + 1)
            sending.send_due()
    automation.refresh_from_db()
    assert (automation.is_on, automation.off_reason) == (False, "failures")
    assert outcomes(automation) == [("failed", 5)] * 5 + [("dropped", 0)]
    assert len(receiver.got) == 25
    assert sorted(one.to[0] for one in mail.outbox) == ["admin@example.com", "alice@example.com"]
    letter = mail.outbox[0]
    assert "was switched off" in letter.subject
    assert "It answered 500." in letter.body
    assert f"?automation={automation.pk}" in letter.body
    assert HEADER_SECRET not in letter.body + letter.subject
    assert secret not in letter.body
    assert AuditLog.objects.filter(action="automation.off", actor="").count() == 1
    # Nothing more is written down for it, until a person switches it on.
    written(scope, "seventh")
    assert Delivery.objects.count() == 6
    actions.switch(scope, automation.pk, on=True, actor=SYSTEM)
    automation.refresh_from_db()
    assert (automation.is_on, automation.failures, automation.off_reason) == (True, 0, "")
    written(scope, "eighth")
    assert Delivery.objects.count() == 7


def test_one_that_arrives_ends_the_row(scope, receiver, clock):
    automation, _ = automate(scope, receiver.url("/ok"))
    Automation.objects.update(failures=4)
    written(scope)
    sending.send_due()
    automation.refresh_from_db()
    assert (automation.failures, automation.is_on) == (0, True)


def test_gone_is_gone(scope, receiver, django_capture_on_commit_callbacks):
    automation, _ = automate(scope, receiver.url("/410"))
    with django_capture_on_commit_callbacks(execute=True):
        written(scope)
        sending.send_due()
    automation.refresh_from_db()
    assert (automation.is_on, automation.off_reason, outcomes(automation)) == (False, "gone", [("failed", 1)])
    assert len(mail.outbox) == 1
    assert "410" in mail.outbox[0].body


def test_a_secret_that_cannot_be_opened_any_more_fails_with_a_reason(scope, receiver, settings):
    automation, _ = automate(scope, receiver.url("/ok"))
    written(scope)
    settings.ENCRYPTION_KEY = "another"
    sending.send_due()
    assert outcomes(automation) == [("failed", 1)]
    assert "another ENCRYPTION_KEY" in Attempt.objects.get().problem
    assert receiver.got == []


# --- Tests, again, off and away ---------------------------------------------------------------------------
def test_a_test_goes_the_real_way_and_counts_for_nothing(scope, receiver):
    automation, _ = automate(scope, receiver.url("/500"), labels=["production"])
    actions.switch(scope, automation.pk, on=False, actor=SYSTEM)
    actions.send_test(scope, automation.pk)
    sending.send_due()
    (got,) = receiver.got
    assert got.payload["prompt"]["name"] == "spanwise-test"
    assert got.payload["prompt"]["labels"] == ["production", "latest"]
    assert "x-langfuse-signature" in got.headers
    assert outcomes(automation) == [("failed", 1)]
    automation.refresh_from_db()
    assert automation.failures == 0


def test_a_test_does_not_wait_behind_what_is_tried_again(scope, receiver):
    automation, _ = automate(scope, receiver.url("/ok"))
    receiver.answers.append(500)
    written(scope)
    sending.send_due()
    actions.send_test(scope, automation.pk)
    sending.send_due()
    assert told(receiver) == [("created", "movie-critic", 1), ("created", "spanwise-test", 1)]


def test_what_is_sent_again_has_its_id_and_a_history_of_its_own(scope, receiver):
    automation, _ = automate(scope, receiver.url("/ok"))
    written(scope)
    sending.send_due()
    first = Delivery.objects.get()
    again = actions.send_again(scope, str(first.pk))
    sending.send_due()
    assert [one["id"] for one in receiver.payloads] == [first.key, first.key]
    assert receiver.got[0].body == receiver.got[1].body
    assert again.pk != first.pk
    actions.switch(scope, automation.pk, on=False, actor=SYSTEM)
    with pytest.raises(Conflict):
        actions.send_again(scope, str(first.pk))


def test_what_waits_can_be_tried_at_once(scope, receiver):
    automate(scope, receiver.url("/ok"))
    receiver.answers.append(500)
    written(scope)
    sending.send_due()
    actions.send_again(scope, str(Delivery.objects.get().pk))
    sending.send_due()
    assert Delivery.objects.get().status == "delivered"


def test_switched_off_by_a_person_what_waits_is_not_sent(scope, receiver):
    automation, _ = automate(scope, receiver.url("/ok"))
    written(scope)
    actions.switch(scope, automation.pk, on=False, actor=SYSTEM)
    sending.send_due()
    assert (outcomes(automation), receiver.got) == ([("dropped", 0)], [])
    automation.refresh_from_db()
    assert automation.off_reason == ""


def test_a_new_secret_signs_from_now_on(scope, receiver):
    automation, old = automate(scope, receiver.url("/ok"))
    _, new = actions.renew_secret(scope, automation.pk, actor=SYSTEM)
    assert new != old
    written(scope)
    sending.send_due()
    got = receiver.got[0]
    parts = dict(part.split("=", 1) for part in got.headers["x-langfuse-signature"].split(","))
    signed = f"{parts['t']}.".encode() + got.body
    assert parts["v1"] == hmac.new(new.encode(), signed, hashlib.sha256).hexdigest()


def test_deleting_the_project_takes_all_of_it_along(workspace, scope, receiver):
    automate(scope, receiver.url("/500"))
    written(scope)
    sending.send_due()
    written(scope, text="2")
    delete_project(scope, actor=SYSTEM)
    receiver.got.clear()
    sending.send_due()
    assert receiver.got == []
    from accounts.signals import project_deleted

    project_deleted.send(sender=None, project_id=scope.project_id)
    assert not any(model.objects.exists() for model in (Automation, PromptEvent, Delivery, Attempt))


def test_history_is_kept_for_a_while(scope, receiver, clock, monkeypatch):
    monkeypatch.setattr(sending, "MOST_DELIVERIES", 2)
    automate(scope, receiver.url("/ok"), events=["created"])
    for name in ("a", "b", "c", "d"):
        written(scope, name)
    sending.send_due()
    sending.prune()
    assert [one.event.prompt_name for one in Delivery.objects.order_by("id")] == ["c", "d"]
    assert PromptEvent.objects.count() == 2
    clock(31 * 86400)
    written(scope, "e")
    sending.prune()
    assert [one.event.prompt_name for one in Delivery.objects.all()] == ["e"]


def test_a_header_of_one_s_own_does_not_take_the_place_of_the_signature(scope, receiver):
    automate(scope, receiver.url("/ok"), headers={"X-Langfuse-Signature": "mine", "user-agent": "mine/1"})
    written(scope)
    sending.send_due()
    assert receiver.got[0].headers["x-langfuse-signature"].startswith("t=")
    assert receiver.got[0].headers["user-agent"] == "mine/1"


# --- Whose they are ---------------------------------------------------------------------------------------
def test_only_admins_change_and_others_see_nothing_of_other_projects(workspace, scope, receiver):
    from accounts.access import scope_for_user

    automation, _ = automate(scope, receiver.url("/ok"))
    written(scope)
    sending.send_due()
    delivery = str(Delivery.objects.get().pk)
    mia = make_user("mia@example.com", organization=workspace.organization, role=Role.MEMBER)
    member = scope_for_user(mia, scope.project_id)
    given = actions.Given("x", "webhook", ALL, receiver.url("/ok"))
    for act in (
        lambda: actions.create_automation(member, given, actor=SYSTEM),
        lambda: actions.change_automation(member, automation.pk, given, actor=SYSTEM),
        lambda: actions.renew_secret(member, automation.pk, actor=SYSTEM),
        lambda: actions.switch(member, automation.pk, on=False, actor=SYSTEM),
        lambda: actions.delete_automation(member, automation.pk, actor=SYSTEM),
        lambda: actions.send_test(member, automation.pk),
        lambda: actions.send_again(member, delivery),
    ):
        with pytest.raises(Forbidden):
            act()
    assert get_automation(member, automation.pk) == automation
    other = scope_for_task(make_project("Other").pk)
    for find in (
        lambda: get_automation(other, automation.pk),
        lambda: get_delivery(other, delivery),
        lambda: actions.switch(other, automation.pk, on=False, actor=SYSTEM),
        lambda: actions.send_again(other, delivery),
    ):
        with pytest.raises(NotFound):
            find()
    receiver.got.clear()
    written(other, "theirs")
    sending.send_due()
    assert receiver.got == []
