"""One block of a message's content, in whichever of the clients' shapes it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tracing.views.conversation.fields import Fields
from tracing.views.conversation.media import from_base64, media_of, read_source, text_and_media
from tracing.views.conversation.parts import Data, Media, Part, Refusal, Thinking, ToolCall, ToolResult
from tracing.views.conversation.values import parse, text_of

Reader = Callable[[Fields], list[Part]]

_ARGUMENTS = ("arguments", "args", "input", "parameters", "action", "code", "queries", "partial_json")
_CALL_IDS = ("call_id", "toolCallId", "toolUseId", "tool_call_id", "tool_use_id", "id", "tool_id")
_TYPE_KEYS = ("mediaType", "mimeType", "image_mimetype")
_RESULTS = ("content", "output", "result", "response", "results", "outputs")


def read_parts(content: Any, rest: dict[str, Any]) -> Iterator[Part]:
    """Parts of a message's content; what a block says beyond its part goes into `rest`."""
    if content is None or content == "":
        return
    blocks = content if isinstance(content, list) else [content]
    for index, block in enumerate(blocks):
        parts, left = read_block(block)
        yield from parts
        if left:
            rest[f"content[{index}]" if len(blocks) > 1 else "content"] = left


def read_block(block: Any) -> tuple[list[Part], dict[str, Any]]:
    """Its parts, and the fields that they do not show."""
    if isinstance(block, str):
        return text_and_media(block), {}
    if not isinstance(block, dict):
        return [Data(block)], {}
    fields = Fields(block)
    kind = str(block.get("type") or block.get("block_type") or block.get("kind") or "")
    read = _BLOCKS.get(kind) or _by_ending(kind)
    parts = read(fields) if read else []
    if not parts:
        fields = Fields(block)
        parts = _by_keys(fields)
    if not parts:
        return [Data(block)], {}
    fields.skip("type", "block_type", "kind", "object")
    return parts, fields.left()


def read_call(call: dict[str, Any]) -> ToolCall:
    return _call_of(Fields(call))


def _call_of(fields: Fields) -> ToolCall:
    wrapped = fields.inner("tool_call")  # as OpenInference names it
    fields = wrapped or fields
    function = fields.inner("function", "custom") or fields
    arguments = function.take(*_ARGUMENTS)
    name = text_of(function.take("name") or fields.take("toolName", "tool_name"))
    call_id = text_of(fields.take(*_CALL_IDS))
    fields.skip("type", "index", *_CALL_IDS)
    # Where the object says that there are none, there are none; where it is silent, nothing is known.
    if arguments is None:
        arguments = next((function.content[key] for key in _ARGUMENTS if key in function.content), None)
        arguments = None if arguments == "" else arguments
    arguments = parse(arguments) if isinstance(arguments, str) else arguments
    return ToolCall(name, arguments, call_id, signature=_signature(fields))


# --- Readers of one shape each ---------------------------------------------------------------------------
def _text(fields: Fields) -> list[Part]:
    return text_and_media(fields.take_text("text", "content", "value"))


def _refusal(fields: Fields) -> list[Part]:
    text = fields.take_text("refusal", "text", "content")
    return [Refusal(text)] if text else []


def _thinking(fields: Fields) -> list[Part]:
    if fields.peek("type") == "redacted_thinking":
        fields.skip("data")
        return [Thinking("", is_redacted=True, signature=text_of(fields.peek("data")))]
    signature = text_of(fields.peek("signature"))
    text = fields.take_text("thinking", "text", "reasoning", "content")
    if text:
        return [Thinking(text, signature=signature)]
    for key in ("summary", "thinking", "content"):
        texts = [part["text"] for part in fields.take_list(key) if _has_text(part)]
        if texts:
            return [Thinking("\n\n".join(texts), signature=signature)]
    if "summary" in fields or "encrypted_content" in fields:
        fields.skip("summary", "encrypted_content", "id")
        return [Thinking("", is_redacted=True)]
    return []


