"""The lists of the explorer by mouse and keyboard: query bar, facets, strip, columns, order, and rows that come in."""

from __future__ import annotations

import re
import uuid
from contextlib import suppress
from datetime import UTC, datetime

from playwright.sync_api import Error, expect

from tests.browser.chromium import back_to_another_filter, hurry, rows


def pills(page):
    return page.locator(".query-bar .token")


def field(page):
    return page.get_by_role("combobox", name="Find")


def facet(page, name):
    return page.locator("#facets").get_by_role("checkbox", name=re.compile(f"^{name}"))


def heads(page):
    return page.locator("th[data-column]")


def test_a_query_is_typed_completed_and_taken_apart_by_keyboard(listed):
    page = listed
    before = rows(page).count()
    page.keyboard.press("/")
    expect(field(page)).to_be_focused()
    expect(field(page)).to_have_attribute("aria-expanded", "true")
    page.keyboard.type("lev")
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("level")
    page.keyboard.press("ArrowDown")
    expect(field(page)).to_have_attribute("aria-activedescendant", "suggestion-0")
    page.keyboard.press("Tab")
    expect(field(page)).to_have_value("level:")
    page.keyboard.type("ER")
    expect(options.first).to_contain_text("ERROR")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(pills(page)).to_have_text(["level:ERROR"])
    expect(page).to_have_url(re.compile("q=level%3AERROR"))
    expect(facet(page, "Error")).to_be_checked()
    expect(rows(page).first).to_contain_text("Error")
    failed = rows(page).count()
    assert failed < before
    # A blank ends a condition; what is no number is explained, and the pill it is about is marked.
    page.keyboard.type("latency:fast ")
    expect(pills(page)).to_have_count(2)
    expect(page.locator("#query-problems")).to_contain_text("latency")
    expect(pills(page).last).to_have_class(re.compile("wrong"))
    expect(field(page)).to_have_attribute("aria-invalid", "true")
    page.keyboard.press("Backspace")
    expect(pills(page)).to_have_text(["level:ERROR"])
    expect(page.locator("#query-problems p")).to_have_count(0)
    # The last pill can be opened again, and changed.
    page.keyboard.press("ArrowLeft")
    expect(field(page)).to_have_value("level:ERROR")
    page.keyboard.press("Escape")
    field(page).fill("")
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(before)
    # What was asked before is offered.
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", name="level:ERROR", exact=True)).to_be_visible()
    page.get_by_role("option", name="level:ERROR", exact=True).click()
    expect(rows(page)).to_have_count(failed)
    page.reload()
    expect(pills(page)).to_have_text(["level:ERROR"])
    expect(rows(page)).to_have_count(failed)
    back_to_another_filter(page)
    expect(pills(page)).to_have_count(0)
    expect(rows(page)).to_have_count(before)


def hold(page, part):
    """Answers for one part of the page wait for `let_go()`."""
    waiting = []

    def ask(route):
        if route.request.headers.get("hx-target") == part:
            waiting.append(route)
        else:
            route.fallback()

    def let_go():
        page.unroute("**/*", ask)
        for route in waiting:
            with suppress(Error):  # the page may have given it up
                route.continue_()

    page.route("**/*", ask)
    return let_go


def test_suggestions_that_are_late_take_nothing_of_what_is_typed(listed):
    page, options = listed, listed.get_by_role("option")
    page.keyboard.press("/")
    page.keyboard.type("lat")
    expect(options.first).to_contain_text("latency")
    # By mouse, though more was typed since they came.
    let_go = hold(page, "suggestions")
    page.keyboard.type("en")
    options.first.click()
    expect(field(page)).to_have_value("latency:")
    let_go()
    page.keyboard.type(">=0 lev")
    expect(pills(page)).to_have_text(["latency:>=0"])
    expect(options.first).to_contain_text("level")
    page.keyboard.press("ArrowDown")
    expect(field(page)).to_have_attribute("aria-activedescendant", "suggestion-0")
    # Enter takes what was typed, not what was chosen for the letters of before.
    let_go = hold(page, "suggestions")
    page.keyboard.type("el:ERROR")
    expect(field(page)).not_to_have_attribute("aria-activedescendant", re.compile("."))
    page.keyboard.press("Enter")
    expect(pills(page)).to_have_text(["latency:>=0", "level:ERROR"])
    expect(page).to_have_url(re.compile("q=latency.*level%3AERROR"))
    let_go()
    expect(options).to_have_count(0)


