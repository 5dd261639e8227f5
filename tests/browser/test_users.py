"""Users: found and put in order, and one user's traces, sessions and scores behind tabs of the address."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def test_users_are_searched_sorted_and_opened(page, demo, project_url):
    page.goto(f"{project_url}/users/?range=all")
    expect(page.locator("table.users .spark path").first).to_have_attribute("d", re.compile("^M"))
    page.get_by_role("link", name="Traces", exact=True).last.click()
    expect(page.get_by_role("columnheader", name="Traces")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("link", name=re.compile("Traces ↓")).click()
    expect(page.get_by_role("columnheader", name="Traces")).to_have_attribute("aria-sort", "ascending")
    page.go_back()
    expect(page.get_by_role("columnheader", name="Traces")).to_have_attribute("aria-sort", "descending")
    page.keyboard.press("/")
    page.keyboard.type(demo.user)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"q="))
    expect(page.get_by_role("link", name=demo.user, exact=True)).to_be_visible()
    page.locator("#q").fill("nobody-of-this-name")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No users")).to_be_visible()


def test_tabs_of_a_user_are_addresses(page, demo, project_url):
    page.goto(f"{project_url}/users/{demo.user}/?range=all")
    tabs = page.get_by_role("navigation", name="Of this user")
    expect(page.locator(".chart rect.value").first).to_be_attached()
    expect(page.get_by_role("table", name=re.compile("^Traces"))).to_be_visible()
    tabs.get_by_role("link", name="Sessions").click()
    expect(page).to_have_url(re.compile("tab=sessions"))
    expect(page.get_by_role("table", name=re.compile("^Sessions"))).to_be_visible()
    page.reload()
    expect(page.get_by_role("table", name=re.compile("^Sessions"))).to_be_visible()
    tabs.get_by_role("link", name="Scores").click()
    expect(page).to_have_url(re.compile("tab=scores"))
    page.go_back()
    expect(page.get_by_role("table", name=re.compile("^Sessions"))).to_be_visible()
    page.get_by_role("link", name="Filter these traces").click()
    expect(page).to_have_url(re.compile(r"/traces/\?.*q=user"))


def test_a_user_is_read_without_a_script(scriptless, demo, project_url):
    scriptless.goto(f"{project_url}/users/{demo.user}/?range=all")
    expect(scriptless.locator(".chart rect.value").first).to_be_attached()
    scriptless.get_by_role("link", name="Sessions", exact=True).last.click()
    expect(scriptless.get_by_role("table", name=re.compile("^Sessions"))).to_be_visible()