def _has_text(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _call(fields: Fields) -> list[Part]:
    call = _call_of(fields)
    return [call] if call.name else []


def _named_call(fields: Fields) -> list[Part]:
    """A built-in tool of a provider, whose name is its type: `web_search_call`."""
    call = _call_of(fields)
    own = call.name or str(fields.content.get("type", "")).removesuffix("_call")
    return [ToolCall(own, call.arguments, call.id), *_own_result(fields, call.id, own)]


def _own_result(fields: Fields, call_id: str, name: str) -> list[Part]:
    """Some calls bring their result along (AI SDK's tool parts, OpenAI's own tools)."""
    content = fields.take("output", "result", "results", "outputs", "errorText", "error")
    if content is None:
        return []
    is_error = "errorText" in fields or "error" in fields
    return [ToolResult(_plain(content), call_id, name, is_error)]


def _ui_tool(fields: Fields) -> list[Part]:
    """A part of the AI SDK's UI messages: `tool-<name>` with input and, in time, output."""
    kind = str(fields.content.get("type", ""))
    name = fields.take_text("toolName") or kind.removeprefix("tool-")
    call_id = text_of(fields.take("toolCallId"))
    call = ToolCall(name, fields.take("input", "args"), call_id)
    fields.skip("state")
    return [call, *_own_result(fields, call_id, name)]


def _result(fields: Fields) -> list[Part]:
    content = fields.take(*_RESULTS)
    call_id = text_of(fields.take("tool_use_id", "toolUseId", "call_id", "toolCallId", "tool_call_id", "id"))
    is_error = any(fields.take(key) is True for key in ("is_error", "isError"))
    if fields.peek("status") in ("error", "success"):
        is_error = fields.take("status") == "error" or is_error
    # The AI SDK's fifth version wraps the output in its type.
    if isinstance(content, dict) and content.keys() == {"type", "value"}:
        is_error = is_error or str(content["type"]).startswith("error")
        content = content["value"]
    name = text_of(fields.take("toolName", "name", "tool_name"))
    return result_parts(content, call_id, name, is_error)


def result_parts(content: Any, call_id: str, name: str, is_error: bool = False) -> list[Part]:
    """A result, and after it the files that came with it."""
    files: list[Part] = []
    if isinstance(content, list):
        said: list[Any] = []
        for block in content:
            parts, _ = read_block(block)
            found = [part for part in parts if isinstance(part, Media)]
            files += found
            if not found:
                said.append(block)
        content = said if said or not files else None
    return [ToolResult(_plain(content), call_id, name, is_error), *files]


def _plain(content: Any) -> Any:
    """A result without the wrapping of text blocks around it."""
    if isinstance(content, str):
        return parse(content)
    if isinstance(content, list) and content and all(_is_plain_text(block) for block in content):
        return parse("\n".join(block["text"] for block in content))
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict) and "json" in content[0]:
        return content[0]["json"]  # Bedrock
    return content


def _is_plain_text(block: Any) -> bool:
    return _has_text(block) and block.keys() <= {"text", "type"} and block.get("type") in (None, "text", "output_text")


def _file(family: str) -> Reader:
    def read(fields: Fields) -> list[Part]:
        name = fields.take_text("filename", "title", "name")
        for key in ("image_url", "input_audio", "audio", "video_url", "file", "source", "image", "document", "video"):
            inner = fields.inner(key)
            value = fields.peek(key)
            found = None
            if inner is not None:
                # Bedrock names the format beside the source.
                if "format" in fields and "format" not in inner:
                    inner.content = {**inner.content, "format": fields.take("format")}
                found = read_source(inner, name, family)
            elif isinstance(value, str):
                kind = text_of(fields.peek(*_TYPE_KEYS))
                found = media_of(value, kind, name) or from_base64(value, kind or f"{family}/*", name)
                if found:
                    fields.take(key)
                    fields.skip(*_TYPE_KEYS)
            if found:
                return [found]
        found = read_source(fields, name, family)
        return [found] if found else []

    return read


