"""Sign in, make a project, and see the first trace arrive while the page waits."""

from __future__ import annotations

import re
import time
import uuid

import httpx
from playwright.sync_api import expect

from tests.browser.chromium import new_context, sign_in
from tests.clients.load import payload


def test_sign_in_leads_home(visitor, server, demo):
    visitor.goto(server.url)
    expect(visitor).to_have_url(re.compile("/accounts/login/"))
    sign_in(visitor, server)
    expect(visitor).to_have_url(re.compile("/home/"))
    expect(visitor.get_by_role("heading", name="Home", exact=True)).to_be_visible()


def test_wrong_password_says_so(visitor, server):
    visitor.goto(f"{server.url}/accounts/login/")
    visitor.get_by_label("Email", exact=False).fill(server.email)
    visitor.get_by_label("Password", exact=False).first.fill("not-the-password")
    visitor.get_by_role("button", name="Sign in").click()
    expect(visitor.locator("main, body").first).to_contain_text("not correct")


def test_onboarding_ends_with_the_first_trace(page, server):
    name = f"First light {uuid.uuid4().hex[:6]}"
    page.goto(f"{server.url}/organizations/demo-org/")
    page.locator("form[action$='/projects/create/'] input[name$='name']").fill(name)
    page.get_by_role("button", name="New project").click()
    page.wait_for_url(lambda url: "/organizations/" not in url)
    if "/start/" not in page.url:
        project_id = re.search(r"/projects/([^/]+)/", page.url).group(1)
        page.goto(f"{server.url}/projects/{project_id}/start/")
    expect(page.get_by_text("Waiting for your first trace")).to_be_visible()
    page.get_by_role("button", name="Create keys").click()
    public_key = page.locator("#public-key").inner_text()
    secret_key = page.locator("#secret-key").inner_text()
    expect(page.locator(".snippets").first).to_contain_text(secret_key)
    change_the_theme(page)
    expect(page.locator("#secret-key")).to_have_text(secret_key)
    body, _ = payload("production", 3)
    answer = httpx.post(f"{server.url}/api/public/otel/v1/traces", json=body, auth=(public_key, secret_key), timeout=20)
    assert answer.status_code == 200
    expect(page.get_by_text("Your trace is here")).to_be_visible(timeout=15_000)
    page.get_by_role("link", name="Open it").click()
    expect(page.get_by_role("tree")).to_contain_text("step-0")


def change_the_theme(page):
    switch = page.locator("[data-theme-switch] button:visible")
    wanted = switch.get_attribute("value")
    switch.click()
    assert (page.locator("html").get_attribute("data-theme") or "") == wanted
    expect(switch).to_be_focused()
    expect(switch).not_to_have_attribute("value", wanted)


def test_a_key_is_not_lost_to_the_theme_and_its_address_leads_to_all_keys(page, project_url):
    page.goto(f"{project_url}/settings/api-keys/")
    page.get_by_role("button", name="Create key").click()
    secret_key = page.locator("#new-secret-key").inner_text()
    for _ in range(3):
        change_the_theme(page)
    expect(page.locator("#new-secret-key")).to_have_text(secret_key)
    page.goto(page.url)
    expect(page).to_have_url(f"{project_url}/settings/api-keys/")
    expect(page.get_by_role("heading", name="Create a key")).to_be_visible()
    assert secret_key not in page.content()


def test_keys_that_are_there_can_be_copied(browser, state, project_url):
    context = new_context(browser, state, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{project_url}/start/")
    key = page.locator(".key-pair dd").first
    key.get_by_role("button", name="Copy").click()
    expect(key.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == key.locator("code").inner_text()
    context.close()


def test_a_new_project_shows_nothing_of_its_neighbour(page, server, demo):
    page.goto(f"{server.url}/organizations/demo-org/")
    page.locator("form[action$='/projects/create/'] input[name$='name']").fill(f"Neighbour {time.monotonic_ns()}")
    page.get_by_role("button", name="New project").click()
    page.wait_for_url(lambda url: "/organizations/" not in url)
    project_id = re.search(r"/projects/([^/]+)/", page.url).group(1)
    page.goto(f"{server.url}/projects/{project_id}/traces/?range=all")
    expect(page.get_by_text("No traces yet")).to_be_visible()
    assert "support-chat" not in page.content()
