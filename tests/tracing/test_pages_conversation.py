"""What clients of each provider really send, in both directions, and what must not be taken for a conversation."""

from __future__ import annotations

import json

import pytest

from tracing.views.conversation import (
    Data,
    Media,
    Message,
    Number,
    Refusal,
    Structured,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    read,
)

PIXEL = "iVBORw0KGgoAAAANSUhEUg=="
STORED = "@@@langfuseMedia:type=image/jpeg|id=abc|source=base64_data_uri@@@"

OPENAI = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]},  # noqa: E501
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}}]},  # noqa: E501
    {"role": "tool", "tool_call_id": "c1", "content": '{"hits": 2}'},
]  # fmt: skip


def _read(value, **options):
    return read(json.dumps(value), **options)


def _part(part):
    """A part in few words: what is said, and what it is if it is not plain text."""
    match part:
        case Text(text):
            return text
        case Structured(value):
            return {"json": value}
        case Thinking(text, is_redacted):
            return f"(thinks) {text}" if not is_redacted else "(thinks, withheld)"
        case Refusal(text):
            return f"(refuses) {text}"
        case ToolCall(name, arguments, id_):
            return f"{name}({json.dumps(arguments)}) #{id_}"
        case ToolResult(content, id_, name, is_error):
            return f"{'!' if is_error else ''}{name} -> {json.dumps(content)} #{id_}"
        case Media():
            place = part.media_id or part.address or part.data_uri[:24]
            return f"<{part.content_type} {part.name or ''}{place}>"
        case Data(value):
            return {"data": value}
    raise AssertionError(part)


def _told(content):
    assert content.kind == "messages", content
    return [(message.role, *(_part(part) for part in message.parts)) for message in content.messages]


