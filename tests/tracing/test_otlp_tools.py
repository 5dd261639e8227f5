import json

import pytest

from tests.tracing.otlp_requests import decode_one
from tracing.ingest.otlp.tools import calls, definitions

ADD = {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}


@pytest.mark.parametrize(
    "given",
    [
        {"tools": [ADD]},
        {"tools": [{"type": "function", "function": ADD}]},
        {"tools": [{"name": "add", "desc": "Adds.", "inputSchema": {"type": "object"}}]},
        {"tools": [{"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}]},
        {"tools": [{"name": "add", "description": "Adds.", "parameters_json_schema": {"type": "object"}}, ADD]},
        {"messages": [{"role": "user", "tools": [ADD]}]},
        [{"role": "user", "tools": [ADD]}],
        [{"role": "tool", "content": {"type": "function", "function": ADD}}],
    ],
)
def test_definitions(given):
    assert {name: json.loads(text) for name, text in definitions(json.dumps(given)).items()} == {"add": ADD}


@pytest.mark.parametrize(
    "given", ["", '"tools"', '{"tools": "x"}', '{"tools": [1, {"name": 5}, {}]}', '{"tools', "[[]]"]
)
def test_what_defines_no_tool(given):
    assert definitions(given) == {}


ARGUMENTS = '{"a":1}'


@pytest.mark.parametrize(
    "output",
    [
        {"id": "c1", "name": "add", "arguments": ARGUMENTS},
        [{"id": "c1", "name": "add", "arguments": ARGUMENTS}],
        {"tool_calls": [{"id": "c1", "type": "", "function": {"name": "add", "arguments": ARGUMENTS}}]},
        {"tool_calls": json.dumps([{"id": "c1", "function": {"name": "add", "arguments": ARGUMENTS}}])},
        {"toolCalls": [{"toolCallId": "c1", "toolName": "add", "args": {"a": 1}}]},
        {
            "choices": [
                {"message": {"tool_calls": [{"call_id": "c1", "id": "x", "name": "add", "arguments": ARGUMENTS}]}}
            ]
        },
        {"additional_kwargs": {"tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": ARGUMENTS}}]}},
        [{"tool_calls": [{"id": "c1", "name": "add", "arguments": ARGUMENTS}] * 2}],
    ],
)
def test_calls(output):
    expected = {"id": "c1", "name": "add", "arguments": ARGUMENTS, "type": "", "index": 0}
    assert calls(json.dumps(output)) == [expected]


@pytest.mark.parametrize("kind", ["tool_use", "tool-call"])
def test_calls_among_content_parts(kind):
    part = {"type": kind, "id": "c1", "name": "add", "input": {"a": 1}}
    (call,) = calls(json.dumps({"role": "assistant", "content": [{"type": "text", "text": "tool"}, part]}))
    assert (call["id"], call["name"], call["arguments"], call["type"]) == ("c1", "add", ARGUMENTS, kind)


@pytest.mark.parametrize(
    "output",
    ["", "tool", "[1]", '{"tool', '{"name": "x", "input": 1}', '{"tool_calls": 5}', '[{"tool_calls": [1, null, {}]}]',
     json.dumps({"tools": [{"type": "function", "function": ADD}], "tool_calls": []})],
)  # fmt: skip
def test_what_calls_no_tool(output):
    assert calls(output) == []


def test_tools_join_the_input():
    def given(text, tool='{"name":"add"}'):
        return json.loads(decode_one({"input": text, "gen_ai.tool.definitions": f"[{tool}]"}).input)

    add = {"name": "add"}
    assert given('[{"role":"user"}]') == {"messages": [{"role": "user"}], "tools": [add]}
    assert given('{"a":1}') == {"a": 1, "tools": [add]}
    assert given('{"tools":[{"name":"add","own":1},{"name":"sub"}]}') == {
        "tools": [{"name": "add", "own": 1}, {"name": "sub"}]
    }
    assert given("plain") == {"prompt": "plain", "tools": [add]}


def test_tools_without_input():
    observation = decode_one({"ai.prompt.tools": ['{"name":"add"}']})
    assert json.loads(observation.input) == {"tools": [{"name": "add"}]}
    assert "attributes.ai.prompt.tools" not in observation.metadata


def test_definitions_that_cannot_be_parsed_stay_metadata():
    observation = decode_one({"gen_ai.tool.definitions": "not json"})
    assert observation.input == ""
    assert observation.metadata["attributes.gen_ai.tool.definitions"] == "not json"
