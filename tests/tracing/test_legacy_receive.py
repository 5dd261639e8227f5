import json

import pytest

from accounts.access import AccessLevel
from tracing.ingest import legacy
from tracing.ingest.model import PayloadRejected

TIME = "2026-04-30T12:00:00.000Z"
NO_TYPE = {
    "code": "invalid_union",
    "errors": [],
    "note": "No matching discriminator",
    "discriminator": "type",
    "path": ["type"],
    "message": "Invalid input",
}
ONE_TARGET = (
    "Provide exactly one of the following: traceId (with optional observationId), sessionId or datasetRunId. "
    "ObservationId requires traceId."
)


def event(type_="trace-create", body=None, **rest):
    return {"id": "e", "type": type_, "timestamp": TIME, "body": {"id": "b"} if body is None else body} | rest


def expected(type_, received, *path):
    message = f"Invalid input: expected {type_}, received {received}"
    return {"expected": type_, "code": "invalid_type", "path": list(path), "message": message}


def receive(*events, level=AccessLevel.PROJECT):
    return legacy.receive({"batch": list(events)}, level, "p")


def without(key):
    return {name: value for name, value in event().items() if name != key}


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({}, "Invalid input: expected array, received undefined"),
        ({"batch": None}, "Invalid input: expected array, received null"),
        ({"batch": "x"}, "Invalid input: expected array, received string"),
        ([], "Invalid input: expected object, received array"),
        (None, "Invalid input: expected object, received null"),
        (7, "Invalid input: expected object, received number"),
    ],
)
def test_batch_that_is_none_is_refused(payload, error):
    with pytest.raises(PayloadRejected) as caught:
        legacy.receive(payload, AccessLevel.PROJECT, "p")
    assert caught.value.status == 400
    assert caught.value.body == {"message": "Invalid request data", "errors": [error]}


def test_empty_batch_is_fine():
    assert receive().response == {"successes": [], "errors": []}


@pytest.mark.parametrize(
    ("sent", "id_", "issues"),
    [
        (event(type_="nonsense-create"), "e", [NO_TYPE]),
        (event(type_="dataset-run-item-create"), "e", [NO_TYPE]),
        (without("type"), "e", [NO_TYPE]),
        (event(type_=["span-create"]), "e", [NO_TYPE]),
        (without("id"), "unknown", [expected("string", "undefined", "id")]),
        (event(id=5), "unknown", [expected("string", "number", "id")]),
        (without("timestamp"), "e", [expected("string", "undefined", "timestamp")]),
        (without("body"), "e", [expected("object", "undefined", "body")]),
        (
            event("span-create", {"traceId": 5}),
            "e",
            [expected("string", "number", "body", "traceId"), expected("string", "undefined", "body", "id")],
        ),
        (event("event-create", {"id": None}), "e", [expected("string", "null", "body", "id")]),
        (
            event(body={"id": "i" * 801}),
            "e",
            [
                {
                    "origin": "string",
                    "code": "too_big",
                    "maximum": 800,
                    "inclusive": True,
                    "path": ["body", "id"],
                    "message": "Too big: expected string to have <=800 characters",
                }
            ],
        ),
        (event(body={"id": "b", "public": "yes"}), "e", [expected("boolean", "string", "body", "public")]),
        (event(body={"id": "b", "tags": "a"}), "e", [expected("array", "string", "body", "tags")]),
        (event(body={"id": "b", "tags": ["a", 1]}), "e", [expected("string", "number", "body", "tags", 1)]),
        (
            event("span-create", {"id": "b", "level": "FATAL"}),
            "e",
            [
                {
                    "code": "invalid_value",
                    "values": ["DEBUG", "DEFAULT", "WARNING", "ERROR"],
                    "path": ["body", "level"],
                    "message": 'Invalid option: expected one of "DEBUG"|"DEFAULT"|"WARNING"|"ERROR"',
                }
            ],
        ),
        (
            event("score-create", {"traceId": "t", "name": "n", "value": "x", "dataType": "NUMERIC"}),
            "e",
            [expected("number", "string", "body", "value")],
        ),
        (
            event("score-create", {"name": "n", "value": 1}),
            "e",
            [
                {
                    "code": "custom",
                    "path": ["body", "traceId", "sessionId", "datasetRunId", "observationId"],
                    "message": ONE_TARGET,
                }
            ],
        ),
    ],
)
def test_bad_event_is_told_what_is_wrong(sent, id_, issues):
    receipt = receive(sent)
    assert receipt.accepted == []
    error = {"id": id_, "status": 400, "message": "Invalid request data", "error": json.dumps(issues, indent=2)}
    assert receipt.response == {"successes": [], "errors": [error]}


