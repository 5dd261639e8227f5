"""Prompts by mouse, by keyboard, on a phone and without a script: listed, written, reviewed, labelled, compared."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser.chromium import Watch
from tests.instance import Instance

pytestmark = pytest.mark.usefixtures("demo")


@pytest.fixture
def folder() -> str:
    """Of this test alone."""
    return f"t{uuid4().hex[:8]}"


def create(server: Instance, name: str, said: object, **fields: object) -> None:
    kind = "text" if isinstance(said, str) else "chat"
    with server.client() as api:
        answer = api.post("/api/public/v2/prompts", json={"name": name, "type": kind, "prompt": said, **fields})
        assert answer.status_code == 201, answer.text


def test_list_is_walked_searched_and_narrowed(page: Page, project_url: str, server: Instance, folder: str) -> None:
    create(server, f"{folder}/alpha", "Says xylophone to {{who}}", labels=["production"], tags=[f"a{folder}"])
    create(server, f"{folder}/deep/beta", [{"role": "user", "content": "hello"}])
    page.goto(f"{project_url}/prompts/?folder={folder}")
    rows = page.locator("table.prompts .row-link")
    expect(rows).to_have_text(["deep", "alpha"])
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("deep")
    page.go_back()
    expect(rows).to_have_count(2)

    page.keyboard.press("/")
    page.keyboard.type("XYLO")
    expect(rows).to_have_text(["alpha"])
    expect(page.locator(".hit mark")).to_have_text("xylo")
    expect(page).to_have_url(re.compile("q=XYLO"))
    page.reload()
    expect(rows).to_have_text(["alpha"])
    page.get_by_label("Search prompts").fill("")
    expect(rows).to_have_text(["deep", "alpha"])

    page.locator("summary", has_text="Type").click()
    page.locator(".menu[open]").get_by_role("link", name="chat").click()
    expect(rows).to_have_text(["deep/beta"])
    page.go_back()
    expect(rows).to_have_text(["deep", "alpha"])

    cell = page.locator("tr", has=page.get_by_role("link", name="alpha", exact=True)).locator(".tag-cell")
    cell.locator("summary").click()
    cell.get_by_label("New tag").fill("fresh")
    page.keyboard.press("Enter")
    expect(cell.locator("> .tag")).to_have_text([f"#a{folder}", "#fresh"])
    cell.get_by_role("button", name="Remove the tag fresh").click()
    expect(cell.locator("> .tag")).to_have_text([f"#a{folder}"])

    page.keyboard.press("Escape")
    page.get_by_label(f"Actions on {folder}/alpha").click()
    page.locator(".menu[open]").get_by_role("link", name="Duplicate").click()
    page.get_by_label("Name of the copy").fill(f"{folder}/gamma")
    page.get_by_role("button", name="Duplicate").click()
    expect(page.locator("h1")).to_have_text("gamma")


def test_messages_are_written_moved_reviewed_and_saved(
    page: Page, project_url: str, server: Instance, folder: str
) -> None:
    create(server, f"{folder}/policy", "Refunds within 30 days.", labels=["production"])
    page.goto(f"{project_url}/prompts/new/?folder={folder}")
    page.get_by_label("Name", exact=True).press_sequentially("/answer")
    expect(page.locator("#name-error")).to_have_text(re.compile("Slashes part folders"))
    page.get_by_label("Name", exact=True).fill(f"{folder}/answer")
    expect(page.locator("#name-error")).to_be_empty()
    page.get_by_text("Chat messages").click()
    expect(page.locator("#text")).to_be_hidden()
    words = page.locator("[data-rows] [name=content]")
    words.nth(0).fill("Be kind. ")
    words.nth(1).fill("{{question}}")
    expect(page.locator("[data-names]")).to_have_text("question")

    page.get_by_role("button", name="Placeholder").click()
    expect(words.nth(2)).to_be_focused()
    page.keyboard.type("history")
    page.locator("[data-grip]").nth(2).focus()
    page.keyboard.press("ArrowUp")
    expect(words.nth(1)).to_have_value("history")
    expect(page.locator("[data-grip]").nth(1)).to_be_focused()
    page.get_by_role("button", name="Message", exact=True).click()
    expect(page.locator("[data-rows] select").last).to_have_value("assistant")
    words.nth(3).fill("dragged")
    page.locator("[data-grip]").nth(3).drag_to(page.locator("[data-row]").nth(0))
    expect(words.nth(0)).to_have_value("dragged")
    page.locator("[data-remove]").nth(0).click()
    expect(words).to_have_count(3)

    words.nth(0).focus()
    page.keyboard.press("Control+End")
    page.get_by_role("link", name="Embed another prompt").click()
    page.locator("#reference").fill(f"{folder}/pol")
    expect(page.locator("#references li")).to_have_count(1)
    page.locator("#references").get_by_role("button", name="production").click()
    reference = f"@@@langfusePrompt:name={folder}/policy|label=production@@@"
    expect(words.nth(0)).to_have_value(f"Be kind. {reference}")

    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.get_by_role("link", name="Cancel").click()
    expect(words).to_have_count(3)
    assert asked == ["beforeunload"]

    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".version-head h2")).to_have_text("v1")
    expect(page.locator(".message .role")).to_have_text(["system", "placeholder", "user"])
    page.get_by_role("link", name="Resolved").click()
    expect(page.locator("#content")).to_contain_text("Refunds within 30 days.")

    page.locator("body").click(position={"x": 700, "y": 12})
    page.keyboard.press("e")
    words.nth(0).fill(f"Be very kind. {reference}")
    page.get_by_label("What changed, and why").fill("Kinder")
    page.get_by_label("Config").fill("{")
    expect(page.locator("#config-check")).to_have_text("No valid JSON yet")
    page.get_by_label("Config").fill('{"model": "m"}')
    page.get_by_role("button", name="Review changes").click()
    expect(page.locator("#content-diff .added mark")).to_have_text("very ")
    expect(page.locator("#config-diff")).to_contain_text('"model"')
    page.get_by_role("button", name="Go on writing").click()
    expect(words.nth(0)).to_have_value(f"Be very kind. {reference}")
    page.get_by_role("button", name="Review changes").click()
    page.get_by_role("button", name="Save as version 2").click()
    expect(page.locator(".version-head h2")).to_contain_text("Kinder")


def test_versions_are_walked_labelled_compared_and_talked_about(
    page: Page, watch: Watch, project_url: str, server: Instance, folder: str
) -> None:
    for number in range(1, 4):
        create(server, f"{folder}/p", f"Line\nversion {number} says so\nend", commitMessage=f"step {number}")
    page.goto(f"{project_url}/prompts/{folder}/p/")
    shown = page.locator(".version-head h2 .num")
    expect(shown).to_have_text("v3")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(shown).to_have_text("v2")
    page.keyboard.press("d")
    expect(page.locator("#content-diff .said.removed mark")).to_have_text("1")
    expect(page.locator("#content-diff .said.added mark")).to_have_text("2")
    page.get_by_role("link", name="Inline").click()
    expect(page.locator("#content-diff .line.added mark")).to_have_text("2")
    page.get_by_label("to", exact=True).select_option("v3")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("#content-diff .line.added mark")).to_have_text("3")
    page.reload()
    expect(page.locator("#content-diff .line.added mark")).to_have_text("3")
    page.get_by_role("link", name="End comparing").click()
    expect(page.locator("#content")).to_contain_text("version 3 says so")

    page.keyboard.press("l")
    expect(page.get_by_label("production")).to_be_focused()
    page.keyboard.press("Space")
    page.get_by_label("New label").fill("canary")
    page.keyboard.press("Enter")
    expect(page.locator("#labels > .label")).to_have_text(["canary", "production", "latest"], use_inner_text=True)
    expect(page.locator(".versions li").first.locator(".label")).to_have_count(3)

    page.keyboard.press("/")
    page.keyboard.type("step 1")
    expect(page.locator(".versions li")).to_have_count(1)
    page.locator(".versions .row-link").click()
    expect(shown).to_have_text("v1")
    page.locator("body").click(position={"x": 700, "y": 12})
    page.keyboard.press("c")
    page.keyboard.type("Why so short?")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".thread .text")).to_have_text("Why so short?")
    page.get_by_role("link", name="Use it").click()
    expect(page.locator("#use-python")).to_contain_text(f'get_prompt("{folder}/p", version=1)')
    page.get_by_role("link", name="Metrics").click()
    expect(page.get_by_role("heading", name="Not used in this time range")).to_be_visible()


def test_phone_reads_and_labels(phone: Page, project_url: str) -> None:
    phone.goto(f"{project_url}/prompts/?folder=demo")
    phone.get_by_role("link", name="answer", exact=True).tap()
    expect(phone.locator(".message")).to_have_count(3)
    phone.locator(".labels-menu summary").tap()
    sheet = phone.locator(".labels-sheet")
    expect(sheet).to_be_in_viewport(ratio=1)
    phone.keyboard.press("Escape")
    phone.locator(".versions .row-link").last.tap()
    expect(phone.locator(".version-head h2 .num")).to_have_text("v1")
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_text_is_written_without_a_script(scriptless: Page, project_url: str, folder: str) -> None:
    page = scriptless
    page.goto(f"{project_url}/prompts/new/")
    page.get_by_label("Name", exact=True).fill(f"{folder}/plain")
    page.get_by_label("Text", exact=True).last.fill("Hello {{name}}")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".version-head h2 .num")).to_have_text("v1")
    page.get_by_role("link", name="New version").click()
    page.get_by_label("Text", exact=True).fill("Good day {{name}}")
    page.get_by_role("button", name="Review changes").click()
    expect(page.locator("#content-diff .line.added")).to_contain_text("Good day")
    page.get_by_role("button", name="Save as version 2").click()
    expect(page.locator(".version-head h2 .num")).to_have_text("v2")
    page.locator(".versions .compare").click()
    expect(page.locator("#content-diff .said.removed")).to_contain_text("Hello")
    page.goto(f"{project_url}/prompts/new/?type=chat")
    page.get_by_role("button", name="Message", exact=True).click()
    expect(page.locator("[data-row]")).to_have_count(3)
    page.get_by_role("button", name="Move down").first.click()
    expect(page.locator("[data-row] select").first).to_have_value("user")
