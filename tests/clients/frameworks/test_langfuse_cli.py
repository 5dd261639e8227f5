"""Commands of langfuse-cli as people type them, and what they print."""

from __future__ import annotations

import json
import subprocess
import uuid

import pytest

from tests.clients.conftest import command_of, eventually
from tests.clients.frameworks.catalogue import PROGRAMS
from tests.clients.frameworks.conftest import framework_variables
from tests.clients.load import payload

HTTP_ERROR = 5
V3 = "--api-version v3 api"


@pytest.fixture
def sent(server):
    """A trace of two spans: its environment, its id and the id of its root."""
    environment = f"cli-{uuid.uuid4().hex[:8]}"
    document, ids = payload(environment, 2)
    with server.client() as api:
        assert api.post("/api/public/otel/v1/traces", json=document).status_code == 200
    [resource] = document["resourceSpans"]
    return environment, resource["scopeSpans"][0]["spans"][0]["traceId"], ids[0]


@pytest.fixture
def cli(server, openai_url):
    """`cli("api scores list", "--limit", "1")`: the printed body; `fails` is the exit code that is expected."""
    command = command_of("langfuse-cli", PROGRAMS / "langfuse_cli.mjs")
    variables = framework_variables(server, openai_url, "cli")

    def run(words, *arguments, fails=0):
        typed = [*command, *words.split(), *arguments, "--json"]
        done = subprocess.run(typed, env=variables, capture_output=True, text=True, timeout=60)
        assert done.returncode == fails, f"{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout or done.stderr)["body"]

    return run


def test_traces_are_listed_and_shown(cli, sent):
    environment, trace_id, root_id = sent

    def listed():
        [trace] = cli(f"{V3} traces list", "--environment", environment, "--limit", "5")["data"]
        return trace

    trace = eventually(listed)
    assert (trace["id"], trace["environment"]) == (trace_id, environment)
    shown = cli(f"{V3} traces get", trace_id)
    assert {each["parentObservationId"] for each in shown["observations"]} == {None, root_id}


def test_a_trace_that_is_not_there_is_an_http_error(cli):
    body = cli(f"{V3} traces get", "nowhere", fails=HTTP_ERROR)
    assert body == {
        "message": "Trace nowhere not found within authorized project",
        "error": "LangfuseNotFoundError",
    }


def test_observations_are_listed_page_by_page(cli, sent):
    _, trace_id, root_id = sent

    def listed():
        page = cli("api observations list", "--trace-id", trace_id, "--limit", "1")
        rest = cli("api observations list", "--trace-id", trace_id, "--limit", "1", "--cursor", page["meta"]["cursor"])
        return [*page["data"], *rest["data"]]

    found = eventually(listed)
    assert sorted(each["name"] for each in found) == ["step-0", "step-1"]
    assert root_id in {each["id"] for each in found}
    assert len(cli("api observations list", "--trace-id", trace_id, "--limit", "1", "--all")["data"]) == 2


def test_a_score_is_created_listed_and_deleted(cli, sent):
    _, trace_id, _ = sent
    given = {"traceId": trace_id, "name": "quality", "value": 0.5, "comment": "很好"}
    score_id = cli("api scores create", "--body-json", json.dumps(given))["id"]

    def listed():
        [score] = cli("api scores list", "--trace-id", trace_id)["data"]
        return score

    score = eventually(listed)
    assert (score["id"], score["name"], score["value"], score["dataType"]) == (score_id, "quality", 0.5, "NUMERIC")
    cli("api scores delete", score_id)

    def gone():
        assert cli("api scores list", "--trace-id", trace_id)["data"] == []
        return True

    assert eventually(gone)


def test_a_score_without_a_value_is_refused_with_the_reason(cli):
    body = cli("api scores create", "--body-json", '{"name": "quality", "traceId": "t"}', fails=HTTP_ERROR)
    assert body["message"] == "Invalid request data"
    assert body["error"]


def test_metrics_are_asked_for(cli, sent):
    _, trace_id, _ = sent
    query = {
        "view": "observations",
        "metrics": [{"measure": "count", "aggregation": "count"}],
        "filters": [{"column": "traceId", "operator": "=", "value": trace_id, "type": "string"}],
        "fromTimestamp": "2026-01-01T00:00:00Z",
        "toTimestamp": "2100-01-01T00:00:00Z",
    }

    def counted():
        [row] = cli("api metrics get", "--query", json.dumps(query))["data"]
        assert int(row["count_count"]) == 2
        return True

    assert eventually(counted)


def test_project_models_and_health_are_read(cli, server):
    assert [each["id"] for each in cli("api projects list")["data"]] == [server.project_id]
    assert cli("api models list", "--limit", "1")["data"][0]["modelName"]
    assert cli("api health get")["status"] == "OK"
