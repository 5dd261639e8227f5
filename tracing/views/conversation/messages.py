"""One message, in whichever of the clients' shapes it comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tracing.views.conversation.blocks import read_block, read_call, read_parts, result_parts
from tracing.views.conversation.fields import Fields
from tracing.views.conversation.media import from_base64, read_source
from tracing.views.conversation.parts import (
    Data,
    Media,
    Message,
    Part,
    Refusal,
    Structured,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from tracing.views.conversation.values import parse, text_of

_ROLES = {
    "human": "user", "ai": "assistant", "model": "assistant", "function": "tool", "ipython": "tool", "bot": "assistant",
    "chatbot": "assistant", "AIMessageChunk": "assistant",
}  # fmt: skip
KNOWN_ROLES = frozenset(("system", "developer", "user", "assistant", "tool", *_ROLES))
_LANGCHAIN_TYPES = frozenset(("human", "ai", "system", "tool", "function", "chat", "AIMessageChunk"))
#: entries of the OpenAI responses API, which have a type in place of a role
_ITEM_TYPES = frozenset(("function_call", "function_call_output", "reasoning", "message", "custom_tool_call"))
_ITEM_ENDINGS = ("_call", "_call_output")
_SAYS = frozenset((
    "content", "parts", "blocks", "tool_calls", "toolCalls", "text", "function_call", "refusal", "audio",
    "reasoning_content",
))  # fmt: skip


def is_message(item: Any) -> bool:
    """Whether it has the shape of a message. Its role may be any word: see `has_known_role`."""
    if not isinstance(item, dict):
        return False
    if _class_of(item):
        return True
    if isinstance(item.get("role"), str):
        return not _SAYS.isdisjoint(item)
    kind = item.get("type")
    return kind in _LANGCHAIN_TYPES and ("content" in item or isinstance(item.get("data"), dict))


def is_item(item: Any) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str) or "role" in item:
        return False
    return item["type"] in _ITEM_TYPES or (item["type"].endswith(_ITEM_ENDINGS) and ("id" in item or "call_id" in item))


def has_known_role(item: dict[str, Any]) -> bool:
    role = item.get("role")
    return role.lower() in KNOWN_ROLES if isinstance(role, str) else True


def read_message(item: dict[str, Any], default_role: str = "") -> Message:
    if is_item(item) and item["type"] != "message":
        return _item(item)
    item, kind = _unpacked(item)
    fields = Fields(item)
    role = _role(fields, kind, default_role)
    rest: dict[str, Any] = {}
    parts: list[Part] = [*_reasoning(fields), *_content(fields, rest), *_calls(fields), *_extras(fields)]
    if role == "tool":
        parts = _tool_message(fields, parts)
    elif role not in ("system", "developer"):
        parts = [_structured(part) for part in parts]
    name = fields.take_text("name") if role != "tool" else ""
    fields.skip("example", "object", "kind") if kind else None
    return Message(role, tuple(parts), name, {**fields.left(), **rest})


def _item(item: dict[str, Any]) -> Message:
    parts, left = read_block(item)
    role = "tool" if isinstance(parts[0], ToolResult) else "assistant"
    return Message(role, tuple(parts), rest=left)


def _class_of(item: dict[str, Any]) -> str:
    """LangChain writes objects as their constructor: which message class this is, if one."""
    path = item.get("id")
    if item.get("type") == "constructor" and isinstance(path, list) and path and isinstance(item.get("kwargs"), dict):
        name = str(path[-1])
        return name if name.endswith(("Message", "MessageChunk")) else ""
    return ""


def _unpacked(item: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The fields of a message that is wrapped, and the type it was wrapped as."""
    name = _class_of(item)
    if name:
        kind = name.removesuffix("Chunk").removesuffix("Message").lower()
        return item["kwargs"], kind
    if item.get("type") in _LANGCHAIN_TYPES and isinstance(item.get("data"), dict) and "content" not in item:
        return item["data"], str(item["type"])
    return item, ""


def _role(fields: Fields, kind: str, default_role: str) -> str:
    own = fields.take_text("role")
    if not own and fields.peek("type") in (*_LANGCHAIN_TYPES, "message"):
        kind = kind or str(fields.take("type"))
    fields.skip("type") if fields.peek("type") in (*_LANGCHAIN_TYPES, "message") else None
    said = own or ("" if kind == "message" else kind) or default_role
    return _ROLES.get(said, said.lower() if said.lower() in KNOWN_ROLES else said)


