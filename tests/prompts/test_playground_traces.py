"""Runs as traces of their project; and generations, as each client writes them, opened in a playground."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from config.errors import Unavailable
from prompts.models import Adapter, Playground, PlaygroundRun, RunStatus
from prompts.playground import traces as traces_of_runs
from prompts.playground import work
from prompts.playground.traces import ENVIRONMENT
from tests.factories import make_user
from tests.prompts.playground import at, begin, connect, finished, run, state, window
from tests.prompts.provider_stub import ERROR, HELLO, THOUGHT
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tests.tracing.sender import Sender
from tracing.ingest import drain
from tracing.models import Media, Model, PricingTier
from tracing.pricing.catalogue import forget_catalogues

# Ingestion asks by connections of its own, which do not see what a test has not committed.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]

BEFORE = datetime.now(UTC) - timedelta(minutes=5)


@pytest.fixture
def sender(transactional_db, analytics_server, own_inbox):  # noqa: F811
    return Sender()


@pytest.fixture
def alice(sender, client):
    client.force_login(make_user("alice@example.com", organization=sender.project.organization))
    return client


@pytest.fixture
def playground(alice, sender, provider):
    connect(sender.project, provider)
    return begin(alice, sender.project)


def traced(sender):
    """The trace and the observation of each run, oldest first."""
    drain.drain()
    return sender.traces(), sender.observations()


# --- Runs as traces --------------------------------------------------------------------------------------
def price(project, name, pattern):
    model = Model.objects.create(project=project, name=name, match_pattern=pattern, provider="stub")
    prices = {"input": "0.001", "output": "0.002", "input_cached_tokens": "0.0001", "output_reasoning_tokens": "0.003"}
    PricingTier.objects.create(model=model, name="Standard", is_default=True, priority=0, prices=prices)
    model.save()
    forget_catalogues()


def test_a_run_is_a_trace_with_one_generation(alice, playground, sender):
    price(sender.project, "stub", "stub-1")
    alice.post(at("playground-rename", sender.project, playground.pk), {"title": "Weather 天气"})
    tool = {"name": "weather", "description": "Tells it.", "parameters": '{"type": "object"}'}
    given = window(
        "a",
        {"role": "system", "content": "Be brief."},
        "About {{topic}}",
        model="thinker",
        title="Left",
        tools=[tool],
        tool_choice="auto",
        parameters={"temperature": "0.5", "stop": "END"},
        output_schema={"name": "verdict", "schema": '{"type": "object"}'},
        options='{"service_tier": "flex", "deep": {"a": 1}}',
    )
    [found] = finished(alice, playground, state(given, variables={"topic": "rain"}))
    [trace], [generation] = traced(sender)

    assert (trace.id, trace.name, trace.environment, trace.tags) == (
        found.trace_id,
        "Weather 天气",
        ENVIRONMENT,
        ["playground"],
    )
    assert trace.user_id == "alice@example.com"
    assert (generation.id, generation.trace_id, generation.parent_id) == (found.observation_id, found.trace_id, "")
    assert (generation.type, generation.name, generation.environment) == ("GENERATION", "Left", "langfuse-playground")
    said = orjson.loads(generation.input)
    assert said["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "About rain"}]
    assert orjson.loads(generation.tool_definitions["weather"])["parameters"] == {"type": "object"}
    assert orjson.loads(generation.output) == found.message
    assert generation.model == "stub-1"
    parameters = orjson.loads(generation.model_parameters)
    schema = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": {"type": "object"}}}
    assert orjson.loads(parameters.pop("response_format")) == schema
    assert parameters == {
        "temperature": 0.5,
        "stop": ["END"],
        "tool_choice": "auto",
        "service_tier": "flex",
        "deep": '{"a":1}',
        "stream": True,
    }
    assert generation.usage == found.usage
    assert generation.total_cost == found.cost > 0
    assert abs(generation.start_time - found.started_at) < timedelta(milliseconds=1)
    assert abs(generation.completion_start_time - found.first_token_at) < timedelta(milliseconds=1)
    assert abs(generation.end_time - found.ended_at) < timedelta(milliseconds=1)
    assert generation.metadata == {
        "connection": "stub",
        "playground_id": playground.pk,
        "window": "a",
        "run_id": found.pk,
        "requested_model": "thinker",
    }
    assert (generation.level, generation.status_message) == ("DEFAULT", "")


def test_the_cost_is_that_of_the_model_that_was_asked_for_where_only_that_has_a_price(alice, playground, sender):
    price(sender.project, "hello", "hello")
    [found] = finished(alice, playground, state(window()))
    _traces, [generation] = traced(sender)
    assert generation.model == "hello"
    assert generation.total_cost == found.cost > 0


def test_a_model_without_a_price_has_no_cost(alice, playground, sender):
    [found] = finished(alice, playground, state(window()))
    _traces, [generation] = traced(sender)
    assert found.cost is None
    assert (generation.model, generation.cost) == ("stub-1", {})


def test_failed_stopped_and_lost_runs_are_traced_with_what_came_of_them(alice, playground, sender):
    windows = [window("a", model="500"), window("b", model="cut"), window("c"), window("d")]
    status, _answer = run(alice, playground, state(*windows))
    assert status == 201
    PlaygroundRun.objects.filter(window="c").update(
        status=RunStatus.RUNNING, runner="elsewhere:1:a:b", started_at=BEFORE, heartbeat_at=BEFORE
    )
    stopping = PlaygroundRun.objects.get(window="d")
    work.claims.take(stopping, started_at=timezone.now())
    PlaygroundRun.objects.filter(window="d").update(is_stopping=True)
    work._work(stopping)
    while work.work_on_next():
        pass
    work.sweep()
    runs = {one.trace_id: one for one in PlaygroundRun.objects.all()}
    _traces, generations = traced(sender)
    found = {runs[one.trace_id].window: (one.level, one.status_message, one.output) for one in generations}
    partial = orjson.dumps({"role": "assistant", "content": HELLO}).decode()
    assert found["a"] == ("ERROR", f"500: {ERROR}", "")
    assert found["b"][0] == "ERROR"
    assert found["b"][1]
    assert orjson.loads(found["b"][2]) == orjson.loads(partial)
    assert found["c"] == ("ERROR", work.LOST, "")
    assert found["d"] == ("WARNING", "Stopped.", "")
    assert all(one.is_traced for one in runs.values())


def test_a_run_whose_playground_is_deleted_meanwhile_is_traced_too(alice, playground, sender):
    run(alice, playground, state(window()))
    going = PlaygroundRun.objects.get()
    work.claims.take(going, started_at=timezone.now())
    alice.post(at("playground-delete", sender.project, playground.pk))
    work._work(going)
    _traces, [generation] = traced(sender)
    assert (generation.id, generation.level, generation.status_message) == (going.observation_id, "WARNING", "Stopped.")
    assert not PlaygroundRun.objects.exists()


def test_a_run_is_traced_once_also_after_a_failure_in_between(alice, playground, sender, monkeypatch):
    def full(*_):
        raise Unavailable("The inbox cannot be written.")

    with monkeypatch.context() as patch:
        patch.setattr(traces_of_runs, "keep_own_events", full)
        [found] = finished(alice, playground, state(window()))
    assert (found.status, found.is_traced) == (RunStatus.DONE, False)
    work.sweep()  # it is being handed in this very moment, as far as anybody knows
    assert not PlaygroundRun.objects.get().is_traced
    PlaygroundRun.objects.update(ended_at=BEFORE + timedelta(seconds=5), started_at=BEFORE)
    work.sweep()
    work.sweep()
    PlaygroundRun.objects.update(is_traced=False)  # as if the process had ended before it was noted
    work.sweep()
    traces, generations = traced(sender)
    assert (len(traces), len(generations)) == (1, 1)


def test_the_environment_is_not_for_clients(alice, playground, sender):
    body = {"id": "t1", "name": "sly", "environment": ENVIRONMENT}
    event = {"id": "e1", "type": "trace-create", "timestamp": BEFORE.isoformat(), "body": body}
    assert sender.post("/api/public/ingestion", {"batch": [event]}).status_code == 207
    [trace], _generations = traced(sender)
    assert trace.environment == "playground"


def test_the_prompt_is_linked_while_its_messages_are_unchanged(alice, playground, sender):
    answer = sender.post("/api/public/v2/prompts", {"name": "critic", "prompt": "Rate {{film}}"})
    assert answer.status_code == 201
    own = opened(alice, sender.project, prompt="critic", version=1)
    given = own.state
    given["windows"][0] |= {"connection": "stub", "model": "hello", "parameters": {"seed": "1"}}
    given["variables"] = {"film": "Heat"}
    changed = orjson.loads(orjson.dumps(given))
    changed["windows"][0]["messages"][0]["content"] += "!"
    finished(alice, own, given)
    finished(alice, own, changed)
    _traces, generations = traced(sender)
    assert [(one.prompt_name, one.prompt_version) for one in generations] == [("critic", 1), ("", None)]
    assert generations[0].prompt_id


# --- Generations as windows ------------------------------------------------------------------------------
def opened(client, project, **form):
    answer = client.post(at("playground-new", project), form)
    assert answer.status_code == 303, answer.content
    return Playground.objects.get(pk=answer["Location"].rstrip("/").rpartition("/")[2])


def send_generation(sender, **body):
    generation = {"id": "g1", "traceId": "t1", "name": "answer", "startTime": BEFORE.isoformat(), **body}
    event = {"id": "e1", "type": "generation-create", "timestamp": BEFORE.isoformat(), "body": generation}
    answer = sender.post("/api/public/ingestion", {"batch": [event]})
    assert orjson.loads(answer.content)["errors"] == []
    drain.drain()


def window_from(alice, sender, **body):
    send_generation(sender, **body)
    form = {"trace": body.get("traceId", "t1"), "observation": body.get("id", "g1")}
    [found] = opened(alice, sender.project, **form).state["windows"]
    return found


def said(found):
    return [{key: value for key, value in message.items() if key != "id"} for message in found["messages"]]


PIXEL = "data:image/png;base64,iVBORw0KGgo="
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
SYSTEM = {"role": "system", "content": "Be brief."}
ASKED = {"role": "user", "content": "Weather?"}
TOLD = {"role": "tool", "tool_call_id": "c1", "content": "sun"}
CALLED = {"role": "assistant", "content": "", "tool_calls": [CALL]}
SEEN = {
    "role": "user",
    "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": PIXEL}}],
}
OPENAI_TOOL = {"type": "function", "function": {"name": "weather", "description": "Tells.", "parameters": SCHEMA}}

#: what a client sends as input -> the messages of the window
INPUTS = {
    "openai chat": (
        {"messages": [SYSTEM, ASKED, {**CALLED, "content": None}, TOLD, SEEN], "tools": [OPENAI_TOOL]},
        [SYSTEM, ASKED, CALLED, TOLD, SEEN],
    ),
    "openai list": ([SYSTEM, {**ASKED, "name": "ann"}], [SYSTEM, {**ASKED, "name": "ann"}]),
    "openai responses": (
        {
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
                {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Rome"}'},
                {"type": "function_call_output", "call_id": "c1", "output": "sun"},
            ],
            "tools": [{"type": "function", "name": "weather", "description": "Tells.", "parameters": SCHEMA}],
        },
        [SYSTEM, ASKED, CALLED, TOLD],
    ),
    "anthropic": (
        {
            "system": "Be brief.",
            "messages": [
                {"role": "user", "content": "Weather?"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Hm", "signature": "c2lnbmVk"},
                        {"type": "redacted_thinking", "data": "aGlkZGVu"},
                        {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Rome"}},
                    ],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "sun"}]},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "See"},
                        {
                            "type": "image",
                            "source": {"type": "url", "url": "https://example.com/a.png"},
                        },
                    ],
                },
            ],
            "tools": [{"name": "weather", "description": "Tells.", "input_schema": SCHEMA}],
        },
        [
            SYSTEM,
            ASKED,
            {
                **CALLED,
                "content": [
                    {"type": "thinking", "thinking": "Hm", "signature": "c2lnbmVk"},
                    {"type": "redacted_thinking", "data": "aGlkZGVu"},
                ],
            },
            TOLD,
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "See"},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                ],
            },
        ],
    ),
    "gemini": (
        {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "Weather?"}]},
                {
                    "role": "model",
                    "parts": [
                        {
                            "functionCall": {"name": "weather", "args": {"city": "Rome"}},
                            "thoughtSignature": "c2lnbmVk",
                        }
                    ],
                },
                {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"sky": "sun"}}}]},
            ],
            "tools": [{"functionDeclarations": [{"name": "weather", "description": "Tells.", "parameters": SCHEMA}]}],
            "generationConfig": {"temperature": 0.5, "maxOutputTokens": 9},
        },
        [
            SYSTEM,
            ASKED,
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {
                        "id": "call_0",
                        "type": "function",
                        "function": CALL["function"],
                        "extra_content": {"google": {"thought_signature": "c2lnbmVk"}},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_0", "content": '{"sky":"sun"}'},
        ],
    ),
    "ai sdk": (
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "tool-call", "toolCallId": "c1", "toolName": "weather", "input": {"city": "Rome"}}
                    ],
                },
                {
                    "role": "tool",
                    "content": [
                        {
                            "type": "tool-result",
                            "toolCallId": "c1",
                            "toolName": "weather",
                            "output": {"type": "text", "value": "sun"},
                        }
                    ],
                },
            ],
            "tools": [{"type": "function", "name": "weather", "description": "Tells.", "inputSchema": SCHEMA}],
        },
        [SYSTEM, ASKED, CALLED, TOLD],
    ),
    "langchain": (
        [
            [
                {"type": "constructor", "id": ["langchain", "SystemMessage"], "kwargs": {"content": "Be brief."}},
                {"type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": "Weather?"}},
                {
                    "type": "constructor",
                    "id": ["langchain", "AIMessage"],
                    "kwargs": {
                        "content": "",
                        "tool_calls": [{"name": "weather", "args": {"city": "Rome"}, "id": "c1", "type": "tool_call"}],
                    },
                },
                {
                    "type": "constructor",
                    "id": ["langchain", "ToolMessage"],
                    "kwargs": {"content": "sun", "tool_call_id": "c1"},
                },
            ]
        ],
        [SYSTEM, ASKED, CALLED, TOLD],
    ),
    "otel parts": (
        [
            {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
            {"role": "user", "parts": [{"type": "text", "content": "Weather?"}]},
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Rome"}}],
            },
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "sun"}]},
        ],
        [SYSTEM, ASKED, CALLED, TOLD],
    ),
    "text": ("Weather?\n 天气", [{"role": "user", "content": "Weather?\n 天气"}]),
    "data": ({"query": "x", "k": 3}, [{"role": "user", "content": '{"query":"x","k":3}'}]),
}


def _same(message):
    """Arguments of calls as what they say."""
    calls = [
        {**call, "function": {**call["function"], "arguments": orjson.loads(call["function"]["arguments"])}}
        for call in message.get("tool_calls", ())
    ]
    content = message["content"]
    if message["role"] == "tool" and content.startswith("{"):
        content = orjson.loads(content)
    return {**message, "content": content, **({"tool_calls": calls} if calls else {})}


@pytest.mark.parametrize("shape", INPUTS)
def test_messages_and_tools_are_in_place_whichever_client_wrote_them(shape, alice, sender):
    given, expected = INPUTS[shape]
    found = window_from(alice, sender, input=given, model="m")
    assert [_same(message) for message in said(found)] == [_same(message) for message in expected]
    ids = [message["id"] for message in found["messages"]]
    assert len(set(ids)) == len(ids)
    if isinstance(given, dict) and "tools" in given:
        [tool] = found["tools"]
        assert (tool["name"], tool["description"], orjson.loads(tool["parameters"])) == ("weather", "Tells.", SCHEMA)
    if shape == "gemini":
        assert found["parameters"] == {"temperature": "0.5", "max_tokens": "9"}
    assert found["source"] == {"trace_id": "t1", "observation_id": "g1"}
    assert found["prompt"] is None


@pytest.mark.parametrize("adapter", [Adapter.OPENAI, Adapter.ANTHROPIC, Adapter.GOOGLE_AI_STUDIO])
def test_what_was_opened_can_be_run_as_it_is(adapter, alice, sender, provider):
    connect(sender.project, provider, adapter=adapter)
    for shape in ("openai chat", "openai responses", "gemini", "ai sdk", "langchain"):
        found = window_from(alice, sender, id=f"g-{shape}", traceId=f"t-{shape}", input=INPUTS[shape][0], model="hello")
        assert found["connection"] == "stub"
        playground = Playground.objects.order_by("-created_at").first()
        [done] = finished(alice, playground, playground.state)
        assert done.status == RunStatus.DONE, (shape, done.error)


def test_model_parameters_choice_and_schema_are_in_place(alice, sender, provider):
    connect(sender.project, provider, "first")
    connect(sender.project, provider, "second", custom_models=["gpt-x"])
    schema = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": SCHEMA}}
    found = window_from(
        alice,
        sender,
        input={"messages": [ASKED], "tools": [OPENAI_TOOL], "response_format": schema},
        model="gpt-x",
        modelParameters={
            "temperature": 0.2,
            "top_p": "0.9",
            "max_completion_tokens": 99,
            "stop": ["END", "\n\n"],
            "tool_choice": '{"type": "function", "function": {"name": "weather"}}',
            "reasoning": '{"effort": "low"}',
            "user": "me",
        },
    )
    assert (found["connection"], found["model"]) == ("second", "gpt-x")
    assert found["parameters"] == {
        "temperature": "0.2",
        "top_p": "0.9",
        "max_tokens": "99",
        "stop": "END\n\\n\\n",
        "reasoning_effort": "low",
    }
    assert found["tool_choice"] == "weather"
    assert (found["output_schema"]["name"], orjson.loads(found["output_schema"]["schema"])) == ("verdict", SCHEMA)


def test_the_connection_is_guessed_by_the_maker_of_the_model(alice, sender):
    """Neither names the model itself: the price list knows whose it is."""
    price(None, "claude-z", "(?i)^claude-z.*$")
    Model.objects.filter(name="claude-z").update(provider="anthropic")
    connect(sender.project, None, "oai", adapter=Adapter.OPENAI)
    connect(sender.project, None, "ant", adapter=Adapter.ANTHROPIC)
    assert window_from(alice, sender, input="x", model="claude-z-2030")["connection"] == "ant"


def test_an_answer_is_the_last_message(alice, sender):
    choice = {"choices": [{"index": 0, "finish_reason": "tool_calls", "message": CALLED}]}
    send_generation(sender, input=[ASKED], output=choice)
    for form, expected in (({}, [ASKED]), ({"output": "1"}, [ASKED, CALLED])):
        [found] = opened(alice, sender.project, trace="t1", observation="g1", **form).state["windows"]
        assert [_same(one) for one in said(found)] == [_same(one) for one in expected]


def test_pictures_that_are_stored_here_are_in_the_window_again(alice, sender, settings, tmp_path):
    pixel = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
    url = f"data:image/png;base64,{pixel}"
    given = {**SEEN, "content": [SEEN["content"][0], {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]}
    found = window_from(alice, sender, input=[given])
    assert Media.objects.filter(project=sender.project).exists()
    assert said(found) == [given]


def test_what_looks_like_a_variable_is_sent_again_as_it_was(alice, sender, provider):
    connect(sender.project, provider)
    window_from(alice, sender, input=[{"role": "user", "content": "Explain {{name}}"}], model="echo")
    playground = Playground.objects.order_by("-created_at").first()
    given = playground.state
    given["windows"][0]["connection"] = "stub"
    [found] = finished(alice, playground, given)
    assert orjson.loads(found.message["content"])["messages"][0]["content"] == "Explain {{name}}"


def test_a_run_is_opened_again_as_it_was_run(alice, playground, sender):
    given = window(
        "a",
        {"role": "system", "content": "S"},
        "Hi",
        model="thinker",
        parameters={"temperature": "0.5"},
        tools=[{"name": "weather", "description": "", "parameters": '{"type":"object"}'}],
        output_schema={"name": "verdict", "schema": '{"type":"object"}'},
    )
    [run_] = finished(alice, playground, state(given))
    drain.drain()
    copy = opened(alice, sender.project, trace=run_.trace_id, observation=run_.observation_id, output="1")
    [found] = copy.state["windows"]
    for name in ("connection", "model", "parameters", "tool_choice"):
        assert found[name] == given[name], name
    assert orjson.loads(found["output_schema"]["schema"]) == {"type": "object"}
    assert orjson.loads(found["tools"][0]["parameters"]) == {"type": "object"}
    assert said(found)[:2] == said(given)
    assert said(found)[2]["content"][0] == {"type": "thinking", "thinking": THOUGHT, "signature": ""}
    [again] = finished(alice, copy, copy.state)
    assert again.status == RunStatus.DONE, again.error


HOSTILE = [
    None,
    [],
    {},
    "\x00",
    [{"role": "user", "content": {"a": [1]}}],
    [{"role": "robot", "content": "x"}],
    [{"role": "user"}],
    [{"role": "assistant", "tool_calls": [{"function": None}, 7]}],
    {"messages": "x", "tools": [1, {"name": 7}, {"function": {"name": "x", "parameters": "{"}}]},
    "</script><script>alert(1)</script>",
    [{"role": "user", "content": [{"type": "image_url"}, {"type": "text"}, None, 4]}],
]


@pytest.mark.parametrize("given", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_was_sent_opens(given, alice, sender):
    found = window_from(
        alice,
        sender,
        input=given,
        modelParameters={"tool_choice": "[1", "stop": "x", "response_format": "{", "temperature": None},
    )
    assert found["id"] == "a"


def test_a_generation_of_another_project_is_not_there(alice, sender):
    other = Sender(name="Other")
    send_generation(other, input="secret")
    for form in ({"trace": "t1", "observation": "g1"}, {"trace": "t1"}, {"trace": "\x00t1", "observation": "x"}):
        assert alice.post(at("playground-new", sender.project), form).status_code == 404
    assert not Playground.objects.exists()


def test_the_pane_of_a_generation_leads_there_for_members(alice, sender):
    send_generation(sender, input="x", id="g1")
    event = {"id": "s1", "traceId": "t1", "name": "span"}
    body = {"id": "e2", "type": "span-create", "timestamp": BEFORE.isoformat(), "body": event}
    sender.post("/api/public/ingestion", {"batch": [body]})
    drain.drain()
    page = reverse("tracing:trace-detail", args=[sender.project.pk, "t1"])
    form = f'action="{at("playground-new", sender.project)}"'
    assert form in alice.get(page, {"observation": "g1"}).content.decode()
    assert form not in alice.get(page, {"observation": "s1"}).content.decode()
    viewer = Client()
    viewer.force_login(make_user("v@example.com", organization=sender.project.organization, role=Role.VIEWER))
    assert form not in viewer.get(page, {"observation": "g1"}).content.decode()
