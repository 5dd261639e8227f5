"""The list and the trace page, by mouse and by keyboard."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect

from tests.browser.chromium import back_to_another_filter, rows

SELECTED = "#tree .row[aria-selected='true']"


def test_filters_are_in_the_address_and_survive_going_back(listed, project_url):
    before = rows(listed).count()
    assert before >= 20
    listed.locator("#facets").get_by_role("checkbox", name=re.compile("research-agent")).check()
    expect(listed).to_have_url(re.compile("name%3Aresearch-agent"))
    expect(rows(listed).first).to_contain_text("research-agent")
    expect(listed.locator("#results table")).not_to_contain_text("extract-invoice")
    filtered = rows(listed).count()
    rows(listed).first.locator("a.row-link").click()
    expect(listed.get_by_role("tree")).to_be_visible()
    listed.go_back()
    expect(listed).to_have_url(re.compile("name%3Aresearch-agent"))
    expect(rows(listed)).to_have_count(filtered)
    back_to_another_filter(listed)
    expect(listed).to_have_url(re.compile(r"/traces/\?range=all$"))
    expect(rows(listed)).to_have_count(before)


def test_a_filtered_address_works_from_cold(page, project_url, demo):
    page.goto(f"{project_url}/traces/?range=all&name=extract-invoice")
    expect(rows(page).first).to_contain_text("extract-invoice")
    expect(page.locator(".token")).to_contain_text("extract-invoice")
    page.locator(".token").first.click()
    assert "name" not in parse_qs(urlsplit(page.url).query)


def test_search_finds_words_in_inputs(listed):
    listed.keyboard.press("/")
    listed.keyboard.type("退货")
    listed.keyboard.press("Enter")
    expect(listed).to_have_url(re.compile("q="))
    expect(rows(listed).first).to_be_visible()
    expect(listed.locator("#results table")).not_to_contain_text("extract-invoice")


def test_older_traces_are_a_page_away(listed):
    first = rows(listed).first.get_attribute("id")
    older = listed.get_by_role("link", name="Older")
    expect(older).to_be_visible()
    older.click()
    expect(listed).to_have_url(re.compile("before="))
    expect(rows(listed).first).not_to_have_id(first)


def test_the_list_walks_by_keyboard(listed):
    listed.keyboard.press("j")
    listed.keyboard.press("j")
    listed.keyboard.press("k")
    focused = listed.evaluate("document.activeElement.closest('tr').id")
    assert focused == rows(listed).first.get_attribute("id")
    listed.keyboard.press("Enter")
    expect(listed.get_by_role("tree")).to_be_visible()


def test_the_tree_by_mouse(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.chat}/")
    page.locator("#tree .row", has_text="generate-answer").click()
    expect(page).to_have_url(re.compile("observation="))
    observation = page.locator("#observation")
    expect(observation).to_contain_text("generate-answer")
    expect(observation).to_contain_text("You are Nimbus")
    expect(observation.locator("img").first).to_be_visible()
    observation.get_by_role("link", name="JSON").click()
    expect(page).to_have_url(re.compile("view=json"))
    page.go_back()
    page.go_back()
    expect(page.locator("#tree .row[aria-selected='true']")).not_to_contain_text("generate-answer")


def test_the_tree_by_keyboard(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.agent}/")
    rows_in_sight = page.locator("#tree-rows .row")
    expect(rows_in_sight.first).to_be_visible()
    page.keyboard.press("End")
    expect(page.locator(SELECTED)).not_to_have_attribute("data-id", rows_in_sight.first.get_attribute("data-id"))
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    chosen = page.locator(SELECTED).get_attribute("data-id")
    expect(page).to_have_url(re.compile(f"observation={chosen}"))
    expect(page.locator("#observation-id")).to_have_text(chosen)
    page.keyboard.press("Home")
    before = rows_in_sight.count()
    page.keyboard.press("ArrowLeft")
    expect(rows_in_sight).to_have_count(1)
    page.keyboard.press("ArrowRight")
    expect(rows_in_sight).to_have_count(before)


def test_the_timeline_shows_each_bar_where_it_was(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.chat}/")
    root, answer = (
        page.locator("#tree .row[data-node]", has_text=name).locator(".bar-span").first
        for name in ("answer-customer", "generate-answer")
    )
    expect(answer).to_be_visible()
    outer, inner = root.bounding_box(), answer.bounding_box()
    assert outer["x"] <= inner["x"]
    assert inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 2
    assert inner["width"] > 3


def test_five_thousand_spans(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.big}/")
    expect(page.locator("#tree-rows .row").first).to_be_visible()
    expect(page.locator("#tree-count")).to_contain_text(re.compile("5,?000"))
    assert page.locator("#tree-rows .row").count() < 300, "rows out of sight belong out of the document"
    page.keyboard.press("End")
    expect(page.locator(SELECTED)).to_be_in_viewport()
    page.keyboard.press("Home")
    expect(page.locator(SELECTED)).to_be_in_viewport()
    page.get_by_role("button", name="Collapse all").click()
    page.get_by_role("button", name="Expand all").click()


def test_finding_in_a_trace(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.big}/")
    expect(page.locator("#tree-rows .row").first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("batch-7")
    expect(page.locator("#tree-count")).not_to_contain_text(re.compile("5,?000"))
    expect(page.locator("#tree")).to_contain_text("batch-7")


def test_an_orphan_is_shown_with_its_lost_parent(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.orphan}/")
    expect(page.locator("#tree")).to_contain_text("search-knowledge-base")
    expect(page.get_by_text("without a parent")).to_be_visible()


def test_hostile_text_is_text(page, project_url, server, demo):
    alerts = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto(f"{project_url}/traces/?range=all&q=hostile")
    rows(page).first.locator("a.row-link").click()
    expect(page.locator("#observation")).to_contain_text("<script>alert(1)</script>")
    assert not alerts


def test_sessions_and_users_lead_to_traces(page, project_url, demo):
    page.goto(f"{project_url}/sessions/{demo.session}/")
    expect(page.locator("main")).to_contain_text(demo.session)
    page.goto(f"{project_url}/users/{demo.user}/")
    expect(page.locator("main")).to_contain_text(demo.user)


def test_without_scripts_everything_can_be_read(scriptless, project_url, demo):
    scriptless.goto(f"{project_url}/traces/?range=all&name=support-chat")
    expect(rows(scriptless).first).to_be_visible()
    scriptless.goto(f"{project_url}/traces/{demo.chat}/")
    scriptless.locator("#tree .row", has_text="generate-answer").click()
    expect(scriptless.locator("#observation")).to_contain_text("You are Nimbus")
