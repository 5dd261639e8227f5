"""Media: announced, put, reported, read; refused; and the bytes themselves, whole and in part."""

from __future__ import annotations

from unittest.mock import ANY
from urllib.parse import urlsplit

import pytest
from django.test import Client

from tests.contract.harness import Case, check
from tests.tracing.api_data import make_api
from tracing.models.media import ContentType, MediaLink

pytestmark = pytest.mark.django_db
#: the bytes `abc`, as in the recorded traffic of the SDK
HASH, MEDIA_ID = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", "ungWv48Bz-pBQUDeXa4iI7"
GIVEN = {
    "traceId": "t1",
    "observationId": None,
    "datasetId": None,
    "datasetItemId": None,
    "field": "input",
    "contentType": "image/png",
    "contentLength": 3,
    "sha256Hash": HASH,
}
ITEM = {"traceId": None, "datasetId": "d", "datasetItemId": "i"}
REPORT = {"uploadedAt": "2026-03-02T10:00:00.000000+00:00", "uploadHttpStatus": 200, "uploadHttpError": None}
ANNOUNCED = {"mediaId": MEDIA_ID, "uploadUrl": ANY}
NOT_FOUND = {"message": "Media asset not found", "error": "LangfuseNotFoundError"}
NOT_YET = {"message": "Media not yet uploaded", "error": "LangfuseNotFoundError"}
NOT_ALLOWED = {"message": "Method not allowed", "error": "MethodNotAllowedError"}
DONE = {"message": "OK"}


@pytest.fixture
def api(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "config.folders.Folder", "OPTIONS": {"location": str(tmp_path)}},
    }
    return make_api()


def given(**values):
    return {**GIVEN, **values}


def reported(**values):
    return {**REPORT, **values}


def refused(*issues):
    return {"message": "Invalid request data", "error": list(issues)}


def custom(message, *path):
    return {"code": "custom", "path": list(path), "message": message}


def wrong_type(expected, received, *path):
    message = f"Invalid input: expected {expected}, received {received}"
    return {"expected": expected, "code": "invalid_type", "path": list(path), "message": message}


