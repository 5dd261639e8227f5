"""What prompts send and ask for outlives the worker that was at it: told again, or said to be lost; never forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from config.ports import free_port
from tests.bench.phases import sign_in
from tests.clients.conftest import eventually
from tests.instance import Instance
from tests.prompts.provider_stub import KEY, ProviderStub
from tests.prompts.receiver_stub import ReceiverStub
from tests.server_fixture import started

pytestmark = pytest.mark.durability

_RECOVERY_SECONDS = 120


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    allowed = {"SPANWISE_OUTGOING_ALLOWED": "127.0.0.1,localhost"}
    yield from started(Instance(tmp_path_factory.mktemp("durability"), free_port(), environment=allowed))


@pytest.fixture
def person(product: Instance) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=product.url, follow_redirects=True, timeout=30) as browser:
        sign_in(browser, product)
        yield browser


def post(browser: httpx.Client, address: str, **form: Any) -> httpx.Response:
    form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
    answer = browser.post(address, data=form, headers={"Referer": str(browser.base_url)})
    assert answer.status_code == 200, answer.text[:2000]
    return answer


def kill_the_worker(product: Instance) -> None:
    killed = {process.pid for process in product.part("worker")}
    product.kill("worker")

    def another() -> None:
        assert {process.pid for process in product.part("worker")} - killed

    eventually(another, _RECOVERY_SECONDS)


def test_a_message_of_an_automation_is_sent_again(product, person):
    settings = f"/projects/{product.project_id}/settings/prompt-automations"
    with ReceiverStub() as receiver, product.client() as api:
        form = {"kind": "webhook", "name": "CI", "url": receiver.url("/slow"), "event": ["created"]}
        post(person, f"{settings}/create/", **form)
        for text in ("first", "second"):
            prompt = {"name": "critic", "type": "text", "prompt": text}
            assert api.post("/api/public/v2/prompts", json=prompt).status_code == 201
        receiver.wait_for(1)
        receiver.answers.extend([200, 200])
        kill_the_worker(product)
        receiver.wait_for(3)
    told = [(got.payload["id"], got.payload["prompt"]["version"]) for got in receiver.got]
    assert [version for _, version in told] == [1, 1, 2]  # again, and those behind it wait
    assert told[0] == told[1]

    def written_down() -> None:
        page = person.get(f"{settings}/").text
        [history] = set(re.findall(r"history/\?automation=[\w-]+", page))
        assert person.get(f"{settings}/{history}").text.count(">delivered<") == 2

    eventually(written_down)


def test_a_run_of_a_playground_says_that_it_was_cut_short(product, person):
    with ProviderStub() as provider, product.client() as api:
        connection = {
            "provider": "stub",
            "adapter": "openai",
            "secretKey": KEY,
            "baseURL": f"{provider.url}/v1",
            "customModels": ["hangs", "hello"],
        }
        assert api.put("/api/public/llm-connections", json=connection).is_success
        playground = str(post(person, f"/projects/{product.project_id}/playground/new/").url)
        window = {"id": "a", "connection": "stub", "model": "hangs"}
        window["messages"] = [{"id": "1", "role": "user", "content": "Hi"}]
        first = run(person, playground, window, revision=1)
        assert provider.was_asked.wait(20)
        kill_the_worker(product)
        eventually(lambda: is_now(person, playground, first["id"], "lost"), _RECOVERY_SECONDS)
        second = run(person, playground, {**window, "model": "hello"}, revision=first["revision"])
        eventually(lambda: is_now(person, playground, second["id"], "done"), _RECOVERY_SECONDS)

        def traced() -> None:
            asked = {"type": "GENERATION", "environment": "langfuse-playground"}
            found = api.get("/api/public/observations", params=asked).json()["data"]
            own = [one for one in found if one["metadata"]["playground_id"] in playground]
            assert sorted((one["metadata"]["run_id"], one["level"]) for one in own) == sorted(
                [(first["id"], "ERROR"), (second["id"], "DEFAULT")]
            )

        eventually(traced, _RECOVERY_SECONDS)


def run(browser: httpx.Client, playground: str, window: dict[str, Any], revision: int) -> dict[str, Any]:
    body = {"revision": revision, "state": {"windows": [window]}, "windows": [window["id"]]}
    headers = {"Referer": playground, "X-CSRFToken": browser.cookies["csrftoken"]}
    answer = browser.post(f"{playground}runs/", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    started = answer.json()
    assert started["issues"] == []
    return {"id": started["runs"][0]["id"], "revision": started["revision"]}


def is_now(browser: httpx.Client, playground: str, run_id: str, status: str) -> None:
    [news] = browser.get(f"{playground}runs/news/", params={"after": f"{run_id}:0"}).json()["runs"]
    assert news["status"] == status, news
