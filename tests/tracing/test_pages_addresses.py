"""Addresses that carry what somebody else made up: ids of any text, and times of any year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import make_project
from tests.tracing.page_data import put_trace

ODD_ID = "line one\r\nline two/three %2F?#"


def _page(name, project, *args):
    return reverse(f"tracing:{name}", args=[project.pk, *args])


def test_ids_with_newlines_have_pages_and_links(alice, project):
    put_trace(project.pk, id=ODD_ID, name="odd", user_id=ODD_ID, session_id=ODD_ID)
    for name in ("trace", "session", "user"):
        detail = _page(f"{name}-detail", project, ODD_ID)
        assert detail in alice.get(_page(f"{name}-list", project)).content.decode()
        assert alice.get(detail).status_code == 200


def test_old_addresses_keep_newlines(alice, project):
    put_trace(project.pk, id=ODD_ID, name="odd")
    answer = alice.get(f"/project/{project.pk}/traces/{quote(ODD_ID, safe='')}")
    assert answer.headers["Location"] == _page("trace-detail", project, ODD_ID)


def test_the_oldest_addresses_are_looked_for_where_one_may_look(alice, project):
    """The oldest SDKs print links without a project."""
    theirs = make_project()
    put_trace(project.pk, id=ODD_ID, name="mine")
    put_trace(theirs.pk, id="not-hers", name="theirs")
    answer = alice.get(f"/trace/{quote(ODD_ID, safe='')}")
    assert answer.headers["Location"] == _page("trace-detail", project, ODD_ID)
    assert alice.get("/trace/not-hers").status_code == 404
    assert alice.get("/trace/nobodys").status_code == 404
    assert Client().get("/trace/not-hers").headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize(
    "path",
    [
        "/projects/%00/traces/",
        "/projects/x/traces/a%00b/",
        "/projects/x/settings/members/%00/role/",
        "/organizations/%00/",
        "/project/%00/traces/x",
        "/nope%00",
        "/api/public/traces/%00",
        "/api/public/v2/scores/a%00",
        "/api/public/media/%00",
        "/api/nope%0A%00",
    ],
)
def test_nul_is_in_no_address(path, db):
    """Nothing is asked for it, neither who asks nor the database: PostgreSQL would fail."""
    for method in ("GET", "POST", "DELETE"):
        answer = Client().generic(method, path)
        assert answer.status_code == 404
        assert (answer["Content-Type"] == "application/json") is path.startswith("/api/")


@pytest.mark.parametrize(
    "query",
    [
        {"from": "0001-01-01T00:00:00"},
        {"from": "0001-01-01T00:00:00+01:00"},
        {"to": "9999-12-31T23:59:59-01:00"},
        {"from": "0001-01-01T00:00", "to": "9999-12-31T23:59"},
        {"from": "2026-02-31T00:00"},
    ],
)
def test_times_that_nothing_can_have_are_dropped(alice, project, query):
    put_trace(project.pk, name="found", user_id="u", session_id="s", at=datetime.now(UTC) - timedelta(hours=1))
    for name in ("trace-list", "session-list", "user-list"):
        answer = alice.get(_page(name, project), query)
        assert len(answer.context["page"].rows) == 1, name
    strip = {"HX-Request": "true", "HX-Target": "pulse"}
    assert alice.get(_page("trace-list", project), query, headers=strip).status_code == 200


def test_custom_ranges_are_read_by_the_readers_clock(alice, project):
    """A reader in Tokyo types nine hours more than UTC, and reads back what was typed."""
    put_trace(project.pk, name="found", user_id="u", session_id="s", at=datetime(2026, 3, 2, 0, 30, tzinfo=UTC))
    typed = {"from": "2026-03-02T09:00", "to": "2026-03-02T10:00"}
    for zone, found in (("Asia/Tokyo", 1), ("UTC", 0)):
        alice.cookies["timezone"] = zone
        for name in ("trace-list", "session-list", "user-list"):
            answer = alice.get(_page(name, project), typed)
            assert len(answer.context["page"].rows) == found, (zone, name)
            assert all(f'value="{text}"' in answer.content.decode() for text in typed.values())