TYPE = refused(custom("Invalid option: expected one of the supported media types", "contentType"))
LENGTH = refused(custom("Invalid input: expected a positive integer", "contentLength"))
DIGEST = refused(custom("Invalid input: expected the base64 of a SHA-256 (44 characters)", "sha256Hash"))
PLACE = refused(custom("Give either traceId (and observationId) or datasetId and datasetItemId", "traceId"))
TRACE_FIELD = refused(custom("Invalid option: expected one of input|output|metadata", "field"))
ITEM_FIELD = refused(custom("Invalid option: expected one of input|expectedOutput|metadata", "field"))
ACCEPTED = [
    ("of a trace", given()),
    ("absent instead of null", {key: value for key, value in GIVEN.items() if value is not None}),
    ("of an observation", given(observationId="o1", field="output")),
    ("of metadata", given(field="metadata")),
    ("of an item", given(**ITEM)),
    ("of an item's expected output", given(**ITEM, field="expectedOutput")),
    ("with unknown fields", given(more=1)),
]
REFUSED = [
    ("no object", [], refused(custom("Invalid input: expected object"))),
    ("no JSON", b"{", {"message": "Invalid JSON", "error": "InvalidRequestError"}),
    ("nothing", {}, TYPE),
    ("an unknown type", given(contentType="application/x-evil"), TYPE),
    ("a type that is no text", given(contentType=["image/png"]), TYPE),
    ("no length", given(contentLength=None), LENGTH),
    ("a length of nothing", given(contentLength=0), LENGTH),
    ("a length as text", given(contentLength="3"), LENGTH),
    ("half a byte", given(contentLength=1.5), LENGTH),
    ("a truth value as length", given(contentLength=True), LENGTH),
    (
        "too large",
        given(contentLength=1_000_000_001),
        {"message": "File size must be less than 1000000000 bytes", "error": "InvalidRequestError"},
    ),
    ("no hash", given(sha256Hash=None), DIGEST),
    ("a short hash", given(sha256Hash="abc"), DIGEST),
    ("a hash in hex", given(sha256Hash="ba7816bf8f01cfea414140de5dae2223b00361a39617"), DIGEST),
    ("a hash in the other alphabet", given(sha256Hash=HASH.replace("+", "-")), DIGEST),
    ("no place", given(traceId=None), PLACE),
    ("an empty trace id", given(traceId=""), PLACE),
    ("two places", given(**ITEM | {"traceId": "t1"}), PLACE),
    ("half an item", given(traceId=None, datasetId="d"), PLACE),
    ("an observation of an item", given(**ITEM, observationId="o"), PLACE),
    (
        "an id that is no text",
        given(traceId=3),
        refused(custom("Invalid input: expected string", "traceId")),
    ),
    ("an id too long", given(traceId="t" * 801), refused(custom("Invalid input: expected string", "traceId"))),
    ("no field", given(field=None), TRACE_FIELD),
    ("an item's field on a trace", given(field="expectedOutput"), TRACE_FIELD),
    ("a trace's field on an item", given(**ITEM, field="output"), ITEM_FIELD),
]
BAD_REPORTS = [
    ("no object", [], refused(wrong_type("object", "array"))),
    (
        "nothing",
        {},
        refused(wrong_type("string", "undefined", "uploadedAt"), wrong_type("number", "undefined", "uploadHttpStatus")),
    ),
    ("no time", reported(uploadedAt="soon"), refused(custom("Invalid ISO datetime", "uploadedAt"))),
    ("a time as a number", reported(uploadedAt=5), refused(wrong_type("string", "number", "uploadedAt"))),
    ("a status as text", reported(uploadHttpStatus="200"), refused(wrong_type("number", "string", "uploadHttpStatus"))),
    (
        "no status at all",
        reported(uploadHttpStatus=1000),
        refused(custom("Invalid input: expected the status of an HTTP answer", "uploadHttpStatus")),
    ),
    (
        "an error that is no text",
        reported(uploadHttpError=[]),
        refused(wrong_type("string", "array", "uploadHttpError")),
    ),
]
READS = [
    Case("unknown media", "GET media/nobody", 404, NOT_FOUND),
    Case("a report on unknown media", "PATCH media/nobody", 404, NOT_FOUND, body=REPORT),
    Case("the list", "GET media", 405, NOT_ALLOWED),
    Case("deleting", f"DELETE media/{MEDIA_ID}", 405, NOT_ALLOWED),
]