def _by_keys(fields: Fields) -> list[Part]:
    """Gemini's and Bedrock's parts have no type: the key says what they are."""
    text = fields.peek("text")
    if isinstance(text, str):
        fields.take("text")
        signature = _signature(fields)
        return [Thinking(text, signature=signature)] if fields.take("thought") is True else text_and_media(text)
    for key, read in _KEYS.items():
        inner = fields.inner(key)
        if inner is not None:
            parts = read(inner)
            if parts:
                return [_signed(part, fields) for part in parts]
    return []


def _signature(fields: Fields) -> str:
    """Gemini's, as it names it and as others pass it on. It is shown with what else a part has, and so not taken."""
    extra = fields.peek("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    passed_on = google.get("thought_signature") if isinstance(google, dict) else None
    return text_of(fields.peek("thoughtSignature", "thought_signature") or passed_on)


def _signed(part: Part, fields: Fields) -> Part:
    """Gemini's parts have the signature beside the call."""
    signature = _signature(fields)
    return replace(part, signature=signature) if signature and isinstance(part, ToolCall) else part


def _reasoning_content(fields: Fields) -> list[Part]:
    text = fields.inner("reasoningText")
    if text is not None:
        signed = text_of(text.peek("signature"))
        text.skip("signature")
        return [replace(part, signature=signed) for part in _thinking(text) if isinstance(part, Thinking)]
    fields.skip("redactedContent")
    return [Thinking("", is_redacted=True)]


def _blob(fields: Fields) -> list[Part]:
    found = read_source(fields)
    return [found] if found else []


def _bedrock_file(family: str) -> Reader:
    def read(fields: Fields) -> list[Part]:
        source = fields.inner("source")
        if source is None:
            return []
        name = fields.take_text("name")
        source.content = {**source.content, "format": fields.take("format")}
        found = read_source(source, name, family)
        return [found] if found else []

    return read


_KEYS: dict[str, Reader] = {
    **dict.fromkeys(("functionCall", "function_call", "toolUse"), _call),
    **dict.fromkeys(("functionResponse", "function_response", "toolResult"), _result),
    **dict.fromkeys(("inlineData", "inline_data", "fileData", "file_data"), _blob),
    "reasoningContent": _reasoning_content,
    "image": _bedrock_file("image"),
    "document": _bedrock_file("application"),
    "video": _bedrock_file("video"),
    "audio": _bedrock_file("audio"),
}

_BLOCKS: dict[str, Reader] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "text_delta"), _text),
    "refusal": _refusal,
    **dict.fromkeys(("thinking", "redacted_thinking", "reasoning", "thinking_delta"), _thinking),
    **dict.fromkeys(("tool_use", "tool-call", "tool_call", "function_call", "function", "custom_tool_call"), _call),
    **dict.fromkeys(
        ("tool_result", "tool-result", "tool_call_response", "function_call_output", "tool_response"), _result
    ),
    **dict.fromkeys(("image_url", "input_image", "image"), _file("image")),
    **dict.fromkeys(("input_audio", "audio"), _file("audio")),
    **dict.fromkeys(("video_url", "video", "input_video"), _file("video")),
    **dict.fromkeys(("file", "input_file", "document", "media", "blob", "uri", "data-uri"), _file("")),
    "dynamic-tool": _ui_tool,
}


def _by_ending(kind: str) -> Reader | None:
    """Tools of the providers' own: `mcp_tool_use`, `web_search_tool_result`, `computer_call`, `tool-weather`."""
    if kind.startswith("tool-"):
        return _ui_tool
    if kind.endswith("_tool_use"):
        return _call
    if kind.endswith(("_tool_result", "_call_output")):
        return _result
    return _named_call if kind.endswith("_call") else None
