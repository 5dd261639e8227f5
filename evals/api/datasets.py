"""Datasets: list, make or change, read."""

from __future__ import annotations

import tempfile
from itertools import islice
from typing import IO, Any

from django.http import FileResponse, HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import ProjectScope
from config.api.describe import PAGE, describe, in_path
from config.api.values import iso, to_json
from config.api.views import JsonRenderer, PublicView
from config.errors import Invalid
from config.snapshot import one_moment
from evals.actions import datasets as actions
from evals.api import dataset_shapes as shapes
from evals.api.dataset_items import present_items
from evals.datasets.changes import KEEP, DatasetChange
from evals.models import Dataset
from evals.queries import datasets as queries
from evals.queries import items as item_queries
from tracing.api.params import Params
from tracing.api.present import meta
from tracing.ingest.issues import Issue, check_object, check_text, wrong_type

_IN_MEMORY = 4 << 20
#: items at once, whose files are looked up together
_PRESENTED = 100
_NAME = in_path("name", "The name; a slash in it is written %2F.")
_RULES = (
    "A dataset of this name is changed: what is not named, or null, stays. Slashes in the name make folders. "
    "The schemas are JSON Schema, 2020-12 unless `$schema` names another draft; nothing that they refer to is "
    "fetched. One is taken only when all items in use fit it."
)
_EXAMPLE = {
    "name": "support/questions",
    "description": "What people asked in May",
    "inputSchema": {"type": "object", "required": ["question"], "properties": {"question": {"type": "string"}}},
}


class Datasets(PublicView):
    @describe("List datasets", query=PAGE, answer=shapes.DatasetPage, text="Newest first.")
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        params.check()
        page = queries.list_by_number(self.scope, number)
        return Response({"data": [present_dataset(one) for one in page.items], "meta": meta(page)})

    @describe(
        "Make or change a dataset", body=shapes.NewDataset, answer=shapes.DatasetShape, text=_RULES, example=_EXAMPLE
    )
    def post(self, request: Request) -> Response:
        return Response(present_dataset(actions.put_dataset(self.scope, _change(self.body()), actor=self.actor)))


class OneDataset(PublicView):
    @describe("Read a dataset", query=[_NAME], answer=shapes.DatasetShape)
    def get(self, request: Request, name: str) -> Response:
        return Response(present_dataset(queries.find_dataset(self.scope, name)))


class DatasetsV1(PublicView):
    """What the first clients call."""

    @describe(
        "List datasets (v1)",
        query=PAGE,
        answer=shapes.DatasetV1Page,
        deprecated=True,
        text="With the ids of their items and the names of their runs.",
    )
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        params.check()
        with one_moment():
            page = queries.list_by_number(self.scope, number)
            ids = [one.pk for one in page.items]
            items, runs = item_queries.list_ids(self.scope, ids), queries.list_run_names(self.scope, ids)
        shown = [present_dataset(one) | {"items": items[one.pk], "runs": runs[one.pk]} for one in page.items]
        return Response({"data": shown, "meta": meta(page)})

    @describe(
        "Make or change a dataset (v1)",
        body=shapes.NewDataset,
        answer=shapes.DatasetV1Shape,
        deprecated=True,
        text=_RULES,
    )
    def post(self, request: Request) -> Response:
        dataset = actions.put_dataset(self.scope, _change(self.body()), actor=self.actor)
        return Response(present_dataset(dataset) | {"status": "ACTIVE"})


class OneDatasetV1(PublicView):
    @describe(
        "Read a dataset with its items (v1)",
        query=[_NAME],
        answer=shapes.WholeDatasetV1,
        deprecated=True,
        text="With all items in use and the names of its runs. Large datasets are better read page by page.",
    )
    def get(self, request: Request, name: str) -> FileResponse:
        with one_moment():
            whole = _written_whole(self.scope, request._request, queries.find_dataset(self.scope, name))
        return FileResponse(whole, content_type=JsonRenderer.media_type)


def _written_whole(scope: ProjectScope, request: HttpRequest, dataset: Dataset) -> IO[bytes]:
    """The dataset as JSON, on disk where it is large: some thousand items, as objects and as one text, would take
    many times the memory, and a client that reads slowly shall not keep the moment open."""
    whole = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the answer closes it
    whole.write(to_json(present_dataset(dataset)).removesuffix(b"}") + b',"items":[')
    items = item_queries.list_items(scope, dataset)
    comma = b""
    while some := list(islice(items, _PRESENTED)):
        whole.write(comma + to_json(present_items(scope, request, some))[1:-1])
        comma = b","
    whole.write(b'],"runs":' + to_json(queries.list_run_names(scope, [dataset.pk])[dataset.pk]) + b"}")
    whole.seek(0)
    return whole


def present_dataset(dataset: Dataset) -> dict[str, Any]:
    return {
        "id": dataset.id,
        "projectId": dataset.project_id,
        "name": dataset.name,
        "description": dataset.description or None,
        "metadata": dataset.metadata,
        "inputSchema": dataset.input_schema,
        "expectedOutputSchema": dataset.expected_output_schema,
        "createdAt": iso(dataset.created_at),
        "updatedAt": iso(dataset.updated_at),
    }


def _change(body: Any) -> DatasetChange:
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    issues: list[Issue] = []
    check_text(body, "name", (), issues, required=True, minimum=1)
    check_text(body, "description", (), issues)
    for key in ("inputSchema", "expectedOutputSchema"):
        check_object(body, key, (), issues)
    if issues:
        raise Invalid(issues=issues)
    return DatasetChange(
        name=body["name"],
        description=_given(body, "description"),
        metadata=_given(body, "metadata"),
        input_schema=_given(body, "inputSchema"),
        expected_output_schema=_given(body, "expectedOutputSchema"),
    )


def _given(body: dict[str, Any], key: str) -> Any:
    """SDKs send null for what they were not told."""
    return KEEP if body.get(key) is None else body[key]
