"""Reads a traced input or output as what it is: a conversation, a text, or other data.

Every client writes messages its own way (OpenAI chat and responses, Anthropic, Gemini, Bedrock, Mistral, Ollama,
LangChain, LlamaIndex, the AI SDK, OpenTelemetry parts, ChatML). All become `Message`s of `Part`s. What is not
recognised for sure is shown as data: nothing is guessed away, and what a part does not show is in its message's rest.
"""

from __future__ import annotations

from typing import Any

from tracing.views.conversation import chat_strings
from tracing.views.conversation.blocks import read_call
from tracing.views.conversation.find import find
from tracing.views.conversation.media import media_in
from tracing.views.conversation.messages import linked
from tracing.views.conversation.parts import (
    Content,
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
from tracing.views.conversation.values import Number, parse

__all__ = [
    "Content",
    "Data",
    "Media",
    "Message",
    "Number",
    "Part",
    "Refusal",
    "Structured",
    "Text",
    "Thinking",
    "ToolCall",
    "ToolResult",
    "media_in",
    "parse",
    "read",
    "read_call",
]


def read(raw: str, *, default_role: str = "") -> Content:
    """`default_role` is what a single message without a role must be: the model's, in an output."""
    if not raw:
        return Content("empty", raw)
    value = parse(raw)
    if isinstance(value, str):
        return _read_text(raw, value)
    messages, rest = find(value, default_role)
    if messages:
        return Content("messages", raw, linked(messages), value=value, rest=rest, media=tuple(_media_beside(rest)))
    return Content("data", raw, value=value, media=tuple(media_in(raw)))


def _read_text(raw: str, text: str) -> Content:
    messages = chat_strings.messages_in(text)
    if messages:
        return Content("messages", raw, linked(messages), value=text)
    return Content("text", raw, text=text, media=tuple(media_in(text)))


def _media_beside(rest: dict[str, Any]) -> list[Media]:
    """Files that are mentioned beside the messages are files, too."""
    return [found for value in rest.values() if isinstance(value, str) for found in media_in(value)]
