"""Experiments and the items that ran in them, read by cursor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import Parameter, Shape, describe, parameter
from config.api.values import iso
from config.api.views import PublicView
from config.errors import Invalid
from evals.models import Experiment, ExperimentItem
from evals.queries import experiment_io, experiments
from evals.queries.experiment_io import Traced
from tracing.api import present
from tracing.api.content import nested
from tracing.api.params import Params
from tracing.api.shapes.scores import ScoreV3
from tracing.queries import filters
from tracing.queries.filters import Column
from tracing.queries.paging import decode_cursor, encode_cursor

_CURSOR_SIZE = 2
_SCORES = ("subject",)
_EXPERIMENT_GROUPS = ("core", "metadata", "scores")
_ITEM_GROUPS = ("core", "dataset", "io", "metadata", "itemMetadata", "experimentMetadata", "scores")
_ITEM_DEFAULT = ("core", "dataset")


class ExperimentMeta(Shape):
    cursor: str | None = None


class ExperimentShape(Shape):
    id: str
    name: str
    description: str | None
    startTime: datetime
    endTime: datetime
    itemCount: int
    datasetId: str | None
    metadata: dict[str, Any] | None = None
    scores: list[ScoreV3] | None = None


class ExperimentPage(Shape):
    data: list[ExperimentShape]
    meta: ExperimentMeta


class ExperimentItemShape(Shape):
    id: str
    traceId: str
    startTime: datetime
    endTime: datetime | None
    level: Literal["DEBUG", "DEFAULT", "WARNING", "ERROR"]
    environment: str
    experimentId: str
    experimentName: str
    experimentItemId: str
    experimentDatasetId: str | None = None
    experimentItemVersion: datetime | None = None
    input: str | None = None
    output: str | None = None
    expectedOutput: str | None = None
    metadata: dict[str, Any] | None = None
    experimentItemMetadata: dict[str, Any] | None = None
    experimentMetadata: dict[str, Any] | None = None
    experimentDescription: str | None = None
    scores: list[ScoreV3] | None = None


class ExperimentItemPage(Shape):
    data: list[ExperimentItemShape]
    meta: ExperimentMeta


def _list(groups: Sequence[str], default: str, *more: Parameter) -> tuple[Parameter, ...]:
    return (
        parameter("fromStartTime", "What ran at this moment or later.", "time", required=True),
        parameter("toStartTime", "What began before this moment.", "time"),
        parameter("fields", f"Groups of fields: {', '.join(groups)}.", many=True, default=default),
        parameter("limit", "How many on a page.", int, low=1, high=100, default=50),
        parameter("scoreLimit", "How many scores of each.", int, low=1, high=50, default=50),
        parameter("cursor", "`meta.cursor` of the page before."),
        *more,
        parameter("filter", "A JSON list of conditions on the same."),
    )


_EXPERIMENTS = _list(
    _EXPERIMENT_GROUPS,
    "core",
    parameter("id", "Any of these experiments.", many=True),
    parameter("name", "Of any of these names.", many=True),
    parameter("datasetId", "Over any of these datasets.", many=True),
)
_ITEMS = _list(
    _ITEM_GROUPS,
    "core,dataset",
    parameter("experimentId", "Of any of these experiments.", many=True),
    parameter("experimentName", "Of experiments of any of these names.", many=True),
    parameter("experimentItemId", "Any of these items.", many=True),
    parameter("datasetId", "Of experiments over any of these datasets.", many=True),
)
#: parameter or column of a filter -> field of the rows
_EXPERIMENT_FIELDS = {"id": "experiment_id", "name": "name", "datasetId": "dataset_id"}
_ITEM_FIELDS = {
    "experimentId": "experiment__experiment_id",
    "experimentName": "experiment__name",
    "experimentItemId": "item_id",
    "datasetId": "experiment__dataset_id",
}


class Experiments(PublicView):
    @describe(
        "List experiments",
        query=_EXPERIMENTS,
        answer=ExperimentPage,
        text="The one in which something happened last comes first. `scores` are those of the whole run.",
    )
    def get(self, request: Request) -> Response:
        asked = _Asked(Params(request.query_params), _EXPERIMENT_GROUPS, ("core",), _EXPERIMENT_FIELDS)
        found = experiments.with_times(self.scope).filter(asked.condition, last_at__gte=asked.since)
        if asked.until:
            found = found.filter(first_at__lt=asked.until)
        page, cursor = asked.cut(found, "last_at")
        scores = experiment_io.scores_of_runs(self.scope, [one.experiment_id for one in page], asked.scores)
        counts = experiments.count_runs(page)
        shown = [_experiment(one, asked, counts.get(one.pk, 0), scores.get(one.experiment_id, [])) for one in page]
        return Response({"data": shown, "meta": cursor})


class ExperimentItems(PublicView):
    @describe(
        "List items of experiments",
        query=_ITEMS,
        answer=ExperimentItemPage,
        text="One for each run of an item, the last that began first. `id` is the root span of the run.",
    )
    def get(self, request: Request) -> Response:
        asked = _Asked(Params(request.query_params), _ITEM_GROUPS, _ITEM_DEFAULT, _ITEM_FIELDS)
        found = experiments.with_start(self.scope).filter(asked.condition, at__gte=asked.since)
        if asked.until:
            found = found.filter(at__lt=asked.until)
        page, cursor = asked.cut(found, "at")
        traced = experiment_io.traced(
            self.scope,
            page,
            with_io="io" in asked.groups,
            with_metadata=bool({"metadata", "itemMetadata"} & asked.groups),
            scores=asked.scores,
        )
        shown = [_item(one, traced.get(one.pk, Traced()), asked.groups) for one in page]
        return Response({"data": shown, "meta": cursor})


class _Asked:
    """What both lists are asked for."""

    def __init__(self, params: Params, groups: Sequence[str], default: Sequence[str], fields: dict[str, str]) -> None:
        self.groups = frozenset(params.words("fields") or default)
        if unknown := sorted(self.groups - set(groups)):
            params.refuse("fields", f"Unknown field group: {', '.join(unknown)}. Known are {', '.join(groups)}.")
        since, self.until = params.time("fromStartTime"), params.time("toStartTime")
        if since is None and not params.issues:
            params.refuse("fromStartTime", "Invalid input: expected date, received undefined")
        self.limit = params.integer("limit", 50, low=1, high=100)
        score_limit = params.integer("scoreLimit", 50, low=1, high=50)
        #: of each; 0 where none are asked for
        self.scores = score_limit if "scores" in self.groups else 0
        self._cursor = params.text("cursor")
        wanted = {name: params.words(name) for name in fields}
        text = params.text("filter")
        params.check()
        if since is None:
            raise Invalid("fromStartTime is missing.")
        self.since: datetime = since
        conditions = [Q(**{f"{fields[name]}__in": words}) for name, words in wanted.items() if words]
        if text:
            columns = {name: Column("text") for name in fields}
            conditions += [_filtered(item, fields[item.column]) for item in filters.parse(text, columns)]
        self.condition = Q(*conditions)

    def cut(self, found: Any, time_field: str) -> tuple[list[Any], dict[str, str]]:
        """The page after the cursor, and what names the next one."""
        if self._cursor:
            at, number = decode_cursor(self._cursor, size=_CURSOR_SIZE)
            if not (number.isascii() and number.isdigit() and len(number) < 19):
                raise Invalid("Invalid cursor format")
            found = experiments.after(found, time_field, (at, int(number)))
        rows = list(found.order_by(f"-{time_field}", "-pk")[: self.limit + 1])
        if len(rows) <= self.limit:
            return rows, {}
        last = rows[self.limit - 1]
        return rows[: self.limit], {"cursor": encode_cursor(getattr(last, time_field), str(last.pk))}


def _filtered(item: filters.Filter, field: str) -> Q:
    """A filter on a text as a condition on rows."""
    value = item.value
    if any("\x00" in text for text in ([value] if isinstance(value, str) else value or [])):
        raise Invalid("Text must not hold the character U+0000.")
    blank = Q(**{f"{field}__isnull": True}) | Q(**{field: ""})
    conditions = {
        "=": lambda: Q(**{field: value}),
        "contains": lambda: Q(**{f"{field}__contains": value}),
        "does not contain": lambda: ~Q(**{f"{field}__contains": value}) | blank,
        "starts with": lambda: Q(**{f"{field}__startswith": value}),
        "ends with": lambda: Q(**{f"{field}__endswith": value}),
        "any of": lambda: Q(**{f"{field}__in": value}),
        "none of": lambda: ~Q(**{f"{field}__in": value}) | Q(**{f"{field}__isnull": True}),
        "is null": lambda: blank,
        "is not null": lambda: ~blank,
    }
    if item.operator not in conditions:
        raise Invalid(f"Operator {item.operator} does not fit column {item.column}.")
    return conditions[item.operator]()


def _experiment(one: Any, asked: _Asked, items: int, scores: list[Any]) -> dict[str, Any]:
    shown = {
        "id": one.experiment_id,
        "name": one.name,
        "description": one.description or None,
        "startTime": iso(one.first_at),
        "endTime": iso(one.last_at),
        "itemCount": items,
        "datasetId": one.dataset_id,
    }
    if "metadata" in asked.groups:
        shown["metadata"] = _object(one)
    if "scores" in asked.groups:
        shown["scores"] = [present.score_v3(score, _SCORES) for score in scores]
    return shown


def _object(experiment: Experiment) -> dict[str, Any] | None:
    metadata = experiment.metadata
    return metadata if metadata is None or isinstance(metadata, dict) else {"metadata": metadata}


def _item(one: ExperimentItem, traced: Traced, groups: frozenset[str]) -> dict[str, Any]:
    experiment = one.experiment
    started, ended = one.started_at or traced.started_at or one.created_at, one.ended_at or traced.ended_at
    shown: dict[str, Any] = {
        "id": one.observation_id or traced.root_id or one.run_item_id,
        "traceId": one.trace_id,
        "startTime": iso(started),
        "endTime": iso(ended) if ended else None,
        "level": one.level or traced.level or "DEFAULT",
        "environment": one.environment or traced.environment or "default",
        "experimentId": experiment.experiment_id,
        "experimentName": experiment.name,
        "experimentItemId": one.item_id,
    }
    if "dataset" in groups:
        shown["experimentDatasetId"] = experiment.dataset_id
        shown["experimentItemVersion"] = iso(one.item_version) if one.item_version else None
    if "io" in groups:
        shown |= {"input": traced.input, "output": traced.output, "expectedOutput": traced.expected_output}
    if "metadata" in groups:
        shown["metadata"] = nested(traced.metadata)
    if "itemMetadata" in groups:
        shown["experimentItemMetadata"] = nested(traced.item_metadata)
    if "experimentMetadata" in groups:
        shown |= {"experimentMetadata": _object(experiment), "experimentDescription": experiment.description or None}
    if "scores" in groups:
        shown["scores"] = [present.score_v3(score, _SCORES) for score in traced.scores]
    return shown