def test_chinese_is_written_with_an_input_method_and_shown_where_it_stands(listed):
    page = listed
    address = page.url
    method = page.context.new_cdp_session(page)
    page.keyboard.press("/")
    page.keyboard.type("name:support-chat")

    def compose(text):
        here = len(text)
        method.send("Input.imeSetComposition", {"text": text, "selectionStart": here, "selectionEnd": here})

    # Latin letters with blanks between them are on the way to a word; Enter, arrows and Esc are the method's.
    for text in (" ", " tui", " tui huo "):
        compose(text)
    for key in ("ArrowDown", "Escape", "Enter"):
        page.keyboard.press(key)
    expect(pills(page)).to_have_count(0)
    expect(field(page)).to_be_focused()
    assert page.url == address
    method.send("Input.insertText", {"text": " 退货"})
    page.keyboard.press("Enter")
    expect(pills(page)).to_have_text(["name:support-chat"])
    expect(field(page)).to_have_value("退货")
    expect(page).to_have_url(re.compile("q=name%3Asupport-chat%20%E9%80%80%E8%B4%A7"))
    # A row says where the words are, and leads there.
    hit = page.locator("#rows tr.hit").first
    expect(hit.locator("mark").first).to_have_text("退货")
    inside = re.search("observation=([^&]+)", hit.get_by_role("link").get_attribute("href")).group(1)
    hit.get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"peek=.*observation={inside}"))
    expect(page.locator(f'#peek .row[data-id="{inside}"]')).to_have_attribute("aria-selected", "true")
    page.reload()
    expect(page.locator(f'#peek .row[data-id="{inside}"]')).to_have_attribute("aria-selected", "true")
    expect(page.locator("#rows tr.hit mark").first).to_have_text("退货")


def test_facets_and_query_bar_say_the_same(listed):
    page = listed
    facet(page, "support-chat").focus()
    page.keyboard.press("Space")
    expect(pills(page)).to_have_text(["name:support-chat"])
    expect(facet(page, "support-chat")).to_be_focused()
    facet(page, "research-agent").check()
    expect(pills(page)).to_have_text(["name:(support-chat OR research-agent)"])
    page.get_by_role("link", name="Only extract-invoice").focus()
    page.keyboard.press("Enter")
    expect(pills(page)).to_have_text(["name:extract-invoice"])
    pills(page).first.click()
    expect(page.locator("#facets [aria-checked=true]")).to_have_count(0)
    page.locator("summary#facet-latency").click()
    page.get_by_label("Least Latency").fill("2")
    page.keyboard.press("Enter")
    expect(pills(page)).to_have_text(["latency:>=2"])
    expect(page.get_by_label("Least Latency")).to_have_value("2")
    page.get_by_role("link", name="Clear").click()
    expect(pills(page)).to_have_count(0)
    # Keys of metadata are read when they are asked for. What was opened stays open.
    page.locator("summary#facet-metadata").click()
    key = page.locator("[data-facet^='metadata.']").first
    key.locator("summary").click()
    key.get_by_role("checkbox").first.check()
    expect(pills(page)).to_have_text([re.compile("metadata")])
    expect(page).to_have_url(re.compile("q=metadata"))
    page.reload()
    expect(page.locator("summary#facet-metadata + .values")).to_be_visible()
    expect(page.locator("[data-facet^='metadata.'] [aria-checked=true]").first).to_be_visible()


def test_a_bar_looks_closer_and_back_returns(listed):
    page = listed
    before = rows(page).count()
    strip = page.locator("#pulse svg")
    expect(strip).to_be_visible()
    bar = strip.locator("a").last
    bar.locator("rect.all").click(force=True)
    expect(page).to_have_url(re.compile("(?=.*from=)(?=.*to=)"))
    closer = page.url
    expect(page.locator("#time-range summary")).not_to_contain_text("All time")
    back_to_another_filter(page)
    expect(page).to_have_url(re.compile(r"/traces/\?range=all$"))
    expect(rows(page)).to_have_count(before)
    expect(strip).to_be_visible()
    box = strip.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile("(?=.*from=)(?=.*to=)"))
    assert page.url != closer
    page.get_by_role("link", name="Cost", exact=True).and_(page.locator(".measures a")).click()
    expect(page).to_have_url(re.compile("chart=cost"))
    page.locator("#time-range summary").click()
    page.get_by_role("link", name="Zoom out").click()
    expect(page).to_have_url(re.compile("chart=cost"))
    page.get_by_role("link", name="Earlier").first.click()
    expect(page.get_by_role("link", name="Later").first).to_be_visible()
    # By keyboard: a bar is a link.
    earlier = page.url
    bar = page.locator("#pulse svg a").last
    bar.focus()
    page.keyboard.press("Enter")
    expect(page).not_to_have_url(earlier)
    closer = page.url
    expect(rows(page).first).to_be_visible()
    page.reload()
    assert page.url == closer
    expect(page.locator("#pulse svg a").first).to_be_attached()


