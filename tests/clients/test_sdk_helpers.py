"""What each SDK offers by hand: scores in every way, media there and back, updates, links, and its ways to read."""

from __future__ import annotations

import base64
import json

import pytest

from tests.clients.conftest import named

FILE = "data:text/plain;base64," + base64.b64encode("附件".encode()).decode()
LEGACY = [("langfuse-python-2", "helpers_v2.py"), ("langfuse-js-3", "helpers_js3.mjs")]
OTEL = [(f"langfuse-python-{major}", "helpers.py") for major in (3, 4, 5)] + [("langfuse-js-5", "helpers_js5.mjs")]


def printed(ran):
    return json.loads(ran.output.strip().splitlines()[-1])


def assert_trace(trace, got, pages, server):
    assert (trace["id"], trace["name"]) == (got["id"], "with-helpers")
    assert (trace["sessionId"], trace["userId"], trace["tags"]) == ("会话/辅助", "用户-9", ["updated"])
    assert trace["metadata"]["step"] == "two"
    assert got["file"] == FILE
    assert got["media"] == "text/plain"
    assert got["url"].startswith(server.url)
    assert pages.get(got["url"]).status_code == 200
    assert got.get("auth", True) is True


@pytest.mark.parametrize(("client", "program"), LEGACY)
def test_helpers_of_the_ingestion_generations(run, pages, server, client, program):
    ran = run(client, program)
    got = printed(ran)
    trace = ran.trace(observations=2, scores=3)
    assert_trace(trace, got, pages, server)
    call = named(trace, "call")
    assert (call["id"], call["output"], call["usageDetails"]["total"]) == (got["call"], "好", 7)
    scores = {score["name"]: score for score in trace["scores"]}
    assert (scores["number"]["dataType"], scores["number"]["value"]) == ("NUMERIC", 0.25)
    assert (scores["yes"]["dataType"], scores["yes"]["stringValue"]) == ("BOOLEAN", "True")
    assert (scores["label"]["stringValue"], scores["label"]["observationId"]) == ("good", named(trace, "work")["id"])
    assert_reads(got, trace["id"])


def assert_reads(got, trace_id):
    """Each way to read finds what was written. Other runs have the same user and session, hence "in"."""
    reads = {name.lower().replace("_", ""): value for name, value in got["reads"].items()}
    expected = {
        "gettrace": "with-helpers",
        "fetchobservation": "call",
        "getobservation": "call",
        "fetchobservations": 2,
        "getobservations": 2,
        "getgenerations": [got["call"]],
        "fetchsessions": True,
    }
    for name in ("fetchtraces", "gettraces"):
        assert trace_id in reads.pop(name, [trace_id])
    assert reads == {name: expected[name] for name in reads}
    assert len(reads) >= 3


@pytest.mark.parametrize(("client", "program"), OTEL)
def test_helpers_of_the_opentelemetry_generations(run, pages, server, client, program):
    ran = run(client, program)
    got = printed(ran)
    trace = ran.trace(observations=2, scores=6)
    assert_trace(trace, got, pages, server)
    root, event = named(trace, "with-helpers"), named(trace, "noted")
    assert (root["id"], root["type"], root["output"]) == (got["root"], "GENERATION", "好")
    assert root["usageDetails"] == {"input": 3, "output": 4, "total": 7}
    assert (event["type"], event["input"], event["parentObservationId"]) == ("EVENT", "记下了", root["id"])
    scores = {score["name"]: score for score in trace["scores"]}
    assert {name: score["observationId"] for name, score in scores.items()} == {
        "of-span": root["id"],
        "of-object": root["id"],
        "of-trace": None,
        "of-trace-object": None,
        "number": None,
        "remark": None,
    }
    assert (scores["of-trace"]["dataType"], scores["of-trace"]["stringValue"]) == ("CATEGORICAL", "good")
    assert (scores["of-object"]["dataType"], scores["of-object"]["stringValue"]) == ("BOOLEAN", "True")
    assert (scores["remark"]["dataType"], scores["remark"]["stringValue"]) == ("TEXT", "回答很好")
    assert (scores["number"]["value"], scores["number"]["metadata"]) == (0.25, {"判断": "人工"})
    with server.client() as api:
        of_sessions = api.get("/api/public/v2/scores", params={"name": "of-session", "environment": ran.environment})
    [of_session] = of_sessions.json()["data"]
    assert (of_session["sessionId"], of_session["traceId"], of_session["value"]) == ("会话/辅助", None, 1)
