"""Items of datasets: list, write, read, delete."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import ProjectScope
from config.api.body import Body, parse_json
from config.api.describe import PAGE, Message, Problem, describe, in_path, parameter
from config.api.values import iso
from config.api.views import PublicView
from config.errors import Invalid, NotFound
from config.snapshot import one_moment
from evals.actions import items as actions
from evals.api import dataset_shapes as shapes
from evals.datasets import media, values
from evals.datasets.changes import KEEP, ItemChange
from evals.models import Dataset
from evals.models.datasets import ITEM_ID_LENGTH
from evals.queries import datasets as dataset_queries
from evals.queries import items as queries
from evals.queries.items import Item
from tracing.api import media_addresses
from tracing.api.params import Params
from tracing.api.present import meta
from tracing.ingest.issues import Issue, check_option, check_text, custom, wrong_type

#: what clients are promised that one item may have
_LARGEST_BODY = 4_718_592
_ID = in_path("item_id", "The id of the item.")
_LIST = (
    parameter("datasetName", "Items of this dataset."),
    parameter("sourceTraceId", "Items that come from this trace."),
    parameter("sourceObservationId", "Items that come from this observation."),
    parameter("version", "The items as they were at this time. Needs `datasetName`.", "time"),
    *PAGE,
)
_RULES = (
    "An id that the project has already is a new version of that item: what is not named, or null, stays. Texts that "
    "are JSON are taken as what they say; control characters are left out. Input and expected output must fit the "
    "schemas of the dataset."
)
_EXAMPLE = {
    "datasetName": "support/questions",
    "input": {"question": "How do I cancel?"},
    "expectedOutput": "Under Settings, Plan.",
    "metadata": {"language": "en"},
}


class DatasetItems(PublicView):
    @describe(
        "List items",
        query=_LIST,
        answer=shapes.DatasetItemPage,
        answers={404: Problem},
        text="Those in use, the one written last first.",
    )
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number, name, as_of = params.page(), params.text("datasetName"), params.time("version")
        sources = params.text("sourceTraceId"), params.text("sourceObservationId")
        if as_of is not None and not name:
            params.refuse("version", "A version is one of a dataset: name it in datasetName.")
        params.check()
        with one_moment():
            dataset = _named(self.scope, name) if name else None
            found = queries.versions(
                self.scope,
                dataset=dataset,
                as_of=as_of,
                source_trace_id=sources[0],
                source_observation_id=sources[1],
            )
            page = queries.list_by_number(found, number)
        shown = present_items(self.scope, request._request, page.items)
        return Response({"data": shown, "meta": meta(page)})

    @describe(
        "Write an item",
        body=shapes.NewDatasetItem,
        answer=shapes.DatasetItemShape,
        answers={404: Problem, 409: Problem, 413: Problem},
        text=_RULES,
        example=_EXAMPLE,
    )
    def post(self, request: Request) -> Response:
        name, change = _read(self._item_body())
        dataset = dataset_queries.find_dataset(self.scope, name)
        item = actions.put_item(self.scope, dataset, change, actor=self.actor)
        return Response(present_items(self.scope, request._request, [item])[0])

    def _item_body(self) -> Any:
        with Body(self.request._request, _LARGEST_BODY) as raw:
            try:
                return parse_json(raw) if raw.strip() else {}
            except ValueError:
                raise Invalid("Invalid JSON") from None


class OneDatasetItem(PublicView):
    @describe("Read an item", query=[_ID], answer=shapes.DatasetItemShape, text="Also one that is archived.")
    def get(self, request: Request, item_id: str) -> Response:
        item = queries.get_item(self.scope, item_id)
        return Response(present_items(self.scope, request._request, [item])[0])

    @describe(
        "Delete an item",
        query=[_ID],
        answer=Message,
        text="What it said before can still be read with `version`.",
    )
    def delete(self, request: Request, item_id: str) -> Response:
        actions.delete_item(self.scope, item_id, actor=self.actor)
        return Response({"message": "Dataset item successfully deleted"})


def _named(scope: ProjectScope, name: str) -> Dataset:
    """Generation 2 of the Python SDK encodes names once more than the others do."""
    try:
        return dataset_queries.find_dataset(scope, name)
    except NotFound:
        if (meant := unquote(name)) == name:
            raise
        return dataset_queries.find_dataset(scope, meant)


def present_items(scope: ProjectScope, request: HttpRequest, items: Sequence[Item]) -> list[dict[str, Any]]:
    files = {item.id: _files(item) for item in items}
    wanted = {one.media_id for named in files.values() for one in named}
    known = media.find_media(scope, wanted) if wanted else {}
    expiry = iso(datetime.now(UTC) + timedelta(seconds=media_addresses.VALID_SECONDS))
    shown = {
        media_id: {
            "mediaId": media_id,
            "contentType": one.content_type,
            "contentLength": one.content_length,
            "url": media_addresses.download_address(request, one),
            "urlExpiry": expiry,
        }
        for media_id, one in known.items()
    }
    return [_present(item, files[item.id], shown) for item in items]


def _files(item: Item) -> list[media.Named]:
    texts = {"input": item.input_text, "expectedOutput": item.expected_output_text, "metadata": item.metadata_text}
    return [one for field, text in texts.items() for one in media.named(field, text)]


def _present(item: Item, files: Sequence[media.Named], known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": item.id,
        "status": item.status,
        "input": item.input,
        "expectedOutput": item.expected_output,
        "metadata": item.metadata,
        "sourceTraceId": item.source_trace_id or None,
        "sourceObservationId": item.source_observation_id or None,
        "datasetId": item.dataset_id,
        "datasetName": item.dataset_name,
        "createdAt": iso(item.created_at),
        "updatedAt": iso(item.valid_from),
        "version": iso(item.valid_from),
        "mediaReferences": [
            {"field": one.field, "referenceString": one.text, "jsonPath": one.path, "media": known[one.media_id]}
            for one in files
            if one.media_id in known
        ],
    }


def _read(body: Any) -> tuple[str, ItemChange]:
    """The name of the dataset, and what is to be written into it."""
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    issues: list[Issue] = []
    check_text(body, "datasetName", (), issues, required=True)
    check_text(body, "id", (), issues, minimum=1, maximum=ITEM_ID_LENGTH)
    for key in ("sourceTraceId", "sourceObservationId"):
        check_text(body, key, (), issues, maximum=ITEM_ID_LENGTH)
    check_option(body, "status", (), issues, ("ACTIVE", "ARCHIVED"))
    for key in ("datasetName", "id", "sourceTraceId", "sourceObservationId"):
        if isinstance(body.get(key), str) and "\x00" in body[key]:
            issues.append(custom((key,), "Text must not hold the character U+0000."))
    said: dict[str, Any] = {}
    for key in ("input", "expectedOutput", "metadata"):
        try:
            said[key] = values.cleaned(body.get(key))
        except Invalid as error:
            issues.append(custom((key,), error.message))
    if issues:
        raise Invalid(issues=issues)
    return body["datasetName"], ItemChange(
        id=body.get("id") or "",
        input=_or_keep(said["input"]),
        expected_output=_or_keep(said["expectedOutput"]),
        metadata=_or_keep(said["metadata"]),
        status=_or_keep(body.get("status")),
        source_trace_id=_or_keep(body.get("sourceTraceId")),
        source_observation_id=_or_keep(body.get("sourceObservationId")),
    )


def _or_keep(value: Any) -> Any:
    return KEEP if value is None else value
