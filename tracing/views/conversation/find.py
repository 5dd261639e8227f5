"""Finds the messages in what was traced; what stands beside them is kept apart."""

from __future__ import annotations

from typing import Any

from tracing.views.conversation.blocks import read_parts
from tracing.views.conversation.messages import has_known_role, is_item, is_message, read_message
from tracing.views.conversation.parts import Message

Found = tuple[tuple[Message, ...], dict[str, Any]]
_NONE: Found = ((), {})

_LISTS = ("messages", "input", "contents", "output", "choices", "candidates", "prompt", "history", "chat_history")
#: answers that wrap one message: Ollama, LlamaIndex and `gen_ai.choice` by `message`, Bedrock by `output`
_SINGLE = ("message", "output", "response", "delta")
_PROMPTS = ("system", "instructions", "systemInstruction", "system_instruction")
#: what an output of the AI SDK or LangChain says without a role
_ANSWERS = ("tool_calls", "toolCalls", "reasoning_content", "refusal")


def find(value: Any, default_role: str) -> Found:
    """Messages and the fields beside them; no messages when it is no conversation for sure."""
    if isinstance(value, list):
        return _of_list(value), {}
    if not isinstance(value, dict):
        return _NONE
    if is_message(value) and (has_known_role(value) or default_role):
        return (read_message(value, default_role),), {}
    for search in (_in_lists, _in_generations, _in_single):
        found = search(value, default_role)
        if found[0]:
            return found
    if default_role and _looks_answered(value):
        return (read_message(value, default_role),), {}
    return _NONE


def _of_list(items: list[Any], role_of_bare: str = "") -> tuple[Message, ...]:
    flat = [inner for item in items for inner in (item if isinstance(item, list) else [item])]
    unwrapped = [_unwrapped(item) for item in flat]
    if role_of_bare:
        unwrapped = [(_with_role(item, role_of_bare), rest) for item, rest in unwrapped]
    known = [item for item, _ in unwrapped if is_message(item) or is_item(item)]
    if not flat or len(known) < len(flat) or not any(has_known_role(item) for item in known):
        return ()
    messages = []
    for item, rest in unwrapped:
        message = read_message(item, "assistant" if rest else "")
        messages.append(Message(message.role, message.parts, message.name, {**message.rest, **rest}))
    return tuple(messages)


def _with_role(item: Any, role: str) -> Any:
    """Gemini lets bare texts and parts stand for the user's words."""
    if isinstance(item, str):
        return {"role": role, "content": item}
    if isinstance(item, dict) and "role" not in item and isinstance(item.get("parts"), list):
        return {**item, "role": role}
    return item


_WRAPS = ("message", "content", "delta")
_WRAPPED_BESIDE = ("index", "finish_reason", "finishReason", "generationInfo", "generation_info")


def _unwrapped(item: Any) -> tuple[Any, dict[str, Any]]:
    """The message inside an OpenAI choice, a Gemini candidate or a LangChain generation, and what stands beside it."""
    if not isinstance(item, dict) or "role" in item:
        return item, {}
    for key in _WRAPS:
        inner = item.get(key)
        if isinstance(inner, dict) and (is_message(inner) or any(name in item for name in _WRAPPED_BESIDE)):
            beside = {name: entry for name, entry in item.items() if name != key and entry not in (None, "", [], {})}
            # A generation repeats its message's text, and one of one needs no index.
            beside = {k: v for k, v in beside.items() if k not in ("text", "type", "index", "generation_info")}
            inner = inner if is_message(inner) else {"role": "assistant", **inner}
            return inner, beside
    return item, {}


def _in_lists(value: dict[str, Any], default_role: str) -> Found:
    for key in _LISTS:
        if isinstance(value.get(key), list):
            messages = _of_list(value[key], "user" if key == "contents" else "")
            if messages:
                return _with_prompt(messages, {k: v for k, v in value.items() if k != key})
        if key == "contents" and isinstance(value.get(key), str):
            messages = (read_message({"role": "user", "content": value[key]}),)
            return _with_prompt(messages, {k: v for k, v in value.items() if k != key})
    # Anthropic's and the responses API's shortest form: a prompt beside one text.
    if isinstance(value.get("input"), str) and value["input"] and isinstance(value.get("instructions"), str):
        messages = (read_message({"role": "user", "content": value["input"]}),)
        return _with_prompt(messages, {k: v for k, v in value.items() if k != "input"})
    return _NONE


def _with_prompt(messages: tuple[Message, ...], rest: dict[str, Any]) -> Found:
    """System prompts that stand beside the messages (Anthropic, Gemini, Bedrock, OpenAI responses) come first."""
    for key in _PROMPTS:
        prompt = rest.get(key)
        if isinstance(prompt, dict):
            prompt = prompt.get("parts")
        if isinstance(prompt, str | list) and prompt:
            beside: dict[str, Any] = {}
            parts = tuple(read_parts(prompt, beside))
            rest = {k: v for k, v in rest.items() if k != key}
            return (Message("system", parts, rest=beside), *messages), rest
    return messages, rest


def _in_generations(value: dict[str, Any], default_role: str) -> Found:
    """LangChain's LLMResult: lists of generations, each with its message or a text alone."""
    batches = value.get("generations")
    if not isinstance(batches, list):
        return _NONE
    flat = [inner for item in batches for inner in (item if isinstance(item, list) else [item])]
    texts = [item for item in flat if isinstance(item, dict) and isinstance(item.get("text"), str)]
    if not flat or len(texts) < len(flat):
        return _NONE
    messages = _of_list(flat) or tuple(
        read_message({"role": "assistant", "content": item["text"], **_beside_text(item)}) for item in texts
    )
    return messages, {k: v for k, v in value.items() if k not in ("generations", "type")}


def _beside_text(item: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in item.items() if k not in ("text", "type")}


def _in_single(value: dict[str, Any], default_role: str) -> Found:
    for key in _SINGLE:
        inner = value.get(key)
        if not isinstance(inner, dict):
            continue
        rest = {k: v for k, v in value.items() if k != key}
        if is_message(inner) and (has_known_role(inner) or default_role):
            return (read_message(inner, default_role),), rest
        if key == "output" and isinstance(inner.get("message"), dict) and is_message(inner["message"]):
            beside = {f"output.{k}": v for k, v in inner.items() if k != "message"}
            return (read_message(inner["message"]),), {**beside, **rest}
        if key == "message" and default_role and isinstance(inner.get("content"), str | list):
            return (read_message(inner, default_role),), rest
    return _NONE


def _looks_answered(value: dict[str, Any]) -> bool:
    text = value.get("content", value.get("text"))
    return isinstance(text, str | list) and any(key in value for key in _ANSWERS)
