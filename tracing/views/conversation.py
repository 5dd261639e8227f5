"""Reads a traced input or output as what it is: a conversation, a text, or other data.

Every client writes messages its own way (OpenAI chat and responses, Anthropic blocks, Gemini parts, LangChain
messages, OpenTelemetry parts, Vercel AI SDK). All become `Message`s of `Part`s. What is not recognised for sure is
shown as data: nothing is guessed away, nothing is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

_ROLES = {
    "human": "user", "ai": "assistant", "model": "assistant", "AIMessageChunk": "assistant", "developer": "developer",
    "function": "tool", "ipython": "tool",
}  # fmt: skip
_KNOWN_ROLES = {"system", "user", "assistant", "tool", *_ROLES}
_MEDIA = re.compile(r"@@@langfuseMedia:(?P<fields>[^@]{1,500})@@@")
_DATA_URI = re.compile(r"data:(?P<type>[a-z]+/[a-z0-9.+-]+);base64,[A-Za-z0-9+/=_-]+\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Thinking:
    text: str
    is_redacted: bool = False
    kind: str = "thinking"


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: Any
    id: str = ""
    kind: str = "call"


@dataclass(frozen=True, slots=True)
class ToolResult:
    content: Any
    id: str = ""
    name: str = ""
    is_error: bool = False
    kind: str = "result"


@dataclass(frozen=True, slots=True)
class Media:
    """A file: stored here (`media_id`), inline (`data_uri`), or elsewhere (`address`, which is never loaded)."""

    content_type: str = ""
    media_id: str = ""
    data_uri: str = ""
    address: str = ""
    kind: str = "media"

    @property
    def family(self) -> str:
        return self.content_type.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Data:
    """Something of no known shape."""

    value: Any
    kind: str = "data"


Part = Text | Thinking | ToolCall | ToolResult | Media | Data


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    parts: tuple[Part, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """`kind` is messages, text, data or empty; `rest` holds fields beside the messages."""

    kind: str
    raw: str
    messages: tuple[Message, ...] = ()
    text: str = ""
    value: Any = None
    rest: dict[str, Any] = field(default_factory=dict)
    media: tuple[Media, ...] = ()


def read(raw: str, *, default_role: str = "") -> Content:
    """`default_role` is what a single message without a role must be: the model's, in an output."""
    if not raw:
        return Content("empty", raw)
    value = parse(raw)
    if isinstance(value, str):
        return Content("text", raw, text=value, media=tuple(media_in(value)))
    messages, rest = _conversation(value, default_role)
    if messages:
        return Content("messages", raw, messages, value=value, rest=rest)
    return Content("data", raw, value=value, media=tuple(media_in(raw)))


def parse(raw: str) -> Any:
    """JSON where it is an object or an array; a lone number or word stays the text that was sent."""
    text = raw.lstrip()
    if text[:1] not in '{["':
        return raw
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw


def media_in(text: str) -> Iterator[Media]:
    """References that SDKs and ingestion leave where a file was: type, id and source."""
    for match in _MEDIA.finditer(text):
        fields = dict(part.partition("=")[::2] for part in match["fields"].split("|"))
        if fields.get("id"):
            yield Media(content_type=fields.get("type", ""), media_id=fields["id"])


# --- Finding the messages --------------------------------------------------------------------------------
def _conversation(value: Any, default_role: str) -> tuple[tuple[Message, ...], dict[str, Any]]:
    if isinstance(value, list):
        return _messages(value), {}
    if not isinstance(value, dict):
        return (), {}
    for key in ("messages", "input", "contents", "output", "choices", "candidates"):
        if isinstance(value.get(key), list):
            found = _messages([_unwrap(item) for item in value[key]])
            if found:
                rest = {k: v for k, v in value.items() if k != key}
                return _with_instructions(found, rest)
    if _is_message(value) or (default_role and _looks_answered(value)):
        return (_message(value, default_role),), {}
    return (), {}


def _unwrap(item: Any) -> Any:
    """The message inside an OpenAI choice or a Gemini candidate."""
    if isinstance(item, dict):
        for key in ("message", "content"):
            if isinstance(item.get(key), dict) and (
                "index" in item or "finish_reason" in item or "finishReason" in item
            ):
                return item[key]
    return item


