"""Observations, first and second version."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import PAGE, describe, in_path
from config.api.views import PublicView
from config.errors import Invalid
from tracing.analytics.records import Level
from tracing.api import present
from tracing.api.params import Params
from tracing.api.present_observations import GROUPS_V2, observation_v1, observation_v2
from tracing.api.shapes import observations as shapes
from tracing.queries import filters, observations
from tracing.queries.filters import Column, Filter
from tracing.queries.observations import ObservationFilters
from tracing.queries.prices import UNKNOWN, unit_prices

_LEVELS = tuple(level.value for level in Level)
_DEFAULT_GROUPS = frozenset({"core", "basic"})


class Observations(PublicView):
    @describe(
        "List observations by page",
        query=(*PAGE, *shapes.LIST_V1),
        answer=shapes.ObservationPageV1,
        text="Newest first. The second version reads long lists faster and lets one choose the fields.",
    )
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        # Empty is absent here; the second version asks for roots with it.
        parent_id = params.text("parentObservationId") or None
        wanted = _filters(params, _filters_v1(params.text("filter")), parent_id=parent_id)
        params.check()
        page = observations.list_observations(self.scope, wanted, number=number)
        prices = unit_prices(self.scope, {one.model_id for one in page.items})
        shown = [observation_v1(one, self.scope.project_id, prices.get(one.model_id, UNKNOWN)) for one in page.items]
        return Response({"data": shown, "meta": present.meta(page)})


class OneObservation(PublicView):
    @describe(
        "Read an observation",
        query=(in_path("observation_id", "The observation; ids may hold slashes, escaped as %2F."),),
        answer=shapes.ObservationV1,
    )
    def get(self, request: Request, observation_id: str) -> Response:
        one = observations.get_observation(self.scope, observation_id)
        prices = unit_prices(self.scope, {one.model_id})
        return Response(observation_v1(one, self.scope.project_id, prices.get(one.model_id, UNKNOWN)))


class ObservationsV2(PublicView):
    @describe(
        "List observations by cursor",
        query=shapes.LIST_V2,
        answer=shapes.ObservationPageV2,
        text=(
            "Newest first; send `meta.cursor` back for the next page. Values of metadata are cut after 200 characters "
            "unless the group io is asked for or expandMetadata names their key."
        ),
    )
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        # An empty limit asks for nothing, as upstream does; an absent one for fifty.
        limit = params.integer("limit", 0 if params.has("limit") else 50, low=0, high=1000)
        if params.flag("parseIoAsJson"):
            raise Invalid("parseIoAsJson is not supported: input and output are always returned as text.")
        parent_id = params.text("parentObservationId") if params.has("parentObservationId") else None
        items, is_root = _filters_v2(params.text("filter")), params.flag("isRootObservation")
        wanted = _filters(params, items, parent_id=parent_id, is_root=is_root)
        groups, cursor, expanded = _groups(params), params.text("cursor"), frozenset(params.words("expandMetadata"))
        params.check()
        page = observations.page_observations(
            self.scope,
            wanted,
            limit=limit,
            cursor=cursor,
            with_content="io" in groups,
            with_metadata="metadata" in groups,
        )
        has_prices = "model" in groups
        prices = unit_prices(self.scope, {one.model_id for one in page.items}) if has_prices else {}
        project_id = self.scope.project_id
        shown = [
            observation_v2(one, project_id, groups, prices.get(one.model_id, UNKNOWN), expanded) for one in page.items
        ]
        return Response({"data": shown, "meta": {"cursor": page.next_cursor} if page.next_cursor else {}})


def _groups(params: Params) -> frozenset[str]:
    asked = params.words("fields")
    return frozenset({"core", *asked}) & GROUPS_V2 if asked else _DEFAULT_GROUPS


def _filters_v1(text: str) -> tuple[Filter, ...]:
    dropped = {name: Column(filters.ANYTHING) for name in observations.DROPPED_V1}
    if not text:
        return ()
    items = filters.parse(text, {**dropped, **observations.COLUMNS_V1})
    return tuple(item for item in items if item.column not in dropped)


def _filters_v2(text: str) -> tuple[Filter, ...]:
    if not text:
        return ()
    items = tuple(filters.parse(text, observations.COLUMNS_V2, frozenset({filters.MATCHES})))
    observations.check_text_search(items)
    return items


def _filters(
    params: Params, items: tuple[Filter, ...], *, parent_id: str | None, is_root: bool | None = None
) -> ObservationFilters:
    return ObservationFilters(
        name=params.text("name"),
        user_id=params.text("userId"),
        session_id=params.text("sessionId"),
        type=params.text("type"),
        trace_id=params.text("traceId"),
        level=params.choice("level", _LEVELS),
        parent_id=parent_id,
        is_root=is_root,
        version=params.text("version"),
        environments=params.words("environment"),
        from_time=params.time("fromStartTime"),
        to_time=params.time("toStartTime"),
        items=items,
    )
