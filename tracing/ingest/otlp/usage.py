"""Tokens and costs that a span reports, in the dialects of its instrumentation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tracing.ingest.otlp.shape import Shape
from tracing.ingest.otlp.spans import Attributes
from tracing.ingest.otlp.values import number_of, parsed, parsed_object
from tracing.ingest.usage import clean_cost, clean_usage

Numbers = dict[str, int | float]

_LARGEST_COUNT = 2**63 - 1
_LANGFUSE = "langfuse.observation.usage_details"
_VERTEX_RESPONSE = "gcp.vertex.agent.llm_response"

#: entry -> names it is sent under, in order of precedence
_ENTRIES = {
    "input": ("prompt_tokens", "input_tokens", "prompt"),
    "output": ("completion_tokens", "output_tokens", "completion"),
    "total": ("total_tokens", "total"),
    "input_cached_tokens": (
        "cache_read.input_tokens",
        "cache_read_input_tokens",
        "cache_read_tokens",
        "details.cache_read_tokens",
        "details.cache_read_input_tokens",
        "prompt_details.cache_read",
        "input_cached_tokens",
    ),
    "input_cache_creation": (
        "cache_creation.input_tokens",
        "cache_creation_input_tokens",
        "cache_write_tokens",
        "details.cache_write_tokens",
        "details.cache_creation_input_tokens",
        "prompt_details.cache_write",
        "input_cache_creation",
    ),
    "output_reasoning_tokens": ("reasoning.output_tokens", "completion_details.reasoning"),
    "input_audio_tokens": ("prompt_details.audio",),
    "output_audio_tokens": ("completion_details.audio",),
}
_SUBTRACTIONS = {
    "input": ("input_cached_tokens", "input_cache_creation", "input_audio_tokens"),
    "output": ("output_reasoning_tokens", "output_audio_tokens"),
}
_KNOWN = frozenset(name for names in _ENTRIES.values() for name in names)

_OPENAI_DETAILS = {
    "cachedPromptTokens": "input_cached_tokens",
    "acceptedPredictionTokens": "accepted_prediction_tokens",
    "rejectedPredictionTokens": "rejected_prediction_tokens",
    "reasoningTokens": "output_reasoning_tokens",
}
_ANTHROPIC_DETAILS = {
    "cache_creation_input_tokens": "input_cache_creation",
    "cache_read_input_tokens": "input_cached_tokens",
}
_ANTHROPIC_CREATION = {
    "ephemeral_5m_input_tokens": "input_cache_creation_5m",
    "ephemeral_1h_input_tokens": "input_cache_creation_1h",
}
_BEDROCK_DETAILS = {
    "cacheReadInputTokens": "input_cache_read",
    "cacheWriteInputTokens": "input_cache_write",
    "cacheCreationInputTokens": "input_cache_creation",
}
_AI_EMBEDDINGS = frozenset(("ai.embed.doEmbed", "ai.embedMany.doEmbed"))
_AI_INPUT_PARTS = (
    "input_cached_tokens",
    "input_cache_creation",
    "input_cache_creation_5m",
    "input_cache_creation_1h",
    "input_cache_read",
)


def usage_of(attributes: Attributes, shape: Shape, scope_name: str) -> dict[str, int]:
    if _LANGFUSE in attributes:
        given = attributes[_LANGFUSE]
        content = parsed(given)
        # Text that is no JSON says nothing; JSON that is no object says "none".
        if content is not None:
            return clean_usage(content)
    if scope_name == "genkit-tracer":
        return _counts(_genkit(attributes))
    if scope_name == "ai":
        return _counts(_ai_sdk(attributes))
    usage = _generic(attributes, shape) if shape.usage else {}
    if scope_name == "gcp.vertex.agent" and _VERTEX_RESPONSE in attributes:
        _add_vertex_cache(usage, attributes[_VERTEX_RESPONSE])
    return _counts(usage) if usage else {}


def cost_of(attributes: Attributes, shape: Shape) -> dict[str, Decimal]:
    for key in shape.cost:
        value = attributes[key]
        if key == "langfuse.observation.cost_details":
            content = parsed_object(value)
            if content is not None:
                return clean_cost(content)
        elif value not in (None, "", []):
            return clean_cost({"total": number_of(value)})
    return {}


def _counts(usage: Numbers) -> dict[str, int]:
    """What can be a count of units; see `tracing.ingest.usage`, whose OpenAI shapes cannot occur here."""
    return {
        key: int(count)
        for key, count in usage.items()
        if 0 <= count <= _LARGEST_COUNT and (type(count) is int or count == int(count))
    }


def _generic(attributes: Attributes, shape: Shape) -> Numbers:
    """See `_Plan`: what each entry comes from is known from the names alone."""
    plan: _Plan | None = shape.usage_plan
    if plan is None:
        plan = shape.usage_plan = _Plan(shape.usage)
    usage: Numbers = {}
    for target, keys in plan.entries:
        for key in keys:
            value = attributes[key]
            number = value if type(value) is int else number_of(value)
            if number is not None:
                usage[target] = number
                break
    # Providers count cached and reasoning tokens within input and output: apart, or they are paid for twice.
    for whole, parts in plan.subtractions:
        _put(usage, whole, _less(usage.get(whole), *(usage.get(part) for part in parts)))
    return usage


class _Plan:
    """Which attributes an entry is taken from, in order of precedence, and what is taken off which."""

    def __init__(self, names: tuple[tuple[str, str], ...]) -> None:
        keys = {name: key for key, name in names}
        entries: list[tuple[str, tuple[str, ...]]] = [
            (name.removeprefix("details."), (key,)) for name, key in keys.items() if name not in _KNOWN
        ]
        for target, sources in _ENTRIES.items():
            there = tuple(keys[source] for source in sources if source in keys)
            if there:
                entries.append((target, there))
        targets = {target for target, _ in entries}
        self.entries = tuple(entries)
        self.subtractions = tuple(
            (whole, parts) for whole, parts in _SUBTRACTIONS.items() if whole in targets and targets.intersection(parts)
        )


def _put(usage: Numbers, key: str, number: int | float | None) -> None:
    if number is not None:
        usage[key] = number


def _less(number: int | float | None, *parts: int | float | None) -> int | float | None:
    if number is None:
        return None
    return max(number - sum(part for part in parts if part and part > 0), 0)


def _genkit(attributes: Attributes) -> Numbers:
    given = (parsed_object(attributes.get("genkit:output")) or {}).get("usage")
    if not isinstance(given, dict):
        return {}
    usage: Numbers = {}
    thoughts = number_of(given.get("thoughtsTokens"))
    _put(usage, "input", number_of(given.get("inputTokens")))
    _put(usage, "output", _less(number_of(given.get("outputTokens")), thoughts))
    _put(usage, "total", number_of(given.get("totalTokens")))
    _put(usage, "output_reasoning", thoughts)
    return usage


def _ai_sdk(attributes: Attributes) -> Numbers:
    def number(*keys: str) -> int | float | None:
        return next((found for key in keys if (found := number_of(attributes.get(key))) is not None), None)

    usage: Numbers = {}
    _put(usage, "total", number("ai.usage.tokens"))
    _put(usage, "input_cached_tokens", number("ai.usage.cachedInputTokens"))
    _put(usage, "output_reasoning_tokens", number("ai.usage.reasoningTokens"))
    provider = parsed_object(attributes.get("ai.response.providerMetadata"))
    if provider:
        _add_provider_details(usage, provider)
    # These two are always there, zero if need be: a call inside an AI SDK span is never counted by us.
    given = number("gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens") or 0
    usage["input"] = _less(given, *(usage.get(part) for part in _AI_INPUT_PARTS)) or 0
    given = number("gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens") or 0
    usage["output"] = _less(given, usage.get("output_reasoning_tokens")) or 0
    if attributes.get("ai.operationId") in _AI_EMBEDDINGS and not usage["input"]:
        # Embeddings have input alone, and only the total of it is sent.
        _put(usage, "input", usage.get("total"))
    return usage


def _add_provider_details(usage: Numbers, provider: dict[str, Any]) -> None:
    _fill(usage, provider.get("openai"), _OPENAI_DETAILS)
    anthropic = _usage_inside(provider, "anthropic")
    if anthropic:
        _fill(usage, anthropic, _ANTHROPIC_DETAILS)
        _fill(usage, anthropic.get("cache_creation"), _ANTHROPIC_CREATION)
        created = [usage.get(name) for name in _ANTHROPIC_CREATION.values()]
        _put(usage, "input_cache_creation", _less(usage.get("input_cache_creation"), *created))
    _fill(usage, _usage_inside(provider, "bedrock"), _BEDROCK_DETAILS)


def _usage_inside(provider: dict[str, Any], name: str) -> dict[str, Any]:
    entry = provider.get(name)
    usage = entry.get("usage") if isinstance(entry, dict) else None
    return usage if isinstance(usage, dict) else {}


def _fill(usage: Numbers, details: Any, names: dict[str, str]) -> None:
    if not isinstance(details, dict):
        return
    for name, key in names.items():
        number = number_of(details.get(name))
        if number is not None:
            usage.setdefault(key, number)


def _add_vertex_cache(usage: Numbers, response: Any) -> None:
    content = parsed_object(response) or {}
    metadata = content.get("usage_metadata")
    cached = number_of(metadata.get("cached_content_token_count")) if isinstance(metadata, dict) else None
    if cached is None or "input_cached_tokens" in usage:
        return
    usage["input_cached_tokens"] = cached
    _put(usage, "input", _less(usage.get("input"), cached))
