"""Rows ticked and acted on, traces peeked at, views saved: by mouse and keyboard, back, forth and reloaded."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import rows


def picked(page):
    return page.locator("#rows tr.picked")


def said(page):
    return page.locator("#selection [data-selected]")


def test_rows_are_ticked_by_mouse_and_keyboard_and_survive_paging(listed):
    boxes = rows(listed).locator(".c-select input")
    boxes.nth(1).check()
    boxes.nth(4).click(modifiers=["Shift"])
    expect(said(listed)).to_have_text("4 selected")
    expect(picked(listed)).to_have_count(4)
    expect(listed.locator("#peek")).to_be_hidden()
    rows(listed).nth(8).locator(".row-link").focus()
    listed.keyboard.press("x")
    expect(said(listed)).to_have_text("5 selected")
    listed.keyboard.press("Shift+J")
    listed.keyboard.press("Shift+J")
    expect(said(listed)).to_have_text("7 selected")
    expect(rows(listed).nth(10).locator(".row-link")).to_be_focused()
    listed.keyboard.press(" ")
    expect(said(listed)).to_have_text("6 selected")

    listed.get_by_role("link", name="Older").click()
    expect(listed).to_have_url(re.compile("before="))
    expect(picked(listed)).to_have_count(0)
    expect(said(listed)).to_have_text("6 selected")
    rows(listed).first.locator(".c-select input").check()
    listed.reload()
    expect(said(listed)).to_have_text("7 selected")
    expect(picked(listed)).to_have_count(1)

    rows(listed).first.locator(".row-link").focus()
    listed.keyboard.press("Escape")
    expect(listed.locator("#selection")).to_be_hidden()
    expect(picked(listed)).to_have_count(0)


def test_all_that_match_are_selected_until_the_filter_changes(listed, demo):
    listed.locator("#select-page").check()
    expect(said(listed)).to_have_text("50 selected")
    every = listed.locator("[data-select-all]")
    expect(every).to_have_text(re.compile(r"Select all [\d,]+ that match"))
    number = int(re.sub(r"\D", "", every.inner_text()))
    assert number >= demo.traces
    every.click()
    expect(said(listed)).to_have_text(f"All {number:,} that match selected")

    listed.get_by_role("button", name="Delete", exact=True).click()
    dialog = listed.locator("#confirm-dialog")
    expect(dialog.get_by_role("heading")).to_have_text(f"Delete {number:,} traces?")
    listed.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    listed.locator("#facets .check", has_text="support-chat").first.click()
    expect(listed).to_have_url(re.compile("support-chat"))
    expect(listed.locator("#selection")).to_be_hidden()


def send(server, name, count):
    with server.client() as api:
        batch = [
            {
                "id": f"event-{name}-{number}",
                "type": "trace-create",
                "timestamp": datetime.now(UTC).isoformat(),
                "body": {"id": f"{name}-{number}", "name": name, "timestamp": datetime.now(UTC).isoformat()},
            }
            for number in range(count)
        ]
        assert api.post("/api/public/ingestion", json={"batch": batch}).status_code == 207


@pytest.fixture
def own_traces(page, server, project_url):
    """Three traces of this test's own, listed."""
    name = f"selected-{time.monotonic_ns()}"
    send(server, name, 3)
    page.goto(f"{project_url}/traces/?range=1h&q=name%3A{name}")
    expect(rows(page)).to_have_count(3)
    return page


def find(page, words):
    conditions = page.locator(".query-bar a.token")
    before = conditions.count()
    field = page.get_by_role("combobox", name="Find")
    field.fill(words)
    field.press("Escape")
    field.focus()
    field.press("Enter")
    expect(conditions).to_have_count(before + len(words.split()))
    expect(page).to_have_url(re.compile(re.escape(quote(words.split()[-1]))))


@pytest.fixture
def score_config(server):
    name = f"grade{time.monotonic_ns()}"
    with server.client() as api:
        wanted = {"name": name, "dataType": "NUMERIC", "minValue": 0, "maxValue": 1}
        assert api.post("/api/public/score-configs", json=wanted).status_code == 200
    return name


