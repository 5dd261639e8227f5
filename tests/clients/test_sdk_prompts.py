"""Prompts as each SDK writes, fetches and uses them."""

from __future__ import annotations

import html
import json
import re
import uuid

import pytest

from tests.clients.conftest import OTEL_PYTHON, PYTHON, named
from tests.clients.openai_stub import ANSWER

PROGRAMS = [*((client, "prompts.py") for client in PYTHON)]
PROGRAMS += [("langfuse-js-3", "prompts_js3.mjs"), ("langfuse-js-5", "prompts_js5.mjs")]
CONFIG = {"model": "gpt-4o", "temperature": 0.7}


@pytest.mark.parametrize(("client", "program"), PROGRAMS)
def test_prompts_are_written_fetched_and_used(run, server, client, program):
    name = f"影评/{uuid.uuid4().hex[:8]}"
    ran = run(client, program, name)
    got = json.loads(ran.output.strip().splitlines()[-1])
    assert got["created"] == [name, 1, ["production", "latest"], CONFIG, "第一版"]
    assert got["first"] == [1, "作为专业影评人,请评价《盗梦空间》", CONFIG, ["films"]]
    assert got.get("variables") in (None, ["level", "movie"])
    assert got["langchain"] == "作为{level}影评人,请评价《{movie}》"
    assert (got["by version"], got["by label"], got["latest"], got["cached"]) == ("Critic v2 of {{movie}}", 2, 2, 1)
    assert (got["moved"], got["after the move"]) == ([2], 2)
    assert got["chat"] == [
        {"role": "system", "content": "You are a kind critic."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "你好"},
        {"role": "user", "content": "And?"},
    ]
    assert got["chat langchain"] == (4 if client == "langfuse-python-2" else 3)
    assert got["fallback"] == [True, "Plain M"]
    assert "not found" in got["missing"].lower()
    call = named(ran.trace(), "critic")
    assert (call["promptName"], call["promptVersion"]) == (name, 1)
    with server.client() as api:
        listed = api.get("/api/public/v2/prompts", params={"name": name}).json()["data"]
        assert [(item["versions"], item["tags"]) for item in listed] == [([1, 2], ["films"])]


@pytest.mark.parametrize("client", PYTHON)
def test_a_prompt_becomes_a_chain_of_langchain(run, client):
    name = f"chains/{uuid.uuid4().hex[:8]}"
    call = named(run(client, "prompts_langchain.py", name).trace(observations=3), "ChatOpenAI")
    said = [(message["role"], message["content"]) for message in call["input"]]
    assert said == [
        ("system", "You know films."),
        ("user", "hi"),
        ("assistant", "你好"),
        ("user", "解释什么是递归"),
    ]
    assert (call["promptName"], call["promptVersion"]) == (name, 1)


@pytest.mark.parametrize("client", OTEL_PYTHON[-1:])
def test_the_published_example_works_as_printed(run, server, client):
    ran = run(client, "movie_critic.py")
    assert f"{ANSWER}作为一个专业的影评人,请评价电影《盗梦空间》" in ran.output
    with server.client() as api:
        assert api.get("/api/public/v2/prompts/movie-critic").json()["config"] == {"model": "gpt-4", "temperature": 0.7}
        assert api.delete("/api/public/v2/prompts/movie-critic").status_code == 204


@pytest.mark.parametrize(
    ("client", "snippet", "ending"),
    [("langfuse-python-5", "use-python", "py"), ("langfuse-js-5", "use-javascript", "mjs")],
)
def test_what_the_page_says_runs_as_it_stands(run, server, api, pages, tmp_path, client, snippet, ending):
    name = f"snippets/{uuid.uuid4().hex[:8]} 影评"
    messages = [
        {"role": "system", "content": "You know {{what}}."},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": "{{question}}"},
    ]
    prompt = {"name": name, "type": "chat", "prompt": messages, "labels": ["production"], "config": {"top_p": 0.5}}
    assert api.post("/api/public/v2/prompts", json=prompt).status_code == 201
    page = pages.get(f"/projects/{server.project_id}/prompts/{name}/", params={"tab": "uses"})
    [code] = re.findall(rf'id="{snippet}"[^>]*>(.*?)</', page.text, re.DOTALL)
    program = tmp_path / f"snippet.{ending}"
    program.write_text(html.unescape(code), encoding="utf-8")
    ran = run(client, str(program))
    assert "top_p" in ran.output
    call = named(ran.trace(), "answer")
    assert (call["promptName"], call["promptVersion"], call["output"]) == (name, 1, "...")
