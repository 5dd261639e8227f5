"""Scores in the browser: narrowed by clicks, looked at closely, deleted, read without a script."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import expect

from tests.clients.conftest import eventually


@pytest.fixture
def judged(server, demo):
    """Two judges about the same trace and session, under a name of their own."""
    name = f"clear {uuid.uuid4().hex[:6]}"
    with server.client() as api:
        for target, first, second in (({"traceId": demo.chat}, 1, 1), ({"sessionId": demo.session}, 0, 1)):
            for kind, value in (("a", first), ("b", second)):
                body = {"name": f"{name} {kind}", "value": value, "dataType": "BOOLEAN", **target}
                assert api.post("/api/public/scores", json=body).status_code == 200
        # They are stored soon after they were taken.
        eventually(lambda: _are_there(api, name))
    return name


def _are_there(api, name):
    found = api.get("/api/public/v3/scores", params={"name": f"{name} a,{name} b"}).json()["data"]
    assert len(found) == 4


def rows(page):
    return page.locator(".scores-table tbody tr")


def test_scores_are_narrowed_compared_and_deleted(page, scriptless, project_url, judged):
    both = f"{project_url}/scores/?range=1h&name={judged} a&name={judged} b"
    page.goto(both)
    expect(rows(page)).to_have_count(4)
    facet = page.locator(".facet", has_text="About")
    facet.get_by_role("checkbox", name="Session").click()
    expect(rows(page)).to_have_count(2)
    assert "kind=session" in page.url
    page.go_back()
    expect(rows(page)).to_have_count(4)
    page.reload()
    expect(rows(page)).to_have_count(4)
    # Closely: two of them, chosen by keyboard.
    page.get_by_role("navigation", name="Scores").get_by_role("link", name="Analytics").click()
    page.get_by_label("Score", exact=True).select_option(f"API:BOOLEAN:{judged} a")
    expect(page.get_by_role("heading", name="Distribution")).to_be_visible()
    page.get_by_label("compared with").select_option(f"API:BOOLEAN:{judged} b")
    expect(page.get_by_text("2 things have both scores.")).to_be_visible()
    expect(page.locator(".measures-list")).to_contain_text("50.0%")
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    address = page.url
    page.get_by_text("As a table").first.click()
    expect(page.get_by_role("columnheader", name=f"{judged} b").first).to_be_visible()
    # All of it is there without a script.
    scriptless.goto(address)
    expect(scriptless.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    scriptless.goto(both)
    expect(rows(scriptless)).to_have_count(4)
    # Deleted: one that is ticked.
    page.goto(both)
    rows(page).first.get_by_role("checkbox").check()
    expect(page.locator(".item-acts").get_by_role("status")).to_have_text("1 selected")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("heading", name="Delete 1 score?")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("Delete scores: done, 1 row.")).to_be_visible()
    expect(rows(page)).to_have_count(3)


def test_scores_on_a_phone(phone, project_url, demo):
    phone.goto(f"{project_url}/scores/?range=all")
    expect(rows(phone).first).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
