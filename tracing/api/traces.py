"""GET and DELETE of traces, GET of sessions."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import describe
from config.api.views import PublicView
from config.errors import Invalid, issue
from tracing import actions
from tracing.api import present
from tracing.api.params import Params
from tracing.api.shapes import traces as shapes
from tracing.api.single_writes import TraceWrites
from tracing.queries import filters, sessions, traces
from tracing.queries.prices import unit_prices
from tracing.queries.traces import Parts, TraceFilters

_MOST_DELETED = 1000


class Traces(TraceWrites):
    @describe("List traces", query=shapes.LIST, answer=shapes.TracePage)
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        wanted = _filters(params)
        order, is_descending = _order(params)
        parts = _parts(params)
        params.check()
        page = traces.list_traces(self.scope, wanted, number=number, order=order, descending=is_descending, parts=parts)
        return Response({"data": [present.trace_item(row, parts) for row in page.items], "meta": present.meta(page)})

    @describe(
        "Delete traces",
        body=shapes.TraceIds,
        example={"traceIds": ["4bf92f3577b34da6a3ce929d0e0e4736"]},
        text="With their observations, scores and links to media. Ids that are not there are no error.",
    )
    def delete(self, request: Request) -> Response:
        actions.delete_traces(self.scope, _ids(self.body()))
        return Response({"message": "Traces deleted successfully"})


class OneTrace(PublicView):
    @describe(
        "Read a trace with its observations and scores",
        query=(shapes.TRACE_ID, shapes.FIELDS),
        answer=shapes.TraceDetail,
    )
    def get(self, request: Request, trace_id: str) -> Response:
        params = Params(request.query_params)
        parts = _parts(params)
        params.check()
        detail = traces.get_trace(self.scope, trace_id, parts=parts)
        prices = unit_prices(self.scope, {one.model_id for one in detail.observations})
        return Response(present.trace_detail(detail, parts, prices))

    @describe(
        "Delete one trace",
        query=(shapes.TRACE_ID,),
        text="With its observations, scores and links to media. A trace that is not there is no error.",
    )
    def delete(self, request: Request, trace_id: str) -> Response:
        actions.delete_traces(self.scope, [trace_id])
        return Response({"message": "Trace deleted successfully"})


class Sessions(PublicView):
    @describe("List sessions", query=shapes.LIST_SESSIONS, answer=shapes.SessionPage)
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        from_time, to_time = params.time("fromTimestamp"), params.time("toTimestamp")
        environments = params.words("environment")
        params.check()
        page = sessions.list_sessions(
            self.scope,
            number=number,
            from_time=from_time,
            to_time=to_time,
            environments=environments,
        )
        shown = [present.session(item, self.scope.project_id) for item in page.items]
        return Response({"data": shown, "meta": present.meta(page)})


class OneSession(PublicView):
    @describe("Read a session with its traces", query=(shapes.SESSION_ID,), answer=shapes.SessionDetail)
    def get(self, request: Request, session_id: str) -> Response:
        parts = Parts(io=True, scores=False, observations=False, metrics=False)
        detail = sessions.get_session(self.scope, session_id, parts=parts)
        shown = [present.session_trace(row) for row in detail.traces]
        return Response({**present.session(detail.session, self.scope.project_id), "traces": shown})


def _filters(params: Params) -> TraceFilters:
    text = params.text("filter")
    return TraceFilters(
        user_id=params.text("userId"),
        name=params.text("name"),
        session_id=params.text("sessionId"),
        version=params.text("version"),
        release=params.text("release"),
        tags=params.words("tags"),
        environments=params.words("environment"),
        from_time=params.time("fromTimestamp"),
        to_time=params.time("toTimestamp"),
        items=tuple(filters.parse(text, traces.COLUMNS)) if text else (),
    )


def _order(params: Params) -> tuple[str, bool]:
    name, _, direction = (params.text("orderBy") or "timestamp.desc").rpartition(".")
    if name not in traces.ORDER_FIELDS or direction.lower() not in ("asc", "desc"):
        allowed = ", ".join(traces.ORDER_FIELDS)
        params.refuse("orderBy", f"Invalid orderBy. Expected <field>.<asc|desc> with a field of {allowed}")
        return "timestamp", True
    return name, direction.lower() == "desc"


def _parts(params: Params) -> Parts:
    """Unknown groups are ignored; no parameter means all."""
    asked = params.words("fields")
    if not asked:
        return Parts()
    return Parts(**{group: group in asked for group in ("io", "scores", "observations", "metrics")})


def _ids(body: object) -> list[str]:
    ids = body.get("traceIds") if isinstance(body, dict) else None
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        message = "Invalid input: expected array of strings"
        raise Invalid(issues=[{"code": "invalid_type", "expected": "array", "path": ["traceIds"], "message": message}])
    if not 1 <= len(ids) <= _MOST_DELETED:
        message = f"expected array to have between 1 and {_MOST_DELETED} items"
        raise Invalid(issues=[issue("traceIds", message)])
    return ids
