"""The menu of environments, used as people use it."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def _choose(page, *names):
    page.locator("#environments summary").click()
    for name in names:
        page.locator("#environments").get_by_label(name, exact=True).check()
    page.get_by_role("button", name="Show only these").click()


def test_a_choice_goes_along_and_keeps_the_filters(listed):
    listed.locator("#q").fill("level:ERROR")
    listed.keyboard.press("Enter")
    expect(listed).to_have_url(re.compile("q=level"))
    _choose(listed, "staging")
    expect(listed).to_have_url(re.compile(r"environment=staging"))
    expect(listed).to_have_url(re.compile(r"q=level%3AERROR"))
    expect(listed.locator("#environments .said")).to_have_text("staging")
    listed.get_by_role("link", name="Sessions").click()
    expect(listed).to_have_url(re.compile(r"/sessions/\?environment=staging"))
    listed.locator("#environments summary").click()
    listed.locator("#environments").get_by_role("link", name="All environments").click()
    expect(listed.locator("#environments .said")).to_have_text("All environments")
    listed.go_back()
    expect(listed).to_have_url(re.compile(r"environment=staging"))


def test_without_a_script(scriptless, project_url, demo):
    scriptless.goto(f"{project_url}/users/?range=all")
    _choose(scriptless, "staging")
    expect(scriptless).to_have_url(re.compile(r"range=all.*environment=staging"))
