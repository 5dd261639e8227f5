"""OpenAI's chat completions, which most others speak, too; and Azure's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import orjson

from prompts.llm.transport import Frame
from prompts.llm.types import Event, Finished, FinishReason, Message, TextDelta, ThinkingDelta, ToolCallDelta
from prompts.llm.wires.common import (
    THOUGHTS,
    Wire,
    cannot,
    given,
    in_stream,
    is_strict,
    parts_of,
    usage_of,
    wrong_setup,
)

OPENAI_URL = "https://api.openai.com/v1"
_AZURE_VERSION = "2025-04-01-preview"
_REASONS = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.REFUSAL,
}


class OpenAiChat(Wire):
    @property
    def is_compatible_only(self) -> bool:
        """Another server than OpenAI's own: it may not know what is new there."""
        return "api.openai.com" not in self.base_url(OPENAI_URL)

    def url(self) -> str:
        return f"{openai_base(self)}/chat/completions"

    def key_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.connection.secret}"}

    def body(self) -> dict[str, Any]:
        call, parameters = self.call, self.call.parameters
        if parameters.reasoning_budget is not None:
            raise cannot("Thinking is set by reasoning effort here, and has no budget.")
        # Models that think refuse the old word, most other servers do not know the new one.
        most = "max_tokens" if self.is_compatible_only else "max_completion_tokens"
        return {
            "model": call.model,
            "messages": [self._message(message) for message in call.messages],
            **({"stream": True, "stream_options": {"include_usage": True}} if call.stream else {}),
            **given(
                temperature=parameters.temperature,
                top_p=parameters.top_p,
                stop=list(parameters.stop),
                seed=parameters.seed,
                frequency_penalty=parameters.frequency_penalty,
                presence_penalty=parameters.presence_penalty,
                reasoning_effort=parameters.reasoning_effort,
                tools=[self._tool(tool) for tool in call.tools],
                tool_choice=self._tool_choice(),
                response_format=self._format(),
            ),
            **given(**{most: parameters.max_tokens}),
        }

    def _message(self, message: Message) -> dict[str, Any]:
        found = dict(message)
        if found.get("role") == "developer" and self.is_compatible_only:
            found["role"] = "system"
        if isinstance(found.get("content"), list):
            found["content"] = [part for part in parts_of(message) if part.get("type") not in THOUGHTS]
        if found.get("tool_calls") and not found.get("content"):
            found["content"] = None
        return found

    def _tool(self, tool: Any) -> dict[str, Any]:
        function = {"name": tool.name, "parameters": tool.parameters, **given(description=tool.description)}
        return {"type": "function", "function": function}

    def _tool_choice(self) -> Any:
        choice = self.call.tool_choice
        if choice in ("", "auto", "none", "required"):
            return choice
        return {"type": "function", "function": {"name": choice}}

    def _format(self) -> Any:
        schema = self.call.output_schema
        if schema is None:
            return None
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": is_strict(schema)}}

    def events(self, frames: Iterator[Frame]) -> Iterator[Event]:
        reading = _Reading(self.call.model)
        for name, data in frames:
            if name == "[DONE]":
                break
            if not isinstance(data, Mapping):
                continue
            if name == "error" or data.get("error"):
                raise in_stream(data)
            yield from reading.events(data)
        if reading.reason:
            yield reading.finished()

    def frames_of(self, whole: Any) -> Iterable[Frame]:
        if not isinstance(whole, Mapping):
            return
        choices = whole.get("choices")
        if isinstance(choices, list):
            choices = [{**one, "delta": one.get("message")} for one in choices if isinstance(one, Mapping)]
        yield "", {**whole, "choices": choices}


class _Reading:
    def __init__(self, model: str) -> None:
        self.model = model
        self.id = ""
        self.usage: Any = None
        self.reason = ""
        self.has_refused = False
        self._call_ids: list[str] = []

    def events(self, data: Mapping[str, Any]) -> Iterator[Event]:
        self.model = data.get("model") or self.model
        self.id = data.get("id") or self.id
        self.usage = data.get("usage") or self.usage
        for choice in data.get("choices") or ():
            if choice.get("index") in (0, None):
                yield from self._delta(choice.get("delta") or {})
                self.reason = choice.get("finish_reason") or self.reason
                self.usage = choice.get("usage") or self.usage  # Moonshot's place for it

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[Event]:
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            yield ThinkingDelta(_text(thought))
        if text := delta.get("content"):
            yield TextDelta(_text(text))
        if refusal := delta.get("refusal"):
            self.has_refused = True
            yield TextDelta(_text(refusal), is_refusal=True)
        for call in delta.get("tool_calls") or ():
            function = call.get("function") or {}
            index = self._index(call)
            yield ToolCallDelta(
                index, call.get("id") or "", function.get("name") or "", _text(function.get("arguments") or "")
            )

    def _index(self, call: Mapping[str, Any]) -> int:
        """Some servers do not number calls: then each that has a new id is a new one."""
        if isinstance(call.get("index"), int):
            return int(call["index"])
        call_id = call.get("id") or (self._call_ids[-1] if self._call_ids else "")
        if call_id not in self._call_ids:
            self._call_ids.append(call_id)
        return self._call_ids.index(call_id)

    def finished(self) -> Finished:
        reason = FinishReason.REFUSAL if self.has_refused else _REASONS.get(self.reason, FinishReason.OTHER)
        raw = {"id": self.id, "finish_reason": self.reason, "usage": self.usage}
        return Finished(usage_of(self.usage), reason, self.model, raw)


def _text(value: Any) -> str:
    """Some send arguments as an object, and content as parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_text(part.get("text") or "") for part in value if isinstance(part, Mapping))
    return orjson.dumps(value).decode()


def openai_base(wire: Wire) -> str:
    """Whoever types `http://localhost:11434` means what all servers of this kind have below /v1."""
    base = wire.base_url(OPENAI_URL)
    return base if httpx.URL(base).path.strip("/") else f"{base}/v1"


class AzureChat(OpenAiChat):
    """A resource (`https://name.openai.azure.com`) with deployments named like models, or its newer `/openai/v1`."""

    @property
    def is_compatible_only(self) -> bool:
        return False

    def url(self) -> str:
        if not self.connection.base_url:
            raise wrong_setup("Azure OpenAI needs the address of the resource as base URL.")
        base = httpx.URL(self.connection.base_url)
        path, query = base.path.rstrip("/"), dict(base.params)
        if not path.endswith("/v1"):
            query.setdefault("api-version", _AZURE_VERSION)
            deployments = "" if path.endswith("/deployments") else "/openai/deployments"
            path = f"{path}{deployments}/{quote(self.call.model, safe='')}"
        root = str(base.copy_with(path="/", query=None)).rstrip("/")
        return f"{root}{path}/chat/completions{'?' + urlencode(query) if query else ''}"

    def key_headers(self) -> dict[str, str]:
        return {"api-key": self.connection.secret}
