"""Calls to language models."""

from __future__ import annotations

from prompts.llm.calls import stream
from prompts.llm.types import (
    Answer,
    Call,
    Cancelled,
    Event,
    Finished,
    FinishReason,
    Parameters,
    ProviderError,
    TextDelta,
    ThinkingDelta,
    Tool,
    ToolCallDelta,
    Trouble,
)

__all__ = [
    "Answer",
    "Call",
    "Cancelled",
    "Event",
    "FinishReason",
    "Finished",
    "Parameters",
    "ProviderError",
    "TextDelta",
    "ThinkingDelta",
    "Tool",
    "ToolCallDelta",
    "Trouble",
    "stream",
]
