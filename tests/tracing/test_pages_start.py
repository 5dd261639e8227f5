from __future__ import annotations

import pytest
from django.conf import settings
from django.urls import reverse

from accounts.models import ApiKey
from tests.factories import make_key
from tests.tracing.page_data import bare_trace, put_trace
from tracing.ingest import dead_letters
from tracing.models import DeadLetter


def test_the_way_in_leads_to_onboarding_then_to_home(alice, project):
    start = reverse("tracing:onboarding", args=[project.pk])
    home = reverse("tracing:project-home", args=[project.pk])
    assert alice.get("/")["Location"] == start
    put_trace(project.pk, name="t")
    assert alice.get("/")["Location"] == home


def test_home_remembers_the_last_project(alice, project):
    from tests.factories import make_project

    other = make_project("Aardvark", organization=project.organization)
    assert other.pk in alice.get("/")["Location"]
    alice.get(reverse("tracing:trace-list", args=[project.pk]))
    assert project.pk in alice.get("/")["Location"]


def test_waiting_turns_into_a_link(alice, project):
    address = reverse("tracing:onboarding", args=[project.pk])
    poll = {"HX-Request": "true", "HX-Target": "waiting"}
    waiting = alice.get(address, headers=poll).content.decode()
    assert "hx-trigger" in waiting
    trace = bare_trace(project.pk, name="first")
    done = alice.get(address, headers=poll).content.decode()
    assert "hx-trigger" not in done
    assert reverse("tracing:trace-detail", args=[project.pk, trace.id]) in done


def test_snippets_carry_the_keys(alice, project):
    key = make_key(project)
    page = alice.get(reverse("tracing:onboarding", args=[project.pk])).content.decode()
    assert key.key.public_key in page
    assert key.secret_key not in page
    for words in ("langfuse.openai", "@observe", "CallbackHandler", "OTEL_EXPORTER_OTLP_ENDPOINT", settings.PUBLIC_URL):
        assert words in page


def test_new_keys_are_shown_once_and_only_made_by_admins(alice, bob, charlie, project):
    address = reverse("tracing:onboarding-key", args=[project.pk])
    assert charlie.post(address).status_code == 404
    assert bob.post(address).status_code == 403
    answer = alice.post(address)
    key = ApiKey.objects.get(project=project)
    assert answer.context["secret_key"] in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert alice.get(address)["Location"] == reverse("tracing:onboarding", args=[project.pk])
    again = alice.get(address, follow=True).content.decode()
    assert answer.context["secret_key"] not in again
    assert key.public_key in again


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/project/{p}/traces/a/b?observation=o", "/projects/{p}/traces/a/b/?observation=o"),
        ("/project/{p}/sessions/s%201", "/projects/{p}/sessions/s%201/"),
        ("/project/{p}", "/projects/{p}/traces/"),
        ("/project/{p}/traces", "/projects/{p}/traces/"),
        ("/project/{p}/users/u/", "/projects/{p}/users/u/"),
    ],
)
def test_addresses_that_sdks_print_lead_on(alice, project, old, new):
    answer = alice.get(old.format(p=project.pk))
    assert (answer.status_code, answer["Location"]) == (302, new.format(p=project.pk))


def test_theme_is_a_cookie_that_the_server_writes_into_the_page(alice, project):
    address = reverse("tracing:trace-list", args=[project.pk])
    answer = alice.post(reverse("tracing:theme"), {"theme": "dark", "next": address})
    assert (answer.status_code, answer["Location"]) == (303, address)
    assert '<html lang="en" data-theme="dark">' in alice.get(address).content.decode()
    alice.post(reverse("tracing:theme"), {"theme": "", "next": "https://evil.example/"})
    assert "data-theme=" not in alice.get(address).content.decode().split("<head>")[0]


def test_theme_never_leads_away(alice):
    for bad in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        assert alice.post(reverse("tracing:theme"), {"next": bad})["Location"] == "/"


def test_readers_time_zone(alice, project):
    from datetime import UTC, datetime

    put_trace(project.pk, name="t", at=datetime(2026, 1, 5, 23, 30, tzinfo=UTC))
    address = reverse("tracing:trace-list", args=[project.pk])
    alice.cookies["timezone"] = "Asia/Tokyo"
    assert "2026-01-06 08:30:00.000 JST" in alice.get(address, {"range": "all"}).content.decode()
    for bad in ("../../etc/passwd", "Nowhere/City", "x" * 500):
        alice.cookies["timezone"] = bad
        assert alice.get(address, {"range": "all"}).status_code == 200


def _letter(project, **fields):
    return DeadLetter.objects.create(project=project, kind="span", source="otlp", reason="broken <b>", **fields)


def test_dead_letters_are_listed_and_replayed(alice, bob, charlie, project, monkeypatch):
    replayed = []

    def replay(scope, ids):
        replayed.append((scope.project_id, ids))
        return dead_letters.Replayed(sent=len(ids), unreadable=2)

    monkeypatch.setattr(dead_letters, "replay", replay)
    page = reverse("tracing:dead-letter-list", args=[project.pk])
    send = reverse("tracing:dead-letter-replay", args=[project.pk])
    assert "Everything that arrived was stored" in alice.get(page).content.decode()
    letter = _letter(project, payload_preview="{}")
    assert "broken &lt;b&gt;" in alice.get(page).content.decode()
    assert charlie.get(page).status_code == charlie.post(send).status_code == 404
    assert bob.get(page).status_code == 200
    assert bob.post(send).status_code == 403
    assert alice.get(send)["Location"] == page
    assert alice.post(send, {"id": [str(letter.pk), "garbage"]}).status_code == 303
    assert replayed == [(project.pk, [str(letter.pk)])]
    told = alice.get(page).content.decode()
    assert "1 payload was sent again." in told
    assert "2 payloads cannot be read and wait on" in told
    alice.post(send)
    assert replayed[1] == (project.pk, [str(letter.pk)])


def test_dead_letters_of_others_are_not_seen(alice, project, workspace):
    from tests.factories import make_project

    other = make_project("Lookalike", organization=project.organization)
    _letter(other, item_id="theirs")
    assert "theirs" not in alice.get(reverse("tracing:dead-letter-list", args=[project.pk])).content.decode()


def test_dead_letters_are_paged(alice, project):
    for n in range(53):
        _letter(project, item_id=f"item-{n:02d}-")
    page = reverse("tracing:dead-letter-list", args=[project.pk])
    first = alice.get(page)
    rest = alice.get(page, {"before": first.context["page"].older})
    letters = [*first.context["page"].letters, *rest.context["page"].letters]
    assert len({letter.pk for letter in letters}) == 53
    assert alice.get(page, {"before": "garbage"}).status_code == 200
