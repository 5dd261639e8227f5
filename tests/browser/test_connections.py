"""LLM connections by mouse, by keyboard, without a script and on a phone, against a provider on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import serious
from tests.browser.chromium import Watch
from tests.prompts.provider_stub import ERROR, KEY, ProviderStub


@pytest.fixture
def stub() -> Iterator[ProviderStub]:
    with ProviderStub() as found:
        yield found


@pytest.fixture
def address(project_url: str) -> str:
    return f"{project_url}/settings/llm-connections/"


def test_a_connection_from_nothing_to_gone(page: Page, watch: Watch, address: str) -> None:
    name = f"mine-{uuid4().hex[:8]}"
    page.goto(address)
    page.get_by_role("link", name="Add a connection").first.click()
    page.get_by_role("link", name="Anthropic").click()
    expect(page).to_have_url(f"{address}new/?preset=anthropic")
    page.get_by_label("Name", exact=True).fill(name)
    # Enter saves; what is missing is said in place, and what was typed stays.
    page.keyboard.press("Enter")
    expect(page.get_by_text("Enter the key.")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    watch.overlook("422")
    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_text("models", exact=False).locator("xpath=self::summary").click()
    expect(page.locator(".known li").first).to_contain_text("claude")
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("row", name=name)
    expect(row).to_contain_text("sk-…cdef")
    page.get_by_role("link", name=name).click()
    expect(page.get_by_label("Key", exact=True)).to_have_value("")
    page.reload()
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    page.go_back()
    row.get_by_label(f"Delete {name}").click()
    row.get_by_role("button", name="Delete this connection").click()
    expect(page.get_by_role("row", name=name)).to_have_count(0)


def test_a_draft_is_tried_without_losing_what_was_typed(
    page: Page, watch: Watch, address: str, stub: ProviderStub
) -> None:
    """The server of these tests may not reach this machine's own addresses: that, too, is said in words."""
    page.goto(f"{address}new/?preset=compatible")
    page.get_by_label("Name", exact=True).fill("local")
    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_label("Base URL").fill(f"{stub.url}/v1")
    page.get_by_label("Model to call").fill("hello")
    page.get_by_role("button", name="Test without saving").click()
    expect(page.locator("#trial")).to_contain_text("SPANWISE_OUTGOING_ALLOWED")
    watch.overlook("422")
    expect(page.get_by_label("Key", exact=True)).to_have_value(KEY)
    expect(page).to_have_url(f"{address}new/?preset=compatible")
    page.get_by_label("Base URL").fill("https://no-such-host.invalid/v1")
    page.get_by_label("Model to call").press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#trial")).to_contain_text("There is no such host")
    assert serious(page) == []
    expect(page.get_by_label("Key", exact=True)).to_have_value(KEY)
    assert stub.requests == []
    assert ERROR not in page.content()


def test_without_a_script_forms_work_and_a_phone_shows_all(scriptless: Page, phone: Page, address: str) -> None:
    scriptless.goto(f"{address}new/?preset=ollama")
    expect(scriptless.get_by_label("Base URL")).to_have_value("http://localhost:11434/v1")
    scriptless.get_by_label("Base URL").fill("https://no-such-host.invalid/v1")
    scriptless.get_by_label("Model to call").fill("llama")
    scriptless.get_by_role("button", name="Test without saving").click()
    expect(scriptless.locator("#trial")).to_contain_text("There is no such host")
    expect(scriptless.get_by_label("Base URL")).to_have_value("https://no-such-host.invalid/v1")
    for page in ("", "new/", "new/?preset=bedrock"):
        phone.goto(f"{address}{page}")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
