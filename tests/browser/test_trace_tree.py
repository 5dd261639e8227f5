"""The tree of a trace: any number of rows, the time axis, filters, options, and rows that come while one looks."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from playwright.sync_api import expect

from tests.browser.chromium import hurry

SELECTED = "#tree .row[aria-selected='true']"
#: drawn by the browser itself, and not the rows of the page's own HTML
DRAWN = "#tree-rows .row[data-node]"

#: Each place the scrollbar can stop at: is there a row at the top, in the middle, at the end?
EVERY_PLACE = """async () => {
  const scroller = document.getElementById("tree-scroll");
  const { left, top, height } = scroller.getBoundingClientRect();
  const nothing = [];
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  for (let at = 0; at <= 1; at += 0.02) {
    scroller.scrollTop = at * (scroller.scrollHeight - scroller.clientHeight);
    await frame();
    for (const y of [8, height / 2, height - 8]) {
      if (!document.elementFromPoint(left + 120, top + y)?.closest("#tree .row")) nothing.push([at, y]);
    }
  }
  return nothing;
}"""


def _names(page):
    return page.locator(f"{DRAWN} .name b").all_inner_texts()


def test_rows_are_there_wherever_one_scrolls(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.big}/")
    expect(page.locator(DRAWN).first).to_be_visible()
    expect(page.locator("#tree-count")).to_have_text("5,000 observations")
    assert page.evaluate(EVERY_PLACE) == []
    assert page.locator(DRAWN).count() < 150, "rows out of sight belong out of the document"
    page.keyboard.press("End")
    last = page.locator(SELECTED)
    expect(last).to_be_in_viewport()
    expect(page).to_have_url(re.compile(f"observation={last.get_attribute('data-id')}"))
    chosen = last.get_attribute("data-id")
    page.reload()
    expect(page.locator(f"{DRAWN}[data-id='{chosen}']")).to_be_in_viewport()
    expect(page.locator("#observation-id")).to_have_text(chosen)
    for name in ("aria-level", "aria-setsize", "aria-posinset"):
        assert int(page.locator(SELECTED).get_attribute(name)) >= 1


def test_the_keyboard_walks_folds_and_leaps(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.big}/")
    expect(page.locator(DRAWN).nth(5)).to_be_visible()
    page.keyboard.press("1")
    first = page.locator(f"{DRAWN}[aria-level='2']")
    expect(page.locator(f"{DRAWN}[aria-level='3']")).to_have_count(0)
    expect(first.first).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"{SELECTED} .name b")).to_have_text("batch-1")
    page.keyboard.press("]")
    expect(page.locator(f"{SELECTED} .name b")).not_to_have_text("batch-1")
    page.keyboard.press("[")
    expect(page.locator(f"{SELECTED} .name b")).to_have_text("batch-1")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(SELECTED)).to_have_attribute("aria-expanded", "true")
    expect(page.locator(f"{DRAWN}[aria-level='3']").first).to_be_visible()
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator(f"{DRAWN}[aria-level='3']")).to_have_count(0)
    page.keyboard.press("*")
    page.keyboard.press("x")
    expect(page.locator(f"{SELECTED} .level")).to_have_text("Error")
    error = page.locator(SELECTED).get_attribute("data-id")
    page.keyboard.press("x")
    expect(page.locator(SELECTED)).not_to_have_attribute("data-id", error)
    page.keyboard.press("Shift+X")
    expect(page.locator(SELECTED)).to_have_attribute("data-id", error)
    page.keyboard.press("Enter")
    expect(page.locator("#observation")).to_be_focused()
    page.keyboard.press("f")
    expect(page.locator("#find")).to_be_focused()


def test_panes_have_the_width_that_somebody_gave_them(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.chat}/")
    expect(page.locator(DRAWN).first).to_be_visible()
    handle = page.get_by_role("separator", name="Width of the tree")
    place = lambda: handle.bounding_box()["x"]  # noqa: E731
    usual = place()
    page.mouse.move(usual + 2, 500)
    page.mouse.down()
    page.mouse.move(usual - 150, 500, steps=4)
    page.mouse.up()
    assert abs(place() - usual + 152) < 4
    said = int(handle.get_attribute("aria-valuenow"))
    handle.focus()
    page.keyboard.press("ArrowRight")
    assert int(handle.get_attribute("aria-valuenow")) > said
    chosen = place()
    assert chosen > usual - 150
    page.reload()
    expect(page.locator(DRAWN).first).to_be_visible()
    assert abs(place() - chosen) < 4
    handle.dblclick()
    assert abs(place() - usual) < 4


def test_the_mouse_folds_and_the_link_names_what_is_selected(page, project_url, demo):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{project_url}/traces/{demo.agent}/")
    expect(page.locator(DRAWN).nth(3)).to_be_visible()
    drawn = page.locator(DRAWN).count()
    whole = page.locator(DRAWN).first
    whole.locator(".twist").click()
    expect(page.locator(DRAWN)).to_have_count(1)
    whole.dblclick()
    expect(page.locator(DRAWN)).to_have_count(drawn)
    page.get_by_role("button", name="Collapse all").click()
    expect(page.locator(f"{DRAWN}[aria-level='3']")).to_have_count(0)
    page.get_by_role("button", name="Expand all").click()
    expect(page.locator(DRAWN)).to_have_count(drawn)
    # What a step and all below it add up to.
    whole.click()
    sums = page.locator("#observation .head")
    count = int(page.locator("#tree-count").inner_text().split()[0])
    expect(sums).to_contain_text(f"with {count - 1} below")
    expect(sums).to_contain_text(re.compile(r"∑\s*[\d,]+ tokens"))
    step = page.locator(DRAWN).nth(2)
    chosen = step.get_attribute("data-id")
    step.click()
    expect(page.locator("#observation-id")).to_have_text(chosen)
    page.locator(".trace-acts").get_by_label("More", exact=True).click()
    copy = page.locator(".trace-acts").get_by_role("button", name="Copy the link")
    copy.click()
    expect(page.locator(".trace-acts button[data-copy='permalink'].copied").first).to_be_attached()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.endswith(f"/traces/{demo.agent}/?observation={chosen}")
    page.goto(f"{project_url}{link.split(project_url.rsplit('/', 1)[1])[1]}")
    expect(page.locator(SELECTED)).to_have_attribute("data-id", chosen)


def test_find_shows_the_way_to_what_is_said_inside(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.chat}/")
    expect(page.locator(DRAWN).first).to_be_visible()
    page.keyboard.press("f")
    page.keyboard.type("you are nimbus")  # said in the input of the model's call, in nobody's name
    expect(page.locator("#tree .hit .name b")).to_contain_text(["generate-answer"])
    expect(page).to_have_url(re.compile("find=you"))
    page.keyboard.press("Enter")
    expect(page.locator(f"{SELECTED} .name b")).to_have_text("generate-answer")
    page.reload()
    expect(page.locator("#tree .hit .name b")).to_contain_text(["generate-answer"])
    page.locator("#find").fill("there is no such text")
    expect(page.get_by_text("Nothing in this trace fits.")).to_be_visible()
    page.locator("#find").fill("")
    expect(page.locator("#tree .hit")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("find="))


def test_levels_and_types_narrow_the_rows_and_are_in_the_address(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.big}/")
    expect(page.locator("#tree-count")).to_have_text("5,000 observations")
    page.get_by_label("What is shown").click()
    page.get_by_label("Level").select_option("ERROR")
    expect(page).to_have_url(re.compile("level=ERROR"))
    expect(page.locator("#tree-count")).to_contain_text("fit")
    fits = page.locator("#tree-count").inner_text()
    assert all(page.locator(f"{DRAWN}:not([aria-expanded])").locator(".level").all_inner_texts())
    page.reload()
    expect(page.locator("#tree-count")).to_have_text(fits)
    page.get_by_label("What is shown").click()
    page.get_by_label("Level").select_option("")
    page.locator("[data-filter='types'] label", has_text="Generation").get_by_role("checkbox").check()
    expect(page).to_have_url(re.compile("type=GENERATION"))
    expect(page.locator(f"{DRAWN}:not([aria-expanded]):not(.generation)")).to_have_count(0)


def test_what_rows_show_is_remembered(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.chat}/")
    row = page.locator(f"{DRAWN}.generation").first
    expect(row.locator(".lane text")).to_contain_text("s")
    expect(row.locator(".num")).not_to_contain_text("$")
    page.get_by_label("What is shown").click()
    page.get_by_label("Cost", exact=True).check()
    page.get_by_label("Duration").uncheck()
    page.get_by_label("Heat").select_option("time")
    expect(row.locator(".num")).to_contain_text("$")
    expect(row.locator(".lane text")).to_have_text("")
    expect(page.locator("#tree-rows [data-heat]").first).to_be_attached()
    page.reload()
    expect(row.locator(".num")).to_contain_text("$")
    expect(row.locator(".lane text")).to_have_text("")


def test_the_timeline_zooms_by_mouse_and_keyboard(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.chat}/")
    expect(page.locator(DRAWN).first).to_be_visible()
    root = page.locator(f"{DRAWN} .bar-span").first
    ticks = page.locator("#axis-ticks text")
    whole = ticks.all_text_contents()
    axis = page.locator("#axis-ticks").bounding_box()
    page.mouse.move(axis["x"] + axis["width"] * 0.25, axis["y"] + 14)
    page.mouse.down()
    page.mouse.move(axis["x"] + axis["width"] * 0.5, axis["y"] + 14, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"zoom=\d+-\d+"))
    assert ticks.all_text_contents() != whole
    zoomed = page.url
    assert abs(root.bounding_box()["width"] - axis["width"]) < 3, "the root reaches over all of the stretch"
    page.reload()
    expect(page.locator(DRAWN).first).to_be_visible()
    assert page.url == zoomed
    page.keyboard.press("ArrowDown")
    assert "zoom=" in page.url, "walking on keeps the stretch"
    page.locator("#axis-ticks").dblclick()
    expect(page).not_to_have_url(re.compile("zoom="))
    assert ticks.all_text_contents() == whole
    page.keyboard.press("+")
    expect(page).to_have_url(re.compile("zoom="))
    page.keyboard.press("0")
    expect(page).not_to_have_url(re.compile("zoom="))
    page.mouse.move(axis["x"] + axis["width"] * 0.5, axis["y"] + 60)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    expect(page).to_have_url(re.compile("zoom="))
    page.get_by_role("button", name="Show all of it").first.click()
    expect(page).not_to_have_url(re.compile("zoom="))


def _event(kind, body):
    at = datetime.now(UTC).isoformat()
    return {"id": uuid4().hex, "type": kind, "timestamp": at, "body": body}


def _send(server, *events):
    with server.client() as api:
        answer = api.post("/api/public/ingestion", json={"batch": list(events)})
        assert answer.status_code == 207
        assert not answer.json()["errors"]


def test_a_running_trace_fills_in_by_itself(page, project_url, server, demo):
    hurry(page)
    trace, root, lost = uuid4().hex, uuid4().hex[:16], uuid4().hex[:16]
    began = datetime.now(UTC) - timedelta(seconds=3)
    start = began.isoformat()
    steps = [
        _event("span-create", {"id": f"{root}-{n}", "traceId": trace, "parentObservationId": root, "name": f"early {n}",
                               "startTime": start, "endTime": start}) for n in range(40)
    ]  # fmt: skip
    _send(
        server,
        _event("trace-create", {"id": trace, "name": "at work"}),
        _event("span-create", {"id": root, "traceId": trace, "name": "still at it", "startTime": start}),
        *steps,
    )
    address = f"{project_url}/traces/{trace}/"
    until = datetime.now(UTC) + timedelta(seconds=30)
    while page.request.get(address).status != 200 and datetime.now(UTC) < until:
        pass
    page.goto(f"{address}?observation={root}-2")
    expect(page.locator("#tree-count")).to_have_text("41 observations")
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    expect(page.locator(f"{DRAWN} .lane text").first).to_have_text("running")
    page.locator("#tree-scroll").evaluate("scroller => (scroller.scrollTop = 240)")
    later = (began + timedelta(seconds=1)).isoformat()
    child = {"id": uuid4().hex[:16], "traceId": trace, "parentObservationId": root, "name": "came later"}
    orphan = {"id": uuid4().hex[:16], "traceId": trace, "parentObservationId": lost, "name": "nobody's"}
    _send(
        server,
        _event("span-create", {**child, "startTime": later, "endTime": later}),
        _event("span-create", {**orphan, "startTime": later, "endTime": later}),
    )
    expect(page.locator("#tree-count")).to_have_text("43 observations")
    assert page.locator("#tree-scroll").evaluate("scroller => scroller.scrollTop") == 240, "what is in sight stays"
    expect(page.locator(SELECTED)).to_have_attribute("data-id", f"{root}-2")
    page.locator("#tree-scroll").evaluate("scroller => (scroller.scrollTop = scroller.scrollHeight)")
    expect(page.locator(DRAWN, has_text="came later")).to_be_visible()
    expect(page.locator("#tree-rows .missing + .row")).to_contain_text("nobody's")
    end = (began + timedelta(seconds=2)).isoformat()
    _send(server, _event("span-update", {"id": root, "traceId": trace, "endTime": end}))
    expect(page.get_by_text("live", exact=True)).to_have_count(0, timeout=40_000)
    page.keyboard.press("Home")
    expect(page.locator(f"{SELECTED} .lane text")).to_have_text("2.00 s")


def test_what_waited_long_on_its_way_is_not_missed(page, project_url, server, demo):
    trace, root, start = uuid4().hex, uuid4().hex[:16], datetime.now(UTC).isoformat()
    _send(server, _event("span-create", {"id": root, "traceId": trace, "name": "still at it", "startTime": start}))
    address = f"{project_url}/traces/{trace}/"
    until = datetime.now(UTC) + timedelta(seconds=30)
    while page.request.get(address).status != 200 and datetime.now(UTC) < until:
        pass
    # As if it had been received long before what is on the page, and rested since.
    page.route(
        re.compile(r"[?&]after=\d"),
        lambda route: route.continue_(url=re.sub(r"after=\d+", f"after={10**17}", route.request.url)),
    )
    page.goto(address)
    expect(page.locator("#tree-count")).to_have_text("1 observation")
    late = {"id": uuid4().hex[:16], "traceId": trace, "parentObservationId": root, "name": "came late"}
    _send(server, _event("span-create", {**late, "startTime": start, "endTime": start}))
    expect(page.locator(DRAWN, has_text="came late")).to_be_visible(timeout=40_000)
    expect(page.locator("#tree-count")).to_have_text("2 observations")
