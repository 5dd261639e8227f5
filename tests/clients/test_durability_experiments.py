"""Experiments that the server runs outlive the worker: every item is answered and traced once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import pytest

from config.ports import free_port
from tests.bench.phases import sign_in
from tests.clients.conftest import eventually
from tests.clients.test_durability_prompts import kill_the_worker, post
from tests.instance import Instance
from tests.prompts.provider_stub import KEY, ProviderStub
from tests.server_fixture import started

pytestmark = pytest.mark.durability

ITEMS = 60
_SECONDS = 90


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    allowed = {"SPANWISE_OUTGOING_ALLOWED": "127.0.0.1,localhost"}
    yield from started(Instance(tmp_path_factory.mktemp("durability"), free_port(), environment=allowed))


@pytest.fixture
def person(product: Instance) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=product.url, follow_redirects=True, timeout=30) as browser:
        sign_in(browser, product)
        yield browser


def written(api: httpx.Client, method: str, path: str, **body: object) -> dict[str, object]:
    answer = api.request(method, f"/api/public/{path}", json=body)
    assert answer.status_code < 300, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_items_of_killed_workers_are_run_again_and_none_twice(product, person):
    name = f"killed {uuid.uuid4().hex[:6]}"
    with ProviderStub() as stub, product.client() as api:
        connection = {"provider": "stub", "adapter": "openai", "secretKey": KEY, "baseURL": f"{stub.url}/v1"}
        written(api, "PUT", "llm-connections", **connection, customModels=["drip"], withDefaultModels=False)
        written(api, "POST", "v2/prompts", name="say", prompt="Say {{word}}", labels=["production"])
        dataset = written(api, "POST", "v2/datasets", name="killed")
        for number in range(ITEMS):
            written(api, "POST", "dataset-items", datasetName="killed", input={"word": f"w{number}"})
        form = {"dataset": dataset["id"], "prompt": "say", "version": "1", "connection": "stub", "model": "drip"}
        post(person, f"/projects/{product.project_id}/experiments/start/", **form, name=name, repetitions="2")
        for _kill in range(2):
            begun = len(stub.requests)
            eventually(lambda begun=begun: _assert_more(stub, begun + 10), _SECONDS)
            kill_the_worker(product)
        found = eventually(lambda: _all_ended(api, name), _SECONDS)
    assert {one["level"] for one in found} == {"DEFAULT"}
    assert {one["output"] for one in found} == {"One two three."}
    assert len({(one["experimentItemId"], one["traceId"]) for one in found}) == len(found) == 2 * ITEMS
    with product.client() as api:
        listed = api.get(f"/api/public/datasets/killed/runs/{name}").json()["datasetRunItems"]
        assert len(listed) == 2 * ITEMS
        traces = api.get("/api/public/traces", params={"environment": "langfuse-prompt-experiment", "limit": 1})
        assert traces.json()["meta"]["totalItems"] == 2 * ITEMS


def _assert_more(stub: ProviderStub, count: int) -> None:
    assert len(stub.requests) >= count


def _all_ended(api: httpx.Client, name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    cursor = ""
    while True:
        asked = {"fromStartTime": "2020-01-01T00:00:00Z", "experimentName": name, "fields": "core,io", "limit": 100}
        answer = api.get("/api/public/experiment-items", params={**asked, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [one for one in page["data"] if one["endTime"]]
        cursor = page["meta"].get("cursor") or ""
        if not cursor:
            break
    assert len(found) == 2 * ITEMS
    return found
