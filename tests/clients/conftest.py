"""Runs a program in an SDK's own environment against the running product, and finds what it sent."""

from __future__ import annotations

import html
import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients import environments, openai_stub
from tests.clients.openai_stub import ANSWER, COMPLETION_TOKENS, PROMPT_TOKENS
from tests.instance import Instance
from tests.server_fixture import project_of

PYTHON = [f"langfuse-python-{major}" for major in (2, 3, 4, 5)]
OTEL_PYTHON = PYTHON[1:]
PROGRAMS = Path(__file__).parent / "programs"
_VISIBLE_SECONDS = 15
_FOREIGN = ("LANGFUSE", "OPENAI", "OTEL", "VIRTUAL_ENV", "PYTHONPATH", "DJANGO")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.server)
            if not item.path.name.startswith("test_durability"):
                item.add_marker(pytest.mark.clients)
    for path in {item.path for item in items if _counts_the_others(item)}:
        places = [place for place, item in enumerate(items) if item.path == path]
        ordered = sorted((items[place] for place in places), key=_counts_the_others)
        for place, item in zip(places, ordered, strict=True):
            items[place] = item


def _counts_the_others(item: pytest.Item) -> bool:
    """A test that tells what no other test of its file did, and so comes after them in any order."""
    return item.name.startswith("test_every_method[")


@pytest.fixture(scope="session")
def server(server: Instance) -> Instance:
    """With a project for the SDKs: pages that browsers look at meanwhile are not to change under them."""
    return project_of(server, "sdk-project")


@pytest.fixture(scope="session")
def openai_url() -> Iterator[str]:
    with openai_stub.running() as url:
        yield url


@dataclass
class Run:
    """One run of a program. Its traces are told from all others by their environment."""

    server: Instance
    environment: str
    output: str

    def traces(self, count: int = 1) -> list[dict[str, Any]]:
        """Its traces with observations and scores, oldest first."""
        with self.server.client() as api:
            listed = eventually(lambda: self._list(api, count))
            return [self._get(api, trace["id"]) for trace in sorted(listed, key=lambda each: each["timestamp"])]

    def trace(self, *, observations: int = 1, scores: int = 0) -> dict[str, Any]:
        """Its one trace, as soon as that many observations and scores are there."""

        def complete() -> dict[str, Any]:
            [trace] = self._list(api, 1)
            trace = self._get(api, trace["id"])
            assert len(trace["observations"]) == observations, [each["name"] for each in trace["observations"]]
            assert len(trace["scores"]) == scores
            assert all(each["endTime"] or each["type"] == "EVENT" for each in trace["observations"])
            return trace

        with self.server.client() as api:
            return eventually(complete)

    def _list(self, api: httpx.Client, count: int) -> list[dict[str, Any]]:
        answer = api.get("/api/public/traces", params={"environment": self.environment, "limit": 50})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        assert len(found) == count, [each["name"] for each in found]
        return found

    def _get(self, api: httpx.Client, trace_id: str) -> dict[str, Any]:
        answer = api.get(f"/api/public/traces/{trace_id}")
        assert answer.status_code == 200, answer.text
        trace: dict[str, Any] = answer.json()
        return trace


def eventually(check: Callable[[], Any], timeout_seconds: float = _VISIBLE_SECONDS) -> Any:
    """What `check` returns once it neither fails an assertion nor an unpacking."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return check()
        except (AssertionError, ValueError, KeyError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture
def run(server: Instance, openai_url: str) -> Callable[..., Run]:
    """`run("langfuse-python-5", "story.py")`"""

    def run_program(client: str, program: str, *arguments: str) -> Run:
        command = command_of(client, PROGRAMS / program)
        environment = f"{client.removeprefix('langfuse-')}-{uuid.uuid4().hex[:8]}"
        variables = variables_of(server, openai_url, environment)
        done = subprocess.run([*command, *arguments], env=variables, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return Run(server, environment, done.stdout)

    return run_program


def variables_of(server: Instance, openai_url: str, environment: str) -> dict[str, str]:
    """The environment variables of a program that is to send to the server, under an environment of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {
        **inherited,
        "LANGFUSE_HOST": server.url,
        "LANGFUSE_BASE_URL": server.url,
        "LANGFUSE_BASEURL": server.url,
        "LANGFUSE_PUBLIC_KEY": server.public_key,
        "LANGFUSE_SECRET_KEY": server.secret_key,
        "LANGFUSE_TRACING_ENVIRONMENT": environment,
        "OPENAI_BASE_URL": openai_url,
        "OPENAI_API_KEY": "sk-stub",
        "PYTHONIOENCODING": "utf-8",
    }


def command_of(client: str, program: Path) -> list[str]:
    try:
        return environments.command(client, program)
    except environments.CannotInstall as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{client} cannot be installed: {problem}")
        pytest.skip(f"{client} cannot be installed here: {problem}")


@pytest.fixture(scope="session")
def pages(server: Instance) -> Iterator[httpx.Client]:
    """A signed-in person's browser, as far as pages without JavaScript go."""
    with httpx.Client(base_url=server.url, follow_redirects=True, timeout=30) as client:
        client.get("/accounts/login/")
        form = {
            "login": server.email,
            "password": server.password,
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
        }
        answer = client.post("/accounts/login/", data=form, headers={"Referer": f"{server.url}/accounts/login/"})
        assert answer.status_code == 200
        assert "sessionid" in client.cookies, "sign-in failed"
        yield client


@pytest.fixture
def page_of(server: Instance, pages: httpx.Client) -> Callable[..., str]:
    """The trace page's text with an observation selected, entities resolved."""

    def read(trace: dict[str, Any], observation: dict[str, Any] | None = None) -> str:
        parameters = {"observation": observation["id"]} if observation else {}
        answer = pages.get(f"/projects/{server.project_id}/traces/{trace['id']}/", params=parameters)
        assert answer.status_code == 200
        return html.unescape(answer.text)

    return read


def tree(trace: dict[str, Any]) -> list[Any]:
    """Observations as nested [name, type, children], in the order of their starts."""
    ordered = sorted(trace["observations"], key=lambda each: each["startTime"])
    known = {each["id"] for each in ordered}

    def below(parent: str | None) -> list[Any]:
        return [
            [each["name"], each["type"], below(each["id"])]
            for each in ordered
            if each["parentObservationId"] == parent or (parent is None and each["parentObservationId"] not in known)
        ]

    return below(None)


def named(trace: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [each for each in trace["observations"] if each["name"] == name]
    return found


def text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def major_of(client: str) -> int:
    return int(client.rpartition("-")[2])


def assert_call(observation: dict[str, Any], *, model: str, question: str) -> None:
    """A model call of the stub, complete."""
    assert observation["type"] == "GENERATION"
    assert observation["model"] == model
    assert question in text(observation["input"])
    assert f"{ANSWER}{question}" in text(observation["output"])
    assert observation["usageDetails"]["input"] == PROMPT_TOKENS
    assert observation["usageDetails"]["output"] == COMPLETION_TOKENS
    assert observation["usageDetails"]["total"] == PROMPT_TOKENS + COMPLETION_TOKENS
    assert observation["latency"] >= 0