def _reasoning(fields: Fields) -> Iterator[Part]:
    text = fields.take_text("reasoning_content", "reasoning", "thinking", "reasoningText")
    if text:
        yield Thinking(text)
        # OpenRouter sends the same words once more, in pieces.
        fields.skip("reasoning_details", "reasoning")


def _content(fields: Fields, rest: dict[str, Any]) -> Iterator[Part]:
    for key in ("content", "parts", "blocks", "text"):
        value = fields.peek(key)
        if value is not None:
            fields.take(key)
            yield from read_parts(value, rest)
            return


def _calls(fields: Fields) -> Iterator[Part]:
    calls = fields.take_list("tool_calls", "toolCalls") or _parsed_list(fields, "tool_calls", "toolCalls")
    extra = fields.inner("additional_kwargs")
    if extra is not None:
        # LangChain keeps what the provider sent beside what it made of it.
        raw = extra.take_list("tool_calls")
        calls = calls or raw
        function = extra.inner("function_call")
        if function is not None and not calls:
            calls = [function.content]
        extra.skip("function_call")
    for call in calls:
        yield read_call(call) if isinstance(call, dict) else Data(call)
    function = fields.inner("function_call")
    if function is not None:
        fields.take("function_call")
        yield read_call(function.content)


def _parsed_list(fields: Fields, *keys: str) -> list[Any]:
    """The AI SDK sends calls as JSON text."""
    for key in keys:
        text = fields.peek(key)
        value = parse(text) if isinstance(text, str) else None
        if isinstance(value, list):
            fields.take(key)
            return value
    return []


def _extras(fields: Fields) -> Iterator[Part]:
    refusal = fields.take_text("refusal")
    if refusal:
        yield Refusal(refusal)
    audio = fields.inner("audio")
    if audio is not None:
        found = read_source(audio, family="audio")
        transcript = audio.take_text("transcript")
        if found:
            yield found
        if transcript:
            yield Text(transcript)
    for image in fields.take_list("images"):  # Ollama
        found = from_base64(image, "image/png") if isinstance(image, str) else None
        if found is None and isinstance(image, dict):
            parts, _ = read_block(image)
            found = next((part for part in parts if isinstance(part, Media)), None)
        yield found or Data(image)


def _tool_message(fields: Fields, parts: list[Part]) -> list[Part]:
    """A message of a tool is its result, however its content is written."""
    if any(isinstance(part, ToolResult) for part in parts) or not parts:
        return parts
    call_id = text_of(fields.take("tool_call_id", "toolCallId", "id"))
    name = text_of(fields.take("name", "tool_name"))
    is_error = fields.take("status") == "error" or fields.take("is_error") is True
    if fields.content.get("status") == "success":
        fields.skip("status")
    return result_parts(fields.peek("content", "parts", "blocks", "text"), call_id, name, is_error)


def _structured(part: Part) -> Part:
    """An answer in JSON is shown as JSON."""
    if isinstance(part, Text) and part.text.lstrip()[:1] in ("{", "["):
        value = parse(part.text)
        if isinstance(value, dict | list) and value:
            return Structured(value, part.text)
    return part


def linked(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Calls know whether they were answered, and their number among several; results know what they are of."""
    parts = [part for message in messages for part in message.parts]
    asked = {part.id: part.name for part in parts if isinstance(part, ToolCall) and part.id}
    answered = {part.id for part in parts if isinstance(part, ToolResult) and part.id}
    return tuple(
        replace(message, parts=tuple(_linked(message.parts, asked, answered)), place=place)
        for place, message in enumerate(messages)
    )


def _linked(parts: Sequence[Part], asked: dict[str, str], answered: set[str]) -> Iterator[Part]:
    several = sum(isinstance(part, ToolCall) for part in parts) > 1
    number = 0
    for part in parts:
        if isinstance(part, ToolCall):
            number += 1
            yield replace(part, number=number if several else 0, is_answered=part.id in answered)
        elif isinstance(part, ToolResult) and part.id in asked:
            yield replace(part, name=part.name or asked[part.id], is_asked=True)
        else:
            yield part