FROM_PROVIDERS = {
    "openai-chat": (
        {"messages": OPENAI},
        "",
        [
            ("system", "Be brief."),
            ("user", "Look", f"<image/png data:image/png;base64,{PIXEL[:2]}>"),
            ("assistant", 'find({"q": 1}) #c1'),
            ("tool", 'find -> {"hits": 2} #c1'),
        ],
    ),
    "openai-chat-answer": (
        {"id": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": None, "refusal": "I can't.", "annotations": []}, "finish_reason": "stop"}]},  # noqa: E501
        "assistant",
        [("assistant", "(refuses) I can't.")],
    ),
    "openai-chat-audio": (
        [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}, {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}]}],  # noqa: E501
        "",
        [("user", "<audio/wav data:audio/wav;base64,Uk>", "<application/pdf a.pdfdata:application/pdf;bas>")],
    ),
    "openai-responses": (
        {"model": "m", "instructions": "Short.", "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_image", "image_url": "https://e.example/i.png", "detail": "low"}]}, {"type": "function_call_output", "call_id": "c9", "output": "done"}]},  # noqa: E501
        "",
        [("system", "Short."), ("user", "Hi", "< https://e.example/i.png>"), ("tool", ' -> "done" #c9')],
    ),
    "openai-responses-answer": (
        {"object": "response", "output": [
            {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "Think"}]},
            {"type": "web_search_call", "id": "w1", "status": "completed", "action": {"type": "search", "query": "x"}},
            {"type": "function_call", "id": "fc1", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "message", "id": "m1", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]},
        ]},
        "assistant",
        [
            ("assistant", "(thinks) Think"),
            ("assistant", 'web_search({"type": "search", "query": "x"}) #w1'),
            ("assistant", "f({}) #c1"),
            ("assistant", "Hello"),
        ],
    ),
    "anthropic": (
        {"system": [{"type": "text", "text": "Careful.", "cache_control": {"type": "ephemeral"}}], "messages": [
            {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}, {"type": "document", "title": "T", "source": {"type": "url", "url": "https://e.example/d.pdf"}}]},  # noqa: E501
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [{"type": "text", "text": "no"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}]}]},  # noqa: E501
        ]},
        "",
        [
            ("system", "Careful."),
            ("user", f"<image/png data:image/png;base64,{PIXEL[:2]}>", "< Thttps://e.example/d.pdf>"),
            ("user", '! -> "no" #t1', f"<image/png data:image/png;base64,{PIXEL[:2]}>"),
        ],
    ),
    "anthropic-answer": (
        {"id": "msg", "type": "message", "role": "assistant", "stop_reason": "tool_use", "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "text", "text": "Yes", "citations": [{"cited_text": "c"}]},
            {"type": "tool_use", "id": "t1", "name": "find", "input": {"q": 1}},
            {"type": "server_tool_use", "id": "t2", "name": "web_search", "input": {"query": "y"}},
            {"type": "web_search_tool_result", "tool_use_id": "t2", "content": [{"type": "web_search_result", "url": "u"}]},  # noqa: E501
        ]},
        "assistant",
        [(
            "assistant", "(thinks) Hm.", "(thinks, withheld)", "Yes", 'find({"q": 1}) #t1', 'web_search({"query": "y"}) #t2',  # noqa: E501
            'web_search -> [{"type": "web_search_result", "url": "u"}] #t2',
        )],
    ),
    "gemini": (
        {"systemInstruction": {"parts": [{"text": "Short."}]}, "contents": [
            {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": PIXEL}}, {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/v.mp4"}}]},  # noqa: E501
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": 2}}}]},
            {"parts": [{"text": "again"}]},
        ]},
        "",
        [
            ("system", "Short."),
            ("user", "Hi", f"<image/png data:image/png;base64,{PIXEL[:2]}>", "<video/mp4 gs://b/v.mp4>"),
            ("assistant", 'f({"a": 1}) #'),
            ("user", 'f -> {"r": 2} #'),
            ("user", "again"),
        ],
    ),
    "gemini-answer": (
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hm", "thought": True}, {"text": "Hi"}]}, "finishReason": "STOP"}], "usageMetadata": {"x": 1}},  # noqa: E501
        "assistant",
        [("assistant", "(thinks) Hm", "Hi")],
    ),
    "bedrock-converse": (
        {"modelId": "m", "system": [{"text": "Short."}], "messages": [
            {"role": "user", "content": [{"text": "Hi"}, {"image": {"format": "png", "source": {"bytes": PIXEL}}}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "b1", "name": "f", "input": {"a": 1}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "b1", "content": [{"json": {"r": 2}}], "status": "success"}}]},  # noqa: E501
        ]},
        "",
        [
            ("system", "Short."),
            ("user", "Hi", f"<image/png data:image/png;base64,{PIXEL[:2]}>"),
            ("assistant", 'f({"a": 1}) #b1'),
            ("user", 'f -> {"r": 2} #b1'),
        ],
    ),
    "bedrock-converse-answer": (
        {"output": {"message": {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "s"}}}, {"text": "Hi"}]}}, "stopReason": "end_turn"},  # noqa: E501
        "assistant",
        [("assistant", "(thinks) Hm", "Hi")],
    ),
    "langchain": (
        {"messages": [[
            {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "SystemMessage"], "kwargs": {"content": "S", "type": "system"}},  # noqa: E501
            {"type": "human", "content": "Hi"},
            {"type": "ai", "content": "", "additional_kwargs": {"tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]}, "tool_calls": [{"name": "f", "args": {}, "id": "c1", "type": "tool_call"}]},  # noqa: E501
            {"type": "tool", "content": "x", "tool_call_id": "c1", "name": "f", "status": "success"},
        ]]},
        "",
        [("system", "S"), ("user", "Hi"), ("assistant", "f({}) #c1"), ("tool", 'f -> "x" #c1')],
    ),
    "langchain-answer": (
        {"generations": [[{"text": "Hello", "type": "ChatGeneration", "message": {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"], "kwargs": {"content": "Hello", "response_metadata": {"m": 1}}}}]], "llm_output": {"t": 1}},  # noqa: E501
        "assistant",
        [("assistant", "Hello")],
    ),
    "llama-index": (
        {"messages": [{"role": "user", "additional_kwargs": {}, "blocks": [{"block_type": "text", "text": "Hi"}, {"block_type": "image", "image": PIXEL, "image_mimetype": "image/png"}]}]},  # noqa: E501
        "",
        [("user", "Hi", f"<image/png data:image/png;base64,{PIXEL[:2]}>")],
    ),
    "llama-index-answer": (
        {"message": {"role": "assistant", "blocks": [{"block_type": "text", "text": "Hello"}]}, "raw": {"x": 1}},
        "assistant",
        [("assistant", "Hello")],
    ),
    "ai-sdk": (
        {"system": "S", "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "file", "mediaType": "application/pdf", "data": "JVBERi0=", "filename": "a.pdf"}]},  # noqa: E501
            {"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "k1", "toolName": "f", "input": {"a": 1}}]},  # noqa: E501
            {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "k1", "toolName": "f", "output": {"type": "json", "value": {"r": 2}}}]},  # noqa: E501
            {"role": "assistant", "parts": [{"type": "tool-weather", "toolCallId": "k2", "state": "output-available", "input": {"c": "B"}, "output": "sun"}]},  # noqa: E501
        ]},
        "",
        [
            ("system", "S"),
            ("user", "Hi", "<application/pdf a.pdfdata:application/pdf;bas>"),
            ("assistant", 'f({"a": 1}) #k1'),
            ("tool", 'f -> {"r": 2} #k1'),
            ("assistant", 'weather({"c": "B"}) #k2', 'weather -> "sun" #k2'),
        ],
    ),
    "ai-sdk-answer": (
        {"role": "assistant", "content": "On it.", "tool_calls": '[{"toolCallId": "k1", "toolName": "f", "args": {"a": 1}}]'},  # noqa: E501
        "assistant",
        [("assistant", "On it.", 'f({"a": 1}) #k1')],
    ),
    "otel-parts": (
        [
            {"role": "system", "parts": [{"type": "text", "content": "S"}]},
            {"role": "user", "parts": [{"type": "text", "content": "Hi"}, {"type": "uri", "modality": "image", "mime_type": "image/png", "uri": "https://e.example/i.png"}, {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PIXEL}]},  # noqa: E501
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": {"a": 1}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": {"r": 2}}]},
        ],
        "",
        [
            ("system", "S"),
            ("user", "Hi", "<image/png https://e.example/i.png>", f"<image/png data:image/png;base64,{PIXEL[:2]}>"),
            ("assistant", 'f({"a": 1}) #c1'),
            ("tool", 'f -> {"r": 2} #c1'),
        ],
    ),
    "otel-parts-answer": (
        [{"role": "assistant", "finish_reason": "stop", "parts": [{"type": "reasoning", "content": "Hm"}, {"type": "text", "content": "Hi"}]}],  # noqa: E501
        "assistant",
        [("assistant", "(thinks) Hm", "Hi")],
    ),
    "otel-choice-event": (
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}},
        "assistant",
        [("assistant", "Hi")],
    ),
    "ollama": (
        {"model": "m", "messages": [{"role": "user", "content": "Hi", "images": [PIXEL]}]},
        "",
        [("user", "Hi", f"<image/png data:image/png;base64,{PIXEL[:2]}>")],
    ),
    "ollama-answer": (
        {"model": "m", "message": {"role": "assistant", "content": "Hi", "thinking": "Hm", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}, "done": True},  # noqa: E501
        "assistant",
        [("assistant", "(thinks) Hm", "Hi", 'f({"a": 1}) #')],
    ),
    "mistral": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": "https://e.example/i.png"}]}]},
        "",
        [("user", "Hi", "< https://e.example/i.png>")],
    ),
    "mistral-answer": (
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, {"type": "text", "text": "Hi"}], "prefix": False}}]},  # noqa: E501
        "assistant",
        [("assistant", "(thinks) Hm", "Hi")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FROM_PROVIDERS)
