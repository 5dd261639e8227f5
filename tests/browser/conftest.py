"""One Chromium a worker, signed-in pages on the shared server, and no page may complain."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import PHONE, NoChromium, Watch, chromium, new_context, signed_in_state
from tests.browser.demo_data import DemoData, send_demo
from tests.instance import Instance

TRACES = 120
#: as long as clicks wait for what they click: two cores run a browser, three servers and another worker's tests
expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.server)
            item.add_marker(pytest.mark.browser)
            if os.environ.get("CI") == "true":
                # A browser beside three servers on two cores is now and then too late; the summary counts reruns.
                item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as found:
            yield found
    except NoChromium as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(str(problem))
        pytest.skip(str(problem))


@pytest.fixture(scope="session")
def demo(server: Instance) -> DemoData:
    return send_demo(server, TRACES)


@pytest.fixture(scope="session")
def state(browser: Browser, server: Instance) -> object:
    return signed_in_state(browser, server)


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Fails a test whose pages complained, whatever else it found."""
    watching = Watch()
    yield watching
    assert not watching.problems, "\n".join(watching.problems)


@pytest.fixture
def visitor(browser: Browser, watch: Watch) -> Iterator[Page]:
    """A page of somebody who has not signed in."""
    context = new_context(browser)
    page = context.new_page()
    watch.page(page)
    yield page
    context.close()


@pytest.fixture
def page(browser: Browser, state: object, watch: Watch) -> Iterator[Page]:
    """A signed-in page, 1440 × 900."""
    context = new_context(browser, state)
    opened = context.new_page()
    watch.page(opened)
    yield opened
    context.close()


@pytest.fixture
def phone(browser: Browser, state: object, watch: Watch) -> Iterator[Page]:
    context = new_context(browser, state, **PHONE)
    opened = context.new_page()
    watch.page(opened)
    yield opened
    context.close()


@pytest.fixture
def scriptless(browser: Browser, state: object) -> Iterator[Page]:
    context = new_context(browser, state, java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.fixture
def project_url(server: Instance) -> str:
    return f"{server.url}/projects/{server.project_id}"


@pytest.fixture
def listed(page: Page, project_url: str, demo: DemoData) -> Page:
    """The trace list with all that the demo sent."""
    page.goto(f"{project_url}/traces/?range=all")
    return page