def test_what_is_selected_is_tagged_starred_scored_and_deleted_with_a_receipt(own_traces, score_config):
    page = own_traces
    rows(page).nth(0).locator(".c-select input").check()
    rows(page).nth(1).locator(".c-select input").check()
    page.get_by_role("button", name="Tags", exact=True).last.click()
    page.get_by_label("Add", exact=True).fill("chosen, by hand")
    page.get_by_role("button", name="Change tags").click()
    expect(page.locator("#messages")).to_contain_text("Tag traces: done, 2 rows.")
    expect(page.locator("#selection")).to_be_hidden()
    expect(rows(page)).to_have_count(3)

    page.locator("#select-page").check()
    page.get_by_role("button", name="Bookmark", exact=True).click()
    expect(page.locator("#confirm-title")).to_have_text("Bookmark 3 traces?")
    page.locator("#confirm-do").press("Enter")
    expect(page.locator("#messages")).to_contain_text("Bookmark traces: done, 3 rows.")
    find(page, "is:bookmarked tag:chosen")
    expect(rows(page)).to_have_count(2)

    page.locator("#select-page").check()
    page.get_by_role("button", name="Score", exact=True).click()
    page.get_by_role("radio", name=score_config).check()
    page.get_by_label(f"Value of {score_config}").fill("0.75")
    page.get_by_role("button", name="Give the score").click()
    expect(page.locator("#messages")).to_contain_text("Score: done, 2 rows.")
    find(page, f"scores.{score_config}:0.75")
    expect(rows(page)).to_have_count(2)

    for left in (3, 2, 1):
        page.locator(".query-bar a.token").last.click()
        expect(page.locator(".query-bar a.token")).to_have_count(left)
    expect(rows(page)).to_have_count(3)
    page.locator("#select-page").check()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#confirm-title")).to_have_text("Delete 3 traces?")
    # A double click is one deletion with one receipt.
    page.locator("#confirm-do").dblclick(no_wait_after=True)
    expect(page.locator("#messages")).to_contain_text("Delete traces: done, 3 rows.")
    expect(page.locator("#messages").get_by_role("link", name="Receipt")).to_have_count(1)
    expect(rows(page)).to_have_count(0)
    page.locator("#messages").get_by_role("link", name="Receipt").click()
    expect(page.locator("#job")).to_contain_text("What was deleted")
    with page.expect_download() as download:
        page.locator("#receipt").click()
    assert download.value.suggested_filename.startswith("receipt-")


def test_a_row_is_peeked_at_by_mouse_and_keyboard_and_the_address_keeps_it(listed):
    page, peek = listed, listed.locator("#peek")
    trace = [rows(page).nth(number).get_attribute("data-id") for number in range(4)]
    rows(page).nth(1).locator(".row-link").click()
    expect(page).to_have_url(re.compile(f"peek={trace[1]}"))
    expect(peek.locator(f'[data-trace-url*="{trace[1]}"]')).to_be_visible()
    expect(rows(page).nth(1)).to_have_attribute("aria-current", "true")
    for key, place in (("j", 2), ("j", 3), ("k", 2)):
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(f"peek={trace[place]}"))
    expect(peek.locator(f'[data-trace-url*="{trace[2]}"]')).to_be_visible()
    page.reload()
    expect(peek.locator(f'[data-trace-url*="{trace[2]}"]')).to_be_visible()
    page.keyboard.press("Escape")
    expect(peek).to_be_hidden()
    expect(page).not_to_have_url(re.compile("peek="))
    page.go_back()
    expect(peek.locator(f'[data-trace-url*="{trace[2]}"]')).to_be_visible()
    page.go_forward()
    expect(peek).to_be_hidden()

    rows(page).nth(3).locator(".row-link").focus()
    page.keyboard.press("Enter")
    expect(peek.locator(f'[data-trace-url*="{trace[3]}"]')).to_be_visible()
    peek.get_by_role("link", name="Open").click()
    expect(page).to_have_url(re.compile(f"/traces/{trace[3]}/"))
    page.go_back()
    expect(peek.locator(f'[data-trace-url*="{trace[3]}"]')).to_be_visible()
    peek.get_by_role("button", name="Close").click()
    expect(rows(page).nth(3).locator(".row-link")).to_be_focused()
    page.keyboard.press("o")
    expect(page).to_have_url(re.compile(f"/traces/{trace[3]}/"))


