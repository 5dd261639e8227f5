"""Datasets by mouse, by keyboard, on a phone and without a script: listed, filled from files and traces, changed."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Watch
from tests.browser.demo_data import DemoData
from tests.instance import Instance

pytestmark = pytest.mark.usefixtures("demo")

QUESTION = {"type": "object", "required": ["question"], "properties": {"question": {"type": "string"}}}


@pytest.fixture
def name() -> str:
    """Of this test alone."""
    return f"t{uuid4().hex[:8]}/questions"


def make(server: Instance, name: str, *items: dict[str, Any], **fields: Any) -> str:
    with server.client() as api:
        answer = api.post("/api/public/v2/datasets", json={"name": name, **fields})
        assert answer.is_success, answer.text
        for item in items:
            assert api.post("/api/public/dataset-items", json={"datasetName": name, **item}).is_success
    return str(answer.json()["id"])


def test_datasets_are_walked_made_searched_and_duplicated(
    page: Page, watch: Watch, project_url: str, name: str
) -> None:
    folder = name.partition("/")[0]
    page.goto(f"{project_url}/datasets/?folder={folder}")
    page.keyboard.press("n")
    expect(page.get_by_label("Name", exact=True)).to_have_value(f"{folder}/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Schema of the input").fill('{"type": "nothing"}')
    page.get_by_role("button", name="Make the dataset").click()
    expect(page.locator("#input_schema-error")).to_contain_text("is not valid under any of the given schemas")
    watch.problems.clear()  # the 422 was meant
    page.get_by_label("Schema of the input").fill("")
    page.get_by_label("Description").fill("What people xylophoned")
    page.get_by_role("button", name="Make the dataset").click()
    expect(page.locator("h1")).to_have_text("questions")
    expect(page.get_by_text("No items yet")).to_be_visible()

    page.goto(f"{project_url}/datasets/")
    page.keyboard.press("/")
    page.keyboard.type("xylophoned")
    rows = page.locator("table.datasets .row-link")
    expect(rows).to_have_text([name])
    expect(page).to_have_url(re.compile("q=xylophoned"))
    page.reload()
    expect(rows).to_have_text([name])
    page.get_by_label(f"Actions on {name}").click()
    page.locator(".menu[open]").get_by_role("link", name="Duplicate").click()
    page.get_by_label("Name of the copy").fill(f"{folder}/copy")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("copy")
    page.go_back()
    expect(page.get_by_label("Name of the copy")).to_be_visible()


def test_items_are_written_edited_compared_and_archived(
    page: Page, watch: Watch, project_url: str, server: Instance, name: str
) -> None:
    dataset = make(server, name, inputSchema=QUESTION)
    page.goto(f"{project_url}/datasets/{dataset}/")
    page.keyboard.press("n")
    page.get_by_label("Input").fill('{"question": 5}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#input-error")).to_have_text(re.compile(r"\$\.question\s+5 is not of type 'string'"))
    watch.problems.clear()  # the 422 was meant
    page.get_by_label("Input").fill('{"question": "How?"}')
    page.get_by_label("Expected output").fill("So.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#expected")).to_contain_text("So.")
    page.keyboard.press("e")
    page.get_by_label("Expected output").fill("Otherwise.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".versions li")).to_have_count(2)
    page.locator(".versions .compare").click()
    expect(page.locator("#expected-diff")).to_contain_text("Otherwise.")
    expect(page.locator("#expected-diff")).to_contain_text("So.")
    page.locator(".versions .row-link").nth(1).click()
    expect(page.locator(".strip.as-of")).to_contain_text("The item as of")
    expect(page.get_by_role("link", name="Edit")).to_have_count(0)

    page.goto(f"{project_url}/datasets/{dataset}/")
    act = page.get_by_role("button", name="Archive")
    expect(act).to_be_disabled()
    page.get_by_label("All on this page").check()
    expect(page.locator("[data-chosen]")).to_have_text("1 chosen")
    act.click()
    expect(page.get_by_text("1 item is archived.")).to_be_visible()
    expect(page.get_by_text("No items in use")).to_be_visible()
    page.get_by_role("group", name="Status").get_by_role("link", name="Archived").click()
    page.locator('tbody input[name="id"]').focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Use again").press("Enter")
    expect(page.get_by_text("1 item is in use again.")).to_be_visible()
    page.locator("summary", has_text="Newest version").click()
    page.locator(".menu[open] .version-choice").last.click()
    expect(page.locator(".strip.as-of")).to_contain_text("The items as of")
    expect(page.locator('tbody input[name="id"]')).to_have_count(0)


def test_a_csv_with_bad_rows_is_imported_by_mouse(
    page: Page, project_url: str, server: Instance, name: str, tmp_path: Any
) -> None:
    dataset = make(server, name, inputSchema={"type": "string"})
    file = tmp_path / "fragen.csv"
    file.write_text('frage,antwort,sprache\nWie?,So,de\nzu,viele,zellen,hier\n"{""a"": 1}",nein,de\n', encoding="utf-8")
    page.goto(f"{project_url}/datasets/{dataset}/")
    page.get_by_role("link", name="Import", exact=True).click()
    page.get_by_label("CSV or JSON lines").set_input_files(file)
    page.get_by_role("button", name="Look at it").click()
    preview = page.locator("#preview")
    expect(preview).to_contain_text("It has 4 cells, and the first line names 3 columns.")
    page.get_by_label("What antwort is").select_option("Expected output")
    expect(preview.locator("tbody tr").first).to_contain_text("So")
    page.get_by_label("What sprache is").select_option("Metadata")
    expect(preview.locator("tbody tr").first).to_contain_text("de")
    expect(page).to_have_url(re.compile("column-2=metadata"))
    page.reload()
    expect(page.get_by_label("What sprache is")).to_have_value("metadata")
    page.get_by_role("button", name="Import 3 rows").click()
    expect(page.get_by_role("status").filter(has_text="1 item is in the dataset.")).to_be_visible()
    expect(page.get_by_text("2 rows were left out.")).to_be_visible()
    expect(page.locator("td.reason")).to_have_text(
        ["It has 4 cells, and the first line names 3 columns.", "{'a': 1} is not of type 'string'"]
    )
    with page.expect_download() as download:
        page.get_by_role("link", name="The rows that were left out").click()
    assert download.value.suggested_filename == "fragen-bad-rows.csv"
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "_line,_problem,frage,antwort,sprache"
    assert lines[1].endswith("zu,viele,zellen,hier")
    page.get_by_role("link", name="Open the dataset").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.locator("summary", has_text="Export").click()
        page.get_by_role("link", name="JSON lines").click()
    [item] = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert (item["input"], item["expectedOutput"], item["metadata"]) == ("Wie?", "So", "de")


def test_json_lines_are_imported_by_keyboard(
    page: Page, project_url: str, server: Instance, name: str, tmp_path: Any
) -> None:
    dataset = make(server, name)
    file = tmp_path / "items.jsonl"
    file.write_text('{"question": "一?", "answer": 1}\n{broken\n{"question": "二?", "answer": 2}\n', encoding="utf-8")
    page.goto(f"{project_url}/datasets/import/?dataset={dataset}")
    page.get_by_label("CSV or JSON lines").set_input_files(file)  # what the system's own dialog would do
    page.get_by_label("CSV or JSON lines").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_label("What answer is").focus()
    expect(page.get_by_label("What answer is")).to_have_value("expected_output")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # JSON in texts stays text
    expect(page).to_have_url(re.compile("column-1=expected_output(?!.*json=1)"))
    page.get_by_role("button", name="Import 3 rows").press("Enter")
    expect(page.get_by_role("status").filter(has_text="2 items are in the dataset.")).to_be_visible()
    expect(page.locator("td.reason")).to_contain_text(["It is not JSON"])


def test_a_trace_and_an_observation_become_items(
    page: Page, project_url: str, server: Instance, demo: DemoData, name: str
) -> None:
    dataset = make(server, name)
    page.goto(f"{project_url}/traces/{demo.chat}/?observation={demo.answer}")
    page.locator("#observation").get_by_label("Copy and download").click()
    page.get_by_role("link", name="Add to a dataset").click()
    page.get_by_label("Dataset", exact=True).select_option(name)
    expect(page).to_have_url(re.compile(f"dataset={dataset}"))
    output = page.get_by_label("Expected output", exact=True)
    was = output.input_value()
    page.get_by_label("Where Metadata comes from").select_option("Output")
    expect(page.get_by_label("Metadata", exact=True)).to_have_value(was)
    page.get_by_label("Path to Input").fill("$.nowhere")
    page.keyboard.press("Tab")
    expect(page.locator("#input-error")).to_be_visible()
    page.get_by_label("Input", exact=True).fill("edited by hand")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text(f"Added to “{name}”.")).to_be_visible()
    page.get_by_role("link", name="Open the item").click()
    expect(page.locator("#input")).to_contain_text("edited by hand")
    page.get_by_role("link", name="Source trace").click()
    expect(page).to_have_url(re.compile(f"traces/{demo.chat}/.*observation={demo.answer}"))
    page.goto(f"{project_url}/datasets/add/?trace={demo.chat}&observation={demo.answer}&dataset={dataset}")
    expect(page.get_by_text("An item of this dataset comes from here already.")).to_be_visible()


def test_selected_traces_become_items(page: Page, project_url: str, name: str) -> None:
    page.goto(f"{project_url}/traces/?range=all&q=name%3Asupport-chat+tokens%3A%3E200")
    boxes = page.locator("#rows .c-select input")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.locator("#selection").get_by_role("button", name="Add to a dataset").click()
    dialog = page.locator("#confirm-dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Add 2 traces to a dataset")
    dialog.get_by_label("Where Metadata comes from").select_option("Input")
    expect(dialog.get_by_label("Metadata", exact=True)).not_to_have_value("")
    dialog.get_by_label("Name of the new dataset").fill(name)
    dialog.get_by_role("button", name="Add", exact=True).press("Enter")
    expect(page.locator("h1")).to_have_text("questions")
    expect(page.locator("table.items tbody tr")).to_have_count(2)
    expect(page.locator("table.items tbody .wide a.num")).to_have_count(2)


def test_reading_needs_no_script_and_fits_a_phone(
    scriptless: Page, phone: Page, project_url: str, server: Instance, name: str
) -> None:
    item = {"id": f"{name} 1", "input": {"question": "长" * 400}, "expectedOutput": "x" * 3000}
    dataset = make(server, name, item)
    scriptless.goto(f"{project_url}/datasets/?folder={name.partition('/')[0]}")
    scriptless.get_by_role("link", name="questions").click()
    scriptless.locator("tbody .row-link").click()
    expect(scriptless.locator("#input")).to_contain_text("长长长")
    scriptless.go_back()
    scriptless.locator('input[name="id"]').check()
    scriptless.get_by_role("button", name="Archive").click()
    expect(scriptless.get_by_text("1 item is archived.")).to_be_visible()
    for path in ("", "?status=all", "?tab=history", "?tab=settings", f"items/{name} 1/"):
        phone.goto(f"{project_url}/datasets/{dataset}/{path}")
        assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