def test_each_providers_messages_are_read(name):
    value, role, expected = FROM_PROVIDERS[name]
    assert _told(_read(value, default_role=role)) == expected


@pytest.mark.parametrize("name", FROM_PROVIDERS)
def test_nothing_that_was_sent_is_dropped(name):
    """Each text of the original is in a part, in the rest of its message or beside the messages."""
    value, role, _ = FROM_PROVIDERS[name]
    content = _read(value, default_role=role)
    kept = repr((content.messages, content.rest)).replace("\\\\", "\\")
    said = {"type", "text", "assistant", "user", "model"}
    for text in _texts(value):
        if text not in said and not text.startswith(("{", "[")):
            assert repr(text)[1:-1] in kept or text in _IMPLIED, text


#: words of the shapes themselves, and what only the provider can read
_IMPLIED = {
    "function", "image_url", "human", "ai", "tool", "system", "input_audio", "wav", "file", "input_text", "input_image",
    "function_call_output", "function_call", "reasoning", "summary_text", "web_search_call", "message", "output_text",
    "base64", "url", "image", "document", "tool_result", "thinking", "redacted_thinking", "tool_use", "xyz", "sig",
    "server_tool_use", "web_search_tool_result", "success", "s", "png", "constructor", "langchain", "schema",
    "messages", "SystemMessage", "AIMessage", "tool_call", "ChatGeneration", "tool-call", "tool-result", "json",
    "tool-weather", "output-available", "uri", "blob", "tool_call_response", "fc1", "r1",
}  # fmt: skip


def _texts(value):
    if isinstance(value, dict):
        for entry in value.values():
            yield from _texts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, str):
        yield value


def test_what_stands_beside_is_kept():
    answer = FROM_PROVIDERS["anthropic-answer"][0]
    rest = _read(answer, default_role="assistant").messages[0].rest
    assert rest["stop_reason"] == "tool_use"
    assert rest["content[2]"] == {"citations": [{"cited_text": "c"}]}
    assert _read({"messages": OPENAI, "tools": [1], "temperature": 0}).rest == {"tools": [1], "temperature": 0}


