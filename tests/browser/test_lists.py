"""Lists, their address and the reader's way back; also while answers are slow, fail, or find nobody signed in."""

from __future__ import annotations

import re
import uuid
from contextlib import suppress

import pytest
from playwright.sync_api import Error, expect

from tests.browser.chromium import PHONE, back_to_another_filter, fill_in_and_sign_in, new_context, rows

EVERYTHING = re.compile(r"/traces/\?range=all$")


class Held:
    """Keeps the requests for one part of the page until the test lets them go."""

    def __init__(self, page, part):
        self._page, self._part, self._waiting = page, part, []
        page.route("**/*", self._ask)

    def _ask(self, route):
        if route.request.headers.get("hx-target") == self._part:
            self._waiting.append(route)
        else:
            route.fallback()

    def wait_for(self, number=1):
        while len(self._waiting) < number:
            self._page.wait_for_timeout(20)

    def let_go(self):
        self._page.unroute("**/*", self._ask)
        for route in self._waiting:
            with suppress(Error):  # the page that asked may be gone
                route.fulfill(response=route.fetch())
        self._page.wait_for_timeout(300)  # in which a late answer would do its harm


def facet(page, name):
    return page.locator("#facets").get_by_role("checkbox", name=re.compile(name))


def tick(page, name):
    facet(page, name).check()
    expect(page).to_have_url(re.compile(f"name%3A.*{name}"))
    expect(page.locator(".query-bar .token")).to_contain_text([name])


def test_back_shows_the_rows_of_its_address_however_late_the_strip_is(listed):
    before = rows(listed).count()
    strip = Held(listed, "pulse")
    tick(listed, "research-agent")
    strip.wait_for()
    back_to_another_filter(listed)
    expect(listed).to_have_url(EVERYTHING)
    expect(rows(listed)).to_have_count(before)
    strip.let_go()
    expect(listed.locator("#pulse svg")).to_be_visible()
    expect(listed).to_have_url(EVERYTHING)
    expect(rows(listed)).to_have_count(before)


def test_an_answer_that_comes_after_back_changes_neither_rows_nor_address(listed):
    tick(listed, "research-agent")
    filtered = rows(listed).count()
    results = Held(listed, "results")
    facet(listed, "support-chat").check()
    results.wait_for()
    tokens = listed.locator(".query-bar .token")
    back_to_another_filter(listed)
    expect(listed).to_have_url(EVERYTHING)
    results.let_go()
    expect(tokens).to_have_count(0)
    back_to_another_filter(listed, steps=-1)
    expect(listed).to_have_url(re.compile("name%3Aresearch-agent"))
    expect(rows(listed)).to_have_count(filtered)


def test_ticks_follow_the_address_back_and_forth(listed):
    tick(listed, "research-agent")
    tick(listed, "support-chat")
    back_to_another_filter(listed)
    expect(listed.locator(".query-bar .token")).to_have_text(["name:research-agent"])
    expect(facet(listed, "research-agent")).to_be_checked()
    expect(facet(listed, "support-chat")).not_to_be_checked()
    facet(listed, "production").check()
    expect(listed).to_have_url(re.compile("env%3A"))
    assert "name%3Aresearch-agent" in listed.url
    back_to_another_filter(listed)
    back_to_another_filter(listed)
    expect(listed).to_have_url(EVERYTHING)
    expect(listed.locator("#facets [aria-checked=true]")).to_have_count(0)


def test_the_strip_does_not_cut_off_a_filter_that_is_asked_for(listed):
    # The second filter is chosen in the moment before the first one's strip is asked for. (Strip and facets of the page
    # itself may still be on their way.)
    facet(listed, "support-chat").evaluate(
        """box => document.addEventListener("htmx:afterSwap", function choose(event) {
          if (event.detail.target.id !== "results") return;
          document.removeEventListener("htmx:afterSwap", choose);
          box.click();
        })"""
    )
    facet(listed, "research-agent").check()
    expect(listed).to_have_url(re.compile(r"name%3A\(research-agent%20OR%20support-chat\)"))
    expect(listed.locator(".query-bar .token")).to_have_text(["name:(research-agent OR support-chat)"])
    expect(listed.locator("#pulse svg")).to_be_visible()


def test_another_time_range_keeps_the_filters(listed):
    tick(listed, "research-agent")
    listed.locator("#time-range summary").click()
    listed.get_by_role("link", name="Past 30 days").click()
    expect(listed).to_have_url(re.compile("range=30d"))
    expect(listed).to_have_url(re.compile("name%3Aresearch-agent"))
    expect(facet(listed, "research-agent")).to_be_checked()


