"""Every page in both themes and on a phone: no complaint, nothing serious by axe, nothing that sticks out."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.axe import serious, serious_in_both_themes
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


def visit_all(page, server, demo):
    """The name of each page, which then has all that comes in after it."""
    for name, path in all_pages(server, demo).items():
        answer = page.goto(server.url + path, wait_until="load")
        assert answer.status == 200, name
        assert overflow(page) <= 0, name
        expect(page.locator("h1").first).to_be_visible()
        expect(page.locator(".facets-waiting, #pulse:empty, #peek:not([hidden]) [aria-busy]")).to_have_count(0)
        for panel in page.locator(".panel").all():  # charts come in where somebody looks
            panel.scroll_into_view_if_needed()
            expect(panel.locator(".panel-body")).not_to_have_attribute("aria-busy", "true")
        yield name


def test_every_page_in_both_themes(page, server, demo):
    """axe finds nothing serious, and nothing complains: half of the pages begin in the dark."""
    themes, problems = ["light", "dark"], []
    for name in visit_all(page, server, demo):
        for theme in themes:
            page.emulate_media(color_scheme=theme)
            assert luminance(page) > 0.8 if theme == "light" else luminance(page) < 0.2, (name, theme)
        problems += [f"{name}: {problem}" for problem in serious_in_both_themes(page)]
        themes.reverse()
        page.emulate_media(color_scheme=themes[0])
    assert not problems, "\n".join(problems)


def test_every_page_on_a_phone(phone, server, demo):
    problems = [f"{name}: {problem}" for name in visit_all(phone, server, demo) for problem in serious(phone)]
    assert not problems, "\n".join(problems)


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
