"""Reads of scores in their three versions, and deleting one."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from config.api import PublicView
from config.errors import Invalid
from tracing import actions
from tracing.analytics.records import ScoreSource, ScoreType
from tracing.api import present
from tracing.api.params import Params
from tracing.queries import filters, scores
from tracing.queries.scores import ScoreFilters

_SOURCES = tuple(source.value for source in ScoreSource)
_TYPES = tuple(kind.value for kind in ScoreType)
_V3_PARAMETERS = (
    "limit", "cursor", "fields", "id", "name", "source", "dataType", "environment", "configId", "queueId",
    "authorUserId", "value", "valueMin", "valueMax", "traceId", "sessionId", "observationId", "experimentId",
    "fromTimestamp", "toTimestamp",
)  # fmt: skip
_V3_GROUPS = ("core", "details", "subject", "annotation")


class Scores(PublicView):
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        wanted = _filters(params, is_first_version=True)
        params.check()
        page = scores.list_scores(self.scope, wanted, number=number, with_trace=True)
        return Response({"data": [present.score_v1_item(row) for row in page.items], "meta": present.meta(page)})


class OneScore(PublicView):
    def get(self, request: Request, score_id: str) -> Response:
        return Response(present.score_v1(scores.get_score(self.scope, score_id, only_of_traces=True)))

    def delete(self, request: Request, score_id: str) -> Response:
        actions.delete_score(self.scope, score_id)
        return Response({"message": "Score deletion queued successfully"}, status=202)


class ScoresV2(PublicView):
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        wanted = _filters(params, is_first_version=False)
        params.check()
        fields = params.words("fields") or ("score", "trace")
        if "score" not in fields:
            raise Invalid("The fields parameter must include score.")
        has_trace = "trace" in fields
        if wanted.asks_for_trace and not has_trace:
            raise Invalid("Filters on the trace need trace among the fields.")
        page = scores.list_scores(self.scope, wanted, number=number, with_trace=has_trace)
        shown = [present.score_v2_item(row, with_trace=has_trace) for row in page.items]
        return Response({"data": shown, "meta": present.meta(page)})


class OneScoreV2(PublicView):
    def get(self, request: Request, score_id: str) -> Response:
        return Response(present.score_v2(scores.get_score(self.scope, score_id)))


class ScoresV3(PublicView):
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        params.only(_V3_PARAMETERS)
        limit = params.integer("limit", 50, low=1, high=100)
        groups = params.words("fields")
        if unknown := [group for group in groups if group not in _V3_GROUPS]:
            params.refuse("fields", f"Unknown field group: {', '.join(unknown)}")
        wanted = _filters_v3(params)
        params.check()
        page = scores.page_scores(self.scope, wanted, limit=limit, cursor=params.text("cursor"))
        meta = {"limit": limit, **({"cursor": page.next_cursor} if page.next_cursor else {})}
        return Response({"data": [present.score_v3(score, groups) for score in page.items], "meta": meta})


def _filters(params: Params, *, is_first_version: bool) -> ScoreFilters:
    text = params.text("filter")
    source = params.choice("source", _SOURCES)
    data_type = params.choice("dataType", _TYPES)
    operator, value = params.choice("operator", scores.VALUE_OPERATORS), params.number("value")
    return ScoreFilters(
        ids=params.words("scoreIds"),
        names=_one(params.text("name")),
        sources=_one(source),
        data_types=_one(data_type),
        environments=params.words("environment"),
        config_ids=_one(params.text("configId")),
        queue_ids=_one(params.text("queueId")),
        trace_ids=_one(params.text("traceId")),
        session_ids=_one(params.text("sessionId")),
        observation_ids=params.words("observationId"),
        dataset_run_ids=_one(params.text("datasetRunId")),
        user_id=params.text("userId"),
        trace_tags=params.words("traceTags"),
        numbers=((operator, value),) if operator and value is not None else (),
        from_time=params.time("fromTimestamp"),
        to_time=params.time("toTimestamp"),
        items=tuple(filters.parse(text, scores.COLUMNS)) if text else (),
        only_of_traces=is_first_version,
        with_corrections=not is_first_version,
    )


def _one(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _filters_v3(params: Params) -> ScoreFilters:
    types = params.choices("dataType", _TYPES)
    low, high = params.number("valueMin"), params.number("valueMax")
    if (low is not None or high is not None) and types != ("NUMERIC",):
        params.refuse("valueMin", "valueMin and valueMax need dataType=NUMERIC")
    if params.text("observationId") and not params.text("traceId"):
        params.refuse("observationId", "observationId needs traceId")
    subjects = [name for name in ("traceId", "sessionId", "experimentId") if params.text(name)]
    if len(subjects) > 1:
        params.refuse(subjects[1], f"{' and '.join(subjects)} are mutually exclusive")
    numbers, texts = _values_v3(params, types)
    bounds = ((">=", low), ("<=", high))
    return ScoreFilters(
        ids=params.words("id"),
        names=params.words("name"),
        sources=params.choices("source", _SOURCES),
        data_types=types,
        environments=params.words("environment"),
        config_ids=params.words("configId"),
        queue_ids=params.words("queueId"),
        author_user_ids=params.words("authorUserId"),
        trace_ids=params.words("traceId"),
        session_ids=params.words("sessionId"),
        observation_ids=params.words("observationId"),
        dataset_run_ids=params.words("experimentId"),
        numbers=(*numbers, *((operator, bound) for operator, bound in bounds if bound is not None)),
        texts=texts,
        from_time=params.time("fromTimestamp"),
        to_time=params.time("toTimestamp"),
    )


def _values_v3(params: Params, types: tuple[str, ...]) -> tuple[tuple[tuple[str, float], ...], tuple[str, ...]]:
    """`value` means a number, a truth value or a category, as the one data type says."""
    if not params.text("value"):
        return (), ()
    if types == ("CATEGORICAL",):
        return (), params.words("value")
    if types == ("BOOLEAN",):
        text = params.text("value").lower()
        if text not in ("true", "false", "1", "0"):
            params.refuse("value", "value must be true or false for dataType=BOOLEAN")
        return (("=", 1.0 if text in ("true", "1") else 0.0),), ()
    if types == ("NUMERIC",):
        value = params.number("value")
        return ((("=", value),) if value is not None else ()), ()
    params.refuse("value", "value needs exactly one dataType of NUMERIC, BOOLEAN, CATEGORICAL")
    return (), ()
