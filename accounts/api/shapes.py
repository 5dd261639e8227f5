"""Projects and API keys as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from config.api.describe import Given, Shape


class OrganizationName(Shape):
    id: str
    name: str


class ProjectItem(Shape):
    """`retentionDays` is absent when everything is kept for ever."""

    id: str
    name: str
    organization: OrganizationName
    metadata: dict[str, Any]
    retentionDays: int = 0


class ProjectList(Shape):
    data: list[ProjectItem]


class NewProject(Given):
    name: str
    retention: int
    metadata: dict[str, Any] | None = None


class ProjectChange(Given):
    name: str
    retention: int | None = None
    metadata: dict[str, Any] | None = None


class ProjectDeletion(Shape):
    success: bool
    message: str


class ApiKeyItem(Shape):
    id: str
    createdAt: datetime
    expiresAt: datetime | None
    lastUsedAt: datetime | None
    note: str | None
    name: str | None
    publicKey: str
    displaySecretKey: str


class ApiKeyList(Shape):
    apiKeys: list[ApiKeyItem]


class NewApiKey(Given):
    """`name` is the newer word for `note`. A pair of one's own is given whole or not at all."""

    note: str | None = None
    name: str | None = None
    publicKey: str | None = None
    secretKey: str | None = None
    expiresAt: datetime | None = None


class CreatedApiKey(Shape):
    """The only answer that holds the secret."""

    id: str
    createdAt: datetime
    expiresAt: datetime | None
    note: str | None
    name: str | None
    publicKey: str
    secretKey: str
    displaySecretKey: str


class Done(Shape):
    success: bool
