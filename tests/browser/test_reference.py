"""The API reference, as somebody reads it who has no account."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.chromium import PHONE, new_context


def test_from_search_to_the_curl(visitor, server):
    visitor.goto(f"{server.url}/api-reference/")
    visitor.get_by_role("searchbox", name="Find an operation").press_sequentially("expandmetadata")
    expect(visitor.locator("#operations li")).to_have_count(1)
    assert visitor.url.endswith("/api-reference/?q=expandmetadata")
    visitor.locator("#operations li a").click()
    expect(visitor.locator("h1")).to_have_text("List observations by cursor")
    expect(visitor.locator("#curl")).to_contain_text("/api/public/v2/observations")
    expect(visitor.locator(".subnav [aria-current=page]")).to_contain_text("List observations by cursor")
    visitor.locator("summary", has_text="fields").first.click()
    expect(visitor.locator(".inner[open] > .shape-fields").first).to_be_visible()


def test_without_a_script(scriptless, server):
    scriptless.goto(f"{server.url}/api-reference/")
    scriptless.get_by_role("searchbox").fill("sessions list")
    scriptless.get_by_role("searchbox").press("Enter")
    expect(scriptless.locator("#operations li")).to_have_count(1)
    scriptless.locator("#operations li a").click()
    expect(scriptless.locator("h1")).to_have_text("List sessions")
    assert scriptless.url.endswith("/api-reference/getSessions/")


def test_keys_lead_to_it(page, server):
    for path in ("start", "settings/api-keys"):
        page.goto(f"{server.url}/projects/{server.project_id}/{path}/")
        page.get_by_role("link", name="API reference").click()
        expect(page.locator("h1")).to_have_text("API reference")


def test_by_keyboard_from_search_to_an_operation_and_back(visitor, server):
    visitor.goto(f"{server.url}/api-reference/")
    visitor.keyboard.press("/")
    visitor.keyboard.type("delete model")
    expect(visitor.locator("#operations li")).to_have_count(1)
    visitor.keyboard.press("Escape")
    visitor.keyboard.press("j")
    visitor.keyboard.press("Enter")
    expect(visitor.locator("h1")).to_have_text("Delete a model")
    visitor.go_back()
    expect(visitor.get_by_role("searchbox", name="Find an operation")).to_have_value("delete model")
    expect(visitor.locator("#operations li")).to_have_count(1)


def test_a_stranger_on_a_phone_can_search_from_any_operation_and_sign_in(browser, watch, server):
    context = new_context(browser, **PHONE)
    page = context.new_page()
    watch.page(page)
    page.goto(f"{server.url}/api-reference/getHealth/")
    page.get_by_role("searchbox", name="Find an operation").fill("sessions list")
    page.keyboard.press("Enter")
    expect(page.locator("#operations li")).to_have_count(1)
    page.get_by_role("link", name="Sign in").click()
    expect(page).to_have_url(f"{server.url}/accounts/login/")
    context.close()
