"""axe over every page, in both themes and on a phone: nothing serious."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.pages import all_pages

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
#: what axe itself calls the rules of WCAG 2.2 A and AA, and its own that everybody should keep
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def serious(page) -> list[str]:
    """Findings that keep somebody from using the page, each with the first elements it is about."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "tags => axe.run(document, { runOnly: tags, resultTypes: ['violations'] }).then(result => result.violations)",
        TAGS,
    )
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {[node['html'][:160] for node in one['nodes'][:4]]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def check_all(page, server, demo):
    problems = []
    for name, path in all_pages(server, demo).items():
        page.goto(server.url + path, wait_until="load")
        # What comes after the page is to be as good as the page.
        expect(page.locator(".facets-waiting, #pulse:empty, #peek:not([hidden]) [aria-busy]")).to_have_count(0)
        for panel in page.locator(".panel").all():  # charts come in where somebody looks
            panel.scroll_into_view_if_needed()
            expect(panel.locator(".panel-body")).not_to_have_attribute("aria-busy", "true")
        problems += [f"{name}: {problem}" for problem in serious(page)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, server, demo, scheme):
    page.emulate_media(color_scheme=scheme)
    check_all(page, server, demo)


def test_axe_finds_nothing_serious_on_a_phone(phone, server, demo):
    check_all(phone, server, demo)
