"""The trace context that a span was sent with, and its level: who, which session, where, which version."""

from __future__ import annotations

from typing import Any

from tracing.analytics.records import Level
from tracing.ingest.environment import DEFAULT, normalise_environment
from tracing.ingest.otlp.shape import ENVIRONMENT, Shape
from tracing.ingest.otlp.spans import Attributes, Span
from tracing.ingest.otlp.values import is_true, parsed, text_of
from tracing.ingest.text import as_text

_LEVELS = {
    alias: level.value
    for level, aliases in {
        Level.DEBUG: ("DEBUG", "TRACE", "VERBOSE"),
        Level.DEFAULT: ("DEFAULT", "INFO", "LOG", "NOTICE", "OK", "SUCCESS"),
        Level.WARNING: ("WARNING", "WARN"),
        Level.ERROR: ("ERROR", "FATAL", "CRITICAL"),
    }.items()
    for alias in aliases
}
_LIVEKIT_DEBUG = frozenset(
    (
        "user_speaking",
        "eou_detection",
        "llm_request_run",
        "tts_node",
        "tts_request",
        "tts_request_run",
        "tts_stream_adapter",
        "agent_speaking",
        "drain_agent_activity",
        "on_exit",
        "on_enter",
        "llm_fallback_adapter",
        "tts_fallback_adapter",
        "start_agent_activity",
    )
)


def first_text(attributes: Attributes, keys: tuple[str, ...]) -> str:
    """The first value that is not empty, zero or false, as text."""
    for key in keys:
        value = attributes[key]
        if value:
            return value if isinstance(value, str) else as_text(value)
    return ""


def name_of(span: Span, shape: Shape) -> str:
    attributes = span.attributes
    for key in shape.name:
        value = attributes[key]
        if key == "ai.operationId":
            function = attributes.get("ai.telemetry.functionId")
            return f"{text_of(function)}:{text_of(value)}" if function else text_of(value)
        if value or key in ("genkit:name", "ai.toolCall.name"):
            return text_of(value)
    return span.name


def tags_of(attributes: Attributes, shape: Shape) -> list[str]:
    value: Any = None
    for key in shape.tags:
        value = attributes[key]
        if value:
            break
    if isinstance(value, str):
        return _split_tags(value)
    return [text_of(tag) for tag in value] if isinstance(value, list) else []


def _split_tags(value: str) -> list[str]:
    if value.startswith("["):
        content = parsed(value)
        if isinstance(content, list):
            return [text_of(tag) for tag in content if tag is not None]
    if "," in value:
        return [tag for part in value.split(",") if (tag := part.strip())]
    return [value] if value else []


def public_of(attributes: Attributes, shape: Shape) -> bool | None:
    """None when nothing was said about it."""
    for key in shape.public:
        return is_true(attributes[key])
    return None


def environment_of(attributes: Attributes, resource: Attributes, *, is_own: bool = False) -> str:
    for key in ENVIRONMENT:
        value = attributes.get(key) or resource.get(key)
        if value:
            return normalise_environment(value, is_own=is_own)
    return DEFAULT


def level_of(span: Span, scope_name: str) -> str:
    given = span.attributes.get("langfuse.observation.level")
    if isinstance(given, str):
        level = _LEVELS.get(given.strip().upper())
        if level is not None:
            return level
    if span.has_failed:
        return Level.ERROR.value
    if scope_name == "livekit-agents" and span.name in _LIVEKIT_DEBUG:
        return Level.DEBUG.value
    return Level.DEFAULT.value
