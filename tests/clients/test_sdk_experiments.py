"""Experiments as each SDK runs them: the same runs by API, on the page that the SDK prints, and in comparison."""

from __future__ import annotations

import json
import re
import uuid
from urllib.parse import quote

import pytest

from tests.clients.conftest import OTEL_PYTHON, eventually

RUN = "首都/试 1"


def said(ran):
    return json.loads(ran.output.strip().splitlines()[-1])


def fresh_name():
    return f"评测/首都 {uuid.uuid4().hex[:8]}"


def experiment_of(api, name_of_run, dataset_id, items):
    """As soon as so many of its items are there."""

    def complete():
        params = {"fromStartTime": "2020-01-01T00:00:00Z", "fields": "core,metadata,scores", "name": name_of_run}
        found = api.get("/api/public/experiments", params={**params, "datasetId": dataset_id}).json()["data"]
        [experiment] = found
        assert experiment["itemCount"] == items
        return experiment

    return eventually(complete)


def items_of(api, experiment_id, count, scores):
    def complete():
        params = {"fromStartTime": "2020-01-01T00:00:00Z", "fields": "core,dataset,io,scores"}
        answer = api.get("/api/public/experiment-items", params={**params, "experimentId": experiment_id}).json()
        assert len(answer["data"]) == count
        assert all(item["endTime"] for item in answer["data"])
        assert sum(len(item["scores"]) for item in answer["data"]) == scores, answer
        return answer["data"]

    return eventually(complete)


@pytest.mark.parametrize("client", [*OTEL_PYTHON, "langfuse-js-5"])
def test_an_experiment_over_a_dataset(run, server, pages, client):
    name, is_python = fresh_name(), "python" in client
    major = int(client[-1])
    ran = run(client, "experiments.py", name, str(major)) if is_python else run(client, "experiments_js5.mjs", name)
    got = said(ran)
    run_id, url, finished = got["first"]
    # Items whose task fails are traced, and no results.
    assert finished in (2, 3)
    assert (got["local"], got["formatted"]) == ([1, "Nairobi"], True)
    runs, names = (6, 4) if is_python else (3, 1)
    scores = runs // 3 * 2 * (2 if is_python else 1)
    with server.client() as api:
        experiment = experiment_of(api, RUN, got["dataset"], runs)
        assert (experiment["id"], experiment["description"]) == (run_id, "第一次")
        assert experiment["metadata"]["model"] == "gpt-4o-mini"
        eventually(lambda: one_of(experiment_of(api, RUN, got["dataset"], runs)["scores"], names))
        items = items_of(api, run_id, runs, scores)
        by_country = {json.loads(item["input"])["country"]: item for item in items}
        assert by_country["中国"]["output"].strip('"') == "上海"
        assert by_country["中国"]["expectedOutput"].strip('"') == "北京"
        assert by_country["Atlantis"]["level"] == "ERROR"
        given = {score["name"]: score["value"] for score in by_country["Kenya"]["scores"]}
        assert given["correct"] is True or given["correct"] == 1
        listed = api.get(f"/api/public/datasets/{quote(name, safe='')}/runs/{quote(RUN, safe='')}").json()
        assert (listed["id"], len(listed["datasetRunItems"])) == (run_id, runs)
    if "run" in got:
        assert got["run"] == [run_id, "第一次", {"model": "gpt-4o-mini"}, runs]
        assert RUN in got["runs"]
    if "left" in got:
        assert got["left"] == [RUN]
    page = pages.get(url)
    assert page.status_code == 200
    assert RUN in page.text
    assert "上海" in page.text
    assert page.url.params["baseline"] == run_id


def one_of(scores, count):
    """Run-level scores: each time it runs, one."""
    assert {score["name"] for score in scores} == {"accuracy"}, scores
    assert scores[0]["value"] == 0.5
    assert 1 <= len(scores) <= count


@pytest.mark.parametrize("client", ["langfuse-python-2", "langfuse-js-3"])
def test_runs_that_are_linked(run, server, pages, client):
    is_python = "python" in client
    # Generation 2 escapes the name of a dataset twice when it asks for items.
    name = uuid.uuid4().hex if is_python else fresh_name()
    got = said(run(client, "experiments_v2.py" if is_python else "experiments_js3.mjs", name))
    whole, parts = ("observed", "linked/部分") if is_python else ("whole", "parts/部分")
    assert got["runs"] == sorted([whole, parts])
    with server.client() as api:
        experiment = experiment_of(api, whole, got["dataset"], 2)
        assert experiment["id"] == got["run"][0]
        assert got["run"][-2:] == [{"how": "observe" if is_python else "link"}, 2]

        def traced():
            params = {"fromStartTime": "2020-01-01T00:00:00Z", "fields": "io,scores", "experimentId": experiment["id"]}
            items = api.get("/api/public/experiment-items", params=params).json()["data"]
            outputs = {(item["output"] or "").strip('"') for item in items}
            assert outputs == {"观察" if is_python else "说"}
            assert [len(item["scores"]) for item in items] == [1, 1]

        eventually(traced)
        part = experiment_of(api, parts, got["dataset"], 2)
    page = pages.get(f"/project/{server.project_id}/datasets/{got['dataset']}/runs/{part['id']}")
    assert page.status_code == 200
    assert len(re.findall(r'class="x-item"', page.text)) == 2
    assert ("part" if is_python else "部分") in page.text


@pytest.mark.parametrize("client", ["langfuse-python-4", "langfuse-python-5"])
def test_batch_evaluation(run, server, client):
    ran = run(client, "batch_evaluation.py", client[-1])
    assert said(ran) == [3, 3, True]
    with server.client() as api:

        def scored():
            params = {"environment": ran.environment, "name": "length"}
            found = api.get("/api/public/v3/scores", params=params).json()["data"]
            assert [score["value"] for score in found] == [3, 3, 3]

        eventually(scored)
