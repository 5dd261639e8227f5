"""Automations by mouse, by keyboard, on a phone and without a script, against a receiver that the server may reach."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import serious, serious_in_both_themes
from tests.browser.chromium import Watch
from tests.instance import Instance
from tests.prompts.receiver_stub import ReceiverStub
from tests.server_fixture import OPEN_HOST


@pytest.fixture
def receiver() -> Iterator[ReceiverStub]:
    with ReceiverStub(OPEN_HOST) as stub:
        yield stub


@pytest.fixture
def address(project_url: str) -> str:
    return f"{project_url}/settings/prompt-automations/"


@pytest.fixture
def name() -> str:
    """Of this test alone: of its automation, and of its prompts' folder."""
    return f"a{uuid4().hex[:8]}"


def create_prompt(server: Instance, name: str, *labels: str) -> None:
    with server.client() as api:
        given = {"name": name, "type": "text", "prompt": f"Rate {{{{movie}}}}. {uuid4()}", "labels": list(labels)}
        assert api.post("/api/public/v2/prompts", json=given).status_code == 201


def add(page: Page, address: str, name: str, url: str, *, folder: str = "") -> None:
    page.goto(f"{address}new/?kind=webhook")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Address", exact=True).fill(url)
    page.get_by_label("Only of these prompts").fill(f"{folder or name}/")
    page.get_by_role("button", name="Save").click()


def test_an_automation_is_added_tried_and_told_of_a_label_that_moves(
    page: Page, watch: Watch, address: str, project_url: str, server: Instance, receiver: ReceiverStub, name: str
) -> None:
    create_prompt(server, f"{name}/critic", "production")
    create_prompt(server, f"{name}/critic")
    page.goto(f"{project_url}/prompts/?folder={name}")
    page.get_by_role("link", name="Automations").click()
    page.get_by_role("link", name="Add an automation").first.click()
    page.get_by_role("link", name="Webhook A signed POST").click()
    expect(page).to_have_url(f"{address}new/?kind=webhook")
    # Enter saves; what is missing is said in place, and what was typed stays.
    page.get_by_label("Name", exact=True).fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Enter the address.")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    watch.problems[:] = [problem for problem in watch.problems if "422" not in problem]
    page.get_by_label("Address", exact=True).fill(receiver.url("/ok"))
    page.get_by_label("Only of these prompts").fill(f"{name}/")
    page.get_by_label("Version created").uncheck()
    page.get_by_label("Sent along with every message").fill("X-Team-Key: team-secret-0123456789")
    page.get_by_role("button", name="Save").click()
    secret = page.locator("#secret").inner_text()
    assert secret.startswith("lf-whsec_")
    assert serious(page) == []

    page.get_by_role("button", name="Send a test").click()
    expect(page.locator(".delivery-head .tag")).to_have_text("delivered")
    expect(page.locator(".attempt")).to_contain_text("thanks")
    expect(page.locator("#request-body-1")).to_contain_text('"name": "spanwise-test"')
    expect(page.locator("main")).not_to_contain_text("team-secret-0123456789")
    assert serious_in_both_themes(page) == []
    got = receiver.got[0]
    parts = dict(part.split("=", 1) for part in got.headers["x-langfuse-signature"].split(","))
    signed = f"{parts['t']}.".encode() + got.body
    assert parts["v1"] == hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert got.headers["x-team-key"] == "team-secret-0123456789"
    page.reload()
    expect(page.locator(".attempt")).to_contain_text("thanks")

    page.goto(f"{project_url}/prompts/{name}/critic/?version=2")
    page.keyboard.press("l")
    expect(page.get_by_label("production")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("#labels")).to_contain_text("production")
    page.goto(address)
    page.get_by_role("link", name=name).click()
    rows = page.locator("#history tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("critic v2 updated")
    expect(rows.nth(0).locator(".tag")).to_have_text("delivered")
    expect(rows.nth(1)).to_contain_text("critic v1 updated")
    payload = receiver.payloads[-1]
    assert (payload["action"], payload["prompt"]["version"]) == ("updated", 2)
    assert payload["prompt"]["labels"] == ["production", "latest"]
    # By keyboard into one of them, and back.
    rows.nth(0).get_by_role("link").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(f"{name}/critic v2")
    page.go_back()
    expect(rows).to_have_count(3)
    page.get_by_role("link", name="Delivered").click()
    expect(page).to_have_url(re.compile("status=delivered"))
    page.reload()
    expect(rows).to_have_count(3)

    page.locator("summary", has_text="Delete").click()
    page.get_by_role("button", name="Delete this automation").click()
    expect(page.get_by_text("is deleted")).to_be_visible()
    expect(page.get_by_role("row", name=name)).to_have_count(0)


def test_one_that_was_switched_off_says_so_and_is_switched_on(
    page: Page, address: str, server: Instance, receiver: ReceiverStub, name: str
) -> None:
    add(page, address, name, receiver.url("/410"))
    create_prompt(server, f"{name}/critic")
    page.goto(address)
    page.get_by_role("link", name=name).last.click()
    # While something waits, the history looks by itself.
    expect(page.locator("#history tbody .tag")).to_have_text("failed")
    page.goto(address)
    notice = page.get_by_role("alert").filter(has_text=name)
    expect(notice).to_contain_text("The receiver answered 410")
    assert serious_in_both_themes(page) == []
    notice.get_by_role("link", name=name).click()
    expect(page.get_by_role("alert")).to_contain_text("Switched off")
    expect(page.locator("#history tbody tr").first).to_contain_text("failed")
    assert serious_in_both_themes(page) == []
    page.get_by_role("button", name="Switch it on").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"The automation “{name}” is on.")).to_be_visible()
    expect(page.get_by_role("button", name="Switch it off")).to_be_visible()
    page.locator("#history tbody tr").first.get_by_role("link").click()
    receiver.answers.append(200)
    page.get_by_role("button", name="Send again").click()
    expect(page.locator(".delivery-head .tag")).to_have_text("delivered")
    assert receiver.payloads[0]["id"] == receiver.payloads[1]["id"]


