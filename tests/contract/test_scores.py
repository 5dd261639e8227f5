"""Scores: sending one and many, being held to a config, and reading them in three versions."""

from __future__ import annotations

from base64 import b64decode
from unittest.mock import ANY

import pytest

from tests.contract.harness import Case, check
from tests.tracing.api_data import fill, make_api, score, trace
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tracing.analytics import store
from tracing.ingest import drain

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker", "analytics_server", "own_inbox"),
]

INVALID = "Invalid request data"
NOT_FOUND = {"message": "Score not found", "error": "LangfuseNotFoundError"}
TIME = "2026-04-30T12:00:00.000Z"
VALID = {"id": "new", "traceId": "t1", "name": "quality", "value": 0.5}
TRACE_1 = {"userId": "alice", "tags": ["a", "b"], "environment": "prod"}


@pytest.fixture
def api():
    return make_api()


@pytest.fixture
def filled(api):
    fill(api.project_id)
    return api


def invalid(*issues):
    return {"message": INVALID, "error": list(issues)}


def custom(path, message):
    return {"code": "custom", "path": path, "message": message}


def wrong_type(expected, received, *path):
    message = f"Invalid input: expected {expected}, received {received}"
    return {"expected": expected, "code": "invalid_type", "path": list(path), "message": message}


def length(code, limit, key):
    bound, word, sign = {"too_small": ("minimum", "small", ">="), "too_big": ("maximum", "big", "<=")}[code]
    message = f"Too {word}: expected string to have {sign}{limit} characters"
    return {"origin": "string", "code": code, bound: limit, "inclusive": True, "path": [key], "message": message}


def option(path, values, **more):
    listed = "|".join(f'"{value}"' for value in values)
    message = f"Invalid option: expected one of {listed}"
    return {"code": "invalid_value", "path": path, "message": message, "values": values, **more}


ONE_TARGET = custom(
    ["traceId", "sessionId", "datasetRunId", "observationId"],
    "Provide exactly one of the following: traceId (with optional observationId), sessionId or datasetRunId. "
    "ObservationId requires traceId.",
)
NEITHER = {
    "code": "invalid_union",
    "errors": [[wrong_type("string", "boolean")], [wrong_type("number", "boolean")]],
    "path": ["value"],
    "message": "Invalid input",
}
NO_TYPE = {
    "code": "invalid_union",
    "errors": [],
    "note": "No matching discriminator",
    "discriminator": "dataType",
    "path": ["dataType"],
    "message": "Invalid input",
}

SENT = {
    "number": ({"value": 3}, {"dataType": "NUMERIC", "value": 3, "stringValue": None}),
    "fraction": ({"value": -0.25, "dataType": "NUMERIC"}, {"dataType": "NUMERIC", "value": -0.25, "stringValue": None}),
    "text": ({"value": "5"}, {"dataType": "CATEGORICAL", "value": 0, "stringValue": "5"}),
    "true": ({"value": 1.0, "dataType": "BOOLEAN"}, {"dataType": "BOOLEAN", "value": 1, "stringValue": "True"}),
    "false": ({"value": 0, "dataType": "BOOLEAN"}, {"dataType": "BOOLEAN", "value": 0, "stringValue": "False"}),
    "long text": (
        {"value": "x" * 500, "dataType": "TEXT"},
        {"dataType": "TEXT", "stringValue": "x" * 500},
    ),
    "correction": (
        {"value": "better", "dataType": "CORRECTION", "name": None},
        {"dataType": "CORRECTION", "value": 0, "stringValue": "better", "name": "output"},
    ),
    "of an observation": ({"observationId": "o"}, {"observationId": "o"}),
    "of a session": ({"traceId": None, "sessionId": "s"}, {"traceId": None, "sessionId": "s"}),
    "of a run": ({"traceId": None, "datasetRunId": "r"}, {"traceId": None, "datasetRunId": "r"}),
    "all fields": (
        {"comment": "c", "metadata": {"a": [1]}, "environment": "prod", "queueId": "q"},
        {"comment": "c", "metadata": {"a": [1]}, "environment": "prod", "queueId": "q"},
    ),
    "metadata that are none": ({"metadata": ["x"]}, {"metadata": {"metadata": ["x"]}}),
    "bad environment": ({"environment": "a b"}, {"environment": "default"}),
    "nulls": ({"sessionId": None, "comment": None, "dataType": None, "configId": None}, {}),
    "its own time is not asked": ({"timestamp": TIME}, {}),
    "unknown fields": ({"foo": 1}, {}),
}


