"""Calls to models, over each wire, against a provider on this machine."""

from __future__ import annotations

import json
import threading

import pytest

from accounts.access import ProjectScope
from accounts.roles import Role
from config.errors import Forbidden, NotFound
from config.outgoing import Limits
from config.sealing import seal
from prompts.llm import (
    Answer,
    Call,
    Cancelled,
    FinishReason,
    Parameters,
    ProviderError,
    TextDelta,
    Tool,
    Trouble,
    stream,
)
from prompts.models import Adapter, LlmConnection
from tests.prompts.provider_stub import ARGUMENTS, ERROR, HELLO, KEY, REFUSAL, RETRY_AFTER, THOUGHT

BEDROCK_KEYS = json.dumps({"accessKeyId": "AKIASTUB", "secretAccessKey": "stub-secret"})
WIRES = {
    "chat": (Adapter.OPENAI, "/v1", None),
    "responses": (Adapter.OPENAI, "/v1", {"useResponsesApi": True}),
    "azure": (Adapter.AZURE, "", None),
    "anthropic": (Adapter.ANTHROPIC, "", None),
    "gemini": (Adapter.GOOGLE_AI_STUDIO, "", None),
    "bedrock": (Adapter.BEDROCK, "", {"region": "eu-central-1"}),
}
PIXEL = "iVBORw0KGgo="
TOOL = Tool("weather", "Tells it.", {"type": "object", "properties": {"city": {"type": "string"}}})
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


def connect(provider, wire="chat", **fields):
    adapter, path, config = WIRES[wire]
    secret = BEDROCK_KEYS if wire == "bedrock" else KEY
    values = {"base_url": provider.url + path, "config": config, "sealed_secret": seal(secret), **fields}
    return LlmConnection(project_id="p", provider="stub", adapter=adapter, **values)


def ask(connection, model="hello", *, limits=None, is_cancelled=lambda: False, role=Role.MEMBER, **fields):
    call = Call(model, fields.pop("messages", [{"role": "user", "content": "Hi"}]), **fields)
    more = {"limits": limits} if limits else {}
    return stream(ProjectScope("p", role), connection, call, is_cancelled=is_cancelled, **more)


def answer(connection, model="hello", **fields):
    return Answer.of(ask(connection, model, **fields))


def failure(connection, model, **fields):
    with pytest.raises(ProviderError) as raised:
        answer(connection, model, **fields)
    return raised.value


@pytest.fixture(params=WIRES)
def wire(request):
    return request.param


@pytest.mark.parametrize("model", ["hello", "split", "odd", "whole"])
def test_text_comes_whole_whatever_the_wire_and_however_it_was_cut(provider, wire, model):
    found = answer(connect(provider, wire), model)
    assert found.text == HELLO
    assert found.finished.finish_reason is FinishReason.STOP
    usage = dict(found.finished.usage)
    assert usage.pop("total") == 18
    assert sum(usage.values()) == 18, "no kind is counted twice"
    assert 3 in usage.values(), "what came from the cache is a kind of its own"


def test_text_comes_piece_by_piece(provider, wire):
    pieces = [event.text for event in ask(connect(provider, wire)) if isinstance(event, TextDelta)]
    assert pieces == list(HELLO)


def test_the_last_event_names_model_and_request(provider, wire):
    finished = answer(connect(provider, wire)).finished
    assert finished.model == ("hello" if wire == "bedrock" else "stub-1")
    assert finished.raw["request_id"] == "req_stub"
    assert finished.raw["finish_reason"]


def test_thoughts_are_told_apart(provider, wire):
    found = answer(connect(provider, wire), "thinker")
    assert (found.thinking, found.text) == (THOUGHT, "42")
    if wire == "anthropic":
        thought = found.as_message()["content"][0]
        assert thought == {"type": "thinking", "thinking": THOUGHT, "signature": "c2lnbmVk"}


