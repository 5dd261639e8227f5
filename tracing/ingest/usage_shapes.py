"""Usage as the providers themselves count it, made into kinds that do not overlap.

Providers count the same tokens twice: cached ones within the input, thoughts within the output, audio within both.
Each shape here is known by names that only its provider uses. What it does not know of it stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Count = Callable[[Any], int | None]
Counts = dict[str, int]

_LARGEST_COUNT = 2**63 - 1

_CACHE_LIFETIMES = {
    "ephemeral_5m_input_tokens": "input_cache_creation_5m",
    "ephemeral_1h_input_tokens": "input_cache_creation_1h",
}
_LANGCHAIN_PARTS = {
    ("input", "cache_read"): "input_cache_read",
    ("input", "cache_creation"): "input_cache_creation",
    **{("input", name): key for name, key in _CACHE_LIFETIMES.items()},
    ("input", "audio"): "input_audio",
    ("output", "audio"): "output_audio",
    ("output", "reasoning"): "output_reasoning",
}
_AI_SDK_PARTS = {
    "input": {"cacheRead": "input_cache_read", "cacheWrite": "input_cache_write"},
    "output": {"reasoning": "output_reasoning_tokens"},
}
#: what of the prompt came from the cache, and what did not
_DEEPSEEK = ("prompt_cache_hit_tokens", "prompt_cache_miss_tokens")
_OPENAI_SIDES = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))
#: modality -> word in the names of kinds; text, and pictures and videos in the input, cost what the rest does
_MODALITIES = {"AUDIO": "audio", "IMAGE": "image", "VIDEO": "video", "DOCUMENT": "document"}


def from_provider(value: Mapping[str, Any], count: Count) -> Counts | None:
    """The kinds of a provider's own usage object; None for any other map. `count` reads one number."""
    for shape in (_gemini, _anthropic, _langchain, _openai_with_more, _nested_ai_sdk, _bedrock_or_ai_sdk):
        found = shape(value, count)
        if found is not None:
            return found
    return None


def _gemini(value: Mapping[str, Any], count: Count) -> Counts | None:
    """Google's usage metadata: the cache is part of the prompt, thoughts and the prompts of tools are not."""
    read = _either_case(value, count)
    prompt = read("prompt_token_count")
    if prompt is None:
        return None
    known = {
        "input": prompt,
        "input_cached_tokens": read("cached_content_token_count"),
        "input_tool_use_tokens": read("tool_use_prompt_token_count"),
        "output": _first(read("candidates_token_count"), read("response_token_count")),
        "output_reasoning_tokens": read("thoughts_token_count"),
        "total": read("total_token_count"),
    }
    kinds = {key: units for key, units in known.items() if units is not None}
    cached = _by_modality(value, "cache_tokens_details", count)
    for word, units in _by_modality(value, "prompt_tokens_details", count).items():
        if word == "audio":
            fresh = max(units - cached.get("audio", 0), 0)
            _take(kinds, "input", "input_audio_tokens", fresh)
    _take(kinds, "input", "", kinds.get("input_cached_tokens", 0))
    _take(kinds, "input_cached_tokens", "input_cached_audio_tokens", cached.get("audio", 0))
    for word, units in _by_modality(value, "candidates_tokens_details", count).items():
        _take(kinds, "output", f"output_{word}_tokens", units)
    kinds.setdefault("total", _sum(kinds))
    return kinds


def _anthropic(value: Mapping[str, Any], count: Count) -> Counts | None:
    """Anthropic's usage: what was written to the cache, by how long it is kept there."""
    lifetimes = value.get("cache_creation")
    if not isinstance(lifetimes, Mapping) or count(value.get("input_tokens")) is None:
        return None
    kinds = _flat(value, count)
    given_total = kinds.pop("total", None)
    written = kinds.pop("cache_creation_input_tokens", None)
    for name, key in _CACHE_LIFETIMES.items():
        units = count(lifetimes.get(name))
        if units:
            kinds[key] = units
            written = max((written or 0) - units, 0)
    if written:
        kinds["cache_creation_input_tokens"] = written
    total = given_total if given_total is not None else _sum(kinds)
    return {**kinds, **_tool_requests(value, count), "total": total}


def _langchain(value: Mapping[str, Any], count: Count) -> Counts | None:
    """LangChain's usage metadata, of whatever provider: the details are parts of input and output."""
    sides = {side: count(value.get(f"{side}_tokens")) for side in ("input", "output")}
    details = {side: value.get(f"{side}_token_details") for side in sides}
    if None in sides.values() or not any(isinstance(one, Mapping) for one in details.values()):
        return None
    kinds = {side: units or 0 for side, units in sides.items()}
    for side, of_side in details.items():
        parts = _details(of_side, count)
        written = sum(parts.get(name, 0) for name in _CACHE_LIFETIMES)
        if written and "cache_creation" in parts:
            parts["cache_creation"] = max(parts["cache_creation"] - written, 0)
        for name, units in parts.items():
            if key := _LANGCHAIN_PARTS.get((side, name)):
                _take(kinds, side, key, units)
    total = count(value.get("total_tokens"))
    kinds["total"] = _sum(kinds) if total is None else total
    known = {"total_tokens", *(f"{side}_tokens" for side in sides)}
    return kinds | {key: units for key, units in _flat(value, count).items() if key not in known}