def test_columns_are_chosen_moved_widened_and_remembered(listed, project_url):
    page = listed
    usual = heads(page).all_inner_texts()
    page.locator("#columns-menu summary").click()
    page.get_by_label("User", exact=True).check()
    expect(heads(page).last).to_contain_text("User")
    expect(page).to_have_url(re.compile("columns=time%2Cname"))
    grip = page.get_by_role("button", name="Move Name", exact=True)
    grip.focus()
    page.keyboard.press("ArrowUp")
    expect(heads(page).first).to_contain_text("Name")
    expect(grip).to_be_focused()
    page.get_by_role("button", name="Move Output", exact=True).drag_to(
        page.locator("#columns-menu li").first, target_position={"x": 40, "y": 2}
    )
    expect(heads(page).first).to_contain_text("Output")
    page.get_by_role("link", name="Large").click()
    expect(page.locator("table.rows-l")).to_be_visible()
    edge = page.get_by_role("separator", name="Width of Name", exact=True)
    before = heads(page).filter(has_text="Name").bounding_box()["width"]
    edge.focus()
    page.keyboard.press("ArrowRight")
    after = heads(page).filter(has_text="Name").bounding_box()["width"]
    assert after > before
    box = edge.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + 5, steps=4)
    page.mouse.up()
    dragged = heads(page).filter(has_text="Name").bounding_box()["width"]
    assert abs(dragged - after - 60) < 2
    after = dragged
    # One for each score, which is put in order like the others.
    page.locator("#columns-menu summary").click()
    score = page.locator("#columns [data-column^='scores.']:has(input:not(:checked))").first
    name = score.inner_text().strip()
    score.get_by_role("checkbox").check()
    expect(heads(page).last).to_contain_text(name)
    expect(page).to_have_url(re.compile(r"columns=.*scores\."))
    chosen = heads(page).all_inner_texts()
    # The list is found again as it was left, in an address that says so.
    page.goto(f"{project_url}/traces/?range=all")
    expect(page).to_have_url(re.compile("(?=.*columns=output)(?=.*rows=l)"))
    expect(heads(page)).to_have_text(chosen)
    assert abs(heads(page).filter(has_text="Name").bounding_box()["width"] - after) < 2
    page.locator("#columns-menu summary").click()
    page.get_by_role("link", name="Back to the usual").click()
    expect(heads(page)).to_have_text(usual)
    page.goto(f"{project_url}/traces/?range=all")
    expect(page).to_have_url(re.compile(r"/traces/\?range=all$"))


def test_order_noun_and_page_size_are_a_click_away(listed):
    page = listed
    page.get_by_role("link", name="Latency", exact=True).and_(page.locator("th a")).click()
    expect(page).to_have_url(re.compile("sort=-latency"))
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Latency")
    expect(page.locator("#sort-latency")).to_be_focused()
    slowest = rows(page).first.get_attribute("data-id")
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Latency")
    expect(rows(page).first).not_to_have_attribute("data-id", slowest)
    page.get_by_role("link", name="25", exact=True).click()
    expect(rows(page)).to_have_count(25)
    first = rows(page).first.get_attribute("data-id")
    page.get_by_role("link", name="More").dblclick()
    expect(page).to_have_url(re.compile("before="))
    expect(rows(page).first).not_to_have_attribute("data-id", first)
    second = rows(page).first.get_attribute("data-id")
    page.reload()
    expect(rows(page).first).to_have_attribute("data-id", second)
    back_to_another_filter(page)
    expect(rows(page).first).to_have_attribute("data-id", first)
    page.get_by_role("link", name="Newest").wait_for(state="detached")
    back_to_another_filter(page, steps=-1)
    expect(rows(page).first).to_have_attribute("data-id", second)
    field(page).fill("level:ERROR")
    field(page).press("Escape")
    field(page).focus()
    field(page).press("Enter")
    expect(pills(page)).to_have_text(["level:ERROR"])
    page.get_by_role("group", name="What is listed").get_by_role("link", name="Observations").click()
    expect(page).to_have_url(re.compile("/observations/.*level(%3A|:)ERROR"))
    expect(page.get_by_role("heading", name="Observations")).to_be_visible()
    expect(pills(page)).to_have_text(["level:ERROR"])
    assert rows(page).first.get_attribute("data-observation")


