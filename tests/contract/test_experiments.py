"""Experiments and their items by cursor: every field, filter and order, and whose they are."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import ANY

import pytest

from config.api.values import iso
from tests.contract.harness import Case, check
from tests.evals.experiment_data import BEGAN, Did, make_dataset, put_run, root_of
from tests.tracing.api_data import make_api
from tracing.analytics import store
from tracing.analytics.records import Score, Trace

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]
SINCE = {"fromStartTime": "2026-01-01T00:00:00Z"}


@pytest.fixture
def api():
    return make_api()


@pytest.fixture
def dataset(api):
    return make_dataset(api.project_id, "capitals", [("one", {"q": 1}, "1"), ("two", {"q": 2}, "2")])


def ids(answer):
    return [one["id"] for one in answer["data"]]


def test_an_experiment_in_full(api, dataset):
    did = [Did("one", seconds=2, scores={"ok": True}), Did("two", seconds=1), Did("one", seconds=3)]
    run = put_run(
        api.project_id,
        "run A",
        did,
        dataset=dataset,
        experiment_description="warm",
        experiment_metadata={"model": "gpt"},
    )
    store.insert(
        scores=[
            Score(
                project_id=api.project_id, id="s", dataset_run_id=run, name="mean", value=0.5, timestamp=BEGAN,
                row_version=1,
            )
        ]
    )  # fmt: skip
    core = {
        "id": run,
        "name": "run A",
        "description": "warm",
        "startTime": "2026-03-02T10:00:00.000Z",
        "endTime": "2026-03-02T10:00:03.200Z",
        "itemCount": 3,
        "datasetId": dataset.pk,
    }
    check(api, Case("", "GET experiments", 200, {"data": [core], "meta": {}}, params=SINCE))
    full = api.get("experiments", fields="core,metadata,scores", **SINCE)["data"][0]
    [score] = full.pop("scores")
    assert full == {**core, "metadata": {"model": "gpt"}}
    assert (score["name"], score["value"], score["subject"]) == ("mean", 0.5, {"kind": "experiment", "id": run})


def test_an_item_in_full(api, dataset):
    did = Did("one", input={"q": 1}, output="Wien", seconds=2, scores={"ok": True, "close": 0.5})
    run = put_run(api.project_id, "run A", [did], dataset=dataset, experiment_metadata={"model": "gpt"})
    core = {
        "id": root_of(did.trace_id),
        "traceId": did.trace_id,
        "startTime": "2026-03-02T10:00:00.000Z",
        "endTime": "2026-03-02T10:00:02.000Z",
        "level": "DEFAULT",
        "environment": "sdk-experiment",
        "experimentId": run,
        "experimentName": "run A",
        "experimentItemId": "one",
    }
    data = {"experimentDatasetId": dataset.pk, "experimentItemVersion": None}
    page = {"data": [{**core, **data}], "meta": {}}
    check(api, Case("", "GET experiment-items", 200, page, params=SINCE))
    fields = "io,metadata,itemMetadata,experimentMetadata,scores"
    [item] = check(api, Case("", "GET experiment-items", 200, ANY, params={**SINCE, "fields": fields}))["data"]
    scores = item.pop("scores")
    assert item == {
        **core,
        "input": '{"q":1}',
        "output": "Wien",
        "expectedOutput": '"1"',
        "metadata": {},
        "experimentItemMetadata": {},
        "experimentMetadata": {"model": "gpt"},
        "experimentDescription": None,
    }
    assert {one["name"]: one["value"] for one in scores} == {"ok": True, "close": 0.5}
    assert len(api.get("experiment-items", fields="scores", scoreLimit=1, **SINCE)["data"][0]["scores"]) == 1


def test_an_item_that_only_the_api_told_of_is_read_from_its_trace(api, dataset):
    did = Did("one", input="", output="", seconds=2, level="ERROR")
    put_run(api.project_id, "", [did], is_told=False)
    body = {"runName": "old", "datasetItemId": "one", "traceId": did.trace_id}
    api("POST", "dataset-run-items", {**body, "createdAt": iso(BEGAN + timedelta(minutes=1))})
    store.insert(
        traces=[
            Trace(
                project_id=api.project_id, id=did.trace_id, timestamp=BEGAN, root_id=root_of(did.trace_id),
                first_start=BEGAN, last_start=BEGAN, input="asked", output="said", row_version=2,
            )
        ]
    )  # fmt: skip
    [item] = api.get("experiment-items", fields="io", **SINCE)["data"]
    assert (item["id"], item["level"], item["environment"]) == (root_of(did.trace_id), "ERROR", "sdk-experiment")
    assert (item["startTime"], item["endTime"]) == ("2026-03-02T10:00:00.000Z", "2026-03-02T10:00:02.000Z")
    assert (item["input"], item["output"], item["expectedOutput"]) == ("asked", "said", '"1"')


def test_an_item_that_was_never_traced(api, dataset):
    api("POST", "dataset-run-items", {"runName": "lost", "datasetItemId": "one", "traceId": "gone"})
    [item] = check(api, Case("", "GET experiment-items", 200, ANY, params={**SINCE, "fields": "io,scores"}))["data"]
    assert (item["traceId"], item["endTime"], item["level"], item["output"]) == ("gone", None, "DEFAULT", None)


def test_filters(api, dataset):
    first = put_run(api.project_id, "first run", [Did("one"), Did("two")], dataset=dataset)
    other = put_run(api.project_id, "Other", [Did("x")], at=BEGAN + timedelta(days=1))

    def found(**params):
        return ids(api.get("experiments", **SINCE, **params))

    def items(**params):
        return [one["experimentItemId"] for one in api.get("experiment-items", **SINCE, **params)["data"]]

    def where(column, operator, value, kind="string"):
        return {"filter": [{"type": kind, "column": column, "operator": operator, "value": value}]}

    assert found() == [other, first]
    assert found(id=f"{first},nobody") == found(name="first run") == found(datasetId=dataset.pk) == [first]
    assert found(**where("name", "contains", "run")) == found(**where("datasetId", "=", dataset.pk)) == [first]
    assert found(**where("name", "starts with", "O")) == found(**where("name", "ends with", "er")) == [other]
    assert found(**where("id", "any of", [first], "stringOptions")) == [first]
    assert found(**where("datasetId", "none of", [dataset.pk], "stringOptions")) == [other]
    assert found(**where("name", "does not contain", "run")) == [other]
    assert found(**where("datasetId", "is null", "", "null")) == [other]
    assert found(toStartTime=iso(BEGAN + timedelta(hours=1))) == [first]
    assert ids(api.get("experiments", fromStartTime=iso(BEGAN + timedelta(hours=1)))) == [other]
    assert items() == ["x", "two", "one"]
    assert items(experimentId=first) == items(experimentName="first run") == items(datasetId=dataset.pk)
    assert items(experimentId=first) == ["two", "one"]
    assert items(experimentItemId="one,x") == ["x", "one"]
    assert items(**where("experimentItemId", "=", "two")) == ["two"]
    assert items(toStartTime=iso(BEGAN + timedelta(milliseconds=50))) == ["one"]


@pytest.mark.parametrize(("path", "count"), [("experiments", 3), ("experiment-items", 6)])
def test_pages_are_complete_and_repeat_nothing(api, path, count):
    for number in range(3):
        put_run(api.project_id, f"r{number}", [Did("a"), Did("b")], at=BEGAN)  # all at one time
    seen, cursor = [], ""
    while True:
        page = api.get(path, limit=2, **SINCE, **({"cursor": cursor} if cursor else {}))
        assert len(page["data"]) <= 2
        seen += ids(page)
        cursor = page["meta"].get("cursor", "")
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == count


@pytest.mark.parametrize("path", ["experiments", "experiment-items"])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"fromStartTime": "x"},
        {**SINCE, "fields": "core,everything"},
        {**SINCE, "limit": 101},
        {**SINCE, "scoreLimit": 51},
        {**SINCE, "cursor": "nonsense"},
        {**SINCE, "filter": "{"},
        {**SINCE, "filter": '[{"type":"string","column":"color","operator":"=","value":"x"}]'},
    ],
)
def test_what_cannot_be_asked(api, path, params):
    check(api, Case("", f"GET {path}", 400, ANY, params=params))


def test_nothing_is_told_to_others(api, dataset):
    run = put_run(api.project_id, "run A", [Did("one", scores={"ok": True})], dataset=dataset)
    stranger = make_api(name="Other")
    assert stranger.get("experiments", fields="scores", **SINCE)["data"] == []
    assert stranger.get("experiment-items", experimentId=run, fields="io,scores", **SINCE)["data"] == []
    assert len(api.get("experiment-items", experimentId=run, **SINCE)["data"]) == 1
