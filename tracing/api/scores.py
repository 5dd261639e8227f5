"""Reads of scores in their three versions, and deleting one."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import PROJECT_KEY, PUBLIC_KEY, Message, describe
from config.api.views import PublicView
from config.errors import Invalid
from tracing import actions
from tracing.analytics.records import ScoreSource, ScoreType
from tracing.api import present
from tracing.api.params import Params
from tracing.api.shapes import score_requests as asked
from tracing.api.shapes import scores as shapes
from tracing.ingest import receive
from tracing.queries import filters, scores
from tracing.queries.scores import ScoreFilters

_SOURCES = tuple(source.value for source in ScoreSource)
_TYPES = tuple(kind.value for kind in ScoreType)
_V3_GROUPS = ("core", "details", "subject", "annotation")


class Scores(PublicView):
    @describe(
        "Send scores",
        body=asked.NewScore | list[asked.NewScoreOfMany],
        example=asked.NEW_SCORE,
        answer=asked.CreatedScore,
        answers={202: Message, 207: asked.ScoreReceipt},
        keys=(PROJECT_KEY, PUBLIC_KEY),
        text=(
            "One score as an object is answered with its id and 200, many as an array with 202, or with 207 when some "
            "are refused and the others kept. The same id again changes the score. The public key alone is enough."
        ),
    )
    def post(self, request: Request) -> HttpResponse:
        """Called only at other than the exact address: that one is answered before Django's middleware."""
        return receive.answer(request._request, receive.create_scores)

    @describe(
        "List scores of traces",
        query=asked.LIST_V1,
        answer=shapes.ScorePageV1,
        deprecated=True,
        text="Newest first, without corrections, and without scores of traces that do not exist.",
    )
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        wanted = _filters(params, is_first_version=True)
        params.check()
        page = scores.list_scores(self.scope, wanted, number=number, with_trace=True)
        return Response({"data": [present.score_v1_item(row) for row in page.items], "meta": present.meta(page)})


class OneScore(PublicView):
    @describe("Read a score of a trace", query=[asked.SCORE_ID], answer=shapes.ScoreV1, deprecated=True)
    def get(self, request: Request, score_id: str) -> Response:
        return Response(present.score_v1(scores.get_score(self.scope, score_id, only_of_traces=True)))

    @describe(
        "Delete a score", query=[asked.SCORE_ID], status=202, text="It is gone at once. Unknown ids are no error."
    )
    def delete(self, request: Request, score_id: str) -> Response:
        actions.delete_score(self.scope, score_id)
        return Response({"message": "Score deletion queued successfully"}, status=202)


class ScoresV2(PublicView):
    @describe(
        "List scores",
        query=asked.LIST_V2,
        answer=shapes.ScorePageV2,
        text="Newest first, without scores of traces that do not exist.",
    )
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        wanted = _filters(params, is_first_version=False)
        fields = params.words("fields") or ("score", "trace")
        params.check()
        if "score" not in fields:
            raise Invalid("The fields parameter must include score.")
        has_trace = "trace" in fields
        if wanted.asks_for_trace and not has_trace:
            raise Invalid("Filters on the trace need trace among the fields.")
        page = scores.list_scores(self.scope, wanted, number=number, with_trace=has_trace)
        shown = [present.score_v2_item(row, with_trace=has_trace) for row in page.items]
        return Response({"data": shown, "meta": present.meta(page)})


class OneScoreV2(PublicView):
    @describe("Read a score", query=[asked.SCORE_ID], answer=shapes.ScoreV2)
    def get(self, request: Request, score_id: str) -> Response:
        return Response(present.score_v2(scores.get_score(self.scope, score_id)))


class ScoresV3(PublicView):
    @describe(
        "List scores by cursor",
        query=asked.LIST_V3,
        answer=shapes.ScorePageV3,
        text="Newest first, whether what they are about exists or not. Parameters that are not known are refused.",
    )
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        params.only(one.name for one in asked.LIST_V3)
        limit = params.integer("limit", 50, low=1, high=100)
        groups = params.words("fields")
        if unknown := [group for group in groups if group not in _V3_GROUPS]:
            params.refuse("fields", f"Unknown field group: {', '.join(unknown)}")
        wanted, cursor = _filters_v3(params), params.text("cursor")
        params.check()
        page = scores.page_scores(self.scope, wanted, limit=limit, cursor=cursor)
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
    for name, bound in (("valueMin", low), ("valueMax", high)):
        if bound is not None and types != ("NUMERIC",):
            params.refuse(name, f"{name} needs dataType=NUMERIC")
    targets = {name: params.words(name) for name in ("traceId", "sessionId", "experimentId")}
    subjects = [name for name, ids in targets.items() if ids]
    if len(subjects) > 1:
        params.refuse(subjects[1], f"{' and '.join(subjects)} are mutually exclusive")
    observation_ids = params.words("observationId")
    if observation_ids and not targets["traceId"]:
        params.refuse("observationId", "observationId needs traceId")
    values, texts = _values_v3(params, types)
    return ScoreFilters(
        ids=params.words("id"),
        names=params.words("name"),
        sources=params.choices("source", _SOURCES),
        data_types=types,
        environments=params.words("environment"),
        config_ids=params.words("configId"),
        queue_ids=params.words("queueId"),
        author_user_ids=params.words("authorUserId"),
        trace_ids=targets["traceId"],
        session_ids=targets["sessionId"],
        observation_ids=observation_ids,
        dataset_run_ids=targets["experimentId"],
        numbers=tuple((operator, bound) for operator, bound in ((">=", low), ("<=", high)) if bound is not None),
        values=values,
        texts=texts,
        from_time=params.time("fromTimestamp"),
        to_time=params.time("toTimestamp"),
    )


def _values_v3(params: Params, types: tuple[str, ...]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """`value` lists numbers, truth values or categories, as the one data type says."""
    if types == ("NUMERIC",):
        return params.numbers("value"), ()
    texts = params.words("value")
    if not texts or types == ("CATEGORICAL",):
        return (), texts
    if types != ("BOOLEAN",):
        params.refuse("value", "value needs exactly one dataType of NUMERIC, BOOLEAN, CATEGORICAL")
    elif any(text.lower() not in ("true", "false") for text in texts):
        params.refuse("value", "value must be true or false for dataType=BOOLEAN")
    return tuple(1.0 if text.lower() == "true" else 0.0 for text in texts), ()
