"""A conversation as markdown, for copying into an issue or a chat."""

from __future__ import annotations

import json
from typing import Any

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
from tracing.views.conversation.values import Number


def transcript(content: Content) -> str:
    """What is no conversation stays as it was sent."""
    if content.kind != "messages":
        return content.raw
    return "\n\n".join(f"**{message.role}**\n\n{message_text(message)}" for message in content.messages) + "\n"


def message_text(message: Message) -> str:
    return "\n\n".join(_part(part) for part in message.parts)


def _part(part: Part) -> str:
    match part:
        case Text(text) | Refusal(text):
            return text
        case Structured(_, text):
            return _fenced(text, "json")
        case Thinking(text):
            return "\n".join(f"> {line}" for line in text.split("\n"))
        case ToolCall(name, arguments, call_id):
            return f"Call `{name}`{f' ({call_id})' if call_id else ''}\n\n{_fenced(_json(arguments), 'json')}"
        case ToolResult(content, call_id, name):
            title = " ".join(filter(None, (f"`{name}`" if name else "", f"({call_id})" if call_id else "")))
            body = content if isinstance(content, str) else _fenced(_json(content), "json")
            return f"Result {title}\n\n{body}"
        case Media():
            return f"[{part.content_type or 'file'}: {part.name or part.media_id or part.address or 'inline'}]"
        case Data(value):
            return _fenced(_json(value), "json")


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"


def _json(value: Any) -> str:
    return value if isinstance(value, str | Number) else json.dumps(value, indent=2, ensure_ascii=False)
