"""Messages as OpenInference spreads them over attribute names, in the form in which models are sent messages."""

from __future__ import annotations

from typing import Any

from tracing.ingest.otlp.nested import rebuild
from tracing.ingest.otlp.spans import Attributes

INPUT, OUTPUT = "llm.input_messages", "llm.output_messages"
LLAMA_INDEX = "openinference.instrumentation.llama_index"


def is_inner_step(scope_name: str, span_name: str) -> bool:
    """LlamaIndex's instrumentation calls every method of a model a model call, those that only prepare one as well."""
    return scope_name == LLAMA_INDEX and "._" in span_name


def llama_index(attributes: Attributes, _: str) -> tuple[Any, Any]:
    """Messages of a model call. Its `input.value` and `output.value` are Python's words for the objects around them."""
    if attributes.get("openinference.span.kind") != "LLM":
        return None, None
    given = _messages(attributes, INPUT) or _prompts(attributes) or attributes.get("input.value")
    return given, _messages(attributes, OUTPUT) or attributes.get("output.value")


def _prompts(attributes: Attributes) -> Any:
    prompts = attributes.get("llm.prompts")
    return prompts[0] if isinstance(prompts, list) and len(prompts) == 1 else prompts


def _messages(attributes: Attributes, prefix: str) -> list[Any]:
    items = rebuild(attributes, prefix)
    return [_message(item) for item in items] if isinstance(items, list) else []


def _message(item: Any) -> Any:
    message = _inside(item, "message")
    if not isinstance(message, dict):
        return message
    flat = {key: value for key, value in message.items() if key not in ("contents", "tool_calls")}
    parts = [_inside(part, "message_content") for part in _list(message.get("contents"))]
    calls = [_inside(call, "tool_call") for call in _list(message.get("tool_calls"))]
    if parts:
        flat["content"] = _content(parts)
    if calls:
        flat["tool_calls"] = calls
    return flat


def _content(parts: list[Any]) -> Any:
    [first, *others] = parts
    is_text = not others and isinstance(first, dict) and first.get("type") == "text"
    return first.get("text", "") if is_text else parts


def _inside(item: Any, name: str) -> Any:
    return item.get(name, item) if isinstance(item, dict) else item


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
