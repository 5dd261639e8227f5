"""What clients send to the routes of scores: parameters of the lists, and scores themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from config.api.describe import PAGE, Given, Shape, in_path, parameter
from tracing.analytics.records import ScoreSource, ScoreType
from tracing.api.shapes.filters import FILTER
from tracing.queries.scores import VALUE_OPERATORS

_TYPES = tuple(kind.value for kind in ScoreType)
_SOURCES = tuple(source.value for source in ScoreSource)

SCORE_ID = in_path("score_id", "The id of the score.")
_TIMES = (
    parameter("fromTimestamp", "Not before this time.", "time"),
    parameter("toTimestamp", "Before this time.", "time"),
)
LIST_V1 = (
    *PAGE,
    parameter("scoreIds", "Any of these ids.", many=True),
    parameter("name", "Of this name."),
    parameter("source", "From there.", choices=_SOURCES),
    parameter("dataType", "Of this type.", choices=_TYPES),
    parameter("environment", "Of any of these environments.", many=True),
    parameter("configId", "Of this score config."),
    parameter("queueId", "Made in this annotation queue."),
    parameter("traceId", "Of this trace."),
    parameter("sessionId", "Of this session."),
    parameter("observationId", "Of any of these observations.", many=True),
    parameter("datasetRunId", "Of this experiment run."),
    parameter("userId", "Of traces of this user."),
    parameter("traceTags", "Of traces with all of these tags.", many=True),
    parameter("operator", "How `value` is compared; without it, this says nothing.", choices=VALUE_OPERATORS),
    parameter("value", "A number; without `operator`, this says nothing.", float),
    *_TIMES,
    FILTER,
)
LIST_V2 = (
    *LIST_V1,
    parameter("fields", "What each item holds: score, and trace unless it is left out.", many=True),
)
LIST_V3 = (
    parameter("limit", "How many on a page.", int, low=1, high=100, default=50),
    parameter("cursor", "Where to go on: `meta.cursor` of the page before."),
    parameter("fields", "What items hold beside core: details, subject, annotation.", many=True),
    parameter("id", "Any of these ids.", many=True),
    parameter("name", "Any of these names.", many=True),
    parameter("source", f"Any of {', '.join(_SOURCES)}, in any case.", many=True),
    parameter("dataType", f"Any of {', '.join(_TYPES)}, in any case.", many=True),
    parameter("environment", "Any of these environments.", many=True),
    parameter("configId", "Any of these score configs.", many=True),
    parameter("queueId", "Any of these annotation queues.", many=True),
    parameter("authorUserId", "By any of these people.", many=True),
    parameter(
        "value",
        "Any of these values: numbers, true or false, or categories. Needs dataType to be NUMERIC, BOOLEAN or "
        "CATEGORICAL, and one of them only.",
        many=True,
    ),
    parameter("valueMin", "At least this. Needs dataType=NUMERIC.", float),
    parameter("valueMax", "At most this. Needs dataType=NUMERIC.", float),
    parameter("traceId", "Of any of these traces. Not with sessionId or experimentId.", many=True),
    parameter("sessionId", "Of any of these sessions. Not with traceId or experimentId.", many=True),
    parameter("observationId", "Of any of these observations. Needs traceId.", many=True),
    parameter("experimentId", "Of any of these experiment runs. Not with traceId or sessionId.", many=True),
    *_TIMES,
)


class NewScore(Given):
    """Exactly one of `traceId` (`observationId` may go with it), `sessionId` and `datasetRunId`.

    `value` is a number for NUMERIC, 0 or 1 for BOOLEAN, text for the others. Without `dataType` it is that of the
    config, or NUMERIC for a number and CATEGORICAL for text. Only a correction needs no `name`.
    """

    id: str | None = None
    traceId: str | None = None
    sessionId: str | None = None
    observationId: str | None = None
    datasetRunId: str | None = None
    name: str | None = None
    value: float | str
    dataType: ScoreType | None = None
    configId: str | None = None
    comment: str | None = None
    metadata: Any = None
    environment: Any = None
    queueId: str | None = None
    source: Literal["API", "ANNOTATION"] | None = None


class NewScoreOfMany(NewScore):
    """One score of several. It may say its own time."""

    timestamp: datetime | None = None


NEW_SCORE = {"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "name": "correctness", "value": 0.9}


class CreatedScore(Shape):
    id: str


class Refusal(Shape):
    """Names the score, and says what is wrong with it."""

    message: str


class ScoreReceipt(Shape):
    accepted: int
    rejected: int
    errors: list[Refusal]