def test_a_tool_call_is_put_together_and_goes_back_with_its_result(provider, wire):
    connection = connect(provider, wire)
    found = answer(connection, "tools", tools=[TOOL])
    assert found.finished.finish_reason is FinishReason.TOOL_CALLS
    message = found.as_message()
    (call,) = message["tool_calls"]
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == ARGUMENTS
    history = [
        {"role": "user", "content": "Weather?"},
        message,
        {"role": "tool", "tool_call_id": call["id"], "content": "rain"},
    ]
    answer(connection, "echo", messages=history, tools=[TOOL])
    sent = json.dumps(provider.last.body)
    assert "rain" in sent
    assert "weather" in sent
    if wire == "gemini":
        parts = [part for content in provider.last.body["contents"] for part in content["parts"]]
        assert {"name": "weather", "response": {"result": "rain"}} in [part.get("functionResponse") for part in parts]
        assert "c2lnbmVk" in [part.get("thoughtSignature") for part in parts]
    else:
        assert sent.count("call_1") == 2, "call and result name the same id"


def test_a_refusal_is_told_as_one(provider, wire):
    found = answer(connect(provider, wire), "refuses")
    assert REFUSAL in (found.refusal, found.text)
    assert found.finished.finish_reason is FinishReason.REFUSAL


@pytest.mark.parametrize(("model", "reason"), [("short", FinishReason.LENGTH), ("filtered", FinishReason.REFUSAL)])
def test_why_an_answer_ended(provider, wire, model, reason):
    assert answer(connect(provider, wire), model).finished.finish_reason is reason


# --- What is sent ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wire", "path", "header", "value"),
    [
        ("chat", "/v1/chat/completions", "authorization", f"Bearer {KEY}"),
        ("responses", "/v1/responses", "authorization", f"Bearer {KEY}"),
        (
            "azure",
            "/openai/deployments/hello/chat/completions?api-version=2025-04-01-preview",
            "api-key",
            KEY,
        ),
        ("anthropic", "/v1/messages", "x-api-key", KEY),
        ("gemini", "/v1beta/models/hello:streamGenerateContent?alt=sse", "x-goog-api-key", KEY),
    ],
)
def test_where_it_goes_and_with_which_key(provider, wire, path, header, value):
    answer(connect(provider, wire))
    assert provider.last.path == path
    assert provider.last.headers[header] == value


def test_bedrock_is_signed(provider):
    answer(connect(provider, "bedrock"), "hello")
    authorization = provider.last.headers["authorization"]
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIASTUB/")
    assert "/eu-central-1/bedrock/aws4_request" in authorization
    key = connect(provider, "bedrock", sealed_secret=seal('{"apiKey": "bedrock-key"}'))
    answer(key)
    assert provider.last.headers["authorization"] == "Bearer bedrock-key"


@pytest.mark.parametrize(
    ("base", "path"),
    [("", "/v1/chat/completions"), ("/", "/v1/chat/completions"), ("/api/paas/v4/", "/api/paas/v4/chat/completions")],
)
def test_a_base_url_without_a_path_means_v1(provider, base, path):
    answer(connect(provider, base_url=provider.url + base))
    assert provider.last.path == path


def test_azure_takes_deployments_versions_and_its_newer_address(provider):
    for base, path in (
        ("/openai/deployments", "/openai/deployments/hello/chat/completions?api-version=2025-04-01-preview"),
        ("/?api-version=2024-10-21", "/openai/deployments/hello/chat/completions?api-version=2024-10-21"),
        ("/openai/v1/", "/openai/v1/chat/completions"),
    ):
        answer(connect(provider, "azure", base_url=provider.url + base))
        assert provider.last.path == path


def test_headers_of_the_connection_are_sent_and_win(provider):
    connection = connect(provider)
    connection.set_headers({"X-Team": "search", "Authorization": "Basic abc"})
    answer(connection)
    assert provider.last.headers["x-team"] == "search"
    assert provider.last.headers["authorization"] == "Basic abc"


