"""OpenAI's responses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prompts.llm.transport import Frame
from prompts.llm.types import Event, Finished, FinishReason, Message, TextDelta, ThinkingDelta, ToolCallDelta
from prompts.llm.wires.common import (
    THOUGHTS,
    Wire,
    cannot,
    given,
    image_url,
    in_stream,
    is_strict,
    parts_of,
    text_of,
    usage_of,
)
from prompts.llm.wires.openai_chat import openai_base

_ENDINGS = ("response.completed", "response.incomplete")
_THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")


class OpenAiResponses(Wire):
    unsupported = ("stop", "seed", "frequency_penalty", "presence_penalty", "reasoning_budget")

    def url(self) -> str:
        return f"{openai_base(self)}/responses"

    def key_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.connection.secret}"}

    def body(self) -> dict[str, Any]:
        call, parameters = self.call, self.call.parameters
        return {
            "model": call.model,
            "input": [item for message in call.messages for item in _items(message)],
            "stream": call.stream,
            # What is tried out here need not be kept there.
            "store": False,
            **given(
                temperature=parameters.temperature,
                top_p=parameters.top_p,
                max_output_tokens=parameters.max_tokens,
                reasoning=given(effort=parameters.reasoning_effort),
                tools=[self._tool(tool) for tool in call.tools],
                tool_choice=self._tool_choice(),
                text=self._format(),
            ),
        }

    def _tool(self, tool: Any) -> dict[str, Any]:
        return {
            "type": "function",
            "name": tool.name,
            "parameters": tool.parameters,
            "strict": is_strict(tool.parameters),
            **given(description=tool.description),
        }

    def _tool_choice(self) -> Any:
        choice = self.call.tool_choice
        return choice if choice in ("", "auto", "none", "required") else {"type": "function", "name": choice}

    def _format(self) -> Any:
        schema = self.call.output_schema
        if schema is None:
            return None
        form = {"type": "json_schema", "name": "answer", "schema": schema, "strict": is_strict(schema)}
        return {"format": form}

    def events(self, frames: Iterator[Frame]) -> Iterator[Event]:
        has_refused = has_called = False
        for name, data in frames:
            if not isinstance(data, Mapping):
                continue
            kind = data.get("type") or name
            if kind in ("error", "response.failed") or (not kind and data.get("error")):
                raise in_stream((data.get("response") or data) if kind == "response.failed" else data)
            if kind == "response.output_text.delta":
                yield TextDelta(str(data.get("delta") or ""))
            elif kind == "response.refusal.delta":
                has_refused = True
                yield TextDelta(str(data.get("delta") or ""), is_refusal=True)
            elif kind in _THOUGHTS:
                yield ThinkingDelta(str(data.get("delta") or ""))
            elif kind == "response.output_item.added" and (item := _function_call(data)):
                has_called = True
                yield ToolCallDelta(_place(data), item.get("call_id") or "", item.get("name") or "")
            elif kind == "response.function_call_arguments.delta":
                yield ToolCallDelta(_place(data), arguments=str(data.get("delta") or ""))
            elif kind in _ENDINGS:
                yield self._finished(data.get("response") or {}, has_refused, has_called)
                return

    def _finished(self, response: Mapping[str, Any], has_refused: bool, has_called: bool) -> Finished:
        why = (response.get("incomplete_details") or {}).get("reason") or ""
        reason = FinishReason.TOOL_CALLS if has_called else FinishReason.STOP
        if why:
            reason = {
                "max_output_tokens": FinishReason.LENGTH,
                "content_filter": FinishReason.REFUSAL,
            }.get(why, FinishReason.OTHER)
        if has_refused:
            reason = FinishReason.REFUSAL
        usage = response.get("usage")
        raw = {"id": response.get("id"), "finish_reason": why or response.get("status"), "usage": usage}
        return Finished(usage_of(usage), reason, response.get("model") or self.call.model, raw)

    def frames_of(self, whole: Any) -> Iterable[Frame]:
        if not isinstance(whole, Mapping):
            return
        if whole.get("error"):
            yield "error", whole
        for place, item in enumerate(whole.get("output") or ()):
            yield from _frames_of_item(place, item)
        yield "", {"type": "response.completed", "response": whole}


def _frames_of_item(place: int, item: Mapping[str, Any]) -> Iterator[Frame]:
    if item.get("type") == "function_call":
        yield "", {"type": "response.output_item.added", "output_index": place, "item": item}
        arguments = item.get("arguments")
        yield "", {"type": "response.function_call_arguments.delta", "output_index": place, "delta": arguments}
    for part in item.get("content") or ():
        if part.get("type") == "output_text":
            yield "", {"type": "response.output_text.delta", "delta": part.get("text")}
        elif part.get("type") == "refusal":
            yield "", {"type": "response.refusal.delta", "delta": part.get("refusal")}


def _function_call(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    item = data.get("item")
    return item if isinstance(item, Mapping) and item.get("type") == "function_call" else None


def _place(data: Mapping[str, Any]) -> int:
    place = data.get("output_index")
    return place if isinstance(place, int) else 0


def _items(message: Message) -> Iterator[dict[str, Any]]:
    role = message.get("role")
    if role == "tool":
        yield {
            "type": "function_call_output",
            "call_id": message.get("tool_call_id") or "",
            "output": text_of(message),
        }
        return
    content = [_part(part, str(role)) for part in parts_of(message) if part.get("type") not in THOUGHTS]
    if content:
        yield {"role": role, "content": content}
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        arguments = function.get("arguments") or "{}"
        yield {
            "type": "function_call",
            "call_id": call.get("id") or "",
            "name": function.get("name") or "",
            "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
        }


def _part(part: Mapping[str, Any], role: str) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"type": "output_text" if role == "assistant" else "input_text", "text": part.get("text") or ""}
    if role == "assistant":
        raise cannot("An answer of the model holds text only.")
    return {"type": "input_image", "image_url": image_url(part)}