def test_calls_asked_for_at_once_are_numbered_and_know_their_results():
    calls = [{"id": f"c{n}", "function": {"name": f"f{n}", "arguments": "{}"}} for n in (1, 2)]
    value = [{"role": "assistant", "tool_calls": calls}, {"role": "tool", "tool_call_id": "c2", "content": "x"}]
    asked, told = _read(value).messages
    assert [(call.number, call.is_answered) for call in asked.parts] == [(1, False), (2, True)]
    assert (told.parts[0].name, told.parts[0].is_asked) == ("f2", True)
    lone = _read([{"role": "assistant", "tool_calls": calls[:1]}]).messages[0].parts[0]
    assert (lone.number, lone.is_answered) == (0, False)


def test_chat_marks_in_a_text_are_roles():
    text = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi\nthere<|im_end|>\n<|im_start|>assistant\n"
    assert _told(read(text)) == [("system", "Be brief."), ("user", "Hi\nthere")]
    llama = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
    assert _told(read(llama)) == [("user", "Hi")]
    for other in ("about <|im_start|> marks", "<|im_start|>user\nHi<|im_end|> and more", "<|im_start|>"):
        assert read(other).kind == "text"


def test_an_answer_in_json_is_shown_as_json():
    content = _read({"role": "assistant", "content": '{"name": "Ada", "age": 36}'})
    assert content.messages[0].parts == (Structured({"name": "Ada", "age": 36}, '{"name": "Ada", "age": 36}'),)
    assert _read({"role": "assistant", "content": "{not json"}).messages[0].parts == (Text("{not json"),)


def test_output_without_role_is_the_models():
    content = _read({"content": "Hi", "tool_calls": []}, default_role="assistant")
    assert content.messages == (Message("assistant", (Text("Hi"),)),)


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1}, [1, 2], [], {}, {"messages": []}, {"messages": [1]}, {"role": 3, "content": "x"},
        {"input": [{"x": 1}]},
        # People of an application have roles as well.
        {"role": "admin", "content": "x"}, [{"role": "admin", "text": "x"}, {"role": "editor", "text": "y"}],
        {"output": {"rows": 3}}, {"choices": [{"label": "a"}]}, {"message": "no"}, {"generations": [1]},
        {"type": "image", "url": "x"}, [{"type": "phone_call", "minutes": 3}], {"text": "a", "score": 1},
    ],
)  # fmt: skip
def test_other_data_stays_data(value):
    content = _read(value)
    assert (content.kind, content.value) == ("data", value)


@pytest.mark.parametrize("raw", ["hello", "42", "true", "{not json", "[1, 2", "null", '["\\ud800"]', "[" * 20_000])
def test_text_stays_as_sent(raw):
    assert (read(raw).kind, read(raw).text) == ("text", raw)


def test_numbers_keep_the_digits_they_were_sent_in():
    raw = "[123456789012345678901234567890, 1.10, 1e400, 12, 0.5, NaN, 1e3]"
    value = read(raw).value
    assert [str(number) for number in value] == [
        "123456789012345678901234567890", "1.10", "1e400", "12", "0.5", "NaN", "1e3",
    ]  # fmt: skip
    assert isinstance(value[0], Number)
    assert value[3] == 12


def test_unknown_blocks_are_kept():
    assert _read([{"role": "user", "content": [{"type": "novelty", "x": 1}, 7]}]).messages[0].parts == (
        Data({"type": "novelty", "x": 1}),
        Data(7),
    )


def test_stored_files_are_shown_where_they_stand_in_a_text():
    parts = _read([{"role": "user", "content": f"before {STORED} after"}]).messages[0].parts
    assert parts == (Text("before "), Media(content_type="image/jpeg", media_id="abc"), Text(" after"))
    blocks = [{"type": "image_url", "image_url": {"url": STORED}}]
    assert _read([{"role": "user", "content": blocks}]).messages[0].parts == (parts[1],)
    assert read(f"see {STORED}").media == (parts[1],)
    assert _read({"picture": STORED}).files == [parts[1]]


@pytest.mark.parametrize("uri", ["data:text/html,<script>", "javascript:alert(1)", "data:image/svg+xml,<svg/>", "x"])
def test_dubious_addresses_are_no_pictures(uri):
    blocks = [{"type": "image_url", "image_url": {"url": uri}}]
    parts = _read([{"role": "user", "content": blocks}]).messages[0].parts
    assert all(not part.address for part in parts if isinstance(part, Media))
    assert all(part.data_uri.startswith("data:image/") for part in parts if isinstance(part, Media))
    assert uri in repr(parts)
