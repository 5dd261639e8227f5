"""The analytics store goes away under an open page, and comes back."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from config.ports import free_port
from tests.browser.chromium import PHONE, new_context, signed_in_state
from tests.clients.load import payload
from tests.instance import Instance
from tests.server_fixture import started

FILTERS = ".facets-opener > summary"


class Store:
    """The supervisor sleeps while the store is away, for it would start another at once."""

    def __init__(self, server: Instance) -> None:
        self._server, self._supervisor = server, psutil.Process(server.pid)

    def go_away(self) -> None:
        self._supervisor.suspend()
        self._server.kill("analytics")

    def come_back(self) -> None:
        self._supervisor.resume()
        deadline = time.monotonic() + 60
        with self._server.client() as api:
            while api.get("/api/public/traces").status_code != 200:
                assert time.monotonic() < deadline, "the analytics store was not started again"
                time.sleep(0.1)


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    yield from started(Instance(tmp_path_factory.mktemp("store-away"), free_port()))


@pytest.fixture
def store(own_server: Instance) -> Iterator[Store]:
    found = Store(own_server)
    yield found
    found.come_back()


@pytest.fixture
def desk(browser: Browser, own_server: Instance) -> Iterator[BrowserContext]:
    yield from _signed_in(browser, own_server)


@pytest.fixture
def phone(browser: Browser, own_server: Instance) -> Iterator[BrowserContext]:
    yield from _signed_in(browser, own_server, **PHONE)


def _signed_in(browser: Browser, server: Instance, **options: object) -> Iterator[BrowserContext]:
    context = new_context(browser, signed_in_state(browser, server), **options)
    yield context
    context.close()


@pytest.fixture
def project_url(own_server: Instance) -> str:
    return f"{own_server.url}/projects/{own_server.project_id}"


def send_a_trace(server):
    with server.client() as api:
        assert api.post("/api/public/otel/v1/traces", json=payload("production", 3)[0]).status_code == 200
        deadline = time.monotonic() + 30
        while not api.get("/api/public/traces").json()["data"]:
            assert time.monotonic() < deadline, "the trace did not arrive"
            time.sleep(0.1)


def test_a_page_that_waits_says_it_once_and_goes_on(desk, own_server, store):
    waiting = own_server.with_project("waiting")
    page = desk.new_page()
    page.goto(f"{own_server.url}/projects/waiting/start/")
    store.go_away()
    line = page.locator("#messages .message-line")
    expect(line).to_contain_text("does not answer")
    expect(page.get_by_text("Waiting for your first trace")).to_be_visible()
    page.wait_for_timeout(2500)  # in which it asks again
    expect(line).to_have_count(1)
    store.come_back()
    send_a_trace(waiting)
    expect(page.get_by_text("Your trace is here")).to_be_visible(timeout=30_000)
    expect(line).to_have_count(0)


def test_lists_say_it_in_place_of_their_rows_and_keep_the_filters(phone, project_url, own_server, store):
    send_a_trace(own_server)
    traces, users = phone.new_page(), phone.new_page()
    environment = traces.locator("#facets").get_by_role("checkbox", name="production")
    traces.goto(f"{project_url}/traces/?range=all")
    expect(traces.locator("#facets [data-facet=env]")).to_be_attached()
    users.goto(f"{project_url}/users/?range=all")
    store.go_away()

    traces.locator(FILTERS).click()
    environment.check()
    expect(traces.locator("#results")).to_contain_text("The analytics store does not answer")
    expect(traces).to_have_url(re.compile("env%3Aproduction"))
    expect(traces.locator(".query-bar a.token")).to_have_text(["env:production"])
    expect(environment).to_be_visible()
    expect(environment).to_be_checked()
    users.locator("#q").fill("somebody")
    users.locator("#q").press("Enter")
    expect(users.locator("#results")).to_contain_text("The analytics store does not answer")

    store.come_back()
    traces.keyboard.press("Escape")
    traces.get_by_role("link", name="Try again").click()
    expect(traces.locator("#rows tr[data-id]")).to_have_count(1)
