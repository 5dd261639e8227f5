"""Every page in both themes and on a phone: no complaint, nothing that sticks out."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.pages import all_pages


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def luminance(page):
    """0 is black, 1 is white: of the first thing behind the page's content that has a colour."""
    return page.evaluate(
        """() => {
          const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
          for (const element of [document.querySelector("main"), document.body, document.documentElement]) {
            canvas.clearRect(0, 0, 1, 1);
            canvas.fillStyle = getComputedStyle(element).backgroundColor;
            canvas.fillRect(0, 0, 1, 1);
            const [red, green, blue, opacity] = canvas.getImageData(0, 0, 1, 1).data;
            if (opacity === 255) return (red * 0.21 + green * 0.72 + blue * 0.07) / 255;
          }
          return null;
        }"""
    )


def visit_all(page, server, demo, check):
    for name, path in all_pages(server, demo).items():
        answer = page.goto(server.url + path, wait_until="load")
        assert answer.status == 200, name
        check(name)


def test_no_page_complains_in_the_light(page, server, demo):
    page.emulate_media(color_scheme="light")

    def check(name):
        assert luminance(page) > 0.8, name
        assert overflow(page) <= 0, name
        expect(page.locator("h1").first).to_be_visible()

    visit_all(page, server, demo, check)


def test_no_page_complains_in_the_dark(page, server, demo):
    page.emulate_media(color_scheme="dark")

    def check(name):
        assert luminance(page) < 0.2, name

    visit_all(page, server, demo, check)


def test_no_page_is_wider_than_a_phone(phone, server, demo):
    def check(name):
        assert overflow(phone) <= 0, name

    visit_all(phone, server, demo, check)


def test_the_theme_can_be_chosen_and_is_remembered(page, server, demo):
    page.emulate_media(color_scheme="light")
    page.goto(f"{server.url}/projects/{server.project_id}/traces/")
    for theme in ("light", "dark"):  # it starts with the system's
        page.locator("[data-theme-switch] button:visible").click()
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
    page.wait_for_load_state("networkidle")
    assert luminance(page) < 0.2
    page.goto(f"{server.url}/projects/{server.project_id}/users/")
    assert luminance(page) < 0.2


@pytest.mark.parametrize("width", [1440, 1024])
def test_another_project_is_two_clicks_away(page, server, demo, width):
    page.set_viewport_size({"width": width, "height": 768})
    page.goto(f"{server.url}/projects/{server.project_id}/sessions/")
    expect(page.get_by_role("heading", level=1)).to_be_in_viewport(ratio=1)
    page.get_by_title("Switch project").click()
    page.locator(".crumbs .sheet a[aria-current]").click()
    expect(page).to_have_url(f"{server.url}/projects/{server.project_id}/traces/")


def test_keyboard_help(page, server, demo):
    page.goto(f"{server.url}/projects/{server.project_id}/traces/")
    page.keyboard.press("?")
    expect(page.locator("dialog#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog#help")).to_be_hidden()


@pytest.mark.parametrize("path", ["/projects/no-such-project/traces/", "/projects/demo-project/traces/no-such-trace/"])
def test_what_is_not_there_is_a_page_of_its_own(browser, state, server, path):
    context = browser.new_context(storage_state=state)
    page = context.new_page()
    answer = page.goto(server.url + path)
    assert answer.status == 404
    expect(page.locator("h1").first).to_be_visible()
    context.close()
