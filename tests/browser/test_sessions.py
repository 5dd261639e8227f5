"""Sessions: found, and read as conversations of any length by mouse, keyboard, link, Back, and without a script."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import back_to_another_filter

TURNS = 45
_ARRIVES_SECONDS = 30


def send(server, session, numbers, *, start):
    events = []
    for n in numbers:
        at = (start + timedelta(minutes=n if n < 30 else n + 20)).isoformat()
        trace = {
            "id": f"{session}-{n:03}", "sessionId": session, "name": "talk", "timestamp": at,
            "input": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": f"question {n}"}],
            "output": {"role": "assistant", "content": f"answer {n}\n\n" + "and so on\n\n" * 6},
        }  # fmt: skip
        tool = {"id": f"{session}-{n}-tool", "traceId": trace["id"], "name": "look_up", "startTime": at, "endTime": at,
                "input": {"n": n}, "output": "found"}  # fmt: skip
        events.append({"id": uuid4().hex, "type": "trace-create", "timestamp": at, "body": trace})
        events.append({"id": uuid4().hex, "type": "tool-create", "timestamp": at, "body": tool})
    with server.client() as api:
        assert not api.post("/api/public/ingestion", json={"batch": events}).json()["errors"]
        until = time.monotonic() + _ARRIVES_SECONDS
        while True:
            found = api.get("/api/public/traces", params={"sessionId": session, "limit": 1}).json()["meta"][
                "totalItems"
            ]
            if found > max(numbers):
                return
            assert time.monotonic() < until, found
            time.sleep(0.1)


@pytest.fixture(scope="session")
def talk(server):
    """A session that nothing else writes to, the same for every test of a process."""
    session = f"talk {uuid4().hex[:8]}/1"
    send(server, session, range(TURNS), start=datetime.now(UTC) - timedelta(hours=20))
    return session


@pytest.fixture
def talk_url(project_url, talk):
    return f"{project_url}/sessions/{talk.replace('/', '%2F').replace(' ', '%20')}/"


def turn(page, n):
    return page.locator(f'article[id$="-{n:03}"]')


def place(page, n):
    return page.locator(f'.turns a[data-turn$="-{n:03}"]')


def in_pane(page, n):
    """The turn begins where the pane does."""
    expect(turn(page, n)).to_be_in_viewport()
    expect(place(page, n)).to_have_attribute("aria-current", "true")


def test_keys_mouse_and_back_walk_from_turn_to_turn(page, talk, talk_url):
    page.goto(talk_url)
    expect(page.locator(".turns a[data-turn]")).to_have_count(TURNS)
    expect(page.locator(".turns .idle")).to_have_count(1)
    in_pane(page, 0)
    for n in (1, 2):
        page.keyboard.press("j")
        expect(page).to_have_url(re.compile(f"turn=.*-{n:03}"))
        in_pane(page, n)
    page.keyboard.press("k")
    in_pane(page, 1)
    # Far down: nothing between was read.
    place(page, 38).click()
    in_pane(page, 38)
    expect(turn(page, 20)).to_have_count(0)
    page.go_back()
    expect(page).to_have_url(re.compile("turn=.*-001"))
    in_pane(page, 1)
    page.go_forward()
    in_pane(page, 38)
    page.reload()
    in_pane(page, 38)
    # Turns before it come in above without moving it.
    top = turn(page, 38).bounding_box()["y"]
    page.locator("#earlier a").evaluate("link => link.click()")
    expect(turn(page, 30)).to_have_count(1)
    assert abs(turn(page, 38).bounding_box()["y"] - top) < 4
    # The last ones come when they are near, and the index follows what is read.
    page.locator(".talk-pane").hover()
    page.mouse.wheel(0, 100_000)
    expect(turn(page, 44)).to_have_count(1)
    page.mouse.wheel(0, 100_000)
    expect(turn(page, 44)).to_be_in_viewport()
    page.mouse.wheel(0, -400)
    expect(page.locator(".turns a[aria-current]")).to_have_attribute("data-turn", re.compile("-04[0-4]$"))


def test_views_search_and_tools(page, talk, talk_url):
    page.goto(talk_url)
    first = turn(page, 0)
    tool = first.locator("details.tools")
    expect(tool.locator("dd").first).to_be_hidden()
    tool.locator("summary").click()
    expect(tool.locator("dd").first).to_contain_text('"n":0')
    link = tool.get_by_role("link", name="look_up").get_attribute("href")
    assert re.search(r"/traces/.*\?observation=.*tool$", link)
    page.keyboard.press("/")
    page.keyboard.type("answer 33")
    expect(page.locator(".turns a[data-turn]")).to_have_count(1)
    expect(page).to_have_url(re.compile("find=answer"))
    page.reload()
    expect(page.locator(".turns a[data-turn]")).to_have_count(1)
    place(page, 33).click()
    in_pane(page, 33)
    page.get_by_role("link", name="Compact").click()
    expect(page).to_have_url(re.compile("view=compact"))
    in_pane(page, 33)
    expect(turn(page, 33)).to_contain_text("question 33")
    page.go_back()
    expect(page.locator(".talk.talk")).to_be_visible()
    in_pane(page, 33)


def test_a_live_talk_fills_in(page, server, project_url):
    session = f"live-{uuid4().hex[:8]}"
    start = datetime.now(UTC) - timedelta(minutes=10)
    send(server, session, range(2), start=start)
    page.goto(f"{project_url}/sessions/{session}/")
    expect(page.locator(".turns a[data-turn]")).to_have_count(2)
    send(server, session, range(2, 3), start=start)
    expect(turn(page, 2)).to_contain_text("question 2", timeout=30_000)
    expect(page.locator(".turns a[data-turn]")).to_have_count(3)
    expect(page.locator("#session_facts")).to_contain_text("3 turns")


def test_the_whole_talk_can_be_copied(page, talk, talk_url, server):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    page.goto(talk_url)
    page.locator("#take-along summary").click()
    page.get_by_role("button", name="Copy as Markdown").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    text = page.evaluate("navigator.clipboard.readText()")
    assert [f"question {n}" in text for n in (0, 20, TURNS - 1)] == [True, True, True]


def test_sessions_are_searched_sorted_and_opened(page, demo, talk, project_url):
    page.goto(f"{project_url}/sessions/?range=all")
    page.keyboard.press("/")
    page.keyboard.type(f'turns:>{TURNS - 1} id:"{talk}"')
    page.keyboard.press("Enter")
    rows = page.locator("table.sessions tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("question 0")
    expect(page).to_have_url(re.compile("q=turns.*id"))
    page.reload()
    expect(rows).to_have_count(1)
    expect(page.locator(".query-bar a.token")).to_have_count(2)
    # What one types is completed by keyboard, from what was observed; a pill is taken away by the mouse.
    page.get_by_role("button", name=re.compile("Take away id")).click()
    expect(page.locator(".query-bar a.token")).to_have_count(1)
    page.locator("#q").fill("turnz:1")
    page.keyboard.press("Enter")
    expect(page.locator("#query-problems")).to_contain_text("turns")
    expect(page.locator(".query-bar a.token.wrong")).to_have_count(1)
    page.get_by_role("link", name="Clear").click()
    expect(page.locator(".query-bar a.token")).to_have_count(0)
    page.keyboard.type(f'id:"{talk[:-2]}')
    expect(page.get_by_role("option", name=talk)).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    expect(page.locator(".query-bar a.token")).to_contain_text(talk)
    back_to_another_filter(page)
    expect(page.locator(".query-bar a.token")).to_have_count(0)
    expect(rows.nth(2)).to_be_visible()
    page.get_by_role("link", name="Turns").click()
    expect(page.get_by_role("columnheader", name="Turns")).to_have_attribute("aria-sort", "descending")
    page.keyboard.press("j")
    expect(page.locator(".row-link").first).to_be_focused()
    name = page.locator(".row-link").first.inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.go_back()
    expect(page).to_have_url(re.compile("sort=-turns"))


def test_ticked_sessions_go_into_a_queue(page, server, demo, talk, project_url):
    queue = f"Talks {uuid4().hex[:6]}"
    with server.client() as api:
        config = api.post("/api/public/score-configs", json={"name": f"ok {queue}", "dataType": "BOOLEAN"}).json()["id"]
        body = {"name": queue, "scoreConfigIds": [config]}
        queue_id = api.post("/api/public/annotation-queues", json=body).json()["id"]
    page.goto(f"{project_url}/sessions/?range=all")
    bar, rows = page.locator("#selection"), page.locator("table.sessions tbody tr")
    expect(bar).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(rows.first.get_by_role("checkbox")).to_be_checked()
    rows.nth(1).get_by_role("checkbox").check()
    expect(bar.get_by_role("status")).to_have_text("2 selected")
    page.reload()
    expect(bar.get_by_role("status")).to_have_text("2 selected")
    names = [rows.nth(place).locator(".row-link").inner_text() for place in (0, 1)]
    bar.get_by_role("button", name="Add to a queue").click()
    dialog = page.get_by_role("dialog", name="Add 2 sessions to a queue")
    dialog.get_by_label("Queue").select_option(queue)
    dialog.get_by_role("button", name="Add to the queue").click()
    expect(page.locator("#messages, .message-line").first).to_contain_text("done, 2 rows")
    expect(bar).to_be_hidden()
    with server.client() as api:
        items = api.get(f"/api/public/annotation-queues/{queue_id}/items").json()["data"]
    assert sorted(one["objectId"] for one in items) == sorted(names)
    assert {one["objectType"] for one in items} == {"SESSION"}


def test_a_link_to_a_turn_leads_to_it_wherever_it_is(page, talk, talk_url):
    trace = f"{talk}-040".replace("/", "%2F").replace(" ", "%20")
    page.goto(f"{talk_url}#turn-{trace}")
    in_pane(page, 40)
    expect(page).to_have_url(re.compile("turn=.*-040"))
    page.reload()
    in_pane(page, 40)
    page.goto(f"{talk_url}?view=compact#turn-{trace.replace('-040', '-002')}")
    in_pane(page, 2)


def test_a_talk_is_judged_and_talked_about_beside_it(page, phone, talk, talk_url):
    page.goto(talk_url)
    page.keyboard.press("j")
    in_pane(page, 1)
    said = page.get_by_role("complementary", name="Scores and comments")
    page.keyboard.press("a")
    form = said.locator("#annotate")
    expect(form).to_contain_text("Your scores")
    if not form.locator("#annotate-new-name").is_visible():  # configs of other tests come first
        form.locator("details:has(#annotate-new-name) > summary").click()
    form.locator("#annotate-new-name").fill("calm")
    form.locator("#annotate-new-type").select_option("NUMERIC")
    form.locator("#annotate-new-value").fill("0.75")
    form.locator("#annotate-new-value").press("Enter")
    expect(said.locator(".score-table")).to_contain_text("calm")
    # The facts above say so, too, and what is read stays where it is.
    expect(page.locator("#session_facts")).to_contain_text("calm")
    in_pane(page, 1)
    page.keyboard.press("Escape")
    page.locator("body").click(position={"x": 700, "y": 5})
    page.keyboard.press("c")
    page.keyboard.type("What a *talk*")
    page.keyboard.press("Control+Enter")
    expect(said.locator(".comment em")).to_have_text("talk")
    # Where there is no room for both, it lies over the conversation, by a link of its own.
    phone.goto(talk_url)
    there = phone.get_by_role("complementary", name="Scores and comments")
    expect(there).to_be_hidden()
    phone.get_by_role("link", name="Scores and comments").click()
    expect(there).to_contain_text("calm")
    expect(phone).to_have_url(re.compile("#said"))
    phone.reload()
    expect(there).to_be_visible()
    phone.go_back()
    expect(there).to_be_hidden()
    in_pane(phone, 0)
    phone.go_forward()
    phone.keyboard.press("Escape")
    expect(there).to_be_hidden()
    phone.get_by_role("link", name="Scores and comments").click()
    there.get_by_role("button", name="Delete the score calm").wait_for()
    phone.on("dialog", lambda dialog: dialog.accept())
    there.get_by_role("button", name="Delete the score calm").click()
    expect(there.locator(".score-table")).to_have_count(0)
    expect(phone.locator("#session_facts")).not_to_contain_text("calm")


def test_a_talk_is_read_without_a_script(scriptless, talk, talk_url):
    scriptless.goto(talk_url)
    expect(turn(scriptless, 0)).to_contain_text("answer 0")
    scriptless.get_by_role("link", name="Later turns").click()
    expect(turn(scriptless, 10)).to_contain_text("answer 10")
    place(scriptless, 40).click()
    expect(turn(scriptless, 40)).to_contain_text("answer 40")
    scriptless.get_by_role("link", name="Earlier turns").click()
    expect(turn(scriptless, 39)).to_contain_text("answer 39")


def test_a_talk_fits_a_phone(phone, talk, talk_url):
    phone.goto(talk_url)
    expect(turn(phone, 0)).to_be_in_viewport()
    place(phone, 3).click()
    in_pane(phone, 3)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
