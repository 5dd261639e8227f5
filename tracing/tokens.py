"""Counting tokens without a network, for calls whose client sent no usage. Never raises: no count is an answer too.

OpenAI's two encodings come with bpe-openai and are exact. They take 70 MB of memory (one) or 100 MB (both), so they
are loaded by the first call that needs them. For Claude 3 and later Anthropic publishes no tokenizer, only a rule of
thumb: "a token approximately represents 3.5 English characters" (docs.claude.com, glossary). Such counts are
estimates; bytes stand for characters, which keeps scripts of several bytes a character near the truth.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import logging
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol

import orjson

log = logging.getLogger(__name__)

_BYTES_PER_CLAUDE_TOKEN = 3.5
#: OpenAI's recipe for chat messages (cookbook, "How to count tokens with tiktoken")
_TOKENS_PER_REPLY = 3
_MESSAGE_KEYS = ("content", "role", "name", "tool_calls", "function_call")
_O200K = re.compile(r"^(?:chatgpt-)?(?:gpt-4o|gpt-4\.1|gpt-4\.5|gpt-5|gpt-oss|o[1-9])")
_EMPTY = {"", "null", "[]"}


class _Encoding(Protocol):
    def count(self, text: str) -> int: ...


def count_tokens(tokenizer: str, config: Mapping[str, Any], text: str) -> int | None:
    """Tokens of an input or output as it is stored (text, or JSON text). None when there is nothing to count with."""
    if not text or text in _EMPTY:
        return None
    try:
        if tokenizer == "openai":
            return _count_openai(config, text)
        if tokenizer == "claude":
            return math.ceil(len(text.encode("utf-8", "replace")) / _BYTES_PER_CLAUDE_TOKEN)
    except Exception:  # whatever was traced, a missing count must not cost the span
        log.warning("Tokens cannot be counted", exc_info=True)
    return None


def _count_openai(config: Mapping[str, Any], text: str) -> int:
    encoding = _encoding(_encoding_name(str(config.get("tokenizerModel", ""))))
    per_message = config.get("tokensPerMessage")
    messages = _chat_messages(text) if isinstance(per_message, int) else None
    if messages is None or not isinstance(per_message, int):
        return _count(encoding, text)
    per_name = config.get("tokensPerName", 0)
    total = _TOKENS_PER_REPLY
    for message in messages:
        total += per_message
        for key in _MESSAGE_KEYS:
            value = message.get(key)
            if value is not None:
                total += _count(encoding, value if isinstance(value, str) else orjson.dumps(value).decode())
        total += per_name if "name" in message else 0
    return total


def _chat_messages(text: str) -> list[dict[str, Any]] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        loaded = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(loaded, list) or not all(isinstance(item, dict) and "role" in item for item in loaded):
        return None
    return loaded


def _encoding_name(model: str) -> str:
    return "o200k_base" if _O200K.match(model.lower()) else "cl100k_base"


@lru_cache(2)
def _encoding(name: str) -> _Encoding:
    encoding: _Encoding = _bindings().tokenizer_for_encoding(name)
    return encoding


@lru_cache(1)
def _bindings() -> Any:
    """The package's compiled part alone: importing the whole fills 70 MB more with unused tables."""
    package = importlib.util.find_spec("bpe_openai")
    folders = list(package.submodule_search_locations or ()) if package else []
    spec = importlib.machinery.PathFinder.find_spec("_bindings", folders)
    if spec is None or spec.loader is None:
        raise ImportError("bpe_openai has no compiled part")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _count(encoding: _Encoding, text: str) -> int:
    try:
        return encoding.count(text)
    except UnicodeEncodeError:  # half of a surrogate pair, as cut-off JSON escapes leave behind
        return encoding.count(text.encode("utf-8", "replace").decode())