def _with_instructions(
    messages: tuple[Message, ...], rest: dict[str, Any]
) -> tuple[tuple[Message, ...], dict[str, Any]]:
    """System prompts that stand beside the messages (Anthropic, Gemini, OpenAI responses) come first."""
    for key in ("system", "instructions", "systemInstruction", "system_instruction"):
        prompt = rest.get(key)
        if isinstance(prompt, dict):
            prompt = prompt.get("parts")
        if isinstance(prompt, str | list) and prompt:
            rest = {k: v for k, v in rest.items() if k != key}
            return (Message("system", tuple(_parts(prompt))), *messages), rest
    return messages, rest


def _messages(items: list[Any]) -> tuple[Message, ...]:
    flat = [inner for item in items for inner in (item if isinstance(item, list) else [item])]
    if flat and all(_is_message(item) or _is_item(item) for item in flat):
        return tuple(_message(item, "") for item in flat)
    return ()


_ITEM_TYPES = {"function_call", "function_call_output", "reasoning", "message"}


def _is_item(item: Any) -> bool:
    """An entry of the OpenAI responses API, which has a type in place of a role."""
    return isinstance(item, dict) and item.get("type") in _ITEM_TYPES


def _is_message(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    if isinstance(item.get("role"), str):
        return bool(item.keys() & {"content", "parts", "tool_calls", "text", "function_call", "refusal", "audio"})
    return item.get("type") in ("human", "ai", "system", "tool", "AIMessageChunk") and "content" in item


def _looks_answered(value: dict[str, Any]) -> bool:
    return "content" in value and isinstance(value["content"], str | list) and "tool_calls" in value


# --- One message -----------------------------------------------------------------------------------------
def _message(item: dict[str, Any], default_role: str) -> Message:
    if item.get("type") in _ITEM_TYPES - {"message"} and "role" not in item:
        part = _block(item)
        return Message("tool" if isinstance(part, ToolResult) else "assistant", (part,))
    kind = item.get("role") or item.get("type") or default_role
    role = _ROLES.get(str(kind), str(kind))
    parts = [*_reasoning(item), *_parts(item.get("content", item.get("parts", item.get("text")))), *_calls(item)]
    if isinstance(item.get("refusal"), str):
        parts.append(Text(item["refusal"]))
    if role == "tool" and parts and not any(isinstance(part, ToolResult) for part in parts):
        content = parse(parts[0].text) if len(parts) == 1 and isinstance(parts[0], Text) else item.get("content")
        parts = [ToolResult(content, _text(item.get("tool_call_id")), _text(item.get("name")))]
    return Message(role, tuple(parts), _text(item.get("name")) if role != "tool" else "")


def _reasoning(item: dict[str, Any]) -> Iterator[Part]:
    for key in ("reasoning_content", "reasoning", "thinking"):
        if isinstance(item.get(key), str) and item[key]:
            yield Thinking(item[key])
            return


def _parts(content: Any) -> Iterator[Part]:
    if content is None or content == "":
        return
    if isinstance(content, str):
        yield Text(content)
    elif isinstance(content, list):
        yield from (_block(block) for block in content)
    elif isinstance(content, dict):
        yield _block(content)
    else:
        yield Data(content)


def _calls(item: dict[str, Any]) -> Iterator[Part]:
    extra = item.get("additional_kwargs")
    calls = item.get("tool_calls") or (extra.get("tool_calls") if isinstance(extra, dict) else None) or []
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict):
            yield read_call(call)
    if isinstance(item.get("function_call"), dict):
        yield read_call(item["function_call"])


def read_call(call: dict[str, Any]) -> ToolCall:
    inner = call.get("function")
    function: dict[str, Any] = inner if isinstance(inner, dict) else call
    arguments = next((function[key] for key in ("arguments", "args", "input") if key in function), None)
    name = function.get("name") or call.get("toolName")
    call_id = call.get("id") or call.get("call_id") or call.get("toolCallId")
    return ToolCall(_text(name), parse(arguments) if isinstance(arguments, str) else arguments, _text(call_id))


def _block(block: Any) -> Part:
    if isinstance(block, str):
        return Text(block)
    if not isinstance(block, dict):
        return Data(block)
    read_block = _BLOCKS.get(str(block.get("type", "")))
    return (read_block(block) if read_block else None) or _by_keys(block) or Data(block)


