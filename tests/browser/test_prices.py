"""Model prices and the account of a cost, by mouse, by keyboard and without a script."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Watch
from tests.browser.demo_data import DemoData
from tests.instance import Instance


@pytest.fixture
def unpriced(server: Instance, demo: DemoData) -> tuple[str, str]:
    """A call of a model name that nobody has a price for: the name and the trace."""
    name, trace, now = f"acme-{uuid4().hex[:10]}", uuid4().hex, datetime.now(UTC).isoformat()
    body = {
        "id": uuid4().hex[:16], "traceId": trace, "name": "call", "startTime": now, "endTime": now, "model": name,
        "usageDetails": {"input": 1_000_000, "output": 10},
    }  # fmt: skip
    event = {"id": uuid4().hex, "type": "generation-create", "timestamp": now, "body": body}
    with server.client() as api:
        assert api.post("/api/public/ingestion", json={"batch": [event]}).json()["errors"] == []
        deadline = time.monotonic() + 30
        while api.get(f"/api/public/traces/{trace}").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    return name, trace


def test_a_name_without_a_price_gets_one_and_history_follows(
    page: Page, watch: Watch, project_url: str, unpriced: tuple[str, str]
) -> None:
    name, trace = unpriced
    page.goto(f"{project_url}/settings/models/?kind=own")
    row = page.locator("#unpriced tr", has_text=name)
    expect(row).to_be_visible()
    row.get_by_role("link", name="Add a price").click()
    expect(page.get_by_label("Matches model names")).to_have_value(f"(?i)^{name}$")
    expect(page.locator("#matched")).to_have_text("matches")
    # The first attempt lacks prices: it is said in place, and what was typed stays.
    page.get_by_label("Price of row 1 in tier 1").fill("2.50")
    page.keyboard.press("Enter")
    expect(page.get_by_text("A price, or 0.").first).to_be_visible()
    expect(page.get_by_label("Price of row 1 in tier 1")).to_have_value("2.50")
    watch.problems[:] = [problem for problem in watch.problems if "422" not in problem]
    page.get_by_label("Price of row 2 in tier 1").fill("0")
    page.get_by_label("Price of row 3 in tier 1").fill("10")
    page.get_by_role("button", name="Tier", exact=True).click()
    page.get_by_label("Name of tier 2").fill("Long")
    for number, price in enumerate(("5", "0", "20"), 1):
        page.get_by_label(f"Price of row {number} in tier 2").fill(price)
    page.get_by_label("Pattern of kinds, or key").fill("^input")
    page.get_by_label("Compared with").fill("2000000")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.locator(".price-table")).to_contain_text("$2.5")
    # The trace still has the cost of before; the page says so and leads to the way to change it.
    page.goto(f"{project_url}/traces/{trace}/")
    expect(page.locator("#unpriced")).to_contain_text("1 call without a price")
    page.get_by_role("treeitem", name=re.compile("call")).first.click()
    expect(page.locator("#usage")).to_contain_text("By those of now it would be $2.5001.")
    page.locator("#usage").get_by_role("link", name="Recompute").click()
    expect(page.locator("#after")).to_have_text("$2.50")
    page.get_by_role("button", name="Recompute 1 call").click()
    expect(page.locator("#cost-after")).to_have_text("$2.5001")
    page.goto(f"{project_url}/traces/{trace}/")
    expect(page.locator("#unpriced")).to_have_count(0)
    page.locator("#trace-facts").get_by_role("link", name="why?").click()
    expect(page.locator("#trace-total")).to_have_text("$2.5001")
    page.go_back()
    expect(page.get_by_role("tree")).to_be_visible()


def test_a_name_is_tried_as_it_is_typed_and_kept_in_the_address(page: Page, project_url: str, demo: DemoData) -> None:
    page.goto(f"{project_url}/settings/models/")
    page.get_by_label("Model name").focus()
    page.keyboard.type("gemini-2.5-pro")
    expect(page.locator("#match .candidates .chosen")).to_contain_text("wins")
    expect(page.locator("#match .tiers .chosen")).to_contain_text("Standard")
    page.keyboard.press("Tab")
    page.keyboard.type("300000")
    expect(page.locator("#match .tiers .chosen")).to_contain_text("Long context (> 200k)")
    expect(page.locator("#match")).to_contain_text("input = 300,000 > 200,000")
    expect(page).to_have_url(re.compile("test=gemini-2.5-pro&input=300000"))
    page.reload()
    expect(page.locator("#match .tiers .chosen")).to_contain_text("Long context (> 200k)")
    page.get_by_label("Search definitions").fill("sonnet-4")
    expect(page.locator("#definitions tbody tr").first).to_contain_text("claude-sonnet-4")
    page.locator("#definitions").get_by_role("link", name="claude-sonnet-4", exact=True).click()
    expect(page.get_by_role("link", name="Copy and change")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Search definitions")).to_have_value("sonnet-4")


def test_why_leads_to_the_account(page: Page, project_url: str, demo: DemoData) -> None:
    page.goto(f"{project_url}/traces/{demo.chat}/?observation={demo.answer}")
    page.locator("#observation .facts").get_by_role("link", name="why?").click()
    expect(page.locator("#usage")).to_be_in_viewport()
    expect(page.locator("#usage .total")).to_contain_text("$")
    expect(page).to_have_url(re.compile("#usage$"))


def test_costs_are_read_and_models_written_without_a_script(scriptless: Page, project_url: str, demo: DemoData) -> None:
    scriptless.goto(f"{project_url}/traces/{demo.chat}/?observation={demo.answer}#usage")
    expect(scriptless.locator("#usage .cost-facts")).to_contain_text("Sent by the client.")
    scriptless.goto(f"{project_url}/settings/models/new/?name={quote('no script')}")
    scriptless.get_by_role("button", name="Kind", exact=True).click()
    expect(scriptless.get_by_label("Kind of row 4")).to_be_visible()
    scriptless.goto(f"{project_url}/settings/models/")
    scriptless.get_by_label("Model name").fill("gpt-4o")
    scriptless.get_by_role("button", name="Try").click()
    expect(scriptless.locator("#match")).to_contain_text("wins")


def test_on_a_phone_nothing_is_wider_than_the_screen(phone: Page, project_url: str, demo: DemoData) -> None:
    for path in ("settings/models/?test=gemini-2.5-pro&input=300000", "settings/models/new/?name=x"):
        phone.goto(f"{project_url}/{path}")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
