import copy
import json

import pytest

from tests.tracing.otlp_requests import JSON, PROTOBUF, as_json, as_protobuf, request, span
from tracing.ingest import otlp
from tracing.ingest.model import PayloadRejected


def refusal(body, content_type=JSON):
    with pytest.raises(PayloadRejected) as caught:
        otlp.check(body, content_type)
    assert caught.value.status == 400
    assert caught.value.body.keys() == {"error"}
    return caught.value.body["error"]


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/protobuf"])
def test_other_content_types_are_refused(content_type):
    assert refusal(b"{}", content_type) == "Invalid content type"


@pytest.mark.parametrize("content_type", [JSON, "Application/JSON; charset=utf-8"])
def test_json_content_type_is_found_anywhere_and_in_any_case(content_type):
    otlp.check(as_json(request(span())), content_type)


def test_protobuf_content_type_is_found_in_any_case():
    otlp.check(as_protobuf(request(span())), "APPLICATION/X-PROTOBUF")


@pytest.mark.parametrize("body", [b"\xff\xff", as_protobuf(request(span()))[:-3]])
def test_bytes_that_are_no_protobuf_are_refused(body):
    assert refusal(body, PROTOBUF) == "Failed to parse OTel Protobuf Trace"


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b'{"a": NaN, "b": "\\u0000"}', b"[" * 5000, b'"x"', b"5", b"null"])
def test_text_that_is_no_json_object_is_refused(body):
    assert refusal(body) == "Failed to parse OTel JSON Trace"


@pytest.mark.parametrize("document", [{}, [], {"resourceSpans": {}}, {"resourceSpans": []}, {"resourceSpans": None}])
def test_nothing_to_do_is_taken(document):
    otlp.check(as_json(document), JSON)


def test_empty_protobuf_is_taken():
    otlp.check(b"", PROTOBUF)


@pytest.mark.parametrize("identity", ["abc", [1, 2, 255], {"type": "Buffer", "data": [1, 2]}])
def test_each_form_of_an_id_is_taken(identity):
    otlp.check(as_json(request(span(traceId=identity, spanId=identity, parentSpanId=identity))), JSON)


@pytest.mark.parametrize("parent", ["", None, [], 0])
def test_an_empty_parent_is_no_parent(parent):
    otlp.check(as_json(request(span(parentSpanId=parent))), JSON)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"traceId": None}, "traceId:absent"),
        ({"traceId": ""}, "traceId:absent"),
        ({"spanId": []}, "spanId:absent"),
        ({"spanId": 12}, "spanId:not_an_id"),
        ({"traceId": {"a": 1}}, "traceId:not_an_id"),
        ({"traceId": [1, 900]}, "traceId:not_an_id"),
        ({"parentSpanId": 5}, "parentSpanId:not_an_id"),
        ({"attributes": {"a": 1}}, "attributes:not_an_array"),
        ({"attributes": "x"}, "attributes:not_an_array"),
        ({"events": {"a": 1}}, "events:not_an_array"),
        ({"events": [{"attributes": {"a": 1}}]}, "event.attributes:not_an_array"),
    ],
)
def test_one_defect_refuses_the_export_and_is_named(change, reason):
    bad = span() | {"events": []} | change
    message = refusal(as_json(request(span(), bad, scope="my-lib")))
    assert "1 of 2 span(s)" in message
    assert reason in message
    assert "entire export" in message
    assert "my-lib" in message
    assert "not logs" in message


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (["resourceSpans"], "resourceSpans:not_an_array"),
        (["resourceSpans", 0], "resourceSpans:not_an_object"),
        (["resourceSpans", 0, "resource"], "resource:not_an_object"),
        (["resourceSpans", 0, "resource", "attributes"], "resource.attributes:not_an_array"),
        (["resourceSpans", 0, "scopeSpans"], "scopeSpans:not_an_array"),
        (["resourceSpans", 0, "scopeSpans", 0], "scopeSpans:not_an_object"),
        (["resourceSpans", 0, "scopeSpans", 0, "scope"], "scope:not_an_object"),
        (["resourceSpans", 0, "scopeSpans", 0, "scope", "attributes"], "scope.attributes:not_an_array"),
        (["resourceSpans", 0, "scopeSpans", 0, "spans"], "spans:not_an_array"),
        (["resourceSpans", 0, "scopeSpans", 0, "spans", 0], "spans:not_an_object"),
    ],
)
@pytest.mark.parametrize("odd", ["text", 7, True])
def test_odd_structures_are_refused_by_name(path, reason, odd):
    document = copy.deepcopy(request(span()))
    node = document
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = odd
    assert reason in refusal(as_json(document))


def test_protobuf_spans_without_ids_are_counted():
    bad = span()
    bad.pop("spanId")
    message = refusal(as_protobuf(request(span(), bad, bad, scope="my-lib")), PROTOBUF)
    assert message.startswith("2 of 3 span(s)")
    assert "spanId:absent (2)" in message
    assert "my-lib" in message


def test_at_most_five_scopes_are_named():
    document = {
        "resourceSpans": [request(span(spanId=""), scope=f"lib-{number}")["resourceSpans"][0] for number in range(9)]
    }
    message = refusal(as_json(document))
    assert "lib-4" in message
    assert "lib-5" not in message


def test_half_a_surrogate_pair_is_taken():
    otlp.check(json.dumps(request(span(name="cut \ud83d"))).encode(), JSON)
