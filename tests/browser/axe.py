"""axe, which looks at a page for those who cannot see it, or point at it, as others do."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_SCRIPT = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
#: what axe itself calls the rules of WCAG 2.2 A and AA, and its own that everybody should keep
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: the only rules that another theme can break
_OF_COLOURS = ["color-contrast", "link-in-text-block"]


def serious(page: Page) -> list[str]:
    """Findings that keep somebody from using the page, each with the first elements it is about."""
    return _findings(page, _TAGS)


def serious_in_both_themes(page: Page) -> list[str]:
    page.emulate_media(color_scheme="light")
    light = serious(page)
    page.emulate_media(color_scheme="dark")
    dark = _findings(page, _OF_COLOURS)
    page.emulate_media(color_scheme="light")
    return light + [f"in the dark: {one}" for one in dark]


def _findings(page: Page, rules: list[str]) -> list[str]:
    if page.evaluate("!window.axe"):
        page.evaluate(_SCRIPT.read_text())
    found = page.evaluate(
        "rules => axe.run(document, { runOnly: rules, resultTypes: ['violations'] }).then(result => result.violations)",
        rules,
    )
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {[node['html'][:160] for node in one['nodes'][:4]]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
