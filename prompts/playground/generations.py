"""A generation that was traced, as a window: what it was sent, whichever client wrote it down."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from django.core.files.storage import default_storage

from accounts.access import ProjectScope
from prompts.playground.origins import (
    choice_in,
    connection_for,
    parameters_in,
    schema_in,
    tools_in,
)
from prompts.playground.state import Window, empty_window
from prompts.playground.traces import ENVIRONMENT
from tracing.analytics.records import Observation
from tracing.models import Media as StoredMedia
from tracing.views import conversation
from tracing.views.conversation import (
    Data,
    Media,
    Message,
    Number,
    Refusal,
    Structured,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

_ROLES = ("system", "developer", "user", "assistant", "tool")
_PLAIN_FIELDS = frozenset(("role", "content", "name", "tool_calls", "tool_call_id"))
_PLAIN_PARTS = frozenset(("text", "image_url", "thinking", "redacted_thinking", "input_audio", "file"))
_REFERENCE = "@@@langfuseMedia:"
#: where clients put parameters, beside those that stand alone
_NESTED = (
    "generationConfig",
    "generation_config",
    "config",
    "inferenceConfig",
    "reasoning",
    "thinking",
    "thinkingConfig",
    "thinking_config",
    "text",
)
#: a picture is put into the window as it is: the whole window must fit
_MOST_PICTURE_BYTES = 2_500_000


def window_of_generation(scope: ProjectScope, observation: Observation, *, with_output: bool = False) -> Window:
    """Messages, tools, schema, parameters and model as they were; a connection over which the model can be called."""
    given = conversation.read(observation.input)
    beside = given.rest if given.kind == "messages" else {}
    told = _object(observation.model_parameters)
    settings = {**_flat(beside), **_flat(told)}
    messages = _Messages(scope).of(given)
    if with_output:
        messages += _Messages(scope, messages).of(conversation.read(observation.output, default_role="assistant"))
    model = _model(observation)
    return empty_window(
        "a",
        model=model,
        connection=connection_for(scope, observation.metadata.get("connection", ""), model),
        messages=[{**message, "id": f"m{place}"} for place, message in enumerate(messages, start=1)],
        parameters=parameters_in(_effort(settings)),
        tools=_tools(observation, settings),
        tool_choice=choice_in(_parsed(settings.get("tool_choice", settings.get("toolChoice", "")))),
        output_schema=_schema(settings),
        source={"trace_id": observation.trace_id, "observation_id": observation.id},
        **({"prompt": _prompt(observation)} if observation.prompt_name else {}),
    )


def _model(observation: Observation) -> str:
    """Of a playground's own run the one that was asked for, which is what can be asked again."""
    if observation.environment == ENVIRONMENT:
        return observation.metadata.get("requested_model") or observation.model
    return observation.model


def _prompt(observation: Observation) -> dict[str, Any] | None:
    version = observation.prompt_version
    return {"name": observation.prompt_name, "version": version} if version and version > 0 else None


# --- What goes with the messages -------------------------------------------------------------------------
def _object(text: str) -> dict[str, Any]:
    found = _parsed(text)
    return found if isinstance(found, dict) else {}


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _flat(found: Mapping[str, Any]) -> dict[str, Any]:
    """With what is nested in objects beside it."""
    flat = dict(found)
    for name in _NESTED:
        inner = _parsed(found.get(name))
        if isinstance(inner, dict):
            flat = {**_flat(inner), **flat}
    return flat


def _effort(settings: dict[str, Any]) -> dict[str, Any]:
    if isinstance(settings.get("effort"), str):
        return {"reasoning_effort": settings["effort"], **settings}
    return settings


def _tools(observation: Observation, settings: Mapping[str, Any]) -> list[dict[str, str]]:
    """Those beside the messages, as they were written; else those that ingestion found."""
    found = tools_in(_parsed(settings.get("tools"))) or tools_in(_parsed(settings.get("functions")))
    return found or tools_in([_object(text) for text in observation.tool_definitions.values()])


def _schema(settings: Mapping[str, Any]) -> dict[str, str] | None:
    """Gemini and the responses API have names of their own for it."""
    found = schema_in(settings)
    if found is not None:
        return found
    for name in ("format", "responseJsonSchema", "responseSchema", "schema"):
        given = _parsed(settings.get(name))
        if isinstance(given, dict) and (given.get("type") in ("json_schema", "object", "OBJECT") or "schema" in given):
            return schema_in({"json_schema": given if "schema" in given else {"schema": given}})
    return None


