"""Whatever was traced is text: it runs nothing, loads nothing, and leaves the page in its shape."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.hostile_data import KINDS, SIGN, Hostile, send_hostile
from tests.instance import Instance
from tests.server_fixture import project_of


@pytest.fixture(scope="session")
def server(server: Instance) -> Instance:
    """With a project of its own: the pages that other tests look at are not to be full of this."""
    return project_of(server, "hostile-project")


@pytest.fixture(scope="session")
def hostile(server) -> Hostile:
    return send_hostile(server)


@pytest.fixture
def guard(server):
    """Notes what a page must never do, and says whether it kept its shape."""
    found: list[str] = []

    def watch(page: Page) -> None:
        page.on("dialog", lambda dialog: (found.append(f"dialog on {page.url}"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: (
                request.url.startswith((server.url, "data:", "blob:")) or found.append(f"left for {request.url}")
            ),
        )

    def check(page: Page, where: str) -> None:
        assert page.evaluate("window.harmed") is None, where
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, where
        assert not found, (where, found)

    return watch, check


def _pages(hostile: Hostile, project_url: str, kind: str) -> dict[str, str]:
    trace = f"{project_url}/traces/{hostile.traces[kind]}/"
    return {
        "trace": trace,
        "json": f"{trace}?view=json&observation={hostile.observations[kind]}",
        "raw": f"{trace}?view=raw&observation={hostile.observations[kind]}",
        "log": f"{trace}?show=log",
        "graph": f"{trace}?show=graph",
        "session": f"{project_url}/sessions/{quote(hostile.sessions[kind], safe='')}/",
        "user": f"{project_url}/users/{quote(hostile.users[kind], safe='')}/",
    }


def _visit(page: Page, hostile: Hostile, project_url: str, guard, kinds) -> None:
    watch, check = guard
    watch(page)
    lists = {"traces": "name", "observations": "name", "sessions": "id", "users": "id"}
    addresses = {name: f"{project_url}/{name}/?range=all&q={field}:*{SIGN}*" for name, field in lists.items()}
    for name, address in addresses.items():
        assert page.goto(address).status == 200, name
        expect(page.locator("main").get_by_text(SIGN).first).to_be_attached()
        check(page, name)
    for kind in kinds:
        for name, address in _pages(hostile, project_url, kind).items():
            assert page.goto(address).status == 200, (kind, name)
            expect(page.locator("main").get_by_text(SIGN).first).to_be_attached()
            check(page, f"{kind} {name}")


def test_hostile_fields_are_text_on_every_page(page, hostile, project_url, guard):
    _visit(page, hostile, project_url, guard, KINDS)


def test_hostile_names_are_text_in_charts(page, hostile, project_url, guard):
    watch, check = guard
    watch(page)
    page.goto(f"{project_url}/dashboards/built-in/latency/?range=all")
    table = page.locator(".panel[data-name='latency-by-step']")
    expect(table.get_by_text(SIGN).first).to_be_attached()
    check(page, "table")
    page.goto(f"{project_url}/dashboards/built-in/usage/?range=all")
    bars = page.locator(".panel[data-name='traces-by-name'] [data-plot]")
    expect(bars.locator("canvas")).to_be_visible()
    box = bars.bounding_box()
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):  # the words beside the pointer
        bars.hover(position={"x": box["width"] * 0.5, "y": box["height"] * share})
        check(page, "bars")


def test_hostile_fields_are_text_on_a_phone(phone, hostile, project_url, guard):
    _visit(phone, hostile, project_url, guard, ("markup", "wide"))


def test_hostile_contents_are_text_in_every_view(page, hostile, project_url, guard):
    watch, check = guard
    watch(page)
    for identity in hostile.content_ids:
        for view in ("", "&view=json"):
            page.goto(f"{project_url}/traces/{hostile.contents}/?observation={identity}{view}")
            output = page.locator("#output")
            if view:
                expect(output.locator("json-viewer[data-ready]")).to_be_visible(timeout=60_000)
            expect(output.get_by_text(SIGN).first).to_be_attached()
            check(page, f"{identity}{view}")


def test_what_cannot_be_seen_is_written_out(page, hostile, project_url):
    page.goto(f"{project_url}/traces/{hostile.traces['unseen']}/")
    text = page.locator("#output").inner_text()
    for shown in ("⟨U+202E⟩", "⟨ESC⟩[31m", "⟨U+200B⟩", "⟨tag h⟩"):
        assert shown in text
    page.goto(f"{project_url}/traces/{hostile.traces['tower']}/")
    assert "⟨+" in page.locator("#output").inner_text()