@pytest.mark.parametrize(("sent", "kind"), [(None, "null"), ("x", "string"), ([], "array")])
def test_event_that_is_no_object_is_unknown(sent, kind):
    (error,) = receive(sent).response["errors"]
    message = f"Invalid input: expected object, received {kind}"
    issue = {"code": "invalid_type", "expected": "object", "path": [], "message": message}
    assert (error["id"], error["error"]) == ("unknown", json.dumps([issue], indent=2))


@pytest.mark.parametrize("text", ["yesterday", "2026-02-29T00:00:00Z", "2026-04-30T12:00:00", "2026-04-30", ""])
def test_time_must_be_iso_with_a_zone(text):
    (error,) = receive(event(timestamp=text)).response["errors"]
    (issue,) = json.loads(error["error"])
    assert list(issue) == ["origin", "code", "format", "pattern", "path", "message"]
    assert (issue["path"], issue["message"]) == (["timestamp"], "Invalid ISO datetime")


@pytest.mark.parametrize("text", ["2026-04-30T12:00:00.123456789Z", "2024-02-29T12:00Z", "2026-04-30T12:00:00+05:30"])
def test_iso_times_are_accepted(text):
    assert receive(event(timestamp=text)).response["errors"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"id": "b", "promptName": "p"},
        {"id": "b", "promptVersion": 2},
        {"id": "b", "promptName": "p", "promptVersion": 1.5},
        {"id": "b", "modelParameters": {"stop": [1]}},
        {"id": "b", "modelParameters": "x"},
        {"id": "b", "usageDetails": 5},
        {"id": "b", "completionStartTime": "now"},
        {"id": "b\r"},
        {"id": ""},
    ],
)
def test_bad_generation_is_refused(body):
    assert [error["status"] for error in receive(event("generation-create", body)).response["errors"]] == [400]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": None, "name": None, "tags": None, "public": None, "metadata": None},
        {"id": "b", "environment": 7, "foo": "bar", "projectId": "other"},
    ],
)
def test_nulls_and_unknown_fields_of_a_trace_are_accepted(body):
    assert receive(event(body=body)).response["errors"] == []


def test_one_bad_event_does_not_touch_its_neighbours():
    receipt = receive(event(id="a"), event("nonsense", id="b"), event("span-create", id="c"))
    assert [success["id"] for success in receipt.response["successes"]] == ["a", "c"]
    assert [error["id"] for error in receipt.response["errors"]] == ["b"]
    assert [kept["id"] for kept in receipt.accepted] == ["a", "c"]


def test_successes_come_by_time_and_updates_last():
    receipt = receive(
        event("span-update", id="u2", timestamp="2026-04-30T12:00:02Z"),
        event("span-create", id="c3", timestamp="2026-04-30T12:00:03Z"),
        event("generation-update", id="u1", timestamp="2026-04-30T14:00:01+02:00"),
        event(id="c1", timestamp="2026-04-30T12:00:01Z"),
    )
    assert receipt.response["successes"] == [{"id": id_, "status": 201} for id_ in ("c1", "c3", "u1", "u2")]


def test_same_event_id_twice_is_answered_twice():
    assert len(receive(event(), event()).response["successes"]) == 2


def test_sdk_logs_are_accepted_and_dropped():
    receipt = receive(event("sdk-log", {"log": {"x": 1}}))
    assert receipt.accepted == []
    assert receipt.response == {"successes": [], "errors": []}


def test_public_key_alone_sends_scores_only():
    score = {"traceId": "t", "name": "n", "value": 1}
    receipt = receive(
        event(id="a"), event("score-create", score, id="b"), event("sdk-log", {}, id="c"), level=AccessLevel.SCORES
    )
    denied = {"id": "a", "status": 401, "message": "Authentication error", "error": "Access Scope Denied"}
    assert receipt.response == {"successes": [{"id": "b", "status": 201}], "errors": [denied]}
    assert [kept["type"] for kept in receipt.accepted] == ["score-create"]