def test_without_a_script_and_on_a_phone(
    scriptless: Page, phone: Page, address: str, receiver: ReceiverStub, name: str
) -> None:
    add(scriptless, address, name, receiver.url("/500"))
    expect(scriptless.locator("#secret")).to_contain_text("lf-whsec_")
    scriptless.get_by_role("button", name="Send a test").click()
    delivery = scriptless.url
    phone.goto(delivery)
    expect(phone.locator(".attempt")).to_contain_text("It answered 500.")
    scriptless.reload()
    expect(scriptless.locator(".attempt")).to_contain_text("It answered 500.")
    expect(scriptless.locator(".attempt")).to_contain_text("a 500 of the stub")
    scriptless.get_by_role("link", name=name).click()
    history = scriptless.url
    expect(scriptless.locator("#history")).to_contain_text("Test")
    for page in (address, f"{address}new/", f"{address}new/?kind=github", history, delivery):
        phone.goto(page)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_slow_receiver_keeps_no_other_waiting(
    scriptless: Page, address: str, server: Instance, receiver: ReceiverStub, name: str
) -> None:
    add(scriptless, address, f"{name} slow", receiver.url("/slow"), folder=name)
    add(scriptless, address, f"{name} fast", receiver.url("/ok"), folder=name)
    create_prompt(server, f"{name}/first")
    receiver.wait_for(2)
    create_prompt(server, f"{name}/second")
    receiver.wait_for(3)
    assert not receiver.was_left.is_set()  # the slow one still thinks about the first
    assert sorted(one.path for one in receiver.got) == ["/ok", "/ok", "/slow"]
    receiver.let_go()