@pytest.mark.parametrize("body", [case[1] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_accepted(api, body):
    check(api, Case("post", "POST media", 201, ANNOUNCED, body=body))
    check(api, Case("again", "POST media", 201, ANNOUNCED, body=body))
    link = MediaLink.objects.get()
    names = {"traceId": "trace_id", "observationId": "observation_id", "datasetId": "dataset_id", "field": "field"}
    assert {name: getattr(link, column) for name, column in names.items()} == {
        name: body.get(name) or "" for name in names
    }
    check(api, Case("read", f"GET media/{MEDIA_ID}", 404, NOT_YET))


@pytest.mark.parametrize("content_type", ContentType.values)
def test_every_type_is_accepted(api, content_type):
    check(api, Case("post", "POST media", 201, ANNOUNCED, body=given(contentType=content_type)))


@pytest.mark.parametrize(("body", "answer"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(api, body, answer):
    check(api, Case("post", "POST media", 400, answer, body=body))
    assert not MediaLink.objects.exists()


@pytest.mark.parametrize(("body", "answer"), [case[1:] for case in BAD_REPORTS], ids=[case[0] for case in BAD_REPORTS])
def test_bad_reports(api, body, answer):
    check(api, Case("post", "POST media", 201, ANNOUNCED, body=GIVEN))
    check(api, Case("patch", f"PATCH media/{MEDIA_ID}", 400, answer, body=body))


@pytest.mark.parametrize("case", READS, ids=str)
def test_reads(api, case):
    check(api, case)


def test_the_whole_way(api):
    url = check(api, Case("post", "POST media", 201, ANNOUNCED, body=GIVEN))["uploadUrl"]
    report = reported(uploadHttpStatus=500, uploadHttpError="broken")
    check(api, Case("failed", f"PATCH media/{MEDIA_ID}", 200, DONE, body=report))
    failed = {"message": "Media upload failed with status 500: broken", "error": "LangfuseNotFoundError"}
    check(api, Case("read", f"GET media/{MEDIA_ID}", 404, failed))
    assert put(url).status_code == 200
    check(api, Case("done", f"PATCH media/{MEDIA_ID}", 200, DONE, body=REPORT))
    item = {
        "mediaId": MEDIA_ID,
        "contentType": "image/png",
        "contentLength": 3,
        "uploadedAt": ANY,
        "url": ANY,
        "urlExpiry": ANY,
    }
    check(api, Case("read", f"GET media/{MEDIA_ID}", 200, item))
    check(api, Case("again", "POST media", 201, {"mediaId": MEDIA_ID, "uploadUrl": None}, body=given(contentLength=99)))
    other = given(contentType="image/webp", contentLength=99)
    check(api, Case("as another type", "POST media", 201, {"mediaId": MEDIA_ID, "uploadUrl": None}, body=other))
    check(api, Case("read", f"GET media/{MEDIA_ID}", 200, {**item, "contentType": "image/webp"}))
    check(make_api(name="Other"), Case("a stranger", f"GET media/{MEDIA_ID}", 404, NOT_FOUND))


def put(url):
    headers = {"x-amz-checksum-sha256": HASH, "x-ms-blob-type": "BlockBlob"}
    return Client().put(urlsplit(url).path, b"abc", content_type="image/png", headers=headers)


RANGES = [
    (None, 200, b"abc", None),
    ("bytes=0-", 206, b"abc", "bytes 0-2/3"),
    ("bytes=1-1", 206, b"b", "bytes 1-1/3"),
    ("bytes=1-99", 206, b"bc", "bytes 1-2/3"),
    ("bytes=-1", 206, b"c", "bytes 2-2/3"),
    ("bytes=-99", 206, b"abc", "bytes 0-2/3"),
    ("bytes=3-", 416, b"", "bytes */3"),
    ("bytes=-0", 416, b"", "bytes */3"),
    ("bytes=2-1", 200, b"abc", None),
    ("bytes=0-0,2-2", 200, b"abc", None),
    ("bytes=-", 200, b"abc", None),
    ("lines=1-2", 200, b"abc", None),
]


@pytest.mark.parametrize(("wanted", "status", "body", "content_range"), RANGES, ids=[str(case[0]) for case in RANGES])
def test_parts_of_a_file(api, wanted, status, body, content_range):
    put(api("POST", "media", given(contentType="video/mp4")).json()["uploadUrl"])
    path = urlsplit(api.get(f"media/{MEDIA_ID}")["url"]).path
    answer = Client().get(path, headers={"Range": wanted} if wanted else {})
    assert answer.status_code == status
    assert answer.get("Content-Range") == content_range
    assert (b"".join(answer.streaming_content) if answer.streaming else answer.content) == body
    assert answer["Access-Control-Allow-Origin"] == "*"
    if status != 416:
        assert (answer["Content-Length"], answer["Accept-Ranges"]) == (str(len(body)), "bytes")
        assert answer["Content-Type"] == "video/mp4"


def test_head_tells_the_size(api):
    put(api("POST", "media", GIVEN).json()["uploadUrl"])
    answer = Client().head(urlsplit(api.get(f"media/{MEDIA_ID}")["url"]).path)
    assert (answer.status_code, answer["Content-Length"], answer["Content-Type"]) == (200, "3", "image/png")


def test_a_browser_may_put_and_get(api):
    path = urlsplit(api("POST", "media", GIVEN).json()["uploadUrl"]).path
    wanted = "content-type,x-amz-checksum-sha256"
    asked = {"Origin": "https://app.example.com", "Access-Control-Request-Headers": wanted}
    answer = Client().options(path, headers=asked)
    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Headers"] == wanted
    assert {"GET", "PUT"} <= set(answer["Access-Control-Allow-Methods"].split(", "))


@pytest.mark.parametrize("given", ["traces.example", "traces.example, inner", "traces.example:8443 , a, b"])
def test_addresses_are_those_of_the_first_of_several_proxies(api, given):
    headers = {"Authorization": api.authorization, "X-Forwarded-Host": given, "X-Forwarded-Proto": "https, http"}
    answer = Client().post("/api/public/media", GIVEN, content_type="application/json", headers=headers)
    host = given.partition(",")[0].strip()
    assert answer.json()["uploadUrl"].startswith(f"https://{host}/api/public/media/content/")