@pytest.mark.parametrize("name", SENT)
def test_one_score(api, name):
    sent, expected = SENT[name]
    check(api, Case(name, "POST scores", 200, {"id": "new"}, body=VALID | sent))
    drain.drain()
    answer = v2("new", **{"traceId": "t1", "value": 0.5, **expected})
    if answer["dataType"] == "TEXT":
        del answer["value"]
    shown = check(api, Case(name, "GET v2/scores/new", 200, answer))
    assert shown["timestamp"] > "2026-11"


def v2(score_id, **fields):
    """A score in full, as v2 shows it."""
    return {
        "id": score_id,
        "projectId": ANY,
        "traceId": None,
        "sessionId": None,
        "observationId": None,
        "datasetRunId": None,
        "name": "quality",
        "source": "API",
        "timestamp": ANY,
        "createdAt": ANY,
        "updatedAt": ANY,
        "authorUserId": None,
        "comment": None,
        "metadata": {},
        "configId": None,
        "queueId": None,
        "executionTraceId": None,
        "environment": "default",
        "dataType": "NUMERIC",
        "stringValue": None,
        **fields,
    }


def test_a_score_without_an_id_gets_one(api):
    body = {key: value for key, value in VALID.items() if key != "id"}
    answer = check(api, Case("", "POST scores", 200, {"id": ANY}, body=body))
    drain.drain()
    assert api.ids("v3/scores") == [answer["id"]]