# --- Messages --------------------------------------------------------------------------------------------
class _Messages:
    """Reads one field's messages. Calls without an id, as Gemini has them, are given one, and so are their results."""

    def __init__(self, scope: ProjectScope, before: Iterable[Mapping[str, Any]] = ()) -> None:
        self._scope = scope
        self._calls = sum(len(message.get("tool_calls") or ()) for message in before)
        #: name of a tool -> ids of calls that wait for a result
        self._open: dict[str, list[str]] = {}

    def of(self, given: conversation.Content) -> list[dict[str, Any]]:
        if given.kind == "empty":
            return []
        if given.kind != "messages":
            return [{"role": "user", "content": given.text or given.raw}]
        plain = self._plain(given.value)
        if plain is not None:
            return plain
        return [found for message in given.messages for found in self._converted(message)]

    # --- As OpenAI's chat has them: nothing needs to be read
    def _plain(self, value: Any) -> list[dict[str, Any]] | None:
        """The very messages, where all of them are in the shape that the playground has; else None."""
        items = value.get("messages") if isinstance(value, dict) else value
        if isinstance(value, dict) and (
            not isinstance(items, list) or any(value.get(name) for name in ("system", "instructions"))
        ):
            return None
        if not isinstance(items, list):
            return None
        found = [_as_plain(item) for item in items]
        if not found or any(message is None for message in found):
            return None
        return [self._with_pictures(message) for message in found if message is not None]

    def _with_pictures(self, message: dict[str, Any]) -> dict[str, Any]:
        content = message["content"]
        if not isinstance(content, list):
            return message
        return {**message, "content": [self._with_picture(part) for part in content]}

    def _with_picture(self, part: dict[str, Any]) -> dict[str, Any]:
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        if part["type"] != "image_url" or not isinstance(url, str):
            return part
        stored = next(conversation.media_in(url), None)
        rest = {name: value for name, value in image.items() if name != "url"} if isinstance(image, dict) else {}
        return {**part, "image_url": {"url": self._address(stored) if stored else url, **rest}}

    # --- In any other shape
    def _converted(self, message: Message) -> Iterator[dict[str, Any]]:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        for result in results:
            yield {"role": "tool", "tool_call_id": self._answered(result), "content": _text(result.content)}
        said = [part for part in message.parts if not isinstance(part, ToolResult)]
        if not said and results:
            return
        role = message.role if message.role in _ROLES else message.role or "user"
        if role == "tool" and results:
            role = "user"  # files that came with a result
        found: dict[str, Any] = {"role": role, "content": self._content(said)}
        calls = [self._call(part) for part in said if isinstance(part, ToolCall)]
        if calls:
            found["tool_calls"] = calls
        if message.name:
            found["name"] = message.name
        yield found

    def _content(self, parts: Iterable[conversation.Part]) -> Any:
        found = [made for part in parts if (made := self._part(part)) is not None]
        if all(part["type"] == "text" for part in found) and len(found) <= 1:
            return found[0]["text"] if found else ""
        return found

    def _part(self, part: conversation.Part) -> dict[str, Any] | None:
        match part:
            case Text() | Structured() | Refusal():
                return {"type": "text", "text": part.text}
            case Thinking(is_redacted=True):
                return {"type": "redacted_thinking", "data": part.signature} if part.signature else None
            case Thinking():
                return {"type": "thinking", "thinking": part.text, "signature": part.signature}
            case Media():
                return self._file(part)
            case Data():
                return {"type": "text", "text": _text(part.value)}
        return None

    def _file(self, media: Media) -> dict[str, Any]:
        url = self._address(media)
        if media.family in ("image", "") and url:
            return {"type": "image_url", "image_url": {"url": url}}
        held = {name: value for name, value in (("filename", media.name), ("url", media.address)) if value}
        return {"type": "file", "file": {"content_type": media.content_type, **held}}

    def _address(self, media: Media) -> str:
        """Where a picture is, or all of it; empty for one that is not there any more, or too large for a window."""
        if not media.media_id:
            return media.data_uri or media.address
        mine = StoredMedia.objects.filter(project_id=self._scope.project_id, uploaded_at__isnull=False)
        stored = mine.filter(media_id=media.media_id).first() if "\x00" not in media.media_id else None
        if stored is None or stored.content_length > _MOST_PICTURE_BYTES:
            return ""
        if not default_storage.exists(stored.storage_key):
            return ""
        with default_storage.open(stored.storage_key) as file:
            return f"data:{stored.content_type};base64,{base64.b64encode(file.read()).decode()}"

    def _call(self, call: ToolCall) -> dict[str, Any]:
        call_id = call.id or f"call_{self._calls}"
        self._calls += 1
        self._open.setdefault(call.name, []).append(call_id)
        arguments = "{}" if call.arguments is None else _text(call.arguments)
        part: dict[str, Any] = {
            "id": call_id,
            "type": "function",
            "function": {"name": call.name, "arguments": arguments},
        }
        if call.signature:
            part["extra_content"] = {"google": {"thought_signature": call.signature}}
        return part

    def _answered(self, result: ToolResult) -> str:
        if result.id:
            return result.id
        waiting = self._open.get(result.name) or next((ids for ids in self._open.values() if ids), [])
        return waiting.pop(0) if waiting else ""


def _as_plain(item: Any) -> dict[str, Any] | None:
    if not isinstance(item, dict) or item.get("role") not in _ROLES:
        return None
    said = {name: value for name, value in item.items() if value not in (None, [], {})}
    if not said.keys() <= _PLAIN_FIELDS:
        return None
    content = said.get("content", "")
    if isinstance(content, str):
        is_plain = _REFERENCE not in content
    else:
        is_plain = isinstance(content, list) and all(_is_plain_part(part) for part in content)
    if not is_plain or not all(_is_plain_call(call) for call in said.get("tool_calls", ())):
        return None
    return {**said, "content": content}


def _is_plain_part(part: Any) -> bool:
    if not isinstance(part, dict) or part.get("type") not in _PLAIN_PARTS:
        return False
    return part["type"] != "text" or (isinstance(part.get("text"), str) and _REFERENCE not in part["text"])


def _is_plain_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return (
        isinstance(function, dict)
        and isinstance(function.get("name"), str)
        and isinstance(function.get("arguments"), str)
        and isinstance(call.get("id"), str)
    )


def _text(value: Any) -> str:
    return (
        value
        if isinstance(value, str) and not isinstance(value, Number)
        else json.dumps(_exact(value), ensure_ascii=False)
    )


def _exact(value: Any) -> Any:
    """Numbers that were kept in their digits as numbers again."""
    if isinstance(value, Number):
        try:
            return int(value)
        except ValueError:
            return float(value)
    if isinstance(value, dict):
        return {name: _exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    return value
