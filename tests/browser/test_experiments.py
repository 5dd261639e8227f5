"""Experiments by mouse, by keyboard, on a phone and without a script: chosen, compared, filtered, opened, deleted."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.instance import Instance
from tests.prompts.provider_stub import HELLO, KEY, ProviderStub
from tests.server_fixture import OPEN_HOST

ITEMS = 8


@pytest.fixture
def runs(server: Instance) -> tuple[str, str]:
    """Two runs over the same items, of this test alone: the second is worse in one item and better in another."""
    name = f"t{uuid4().hex[:8]}"
    ids = (f"{name}-1", f"{name}-2")
    with server.client() as api:
        for place, experiment_id in enumerate(ids):
            spans = [
                span(experiment_id, f"{name} {'before' if place == 0 else 'after'}", n, place) for n in range(ITEMS)
            ]
            body = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
            assert api.post("/api/public/otel/v1/traces", json=body).status_code == 200
            scores = [score(one, n, place) for n, one in enumerate(spans)]
            assert api.post("/api/public/scores", json=scores).status_code == 202
    wait_until_told(server, ids)
    return ids


def span(experiment_id: str, name: str, number: int, place: int) -> dict[str, object]:
    began = datetime.now(UTC) - timedelta(minutes=10) + timedelta(seconds=number)
    took = timedelta(seconds=2 if place and number == 3 else 1)
    span_id = uuid4().hex[:16]
    told = {
        "langfuse.environment": "sdk-experiment",
        "langfuse.experiment.id": experiment_id,
        "langfuse.experiment.name": name,
        "langfuse.experiment.item.id": f"item-{number}",
        "langfuse.experiment.item.root_observation_id": span_id,
        "langfuse.experiment.item.expected_output": f"expected {number}",
        "langfuse.observation.input": f"question {number} 问题",
        "langfuse.observation.output": f"answer {number}" + (" but worse" if place and number == 3 else ""),
    }
    return {
        "traceId": uuid4().hex,
        "spanId": span_id,
        "name": "experiment-item-task",
        "startTimeUnixNano": str(int(began.timestamp() * 1e9)),
        "endTimeUnixNano": str(int((began + took).timestamp() * 1e9)),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in told.items()],
    }


def score(of: dict[str, object], number: int, place: int) -> dict[str, object]:
    value = 0.5 + number / 100
    if place:
        value += {3: -0.4, 5: 0.3}.get(number, 0)
    return {
        "id": uuid4().hex,
        "traceId": of["traceId"],
        "observationId": of["spanId"],
        "name": "quality",
        "value": value,
    }


def wait_until_told(server: Instance, ids: tuple[str, str]) -> None:
    from tests.clients.conftest import eventually

    def told() -> None:
        params = {"fromStartTime": "2020-01-01T00:00:00Z", "fields": "core,scores", "limit": "100"}
        with server.client() as api:
            for experiment_id in ids:
                answer = api.get("/api/public/experiment-items", params={**params, "experimentId": experiment_id})
                assert sum(len(item["scores"]) for item in answer.json()["data"]) == ITEMS

    eventually(told)


def compare_url(project_url: str, runs: tuple[str, str], more: str = "") -> str:
    return f"{project_url}/experiments/compare/?baseline={runs[0]}&with={runs[1]}{more}"


def test_runs_are_chosen_and_laid_beside_each_other(page: Page, project_url: str, runs: tuple[str, str]) -> None:
    mark = runs[0].removesuffix("-1")
    page.goto(f"{project_url}/experiments/")
    page.keyboard.press("/")
    page.keyboard.type(mark)
    rows = page.locator("table.runs .row-link")
    expect(rows).to_have_text([f"{mark} after", f"{mark} before"])
    expect(page).to_have_url(re.compile(f"q={mark}"))
    compare, status = page.get_by_role("button", name="Compare"), page.locator("[data-chosen]")
    expect(compare).to_be_disabled()
    page.get_by_label(f"Choose {mark} before").check()
    page.get_by_label(f"Choose {mark} after").focus()
    page.keyboard.press("Space")
    expect(status).to_have_text("2 chosen")
    compare.click()
    expect(page).to_have_url(re.compile(rf"compare/\?baseline={runs[0]}&with={runs[1]}"))
    expect(page.locator(".x-item")).to_have_count(ITEMS)
    # The test of significance comes as a part of its own.
    expect(page.locator("#summary .x-verdict").first).to_contain_text("p = ")
    page.go_back()
    expect(status).to_have_text("2 chosen")
    rows.first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(f"{mark} after")
    expect(page.locator(".x-runs > li")).to_have_count(1)


def test_worst_regressions_come_first_and_are_filtered(page: Page, project_url: str, runs: tuple[str, str]) -> None:
    page.goto(compare_url(project_url, runs))
    items, row = page.locator(".x-item"), page.locator("#summary tr", has_text="quality")
    expect(row.locator(".x-verdict")).to_contain_text("p = ")
    row.hover()
    row.get_by_role("link", name="worst first").click()
    expect(items.first).to_have_attribute("data-item", "item-3")
    expect(items.first.locator(".delta.bad").first).to_contain_text("0.40")
    expect(page).to_have_url(re.compile("sort=score"))
    page.reload()
    expect(items.first).to_have_attribute("data-item", "item-3")
    page.locator("#summary tr", has_text="quality").get_by_role("link", name="More is better").click()
    expect(items.first).to_have_attribute("data-item", "item-5")
    page.go_back()
    expect(items.first).to_have_attribute("data-item", "item-3")

    page.locator("summary", has_text="Filter").click()
    form = page.locator(".x-filter")
    form.get_by_label("Run").select_option("1")
    form.get_by_label("What").select_option("latency")
    form.locator("select[name=op]").select_option("gt")
    form.get_by_label("Value").fill("1.5")
    page.keyboard.press("Enter")
    expect(items).to_have_count(1)
    token = page.locator(".x-conditions a")
    expect(token).to_contain_text("B: Latency > 1.5 s")
    token.click()
    expect(items).to_have_count(ITEMS)

    page.locator("summary", has_text="Display").click()
    page.get_by_role("link", name="Difference to the baseline").click()
    expect(page.locator('[data-item="item-3"] mark')).to_have_text([" but worse"])
    page.locator("summary", has_text="Display").click()
    page.get_by_role("link", name="One below the other").click()
    expect(page.locator("table.x-list .x-item").first.locator("a[data-run]")).to_have_count(2)


def test_a_run_is_looked_into_without_leaving(page: Page, project_url: str, runs: tuple[str, str]) -> None:
    page.goto(compare_url(project_url, runs, "&sort=score:quality"))
    expect(page.locator("#summary .x-verdict").first).to_contain_text("p = ")
    panel, title = page.locator("#peek"), page.locator("[data-peek-title]")
    page.locator('[data-item="item-3"] a[data-run]').nth(1).click()
    expect(title).to_have_text("B · item-3")
    expect(panel.locator("#trace")).to_contain_text("answer 3 but worse")
    page.keyboard.press("ArrowLeft")
    expect(title).to_have_text("A · item-3")
    expect(panel.locator("#trace")).not_to_contain_text("but worse")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("j")
    expect(title).not_to_have_text("B · item-3")
    expect(title).to_contain_text("B · ")
    page.keyboard.press("k")
    expect(title).to_have_text("B · item-3")
    address = page.url
    assert "peek=" in address
    page.reload()
    expect(panel.locator("#trace")).to_contain_text("answer 3 but worse")
    panel.get_by_role("button", name="Previous run of this item").click()
    expect(title).to_have_text("A · item-3")
    page.locator('[data-item="item-3"] a[data-run]').first.focus()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    assert "peek=" not in page.url
    page.go_back()
    expect(panel).to_be_visible()


def test_an_experiment_is_deleted_after_a_question(page: Page, project_url: str, runs: tuple[str, str]) -> None:
    mark = runs[0].removesuffix("-1")
    page.goto(f"{project_url}/experiments/?q={mark}")
    page.get_by_label(f"Choose {mark} before").check()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("h2", has_text="Delete this experiment?")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#messages, .message-line").first).to_contain_text("is deleted")
    page.goto(f"{project_url}/experiments/?q={mark}")
    expect(page.locator("table.runs .row-link")).to_have_text([f"{mark} after"])


def test_a_comparison_follows_a_run_that_goes_on(page: Page, project_url: str, server: Instance) -> None:
    name = f"t{uuid4().hex[:8]}"
    with ProviderStub(OPEN_HOST) as stub, server.client() as api:
        connection = {"provider": name, "adapter": "openai", "secretKey": KEY, "baseURL": f"{stub.url}/v1"}
        connection |= {"customModels": ["held"], "withDefaultModels": False}
        assert api.put("/api/public/llm-connections", json=connection).is_success
        prompt = {"name": name, "prompt": "Greet {{who}}", "config": {"model": "held", "provider": name}}
        assert api.post("/api/public/v2/prompts", json=prompt).is_success
        dataset = api.post("/api/public/v2/datasets", json={"name": name}).json()["id"]
        for who in ("Ada", "Grace", "Joan"):
            item = {"id": f"{name}-{who}", "datasetName": name, "input": {"who": who}, "expectedOutput": "Hello"}
            assert api.post("/api/public/dataset-items", json=item).is_success
        page.goto(f"{project_url}/experiments/new/?dataset={dataset}&prompt={name}")
        page.get_by_label("Name", exact=True).fill(f"{name} live")
        page.get_by_role("button", name="Run it").click()
        expect(page).to_have_url(re.compile("compare/"))
        progress, said = page.locator("#run-progress"), page.locator(".x-out .words", has_text=HELLO)
        expect(progress).to_contain_text("0 of 3 done")
        expect(page.locator(".x-item")).to_have_count(3)
        expect(said).to_have_count(0)
        page.evaluate("window.isSamePage = true")
        stub.let.release()
        expect(progress).to_contain_text("1 of 3 done")
        expect(said).to_have_count(1)
        expect(progress.get_by_role("button", name="Stop")).to_be_visible()
        stub.let.release(2)
        expect(progress).to_contain_text("3 of 3 answered")
        expect(said).to_have_count(3)
        expect(progress.get_by_role("button", name="Stop")).to_have_count(0)
        # All has arrived: nothing is asked for any more.
        expect(page.locator("[data-poll]")).to_have_count(0)
        assert page.evaluate("window.isSamePage") is True


def test_without_scripts_and_on_a_phone(scriptless: Page, phone: Page, project_url: str, runs: tuple[str, str]) -> None:
    mark = runs[0].removesuffix("-1")
    scriptless.goto(f"{project_url}/experiments/?q={mark}")
    for name in ("before", "after"):
        scriptless.get_by_label(f"Choose {mark} {name}").check()
    scriptless.get_by_role("button", name="Compare").click()
    expect(scriptless.locator(".x-item")).to_have_count(ITEMS)
    scriptless.get_by_role("link", name="Say whether it may be chance").click()
    expect(scriptless.locator("#summary .x-verdict").first).to_contain_text("p = ")
    scriptless.locator('[data-item="item-3"] a[data-run]').first.click()
    expect(scriptless).to_have_url(re.compile("/traces/"))
    phone.goto(compare_url(project_url, runs))
    expect(phone.locator("#summary .x-verdict").first).to_contain_text("p = ")
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.locator('[data-item="item-0"] a[data-run]').first.click()
    expect(phone).to_have_url(re.compile("/traces/"))