REFUSED = {
    "no name": ({"name": None}, wrong_type("string", "null", "name")),
    "empty name": ({"name": ""}, length("too_small", 1, "name")),
    "true is no value": ({"value": True}, NEITHER),
    "text as a number": ({"value": "1", "dataType": "NUMERIC"}, wrong_type("number", "string", "value")),
    "boolean of two": (
        {"value": 2, "dataType": "BOOLEAN"},
        custom(["value"], "Value must be either 0 or 1 for data type BOOLEAN"),
    ),
    "number as a category": ({"value": 1, "dataType": "CATEGORICAL"}, wrong_type("string", "number", "value")),
    "empty text": ({"value": "", "dataType": "TEXT"}, length("too_small", 1, "value")),
    "text too long": ({"value": "x" * 501, "dataType": "TEXT"}, length("too_big", 500, "value")),
    "unknown type": ({"dataType": "STARS"}, NO_TYPE),
    "source of the server": ({"source": "EVAL"}, option(["source"], ["API", "ANNOTATION"])),
    "annotation": ({"source": "ANNOTATION"}, custom(["configId"], "An annotation needs a configId")),
    "no target": ({"traceId": None}, ONE_TARGET),
    "two targets": ({"sessionId": "s"}, ONE_TARGET),
    "observation of a session": ({"traceId": None, "sessionId": "s", "observationId": "o"}, ONE_TARGET),
    "correction of a session": (
        {"traceId": None, "sessionId": "s", "value": "x", "dataType": "CORRECTION"},
        custom(["traceId"], "A correction is about a trace or an observation: give a traceId"),
    ),
    "correction with a config": (
        {"value": "x", "dataType": "CORRECTION", "configId": "c"},
        custom(["configId"], "A correction has no score config"),
    ),
    "comment a number": ({"comment": 5}, wrong_type("string", "number", "comment")),
    "unknown config": ({"configId": "nope"}, custom(["configId"], "There is no score config of that id.")),
    "odd config": ({"configId": "a/%\n"}, custom(["configId"], "There is no score config of that id.")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_score_that_is_refused(api, name):
    sent, issue = REFUSED[name]
    check(api, Case(name, "POST scores", 400, invalid(issue), body=VALID | sent))
    drain.drain()
    assert api.ids("v3/scores") == []


@pytest.mark.parametrize(("body", "received"), [("x", "string"), (5, "number"), (True, "boolean")])
def test_what_is_no_score(api, body, received):
    check(api, Case("", "POST scores", 400, invalid(wrong_type("object", received)), body=body))


def test_many_scores(api):
    many = [VALID | {"timestamp": TIME}, VALID | {"id": "other"}]
    check(api, Case("", "POST scores", 202, {"message": "Accepted"}, body=many))
    drain.drain()
    assert api.ids("v3/scores") == ["other", "new"]
    assert api.get("v2/scores/new")["timestamp"] == TIME
    check(api, Case("", "POST scores", 202, {"message": "Accepted"}, body=[many[0] | {"value": 0.9}]))
    drain.drain()
    again = api.get("v2/scores/new")
    assert (again["value"], again["timestamp"]) == (0.9, TIME)
    check(api, Case("nothing", "POST scores", 202, {"message": "Accepted"}, body=[]))


def test_many_scores_of_which_some_are_refused(api):
    errors = [
        {"message": "Score 'broken' 'b' (number 2 of the request) is invalid. value: Invalid input"},
        {
            "message": "Score without a name (number 3 of the request) is invalid. "
            ": Invalid input: expected object, received number"
        },
        {"message": "Score 'late' 'l' (number 4 of the request) is invalid. timestamp: Invalid ISO datetime"},
        {
            "message": "Score 'held' 'c' (number 5 of the request) is invalid. "
            "configId: There is no score config of that id."
        },
    ]
    body = [
        VALID,
        VALID | {"id": "b", "name": "broken", "value": None},
        5,
        VALID | {"id": "l", "name": "late", "timestamp": "now"},
        VALID | {"id": "c", "name": "held", "configId": "nope"},
    ]
    check(api, Case("", "POST scores", 207, {"accepted": 1, "rejected": 4, "errors": errors}, body=body))
    drain.drain()
    assert api.ids("v3/scores") == ["new"]


def test_the_public_key_alone_sends_scores_and_reads_none(api):
    api.authorization = "Bearer " + b64decode(api.authorization.split()[1]).decode().split(":")[0]
    check(api, Case("", "POST scores", 200, {"id": "new"}, body=VALID))
    denied = {"message": "Access denied - insufficient permissions for this endpoint"}
    for request in ("GET scores", "GET v2/scores", "GET v3/scores", "GET v2/scores/new", "DELETE scores/new"):
        check(api, Case("", request, 403, denied))
    for request in ("GET score-configs", "POST score-configs", "GET comments", "POST comments"):
        check(api, Case("", request, 403, denied))


def configured(api, **fields):
    response = api("POST", "score-configs", {"name": "held to", "dataType": "NUMERIC", **fields})
    assert response.status_code == 200, response.content
    return response.json()["id"]


GOOD_BAD = {"dataType": "CATEGORICAL", "categories": [{"label": "good", "value": 7}, {"label": "bad", "value": 0}]}


@pytest.mark.parametrize(
    ("config", "sent", "expected"),
    [
        ({"minValue": 0, "maxValue": 1}, {"value": 1}, {"value": 1}),
        ({"dataType": "BOOLEAN"}, {"value": 1}, {"dataType": "BOOLEAN", "value": 1, "stringValue": "True"}),
        (GOOD_BAD, {"value": "good"}, {"dataType": "CATEGORICAL", "value": 7, "stringValue": "good"}),
        ({"dataType": "TEXT"}, {"value": "words"}, {"dataType": "TEXT", "stringValue": "words"}),
        ({}, {"value": 5, "source": "ANNOTATION"}, {"value": 5, "source": "ANNOTATION"}),
    ],
    ids=["numeric", "boolean", "categorical", "text", "annotation"],
)
def test_a_config_gives_name_type_and_number(api, config, sent, expected):
    config_id = configured(api, **config)
    check(api, Case("", "POST scores", 200, {"id": "new"}, body=VALID | {"configId": config_id} | sent))
    drain.drain()
    answer = v2("new", traceId="t1", name="held to", configId=config_id, **expected)
    check(api, Case("", "GET v2/scores/new", 200, answer))


OUT_OF_RANGE = "The value {} is out of the range of the config 'held to'."
BREACHES = {
    "too large": (
        {"maxValue": 1},
        {"value": 1.5},
        "value",
        OUT_OF_RANGE.format(1.5),
    ),
    "too small": ({"minValue": 0}, {"value": -1}, "value", OUT_OF_RANGE.format(-1)),
    "another type": (
        {},
        {"value": 1, "dataType": "BOOLEAN"},
        "dataType",
        "The score is BOOLEAN, its config 'held to' is NUMERIC.",
    ),
    "no number": ({}, {"value": "good"}, "value", "A NUMERIC score cannot have the value 'good'."),
    "no text": ({"dataType": "TEXT"}, {"value": 5}, "value", "A TEXT score cannot have the value 5."),
    "no category": (GOOD_BAD, {"value": "so-so"}, "value", "The config 'held to' has no category 'so-so'."),
    "no truth": ({"dataType": "BOOLEAN"}, {"value": 0.5}, "value", "The value of a BOOLEAN score is 0 or 1."),
    "archived": ({"isArchived": True}, {}, "configId", "The score config 'held to' is archived."),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_score_that_breaks_its_config(api, name):
    config, sent, field, message = BREACHES[name]
    config_id = configured(api, **config)
    if config.get("isArchived"):
        api("PATCH", f"score-configs/{config_id}", {"isArchived": True})
    body = VALID | {"configId": config_id} | sent
    check(api, Case("one", "POST scores", 400, invalid(custom([field], message)), body=body))
    text = f"Score 'quality' 'new' (number 1 of the request) is invalid. {field}: {message}"
    many = {"accepted": 0, "rejected": 1, "errors": [{"message": text}]}
    check(api, Case("many", "POST scores", 207, many, body=[body]))
    batch = {"batch": [{"id": "e", "type": "score-create", "timestamp": TIME, "body": body}]}
    answer = api("POST", "ingestion", batch).json()
    assert answer["successes"] == []
    [error] = answer["errors"]
    assert (error["id"], error["status"], error["message"]) == ("e", 400, INVALID)
    assert f'"{message}"' in error["error"]
    drain.drain()
    assert api.ids("v3/scores") == []


def test_a_changed_config_counts_at_once(api):
    config_id = configured(api, maxValue=1)
    body = VALID | {"configId": config_id, "value": 5}
    assert api("POST", "scores", body).status_code == 400
    api("PATCH", f"score-configs/{config_id}", {"maxValue": 10})
    assert api("POST", "scores", body).status_code == 200
    api("PATCH", f"score-configs/{config_id}", {"maxValue": 4})
    assert api("POST", "scores", body).status_code == 400


def test_a_config_of_another_project_is_none(api):
    body = VALID | {"configId": configured(make_api(name="Other"))}
    issue = custom(["configId"], "There is no score config of that id.")
    check(api, Case("", "POST scores", 400, invalid(issue), body=body))


def test_deleting(filled):
    done = {"message": "Score deletion queued successfully"}
    for score_id in ("n", "n", "nope", "a/b"):
        check(filled, Case("", f"DELETE scores/{score_id}", 202, done))
    assert "n" not in filled.ids("v2/scores")
    assert "b" in filled.ids("v2/scores")


@pytest.mark.parametrize("request_line", ["PUT scores", "PATCH scores/n", "POST v2/scores", "DELETE v3/scores"])
def test_verbs_that_are_none(api, request_line):
    check(api, Case("", request_line, 405, {"message": "Method not allowed", "error": "MethodNotAllowedError"}))


@pytest.mark.parametrize("path", ["scores/nope", "v2/scores/nope", "scores/k", "scores/s", "v2/scores/a/b"])
def test_a_score_that_is_not_there(filled, path):
    check(filled, Case("", f"GET {path}", 404, NOT_FOUND))


def test_one_of_each_version(filled):
    common = {"traceId": "t1", "comment": "c", "metadata": {"metadata": "text"}, "configId": "cfg", "value": 0.75}
    first = v2("n", **common)
    del first["sessionId"], first["datasetRunId"]
    check(filled, Case("v1", "GET scores/n", 200, first))
    check(filled, Case("v2", "GET v2/scores/n", 200, v2("n", **common)))
    meta = {"page": 1, "limit": 50, "totalItems": 1, "totalPages": 1}
    check(filled, Case("", "GET scores?scoreIds=n", 200, {"data": [first | {"trace": TRACE_1}], "meta": meta}))
    traced = v2("n", **common) | {"trace": TRACE_1 | {"sessionId": "s1"}}
    check(filled, Case("", "GET v2/scores?scoreIds=n", 200, {"data": [traced], "meta": meta}))
    untraced = {"data": [v2("n", **common)], "meta": meta}
    check(filled, Case("", "GET v2/scores?scoreIds=n&fields=score", 200, untraced))
    core = {
        "id": "n",
        "projectId": filled.project_id,
        "name": "quality",
        "value": 0.75,
        "dataType": "NUMERIC",
        "source": "API",
        "timestamp": "2026-03-02T10:00:00.000Z",
        "environment": "default",
        "createdAt": "2026-03-02T10:00:00.000Z",
        "updatedAt": "2026-03-02T10:00:00.000Z",
    }
    groups = {
        "": {},
        "core": {},
        "details": {"comment": "c", "configId": "cfg", "metadata": {"metadata": "text"}},
        "subject": {"subject": {"kind": "trace", "id": "t1"}},
        "annotation": {"authorUserId": None, "queueId": None},
    }
    for group, fields in groups.items():
        answer = {"data": [core | fields], "meta": {"limit": 50}}
        check(filled, Case("", f"GET v3/scores?id=n&fields={group}", 200, answer))


def test_values_and_subjects_of_version_three(filled):
    items = {item["id"]: item for item in filled.get("v3/scores", fields="subject")["data"]}
    assert {key: (item["value"], item["subject"]) for key, item in items.items()} == {
        "n": (0.75, {"kind": "trace", "id": "t1"}),
        "b": (True, {"kind": "trace", "id": "t1"}),
        "c": ("good", {"kind": "observation", "id": "gen", "traceId": "t1"}),
        "x": ("hello", {"kind": "trace", "id": "t2"}),
        "k": ("better", {"kind": "trace", "id": "t1"}),
        "s": (3, {"kind": "session", "id": "s1"}),
        "r": (1.5, {"kind": "experiment", "id": "run"}),
    }


FOUND = [
    ("scores", "xcbn"),
    ("v2/scores", "rskxcbn"),
    ("v3/scores", "rskxcbn"),
    ("scores?source=ANNOTATION", ""),
    ("scores?dataType=CORRECTION", ""),
    ("scores?userId=bob", "x"),
    ("scores?name=quality", "n"),
    ("scores?configId=cfg", "n"),
    ("scores?operator=%3E%3D&value=0.75", "bn"),
    ("scores?value=0.75", "xcbn"),
    ("scores?fromTimestamp=2026-03-02T10:00:01Z&toTimestamp=2026-03-02T10:00:03Z", "cb"),
    ("v2/scores?source=ANNOTATION", "s"),
    ("v2/scores?queueId=q", "s"),
    ("v2/scores?configId=cfg", "n"),
    ("v2/scores?configId=other", ""),
    ("v2/scores?traceId=t2", "x"),
    ("v2/scores?sessionId=s1", "s"),
    ("v2/scores?datasetRunId=run", "r"),
    ("v2/scores?observationId=gen,nope", "c"),
    ("v2/scores?scoreIds=n,b&scoreIds=x", "xbn"),
    ("v2/scores?traceTags=a,b", "kcbn"),
    ("v2/scores?traceTags=b", "kxcbn"),
    ("v2/scores?environment=default,prod", "rskxcbn"),
    ("v2/scores?environment=prod", ""),
    ("v2/scores?dataType=TEXT", "x"),
    ("v2/scores?operator=!=&value=0&dataType=NUMERIC", "rsn"),
    ("v2/scores?operator=%3C&value=1", "kcn"),
    ("v2/scores?limit=2&page=2", "kx"),
    ("v2/scores?limit=2&page=9", ""),
    ("v2/scores?unknown=ignored", "rskxcbn"),
    ("v3/scores?name=quality,ok", "bn"),
    ("v3/scores?source=annotation,EVAL", "s"),
    ("v3/scores?dataType=numeric,Text", "rsxn"),
    ("v3/scores?configId=cfg,other", "n"),
    ("v3/scores?queueId=q", "s"),
    ("v3/scores?authorUserId=u,v", "s"),
    ("v3/scores?traceId=t1,t2&traceId=t3", "kxcbn"),
    ("v3/scores?traceId=t1&observationId=gen,root", "c"),
    ("v3/scores?sessionId=s1,s2", "s"),
    ("v3/scores?experimentId=run", "r"),
    ("v3/scores?dataType=NUMERIC&value=3,1.5", "rs"),
    ("v3/scores?dataType=NUMERIC&valueMin=0.75&valueMax=1.5", "rn"),
    ("v3/scores?dataType=BOOLEAN&value=true", "b"),
    ("v3/scores?dataType=BOOLEAN&value=false", ""),
    ("v3/scores?dataType=BOOLEAN&value=false,true", "b"),
    ("v3/scores?dataType=CATEGORICAL&value=good,bad", "c"),
    ("v3/scores?fromTimestamp=2026-03-02T10:00:05%2B00:00", "rs"),
    ("v3/scores?id=&name=", "rskxcbn"),
]


@pytest.mark.parametrize(("request_line", "ids"), FOUND, ids=[line for line, _ in FOUND])
def test_what_is_found(filled, request_line, ids):
    assert filled.ids(request_line) == list(ids)


def unknown(*names):
    listed = ", ".join(f'"{name}"' for name in names)
    message = f"Unrecognized key{'s' * (len(names) > 1)}: {listed}"
    return {"code": "unrecognized_keys", "path": [], "message": message, "keys": list(names)}


NO_NUMBER = {"code": "invalid_type", "message": "Invalid input: expected number, received NaN", "expected": "number"}
NO_TIME = {"code": "invalid_format", "message": "Invalid ISO datetime", "format": "datetime", "origin": "string"}
VALUE_TYPE = "value needs exactly one dataType of NUMERIC, BOOLEAN, CATEGORICAL"
TYPES = ["NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION"]
SOURCES = ["API", "EVAL", "ANNOTATION"]


def bound(code, key, limit):
    word, sign, name = {"too_small": ("small", ">=", "minimum"), "too_big": ("big", "<=", "maximum")}[code]
    message = f"Too {word}: expected number to be {sign}{limit}"
    return {"code": code, "path": [key], "message": message, name: limit, "origin": "number", "inclusive": True}


IMPOSSIBLE = [
    ("scores?limit=0", bound("too_small", "limit", 1)),
    ("scores?limit=101", bound("too_big", "limit", 100)),
    ("v2/scores?page=0", bound("too_small", "page", 1)),
    ("v2/scores?page=x", NO_NUMBER | {"path": ["page"]}),
    ("v2/scores?source=WIND", option(["source"], SOURCES)),
    ("v2/scores?source=api", option(["source"], SOURCES)),
    ("v2/scores?dataType=HAIKU", option(["dataType"], TYPES)),
    ("v2/scores?operator=~&value=1", option(["operator"], ["=", ">", "<", ">=", "<=", "!="])),
    ("v2/scores?operator==&value=x", NO_NUMBER | {"path": ["value"]}),
    ("v2/scores?fromTimestamp=yesterday", NO_TIME | {"path": ["fromTimestamp"]}),
    ("v2/scores?toTimestamp=2026-03-02", NO_TIME | {"path": ["toTimestamp"]}),
    ("v3/scores?userId=alice", unknown("userId")),
    ("v3/scores?traceTags=a&page=1", unknown("page", "traceTags")),
    ("v3/scores?limit=0", bound("too_small", "limit", 1)),
    ("v3/scores?limit=101", bound("too_big", "limit", 100)),
    ("v3/scores?fields=core,all", custom(["fields"], "Unknown field group: all")),
    ("v3/scores?dataType=HAIKU", option(["dataType"], TYPES)),
    ("v3/scores?source=api,wind", option(["source"], SOURCES)),
    ("v3/scores?value=1", custom(["value"], VALUE_TYPE)),
    ("v3/scores?value=1&dataType=NUMERIC,BOOLEAN", custom(["value"], VALUE_TYPE)),
    ("v3/scores?value=x&dataType=TEXT", custom(["value"], VALUE_TYPE)),
    ("v3/scores?value=1,x&dataType=NUMERIC", NO_NUMBER | {"path": ["value"]}),
    ("v3/scores?value=1&dataType=BOOLEAN", custom(["value"], "value must be true or false for dataType=BOOLEAN")),
    ("v3/scores?valueMin=1", custom(["valueMin"], "valueMin needs dataType=NUMERIC")),
    ("v3/scores?valueMax=1&dataType=BOOLEAN", custom(["valueMax"], "valueMax needs dataType=NUMERIC")),
    ("v3/scores?valueMin=inf&dataType=NUMERIC", NO_NUMBER | {"path": ["valueMin"]}),
    ("v3/scores?observationId=gen", custom(["observationId"], "observationId needs traceId")),
    (
        "v3/scores?traceId=t1&sessionId=s1",
        custom(["sessionId"], "traceId and sessionId are mutually exclusive"),
    ),
    (
        "v3/scores?sessionId=s1&experimentId=r",
        custom(["experimentId"], "sessionId and experimentId are mutually exclusive"),
    ),
]


@pytest.mark.parametrize(("request_line", "issue"), IMPOSSIBLE, ids=[line for line, _ in IMPOSSIBLE])
def test_parameters_that_cannot_be(filled, request_line, issue):
    check(filled, Case("", f"GET {request_line}", 400, invalid(issue)))


@pytest.mark.parametrize(
    ("request_line", "message"),
    [
        ("v2/scores?fields=trace", "The fields parameter must include score."),
        ("v2/scores?fields=score&userId=a", "Filters on the trace need trace among the fields."),
        ("v2/scores?fields=score&traceTags=a", "Filters on the trace need trace among the fields."),
        ("v2/scores?filter=x", "Invalid JSON in filter parameter"),
        ("v3/scores?cursor=abc", "Invalid cursor format"),
        ("v3/scores?cursor=e30", "Invalid cursor format"),
        ("v3/scores?cursor=WyIyMDI2LTAzLTAyVDEwOjAwOjAwWiJd", "Invalid cursor format"),
        ("v3/scores?cursor=WyJub3ciLCJhIl0", "Invalid cursor format"),
        ("v3/scores?cursor=%F0%9F%8E%89", "Invalid cursor format"),
    ],
)
def test_what_makes_no_sense(filled, request_line, message):
    check(filled, Case("", f"GET {request_line}", 400, {"message": message, "error": "InvalidRequestError"}))


def test_numbers_of_any_size_can_be_read_again(api):
    numbers = {"most": 1.7e308, "much": -1e300, "integer": 2.0**53, "little": 1e-20, "none": 0.0, "long": 1e15 + 0.3}
    store.insert(traces=[trace(api.project_id, "t", 0)])
    body = [{"id": name, "name": name, "traceId": "t", "value": value} for name, value in numbers.items()]
    check(api, Case("", "POST scores", 202, {"message": "Accepted"}, body=body))
    drain.drain()
    for name, value in numbers.items():
        assert api.get(f"v2/scores/{name}")["value"] == value
    assert {one["id"]: one["value"] for one in api.get("v3/scores")["data"]} == numbers
    assert {one["id"]: one["value"] for one in api.get("traces/t")["scores"]} == numbers
    items = {name: [{"type": "number", "column": "value", "operator": "=", "value": numbers[name]}] for name in numbers}
    for name in ("integer", "little", "none", "long"):
        assert api.ids("v2/scores", filter=items[name]) == [name]


def test_pages_by_cursor_hold_every_score_once(filled):
    found, cursor = [], ""
    for _ in range(4):
        page = filled.get("v3/scores", limit=2, **({"cursor": cursor} if cursor else {}))
        found += [item["id"] for item in page["data"]]
        cursor = page["meta"].get("cursor", "")
    assert found == list("rskxcbn")
    assert page["meta"] == {"limit": 2}


def test_a_cursor_of_another_project_shows_nothing_of_it(filled):
    other = make_api(name="Other")
    fill(other.project_id, "FOREIGN")
    cursor = other.get("v3/scores", limit=2)["meta"]["cursor"]
    assert filled.ids("v3/scores", cursor=cursor) == list("kxcbn")
    assert {item["projectId"] for item in filled.get("v3/scores", cursor=cursor)["data"]} == {filled.project_id}


TEXTS = {
    "object": (
        '{"why":"too long","tries":3,"deep":{"tries":30,"who":"x/y"},"no":null,"yes":true,"list":["a","b"],"half":0.5}'
    ),
    "look": '{"note":"\\"tries\\":3,","metadata":"own"}',
    "word": "a word",
    "quoted": '"quoted"',
    "odd": '{"tries":3',
    "none": "",
}


@pytest.mark.parametrize(
    ("key", "operator", "value", "found"),
    [
        ("why", "=", "too long", "object"),
        ("why", "=", "too", ""),
        ("why", "starts with", "too", "object"),
        ("why", "ends with", "long", "object"),
        ("why", "contains", "o l", "object"),
        ("why", "does not contain", "o l", ""),
        ("why", "does not contain", "x", "object"),
        ("tries", "=", "3", "object"),
        ("tries", "=", "30", ""),
        ("tries", "contains", "3", "object"),
        ("tries", "is set", "", "object"),
        ("tries", "is not set", "", "none odd quoted word look"),
        ("who", "is set", "", ""),
        ("deep", "=", '{"tries":30,"who":"x/y"}', "object"),
        ("deep", "contains", "x/y", "object"),
        ("list", "=", '["a","b"]', "object"),
        ("half", "=", "0.5", "object"),
        ("yes", "=", "true", "object"),
        ("no", "is set", "", "object"),
        ("no", "=", "null", "object"),
        ("metadata", "=", "a word", "word"),
        ("metadata", "=", "quoted", "quoted"),
        ("metadata", "=", "own", "look"),
        ("metadata", "is set", "", "odd quoted word look"),
        ("metadata", "is not set", "", "none object"),
        ("", "is set", "", ""),
    ],
)
def test_metadata_are_compared_exactly(api, key, operator, value, found):
    store.insert(
        scores=[
            score(api.project_id, score_id, second, session_id="s", value=1.0, metadata=text)
            for second, (score_id, text) in enumerate(TEXTS.items())
        ]
    )
    item = {"type": "stringObject", "column": "metadata", "key": key, "operator": operator, "value": value}
    assert api.ids("v2/scores", filter=[item]) == found.split()


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ({"type": "string", "column": "authorUserId", "operator": "=", "value": "u"}, "s"),
        ({"type": "null", "column": "authorUserId", "operator": "is not null", "value": ""}, "s"),
        ({"type": "stringOptions", "column": "source", "operator": "none of", "value": ["API"]}, "s"),
        ({"type": "boolean", "column": "booleanValue", "operator": "=", "value": True}, "b"),
        ({"type": "number", "column": "value", "operator": ">", "value": 1}, "rs"),
        ({"type": "string", "column": "comment", "operator": "=", "value": "c"}, "n"),
        ({"type": "string", "column": "stringValue", "operator": "contains", "value": "oo"}, "c"),
        ({"type": "stringOptions", "column": "traceName", "operator": "any of", "value": ["search"]}, "x"),
        ({"type": "arrayOptions", "column": "tags", "operator": "all of", "value": ["a", "b"]}, "kcbn"),
        ({"type": "stringOptions", "column": "evaluatorId", "operator": "any of", "value": ["judge"]}, "e"),
        ({"type": "string", "column": "Evaluator ID", "operator": "starts with", "value": "ju"}, "e"),
        ({"type": "stringOptions", "column": "evaluatorId", "operator": "none of", "value": ["judge"]}, "rskxcbn"),
        ({"type": "null", "column": "evaluatorId", "operator": "is null", "value": ""}, "rskxcbn"),
    ],
)
def test_columns_of_the_filter(filled, item, found):
    metadata = '{"evaluator_id":"judge"}'
    judged = score(filled.project_id, "e", -1, session_id="s2", name="judged", data_type="TEXT", metadata=metadata)
    store.insert(scores=[judged])
    assert filled.ids("v2/scores", filter=[item]) == list(found)
