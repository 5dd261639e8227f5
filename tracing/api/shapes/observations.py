"""How observations look, in both versions, and what may be asked of their lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from config.api.describe import PageMeta, Parameter, Shape, parameter
from tracing.analytics.records import Level
from tracing.api.shapes.filters import FILTER

_ENVIRONMENT = parameter("environment", "Any of these environments.", many=True, example=["production"])
_LEVELS = tuple(level.value for level in Level)


class Usage(Shape):
    unit: str
    input: int
    output: int
    total: int


class ObservationV1(Shape):
    """One step of a trace. `input` and `output` are JSON where they are JSON, and text otherwise.

    `latency` and `timeToFirstToken` are seconds; prices and costs are US dollars.
    """

    id: str
    traceId: str
    projectId: str
    startTime: datetime
    endTime: datetime | None
    parentObservationId: str | None
    type: str
    environment: str
    name: str
    level: Level
    statusMessage: str | None
    version: str | None
    createdAt: datetime
    updatedAt: datetime
    input: Any
    output: Any
    metadata: dict[str, Any]
    model: str | None
    modelParameters: Any
    completionStartTime: datetime | None
    promptId: str | None
    promptName: str | None
    promptVersion: int | None
    latency: float | None
    timeToFirstToken: float | None
    usageDetails: dict[str, int]
    costDetails: dict[str, float]
    usage: Usage
    unit: str
    promptTokens: int
    completionTokens: int
    totalTokens: int
    usagePricingTierId: str | None
    usagePricingTierName: str | None
    modelId: str | None
    inputPrice: float | None
    outputPrice: float | None
    totalPrice: float | None
    calculatedInputCost: float | None
    calculatedOutputCost: float | None
    calculatedTotalCost: float | None


class ObservationPageV1(Shape):
    data: list[ObservationV1]
    meta: PageMeta


class ObservationV2(Shape):
    """One step of a trace. Beyond the first thirteen fields, those of the groups that `fields` asks for are there.

    `input` and `output` are text as it was sent. Prices are decimal numbers as text; costs are US dollars; `latency`
    and `timeToFirstToken` are seconds and null unless the group metrics is asked for.
    """

    id: str
    traceId: str
    startTime: datetime
    endTime: datetime | None
    projectId: str
    parentObservationId: str | None
    type: str
    modelId: str | None
    inputPrice: str | None
    outputPrice: str | None
    totalPrice: str | None
    latency: float | None
    timeToFirstToken: float | None
    name: str = ""
    level: Level = Level.DEFAULT
    statusMessage: str = ""
    version: str = ""
    environment: str = ""
    bookmarked: bool = False
    public: bool = False
    userId: str = ""
    sessionId: str = ""
    isRootObservation: bool = False
    completionStartTime: datetime | None = None
    createdAt: datetime | None = None
    updatedAt: datetime | None = None
    input: str | None = None
    output: str | None = None
    metadata: dict[str, Any] = {}
    model: str = ""
    providedModelName: str = ""
    internalModelId: str | None = None
    modelParameters: Any = None
    usageDetails: dict[str, int] = {}
    costDetails: dict[str, float] = {}
    totalCost: float | None = None
    usagePricingTierName: str | None = None
    usagePricingTierId: str | None = None
    promptId: str | None = None
    promptName: str | None = None
    promptVersion: int | None = None
    tags: list[str] = []
    release: str = ""
    traceName: str | None = None


class CursorMeta(Shape):
    """`cursor` goes into the next request; on the last page there is none."""

    cursor: str = ""


class ObservationPageV2(Shape):
    data: list[ObservationV2]
    meta: CursorMeta


_SIMPLE: tuple[Parameter, ...] = (
    parameter("name", "This name."),
    parameter("userId", "Of traces of this user."),
    parameter("sessionId", "Of traces of this session."),
    parameter("type", "This type, such as GENERATION or TOOL.", example="GENERATION"),
    parameter("traceId", "Of this trace."),
    parameter("level", "This level.", choices=_LEVELS),
    parameter("version", "This version."),
    _ENVIRONMENT,
    parameter("fromStartTime", "Started then or later.", "time", example="2026-01-02T03:04:05Z"),
    parameter("toStartTime", "Started before then.", "time"),
)

LIST_V1 = (*_SIMPLE, parameter("parentObservationId", "Directly below this observation."), FILTER)

LIST_V2 = (
    parameter(
        "fields",
        "Groups of fields: core (always there), basic, time, io, metadata, model, usage, prompt, metrics, "
        "trace_context. Core and basic when it is absent; unknown names are ignored.",
        many=True,
        example=["core", "basic", "io"],
    ),
    parameter("expandMetadata", "Keys of metadata whose values are not cut after 200 characters.", many=True),
    parameter("limit", "How many at most.", int, low=0, high=1000, default=50),
    parameter("cursor", "Of the page before."),
    parameter("parseIoAsJson", "Not offered: true is refused. Input and output are text.", bool),
    *_SIMPLE,
    parameter("parentObservationId", "Directly below this observation; empty for those below none."),
    parameter("isRootObservation", "Only the roots of traces, or only the others.", bool),
    FILTER,
)
