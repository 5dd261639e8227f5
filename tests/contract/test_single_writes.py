"""The deprecated writes of one thing: what is taken and stored, and what is refused with its reasons."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from tests.contract.harness import Case, check
from tests.tracing.api_data import make_api
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tracing.ingest import drain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker", "analytics_server")]

TIME = "2026-04-30T12:00:00.000Z"
LATER = "2026-04-30T12:00:02.000Z"


@pytest.fixture
def api(own_inbox):  # noqa: F811 - the fixture
    return make_api()


def wrong_type(expected, received, *path):
    message = f"Invalid input: expected {expected}, received {received}"
    return {"expected": expected, "code": "invalid_type", "path": list(path), "message": message}


def refused(*issues):
    return {"message": "Invalid request data", "error": list(issues)}


LEVEL = {
    "code": "invalid_value",
    "values": ["DEBUG", "DEFAULT", "WARNING", "ERROR"],
    "path": ["level"],
    "message": 'Invalid option: expected one of "DEBUG"|"DEFAULT"|"WARNING"|"ERROR"',
}
NO_TIME = {
    "origin": "string",
    "code": "invalid_format",
    "format": "datetime",
    "pattern": ANY,
    "path": ["startTime"],
    "message": "Invalid ISO datetime",
}
LONG_ID = {
    "origin": "string",
    "code": "too_big",
    "maximum": 800,
    "inclusive": True,
    "path": ["id"],
    "message": "Too big: expected string to have <=800 characters",
}
EMPTY_ID = {
    "origin": "string",
    "code": "too_small",
    "minimum": 1,
    "inclusive": True,
    "path": ["id"],
    "message": "Too small: expected string to have >=1 characters",
}
PROMPT_PAIR = {
    "code": "custom",
    "path": [],
    "message": "promptName and promptVersion must be given together, or neither of them",
}
INVALID_JSON = {"message": "Invalid JSON", "error": "InvalidRequestError"}
NO_OBJECT = refused(wrong_type("object", "array"))

CASES = [
    Case("trace without anything", "POST traces", 200, {"id": ANY}, body={}),
    Case("trace without a body", "POST traces", 200, {"id": ANY}),
    Case("trace with its id", "POST traces", 200, {"id": "w1"}, body={"id": "w1", "name": "n", "tags": ["a"]}),
    Case("trace with nulls", "POST traces", 200, {"id": ANY}, body={"id": None, "name": None, "tags": None}),
    Case("trace with unknown fields", "POST traces", 200, {"id": "w2"}, body={"id": "w2", "colour": "red"}),
    Case("trace with an odd id", "POST traces", 200, {"id": "a/b c%"}, body={"id": "a/b c%"}),
    Case("span", "POST spans", 200, {"id": "s1"}, body={"id": "s1", "traceId": "w1", "startTime": TIME}),
    Case("span without an id", "POST spans", 200, {"id": ANY}, body={"traceId": "w1"}),
    Case("generation", "POST generations", 200, {"id": "g1"}, body={"id": "g1", "traceId": "w1", "model": "gpt-4o"}),
    Case("event", "POST events", 200, {"id": "e1"}, body={"id": "e1", "traceId": "w1", "level": "ERROR"}),
    Case("span again", "PATCH spans", 200, {"id": "s1"}, body={"spanId": "s1", "endTime": TIME}),
    Case("generation again", "PATCH generations", 200, {"id": "g1"}, body={"generationId": "g1", "completion": "x"}),
    Case("trace is a list", "POST traces", 400, NO_OBJECT, body=[]),
    Case("span is a list", "POST spans", 400, NO_OBJECT, body=[{}]),
    Case("trace is a text", "POST traces", 400, refused(wrong_type("object", "string")), body="x"),
    Case("trace is null", "POST traces", 400, refused(wrong_type("object", "null")), body=b"null"),
    Case("trace is no JSON", "POST traces", 400, INVALID_JSON, body=b"{"),
    Case("event is not a number", "POST events", 400, INVALID_JSON, body=b'{"input": NaN}'),
    Case("span is too deep", "POST spans", 400, INVALID_JSON, body=b'{"input":' + b"[" * 3000 + b"]" * 3000 + b"}"),
    Case("generation of bad text", "POST generations", 400, INVALID_JSON, body=b'{"input": "\xff"}'),
    Case(
        "trace with a numeric name",
        "POST traces",
        400,
        refused(wrong_type("string", "number", "name")),
        body={"name": 5},
    ),
    Case("trace with an empty id", "POST traces", 400, refused(EMPTY_ID), body={"id": ""}),
    Case("trace with a long id", "POST traces", 400, refused(LONG_ID), body={"id": "i" * 801}),
    Case(
        "trace with text for tags",
        "POST traces",
        400,
        refused(wrong_type("array", "string", "tags")),
        body={"tags": "a"},
    ),
    Case(
        "tag is no text",
        "POST traces",
        400,
        refused(wrong_type("string", "number", "tags", 1)),
        body={"tags": ["a", 1]},
    ),
    Case(
        "public is a text",
        "POST traces",
        400,
        refused(wrong_type("boolean", "string", "public")),
        body={"public": "yes"},
    ),
    Case("unknown level", "POST spans", 400, refused(LEVEL), body={"level": "FATAL"}),
    Case("no time", "POST spans", 400, refused(NO_TIME), body={"startTime": "yesterday"}),
    Case(
        "usage is a number",
        "POST generations",
        400,
        refused(wrong_type("object", "number", "usage")),
        body={"usage": 5},
    ),
    Case("half a prompt", "POST generations", 400, refused(PROMPT_PAIR), body={"promptName": "p"}),
    Case(
        "two issues",
        "POST events",
        400,
        refused(wrong_type("string", "number", "name"), LEVEL),
        body={"name": 1, "level": "x"},
    ),
    Case(
        "change of no span", "PATCH spans", 400, refused(wrong_type("string", "undefined", "spanId")), body={"id": "s1"}
    ),
    Case(
        "change of span null",
        "PATCH spans",
        400,
        refused(wrong_type("string", "null", "spanId")),
        body={"spanId": None},
    ),
    Case(
        "change of span 5",
        "PATCH spans",
        400,
        refused(wrong_type("string", "number", "spanId"), LEVEL),
        body={"spanId": 5, "level": "x"},
    ),
    Case(
        "change of no generation",
        "PATCH generations",
        400,
        refused(wrong_type("string", "undefined", "generationId")),
        body={},
    ),
    Case("change by a list", "PATCH generations", 400, NO_OBJECT, body=[]),
    Case(
        "spans cannot be listed", "GET spans", 405, {"message": "Method not allowed", "error": "MethodNotAllowedError"}
    ),
    Case(
        "events do not change", "PATCH events", 405, {"message": "Method not allowed", "error": "MethodNotAllowedError"}
    ),
    Case(
        "traces do not change", "PATCH traces", 405, {"message": "Method not allowed", "error": "MethodNotAllowedError"}
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_single_write(api, own_inbox, case):  # noqa: F811
    check(api, case)
    assert len(list(own_inbox.keys())) == (case.status == 200)


def test_what_was_written_one_by_one_is_one_trace(api):
    for case in (
        Case(
            "", "POST traces", 200, {"id": "t"}, body={"id": "t", "name": "chat", "userId": "alice", "timestamp": TIME}
        ),
        Case("", "POST spans", 200, {"id": "s"}, body={"id": "s", "traceId": "t", "name": "step", "startTime": TIME}),
        Case(
            "",
            "PATCH spans",
            200,
            {"id": "s"},
            body={"spanId": "s", "traceId": "t", "endTime": LATER, "output": "done"},
        ),
        Case(
            "",
            "POST generations",
            200,
            {"id": "g"},
            body={"id": "g", "traceId": "t", "prompt": ["p"], "startTime": TIME},
        ),
        Case("", "PATCH generations", 200, {"id": "g"}, body={"generationId": "g", "traceId": "t", "completion": "c"}),
        Case(
            "", "POST events", 200, {"id": "e"}, body={"id": "e", "traceId": "t", "level": "ERROR", "startTime": TIME}
        ),
    ):
        check(api, case)
    drain.drain()
    found = api.get("traces/t")
    assert (found["name"], found["userId"], found["timestamp"]) == ("chat", "alice", TIME)
    observations = {one["id"]: one for one in found["observations"]}
    assert {key: one["type"] for key, one in observations.items()} == {"s": "SPAN", "g": "GENERATION", "e": "EVENT"}
    assert (observations["s"]["name"], observations["s"]["endTime"], observations["s"]["output"]) == (
        "step",
        LATER,
        "done",
    )
    assert (observations["g"]["input"], observations["g"]["output"]) == (["p"], "c")
    assert observations["e"]["level"] == "ERROR"


def test_newer_name_stands_before_the_older(api):
    check(
        api, Case("", "POST generations", 200, {"id": "g"}, body={"id": "g", "traceId": "t", "input": 1, "prompt": 2})
    )
    drain.drain()
    assert api.get("observations/g")["input"] == 1


def test_nothing_is_accepted_that_cannot_be_kept(api, own_inbox):  # noqa: F811
    own_inbox.folder.parent.joinpath("inbox").write_text("no folder")
    response = api("POST", "traces", {"id": "lost"})
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response.json() == {"message": "The inbox cannot be written. Try again.", "error": "ServiceUnavailableError"}
