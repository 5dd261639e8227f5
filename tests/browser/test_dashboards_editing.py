"""Making dashboards in the browser: by mouse, by keyboard, by two people at once, on a phone and without a script."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import new_context

HOSTILE = "<script>window.harmed = 1</script>"


@pytest.fixture
def board(server, demo):
    """A dashboard with a number and lines beside each other; its id."""
    with server.client() as api:
        body = {
            "name": f"Watch {uuid.uuid4().hex[:6]}",
            "definition": {
                "widgets": [
                    {"type": "preset", "id": "number", "presetId": "cost", "x": 0, "y": 0, "width": 3, "height": 3},
                    {"type": "preset", "id": "lines", "presetId": "cost-by-model", "x": 3, "y": 0, "width": 6,
                     "height": 5},
                ]
            },
        }  # fmt: skip
        answer = api.post("/api/public/unstable/dashboards", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]


def places(server, board):
    with server.client() as api:
        found = api.get(f"/api/public/unstable/dashboards/{board}").json()["definition"]["widgets"]
    return {one["id"]: (one["x"], one["y"], one["width"], one["height"]) for one in found}


def edit(page, project_url, board):
    page.goto(f"{project_url}/dashboards/{board}/edit/")
    expect(page.locator(".ui-resizable-se")).not_to_have_count(0)


def save(page):
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url(re.compile(r"/dashboards/[^/]+/$"))


def test_a_dashboard_from_nothing(page, project_url, demo):
    page.goto(f"{project_url}/dashboards/")
    page.get_by_role("button", name="New dashboard").click()
    name = f"费用 {HOSTILE} {'long ' * 20}{uuid.uuid4().hex[:6]}"
    page.get_by_label("Name", exact=True).fill(name)
    page.locator(".add-chart summary").click()
    page.wait_for_load_state()
    page.get_by_placeholder("Name of a chart").fill("models today")
    expect(page.locator("[data-add]:visible")).to_have_count(1)
    page.locator("[data-add]:visible").click()
    expect(page.get_by_role("region", name="Models today").locator("table")).to_be_visible()
    page.locator(".add-chart summary").click()
    page.get_by_role("button", name="A new chart…").click()
    # The editor shows what is asked while it is written.
    preview = page.locator("#widget-preview")
    expect(preview.locator("[data-plot] canvas")).to_be_visible()
    page.get_by_label("Measure", exact=True).select_option("latency")
    expect(page.get_by_label("Aggregation")).to_have_value("p95")
    page.get_by_role("button", name="Breakdown", exact=True).click()
    page.get_by_label("Dimension").select_option("metadata")
    page.get_by_label("Key of the metadata").press_sequentially("topic")
    page.get_by_role("radio", name="Bars", exact=True).check()
    expect(page.get_by_label("Key of the metadata")).to_have_value("topic")
    expect(preview.get_by_role("heading")).to_have_text("Latency p95 per topic")
    expect(page.get_by_label("Name", exact=True)).to_have_attribute("placeholder", "Latency p95 per topic")
    page.get_by_label("Groups at most").fill("5000")
    expect(page.get_by_role("alert")).to_have_text("Give a whole number from 1 to 1000.")
    page.get_by_label("Groups at most").fill("5")
    expect(preview.locator("[data-plot] canvas")).to_be_visible()
    expect(page.locator("#chart-NUMBER")).to_be_disabled()
    page.get_by_role("button", name="Save and place it").click()
    expect(page.get_by_role("region", name="Latency p95 per topic")).to_be_visible()
    save(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("费用 <script>")
    assert page.evaluate("window.harmed") is None
    expect(page.locator(".panel")).to_have_count(2)


def test_charts_are_moved_and_resized_by_mouse(page, project_url, server, board):
    edit(page, project_url, board)
    item = page.locator('[gs-id="number"]')
    box = item.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 40, steps=8)
    page.mouse.move(box["x"] + 60 + box["width"] * 3, box["y"] + 24, steps=8)
    page.mouse.up()
    expect(item.locator("input[name=x]")).to_have_value("9")
    box = item.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 6, box["y"] + box["height"] - 6)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 6, box["y"] + box["height"] + 90, steps=8)
    page.mouse.up()
    expect(item.locator("input[name=height]")).to_have_value("5")
    expect(page.get_by_text("Not saved yet")).to_be_visible()
    assert places(server, board)["number"] == (0, 0, 3, 3)
    save(page)
    assert places(server, board) == {"number": (9, 0, 3, 5), "lines": (3, 0, 6, 5)}
    edit(page, project_url, board)
    expect(page.locator('[gs-id="number"]')).to_have_attribute("gs-x", "9")


def test_charts_are_moved_and_resized_by_keyboard(page, project_url, server, board):
    edit(page, project_url, board)
    grip = page.get_by_role("button", name="Move Cost", exact=True)
    grip.focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator("[data-said]")).to_have_text("Cost: column 1, row 1, 2 wide, 4 high")
    lines = page.get_by_role("button", name="Move Cost per model")
    lines.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-said]")).to_have_text("Cost per model: column 6, row 1, 6 wide, 5 high")
    expect(lines).to_be_focused()
    save(page)
    assert places(server, board) == {"number": (0, 0, 2, 4), "lines": (5, 0, 6, 5)}


def test_what_was_removed_comes_back_unless_it_is_saved(page, project_url, server, board):
    edit(page, project_url, board)
    page.get_by_label("Change Cost", exact=True).click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator(".grid-stack-item")).to_have_count(1)
    page.get_by_role("link", name="Discard").click()
    expect(page.locator(".panel")).to_have_count(2)
    assert set(places(server, board)) == {"number", "lines"}


def test_filters_show_in_the_charts_while_they_are_written(page, project_url, server, board):
    edit(page, project_url, board)
    value = page.locator('[gs-id="number"] .value')
    expect(value).to_have_text(re.compile("[1-9]"))
    page.locator("#layout-conditions").get_by_role("button", name="Filter", exact=True).click()
    page.get_by_label("Field", exact=True).select_option("environment")
    page.get_by_label("Value", exact=True).press_sequentially("nowhere")
    expect(value).to_have_text("$0")
    expect(page.get_by_label("Value", exact=True)).to_be_focused()
    page.get_by_role("button", name="Remove this filter").click()
    expect(value).to_have_text(re.compile("[1-9]"))
    with server.client() as api:
        assert api.get(f"/api/public/unstable/dashboards/{board}").json()["filters"] == []


def test_the_second_of_two_people_is_told(browser, state, page, project_url, server, board):
    edit(page, project_url, board)
    context = new_context(browser, state)
    other = context.new_page()  # its answer of 409 is no complaint
    edit(other, project_url, board)
    page.get_by_role("button", name="Move Cost", exact=True).press("Shift+ArrowDown")
    save(page)
    other.get_by_role("button", name="Move Cost per model").press("ArrowRight")
    other.get_by_role("button", name="Save", exact=True).click()
    expect(other.get_by_role("alert")).to_contain_text("Somebody else has changed this dashboard meanwhile.")
    expect(other.locator('[gs-id="lines"] input[name=x]')).to_have_value("4")
    assert places(server, board)["lines"] == (3, 0, 6, 5)
    other.get_by_role("link", name="Load theirs, and drop mine").click()
    expect(other.locator('[gs-id="number"] input[name=height]')).to_have_value("4")
    context.close()


def test_files_are_dropped_and_pasted(browser, state, page, project_url, server, board):
    page.goto(f"{project_url}/dashboards/{board}/")
    with page.expect_download() as download:
        page.get_by_label("More about this dashboard").click()
        page.get_by_role("link", name="Export as JSON").first.click()
    file = json.loads(download.value.path().read_text())
    name = f"Dropped {uuid.uuid4().hex[:6]}"
    page.goto(f"{project_url}/dashboards/")
    drop(page, json.dumps({**file, "name": name}))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.locator(".panel")).to_have_count(2)
    chart = {
        "name": "Pasted", "view": "traces", "metrics": [{"measure": "count", "agg": "count"}], "chartType": "NUMBER",
    }  # fmt: skip
    edit(page, project_url, board)
    paste(page, json.dumps(chart))
    expect(page.get_by_role("region", name="Pasted")).to_be_visible()
    context = new_context(browser, state)
    other = context.new_page()  # its answer of 422 is no complaint
    other.goto(f"{project_url}/dashboards/import/")
    other.get_by_label("Or its text").fill(json.dumps({**chart, "chartType": "DONUT"}))
    other.get_by_role("button", name="Import").click()
    expect(other.get_by_role("alert")).to_contain_text("chartType")
    expect(other.get_by_label("Or its text")).to_have_value(re.compile("DONUT"))
    context.close()


def drop(page, text):
    page.evaluate(
        """text => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([text], "d.json", { type: "application/json" }));
          for (const name of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true }));
        }""",  # noqa: E501
        text,
    )


def paste(page, text):
    page.evaluate(
        """text => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/plain", text);
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }""",
        text,
    )


def test_on_a_phone_and_without_a_script(phone, scriptless, project_url, server, board):
    phone.goto(f"{project_url}/dashboards/{board}/edit/")
    phone.locator('[gs-id="number"] input[name=width]').fill("4")
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    save(phone)
    assert places(server, board)["number"] == (0, 0, 4, 3)
    scriptless.goto(f"{project_url}/dashboards/{board}/edit/")
    scriptless.locator('[gs-id="lines"] input[name=y]').fill("9")
    scriptless.get_by_role("button", name="Save", exact=True).click()
    assert places(server, board)["lines"] == (3, 9, 6, 5)
    scriptless.goto(f"{project_url}/dashboards/charts/new/")
    scriptless.get_by_role("button", name="Measure", exact=True).click()
    expect(scriptless.locator("[name=measure]")).to_have_count(2)
    scriptless.get_by_role("button", name="Preview", exact=True).last.click()
    scriptless.get_by_role("link", name="Show the figures").click()
    expect(scriptless.locator("body")).to_contain_text("Traces")
