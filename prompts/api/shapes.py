"""What the routes of prompts take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from config.api.describe import Given, PageMeta, Shape


class PromptDependency(Shape):
    name: str
    version: int
    id: str


class ResolutionGraph(Shape):
    """`dependencies`: the id of a version -> the versions that it embeds."""

    root: PromptDependency
    dependencies: dict[str, list[PromptDependency]]


class PromptShape(Shape):
    """`prompt` is a text, or a list of messages `{role, content}` and placeholders `{type: "placeholder", name}`."""

    id: str
    createdAt: datetime
    updatedAt: datetime
    projectId: str
    createdBy: str
    name: str
    version: int
    type: Literal["text", "chat"]
    prompt: str | list[dict[str, Any]]
    config: Any
    tags: list[str]
    labels: list[str]
    commitMessage: str | None
    isActive: bool
    resolutionGraph: ResolutionGraph | None


class PromptListItem(Shape):
    name: str
    type: Literal["text", "chat"]
    versions: list[int]
    labels: list[str]
    tags: list[str]
    lastUpdatedAt: datetime
    lastConfig: Any


class PromptList(Shape):
    data: list[PromptListItem]
    meta: PageMeta
    pagination: PageMeta


class NewPrompt(Given):
    name: str
    type: Literal["text", "chat"] = "text"
    prompt: str | list[dict[str, Any]]
    config: Any = None
    labels: list[str] | None = None
    tags: list[str] | None = None
    commitMessage: str | None = None


class NewPromptV1(Given):
    name: str
    prompt: str
    isActive: bool
    config: Any = None


class NewLabels(Given):
    newLabels: list[str]
