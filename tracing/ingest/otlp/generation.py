"""What only calls of models have: model, parameters, prompt, and when the first token came."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from tracing.ingest.otlp.shape import FIRST_TOKEN, Shape
from tracing.ingest.otlp.spans import Attributes, SpanEvent
from tracing.ingest.otlp.values import number_of, parsed, parsed_object, text_of, time_from_ns, time_from_text
from tracing.ingest.text import as_text

_LANGFUSE_PARAMETERS = "langfuse.observation.model.parameters"
_LARGEST_PROMPT_VERSION = 65_535
#: characters of model parameters worth remembering
_LARGEST_REMEMBERED = 1_000
_LONGEST_WAIT_MS = 366 * 86_400_000
#: what instrumentations that name no time call the moments at which pieces of a streamed answer came
_FIRST_TOKEN_EVENTS = frozenset(
    ("First Token Stream Event", "gen_ai.content.completion.chunk", "llm.content.completion.chunk")
)
#: parameter -> attributes of the AI SDK, first found
_AI_SDK = {
    "maxSteps": ("ai.settings.maxSteps",),
    "toolChoice": ("ai.prompt.toolChoice",),
    "maxTokens": ("gen_ai.request.max_tokens",),
    "finishReason": ("gen_ai.response.finish_reasons", "gen_ai.finishReason"),
    "system": ("gen_ai.system", "ai.model.provider"),
    "maxRetries": ("ai.settings.maxRetries",),
    "mode": ("ai.settings.mode",),
    "temperature": ("gen_ai.request.temperature",),
}


def model_of(attributes: Attributes, shape: Shape) -> str:
    for key in shape.model:
        value = attributes[key]
        if value:
            return value if isinstance(value, str) else as_text(value)
    if attributes.get("genkit:metadata:subtype") == "model":
        return text_of(attributes.get("genkit:name"))
    return ""


def parameters_of(attributes: Attributes, shape: Shape, scope_name: str) -> str:
    """Model parameters as the text of a JSON object, "" when there are none."""
    if scope_name == "ai":
        return as_text(_ai_sdk(attributes))
    if scope_name == "genkit-tracer" and _LANGFUSE_PARAMETERS not in attributes:
        return _text(_genkit(attributes))
    for key in shape.parameters_given:
        given = attributes[key]
        text = _explicit(given) if isinstance(given, str) and len(given) <= _LARGEST_REMEMBERED else _text_of(given)
        if text is not None:
            return text
    if shape.parameters:
        return _text({name: attributes[key] for key, name in shape.parameters})
    return ""


def _text_of(given: Any) -> str | None:
    content = parsed_object(given)
    return None if content is None else _text(content)


@lru_cache(maxsize=1024)
def _explicit(given: str) -> str | None:
    """An application sends the same parameters all the time."""
    return _text_of(given)


def _text(parameters: dict[str, Any]) -> str:
    return as_text({name: _plain(value) for name, value in parameters.items()}) if parameters else ""


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else _json(value)


def _json(value: Any) -> str:
    return "null" if value is None else as_text(value)


def _genkit(attributes: Attributes) -> dict[str, Any]:
    config = (parsed_object(attributes.get("genkit:input")) or {}).get("config")
    if config is None:
        request = (parsed_object(attributes.get("genkit:output")) or {}).get("request")
        config = request.get("config") if isinstance(request, dict) else None
    return config if isinstance(config, dict) else {}


def _ai_sdk(attributes: Attributes) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        name: _text_or_none(next((attributes[key] for key in keys if key in attributes), None))
        for name, keys in _AI_SDK.items()
    }
    provider = parsed_object(attributes.get("ai.response.providerMetadata")) or {}
    openai = provider.get("openai")
    tier = openai.get("serviceTier") if isinstance(openai, dict) else None
    if not isinstance(tier, str):
        tier = attributes.get("gen_ai.request.service_tier")
    parameters["service_tier"] = _text_or_none(tier)
    explicit = parsed_object(attributes.get(_LANGFUSE_PARAMETERS)) or {}
    return parameters | {name: _plain(value) for name, value in explicit.items()}


def _text_or_none(value: Any) -> str | None:
    return None if value is None else text_of(value)


def prompt_of(attributes: Attributes) -> tuple[str, int | None]:
    name = attributes.get("langfuse.observation.prompt.name", attributes.get("langfuse.prompt.name"))
    version = attributes.get("langfuse.observation.prompt.version", attributes.get("langfuse.prompt.version"))
    if name is None or version is None:
        linked = parsed_object(attributes.get("ai.telemetry.metadata.langfusePrompt")) or {}
        name = linked.get("name") if name is None else name
        version = linked.get("version") if version is None else version
    number = number_of(version)
    is_version = number is not None and number == int(number) and 0 <= number <= _LARGEST_PROMPT_VERSION
    return ("" if name is None else text_of(name)), (int(number) if is_version and number is not None else None)


def completion_start_of(
    attributes: Attributes, events: list[SpanEvent], shape: Shape, start: datetime
) -> datetime | None:
    given = attributes.get("langfuse.observation.completion_start_time")
    if given is not None:
        # Some SDKs encode the date as JSON twice.
        time = time_from_text(given) or time_from_text(parsed(given))
        if time is not None:
            return time
    for key in shape.first_token:
        wait = number_of(attributes[key])
        if wait is not None and 0 <= (milliseconds := wait * FIRST_TOKEN[key]) <= _LONGEST_WAIT_MS:
            return start + timedelta(milliseconds=math.ceil(milliseconds))
    times = [time_from_ns(event.time_ns) for event in events if event.name in _FIRST_TOKEN_EVENTS]
    return min((time for time in times if time is not None and time >= start), default=None)
