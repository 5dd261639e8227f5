"""Anthropic's messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx
import orjson

from prompts.llm.transport import Frame
from prompts.llm.types import Event, Finished, FinishReason, Message, TextDelta, ThinkingDelta, ToolCallDelta
from prompts.llm.wires.common import (
    DEFAULT_MAX_TOKENS,
    STOP_REASONS,
    Wire,
    conversation,
    given,
    image_data,
    image_url,
    in_stream,
    parts_of,
    system_text,
    text_of,
    together,
    tool_calls_of,
    usage_of,
)

ANTHROPIC_URL = "https://api.anthropic.com"
_VERSION = "2023-06-01"
_CHOICES = {"auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"}}


class Anthropic(Wire):
    unsupported = ("seed", "frequency_penalty", "presence_penalty")

    def url(self) -> str:
        base = self.base_url(ANTHROPIC_URL)
        return f"{base}/messages" if httpx.URL(base).path.rstrip("/").endswith("/v1") else f"{base}/v1/messages"

    def key_headers(self) -> dict[str, str]:
        return {"x-api-key": self.connection.secret, "anthropic-version": _VERSION}

    def body(self) -> dict[str, Any]:
        call, parameters = self.call, self.call.parameters
        budget = parameters.reasoning_budget
        return {
            "model": call.model,
            # Thoughts count as output: without room for more than them there would be no answer.
            "max_tokens": parameters.max_tokens or DEFAULT_MAX_TOKENS + (budget or 0),
            "messages": together((_message(message) for message in conversation(call.messages)), "content"),
            "stream": call.stream,
            **given(
                system=system_text(call.messages),
                temperature=parameters.temperature,
                top_p=parameters.top_p,
                stop_sequences=list(parameters.stop),
                tools=[
                    {"name": tool.name, "input_schema": tool.parameters, **given(description=tool.description)}
                    for tool in call.tools
                ],
                tool_choice=self._tool_choice(),
                thinking={"type": "enabled", "budget_tokens": budget} if budget else None,
                output_config=given(effort=parameters.reasoning_effort, format=self._format()),
            ),
        }

    def _tool_choice(self) -> Any:
        choice = self.call.tool_choice
        return _CHOICES.get(choice) or (choice and {"type": "tool", "name": choice})

    def _format(self) -> Any:
        schema = self.call.output_schema
        return None if schema is None else {"type": "json_schema", "schema": schema}

    def events(self, frames: Iterator[Frame]) -> Iterator[Event]:
        reading = _Reading(self.call.model)
        for name, data in frames:
            if not isinstance(data, Mapping):
                continue
            kind = data.get("type") or name
            if kind == "error":
                raise in_stream(data)
            if kind == "message_stop":
                yield reading.finished()
                return
            yield from reading.events(kind, data)

    def frames_of(self, whole: Any) -> Iterable[Frame]:
        if not isinstance(whole, Mapping):
            return
        if whole.get("type") == "error":
            yield "error", whole
        yield "", {"type": "message_start", "message": whole}
        for index, block in enumerate(whole.get("content") or ()):
            yield "", {"type": "content_block_start", "index": index, "content_block": block}
        yield "", {"type": "message_delta", "delta": {"stop_reason": whole.get("stop_reason")}}
        yield "", {"type": "message_stop"}


class _Reading:
    def __init__(self, model: str) -> None:
        self.model = model
        self.id = ""
        self.usage: dict[str, Any] = {}
        self.reason = ""

    def events(self, kind: str, data: Mapping[str, Any]) -> Iterator[Event]:
        if kind == "message_start":
            message = data.get("message") or {}
            self.model, self.id = message.get("model") or self.model, message.get("id") or ""
            self.usage |= message.get("usage") or {}
        elif kind == "message_delta":
            self.reason = (data.get("delta") or {}).get("stop_reason") or self.reason
            # Counts are those of the whole message so far; what is not told again stays.
            self.usage |= {name: value for name, value in (data.get("usage") or {}).items() if value is not None}
        elif kind in ("content_block_start", "content_block_delta"):
            block = data.get("content_block") or data.get("delta") or {}
            yield from _piece(int(data.get("index") or 0), block)

    def finished(self) -> Finished:
        raw = {"id": self.id, "finish_reason": self.reason, "usage": self.usage}
        reason = STOP_REASONS.get(self.reason, FinishReason.OTHER)
        return Finished(usage_of(self.usage), reason, self.model, raw)


def _piece(index: int, block: Mapping[str, Any]) -> Iterator[Event]:
    match block.get("type"):
        case "text" | "text_delta":
            if text := block.get("text"):
                yield TextDelta(text)
        case "thinking" | "thinking_delta":
            if block.get("thinking") or block.get("signature"):
                yield ThinkingDelta(block.get("thinking") or "", block.get("signature") or "")
        case "signature_delta":
            yield ThinkingDelta("", block.get("signature") or "")
        case "tool_use":
            # Empty here and told in pieces, except in an answer that was not streamed.
            arguments = block.get("input")
            yield ToolCallDelta(index, block.get("id") or "", block.get("name") or "", _json(arguments))
        case "input_json_delta":
            yield ToolCallDelta(index, arguments=block.get("partial_json") or "")


def _json(value: Any) -> str:
    return orjson.dumps(value).decode() if value else ""


def _message(message: Message) -> dict[str, Any]:
    role = message.get("role")
    if role == "tool":
        result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id") or "", "content": text_of(message)}
        return {"role": "user", "content": [result]}
    content = [_part(part) for part in parts_of(message)]
    content += [
        {"type": "tool_use", "id": call_id, "name": name, "input": arguments}
        for call_id, name, arguments, _ in tool_calls_of(message)
    ]
    return {"role": "assistant" if role == "assistant" else "user", "content": content}


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"type": "text", "text": part.get("text") or ""}
    if part.get("type") == "thinking":
        return {
            "type": "thinking",
            "thinking": part.get("thinking") or "",
            "signature": part.get("signature") or "",
        }
    if part.get("type") == "redacted_thinking":
        return {"type": "redacted_thinking", "data": part.get("data") or ""}
    url = image_url(part)
    data = image_data(url)
    if data is None:
        return {"type": "image", "source": {"type": "url", "url": url}}
    return {"type": "image", "source": {"type": "base64", "media_type": data[0], "data": data[1]}}