SENT = {
    "chat": {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 99,
        "stop": ["END"],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
        },
        "reasoning_effort": "low",
        "user": "me",
    },
    "responses": {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 99,
        "tool_choice": {"type": "function", "name": "weather"},
        "text": {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}},
        "reasoning": {"effort": "low"},
        "store": False,
        "user": "me",
    },
    "anthropic": {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 99,
        "stop_sequences": ["END"],
        "tool_choice": {"type": "tool", "name": "weather"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        "system": "Be brief.",
        "user": "me",
    },
    "gemini": {
        "generationConfig": {
            "temperature": 0.5,
            "topP": 0.9,
            "maxOutputTokens": 99,
            "stopSequences": ["END"],
            "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "low"},
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA,
        },
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "user": "me",
    },
    "bedrock": {
        "inferenceConfig": {"maxTokens": 99, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
        "system": [{"text": "Be brief."}],
        "outputConfig": {
            "effort": "low",
            "textFormat": {
                "type": "json_schema",
                "structure": {"jsonSchema": {"name": "answer", "schema": json.dumps(SCHEMA, separators=(",", ":"))}},
            },
        },
        "user": "me",
    },
}


@pytest.mark.parametrize("wire", SENT)
def test_parameters_tools_and_schema_in_each_provider_s_words(provider, wire):
    stop = () if wire == "responses" else ("END",)
    answer(
        connect(provider, wire),
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        parameters=Parameters(temperature=0.5, top_p=0.9, max_tokens=99, stop=stop, reasoning_effort="low"),
        tools=[TOOL],
        tool_choice="weather",
        output_schema=SCHEMA,
        options={"user": "me"},
    )
    body = provider.last.body
    assert {name: body[name] for name in SENT[wire]} == SENT[wire]
    assert '"city"' in json.dumps(body)


def test_zero_is_a_value(provider):
    answer(connect(provider), parameters=Parameters(temperature=0.0, seed=0, frequency_penalty=0.0))
    body = provider.last.body
    assert (body["temperature"], body["seed"], body["frequency_penalty"]) == (0.0, 0, 0.0)


def test_a_budget_for_thoughts_leaves_room_for_the_answer(provider):
    answer(connect(provider, "anthropic"), parameters=Parameters(reasoning_budget=2000))
    assert provider.last.body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert provider.last.body["max_tokens"] > 2000


def test_options_go_into_objects_that_are_there(provider):
    options = {"generationConfig": {"topK": 3}}
    answer(connect(provider, "gemini"), parameters=Parameters(temperature=1), options=options)
    assert provider.last.body["generationConfig"] == {"temperature": 1, "topK": 3}


@pytest.mark.parametrize("url", ["https://example.com/a.png", f"data:image/png;base64,{PIXEL}"])
def test_pictures(provider, wire, url):
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    messages = [{"role": "user", "content": content}]
    if wire == "bedrock" and url.startswith("https"):
        assert failure(connect(provider, wire), "hello", messages=messages).trouble is Trouble.CALL
        return
    answer(connect(provider, wire), messages=messages)
    sent = json.dumps(provider.last.body)
    assert (PIXEL in sent) if url.startswith("data:") else (url in sent)


@pytest.mark.parametrize(
    ("wire", "name"), [("responses", "seed"), ("anthropic", "presence_penalty"), ("bedrock", "frequency_penalty")]
)
def test_a_parameter_that_a_provider_has_no_word_for_is_refused_and_not_dropped(provider, wire, name):
    error = failure(connect(provider, wire), "hello", parameters=Parameters(**{name: 1}))
    assert error.trouble is Trouble.CALL
    assert name in error.message
    assert provider.requests == []


# --- What goes wrong -------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_a_refusal_of_the_provider_is_told_as_it_came(provider, wire, status):
    error = failure(connect(provider, wire), str(status))
    assert (error.trouble, error.provider_status, error.message) == (Trouble.STATUS, status, ERROR)
    assert ERROR in json.dumps(json.loads(error.body))
    assert error.request_id == "req_stub"
    assert error.retry_after_seconds == (RETRY_AFTER if status == 429 else None)


@pytest.mark.parametrize(
    ("model", "trouble"),
    [
        ("failing", Trouble.IN_STREAM),
        ("cut", Trouble.CUT_OFF),
        ("unfinished", Trouble.CUT_OFF),
        ("broken", Trouble.NOT_UNDERSTOOD),
        ("page", Trouble.NOT_UNDERSTOOD),
        ("strange", Trouble.NOT_UNDERSTOOD),
        ("moved", Trouble.STATUS),
    ],
)
def test_an_answer_that_is_none(provider, wire, model, trouble):
    seen = []
    with pytest.raises(ProviderError) as raised:
        seen.extend(ask(connect(provider, wire), model))
    assert raised.value.trouble is trouble
    if model in ("failing", "cut", "unfinished"):
        assert "".join(event.text for event in seen) == HELLO, "what came before is not lost"
    if model == "failing":
        assert raised.value.message == ERROR
        assert ERROR in raised.value.body
    if model == "moved":
        assert "169.254.169.254" in raised.value.message


@pytest.mark.parametrize("message", [{"role": "user", "content": [7]}, {"role": "assistant", "tool_calls": [7]}])
def test_messages_that_are_none_are_refused(provider, wire, message):
    if wire in ("chat", "azure") and "tool_calls" in message:
        return  # they are sent as they are, for the provider to judge
    assert failure(connect(provider, wire), "hello", messages=[message]).trouble is Trouble.CALL
    assert provider.requests == []


def test_silence_ends_after_a_while(provider, wire):
    limits = Limits(silence_seconds=0.3)
    assert failure(connect(provider, wire), "silent", limits=limits).trouble is Trouble.TIME_OUT
    assert provider.was_left.wait(10)


def test_an_answer_that_never_ends_ends(provider):
    limits = Limits(silence_seconds=5, total_seconds=0.4)
    assert failure(connect(provider), "hangs", limits=limits).trouble is Trouble.TIME_OUT


def test_stopping_while_the_provider_is_silent_closes_the_connection(provider, wire):
    stopped = threading.Event()
    events = ask(connect(provider, wire), "hangs", is_cancelled=stopped.is_set)
    assert next(events) == TextDelta(HELLO)
    stopped.set()
    with pytest.raises(Cancelled):
        next(events)
    assert provider.was_left.wait(10)


def test_dropping_the_answer_closes_the_connection(provider):
    events = ask(connect(provider), "hangs")
    assert next(events) == TextDelta(HELLO)
    events.close()
    assert provider.was_left.wait(10)


def test_nobody_there(provider, settings):
    settings.OUTGOING_ALLOWED = {"llm": ["localhost"], "webhook": []}
    assert failure(connect(provider, base_url="http://127.0.0.1:9999"), "x").trouble is Trouble.NO_CONNECTION
    assert failure(connect(provider, base_url="http://no-such-host.invalid"), "x").trouble is Trouble.HOST_NOT_FOUND
    assert failure(connect(provider, base_url=provider.url.replace("http", "https")), "x").trouble is Trouble.TLS


def test_private_addresses_are_refused(provider, settings):
    settings.OUTGOING_ALLOWED = {"llm": [], "webhook": [f"localhost:{provider.port}"]}
    error = failure(connect(provider), "hello")
    assert error.trouble is Trouble.ADDRESS_REFUSED
    assert "SPANWISE_OUTGOING_ALLOWED" in error.message
    assert provider.requests == []


@pytest.mark.parametrize("secret", ["sk-with\nbreak", "sk-ключ"])
def test_a_key_that_no_header_can_hold(provider, secret):
    error = failure(connect(provider, sealed_secret=seal(secret)), "hello")
    assert error.trouble is Trouble.SETUP
    assert secret not in error.message


def test_a_key_sealed_elsewhere_is_told(provider, settings):
    connection = connect(provider)
    settings.ENCRYPTION_KEY = "another"
    assert failure(connection, "hello").trouble is Trouble.SETUP


def test_machines_own_identity_needs_leave(provider):
    connection = connect(provider, "bedrock", sealed_secret=seal("__BEDROCK_DEFAULT_CREDENTIALS__"))
    error = failure(connection, "hello")
    assert error.trouble is Trouble.SETUP
    assert "SPANWISE_MACHINE_CREDENTIALS" in error.message


def test_viewers_and_other_projects(provider):
    with pytest.raises(Forbidden):
        ask(connect(provider), role=Role.VIEWER)
    with pytest.raises(NotFound):
        stream(ProjectScope("other", Role.MEMBER), connect(provider), Call("hello", []))