def test_a_range_of_ones_own_keeps_a_search(page, project_url, demo):
    page.goto(f"{project_url}/users/?range=all")
    find = page.get_by_role("combobox", name="Find")
    find.press_sequentially(demo.user)
    find.press("Escape")
    find.focus()
    find.press("Enter")
    expect(page).to_have_url(re.compile(f"q={re.escape(demo.user)}$|q={re.escape(demo.user)}&"))
    page.locator("#time-range summary").click()
    page.get_by_label("From").fill("2020-01-01T00:00")
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("from=2020-01-01"))
    expect(page.locator("table tbody tr").first).to_contain_text(demo.user)
    expect(find).to_have_value(demo.user)


def sign_out_elsewhere(page):
    page.context.clear_cookies(name="sessionid")


def test_a_filter_after_signing_out_leads_through_sign_in_to_the_filtered_list(listed, server):
    sign_out_elsewhere(listed)
    facet(listed, "research-agent").click()  # `check` would look at the tick after the page has gone
    expect(listed).to_have_url(re.compile(r"/accounts/login/\?next="))
    expect(listed.get_by_role("heading", name="Sign in")).to_be_visible()
    fill_in_and_sign_in(listed, server)
    expect(listed).to_have_url(re.compile("/traces/.*name%3Aresearch-agent"))
    expect(facet(listed, "research-agent")).to_be_checked()


@pytest.mark.parametrize("act", ["peek", "facet", "palette", "export"])
def test_parts_of_a_list_after_signing_out_lead_to_sign_in(listed, act):
    expect(listed.locator("summary#facet-user")).to_be_visible()
    sign_out_elsewhere(listed)
    if act == "peek":
        rows(listed).first.locator(".row-link").click()
    elif act == "facet":
        listed.locator("summary#facet-user").click()
    elif act == "palette":
        listed.keyboard.press("Control+k")
    else:
        listed.locator("#select-page").check()
        listed.get_by_role("button", name="Delete", exact=True).click()
    expect(listed).to_have_url(re.compile(r"/accounts/login/\?next="))


@pytest.mark.parametrize("act", ["select", "find"])
def test_a_trace_after_signing_out_leads_to_sign_in(page, project_url, demo, act):
    page.goto(f"{project_url}/traces/{demo.chat}/")
    sign_out_elsewhere(page)
    if act == "select":
        page.locator("#tree .row", has_text="generate-answer").click()
    else:
        page.locator("#find").press_sequentially("nimbus")
    expect(page).to_have_url(re.compile(r"/accounts/login/\?next=.*traces"))


def test_waiting_after_signing_out_leads_to_sign_in(page, server):
    page.goto(f"{server.url}/organizations/demo-org/")
    page.locator("form[action$='/projects/create/'] input[name$='name']").fill(f"Patience {uuid.uuid4().hex[:6]}")
    page.get_by_role("button", name="New project").click()
    expect(page.get_by_text("Waiting for your first trace")).to_be_visible()
    sign_out_elsewhere(page)
    expect(page).to_have_url(re.compile(r"/accounts/login/\?next=.*start"))


@pytest.fixture(params=[{}, PHONE], ids=["desk", "phone"])
def unwatched(request, browser, state, project_url, demo):
    """A list whose page may complain."""
    context = new_context(browser, state, **request.param)
    opened = context.new_page()
    opened.goto(f"{project_url}/traces/?range=all")
    yield opened
    context.close()


def no_network(route):
    route.abort()


def a_proxys_page(route):
    route.fulfill(status=503, content_type="text/html", body="<h1>Service temporarily unavailable</h1>")


@pytest.mark.parametrize("answer", [no_network, a_proxys_page])
def test_a_filter_without_an_answer_says_so_until_one_comes(unwatched, answer):
    page = unwatched
    before, address = rows(page).count(), page.url
    page.route(re.compile("name%3Aresearch-agent"), answer)
    show_filters(page)
    facet(page, "research-agent").check()
    line = page.locator("#messages .message-line")
    expect(line).to_contain_text("could not be read")
    expect(rows(page)).to_have_count(before)
    expect(page).to_have_url(address)
    expect(page.get_by_text("Service temporarily")).to_have_count(0)
    expect(facet(page, "research-agent")).to_be_visible()
    page.unroute(re.compile("name%3Aresearch-agent"))
    expect(line.get_by_role("link", name="Try again")).to_have_attribute("href", re.compile("name%3Aresearch-agent"))
    facet(page, "support-chat").check()
    expect(page).to_have_url(re.compile("support-chat"))
    expect(line).to_have_count(0)


def show_filters(page):
    sheet = page.locator(".facets-opener > summary")
    if sheet.is_visible():
        sheet.click()
