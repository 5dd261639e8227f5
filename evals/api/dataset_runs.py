"""Dataset runs as older clients know experiments: runs of a dataset, and the items that ran in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import ProjectScope
from config.api.describe import PAGE, Given, Message, PageMeta, Shape, describe, in_path, parameter
from config.api.values import iso
from config.api.views import PublicView
from config.errors import Invalid, NotFound
from evals.actions.experiments import RunOfItem, delete_experiment, note_runs
from evals.models import Experiment, ExperimentItem
from evals.models.datasets import DATASET_NAME_LENGTH
from evals.models.experiments import TRACE_ID_LENGTH, experiment_id_of
from evals.queries import experiments as queries
from tracing.api.params import Params
from tracing.api.present import meta
from tracing.ingest.issues import Issue, check_text, custom, wrong_type
from tracing.queries.named import observations_called
from tracing.queries.periods import parse_time

_FIELDS = {
    "runName", "runDescription", "metadata", "datasetItemId", "observationId", "traceId", "datasetVersion", "createdAt",
}  # fmt: skip


class DatasetRunItemShape(Shape):
    id: str
    datasetRunId: str
    datasetRunName: str
    datasetItemId: str
    traceId: str
    observationId: str | None
    createdAt: datetime
    updatedAt: datetime


class DatasetRunItemPage(Shape):
    data: list[DatasetRunItemShape]
    meta: PageMeta


class DatasetRunShape(Shape):
    id: str
    name: str
    description: str | None
    metadata: dict[str, Any] | None
    datasetId: str
    datasetName: str
    createdAt: datetime
    updatedAt: datetime


class DatasetRunPage(Shape):
    data: list[DatasetRunShape]
    meta: PageMeta


class DatasetRunWithItems(DatasetRunShape):
    datasetRunItems: list[DatasetRunItemShape]


class NewDatasetRunItem(Given):
    runName: str
    datasetItemId: str
    traceId: str | None = None
    observationId: str | None = None
    runDescription: str | None = None
    metadata: Any = None
    datasetVersion: datetime | None = None
    createdAt: datetime | None = None


class DatasetRunItems(PublicView):
    @describe(
        "Link a trace to an item of a dataset",
        body=NewDatasetRunItem,
        answer=DatasetRunItemShape,
        text=(
            "The run is made with its first item. Its id is that of the experiment of the same dataset and name, which "
            "clients compute themselves. The same item with another trace is a repetition. Fields that are not known "
            "are refused."
        ),
        example={"runName": "gpt-4o, warmer", "datasetItemId": "capital-of-kenya", "traceId": "0af7651916cd43dd"},
    )
    def post(self, request: Request) -> Response:
        body = _checked(self.body())
        item = _link(self.scope, body)
        return Response(run_item_shown(item))

    @describe(
        "List items of a dataset run",
        query=(
            parameter("datasetId", "The dataset.", required=True),
            parameter("runName", "The run.", required=True),
            *PAGE,
        ),
        answer=DatasetRunItemPage,
        text="Newest first.",
    )
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        dataset_id, name = params.text("datasetId"), params.text("runName")
        for field, value in (("datasetId", dataset_id), ("runName", name)):
            if not value and not params.issues:
                params.refuse(field, "Invalid input: expected string, received undefined")
        number = params.page()
        params.check()
        page = queries.list_run_items(_run_of(self.scope, dataset_id, name), number)
        return Response({"data": [run_item_shown(item) for item in page.items], "meta": meta(page)})


def _run_of(scope: ProjectScope, dataset_id: str, name: str) -> Experiment | None:
    dataset = queries.dataset_with_id(scope, dataset_id)
    try:
        return None if dataset is None else queries.get_run(scope, dataset, name)
    except NotFound:
        return None


_NAME = in_path("name", "The name of the dataset; a slash in it is written %2F.")
_RUN = in_path("run", "The name of the run; a slash in it is written %2F.")


class DatasetRuns(PublicView):
    @describe("List runs of a dataset", query=(_NAME, *PAGE), answer=DatasetRunPage, text="Newest first.")
    def get(self, request: Request, name: str) -> Response:
        params = Params(request.query_params)
        number = params.page()
        params.check()
        page = queries.list_runs(self.scope, queries.dataset_named(self.scope, name), number)
        return Response({"data": [_run_shown(run) for run in page.items], "meta": meta(page)})


class OneDatasetRun(PublicView):
    @describe("Read a run of a dataset", query=(_NAME, _RUN), answer=DatasetRunWithItems, text="With all its items.")
    def get(self, request: Request, name: str, run: str) -> Response:
        found = queries.get_run(self.scope, queries.dataset_named(self.scope, name), run)
        items = queries.items_of(found)
        return Response({**_run_shown(found), "datasetRunItems": [run_item_shown(item) for item in items]})

    @describe(
        "Delete a run of a dataset",
        query=(_NAME, _RUN),
        answer=Message,
        text="The run and what links it to items; its traces and scores stay.",
    )
    def delete(self, request: Request, name: str, run: str) -> Response:
        found = queries.get_run(self.scope, queries.dataset_named(self.scope, name), run)
        delete_experiment(self.scope, found, actor=self.actor)
        return Response({"message": "Dataset run successfully deleted"})


def _link(scope: ProjectScope, body: dict[str, Any]) -> ExperimentItem:
    version_at = body.get("datasetVersion")
    item, version = queries.item_for_run(scope, body["datasetItemId"], version_at)
    metadata = body.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        metadata = {"metadata": metadata}
    if version_at is not None:
        metadata = {**(metadata or {}), "dataset_version": iso(version_at)}
    name, dataset_id = body["runName"], item.dataset_id
    [noted] = note_runs(
        scope,
        experiment_id_of(scope.project_id, dataset_id, name),
        [
            RunOfItem(
                item_id=item.item_id,
                trace_id=body.get("traceId") or _trace_of(scope, body["observationId"]),
                observation_id=body.get("observationId") or "",
                item_version=version.valid_from,
            )
        ],
        name=name,
        description=body.get("runDescription") or "",
        metadata=metadata,
        dataset_id=dataset_id,
        at=body.get("createdAt") or timezone.now(),
    )
    return noted


def _trace_of(scope: ProjectScope, observation_id: str) -> str:
    found = observations_called(scope, observation_id, limit=1)
    if not found:
        raise NotFound("Observation not found")
    return found[0].trace_id


def _checked(body: Any) -> dict[str, Any]:
    """Without nulls, times as times. Raises Invalid naming all that is wrong."""
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    issues: list[Issue] = []
    unknown = sorted(set(body) - _FIELDS)
    if unknown:
        names = ", ".join(f'"{name}"' for name in unknown)
        message = f"Unrecognized key{'s' * (len(unknown) > 1)}: {names}"
        issues.append({"code": "unrecognized_keys", "keys": unknown, "path": [], "message": message})
    for field in ("runName", "datasetItemId"):
        check_text(body, field, (), issues, required=True, minimum=1)
    for field in ("traceId", "observationId", "runDescription"):
        check_text(body, field, (), issues)
    for field, most in (
        ("runName", DATASET_NAME_LENGTH), ("traceId", TRACE_ID_LENGTH), ("observationId", TRACE_ID_LENGTH),
    ):  # fmt: skip
        if isinstance(body.get(field), str) and len(body[field]) > most:
            issues.append(custom((field,), f"Too big: expected string to have <={most} characters"))
    times = {field: _time(body, field, issues) for field in ("datasetVersion", "createdAt")}
    if issues:
        raise Invalid(issues=issues)
    if not body.get("traceId") and not body.get("observationId"):
        raise Invalid("observationId or traceId must be provided")
    return {**body, **times}


def _time(body: dict[str, Any], field: str, issues: list[Issue]) -> datetime | None:
    value = body.get(field)
    if value is None:
        return None
    moment = parse_time(value) if isinstance(value, str) else None
    if moment is None:
        issues.append(custom((field,), "Invalid ISO datetime"))
        return None
    return moment.astimezone(UTC)


def _run_shown(run: Experiment) -> dict[str, Any]:
    dataset = run.dataset
    return {
        "id": run.experiment_id,
        "name": run.name,
        "description": run.description or None,
        "metadata": run.metadata,
        "datasetId": dataset.pk if dataset else "",
        "datasetName": dataset.name if dataset else "",
        "createdAt": iso(run.created_at),
        "updatedAt": iso(run.updated_at),
    }


def run_item_shown(item: ExperimentItem) -> dict[str, Any]:
    return {
        "id": item.run_item_id,
        "datasetRunId": item.experiment.experiment_id,
        "datasetRunName": item.experiment.name,
        "datasetItemId": item.item_id,
        "traceId": item.trace_id,
        "observationId": item.observation_id or None,
        "createdAt": iso(item.created_at),
        "updatedAt": iso(item.updated_at),
    }
