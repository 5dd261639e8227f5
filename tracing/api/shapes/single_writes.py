"""What the deprecated writes of one thing take, and what they answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from config.api.describe import Given, Shape

_Id = Annotated[str, Field(min_length=1, max_length=800)]


class Written(Shape):
    """The id that was given, or a new one."""

    id: str


class WrittenTrace(Given):
    id: _Id | None = None
    timestamp: datetime | None = None
    name: Annotated[str, Field(max_length=1000)] | None = None
    userId: str | None = None
    sessionId: str | None = None
    release: str | None = None
    version: str | None = None
    environment: Any = None  # what is no name of one becomes `default`
    public: bool | None = None
    tags: list[str] | None = None
    input: Any = None
    output: Any = None
    metadata: Any = None


class _Observation(Given):
    traceId: _Id | None = None
    name: str | None = None
    startTime: datetime | None = None
    level: Literal["DEBUG", "DEFAULT", "WARNING", "ERROR"] | None = None
    statusMessage: str | None = None
    parentObservationId: str | None = None
    version: str | None = None
    environment: Any = None  # what is no name of one becomes `default`
    input: Any = None
    output: Any = None
    metadata: Any = None


class WrittenEvent(_Observation):
    id: _Id | None = None


class WrittenSpan(WrittenEvent):
    endTime: datetime | None = None


class ChangedSpan(_Observation):
    spanId: _Id
    endTime: datetime | None = None


class _Generation(_Observation):
    """`prompt` and `completion` are older names of `input` and `output`."""

    endTime: datetime | None = None
    completionStartTime: datetime | None = None
    model: str | None = None
    modelParameters: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    usageDetails: dict[str, Any] | None = None
    costDetails: dict[str, Any] | None = None
    promptName: str | None = None
    promptVersion: int | None = None
    prompt: Any = None
    completion: Any = None


class WrittenGeneration(_Generation):
    id: _Id | None = None


class ChangedGeneration(_Generation):
    generationId: _Id