def send(server, name):
    now = datetime.now(UTC).isoformat()
    body = {"id": uuid.uuid4().hex, "name": name, "timestamp": now}
    event = {"id": uuid.uuid4().hex, "type": "trace-create", "timestamp": now, "body": body}
    with server.client() as client:
        assert client.post("/api/public/ingestion", json={"batch": [event]}).status_code == 207


def test_new_rows_come_in_only_where_nobody_is_reading(page, server, project_url, demo):
    mark = f"live-{uuid.uuid4().hex[:8]}"
    hurry(page)
    send(server, mark)
    page.goto(f"{project_url}/traces/?range=all&q=name:{mark}*")
    expect(rows(page)).to_have_count(1)
    send(server, f"{mark}-2")
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text(f"{mark}-2")
    # A row in use: a line says what is there, and n brings it in.
    rows(page).first.locator("a.row-link").focus()
    send(server, f"{mark}-3")
    line = page.get_by_role("button", name="1 new")
    expect(line).to_be_visible()
    expect(rows(page)).to_have_count(2)
    page.keyboard.press("n")
    expect(rows(page)).to_have_count(3)
    expect(line).to_be_hidden()
    # What waits for one list does not come into the next.
    rows(page).first.locator("a.row-link").focus()
    send(server, f"{mark}-4")
    expect(line).to_be_visible()
    field(page).fill("")
    pills(page).first.click()
    field(page).fill(f"name:{mark}")
    page.keyboard.press("Escape")
    field(page).focus()
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(1)
    field(page).blur()
    page.keyboard.press("n")
    expect(rows(page)).to_have_count(1)
    # Somebody who reads further down is not moved either.
    page.goto(f"{project_url}/traces/?range=all")
    page.locator("#rows-scroll").evaluate("box => (box.scrollTop = 300)")
    reading = rows(page).nth(15)
    name, top = reading.get_attribute("data-id"), reading.bounding_box()["y"]
    send(server, f"{mark}-5")
    expect(line).to_be_visible()
    assert (reading.get_attribute("data-id"), reading.bounding_box()["y"]) == (name, top)
    page.get_by_role("button", name="Paused").click()
    expect(page.get_by_role("button", name="Paused")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.get_by_role("button", name="Paused")).to_have_attribute("aria-pressed", "true")


def test_on_a_phone_filters_are_a_sheet(phone, project_url, demo):
    phone.goto(f"{project_url}/traces/?range=all")
    expect(rows(phone).first).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(phone.locator("#facets-pane")).to_be_hidden()
    phone.locator(".facets-opener > summary").click()
    facet(phone, "research-agent").check()
    expect(phone).to_have_url(re.compile("name%3Aresearch-agent"))
    phone.get_by_role("button", name="Done").click()
    expect(phone.locator("#facets-pane")).to_be_hidden()
    expect(pills(phone)).to_have_text(["name:research-agent"])


def test_without_a_script_a_list_is_read_and_filtered(scriptless, project_url, demo):
    page = scriptless
    page.goto(f"{project_url}/traces/?range=all")
    before = rows(page).count()
    page.get_by_role("searchbox", name="Find").fill("level:ERROR")
    page.get_by_role("searchbox", name="Find").press("Enter")
    expect(page).to_have_url(re.compile("q=level%3AERROR"))
    assert 0 < rows(page).count() < before
    page.get_by_role("link", name="Show the filters").click()
    facet(page, "Warning").click()
    expect(pills(page)).to_have_text(["level:(ERROR OR WARNING)"])
    pills(page).first.click()
    expect(rows(page)).to_have_count(before)
