"""Tools that were offered to a model, and calls of them that it asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tracing.ingest.otlp.spans import Attributes
from tracing.ingest.otlp.values import parsed, parsed_object, text_of
from tracing.ingest.text import as_text

#: an input is only parsed if this is in it
_DEFINITION_HINT = '"tool'
_CALL_TYPES = frozenset(("tool_use", "tool-call", "tool_call", "function_call", "function"))
_MOST = 1_000
#: lists and objects around a call
_DEEPEST = 16


def attached_tools(attributes: Attributes, keys: tuple[str, ...]) -> tuple[list[Any], tuple[str, ...]]:
    """Definitions that an instrumentation sends in attributes, and the attributes they were found in.

    Pydantic AI sends the same tools in two of them: the first definition of a name counts.
    """
    tools: dict[Any, Any] = {}
    used: list[str] = []
    for key in keys:
        value = attributes[key]
        if key == "model_request_parameters":
            value = (parsed_object(value) or {}).get("function_tools")
        found = parsed(value)
        if isinstance(found, dict):
            found = [found]
        if isinstance(found, list) and found:
            for tool in found:
                tool = parsed_object(tool) or tool
                tools.setdefault(name_of(tool), tool)
            used.append(key)
    return list(tools.values()), tuple(used)


def name_of(tool: Any) -> str:
    """What tells a definition from others: its name, or the whole of what has none."""
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else as_text(tool)


def definitions(given: str) -> dict[str, str]:
    """Tools in an input: name -> definition as JSON."""
    if _DEFINITION_HINT not in given:
        return {}
    found: dict[str, str] = {}
    for tool in _offered(parsed(given)):
        definition = _definition(tool)
        if definition is not None and len(found) < _MOST:
            found.setdefault(definition["name"], as_text(definition))
    return found


def _offered(content: Any) -> Iterator[Any]:
    messages = content
    if isinstance(content, dict):
        yield from _list(content.get("tools"))
        messages = content.get("messages")
    for message in _list(messages):
        if not isinstance(message, dict):
            continue
        yield from _list(message.get("tools"))
        inner = message.get("content")
        if message.get("role") == "tool" and isinstance(inner, dict) and inner.get("type") == "function":
            yield inner


#: as OpenAI, Google, Vercel's AI SDK and Anthropic call it
_SCHEMAS = ("parameters", "parameters_json_schema", "inputSchema", "input_schema")


def _definition(tool: Any) -> dict[str, Any] | None:
    if not isinstance(tool, dict):
        return None
    function = tool["function"] if isinstance(tool.get("function"), dict) else tool
    name = function.get("name")
    if not isinstance(name, str) or not name:
        return None
    schema: Any = next(
        (function[key] for key in _SCHEMAS if function.get(key)),
        {},
    )
    description = function.get("description") or function.get("desc") or ""
    return {"name": name, "description": description, "parameters": schema}


def calls(output: str) -> list[dict[str, Any]]:
    """Calls in an output: {id, name, arguments, type, index}."""
    if output[:1] not in ("{", "[") or not _may_hold_calls(output):
        return []
    found: dict[Any, dict[str, Any]] = {}
    for call in _requested(parsed(output), 0):
        entry = _call(call, len(found))
        if entry is not None and len(found) < _MOST:
            found.setdefault(entry["id"] or (entry["name"], entry["arguments"]), entry)
    return list(found.values())


def _may_hold_calls(output: str) -> bool:
    """Whether it is worth parsing. Spelled out, because this runs for every span: each call has a name of some kind."""
    return "ame" in output and (
        "tool" in output or '"arguments"' in output or '"args"' in output or '"function' in output
    )


def _requested(content: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth > _DEEPEST:
        return
    if isinstance(content, list):
        for item in content:
            yield from _requested(item, depth + 1)
    if not isinstance(content, dict):
        return
    if _is_call(content):
        yield content
        return
    yield from _calls_in_list(content.get("tool_calls"))
    yield from _calls_in_list(content.get("toolCalls"))
    extra = content.get("additional_kwargs")
    if isinstance(extra, dict):
        yield from _calls_in_list(extra.get("tool_calls"))
    for key in ("choices", "content", "parts", "messages"):
        yield from _requested(_list(content.get(key)), depth + 1)
    if isinstance(content.get("message"), dict):
        yield from _requested(content["message"], depth + 1)


def _calls_in_list(value: Any) -> Iterator[dict[str, Any]]:
    for call in _list(parsed(value)):
        if isinstance(call, dict):
            wrapped = call.get("tool_call")  # as OpenInference names it
            yield wrapped if isinstance(wrapped, dict) else call


def _is_call(content: dict[str, Any]) -> bool:
    function = content.get("function")
    if isinstance(function, dict):
        return "name" in function and "parameters" not in function
    name = content.get("name") or content.get("toolName")
    if not isinstance(name, str):
        return False
    if content.get("type") in _CALL_TYPES:
        return "parameters" not in content
    return "arguments" in content or "args" in content


def _call(call: dict[str, Any], index: int) -> dict[str, Any] | None:
    function = call["function"] if isinstance(call.get("function"), dict) else {}
    name = function.get("name") or call.get("name") or call.get("toolName")
    if not isinstance(name, str) or not name:
        return None
    arguments = _present(function.get("arguments"), *(call.get(key) for key in ("arguments", "args", "input")))
    identity = _present(call.get("call_id"), call.get("id"), call.get("toolCallId"))
    kind, position = call.get("type"), call.get("index")
    return {
        "id": "" if identity is None else text_of(identity),
        "name": name,
        "arguments": "" if arguments is None else text_of(arguments),
        "type": kind if isinstance(kind, str) else "",
        "index": position if isinstance(position, int) else index,
    }


def _present(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
