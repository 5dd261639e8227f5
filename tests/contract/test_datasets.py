"""Datasets and their items: every rule of making, writing, reading and deleting them, and whose they are."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from datetime import datetime, timedelta
from itertools import pairwise
from unittest.mock import ANY

import pytest
from django.utils import timezone

from accounts import signals
from accounts.models import AuditLog
from evals.api import datasets as dataset_routes
from evals.models import Dataset, DatasetItemVersion, Experiment
from tests.contract.harness import check_documented
from tests.tracing.api_data import make_api
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tracing.models import MediaLink

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

QUESTION = {"type": "object", "required": ["question"], "properties": {"question": {"type": "string"}}}
DATASET_MISSING = {"message": "Dataset not found", "error": "LangfuseNotFoundError"}
ITEM_MISSING = {"message": "Dataset item not found", "error": "LangfuseNotFoundError"}


@pytest.fixture
def api():
    return make_api()


def send(api, method, path, body=None, status=200, **params):
    response = api(method, path, body, **params)
    assert response.status_code == status, response.content
    check_documented(method, response)
    return response.json()


def make(api, name="questions", status=200, route="v2/datasets", **fields):
    return send(api, "POST", route, {"name": name, **fields}, status)


def write(api, code=200, dataset="questions", **fields):
    return send(api, "POST", "dataset-items", {"datasetName": dataset, **fields}, code)


def listed(api, **params):
    return send(api, "GET", "dataset-items", **params)


def ids(api, **params):
    return [item["id"] for item in listed(api, **params)["data"]]


def messages(answer):
    return [(issue["path"], issue["message"]) for issue in answer["error"]]


def moment(text):
    return datetime.fromisoformat(text)


# --- Datasets ---------------------------------------------------------------------------------------------
def test_a_dataset_is_answered_in_full_and_changed_by_its_name(api):
    made = make(api, "a/影评 1%", description="d", metadata=["m"], inputSchema=QUESTION)
    assert made == {
        "id": ANY,
        "projectId": api.project_id,
        "name": "a/影评 1%",
        "description": "d",
        "metadata": ["m"],
        "inputSchema": QUESTION,
        "expectedOutputSchema": None,
        "createdAt": ANY,
        "updatedAt": ANY,
    }
    assert send(api, "GET", "v2/datasets/a%2F%E5%BD%B1%E8%AF%84%201%25") == made
    again = make(api, "a/影评 1%", description=None, metadata={"n": 1}, expectedOutputSchema={"type": "string"})
    assert again == made | {"metadata": {"n": 1}, "expectedOutputSchema": {"type": "string"}, "updatedAt": ANY}
    assert [log.action for log in AuditLog.objects.filter(action__startswith="dataset").order_by("pk")] == [
        "dataset.create",
        "dataset.update",
    ]


def test_datasets_are_listed_newest_first(api):
    for name in ("one", "two", "three"):
        make(api, name)
    page = send(api, "GET", "v2/datasets", limit=2)
    assert [one["name"] for one in page["data"]] == ["three", "two"]
    assert page["meta"] == {"page": 1, "limit": 2, "totalItems": 3, "totalPages": 2}
    assert send(api, "GET", "v2/datasets/nothing", status=404) == DATASET_MISSING
    assert send(api, "GET", "datasets/nothing", status=404) == DATASET_MISSING


def test_the_first_clients_get_items_and_runs_with_their_datasets(api):
    made = make(api, route="datasets")
    assert made == {**send(api, "GET", "v2/datasets/questions"), "status": "ACTIVE"}
    item = write(api, input="a")
    write(api, id="put-away", input="b", status="ARCHIVED")
    Experiment.objects.create(
        project_id=api.project_id, experiment_id="e", dataset_id=made["id"], name="run 1", created_at=timezone.now()
    )
    [found] = send(api, "GET", "datasets")["data"]
    assert (found["items"], found["runs"]) == ([item["id"]], ["run 1"])
    whole = send(api, "GET", "datasets/questions")
    assert (whole["items"], whole["runs"]) == ([item], ["run 1"])


def test_a_whole_dataset_is_written_a_hundred_items_at_a_time(api, monkeypatch):
    make(api)
    assert send(api, "GET", "datasets/questions")["items"] == []
    for number in range(201):
        write(api, id=f"i{number}", input={"n": number, "text": "ü" * 50})
    pieces, present = [], dataset_routes.present_items
    monkeypatch.setattr(dataset_routes, "present_items", lambda *args: (pieces.append(len(args[2])), present(*args))[1])
    monkeypatch.setattr(dataset_routes, "_IN_MEMORY", 100)  # most of it is on disk
    response = api("GET", "datasets/questions")
    assert pieces == [100, 100, 1]
    pages = [send(api, "GET", "dataset-items", datasetName="questions", limit=100, page=n)["data"] for n in (1, 2, 3)]
    assert response.json()["items"] == [item for page in pages for item in page]
    assert int(response["Content-Length"]) == len(response.content)


@pytest.mark.parametrize(
    "name", ["", " x", "<b>x</b>", "/x", "x/", "a//b", "a|b", "a\nb", "a/../b", "a/runs", "a/runs/b", "x" * 256]
)
def test_what_is_no_name(api, name):
    assert make(api, name, status=400)["error"][0]["path"] == ["name"]
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, ["name"]),
        ({"name": 1}, ["name"]),
        ({"name": "x", "description": 1}, ["description"]),
        ({"name": "x", "inputSchema": "text"}, ["inputSchema"]),
        ({"name": "x", "inputSchema": {"type": "nothing"}}, ["inputSchema"]),
        ({"name": "x", "expectedOutputSchema": {"$ref": "http://127.0.0.1:1/a"}}, ["expectedOutputSchema"]),
        ({"name": "x", "inputSchema": {"pattern": "(a"}}, ["inputSchema"]),
        ({"name": "x", "inputSchema": {"$ref": "#/nowhere"}}, ["inputSchema"]),
        ([], []),
    ],
)
def test_what_a_dataset_cannot_be(api, body, path):
    assert send(api, "POST", "v2/datasets", body, status=400)["error"][0]["path"] == path
    assert not Dataset.objects.exists()


# --- Schemas ----------------------------------------------------------------------------------------------
def test_items_must_fit_the_schemas(api):
    make(api, inputSchema=QUESTION, expectedOutputSchema={"items": {"type": "integer"}})
    answer = write(api, 400, input={"question": 1}, expectedOutput=[1, "two"])
    assert answer["message"] == "The item does not fit the schema of the dataset"
    assert messages(answer) == [
        (["input", "question"], "1 is not of type 'string'"),
        (["expectedOutput", 1], "'two' is not of type 'integer'"),
    ]
    item = write(api, input={"question": "?"}, expectedOutput=[1])
    assert messages(write(api, 400, id=item["id"], input={})) == [(["input"], "'question' is a required property")]
    assert send(api, "GET", f"dataset-items/{item['id']}") == item


def test_a_schema_is_taken_only_when_all_items_fit(api):
    make(api)
    write(api, id="good", input={"question": "?"})
    write(api, id="bad", input={"question": ["?"]})
    write(api, id="away", input=1, status="ARCHIVED")
    answer = make(api, status=400, inputSchema=QUESTION)
    assert answer["message"] == "Items of the dataset do not fit the schema"
    assert messages(answer) == [(["inputSchema"], "Item bad: input $.question: ['?'] is not of type 'string'")]
    assert send(api, "GET", "v2/datasets/questions")["inputSchema"] is None
    write(api, id="bad", input={"question": "!"})
    make(api, inputSchema=QUESTION)
    # What was put away before can stay so, and comes back only when it fits.
    write(api, id="away", status="ARCHIVED")
    assert messages(write(api, 400, id="away", status="ACTIVE"))[0][0] == ["input"]


def test_schemas_that_would_take_for_ever_are_stopped(api):
    doubled = {
        f"d{depth}": {"anyOf": [{"$ref": f"#/$defs/d{depth + 1}"}, {"$ref": f"#/$defs/d{depth + 1}"}]}
        for depth in range(40)
    }
    make(api, "doubled", inputSchema={"$ref": "#/$defs/d0", "$defs": {**doubled, "d40": False}})
    assert "too long" in write(api, 400, "doubled", input=1)["error"][0]["message"]
    make(api, "backtracking", inputSchema={"pattern": "^(a+)+$"})
    assert "does not match" in write(api, 400, "backtracking", input="a" * 5000 + "!")["error"][0]["message"]
    make(api, "endless", inputSchema={"$ref": "#"})
    assert "too deeply" in write(api, 400, "endless", input=1)["error"][0]["message"]


# --- Items ------------------------------------------------------------------------------------------------
def test_an_item_is_answered_in_full(api):
    dataset = make(api)
    item = write(
        api,
        id="folder/影 1%",
        input={"q": "中文"},
        expectedOutput=[1.5, None],
        metadata="plain",
        sourceTraceId="t",
        sourceObservationId="o",
    )
    assert item == {
        "id": "folder/影 1%",
        "status": "ACTIVE",
        "input": {"q": "中文"},
        "expectedOutput": [1.5, None],
        "metadata": "plain",
        "sourceTraceId": "t",
        "sourceObservationId": "o",
        "datasetId": dataset["id"],
        "datasetName": "questions",
        "createdAt": ANY,
        "updatedAt": item["createdAt"],
        "version": item["createdAt"],
        "mediaReferences": [],
    }
    assert send(api, "GET", "dataset-items/folder%2F%E5%BD%B1%201%25") == item
    log = AuditLog.objects.get(action="dataset_item.create")
    assert (log.project_id, log.after["id"]) == (api.project_id, "folder/影 1%")


def test_writing_again_keeps_what_is_not_named(api):
    make(api)
    first = write(api, id="i", input={"a": 1}, expectedOutput="x", metadata={"m": 1}, sourceTraceId="t")
    second = write(api, id="i", input=None, expectedOutput="y")
    assert second == first | {"expectedOutput": "y", "updatedAt": ANY, "version": ANY}
    assert moment(second["version"]) > moment(first["version"])
    assert second["updatedAt"] == second["version"]
    archived = write(api, id="i", status="ARCHIVED")
    assert archived == second | {"status": "ARCHIVED", "updatedAt": ANY, "version": ANY}
    assert ids(api, datasetName="questions") == []
    assert send(api, "GET", "dataset-items/i")["status"] == "ARCHIVED"


def test_texts_that_are_json_are_taken_as_what_they_say(api):
    make(api)
    item = write(api, input='{"a": [1]}', expectedOutput="12", metadata="not {json")
    assert (item["input"], item["expectedOutput"], item["metadata"]) == ({"a": [1]}, 12, "not {json")
    item = write(api, input="a\x00\x07b\tc\n", expectedOutput={"k\x01": ["\x1f", "é\x85"]}, metadata='["\\u0000x"]')
    assert (item["input"], item["expectedOutput"], item["metadata"]) == ("ab\tc\n", {"k": ["", "é"]}, ["x"])


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "datasetName"),
        ({"datasetName": 1}, "datasetName"),
        ({"datasetName": "questions", "id": ""}, "id"),
        ({"datasetName": "questions", "id": "x" * 256}, "id"),
        ({"datasetName": "questions", "id": "a\x00"}, "id"),
        ({"datasetName": "questions", "status": "GONE"}, "status"),
        ({"datasetName": "questions", "sourceTraceId": 5}, "sourceTraceId"),
        ({"datasetName": "questions", "input": json.loads("[" * 300 + "]" * 300)}, "input"),
    ],
)
def test_what_an_item_cannot_be(api, body, path):
    make(api)
    assert write_raw(api, body, 400)["error"][0]["path"] == [path]
    assert not DatasetItemVersion.objects.exists()


def write_raw(api, body, status):
    return send(api, "POST", "dataset-items", body, status)


def test_bodies_that_cannot_be_read(api):
    make(api)
    assert write_raw(api, b"{", 400)["message"] == "Invalid JSON"
    assert write_raw(api, [], 400)["error"][0]["message"] == "Invalid input: expected object, received array"
    large = {"datasetName": "questions", "input": "x" * 4_600_000}
    assert len(write_raw(api, large, 200)["input"]) == 4_600_000
    assert write_raw(api, large | {"metadata": "x" * 200_000}, 413)["error"] == "PayloadTooLargeError"


def test_an_id_belongs_to_one_dataset(api):
    make(api)
    make(api, "other")
    write(api, id="i", input=1)
    assert write(api, 409, "other", id="i", input=2)["error"] == "LangfuseConflictError"
    assert write(api, 404, "nothing", input=2) == DATASET_MISSING
    # Once it is deleted, it may begin anew elsewhere.
    send(api, "DELETE", "dataset-items/i")
    assert write(api, dataset="other", id="i", input=2)["datasetName"] == "other"
    assert ids(api, datasetName="questions") == []


def test_items_are_listed_by_dataset_and_source_the_last_written_first(api):
    make(api)
    make(api, "other")
    for number in range(5):
        write(api, id=f"i{number}", input=number, sourceTraceId=f"t{number % 2}", sourceObservationId=f"o{number}")
    write(api, dataset="other", id="x", input=1, sourceTraceId="t0")
    write(api, id="i1", input=10)
    assert ids(api, datasetName="questions") == ["i1", "i4", "i3", "i2", "i0"]
    assert ids(api, sourceTraceId="t0") == ["x", "i4", "i2", "i0"]
    assert ids(api, datasetName="questions", sourceTraceId="t0", sourceObservationId="o2") == ["i2"]
    page = listed(api, datasetName="questions", limit=2, page=3)
    assert [item["id"] for item in page["data"]] == ["i0"]
    assert page["meta"] == {"page": 3, "limit": 2, "totalItems": 5, "totalPages": 3}
    assert send(api, "GET", "dataset-items", status=404, datasetName="nothing") == DATASET_MISSING
    # Generation 2 of the Python SDK encodes once too often.
    make(api, "a b/50%")
    write(api, dataset="a b/50%", id="encoded")
    assert ids(api, datasetName="a%20b%2F50%25") == ids(api, datasetName="a b/50%") == ["encoded"]
    assert send(api, "GET", "dataset-items", status=400, limit=101)["error"][0]["path"] == ["limit"]


def test_a_version_is_the_dataset_as_it_was(api):
    make(api)
    first = write(api, id="a", input=1)
    write(api, id="b", input=2)
    created = write(api, id="c", input=3)
    before = created["version"]
    later = write(api, id="a", input=10)
    write(api, id="b", status="ARCHIVED")
    send(api, "DELETE", "dataset-items/c")
    write(api, id="d", input=4)
    assert ids(api, datasetName="questions") == ["d", "a"]
    then = listed(api, datasetName="questions", version=before)["data"]
    assert [(item["id"], item["input"]) for item in then] == [("c", 3), ("b", 2), ("a", 1)]
    assert then[2] == first
    # To the very millisecond of a version it is that version.
    at_change = listed(api, datasetName="questions", version=later["version"])["data"]
    assert [(item["id"], item["input"]) for item in at_change] == [("a", 10), ("c", 3), ("b", 2)]
    offset = (moment(before) + timedelta(hours=8)).isoformat().replace("+00:00", "+08:00")
    assert [item["id"] for item in listed(api, datasetName="questions", version=offset)["data"]] == ["c", "b", "a"]
    assert listed(api, datasetName="questions", version="2020-01-01T00:00:00Z")["data"] == []
    assert send(api, "GET", "dataset-items", status=400, version=before)["error"][0]["path"] == ["version"]
    assert send(api, "GET", "dataset-items", status=400, datasetName="questions", version="soon")["error"][0][
        "path"
    ] == ["version"]


def test_versions_of_an_item_follow_one_another(api):
    make(api)
    for number in range(20):
        write(api, id="i", input=number)
    send(api, "DELETE", "dataset-items/i")
    write(api, id="i", input="again")
    rows = list(DatasetItemVersion.objects.order_by("pk").values_list("valid_from", "valid_to"))
    assert all(begin < end for begin, end in rows[:-1])
    assert all(before[1] <= after[0] for before, after in pairwise(rows))
    assert [end for _begin, end in rows].count(None) == 1


def test_deleting_an_item(api):
    make(api)
    item = write(api, id="i", input=1)
    assert send(api, "DELETE", "dataset-items/i") == {"message": "Dataset item successfully deleted"}
    assert send(api, "DELETE", "dataset-items/i", status=404) == ITEM_MISSING
    assert send(api, "GET", "dataset-items/i", status=404) == ITEM_MISSING
    assert listed(api, datasetName="questions", version=item["version"])["data"] == [item]
    assert AuditLog.objects.filter(action="dataset_item.delete").count() == 1
    assert write(api, id="i", metadata={"new": True})["input"] is None


# --- Files ------------------------------------------------------------------------------------------------
def upload(api, content, dataset_id="d", item_id="i"):
    digest = b64encode(hashlib.sha256(content).digest()).decode()
    body = {
        "datasetId": dataset_id,
        "datasetItemId": item_id,
        "field": "input",
        "contentType": "image/png",
        "contentLength": len(content),
        "sha256Hash": digest,
    }
    return send(api, "POST", "media", body, 201)["mediaId"]


def tag(media_id):
    return f"@@@langfuseMedia:type=image/png|id={media_id}|source=bytes@@@"


def test_files_that_an_item_names_come_with_it(api):
    make(api)
    media_id = upload(api, b"picture")
    item = write(
        api,
        id="i",
        input={"gallery": [tag(media_id)], "it's": "text " + tag(media_id)},
        metadata=tag(media_id),
    )
    shown = {
        "mediaId": media_id,
        "contentType": "image/png",
        "contentLength": 7,
        "url": ANY,
        "urlExpiry": ANY,
    }
    assert item["mediaReferences"] == [
        {"field": "input", "referenceString": tag(media_id), "jsonPath": "$['gallery'][0]", "media": shown},
        {"field": "metadata", "referenceString": tag(media_id), "jsonPath": "$", "media": shown},
    ]
    fields = set(MediaLink.objects.filter(dataset_item_id="i").exclude(dataset_id="d").values_list("field", flat=True))
    assert fields == {"input", "metadata"}
    answer = write(api, 400, input=[tag("nothing")])
    assert messages(answer) == [(["input"], "There is no media nothing, named at $[0]")]


def test_files_of_other_projects_are_unknown(api):
    media_id = upload(make_api(), b"theirs")
    make(api)
    assert write(api, 400, input=tag(media_id))["error"][0]["path"] == ["input"]


# --- Whose they are -----------------------------------------------------------------------------------------
def test_datasets_of_others_are_not_there(api):
    make(api)
    write(api, id="i", input=1)
    other = make_api()
    assert send(other, "GET", "v2/datasets")["data"] == send(other, "GET", "dataset-items")["data"] == []
    assert send(other, "GET", "v2/datasets/questions", status=404) == DATASET_MISSING
    assert send(other, "GET", "dataset-items/i", status=404) == ITEM_MISSING
    assert send(other, "DELETE", "dataset-items/i", status=404) == ITEM_MISSING
    assert write(other, 404, id="i") == DATASET_MISSING
    # The same names and ids are free there.
    make(other)
    assert write(other, id="i", input=2)["input"] == 2
    assert send(api, "GET", "dataset-items/i")["input"] == 1


def test_datasets_go_with_their_project(api):
    make(api)
    write(api, id="i", input=1)
    write(api, id="i", input=2)
    signals.project_deleted.send(sender=None, project_id=api.project_id)
    assert not Dataset.objects.exists()
    assert not DatasetItemVersion.objects.exists()
