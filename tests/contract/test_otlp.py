"""Exports of OpenTelemetry: content types, forms and refusals, to the letter."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.contract.harness import check_documented
from tests.tracing.api_data import make_api
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tests.tracing.otlp_requests import as_json, as_protobuf, request, span
from tracing.ingest import drain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker", "analytics_server")]

JSON, PROTOBUF = "application/json", "application/x-protobuf"
WHOLE = request(span())
NO_JSON = {"error": "Failed to parse OTel JSON Trace"}
NO_PROTOBUF = {"error": "Failed to parse OTel Protobuf Trace"}
NO_TYPE = {"error": "Invalid content type"}
NOT_GZIP = {"error": "Failed to decompress request body"}


@pytest.fixture
def api(own_inbox):  # noqa: F811 - the fixture
    return make_api()


def export(api, body, content_type=JSON, path="traces", **headers):
    return Client().post(
        f"/api/public/otel/v1/{path}",
        body,
        content_type=content_type,
        headers={"Authorization": api.authorization, "Content-Type": content_type, **headers},
    )


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (as_json(WHOLE), JSON),
        (as_json(WHOLE), "application/json; charset=utf-8"),
        (as_json(WHOLE), "Application/JSON;charset=UTF-8"),
        (b"\xef\xbb\xbf" + as_json(WHOLE), JSON),
        (as_protobuf(WHOLE), PROTOBUF),
        (as_protobuf(WHOLE), "application/x-protobuf; charset=utf-8"),
        (as_protobuf(WHOLE), "APPLICATION/X-PROTOBUF"),
    ],
    ids=[
        "JSON",
        "JSON with charset",
        "JSON in capitals",
        "JSON with a mark",
        "protobuf",
        "with charset",
        "in capitals",
    ],
)
def test_export_is_taken_and_stored(api, body, content_type):
    answer = export(api, body, content_type)
    assert (answer.status_code, answer.json(), answer["Content-Type"]) == (200, {}, JSON)
    check_documented("POST", answer)
    drain.drain()
    [trace] = api.get("traces")["data"]
    assert len(trace["observations"]) == 1


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"{}", JSON), (b"[]", JSON), (b'{"resourceSpans":{}}', JSON), (b'{"resourceSpans":[]}', JSON), (b"", PROTOBUF)],
)
def test_nothing_to_do_is_fine(api, body, content_type):
    answer = export(api, body, content_type)
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize(
    ("body", "content_type", "answer"),
    [
        (b"", JSON, NO_JSON),
        (b"{", JSON, NO_JSON),
        (b"null", JSON, NO_JSON),
        (b'"x"', JSON, NO_JSON),
        (b"[" * 5000, JSON, NO_JSON),
        (b'{"resourceSpans": NaN}', JSON, NO_JSON),
        (b'{"resourceSpans": "\xff"}', JSON, NO_JSON),
        (as_protobuf(WHOLE), JSON, NO_JSON),
        (as_json(WHOLE), PROTOBUF, NO_PROTOBUF),
        (as_protobuf(WHOLE)[:-3], PROTOBUF, NO_PROTOBUF),
        (as_json(WHOLE), "text/plain", NO_TYPE),
        (as_json(WHOLE), "application/x-www-form-urlencoded", NO_TYPE),
        (as_json(WHOLE), "multipart/form-data; boundary=x", NO_TYPE),
        (as_json(WHOLE), "nonsense", NO_TYPE),
        (as_json(WHOLE), "", NO_TYPE),
    ],
)
def test_export_that_cannot_be_read_is_refused(api, own_inbox, body, content_type, answer):  # noqa: F811
    refused = export(api, body, content_type)
    assert (refused.status_code, refused.json(), refused["Content-Type"]) == (400, answer, JSON)
    check_documented("POST", refused)
    assert list(own_inbox.keys()) == []


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "deflate"])
def test_what_is_not_compressed_is_told_so(api, coding):
    refused = export(api, as_json(WHOLE), **{"Content-Encoding": coding})
    assert (refused.status_code, refused.json()) == (400, NOT_GZIP)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip"])
def test_other_compressions_are_told_so(api, coding):
    refused = export(api, as_json(WHOLE), **{"Content-Encoding": coding})
    message = f'Content-Encoding "{coding}" is not supported. Use gzip or deflate, or do not compress.'
    assert (refused.status_code, refused.json()) == (415, {"message": message, "error": "UnsupportedMediaTypeError"})


def test_one_bad_span_refuses_the_export(api, own_inbox):  # noqa: F811
    refused = export(api, as_json(request(span(), span(traceId=""))))
    assert refused.status_code == 400
    assert refused.json() == {
        "error": "1 of 2 span(s) cannot be read: traceId:absent (1). Hint: each span needs a traceId. "
        "The entire export was rejected. Instrumentation scopes: tests. This endpoint takes OTLP traces only, not logs."
    }
    assert list(own_inbox.keys()) == []


def test_too_large_an_export_is_refused_in_json(api, settings):
    settings.OTLP_MAX_BYTES = 100
    refused = export(api, as_json(WHOLE))
    message = "The body is larger than 100 bytes. Send smaller batches."
    assert (refused.status_code, refused.json()) == (413, {"message": message, "error": "PayloadTooLargeError"})


@pytest.mark.parametrize("body", [b"", b"{}", b"\x0a\x00"])
def test_metrics_are_taken_and_left(api, own_inbox, body):  # noqa: F811
    answer = export(api, body, PROTOBUF, "metrics")
    assert (answer.status_code, answer.json()) == (200, {"message": "OK"})
    assert list(own_inbox.keys()) == []


@pytest.mark.parametrize("path", ["logs", "profiles", ""])
def test_other_signals_are_not_here(api, path):
    answer = export(api, b"{}", JSON, path)
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found", "error": "LangfuseNotFoundError"})


def test_one_answers_for_the_verbs_that_are_not(api):
    for path in ("traces", "metrics"):
        answer = Client().get(f"/api/public/otel/v1/{path}")
        assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")
