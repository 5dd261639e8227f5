"""What the routes of LLM connections take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from config.api.describe import Given, PageMeta, Shape

Adapter = Literal["anthropic", "openai", "azure", "bedrock", "google-vertex-ai", "google-ai-studio"]


class ConnectionShape(Shape):
    """`displaySecretKey` is all that is shown of the key; of extra headers only the names are."""

    id: str
    provider: str
    adapter: Adapter
    displaySecretKey: str
    baseURL: str | None
    customModels: list[str]
    withDefaultModels: bool
    extraHeaderKeys: list[str]
    config: dict[str, Any] | None
    createdAt: datetime
    updatedAt: datetime


class ConnectionList(Shape):
    data: list[ConnectionShape]
    meta: PageMeta


class NewConnection(Given):
    provider: str = Field(min_length=1)
    adapter: Adapter
    secretKey: str = Field(min_length=1)
    baseURL: str | None = None
    customModels: list[str] | None = None
    withDefaultModels: bool | None = None
    extraHeaders: dict[str, str] | None = None
    config: dict[str, Any] | None = None
