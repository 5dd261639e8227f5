"""The other views of a trace: as a graph and as a log, and each of them without a script."""

from __future__ import annotations

import json
import re

from playwright.sync_api import expect

NODE = "#graph-canvas .node"
LINE = "#log-rows .log-row"


def test_the_graph_by_mouse(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.agent}/")
    page.get_by_role("link", name="Graph").click()
    expect(page).to_have_url(re.compile("show=graph"))
    expect(page.locator(NODE).first).to_be_visible()
    kinds = page.locator(NODE).count()
    assert page.locator("#graph-canvas .edge").count() >= kinds - 1
    several = page.locator(NODE, has_text="×").first
    several.click()
    expect(several).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-graph-says]")).to_have_text(re.compile("^1 of "))
    first = page.locator("#observation-id").inner_text()
    several.click()
    expect(page.locator("[data-graph-says]")).to_have_text(re.compile("^2 of "))
    expect(page.locator("#observation-id")).not_to_have_text(first)
    page.get_by_role("link", name="Each call").click()
    expect(page).to_have_url(re.compile("graph=expanded"))
    expect(page.locator(NODE, has_text="×")).to_have_count(0)
    assert page.locator(NODE).count() > kinds
    page.go_back()
    expect(page.locator(NODE)).to_have_count(kinds)
    page.go_back()
    page.go_back()
    expect(page.get_by_role("tree")).to_be_visible()
    page.go_forward()
    expect(page.locator(NODE)).to_have_count(kinds)


def test_the_graph_by_keyboard_and_reload(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.agent}/?show=graph")
    expect(page.locator(NODE).first).to_be_visible()
    places = [node.get_attribute("transform") for node in page.locator(NODE).all()]
    page.reload()
    expect(page.locator(NODE).first).to_be_visible()
    assert [node.get_attribute("transform") for node in page.locator(NODE).all()] == places, "it is drawn the same"
    page.keyboard.press("ArrowDown")
    expect(page.locator(NODE).first).to_be_focused()
    page.keyboard.press("ArrowDown")
    focused = page.locator(f"{NODE}:focus")
    expect(focused).to_have_count(1)
    expect(page.locator(NODE).first).not_to_be_focused()
    page.keyboard.press("Enter")
    expect(focused).to_have_attribute("aria-pressed", "true")
    sheet = page.locator("#graph-canvas svg > g")
    before = sheet.get_attribute("transform")
    page.keyboard.press("+")
    assert sheet.get_attribute("transform") != before
    page.keyboard.press("0")
    page.get_by_role("button", name="Zoom in").last.click()
    page.get_by_role("button", name="Show all of it").last.click()
    canvas, box = page.locator("#graph-canvas").bounding_box(), sheet.bounding_box()
    assert canvas["x"] <= box["x"]
    assert box["x"] + box["width"] <= canvas["x"] + canvas["width"] + 1


def test_the_log_shows_everything_by_time(page, project_url, demo):
    page.goto(f"{project_url}/traces/{demo.big}/?show=log")
    expect(page.locator("#log-count")).to_have_text("5,000 observations")
    assert page.locator(LINE).count() < 150
    expect(page.locator(f"{LINE} .text").nth(1)).not_to_have_text("")
    page.keyboard.press("End")
    expect(page.locator(f"{LINE}[aria-current]")).to_be_in_viewport()
    expect(page.locator(f"{LINE}[aria-current]")).to_have_attribute("aria-rowindex", "5001")
    page.keyboard.press("Home")
    page.keyboard.press("j")
    page.keyboard.press("j")
    chosen = page.locator(f"{LINE}[aria-current]")
    expect(chosen).to_have_attribute("aria-rowindex", "4")
    expect(page.locator("#observation-id")).to_have_text(chosen.get_attribute("data-id"))
    page.keyboard.press("Space")
    entry = page.locator(".log-entry")
    expect(entry).to_contain_text("Input")
    expect(chosen).to_have_attribute("aria-rowindex", "4")
    below = page.locator(f"{LINE}[aria-rowindex='5']")
    assert below.bounding_box()["y"] >= entry.bounding_box()["y"] + entry.bounding_box()["height"] - 1
    page.keyboard.press("ArrowLeft")
    expect(entry).to_have_count(0)
    below.locator(".twist").click()
    expect(entry).to_contain_text("Output")
    page.locator("#find").fill("batch-7")
    expect(page.locator("#log-count")).to_contain_text("fit")
    expect(page.locator(f"{LINE}.hit").first).to_contain_text("batch-7")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download JSON").click()
    with open(downloading.value.path()) as file:
        assert len(json.load(file)) == 5000


def test_views_can_be_read_without_a_script(scriptless, project_url, demo):
    scriptless.goto(f"{project_url}/traces/{demo.agent}/?show=graph")
    edges = scriptless.locator("#trace-graph table:visible tbody tr")
    expect(edges.first).to_be_visible()
    edges.first.get_by_role("link").first.click()
    expect(scriptless).to_have_url(re.compile("observation="))
    scriptless.goto(f"{project_url}/traces/{demo.big}/?show=log")
    expect(scriptless.locator(LINE).first).to_be_visible()
    scriptless.get_by_role("link", name="More of").click()
    assert scriptless.locator(LINE).count() > 1000
    scriptless.goto(f"{project_url}/traces/{demo.chat}/?find=nimbus")
    expect(scriptless.locator("#tree .hit")).to_contain_text(["generate-answer"])


def test_a_phone_shows_each_view(phone, project_url, demo):
    phone.goto(f"{project_url}/traces/{demo.agent}/")
    expect(phone.locator("#tree-rows .row[data-node]").first).to_be_visible()
    for name, part in (("Graph", NODE), ("Log", LINE), ("Tree", "#tree-rows .row")):
        phone.get_by_role("link", name=name, exact=True).click()
        expect(phone.locator(part).first).to_be_visible()
        assert phone.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
