"""Rows of the relational store that prompts own."""

from __future__ import annotations

from prompts.models.automations import (
    Attempt,
    Automation,
    AutomationKind,
    Delivery,
    DeliveryStatus,
    OffReason,
    PromptAction,
    PromptEvent,
)
from prompts.models.connections import Adapter, LlmConnection
from prompts.models.playground import Playground, PlaygroundItem, PlaygroundRun, RunStatus
from prompts.models.prompts import (
    BY_API,
    LABEL_LENGTH,
    LATEST,
    MESSAGE_LENGTH,
    NAME_LENGTH,
    PRODUCTION,
    TAG_LENGTH,
    Prompt,
    PromptLabel,
    PromptReference,
    PromptType,
    PromptVersion,
    ProtectedLabel,
    new_id,
)

__all__ = [
    "BY_API",
    "LABEL_LENGTH",
    "LATEST",
    "MESSAGE_LENGTH",
    "NAME_LENGTH",
    "PRODUCTION",
    "TAG_LENGTH",
    "Adapter",
    "Attempt",
    "Automation",
    "AutomationKind",
    "Delivery",
    "DeliveryStatus",
    "LlmConnection",
    "OffReason",
    "Playground",
    "PlaygroundItem",
    "PlaygroundRun",
    "Prompt",
    "PromptAction",
    "PromptEvent",
    "PromptLabel",
    "PromptReference",
    "PromptType",
    "PromptVersion",
    "ProtectedLabel",
    "RunStatus",
    "new_id",
]
