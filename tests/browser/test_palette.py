"""Going anywhere by a few letters, with the keyboard alone, with the mouse, and without a script."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def palette(page, project_url, demo):
    page.goto(f"{project_url}/users/")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette [role=option]").first).to_be_visible()
    return page


def test_a_page_by_its_name(palette):
    palette.keyboard.type("sess")
    expect(palette.locator("#palette [aria-selected=true]")).to_contain_text("Sessions")
    palette.keyboard.press("Enter")
    expect(palette).to_have_url(re.compile(r"/sessions/"))
    expect(palette.locator("#palette")).to_be_hidden()


def test_things_by_id_and_by_a_part_of_their_name(palette, demo):
    field = palette.get_by_role("combobox", name="Page, name or id")
    for text, title in ((demo.user[:5], demo.user), (demo.session, demo.session), ("research", "research-agent")):
        field.fill(text)
        expect(palette.locator("#palette .title", has_text=re.compile(f"^{re.escape(title)}$")).first).to_be_visible()
    field.fill(demo.answer)
    expect(palette.locator("#palette [aria-selected=true]")).to_contain_text("generate-answer")
    palette.keyboard.press("Enter")
    expect(palette).to_have_url(re.compile(f"/traces/{demo.chat}/.*observation={demo.answer}"))


def test_arrows_go_round_and_escape_leads_back(palette):
    options = palette.locator("#palette [role=option]")
    count = options.count()
    palette.keyboard.press("ArrowUp")
    expect(options.nth(count - 1)).to_have_attribute("aria-selected", "true")
    palette.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    palette.keyboard.press("Escape")
    expect(palette.locator("#palette")).to_be_hidden()
    palette.get_by_role("link", name="Go to…").click()
    expect(palette.locator("#palette")).to_be_visible()


def test_words_that_name_nothing_lead_to_a_search_of_everything(palette):
    palette.keyboard.type("status:退货 -x")
    palette.locator("#palette [role=option]", has_text=re.compile("Traces that hold.*-x")).click()
    expect(palette).to_have_url(re.compile(r"/traces/\?q=%22status"))


def test_what_the_thumb_has_no_room_for_is_found_on_a_phone(phone, project_url, demo):
    phone.goto(f"{project_url}/traces/")
    phone.get_by_role("navigation", name="Main").get_by_role("link", name="Go to…").tap()
    phone.locator("#palette [role=option]", has_text="Datasets").tap()
    expect(phone).to_have_url(re.compile("/datasets/$"))
    expect(phone.get_by_role("heading", level=1, name="Datasets")).to_be_visible()


def test_without_a_script_it_is_a_page(scriptless, project_url, demo):
    scriptless.goto(f"{project_url}/users/")
    scriptless.get_by_role("link", name="Go to…").click()
    scriptless.get_by_role("searchbox", name="Page, name or id").fill(demo.session)
    scriptless.keyboard.press("Enter")
    scriptless.get_by_role("option", name=re.compile(re.escape(demo.session))).first.click()
    expect(scriptless).to_have_url(re.compile("/sessions/"))