def _openai_with_more(value: Mapping[str, Any], count: Count) -> Counts | None:
    """OpenAI's usage with entries that it does not have itself, as gateways add them."""
    for sides in _OPENAI_SIDES:
        details = [_details(value.get(f"{side}_details"), count) for side in sides]
        wholes = [count(value.get(side)) for side in sides]
        hits = count(value.get(_DEEPSEEK[0]))
        if hits and not details[0].get("cached_tokens"):
            details[0]["cached_tokens"] = hits
        if (not any(details) and hits is None) or None in wholes:
            continue
        known = (*sides, "total_tokens", *_DEEPSEEK)
        rest = {key: units for key, units in _flat(value, count).items() if key not in known}
        kinds: Counts = {}
        for word, whole, parts in zip(("input", "output"), wholes, details, strict=True):
            kinds[word] = whole or 0
            for name, units in parts.items():
                _take(kinds, word, f"{word}_{name}", units)
        total = count(value.get("total_tokens"))
        return {**kinds, "total": _sum(kinds) if total is None else total, **rest}
    return None


def _nested_ai_sdk(value: Mapping[str, Any], count: Count) -> Counts | None:
    """The AI SDK since its sixth version: each side with its parts."""
    sides = {word: _details(value.get(f"{word}Tokens"), count) for word in ("input", "output")}
    if any("total" not in parts for parts in sides.values()):
        return None
    kinds: Counts = {}
    for word, parts in sides.items():
        kinds[word] = parts["total"]
        for name, key in _AI_SDK_PARTS[word].items():
            _take(kinds, word, key, parts.get(name, 0))
    total = count(value.get("totalTokens"))
    return {**kinds, "total": _sum(kinds) if total is None else total}


def _bedrock_or_ai_sdk(value: Mapping[str, Any], count: Count) -> Counts | None:
    """Bedrock's converse API counts the cache beside the input, the AI SDK within it."""
    kinds = {"input": count(value.get("inputTokens")), "output": count(value.get("outputTokens"))}
    found = {key: units for key, units in kinds.items() if units is not None}
    if len(found) < 2:
        return None
    names = {
        "cacheReadInputTokens": "input_cache_read",
        "cacheWriteInputTokens": "input_cache_write",
        "totalTokens": "total",
    }
    known = {"inputTokens", "outputTokens", "cachedInputTokens", "reasoningTokens", *names}
    found |= {names[key]: units for key, units in _flat(value, count).items() if key in names}
    for whole, part, name in (
        ("input", "input_cached_tokens", "cachedInputTokens"),
        ("output", "output_reasoning_tokens", "reasoningTokens"),
    ):
        units = count(value.get(name))
        if units:
            _take(found, whole, part, units)
    found.setdefault("total", _sum(found))
    return found | {key: units for key, units in _flat(value, count).items() if key not in known}


def _take(kinds: Counts, whole: str, part: str, units: int) -> None:
    """Units that were counted within `whole` become a kind of their own (or are one already)."""
    if not units:
        return
    if whole in kinds:
        kinds[whole] = max(kinds[whole] - units, 0)
    if part:
        kinds[part] = kinds.get(part, 0) + units


def _flat(value: Mapping[str, Any], count: Count) -> Counts:
    counts = ((str(key), count(entry)) for key, entry in value.items())
    return {key: units for key, units in counts if units is not None}


def _details(value: Any, count: Count) -> Counts:
    return _flat(value, count) if isinstance(value, Mapping) else {}


def _tool_requests(value: Mapping[str, Any], count: Count) -> Counts:
    """Calls of the provider's own tools: no tokens, but they are billed, so nobody should miss them."""
    return {f"server_tool_use_{name}": units for name, units in _details(value.get("server_tool_use"), count).items()}


def _either_case(value: Mapping[str, Any], count: Count) -> Callable[[str], int | None]:
    def read(name: str) -> int | None:
        return _first(count(value.get(name)), count(value.get(_camel(name))))

    return read


def _by_modality(value: Mapping[str, Any], name: str, count: Count) -> Counts:
    entries = value.get(name, value.get(_camel(name)))
    found: Counts = {}
    for entry in entries if isinstance(entries, list) else ():
        for word, units in _modality(entry, count):
            found[word] = found.get(word, 0) + units
    return found


def _modality(entry: Any, count: Count) -> Iterator[tuple[str, int]]:
    if isinstance(entry, Mapping):
        word = _MODALITIES.get(str(entry.get("modality", "")).rpartition(".")[2].upper())
        units = _either_case(entry, count)("token_count")
        if word and units:
            yield word, units


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _first(*counts: int | None) -> int | None:
    return next((units for units in counts if units is not None), None)


def _sum(kinds: Counts) -> int:
    return min(sum(units for key, units in kinds.items() if key != "total"), _LARGEST_COUNT)
