"""How scores look in their three versions. Which fields there are depends on `dataType`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from config.api.describe import PageMeta, Shape
from tracing.analytics.records import ScoreSource


class ScoreCore(Shape):
    id: str
    projectId: str
    environment: str
    name: str
    source: ScoreSource
    authorUserId: str | None
    comment: str | None
    metadata: dict[str, Any]
    configId: str | None
    queueId: str | None
    executionTraceId: str | None
    createdAt: datetime
    updatedAt: datetime
    timestamp: datetime
    traceId: str | None
    observationId: str | None


class ScoreTraceV1(Shape):
    """Of the trace that the score is about."""

    userId: str | None
    tags: list[str]
    environment: str | None


class NumericScoreV1(ScoreCore):
    dataType: Literal["NUMERIC"]
    value: float
    stringValue: None
    trace: ScoreTraceV1 | None = None


class BooleanScoreV1(ScoreCore):
    """`value` is 1 or 0, `stringValue` True or False."""

    dataType: Literal["BOOLEAN"]
    value: float
    stringValue: str
    trace: ScoreTraceV1 | None = None


class CategoricalScoreV1(ScoreCore):
    """`stringValue` is the category, `value` its number in the score's config, or 0."""

    dataType: Literal["CATEGORICAL"]
    value: float
    stringValue: str
    trace: ScoreTraceV1 | None = None


class TextScoreV1(ScoreCore):
    dataType: Literal["TEXT"]
    stringValue: str
    trace: ScoreTraceV1 | None = None


#: Lists also tell of the `trace`; one score alone does not.
ScoreV1 = Annotated[NumericScoreV1 | BooleanScoreV1 | CategoricalScoreV1 | TextScoreV1, Field(discriminator="dataType")]


class ScorePageV1(Shape):
    data: list[ScoreV1]
    meta: PageMeta


class ScoreTraceV2(ScoreTraceV1):
    """Of the trace that the score is about."""

    sessionId: str | None


class ScoreCoreV2(ScoreCore):
    sessionId: str | None
    datasetRunId: str | None
    trace: ScoreTraceV2 | None = None


class NumericScoreV2(ScoreCoreV2):
    dataType: Literal["NUMERIC"]
    value: float
    stringValue: None


class BooleanScoreV2(ScoreCoreV2):
    """`value` is 1 or 0, `stringValue` True or False."""

    dataType: Literal["BOOLEAN"]
    value: float
    stringValue: str


class CategoricalScoreV2(ScoreCoreV2):
    """`stringValue` is the category, `value` its number in the score's config, or 0."""

    dataType: Literal["CATEGORICAL"]
    value: float
    stringValue: str


class TextScoreV2(ScoreCoreV2):
    dataType: Literal["TEXT"]
    stringValue: str


class CorrectionScoreV2(ScoreCoreV2):
    """`stringValue` is what the output should have been."""

    dataType: Literal["CORRECTION"]
    value: float
    stringValue: str


#: `trace` is there in lists that ask for it.
ScoreV2 = Annotated[
    NumericScoreV2 | BooleanScoreV2 | CategoricalScoreV2 | TextScoreV2 | CorrectionScoreV2,
    Field(discriminator="dataType"),
]


class ScorePageV2(Shape):
    data: list[ScoreV2]
    meta: PageMeta


class TraceSubject(Shape):
    kind: Literal["trace"]
    id: str


class ObservationSubject(Shape):
    kind: Literal["observation"]
    id: str
    traceId: str


class SessionSubject(Shape):
    kind: Literal["session"]
    id: str


class ExperimentSubject(Shape):
    kind: Literal["experiment"]
    id: str


ScoreSubject = Annotated[
    TraceSubject | ObservationSubject | SessionSubject | ExperimentSubject, Field(discriminator="kind")
]


class ScoreCoreV3(Shape):
    """The groups details, annotation and subject add the fields that may be absent."""

    id: str
    projectId: str
    name: str
    source: ScoreSource
    timestamp: datetime
    environment: str
    createdAt: datetime
    updatedAt: datetime
    comment: str | None = None
    configId: str | None = None
    metadata: dict[str, Any] = {}
    authorUserId: str | None = None
    queueId: str | None = None
    subject: ScoreSubject | None = None


class NumericScoreV3(ScoreCoreV3):
    dataType: Literal["NUMERIC"]
    value: float


class BooleanScoreV3(ScoreCoreV3):
    dataType: Literal["BOOLEAN"]
    value: bool


class CategoricalScoreV3(ScoreCoreV3):
    dataType: Literal["CATEGORICAL"]
    value: str


class TextScoreV3(ScoreCoreV3):
    dataType: Literal["TEXT"]
    value: str


class CorrectionScoreV3(ScoreCoreV3):
    dataType: Literal["CORRECTION"]
    value: str


ScoreV3 = Annotated[
    NumericScoreV3 | BooleanScoreV3 | CategoricalScoreV3 | TextScoreV3 | CorrectionScoreV3,
    Field(discriminator="dataType"),
]


class ScoreMetaV3(Shape):
    """`cursor` goes into the next request; on the last page there is none."""

    limit: int
    cursor: str = ""


class ScorePageV3(Shape):
    data: list[ScoreV3]
    meta: ScoreMetaV3
