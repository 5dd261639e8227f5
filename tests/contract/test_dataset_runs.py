"""Dataset runs: linked by the API or told by spans, one run for both; read, listed, deleted; whose they are."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import ANY

import pytest

from accounts.models import AuditLog
from evals.models import DatasetItemVersion, Experiment, ExperimentItem, ItemStatus
from evals.models.experiments import experiment_id_of
from tests.contract.harness import Case, check
from tests.evals.experiment_data import BEGAN, Did, make_dataset, put_run, root_of
from tests.tracing.api_data import make_api

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

NO_ITEM = {"message": "Dataset item not found", "error": "LangfuseNotFoundError"}
NO_RUN = {"message": "Dataset run not found", "error": "LangfuseNotFoundError"}
NO_DATASET = {"message": "Dataset not found", "error": "LangfuseNotFoundError"}
ITEMS = [("one", {"q": 1}, "1"), ("two", {"q": 2}, "2")]


@pytest.fixture
def api():
    return make_api()


@pytest.fixture
def dataset(api):
    return make_dataset(api.project_id, "folder/städte 100%", ITEMS)


def shown(dataset, **fields):
    return {
        "id": ANY,
        "datasetRunId": experiment_id_of(dataset.project_id, dataset.pk, "run A"),
        "datasetRunName": "run A",
        "datasetItemId": "one",
        "traceId": "t1",
        "observationId": None,
        "createdAt": ANY,
        "updatedAt": ANY,
        **fields,
    }


def linked(dataset, name="", body=None, **answer):
    body = {"runName": "run A", "datasetItemId": "one", "traceId": "t1", **(body or {})}
    return Case(name, "POST dataset-run-items", 200, shown(dataset, **answer), body=body)


def test_the_id_is_the_one_that_clients_compute():
    assert experiment_id_of("proj1", "ds1", "run A") == "f14641ce3e2c2909"


def test_linking_makes_the_run_once_and_repeats_nothing(api, dataset):
    body = {"runDescription": "first", "metadata": {"model": "gpt"}}
    first = check(api, linked(dataset, body=body))
    # Nulls are absent; what is known of a run stays; the same again is the same row.
    nulls = dict.fromkeys(["observationId", "runDescription", "metadata", "datasetVersion", "createdAt"])
    again = check(api, linked(dataset, body=nulls))
    assert again["id"] == first["id"]
    with_span = check(api, linked(dataset, body={"observationId": "o1"}, observationId="o1"))
    assert with_span["id"] == first["id"]
    check(api, linked(dataset, body={"traceId": "t2", "runDescription": "no"}, traceId="t2"))
    check(api, linked(dataset, body={"datasetItemId": "two"}, datasetItemId="two"))
    run = check(
        api,
        Case(
            "",
            "GET datasets/folder%2Fst%C3%A4dte%20100%25/runs/run%20A",
            200,
            {
                "id": first["datasetRunId"],
                "name": "run A",
                "description": "first",
                "metadata": {"model": "gpt"},
                "datasetId": dataset.pk,
                "datasetName": dataset.name,
                "createdAt": ANY,
                "updatedAt": ANY,
                "datasetRunItems": ANY,
            },
        ),
    )
    assert [(one["datasetItemId"], one["traceId"]) for one in run["datasetRunItems"]] == [
        ("two", "t1"),
        ("one", "t2"),
        ("one", "t1"),
    ]


def test_spans_and_the_api_meet_in_one_row_in_either_order(api, dataset):
    first, second = Did("one", seconds=2), Did("two", level="ERROR")
    api("POST", "dataset-run-items", {"runName": "run A", "datasetItemId": "one", "traceId": first.trace_id})
    told = put_run(api.project_id, "run A", [first, second], dataset=dataset, experiment_metadata={"a": "1"})
    body = {"traceId": second.trace_id, "datasetItemId": "two"}
    check(api, linked(dataset, body=body, **body, observationId=root_of(second.trace_id)))
    put_run(api.project_id, "run A", [first], dataset=dataset)
    run = Experiment.objects.get()
    assert (run.experiment_id, run.metadata) == (told, {"a": "1"})
    rows = {item.item_id: item for item in run.items.all()}
    assert {name: (row.observation_id, row.level) for name, row in rows.items()} == {
        "one": (root_of(first.trace_id), "DEFAULT"),
        "two": (root_of(second.trace_id), "ERROR"),
    }
    assert rows["one"].ended_at - rows["one"].started_at == timedelta(seconds=2)


def test_only_an_observation_is_known(api, dataset):
    did = Did("x")
    put_run(api.project_id, "n", [did], is_told=False)
    body = {"runName": "run A", "datasetItemId": "one", "observationId": root_of(did.trace_id)}
    expected = shown(dataset, traceId=did.trace_id, observationId=root_of(did.trace_id))
    check(api, Case("", "POST dataset-run-items", 200, expected, body=body))
    nobody = {"message": "Observation not found", "error": "LangfuseNotFoundError"}
    check(api, Case("", "POST dataset-run-items", 404, nobody, body={**body, "observationId": "gone"}))


def test_an_item_as_of_a_time(api, dataset):
    version = DatasetItemVersion.objects.get(item__item_id="one")
    later = BEGAN + timedelta(days=1)
    version.valid_to = later
    version.save()
    DatasetItemVersion.objects.create(item=version.item, dataset=dataset, status=ItemStatus.ARCHIVED, valid_from=later)
    body = {"runName": "run A", "datasetItemId": "one", "traceId": "t1"}
    check(api, Case("archived", "POST dataset-run-items", 404, NO_ITEM, body=body))
    early = {"datasetVersion": (BEGAN - timedelta(days=1)).isoformat()}
    check(api, Case("not yet", "POST dataset-run-items", 404, NO_ITEM, body={**body, **early}))
    check(api, linked(dataset, body={"datasetVersion": "2026-03-02T12:00:00+02:00", "metadata": "text"}))
    assert Experiment.objects.get().metadata == {"metadata": "text", "dataset_version": "2026-03-02T10:00:00.000Z"}
    assert ExperimentItem.objects.get().item_version == BEGAN


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"runName": ""}, "runName"),
        ({"runName": None}, "runName"),
        ({"runName": "x" * 256}, "runName"),
        ({"datasetItemId": 5}, "datasetItemId"),
        ({"traceId": "t" * 256}, "traceId"),
        ({"observationId": []}, "observationId"),
        ({"createdAt": "yesterday"}, "createdAt"),
        ({"datasetVersion": 5}, "datasetVersion"),
    ],
)
def test_what_is_wrong_is_named(api, dataset, changes, field):
    body = {"runName": "run A", "datasetItemId": "one", "traceId": "t1", **changes}
    [issue] = check(api, Case("", "POST dataset-run-items", 400, ANY, body=body))["error"]
    assert issue["path"] == [field]
    assert not Experiment.objects.exists()


@pytest.mark.parametrize("body", [[], {"other": 1, "runName": "r", "datasetItemId": "one", "traceId": "t"}, b"{"])
def test_bodies_that_are_refused(api, dataset, body):
    check(api, Case("", "POST dataset-run-items", 400, ANY, body=body))


def test_neither_trace_nor_observation(api, dataset):
    answer = {"message": "observationId or traceId must be provided", "error": "InvalidRequestError"}
    check(api, Case("", "POST dataset-run-items", 400, answer, body={"runName": "r", "datasetItemId": "one"}))


@pytest.mark.parametrize("run", ["plain", "with/runs/in it", "läuft 100%?#", "a/b"])
def test_names_with_slashes(api, dataset, run):
    from urllib.parse import quote

    api("POST", "dataset-run-items", {"runName": run, "datasetItemId": "one", "traceId": "t"})
    path = f"datasets/{quote(dataset.name, safe='')}/runs"
    if run != "with/runs/in it":  # two ways to read it; the one with the longer name of the dataset is taken
        assert api.get(f"{path}/{quote(run, safe='')}")["name"] == run
    assert [one["name"] for one in api.get(path)["data"]] == [run]


def test_lists_are_newest_first_in_pages(api, dataset):
    for number in range(3):
        at = (BEGAN + timedelta(days=number)).isoformat()
        body = {"runName": f"r{number}", "datasetItemId": "one", "traceId": f"t{number}", "createdAt": at}
        api("POST", "dataset-run-items", body)
    path = "datasets/folder%2Fst%C3%A4dte%20100%25/runs"
    listed = api.get(path, limit=2)
    assert ([one["name"] for one in listed["data"]], listed["meta"]["totalPages"]) == (["r2", "r1"], 2)
    assert [one["name"] for one in api.get(path, limit=2, page=2)["data"]] == ["r0"]
    items = api.get("dataset-run-items", datasetId=dataset.pk, runName="r1")
    assert [one["traceId"] for one in items["data"]] == ["t1"]
    assert items["meta"]["totalItems"] == 1
    assert api.get("dataset-run-items", datasetId=dataset.pk, runName="gone")["data"] == []
    assert api.get("dataset-run-items", datasetId="gone", runName="r1")["data"] == []
    [issue] = api.get("dataset-run-items", 400, datasetId=dataset.pk)["error"]
    assert issue["path"] == ["runName"]


def test_deleting_a_run_leaves_the_others(api, dataset):
    for name in ("run A", "run B"):
        api("POST", "dataset-run-items", {"runName": name, "datasetItemId": "one", "traceId": "t"})
    path = "datasets/folder%2Fst%C3%A4dte%20100%25/runs/run%20A"
    check(api, Case("", f"DELETE {path}", 200, {"message": "Dataset run successfully deleted"}))
    check(api, Case("", f"DELETE {path}", 404, NO_RUN))
    check(api, Case("", f"GET {path}", 404, NO_RUN))
    assert [run.name for run in Experiment.objects.all()] == ["run B"]
    entry = AuditLog.objects.get(action="experiment.delete")
    assert (entry.project_id, entry.before["name"]) == (api.project_id, "run A")


def test_nothing_is_told_to_others(api, dataset):
    """Nor can a span put its run into a dataset of another project."""
    stranger = make_api(name="Other")
    api("POST", "dataset-run-items", {"runName": "run A", "datasetItemId": "one", "traceId": "t"})
    body = {"runName": "run A", "datasetItemId": "one", "traceId": "t"}
    path = "datasets/folder%2Fst%C3%A4dte%20100%25/runs"
    check(stranger, Case("", "POST dataset-run-items", 404, NO_ITEM, body=body))
    check(stranger, Case("", f"GET {path}", 404, NO_DATASET))
    check(stranger, Case("", f"GET {path}/run%20A", 404, NO_DATASET))
    check(stranger, Case("", f"DELETE {path}/run%20A", 404, NO_DATASET))
    assert stranger.get("dataset-run-items", datasetId=dataset.pk, runName="run A")["data"] == []
    put_run(stranger.project_id, "run A", [Did("one")], dataset=dataset, experiment_id="mine")
    foreign = Experiment.objects.get(experiment_id="mine")
    assert (foreign.project_id, foreign.dataset) == (stranger.project_id, None)
    assert Experiment.objects.get(project_id=api.project_id).items.count() == 1
