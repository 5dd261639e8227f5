"""Google's Gemini, as AI Studio serves it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from prompts.llm.transport import Frame
from prompts.llm.types import Event, Finished, FinishReason, Message, TextDelta, ThinkingDelta, ToolCallDelta
from prompts.llm.wires.common import (
    THOUGHTS,
    Wire,
    conversation,
    given,
    guessed_type,
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

AI_STUDIO_URL = "https://generativelanguage.googleapis.com"
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_FILTERED = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE"})


class Gemini(Wire):
    def url(self) -> str:
        base = self.base_url(AI_STUDIO_URL)
        version = "" if httpx.URL(base).path.strip("/") else "/v1beta"
        model = quote(self.call.model.removeprefix("models/"), safe="")
        return f"{base}{version}/models/{model}:{self.method()}"

    def method(self) -> str:
        return "streamGenerateContent?alt=sse" if self.call.stream else "generateContent"

    def key_headers(self) -> dict[str, str]:
        return {"x-goog-api-key": self.connection.secret}

    def body(self) -> dict[str, Any]:
        call = self.call
        system = system_text(call.messages)
        return {
            "contents": together(_contents(conversation(call.messages)), "parts"),
            **given(
                systemInstruction={"parts": [{"text": system}]} if system else None,
                generationConfig=self._generation(),
                tools=self._tools(),
                toolConfig=self._tool_config(),
            ),
        }

    def _generation(self) -> dict[str, Any]:
        parameters, schema = self.call.parameters, self.call.output_schema
        effort, budget = parameters.reasoning_effort, parameters.reasoning_budget
        thinks = bool(effort) or budget is not None
        return given(
            temperature=parameters.temperature,
            topP=parameters.top_p,
            maxOutputTokens=parameters.max_tokens,
            stopSequences=list(parameters.stop),
            seed=parameters.seed,
            frequencyPenalty=parameters.frequency_penalty,
            presencePenalty=parameters.presence_penalty,
            thinkingConfig={"includeThoughts": True, **given(thinkingLevel=effort, thinkingBudget=budget)}
            if thinks
            else None,
            responseMimeType="application/json" if schema is not None else None,
            responseJsonSchema=schema,
        )

    def _tools(self) -> list[dict[str, Any]]:
        functions = [
            {"name": tool.name, "parametersJsonSchema": tool.parameters, **given(description=tool.description)}
            for tool in self.call.tools
        ]
        return [{"functionDeclarations": functions}] if functions else []

    def _tool_config(self) -> Any:
        choice = self.call.tool_choice
        if not choice:
            return None
        named = {"mode": "ANY", "allowedFunctionNames": [choice]}
        return {"functionCallingConfig": {"mode": _MODES[choice]} if choice in _MODES else named}

    def events(self, frames: Iterator[Frame]) -> Iterator[Event]:
        reading = _Reading(self.call.model)
        for _, data in frames:
            if isinstance(data, Mapping):
                if data.get("error"):
                    raise in_stream(data)
                yield from reading.events(data)
        if reading.reason:
            yield reading.finished()

    def frames_of(self, whole: Any) -> Iterable[Frame]:
        """Without `alt=sse`, as gateways may drop it, a stream is a list."""
        return [("", frame) for frame in (whole if isinstance(whole, list) else [whole])]


class _Reading:
    def __init__(self, model: str) -> None:
        self.model = model
        self.id = ""
        self.usage: Any = None
        self.reason = ""
        self._calls = 0

    def events(self, data: Mapping[str, Any]) -> Iterator[Event]:
        self.model = data.get("modelVersion") or self.model
        self.id = data.get("responseId") or self.id
        self.usage = data.get("usageMetadata") or self.usage
        self.reason = (data.get("promptFeedback") or {}).get("blockReason") or self.reason
        for candidate in data.get("candidates") or ():
            if candidate.get("index") in (0, None):
                for part in (candidate.get("content") or {}).get("parts") or ():
                    yield from self._part(part)
                self.reason = candidate.get("finishReason") or self.reason

    def _part(self, part: Mapping[str, Any]) -> Iterator[Event]:
        signature = part.get("thoughtSignature") or ""
        if call := part.get("functionCall"):
            # Always whole. Older models give no id; then the place stands for it.
            call_id = call.get("id") or f"call_{self._calls}"
            arguments = orjson.dumps(call.get("args") or {}).decode()
            yield ToolCallDelta(self._calls, call_id, call.get("name") or "", arguments, signature)
            self._calls += 1
        elif part.get("thought"):
            yield ThinkingDelta(part.get("text") or "", signature)
        elif text := part.get("text"):
            yield TextDelta(text)

    def finished(self) -> Finished:
        raw = {"id": self.id, "finish_reason": self.reason, "usage": self.usage}
        return Finished(usage_of(self.usage), self._reason(), self.model, raw)

    def _reason(self) -> FinishReason:
        if self.reason == "STOP":
            return FinishReason.TOOL_CALLS if self._calls else FinishReason.STOP
        if self.reason == "MAX_TOKENS":
            return FinishReason.LENGTH
        return FinishReason.REFUSAL if self.reason in _FILTERED else FinishReason.OTHER


def _contents(messages: Sequence[Message]) -> Iterator[dict[str, Any]]:
    names = {call_id: name for message in messages for call_id, name, *_ in tool_calls_of(message)}
    for message in messages:
        if message.get("role") == "tool":
            call_id = str(message.get("tool_call_id") or "")
            name = names.get(call_id) or str(message.get("name") or "")
            response = {"name": name, "response": _result(text_of(message))}
            yield {"role": "user", "parts": [{"functionResponse": response}]}
            continue
        parts = [_part(part) for part in parts_of(message) if part.get("type") not in THOUGHTS]
        parts += [_call_part(*call) for call in tool_calls_of(message)]
        yield {"role": "model" if message.get("role") == "assistant" else "user", "parts": parts}


def _call_part(call_id: str, name: str, arguments: dict[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    signature = ((entry.get("extra_content") or {}).get("google") or {}).get("thought_signature")
    return {"functionCall": {"name": name, "args": arguments}, **given(thoughtSignature=signature)}


def _result(text: str) -> dict[str, Any]:
    """A result has to be an object."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = text
    return found if isinstance(found, dict) else {"result": found}


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"text": part.get("text") or ""}
    url = image_url(part)
    data = image_data(url)
    if data is None:
        return {"fileData": {"mimeType": guessed_type(url), "fileUri": url}}
    return {"inlineData": {"mimeType": data[0], "data": data[1]}}
