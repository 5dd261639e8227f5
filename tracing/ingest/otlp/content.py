"""Input and output of a span: the first rule that finds something decides both."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any

from tracing.ingest.otlp import openinference
from tracing.ingest.otlp.nested import rebuild
from tracing.ingest.otlp.spans import Attributes, SpanEvent
from tracing.ingest.otlp.tools import name_of
from tracing.ingest.otlp.values import parsed, parsed_object
from tracing.ingest.text import as_text

Content = tuple[Any, Any]
Rule = Callable[[Attributes, str], Content]

_FLUE_INPUT = ("flue.turn.input", "flue.tool.arguments", "flue.task.prompt", "flue.workflow.payload")
_FLUE_OUTPUT = (
    "flue.turn.output",
    "flue.tool.result",
    "flue.task.result",
    "flue.operation.result",
    "flue.workflow.result",
)
_AI_INPUT = ("ai.prompt.messages", "ai.prompt", "ai.toolCall.args")
#: what is embedded: JSON texts
_AI_EMBEDDED = ("ai.value", "ai.values")
_AI_OUTPUT = (
    "ai.result.text",
    "ai.toolCall.result",
    "ai.response.object",
    "ai.result.object",
    "ai.response.toolCalls",
    "ai.result.toolCalls",
)
_VERTEX = "gcp.vertex.agent."
_MESSAGES = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions")
_TOOL_CALL = ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result")

_DETAILS_EVENT = "gen_ai.client.inference.operation.details"
_CHOICE = "gen_ai.choice"
_ROLES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
_CONTENT_EVENTS = ("gen_ai.content.prompt", "gen_ai.content.completion")
#: span events whose whole content is input or output
CONTENT_EVENTS = frozenset((_DETAILS_EVENT, _CHOICE, *_ROLES, *_CONTENT_EVENTS))


def extract(attributes: Attributes, rules: tuple[Rule, ...], scope_name: str, events: list[SpanEvent]) -> Content:
    """Input and output as attributes or events give them; None where there is none."""
    special = _SCOPES.get(scope_name)
    if special is not None:
        found = special(attributes, scope_name)
        if _is_something(found) or scope_name in _SCOPES_THAT_STOP:
            return found
    if events:
        found = _from_events(events, scope_name)
        if _is_something(found):
            return found
    for rule in rules:
        found = rule(attributes, scope_name)
        if _is_something(found):
            return found
    return None, None


def rules_for(keys: Set[str]) -> tuple[Rule, ...]:
    """The rules that can find something among attributes of these names, in order."""
    return tuple(
        rule
        for names, prefixes, rule in _RULES
        if not keys.isdisjoint(names) or (prefixes and any(key.startswith(prefixes) for key in keys))
    )


def _is_something(found: Content) -> bool:
    return (found[0] is not None and found[0] != "") or (found[1] is not None and found[1] != "")


def _first(attributes: Attributes, keys: tuple[str, ...]) -> Any:
    for key in keys:
        if key in attributes:
            return attributes[key]
    return None


# Scopes with content of their own form.


def _genkit(attributes: Attributes, _: str) -> Content:
    return _member(attributes.get("genkit:input"), "messages"), _member(attributes.get("genkit:output"), "message")


def _member(value: Any, name: str) -> Any:
    content = parsed_object(value)
    member = content.get(name) if content is not None else None
    return value if member is None else member


def _ai_sdk(attributes: Attributes, scope_name: str) -> Content:
    given = _first(attributes, _AI_INPUT)
    text, calls = attributes.get("ai.response.text"), attributes.get("ai.response.toolCalls")
    if text is not None and calls is not None:
        output = as_text({"role": "assistant", "content": text, "tool_calls": calls})
    else:
        output = text or _first(attributes, _AI_OUTPUT)
    if given is None or output is None:
        generic = _messages(attributes, scope_name)
        given = (_ai_embedded(attributes) if generic[0] is None else generic[0]) if given is None else given
        output = generic[1] if output is None else output
    return given, output


def _ai_embedded(attributes: Attributes) -> Any:
    value = _first(attributes, _AI_EMBEDDED)
    return [_parsed_if_json(item) for item in value] if isinstance(value, list) else value


def _flue(attributes: Attributes, _: str) -> Content:
    return _parsed_if_json(_first(attributes, _FLUE_INPUT)), _parsed_if_json(_first(attributes, _FLUE_OUTPUT))


def _parsed_if_json(value: Any) -> Any:
    content = parsed(value)
    return value if content is None or isinstance(content, int | float) else content


_SCOPES: dict[str, Rule] = {
    "genkit-tracer": _genkit,
    "ai": _ai_sdk,
    "@flue/opentelemetry": _flue,
    openinference.LLAMA_INDEX: openinference.llama_index,
}
_SCOPES_THAT_STOP = frozenset(("genkit-tracer", "ai"))


# Span events.


def _from_events(events: list[SpanEvent], scope_name: str) -> Content:
    for event in events:
        if event.name == _DETAILS_EVENT:
            found = _messages(event.attributes, scope_name)
            if _is_something(found):
                return found
    messages = [{"role": _ROLES[event.name], **event.attributes} for event in events if event.name in _ROLES]
    choices = [event.attributes for event in events if event.name == _CHOICE]
    if messages or choices:
        return messages or None, choices[0] if len(choices) == 1 else choices or None
    prompt, completion = (_content_event(events, name, scope_name) for name in _CONTENT_EVENTS)
    return (prompt[0] if prompt else None), (completion[1] if completion else None)


def _content_event(events: list[SpanEvent], name: str, scope_name: str) -> Content | None:
    for event in events:
        if event.name == name:
            found = extract(event.attributes, rules_for(event.attributes.keys()), scope_name, [])
            raw = event.attributes or None
            return (raw if found[0] is None else found[0]), (raw if found[1] is None else found[1])
    return None


# Attributes of any scope.


def _pair(input_key: str, output_key: str) -> Rule:
    return lambda attributes, _: (attributes.get(input_key), attributes.get(output_key))


def _vertex(attributes: Attributes, _: str) -> Content:
    return (
        _vertex_side(attributes, "llm_request", "tool_call_args"),
        _vertex_side(attributes, "llm_response", "tool_response"),
    )


def _vertex_side(attributes: Attributes, model_side: str, tool_side: str) -> Any:
    value = attributes.get(_VERTEX + model_side)
    return attributes.get(_VERTEX + tool_side) if value in (None, "", "{}") else value


def _livekit(attributes: Attributes, _: str) -> Content:
    given = _first(attributes, ("lk.input_text", "lk.user_transcript", "lk.chat_ctx"))
    return given, attributes.get("lk.function_tool.output") or attributes.get("lk.response.text")


def _logfire_events(attributes: Attributes, _: str) -> Content:
    events = parsed(attributes.get("events"))
    if not isinstance(events, list):
        return None, None
    messages, output = [], None
    for event in events:
        if isinstance(event, str):
            event = parsed_object(event) or event
        if isinstance(event, dict) and event.get("event.name") == _CHOICE:
            output = event
        else:
            messages.append(event)
    return messages or None, output


def _pydantic_ai(attributes: Attributes, scope_name: str) -> Content:
    if scope_name != "pydantic-ai":
        return None, None
    messages = attributes.get("pydantic_ai.all_messages")
    return _with_instructions(messages, attributes.get("gen_ai.system_instructions")), attributes.get("final_result")


def _spread(input_prefix: str, output_prefix: str) -> Rule:
    return lambda attributes, _: (rebuild(attributes, input_prefix), rebuild(attributes, output_prefix))


def _messages(attributes: Attributes, _: str) -> Content:
    given, output, instructions = (attributes.get(key) for key in _MESSAGES)
    if given is None and output is None:
        return attributes.get(_TOOL_CALL[0]), attributes.get(_TOOL_CALL[1])
    return _with_instructions(given, instructions), output


def _with_instructions(messages: Any, instructions: Any) -> Any:
    """Messages with the system instructions in front, unless there is a system message."""
    content = _instruction_text(instructions)
    listed = parsed(messages) if content else None
    if not isinstance(listed, list) or any(isinstance(item, dict) and item.get("role") == "system" for item in listed):
        return messages
    result = [{"role": "system", "content": content}, *listed]
    return as_text(result) if isinstance(messages, str) else result


def _instruction_text(instructions: Any) -> str:
    parts = parsed(instructions)
    if not isinstance(parts, list):
        return instructions if isinstance(instructions, str) else ""
    texts = [part.get("content") if isinstance(part, dict) else part for part in map(_part, parts)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _part(part: Any) -> Any:
    return parsed_object(part) or part


_RULES: tuple[tuple[tuple[str, ...], tuple[str, ...], Rule], ...] = (
    (
        tuple(_VERTEX + name for name in ("llm_request", "llm_response", "tool_call_args", "tool_response")),
        (),
        _vertex,
    ),
    (("prompt", "all_messages_events"), (), _pair("prompt", "all_messages_events")),
    (
        ("lk.input_text", "lk.user_transcript", "lk.chat_ctx", "lk.function_tool.output", "lk.response.text"),
        (),
        _livekit,
    ),
    (("events",), (), _logfire_events),
    (("mlflow.spanInputs", "mlflow.spanOutputs"), (), _pair("mlflow.spanInputs", "mlflow.spanOutputs")),
    (
        ("traceloop.entity.input", "traceloop.entity.output"),
        (),
        _pair("traceloop.entity.input", "traceloop.entity.output"),
    ),
    (("input.value", "output.value"), (), _pair("input.value", "output.value")),
    (("input", "output"), (), _pair("input", "output")),
    (("pydantic_ai.all_messages", "final_result"), (), _pydantic_ai),
    (("tool_arguments", "tool_response"), (), _pair("tool_arguments", "tool_response")),
    ((), ("gen_ai.prompt", "gen_ai.completion"), _spread("gen_ai.prompt", "gen_ai.completion")),
    ((), (openinference.INPUT, openinference.OUTPUT), _spread(openinference.INPUT, openinference.OUTPUT)),
    ((*_MESSAGES, *_TOOL_CALL), (), _messages),
)

#: attributes that are input or output and so are left out of the metadata
KEYS = frozenset(
    (
        "langfuse.observation.input",
        "langfuse.observation.output",
        "langfuse.trace.input",
        "langfuse.trace.output",
        "genkit:input",
        "genkit:output",
        "ai.response.text",
        *_AI_INPUT,
        *_AI_EMBEDDED,
        *_AI_OUTPUT,
        *_FLUE_INPUT,
        *_FLUE_OUTPUT,
        # The arguments of Pydantic AI's tools stay among the attributes, as upstream leaves them there.
        *(key for keys, _, _ in _RULES for key in keys if key not in ("tool_arguments", "tool_response")),
    )
)


def with_tools(given: Any, tools: list[Any]) -> Any:
    """Input with the tools that were offered, which some instrumentations send apart from the messages."""
    content = parsed(given)
    if isinstance(content, list):
        return {"messages": content, "tools": tools}
    if isinstance(content, dict):
        own = content.get("tools")
        known = own if isinstance(own, list) else []
        names = {name_of(tool) for tool in known}
        return {**content, "tools": [*known, *(tool for tool in tools if name_of(tool) not in names)]}
    return {"tools": tools} if given is None else {"prompt": given, "tools": tools}