def _by_keys(block: dict[str, Any]) -> Part | None:
    """Gemini parts have no type: the key says what they are."""
    if isinstance(block.get("text"), str):
        return Thinking(block["text"]) if block.get("thought") is True else Text(block["text"])
    for key in ("functionCall", "function_call"):
        if isinstance(block.get(key), dict):
            return read_call(block[key])
    for key in ("functionResponse", "function_response"):
        if isinstance(block.get(key), dict):
            return ToolResult(block[key].get("response"), name=_text(block[key].get("name")))
    for key in ("inlineData", "inline_data"):
        if isinstance(block.get(key), dict):
            return _from_base64(block[key], "data")
    return None


def _text_block(block: dict[str, Any]) -> Part | None:
    text = block.get("text", block.get("content"))
    return Text(text) if isinstance(text, str) else None


def _thinking(block: dict[str, Any]) -> Part | None:
    if block.get("type") == "redacted_thinking":
        return Thinking("", is_redacted=True)
    for key in ("thinking", "text", "reasoning", "content"):
        if isinstance(block.get(key), str):
            return Thinking(block[key])
    summary = block.get("summary")
    if isinstance(summary, list):
        texts = [part["text"] for part in summary if isinstance(part, dict) and isinstance(part.get("text"), str)]
        return Thinking("\n\n".join(texts), is_redacted=not texts)
    return None


def _result(block: dict[str, Any]) -> Part:
    content = next((block[key] for key in ("content", "output", "result", "response") if key in block), None)
    if isinstance(content, str):
        content = parse(content)
    if isinstance(content, list) and all(isinstance(c, dict) and isinstance(c.get("text"), str) for c in content):
        content = parse("\n".join(c["text"] for c in content))
    call_id = block.get("tool_use_id") or block.get("call_id") or block.get("toolCallId") or block.get("id")
    is_error = block.get("is_error") is True or block.get("isError") is True
    return ToolResult(content, _text(call_id), _text(block.get("toolName")), is_error)


def _image(block: dict[str, Any]) -> Part | None:
    source = block.get("image_url", block.get("source", block.get("image", block.get("file", block.get("data")))))
    if isinstance(source, dict):
        address = source.get("url", source.get("file_data"))
        source = address if isinstance(address, str) else _from_base64(source, "data")
    if isinstance(source, Media):
        return source
    return _media_of(source, block) if isinstance(source, str) else None


def _audio(block: dict[str, Any]) -> Part | None:
    audio = block.get("input_audio")
    if not isinstance(audio, dict) or not isinstance(audio.get("data"), str):
        return None
    found = next(media_in(audio["data"]), None)
    return found or _inline(f"audio/{_text(audio.get('format')) or 'wav'}", audio["data"])


def _media_of(source: str, block: dict[str, Any]) -> Media | None:
    found = next(media_in(source), None)
    if found:
        return found
    match = _DATA_URI.match(source)
    if match:
        return Media(content_type=match["type"].lower(), data_uri=source)
    if source.startswith(("http://", "https://")):
        return Media(content_type=_text(block.get("mediaType")), address=source)
    return None


def _from_base64(source: dict[str, Any], key: str) -> Media | None:
    kind = _text(source.get("media_type") or source.get("mimeType") or source.get("mime_type") or source.get("format"))
    data = source.get(key)
    if not isinstance(data, str):
        return None
    return next(media_in(data), None) or _inline(kind, data)


def _inline(content_type: str, data: str) -> Media | None:
    uri = f"data:{content_type};base64,{data}"
    return Media(content_type=content_type.lower(), data_uri=uri) if _DATA_URI.match(uri) else None


_BLOCKS: dict[str, Any] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "refusal"), _text_block),
    **dict.fromkeys(("thinking", "redacted_thinking", "reasoning"), _thinking),
    **dict.fromkeys(("tool_use", "tool-call", "tool_call", "function_call", "server_tool_use"), read_call),
    **dict.fromkeys(
        ("tool_result", "tool-result", "tool_call_response", "function_call_output", "web_search_tool_result"), _result
    ),
    **dict.fromkeys(("image_url", "input_image", "image", "file", "input_file", "document", "media", "blob"), _image),
    "input_audio": _audio,
}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
