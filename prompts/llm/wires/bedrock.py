"""Amazon Bedrock's converse, signed with AWS's own code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson
from django.conf import settings

from prompts.llm.transport import Frame, Request
from prompts.llm.types import Event, Finished, FinishReason, Message, TextDelta, ThinkingDelta, ToolCallDelta
from prompts.llm.wires.common import (
    STOP_REASONS,
    Wire,
    cannot,
    conversation,
    given,
    image_data,
    image_url,
    parts_of,
    system_text,
    text_of,
    together,
    tool_calls_of,
    usage_of,
    wrong_setup,
)

#: stands for the secret where this machine's own identity is meant, as clients write it
MACHINE = "__BEDROCK_DEFAULT_CREDENTIALS__"
REGION = re.compile(r"[a-z]{2}[a-z-]{0,20}-\d{1,2}", re.ASCII)
_CHOICES: dict[str, dict[str, Any]] = {"auto": {"auto": {}}, "required": {"any": {}}}
_FORMATS = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_REASONS = {
    **STOP_REASONS,
    "guardrail_intervened": FinishReason.REFUSAL,
    "content_filtered": FinishReason.REFUSAL,
}


class Bedrock(Wire):
    unsupported = ("seed", "frequency_penalty", "presence_penalty")

    def url(self) -> str:
        base = self.base_url(f"https://bedrock-runtime.{self._region()}.amazonaws.com")
        method = "converse-stream" if self.call.stream else "converse"
        return f"{base}/model/{quote(self.call.model, safe='')}/{method}"

    def _region(self) -> str:
        region = str(self.connection.option("region") or "")
        if not REGION.fullmatch(region):
            raise wrong_setup("Bedrock needs a region, such as eu-central-1.")
        return region

    def key_headers(self) -> dict[str, str]:
        key = credentials(self.connection.secret).get("apiKey")
        return {"Authorization": f"Bearer {key}"} if key else {}

    def request(self) -> Request:
        plain = super().request()
        kind = "application/vnd.amazon.eventstream" if self.call.stream else "application/json"
        headers = {**plain.headers, "Accept": kind}
        if "Authorization" not in headers:
            headers |= self._signature(plain)
        return Request(plain.url, headers, plain.body)

    def _signature(self, request: Request) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        given_keys = credentials(self.connection.secret)
        if self.connection.secret == MACHINE:
            keys = _machine_keys()
        else:
            keys = Credentials(
                given_keys["accessKeyId"], given_keys["secretAccessKey"], given_keys.get("sessionToken") or None
            )
        to_sign = AWSRequest("POST", request.url, {"Content-Type": "application/json"}, request.body)
        SigV4Auth(keys, "bedrock", self._region()).add_auth(to_sign)
        return dict(to_sign.headers.items())

    def body(self) -> dict[str, Any]:
        call, parameters = self.call, self.call.parameters
        system = system_text(call.messages)
        budget = parameters.reasoning_budget
        return {
            "messages": together((_message(message) for message in conversation(call.messages)), "content"),
            **given(
                system=[{"text": system}] if system else None,
                inferenceConfig=given(
                    maxTokens=parameters.max_tokens,
                    temperature=parameters.temperature,
                    topP=parameters.top_p,
                    stopSequences=list(parameters.stop),
                ),
                toolConfig=self._tools(),
                additionalModelRequestFields={"thinking": {"type": "enabled", "budget_tokens": budget}}
                if budget
                else None,
                outputConfig=given(effort=parameters.reasoning_effort, textFormat=self._format()),
            ),
        }

    def _tools(self) -> dict[str, Any]:
        choice = self.call.tool_choice
        if choice == "none" and self.call.tools:
            raise cannot("Bedrock cannot be told to call no tool: take the tools away instead.")
        tools = [
            {
                "toolSpec": {
                    "name": tool.name,
                    "inputSchema": {"json": tool.parameters},
                    **given(description=tool.description),
                }
            }
            for tool in self.call.tools
        ]
        chosen = _CHOICES.get(choice) or ({"tool": {"name": choice}} if choice and choice != "none" else None)
        return given(tools=tools, toolChoice=chosen) if tools else {}

    def _format(self) -> Any:
        schema = self.call.output_schema
        if schema is None:
            return None
        json_schema = {"name": "answer", "schema": orjson.dumps(schema).decode()}
        return {"type": "json_schema", "structure": {"jsonSchema": json_schema}}

    def events(self, frames: Iterator[Frame]) -> Iterator[Event]:
        reason, usage = "", None
        for kind, data in frames:
            if not isinstance(data, Mapping):
                continue
            if kind in ("contentBlockStart", "contentBlockDelta"):
                yield from _piece(int(data.get("contentBlockIndex") or 0), data.get("start") or data.get("delta") or {})
            elif kind == "messageStop":
                reason = data.get("stopReason") or "unknown"
            elif kind == "metadata":
                usage = data.get("usage")
        # The counts come after the end, and an answer without them is whole, too.
        if reason:
            raw = {"id": "", "finish_reason": reason, "usage": usage}
            yield Finished(usage_of(usage), _REASONS.get(reason, FinishReason.OTHER), self.call.model, raw)

    def frames_of(self, whole: Any) -> Iterable[Frame]:
        if not isinstance(whole, Mapping):
            return
        blocks = ((whole.get("output") or {}).get("message") or {}).get("content") or ()
        for index, block in enumerate(blocks):
            if use := block.get("toolUse"):
                yield "contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": use}}
                block = {"toolUse": {"input": orjson.dumps(use.get("input") or {}).decode()}}
            yield "contentBlockDelta", {"contentBlockIndex": index, "delta": block}
        if whole.get("stopReason"):
            yield "messageStop", whole
        yield "metadata", whole


def credentials(secret: str) -> dict[str, str]:
    """Either `accessKeyId` and `secretAccessKey` (and `sessionToken`), or `apiKey`; empty for the machine's own. Raises
    ProviderError for anything else."""
    if secret == MACHINE:
        return {}
    try:
        found = json.loads(secret)
    except (ValueError, RecursionError):
        found = None
    texts = {k: v for k, v in found.items() if isinstance(v, str) and v} if isinstance(found, dict) else {}
    if not texts.get("apiKey") and not (texts.get("accessKeyId") and texts.get("secretAccessKey")):
        raise wrong_setup("The secret is JSON: {accessKeyId, secretAccessKey}, or {apiKey}.")
    return texts


def _machine_keys() -> Any:
    from botocore.session import Session

    if not settings.MACHINE_CREDENTIALS_ALLOWED:
        raise wrong_setup("This machine's own identity may not be used: SPANWISE_MACHINE_CREDENTIALS is off.")
    keys = Session().get_credentials()
    if keys is None:
        raise wrong_setup("This machine has no identity at AWS.")
    return keys.get_frozen_credentials()


def _piece(index: int, block: Mapping[str, Any]) -> Iterator[Event]:
    if text := block.get("text"):
        yield TextDelta(text)
    if use := block.get("toolUse"):
        arguments = use.get("input")
        told = arguments if isinstance(arguments, str) else ""
        yield ToolCallDelta(index, use.get("toolUseId") or "", use.get("name") or "", told)
    if thought := block.get("reasoningContent"):
        thought = thought.get("reasoningText") or thought
        yield ThinkingDelta(thought.get("text") or "", thought.get("signature") or "")


def _message(message: Message) -> dict[str, Any]:
    role = message.get("role")
    if role == "tool":
        result = {"toolUseId": message.get("tool_call_id") or "", "content": [{"text": text_of(message)}]}
        return {"role": "user", "content": [{"toolResult": result}]}
    content = [_part(part) for part in parts_of(message)]
    content += [
        {"toolUse": {"toolUseId": call_id, "name": name, "input": arguments}}
        for call_id, name, arguments, _ in tool_calls_of(message)
    ]
    return {"role": "assistant" if role == "assistant" else "user", "content": content}


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"text": part.get("text") or ""}
    if part.get("type") == "thinking":
        thought = {"text": part.get("thinking") or "", **given(signature=part.get("signature"))}
        return {"reasoningContent": {"reasoningText": thought}}
    data = image_data(image_url(part))
    if data is None or data[0] not in _FORMATS:
        raise cannot("Bedrock takes images as data (PNG, JPEG, GIF, WebP), not by their address.")
    return {"image": {"format": _FORMATS[data[0]], "source": {"bytes": data[1]}}}
