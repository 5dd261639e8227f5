"""The stub's Responses API: the same answers as chat completions give, in the newer shape."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

Item = dict[str, Any]


def asked(request: dict[str, Any]) -> tuple[str, bool]:
    """The last text of the input, and whether it is a tool's result."""
    given = request.get("input")
    if isinstance(given, str):
        return given, False
    last = (given or [{}])[-1]
    if last.get("type") == "function_call_output":
        return _text(last.get("output")), True
    return _text(last.get("content")), False


def _text(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content)
    return content or ""


def message(text: str) -> Item:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "id": "msg_stub", "status": "completed", "role": "assistant", "content": [part]}


def function_call(index: int, name: str, arguments: str) -> Item:
    return {
        "type": "function_call",
        "id": f"fc_{index}",
        "call_id": f"call_{index}",
        "name": name,
        "arguments": arguments,
        "status": "completed",
    }


def response(request: dict[str, Any], output: list[Item], usage: dict[str, int], status: str = "completed") -> Item:
    return {
        "id": "resp_stub",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "model": request.get("model"),
        "output": output,
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage["total_tokens"],
        }
        if status == "completed"
        else None,
        "error": None,
        "incomplete_details": None,
        "instructions": request.get("instructions"),
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": request.get("temperature", 1.0),
        "top_p": 1.0,
        "tool_choice": "auto",
        "tools": request.get("tools") or [],
    }


def events(request: dict[str, Any], output: list[Item], usage: dict[str, int]) -> Iterator[Item]:
    """The events of a streamed response, in order."""
    for number, event in enumerate(_events(request, output, usage)):
        yield {**event, "sequence_number": number}


def _events(request: dict[str, Any], output: list[Item], usage: dict[str, int]) -> Iterator[Item]:
    begun = response(request, [], usage, status="in_progress")
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(output):
        where = {"output_index": index, "item_id": item["id"]}
        yield from _message_events(item, where) if item["type"] == "message" else _call_events(item, where)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": response(request, output, usage)}


def _message_events(item: Item, where: Item) -> Iterator[Item]:
    [part] = item["content"]
    text, inside = part["text"], {**where, "content_index": 0}
    started = {**item, "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": where["output_index"], "item": started}
    yield {"type": "response.content_part.added", **inside, "part": {**part, "text": ""}}
    for start in range(0, len(text), 8):
        delta = text[start : start + 8]
        yield {"type": "response.output_text.delta", **inside, "delta": delta, "logprobs": []}
    yield {"type": "response.output_text.done", **inside, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **inside, "part": part}


def _call_events(item: Item, where: Item) -> Iterator[Item]:
    started = {**item, "status": "in_progress", "arguments": ""}
    yield {"type": "response.output_item.added", "output_index": where["output_index"], "item": started}
    yield {"type": "response.function_call_arguments.delta", **where, "delta": item["arguments"]}
    yield {
        "type": "response.function_call_arguments.done",
        **where,
        "name": item["name"],
        "arguments": item["arguments"],
    }
