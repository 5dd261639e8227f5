"""The batches of older SDKs: what is answered to good, bad and mixed ones, to the letter."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from tests.contract.harness import Case, check
from tests.factories import basic, make_key, make_organization
from tests.tracing.api_data import make_api
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tracing.ingest import drain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker", "analytics_server")]

TIME = "2026-04-30T12:00:00.000Z"
INVALID = "Invalid request data"
EMPTY = {"successes": [], "errors": []}
POST = "POST ingestion"


@pytest.fixture
def api(own_inbox):  # noqa: F811 - the fixture
    return make_api()


def event(type_="trace-create", id_="e", **body):
    return {"id": id_, "type": type_, "timestamp": TIME, "body": {"id": "b", **body}}


def batch(*events, **more):
    return {"batch": list(events), **more}


def taken(*ids):
    return {"successes": [{"id": each, "status": 201} for each in ids], "errors": []}


def refused(id_, *issues):
    error = {"id": id_, "status": 400, "message": INVALID, "error": json.dumps(issues, indent=2)}
    return {"successes": [], "errors": [error]}


def wrong_type(expected, received, *path):
    message = f"Invalid input: expected {expected}, received {received}"
    return {"expected": expected, "code": "invalid_type", "path": list(path), "message": message}


def no_batch(expected, received):
    return {"message": INVALID, "errors": [f"Invalid input: expected {expected}, received {received}"]}


def no_json(reason):
    return {"message": f"Invalid JSON: {reason}", "error": "InvalidRequestError"}


NO_EVENT = {
    "code": "invalid_type",
    "expected": "object",
    "path": [],
    "message": "Invalid input: expected object, received null",
}
NO_TYPE = {
    "code": "invalid_union",
    "errors": [],
    "note": "No matching discriminator",
    "discriminator": "type",
    "path": ["type"],
    "message": "Invalid input",
}
WITHOUT_TYPE = {"id": "e", "timestamp": TIME, "body": {}}
WITHOUT_ID = {"type": "trace-create", "timestamp": TIME, "body": {}}
WITHOUT_BODY = {"id": "e", "type": "span-create", "timestamp": TIME}
KINDS = ["agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail"]

CASES = [
    Case("empty batch", POST, 207, EMPTY, body=batch()),
    Case("trace", POST, 207, taken("e"), body=batch(event())),
    Case("envelope of the Python SDK", POST, 207, taken("e"), body=batch(event(), metadata={"batch_size": 1})),
    Case("envelope of no sense", POST, 207, taken("e"), body=batch(event(), metadata="x", other=[1])),
    Case("log", POST, 207, EMPTY, body=batch(event("sdk-log"))),
    *[Case(f"a new {kind}", POST, 207, taken("e"), body=batch(event(f"{kind}-create"))) for kind in KINDS],
    Case(
        "updates come last",
        POST,
        207,
        taken("c", "u"),
        body=batch(event("span-update", "u"), event("span-create", "c")),
    ),
    Case("without batch", POST, 400, no_batch("array", "undefined"), body={}),
    Case("without a body", POST, 400, no_json("Input is a zero-length, empty document: line 1 column 1 (char 0)")),
    Case("batch is null", POST, 400, no_batch("array", "null"), body={"batch": None}),
    Case("batch is an object", POST, 400, no_batch("array", "object"), body={"batch": {}}),
    Case("body is a list", POST, 400, no_batch("object", "array"), body=[event()]),
    Case("body is a text", POST, 400, no_batch("object", "string"), body="batch"),
    Case("body is null", POST, 400, no_batch("object", "null"), body=b"null"),
    Case("event is null", POST, 207, refused("unknown", NO_EVENT), body=batch(None)),
    Case("unknown type", POST, 207, refused("e", NO_TYPE), body=batch(event("nonsense-create"))),
    Case("type is a list", POST, 207, refused("e", NO_TYPE), body=batch(event(["trace-create"]))),
    Case("without type", POST, 207, refused("e", NO_TYPE), body=batch(WITHOUT_TYPE)),
    Case("without id", POST, 207, refused("unknown", wrong_type("string", "undefined", "id")), body=batch(WITHOUT_ID)),
    Case(
        "without event body",
        POST,
        207,
        refused("e", wrong_type("object", "undefined", "body")),
        body=batch(WITHOUT_BODY),
    ),
    Case(
        "name is a number",
        POST,
        207,
        refused("e", wrong_type("string", "number", "body", "name")),
        body=batch(event(name=5)),
    ),
    Case(
        "a good one beside a bad one",
        POST,
        207,
        {**refused("x", NO_TYPE), "successes": [{"id": "e", "status": 201}]},
        body=batch(event("x", "x"), event()),
    ),
    Case("verb GET", "GET ingestion", 405, {"message": "Method not allowed", "error": "MethodNotAllowedError"}),
    Case(
        "verb PUT", "PUT ingestion", 405, {"message": "Method not allowed", "error": "MethodNotAllowedError"}, body={}
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_batch(api, case):
    check(api, case)


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b'{"batch": [NaN]}', b'{"batch": "\xed\xa0\x80"}', b"[" * 5000, b"<html>", b"batch=1", b"{}{}"],
    ids=["half", "UTF-16", "NaN", "broken UTF-8", "too deep", "HTML", "form", "two documents"],
)
def test_what_is_no_json_is_told_so(api, own_inbox, body):  # noqa: F811
    answer = api("POST", "ingestion", body)
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequestError")
    assert answer.json()["message"].startswith("Invalid JSON: ")
    assert list(own_inbox.keys()) == []


def as_json(name, metadata=b"1"):
    head = b'{"id":"e","type":"trace-create","timestamp":"%s","body":{"id":"odd","name":"' % TIME.encode()
    return b'{"batch":[' + head + name + b'","metadata":' + metadata + b"}}]}"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"\xef\xbb\xbf" + as_json(b"marked"), "marked"),
        (as_json(b"half \\ud83d"), "half \N{REPLACEMENT CHARACTER}"),
        (as_json(b"nul \\u0000."), "nul \x00."),
        (as_json(b'first","name":"last'), "last"),
        (b" \r\n" + as_json("naïve 😀".encode()) + b"\n", "naïve 😀"),
    ],
    ids=["byte order mark", "half a pair", "NUL", "a name twice", "white space and emoji"],
)
def test_odd_json_is_taken_and_stored(api, body, name):
    answer = api("POST", "ingestion", body)
    assert (answer.status_code, answer.json()) == (207, taken("e"))
    drain.drain()
    assert api.get("traces/odd")["name"] == name


def test_other_keys_send_scores_alone_or_nothing(api):
    public_key = base64.b64decode(api.authorization.split()[1]).decode().split(":")[0]
    browser = replace(api, authorization=f"Bearer {public_key}")
    score = event("score-create", "s", traceId="t", name="n", value=1)
    denied = {"id": "e", "status": 401, "message": "Authentication error", "error": "Access Scope Denied"}
    answer = {"successes": [{"id": "s", "status": 201}], "errors": [denied]}
    check(browser, Case("", POST, 207, answer, body=batch(event(), score)))
    organization = replace(api, authorization=basic(make_key(make_organization())))
    message = "Project ID not found for API token. Are you using an organization key?"
    check(organization, Case("", POST, 403, {"message": message, "error": "ForbiddenError"}, body=batch(event())))


def test_too_large_a_batch_is_refused_in_json(api, settings):
    settings.INGESTION_MAX_BYTES = 1000
    message = "The body is larger than 1,000 bytes. Send smaller batches."
    check(api, Case("", POST, 413, {"message": message, "error": "PayloadTooLargeError"}, body=b" " * 1001))
