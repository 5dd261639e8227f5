"""What tests of playgrounds share: a project with a connection to the stub, its state, and its runs worked on."""

from __future__ import annotations

from typing import Any

import orjson
from django.test import Client
from django.urls import reverse

from accounts.models import Project, User
from config.sealing import seal
from prompts.models import Adapter, LlmConnection, Playground, PlaygroundRun
from prompts.playground import state as shape
from prompts.playground import work
from tests.prompts.provider_stub import KEY, ProviderStub

_BASES = {Adapter.OPENAI: "/v1"}


def connect(project: Project, stub: ProviderStub | None, provider: str = "stub", **fields: Any) -> LlmConnection:
    adapter = fields.pop("adapter", Adapter.OPENAI)
    values = {
        "base_url": stub.url + _BASES.get(adapter, "") if stub else "",
        "sealed_secret": seal(KEY),
        "masked_secret": "sk-…cdef",
        "with_default_models": False,
        "custom_models": ["hello"],
        **fields,
    }
    return LlmConnection.objects.create(project=project, provider=provider, adapter=adapter, **values)


def window(window_id: str = "a", *messages: Any, model: str = "hello", **fields: Any) -> dict[str, Any]:
    """`messages` are texts of the user, or whole messages."""
    said = [one if isinstance(one, dict) else {"role": "user", "content": one} for one in messages or ("Hi",)]
    numbered = [{"id": f"m{place}", **message} for place, message in enumerate(said)]
    return shape.empty_window(window_id, connection="stub", model=model, messages=numbered, **fields)


def state(*windows: dict[str, Any], variables: Any = None, placeholders: Any = None) -> dict[str, Any]:
    return {"windows": list(windows), "variables": variables or {}, "placeholders": placeholders or {}}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def at(view: str, project: Project, *arguments: str) -> str:
    return reverse(f"prompts:{view}", args=[project.pk, *arguments])


def send(client: Client, method: str, address: str, body: Any) -> tuple[int, Any]:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    answer = getattr(client, method)(address, data=raw, content_type="application/json")
    # Whoever is no member of the project gets the page that says so.
    return answer.status_code, orjson.loads(answer.content) if answer["Content-Type"] == "application/json" else None


def begin(client: Client, project: Project) -> Playground:
    """A new one."""
    answer = client.post(at("playground-new", project))
    assert answer.status_code == 303, answer.content
    return Playground.objects.get(pk=answer["Location"].rstrip("/").rpartition("/")[2])


def run(client: Client, playground: Playground, given: Any, windows: Any = None, revision: int | None = None) -> Any:
    """Status and answer of starting windows, all unless some are named."""
    body = {
        "revision": Playground.objects.get(pk=playground.pk).revision if revision is None else revision,
        "state": given,
        "windows": windows or [one["id"] for one in given["windows"]],
    }
    return send(client, "post", at("playground-run", playground.project, playground.pk), body)


def finished(client: Client, playground: Playground, given: Any) -> list[PlaygroundRun]:
    """The runs of all windows, worked on in this thread."""
    status, answer = run(client, playground, given)
    assert (status, answer["issues"]) == (201, []), answer
    while work.work_on_next():
        pass
    return [PlaygroundRun.objects.get(pk=one["id"]) for one in answer["runs"]]


def news(client: Client, playground: Playground, **cursors: int) -> dict[str, Any]:
    after = ",".join(f"{run_id}:{cursor}" for run_id, cursor in cursors.items())
    answer = client.get(at("playground-news", playground.project, playground.pk), {"after": after})
    assert answer.status_code == 200
    return {one["id"]: one for one in orjson.loads(answer.content)["runs"]}
