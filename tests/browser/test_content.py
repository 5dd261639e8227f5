"""The content pane: conversations, JSON of any size, attributes, exceptions, by mouse and by keyboard."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.content_data import ENTRIES, NEEDLE, ContentData, send_content

#: megabytes come from the store and are indexed meanwhile
READ_MS = 60_000


@pytest.fixture(scope="session")
def content(server) -> ContentData:
    return send_content(server)


@pytest.fixture
def address(project_url, content):
    return lambda observation, query="": f"{project_url}/traces/{content.trace}/?observation={observation}{query}"


def pane(page: Page):
    return page.locator("#observation")


def test_a_conversation_folds_its_history_and_leads_to_spans(page, address, content):
    page.goto(address(content.answer))
    said = pane(page).locator("#input")
    expect(said.get_by_text("Where is my order 48213?")).to_be_visible()
    expect(said.get_by_text("Earlier question 3")).to_be_hidden()
    said.get_by_text("Show 38 earlier messages").click()
    expect(said.get_by_text("Earlier question 3")).to_be_visible()
    expect(said.get_by_text("Rule 37")).to_be_hidden()
    said.locator(".fold > summary").first.focus()
    page.keyboard.press("Enter")
    expect(said.get_by_text("Rule 37")).to_be_visible()
    calls = said.locator(".call header")
    expect(calls.nth(0)).to_contain_text("1carrier_status")
    expect(calls.nth(1)).to_contain_text("2lookup_order")
    calls.nth(0).get_by_role("link", name="carrier_status").click()
    expect(page).to_have_url(re.compile("#tool-1$"))
    # The pane scrolls; the page around it stays where it is.
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight && scrollY === 0")
    calls.nth(1).get_by_role("link", name="result").click()
    expect(said.locator(".result:target")).to_contain_text("not found")
    calls.nth(0).locator(".span-link").click()
    expect(page).to_have_url(re.compile(f"observation={content.tool}"))
    expect(pane(page).locator(".head h2")).to_have_text("carrier_status")
    page.go_back()
    expect(pane(page).locator(".head h2")).to_have_text("gpt-4o · answer")


def test_an_answer_is_set_in_markdown_and_loads_nothing(page, address, content):
    page.goto(address(content.answer))
    answer = pane(page).locator("#output")
    expect(answer.locator("strong")).to_have_text("Leipzig")
    expect(answer.locator("td").first).to_have_text("hub")
    expect(answer.locator("pre[data-language=python]")).to_contain_text('print("tomorrow")')
    expect(answer.locator("a", has_text="map")).to_have_attribute("href", "https://shop.example/map.png")
    expect(answer.locator("img")).to_have_count(0)


def test_messages_and_whole_conversations_are_copied_as_they_were_sent(page, address, content):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(address(content.answer))
    output = pane(page).locator("#output")
    output.get_by_role("button", name="Copy this message").click()
    expect(output.locator(".copy-message")).to_have_class(re.compile("copied"))
    assert page.evaluate("navigator.clipboard.readText()").startswith("Your parcel left the **Leipzig** hub.")
    pane(page).locator("summary[aria-label='Copy and download']").click()
    button = pane(page).get_by_role("button", name="Copy as markdown")
    button.click()
    expect(button).to_have_class(re.compile("copied"))
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("# gpt-4o · answer")
    assert "**user**\n\nEarlier question 0" in copied
    with page.expect_download() as download:
        pane(page).get_by_role("link", name="Download the trace as JSON").click()
    whole = json.loads(download.value.path().read_text())
    big = next(one for one in whole["observations"] if one["id"] == content.big)
    assert len(big["output"]) == ENTRIES


def test_ten_megabytes_of_json_scroll_fold_and_are_searched(page, address, content):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(address(content.big))
    pane(page).get_by_role("link", name="JSON", exact=True).click()
    viewer = pane(page).locator("#output json-viewer[data-ready]")
    expect(viewer).to_be_visible(timeout=READ_MS)
    assert viewer.locator(".line").count() < 200
    scroller = viewer.locator(".viewer-scroll")
    for share in (0.3, 0.7, 1):
        # Rows are there as soon as the place is: a frame later, not when some answer has come.
        text = scroller.evaluate(
            """async (element, share) => {
              element.scrollTop = (element.scrollHeight - element.clientHeight) * share;
              await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
              const box = element.getBoundingClientRect();
              const at = (y) => document.elementFromPoint(box.x + 80, y)?.closest(".line")?.textContent;
              return [at(box.top + 10), at(box.bottom - 12)];
            }""",
            share,
        )
        assert all(text), share
    viewer.get_by_role("searchbox").fill(NEEDLE)
    expect(viewer.locator(".hits")).to_have_text("1 of 1")
    expect(viewer.locator("mark.current")).to_have_text(NEEDLE)
    expect(viewer.locator(".path")).to_have_text("[7777].text")
    viewer.get_by_role("button", name="Copy path").click()
    expect(viewer.locator(".viewer-state")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "[7777].text"
    viewer.get_by_role("searchbox").fill('"on"')
    expect(viewer.locator(".hits")).to_have_text(re.compile(f"of {ENTRIES:,}$"))
    before = viewer.locator(".path").inner_text()
    viewer.get_by_role("searchbox").press("Enter")
    expect(viewer.locator(".path")).not_to_have_text(before)
    # Numbers are shown in the digits they were sent in, and the tree is walked by keyboard.
    viewer.locator(".depth select").select_option("1")
    scroller.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(viewer.locator(".path")).to_have_text("[0]")
    expect(viewer.locator(".line.selected")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowRight")
    expect(viewer.locator(".line.selected")).to_have_attribute("aria-expanded", "true")
    expect(viewer.locator(".line", has_text='"id": 0')).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(viewer.locator(".line", has_text='"id": 0')).to_have_count(0)
    page.keyboard.press("End")
    expect(scroller).to_be_focused()
    expect(pane(page).locator(".head h2")).to_have_text("big-json")
    page.reload()
    expect(pane(page).locator("#output json-viewer[data-ready]")).to_be_visible(timeout=READ_MS)
    page.go_back()
    expect(pane(page).locator("json-viewer")).to_have_count(0)


def test_a_line_of_five_megabytes_wraps_and_scrolls(page, address, content):
    page.goto(address(content.line, "&view=raw"))
    viewer = pane(page).locator("#input json-viewer[data-ready]")
    expect(viewer.locator(".line").first).to_contain_text("word word", timeout=READ_MS)
    assert viewer.locator(".line").count() < 200
    widths = viewer.locator(".line .content").evaluate_all("all => all.map((one) => one.getBoundingClientRect().right)")
    assert max(widths) <= viewer.evaluate("element => element.getBoundingClientRect().right")
    viewer.locator(".viewer-scroll").evaluate("element => { element.scrollTop = element.scrollHeight }")
    expect(viewer.locator(".line").last).to_contain_text("word")
    output = pane(page).locator("#output json-viewer[data-ready]")
    expect(output).to_be_visible(timeout=READ_MS)
    output.get_by_role("searchbox").fill("a long line a long")
    expect(output.locator(".hits")).to_have_text(re.compile("^1 of 20,000"))


def test_attributes_narrow_as_one_types_and_lead_to_the_list(page, address, content):
    page.goto(address(content.answer))
    table = pane(page).locator("#attributes")
    expect(table.locator("tr", has_text="plan.name")).to_contain_text("pro")
    expect(table.get_by_text("http.route")).to_be_hidden()
    table.get_by_role("searchbox", name="Find in attributes").fill("route")
    expect(table.get_by_text("http.route")).to_be_visible()
    expect(table.get_by_text("plan.name")).to_be_hidden()
    expect(table.locator("[data-count]")).to_have_text(re.compile(r"^1 of \d+$"))
    page.keyboard.press("Escape")
    expect(table.get_by_text("http.route")).to_be_hidden()
    row = table.locator("tr", has_text="region")
    row.get_by_role("link", name="Traces with this value").click()
    expect(page).to_have_url(re.compile(r"/traces/\?q=metadata\.region%3Aeu-west"))


def test_an_exception_is_readable_and_its_libraries_are_folded(page, address, content):
    page.goto(address(content.failed))
    expect(pane(page).locator(".notice")).to_contain_text("OrderError")
    stack = pane(page).locator(".stack-lines")
    expect(stack.get_by_text("/app/shop/orders.py")).to_be_visible()
    expect(stack.get_by_text("http.py")).to_be_hidden()
    stack.get_by_text("2 frames in libraries").click()
    expect(stack.get_by_text("http.py")).to_be_visible()
    expect(stack.locator(".cause")).to_contain_text("direct cause")
    expect(pane(page).locator("#events")).to_contain_text("retry")


def test_reading_needs_no_script(scriptless, address, content):
    scriptless.goto(address(content.answer))
    for words in ("Where is my order", "not found", "Leipzig", "plan.name", "gpt-4o"):
        expect(pane(scriptless).get_by_text(words).first).to_be_visible()
    scriptless.goto(address(content.big, "&view=json"))
    expect(pane(scriptless).locator("#output pre")).to_contain_text("entry 0")
    expect(pane(scriptless).get_by_role("link", name="Read all of it")).to_be_visible()
    scriptless.goto(address(content.failed))
    expect(pane(scriptless).get_by_text("/app/shop/orders.py")).to_be_visible()
