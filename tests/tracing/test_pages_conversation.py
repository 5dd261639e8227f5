from __future__ import annotations

import json

import pytest

from tracing.views.conversation import Data, Media, Message, Text, Thinking, ToolCall, ToolResult, read

OPENAI = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}]},  # noqa: E501
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}}]},  # noqa: E501
    {"role": "tool", "tool_call_id": "c1", "content": '{"hits": 2}'},
]  # fmt: skip


def _read(value, **options):
    return read(json.dumps(value), **options)


def test_openai_messages_in_a_list_or_under_a_key():
    for value in (OPENAI, {"messages": OPENAI, "tools": []}):
        content = _read(value)
        assert content.kind == "messages"
        assert [message.role for message in content.messages] == ["system", "user", "assistant", "tool"]
        assert content.messages[1].parts == (
            Text("Look"),
            Media(content_type="image/png", data_uri="data:image/png;base64,iVBO"),
        )
        assert content.messages[2].parts == (ToolCall("find", {"q": 1}, "c1"),)
        assert content.messages[3].parts == (ToolResult({"hits": 2}, "c1"),)
    assert _read({"messages": OPENAI, "tools": []}).rest == {"tools": []}


def test_anthropic_blocks_and_system_prompt():
    blocks = [
        {"type": "thinking", "thinking": "Hm."},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "text", "text": "Yes"},
        {"type": "tool_use", "id": "t1", "name": "find", "input": {"q": 1}},
    ]
    content = _read({"system": "Careful.", "messages": [{"role": "assistant", "content": blocks}]})
    assert content.messages[0] == Message("system", (Text("Careful."),))
    assert content.messages[1].parts == (
        Thinking("Hm."), Thinking("", is_redacted=True), Text("Yes"), ToolCall("find", {"q": 1}, "t1"),
    )  # fmt: skip


def test_anthropic_tool_result():
    block = {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [{"type": "text", "text": "no"}]}
    assert _read([{"role": "user", "content": [block]}]).messages[0].parts == (ToolResult("no", "t1", is_error=True),)


def test_gemini_parts():
    value = {
        "systemInstruction": {"parts": [{"text": "Short."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]},
        ],
    }
    messages = _read(value).messages
    assert [message.role for message in messages] == ["system", "user", "assistant"]
    assert messages[2].parts == (ToolCall("f", {"a": 1}),)


def test_openai_responses_items():
    value = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Think"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]},
    ]
    messages = _read(value).messages
    assert [message.parts[0] for message in messages] == [
        Thinking("Think"), ToolCall("f", {}, "c1"), ToolResult("done", "c1"), Text("Hi"),
    ]  # fmt: skip


def test_langchain_messages():
    value = {"messages": [[{"type": "human", "content": "Hi"}, {"type": "ai", "content": "Hello"}]]}
    assert [message.role for message in _read(value).messages] == ["user", "assistant"]


def test_output_with_choices():
    value = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]}
    assert _read(value).messages == (Message("assistant", (Text("Hi"),)),)


def test_output_without_role_is_the_models():
    content = _read({"content": "Hi", "tool_calls": []}, default_role="assistant")
    assert content.messages == (Message("assistant", (Text("Hi"),)),)


@pytest.mark.parametrize(
    "value",
    [{"a": 1}, [1, 2], [], {}, {"messages": []}, {"messages": [1]}, {"role": 3, "content": "x"}, {"input": [{"x": 1}]}],
)
def test_other_data_stays_data(value):
    content = _read(value)
    assert (content.kind, content.value) == ("data", value)


@pytest.mark.parametrize("raw", ["hello", "42", "true", "{not json", "[1, 2", "null"])
def test_text_stays_as_sent(raw):
    assert (read(raw).kind, read(raw).text) == ("text", raw)


def test_unknown_blocks_are_kept():
    assert _read([{"role": "user", "content": [{"type": "novelty", "x": 1}, 7]}]).messages[0].parts == (
        Data({"type": "novelty", "x": 1}),
        Data(7),
    )


def test_remote_files_are_addresses_and_stored_ones_are_media():
    reference = "@@@langfuseMedia:type=image/jpeg|id=abc|source=base64_data_uri@@@"
    blocks = [
        {"type": "image_url", "image_url": {"url": "https://elsewhere.example/cat.png"}},
        {"type": "image_url", "image_url": {"url": reference}},
    ]
    parts = _read([{"role": "user", "content": blocks}]).messages[0].parts
    assert parts[0].address.startswith("https://")
    assert not parts[0].data_uri
    assert parts[1] == Media(content_type="image/jpeg", media_id="abc")
    assert read(f"see {reference}").media == (Media(content_type="image/jpeg", media_id="abc"),)


@pytest.mark.parametrize("uri", ["data:text/html,<script>", "javascript:alert(1)", "data:image/svg+xml,<svg/>"])
def test_dubious_addresses_are_no_pictures(uri):
    parts = _read([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": uri}}]}]).messages[0].parts
    assert all(not isinstance(part, Media) or not part.data_uri for part in parts)