def test_what_the_panel_shows_of_a_trace_is_in_the_address(listed):
    page, peek = listed, listed.locator("#peek")

    def chosen(name):
        return peek.get_by_role("link", name=name, exact=True).and_(peek.locator("[aria-current=true]"))

    rows(page).nth(0).locator(".row-link").click()
    expect(chosen("Tree")).to_be_visible()
    peek.get_by_role("link", name="Graph", exact=True).click()
    expect(page).to_have_url(re.compile("peek=.*show=graph"))
    peek.get_by_role("link", name="JSON", exact=True).click()
    expect(page).to_have_url(re.compile("pane=json"))
    expect(chosen("JSON")).to_be_visible()
    page.reload()
    expect(chosen("Graph")).to_be_visible()
    expect(chosen("JSON")).to_be_visible()
    page.go_back()
    expect(chosen("Pretty")).to_be_visible()
    page.go_back()
    expect(chosen("Tree")).to_be_visible()
    page.go_forward()
    expect(chosen("Graph")).to_be_visible()
    # The next row is shown as this one was, and its own page, too; once the panel is closed nothing of it stays.
    rows(page).nth(1).locator(".row-link").click()
    expect(peek.locator(f'[data-trace-url*="{rows(page).nth(1).get_attribute("data-id")}"]')).to_be_visible()
    expect(chosen("Graph")).to_be_visible()
    expect(peek.get_by_role("link", name="Open")).to_have_attribute("href", re.compile("show=graph"))
    peek.get_by_role("button", name="Close").click()
    expect(page).not_to_have_url(re.compile("show=|pane=|peek="))


def test_an_observation_is_peeked_at_in_its_trace(page, project_url, demo):
    page.goto(f"{project_url}/observations/?range=all&q=type%3AGENERATION")
    first = rows(page).first
    first.locator(".row-link").click()
    observation = first.get_attribute("data-observation")
    expect(page).to_have_url(re.compile(f"observation={observation}"))
    expect(page.locator(f'#peek .row[data-id="{observation}"]')).to_have_attribute("aria-selected", "true")


def test_on_a_phone_and_without_a_script_a_row_is_a_link(phone, scriptless, project_url, demo):
    for page in (phone, scriptless):
        page.goto(f"{project_url}/traces/?range=all")
        rows(page).first.locator(".row-link").click()
        expect(page).to_have_url(re.compile(r"/traces/[^?]+/"))


def test_a_view_is_saved_changed_and_opened_again(listed, project_url):
    name = f"view {time.monotonic_ns()}"
    listed.goto(f"{project_url}/traces/?range=all&q=level%3AERROR")
    menu = listed.locator("#views-menu")
    menu.locator("summary").click()
    menu.get_by_placeholder("Name of the view").fill(name)
    menu.get_by_role("button", name="Save view").click()
    expect(menu.locator("summary")).to_contain_text(name)
    expect(listed).to_have_url(re.compile("q=level%3AERROR.*view="))

    listed.locator("#sort-cost").click()
    expect(listed).to_have_url(re.compile("sort="))
    expect(menu.locator("summary")).to_contain_text("changed")
    menu.locator("summary").click()
    menu.get_by_role("button", name="Update").click()
    expect(menu.locator("summary")).not_to_contain_text("changed")

    listed.goto(f"{project_url}/traces/?view=none")
    menu.locator("summary").click()
    menu.get_by_role("link", name=name).click()
    expect(listed).to_have_url(re.compile("sort=-?cost"))
    menu.locator("summary").click()
    menu.get_by_role("button", name="Delete this view").click()
    expect(listed.locator("#messages")).to_contain_text("The view is deleted.")
    expect(menu.locator("summary")).to_have_text("Views")


def test_what_is_filtered_is_exported(listed):
    listed.locator("#facets .check", has_text="support-chat").first.click()
    expect(listed).to_have_url(re.compile("support-chat"))
    listed.locator("#export-menu summary").click()
    with listed.expect_download() as download:
        listed.get_by_role("link", name="JSON lines, all fields").click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) > 20
    assert all('"name":"support-chat"' in line for line in lines)
