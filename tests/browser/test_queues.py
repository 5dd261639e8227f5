"""Annotation queues in the browser: judged by keyboard alone, seen by two, read without a script."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import expect


@pytest.fixture
def queue(server, demo):
    """A queue over two traces, a session and something that is gone; its id and name."""
    with server.client() as api:

        def made(path, **body):
            answer = api.post(f"/api/public/{path}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()["id"]

        tone = [{"label": label, "value": value} for value, label in enumerate(("rude", "plain", "warm"))]
        mark = uuid.uuid4().hex[:6]
        configs = [
            made("score-configs", name=f"tone {mark}", dataType="CATEGORICAL", categories=tone),
            made("score-configs", name=f"help {mark}", dataType="NUMERIC", minValue=0, maxValue=10),
            made("score-configs", name=f"right {mark}", dataType="BOOLEAN"),
        ]
        name = f"Answers {mark}"
        queue_id = made("annotation-queues", name=name, scoreConfigIds=configs)
        objects = [("TRACE", demo.chat), ("TRACE", demo.agent), ("SESSION", demo.session), ("TRACE", f"gone{mark}")]
        for kind, object_id in objects:
            made(f"annotation-queues/{queue_id}/items", objectType=kind, objectId=object_id)
    return queue_id, name, mark


def place(page):
    return page.locator(".crumbs h1")


def test_a_queue_is_judged_by_keyboard_alone(page, project_url, server, demo, queue):
    queue_id, _name, mark = queue
    page.goto(f"{project_url}/annotation-queues/{queue_id}/")
    page.keyboard.press("p")
    expect(place(page)).to_have_text("1 of 4")
    rows = page.locator(".annotate-row")
    tone, helped, right = (rows.filter(has_text=f"{name} {mark}") for name in ("tone", "help", "right"))
    expect(tone.get_by_role("radio").first).to_be_focused()
    page.keyboard.press("3")
    expect(tone.get_by_role("radio", name="warm")).to_be_checked()
    expect(tone.get_by_text("Saved")).to_be_attached()
    page.keyboard.press("ArrowDown")
    expect(helped.get_by_role("spinbutton")).to_be_focused()
    page.keyboard.type("12")
    # Out of range: the item stays, and says why.
    page.keyboard.press("Control+Enter")
    expect(helped.get_by_role("alert")).to_have_text("Give at most 10.")
    expect(helped.get_by_role("spinbutton")).to_be_focused()
    expect(place(page)).to_have_text("1 of 4")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("7")
    page.keyboard.press("Enter")
    expect(helped.get_by_text("Saved")).to_be_attached()
    expect(right.get_by_role("radio").first).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text(f"No score yet: right {mark}.")
    page.keyboard.press("2")
    expect(right.get_by_role("radio", name="No")).to_be_checked()
    expect(right.get_by_text("Saved")).to_be_attached()
    page.keyboard.press("Control+Enter")
    expect(place(page)).to_have_text("2 of 4")
    with server.client() as api:
        found = api.get("/api/public/v3/scores", params={"queueId": queue_id}).json()["data"]
    assert {score["name"].split()[0]: score["value"] for score in found} == {"tone": "warm", "help": 7, "right": False}
    # Walking: the next, the one before, and all with the browser's own Back.
    page.keyboard.press("j")
    expect(place(page)).to_have_text("3 of 4")
    expect(page.locator("#talk")).to_be_visible()
    page.keyboard.press("k")
    expect(place(page)).to_have_text("2 of 4")
    page.keyboard.press("k")
    expect(place(page)).to_have_text("1 of 4")
    expect(page.get_by_text("Completed by")).to_be_visible()
    expect(tone.get_by_role("radio", name="warm")).to_be_checked()
    page.go_back()
    expect(place(page)).to_have_text("2 of 4")
    page.reload()
    expect(place(page)).to_have_text("2 of 4")
    # The tree on demand, and the list of keys.
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    expect(page.get_by_role("tree")).to_be_visible()
    page.wait_for_load_state()  # the tree is there before the keys are
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Complete and go to the next item")
    page.keyboard.press("Escape")
    # What is gone is removed.
    page.goto(f"{project_url}/annotation-queues/{queue_id}/?status=PENDING")
    page.get_by_role("link", name="not in the project").click()
    page.get_by_role("button", name="Remove from the queue").click()
    expect(place(page)).to_have_text("2 of 3")


FAILURES = {
    "nobody answers": lambda route: route.abort(),
    "a proxy says so": lambda route: route.fulfill(status=502, body="Bad gateway"),
    "the product says so": lambda route: route.fulfill(
        status=503,
        content_type="text/html",
        headers={"HX-Retarget": "#messages", "HX-Reswap": "beforeend"},
        body='<div class="message-line error">The store is away.</div>',
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_save_that_failed_keeps_the_item_and_what_was_typed(failure, page, project_url, server, queue, watch):
    queue_id, _name, mark = queue
    page.goto(f"{project_url}/annotation-queues/{queue_id}/process/")
    rows = page.locator(".annotate-row")
    helped = rows.filter(has_text=f"help {mark}")
    page.keyboard.press("2")
    expect(rows.filter(has_text=f"tone {mark}").get_by_text("Saved")).to_be_attached()
    rows.filter(has_text=f"right {mark}").get_by_text("Yes").click()
    expect(rows.filter(has_text=f"right {mark}").get_by_text("Saved")).to_be_attached()
    page.route("**/process/score/", FAILURES[failure])
    helped.get_by_role("spinbutton").fill("7")
    page.keyboard.press("Tab")
    page.keyboard.type("short but right")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#messages .message-line.error").first).to_be_visible()
    # Again, while it still fails: nothing is taken for saved because it was sent once.
    with page.expect_request("**/process/score/"):
        page.keyboard.press("Control+Enter")
    expect(helped.get_by_role("spinbutton")).to_have_value("7")
    expect(helped.locator(".remark")).to_have_value("short but right")
    expect(helped.get_by_text("Saved")).not_to_be_attached()
    expect(place(page)).to_have_text("1 of 4")
    assert judged(server, queue_id) == (["PENDING"] * 4, {"tone": "plain", "right": True})
    page.unroute("**/process/score/")
    page.keyboard.press("Control+Enter")
    expect(place(page)).to_have_text("2 of 4")
    statuses, scores = judged(server, queue_id)
    assert sorted(statuses) == ["COMPLETED", "PENDING", "PENDING", "PENDING"]
    assert scores == {"tone": "plain", "right": True, "help": 7}
    page.keyboard.press("k")
    expect(helped.locator(".remark")).to_have_value("short but right")
    watch.overlook("502", "503", "ERR_FAILED", "Response Status Error", "htmx:")


def judged(server, queue_id):
    """The states of the items, and the scores that were given, by the first word of their names."""
    with server.client() as api:
        items = api.get(f"/api/public/annotation-queues/{queue_id}/items").json()["data"]
        found = api.get("/api/public/v3/scores", params={"queueId": queue_id}).json()["data"]
    return [item["status"] for item in items], {score["name"].split()[0]: score["value"] for score in found}


def test_on_a_phone_and_without_a_script(phone, scriptless, project_url, queue):
    queue_id, name, mark = queue
    phone.goto(f"{project_url}/annotation-queues/{queue_id}/process/")
    warm = phone.locator("label.choice", has_text="warm")
    warm.click()
    expect(phone.locator(".annotate-row", has_text=f"tone {mark}").get_by_text("Saved")).to_be_attached()
    expect(phone.get_by_role("button", name="Complete and next")).to_be_in_viewport()
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    scriptless.goto(f"{project_url}/annotation-queues/")
    scriptless.get_by_role("link", name=name, exact=True).click()
    expect(scriptless.locator("[name='item']")).to_have_count(4)
    scriptless.get_by_role("link", name="Judge").click()
    expect(scriptless.get_by_role("heading", name=re.compile("^Output"))).to_be_visible()
    row = scriptless.locator(".annotate-row", has_text=f"help {mark}")
    row.get_by_role("spinbutton").fill("4")
    row.get_by_role("button", name="Save").click()
    expect(row.get_by_role("spinbutton")).to_have_value("4")
    scriptless.get_by_role("button", name="Complete and next").click()
    scriptless.get_by_role("button", name="Complete without").click()
    expect(place(scriptless)).to_have_text("2 of 4")


def test_items_are_ticked_and_rows_of_a_list_are_added(page, project_url, demo, queue):
    queue_id, name, _mark = queue
    page.goto(f"{project_url}/annotation-queues/{queue_id}/")
    acts = page.locator(".item-acts")
    expect(acts).to_be_hidden()
    page.get_by_label("All on this page").check()
    expect(acts.get_by_role("status")).to_have_text("4 selected")
    page.locator("[name='item']").first.uncheck()
    expect(acts.get_by_role("status")).to_have_text("3 selected")
    acts.get_by_role("button", name="Remove").click()
    expect(page.locator("[name='item']")).to_have_count(1)
    page.goto(f"{project_url}/traces/?range=all")
    for row in page.locator("#rows tr[data-id]").all()[:2]:
        row.get_by_role("checkbox").check()
    page.locator("#selection").get_by_role("button", name="Queue").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Queue", exact=True).select_option(label=name)
    dialog.get_by_role("button", name="Add to the queue").click()
    expect(page.get_by_text("Add to an annotation queue: done, 2 rows.")).to_be_visible()
    page.goto(f"{project_url}/annotation-queues/{queue_id}/")
    expect(page.locator("[name='item']")).to_have_count(3)
