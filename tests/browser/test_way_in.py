"""Sign in, make a project, and see the first trace arrive while the page waits."""

from __future__ import annotations

import re
import time
import uuid

import httpx
from playwright.sync_api import expect

from tests.browser.chromium import sign_in
from tests.clients.load import payload


def test_sign_in_leads_to_the_traces(visitor, server, demo):
    visitor.goto(server.url)
    expect(visitor).to_have_url(re.compile("/accounts/login/"))
    sign_in(visitor, server)
    expect(visitor.get_by_role("heading", name="Traces")).to_be_visible()


def test_wrong_password_says_so(visitor, server):
    visitor.goto(f"{server.url}/accounts/login/")
    visitor.get_by_label("Email", exact=False).fill(server.email)
    visitor.get_by_label("Password", exact=False).first.fill("not-the-password")
    visitor.get_by_role("button", name="Sign in").click()
    expect(visitor.locator("main, body").first).to_contain_text("not correct")


def test_onboarding_ends_with_the_first_trace(page, server):
    name = f"First light {uuid.uuid4().hex[:6]}"
    page.goto(f"{server.url}/organizations/demo-org/")
    page.locator("form[action$='/projects/create/'] input[name$='name']").fill(name)
    page.get_by_role("button", name="New project").click()
    page.wait_for_url(lambda url: "/organizations/" not in url)
    if "/start/" not in page.url:
        project_id = re.search(r"/projects/([^/]+)/", page.url).group(1)
        page.goto(f"{server.url}/projects/{project_id}/start/")
    expect(page.get_by_text("Waiting for your first trace")).to_be_visible()
    page.get_by_role("button", name="Create keys").click()
    public_key = page.locator("#public-key").inner_text()
    secret_key = page.locator("#secret-key").inner_text()
    expect(page.locator(".snippets")).to_contain_text(secret_key)
    body, _ = payload("production", 3)
    answer = httpx.post(f"{server.url}/api/public/otel/v1/traces", json=body, auth=(public_key, secret_key), timeout=20)
    assert answer.status_code == 200
    expect(page.get_by_text("Your trace is here")).to_be_visible(timeout=15_000)
    page.get_by_role("link", name="Open it").click()
    expect(page.get_by_role("tree")).to_contain_text("step-0")


def test_a_new_project_shows_nothing_of_its_neighbour(page, server, demo):
    page.goto(f"{server.url}/organizations/demo-org/")
    page.locator("form[action$='/projects/create/'] input[name$='name']").fill(f"Neighbour {time.monotonic_ns()}")
    page.get_by_role("button", name="New project").click()
    page.wait_for_url(lambda url: "/organizations/" not in url)
    project_id = re.search(r"/projects/([^/]+)/", page.url).group(1)
    page.goto(f"{server.url}/projects/{project_id}/traces/?range=all")
    expect(page.get_by_text("No traces yet")).to_be_visible()
    assert "support-chat" not in page.content()
