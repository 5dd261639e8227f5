import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.tracing.otlp_requests import (
    JSON,
    NOW,
    PROTOBUF,
    ROOT_ID,
    START_NS,
    TRACE_ID,
    as_json,
    as_protobuf,
    decode,
    decode_one,
    envelope,
    pairs,
    request,
    span,
)
from tracing.analytics.records import PREVIEW_CHARACTERS
from tracing.ingest import otlp
from tracing.ingest.otlp import types

START = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


def with_value(otlp_value):
    entry = span()
    entry["attributes"] = [{"key": "a", "value": otlp_value}]
    return decode(request(entry)).observations[0].metadata.get("attributes.a")


# Ids and times


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("ABC", "ABC"),
        ("q83vEjRWeJA=", "q83vEjRWeJA="),
        ([171, 205], "abcd"),
        ({"type": "Buffer", "data": [0, 255]}, "00ff"),
    ],
)
def test_ids_are_kept_as_sent_and_bytes_become_hex(sent, stored):
    observation = decode_one(traceId=sent, spanId=sent, parentSpanId=sent)
    assert (observation.trace_id, observation.id, observation.parent_id) == (stored,) * 3


def test_protobuf_ids_are_hex():
    decoded = otlp.decode(as_protobuf(request(span(parentSpanId="00ff00ff00ff00ff"))), envelope(PROTOBUF))
    observation = decoded.observations[0]
    assert (observation.trace_id, observation.id, observation.parent_id) == (TRACE_ID, ROOT_ID, "00ff00ff00ff00ff")


@pytest.mark.parametrize(
    "sent",
    [str(START_NS), START_NS, float(START_NS), {"low": START_NS & 0xFFFFFFFF, "high": START_NS >> 32}],
)
def test_each_form_of_a_time_is_read(sent):
    assert decode_one(startTimeUnixNano=sent).start_time == START


def test_a_signed_low_half_is_read():
    time = START_NS + 0x80000000 - (START_NS & 0xFFFFFFFF) + 5
    low = (time & 0xFFFFFFFF) - 2**32
    expected = START + timedelta(microseconds=(time - START_NS) // 1000)
    assert decode_one(startTimeUnixNano={"low": low, "high": time >> 32}).start_time == expected


def test_microseconds_are_kept():
    observation = decode_one(startTimeUnixNano=str(START_NS + 1_234_567), endTimeUnixNano=str(START_NS + 2_234_999))
    assert observation.start_time.microsecond == 1_234
    assert observation.latency_us == 1_000


@pytest.mark.parametrize("missing", [None, "", "soon", 0, "0", {}, [], True, -5, 10**30])
def test_a_missing_time_is_that_of_the_other_end(missing):
    assert decode_one(startTimeUnixNano=missing, endTimeUnixNano=str(START_NS)).start_time == START
    assert decode_one(startTimeUnixNano=str(START_NS), endTimeUnixNano=missing).end_time == START


def test_without_any_time_it_is_now():
    observation = decode_one(startTimeUnixNano=None, endTimeUnixNano=None)
    assert (observation.start_time, observation.end_time, observation.latency_us) == (NOW, NOW, 0)


def test_an_end_before_the_start_is_kept():
    assert decode_one(endTimeUnixNano=str(START_NS - 1_000_000)).latency_us == -1_000


def test_an_event_has_no_end():
    observation = decode_one({"langfuse.observation.type": "event"})
    assert (observation.end_time, observation.latency_us) == (None, None)


# Values


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"stringValue": "x"}, "x"),
        ({"stringValue": ""}, ""),
        ({"intValue": "-5"}, "-5"),
        ({"intValue": 7}, "7"),
        ({"intValue": "9007199254740993"}, "9007199254740993"),
        ({"intValue": {"low": 3, "high": 1}}, "4294967299"),
        ({"intValue": "x"}, '{"intValue":"x"}'),
        ({"doubleValue": 0.5}, "0.5"),
        ({"doubleValue": 2}, "2"),
        ({"doubleValue": "1.5"}, "1.5"),
        ({"doubleValue": "NaN"}, "NaN"),
        ({"boolValue": False}, "false"),
        ({"arrayValue": {"values": [{"intValue": "1"}, {"arrayValue": {}}]}}, "[1,[]]"),
        ({"arrayValue": {"values": "x"}}, "[]"),
        ({"kvlistValue": {"values": []}}, '{"kvlistValue":{"values":[]}}'),
        ({"bytesValue": "AAE="}, '{"bytesValue":"AAE="}'),
        ({}, "{}"),
        (None, "{}"),
        ([1], "[1]"),
    ],
)
def test_each_kind_of_value(sent, stored):
    assert with_value(sent) == stored


@pytest.mark.parametrize("plain", [None, True, 3, 0.5, 2.0, "t", [1, "x", [True]], {"a": {"b": [1, 2.5]}}])
def test_values_are_equal_in_both_encodings(plain):
    document = request(span({"a": plain, "b": {"c": plain}}))
    from_json = otlp.decode(as_json(document), envelope(JSON))
    assert otlp.decode(as_protobuf(document), envelope(PROTOBUF)) == from_json


def test_what_is_no_number_has_a_name_in_both_encodings():
    for sent in ("NaN", "Infinity", "-Infinity"):
        entry = span()
        entry["attributes"] = [{"key": "a", "value": {"doubleValue": sent}}]
        decoded = otlp.decode(as_protobuf(request(entry)), envelope(PROTOBUF))
        assert decoded.observations[0].metadata["attributes.a"] == sent == with_value({"doubleValue": sent})


def test_of_two_values_of_one_name_the_last_counts():
    entry = span()
    entry["attributes"] = pairs({"user.id": "first"}) + pairs({"user.id": "last"})
    assert decode(request(entry)).observations[0].user_id == "last"


def test_odd_attributes_are_left_out():
    entry = span({"a": "b"})
    entry["attributes"] += [None, 5, {"value": {"stringValue": "x"}}, {"key": 5, "value": {}}]
    assert decode(request(entry)).observations[0].metadata["attributes.a"] == "b"


# Type, name, level


@pytest.mark.parametrize("sent", [kind.lower() for kind in types.ObservationType])
def test_langfuse_types(sent):
    assert decode_one({"langfuse.observation.type": sent}).type == sent.upper()


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"langfuse.observation.type": "GENERATION"}, "SPAN"),
        ({"langfuse.observation.type": "banana", "openinference.span.kind": "TOOL"}, "TOOL"),
        ({"langfuse.observation.type": "chain", "openinference.span.kind": "TOOL"}, "CHAIN"),
        ({"openinference.span.kind": "llm"}, "SPAN"),
        ({"openinference.span.kind": "RERANKER", "gen_ai.operation.name": "chat"}, "GENERATION"),
        ({"gen_ai.operation.name": "create_agent"}, "AGENT"),
        ({"gen_ai.operation.name": "text_completion"}, "GENERATION"),
        ({"gen_ai.operation.name": "other", "gen_ai.tool.call.id": "c"}, "TOOL"),
        ({"genkit:metadata:subtype": "embedder"}, "EMBEDDING"),
        ({"genkit:metadata:subtype": "tool.v2"}, "TOOL"),
        ({"genkit:metadata:subtype": "background-model"}, "GENERATION"),
        ({"genkit:metadata:subtype": "retriever"}, "RETRIEVER"),
        ({"genkit:metadata:subtype": "evaluator"}, "EVALUATOR"),
        ({"operation.name": "ai.streamObject.doStream fn", "ai.model.id": "m"}, "GENERATION"),
        ({"operation.name": "ai.embedMany.doEmbed fn", "ai.model.id": "m"}, "EMBEDDING"),
        ({"ai.operationId": "ai.streamObject.doStream"}, "SPAN"),
        ({"gen_ai.tool.name": "", "gen_ai.tool.call.id": ""}, "SPAN"),
        ({"flue.tool.call_id": "c"}, "TOOL"),
        ({"flue.task.agent": "a"}, "AGENT"),
        ({"gen_ai.response.model": "m"}, "GENERATION"),
        ({"llm.model_name": "m"}, "GENERATION"),
        ({"model": ""}, "SPAN"),
        ({"langfuse.observation.type": ["span"]}, "SPAN"),
        ({}, "SPAN"),
    ],
)
def test_type_rules(attributes, expected):
    assert decode_one(attributes).type == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, "step"),
        ({"gen_ai.tool.name": "t", "genkit:name": "g"}, "t"),
        ({"gen_ai.tool.name": "", "genkit:name": "g"}, "g"),
        ({"gen_ai.tool.name": ["a"]}, '["a"]'),
        ({"logfire.msg": "m", "ai.toolCall.name": "c"}, "m"),
        ({"logfire.msg": "", "ai.toolCall.name": "c"}, "c"),
        ({"ai.operationId": "ai.x"}, "ai.x"),
        ({"ai.operationId": "ai.x", "ai.telemetry.functionId": "f"}, "f:ai.x"),
    ],
)
def test_name_rules(attributes, expected):
    assert decode_one(attributes).name == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("trace", "DEBUG"),
        ("Verbose", "DEBUG"),
        ("success", "DEFAULT"),
        (" warn ", "WARNING"),
        ("FATAL", "ERROR"),
        ("odd", "DEFAULT"),
        (5, "DEFAULT"),
    ],
)
def test_level_aliases(given, expected):
    assert decode_one({"langfuse.observation.level": given}).level == expected


def test_level_of_a_failed_span():
    assert decode_one(status={"code": 2}).level == "ERROR"
    assert decode_one({"langfuse.observation.level": "odd"}, status={"code": 2}).level == "ERROR"
    assert decode_one({"langfuse.observation.level": "info"}, status={"code": 2}).level == "DEFAULT"
    assert decode_one(status={"code": "STATUS_CODE_ERROR"}).level == "DEFAULT"


# Context


@pytest.mark.parametrize(
    ("attributes", "resource", "expected"),
    [
        ({}, {}, "default"),
        ({"langfuse.environment": "Prod"}, {}, "prod"),
        ({"langfuse.environment": "BAD ENV!"}, {}, "default"),
        ({"langfuse.environment": "langfuse-x"}, {}, "x"),
        ({}, {"deployment__environment": "old"}, "old"),
        ({}, {"deployment__environment": "old", "deployment__environment__name": "new"}, "new"),
        ({"deployment.environment": "span"}, {"langfuse__environment": "resource"}, "resource"),
        ({"deployment.environment.name": "span"}, {"deployment__environment__name": "resource"}, "span"),
        ({"langfuse.environment": ""}, {"langfuse__environment": "resource"}, "resource"),
    ],
)
def test_environment(attributes, resource, expected):
    assert decode(request(span(attributes), **resource)).observations[0].environment == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (["a", 1, True], ["a", "1", "true"]),
        ('["a","b"]', ["a", "b"]),
        ("[a,b", ["[a", "b"]),
        ("one, two,", ["one", "two"]),
        ("one", ["one"]),
        ("", []),
        (5, []),
    ],
)
def test_tags(sent, expected):
    assert decode_one({"langfuse.trace.tags": sent}).tags == expected


def test_the_first_name_that_says_something_wins():
    observation = decode_one(
        {
            "langfuse.user.id": "",
            "user.id": 7,
            "ai.telemetry.metadata.userId": "late",
            "session.id": "",
            "gen_ai.conversation.id": "conversation",
            "langfuse.trace.metadata.langfuse_session_id": "late",
            "langfuse.trace.tags": "",
            "tag.tags": ["t"],
        }
    )
    assert (observation.user_id, observation.session_id, observation.tags) == ("7", "conversation", ["t"])


@pytest.mark.parametrize(
    ("sent", "expected"), [(True, True), ("true", True), ("yes", False), (1, False), (False, False)]
)
def test_public(sent, expected):
    assert decode_one({"langfuse.trace.public": sent}).public is expected


def test_version_and_release_fall_back_to_the_resource():
    entry = span()
    observation = decode(request(entry, service__version="7", langfuse__release="r")).observations[0]
    assert (observation.version, observation.release, observation.service_version) == ("7", "r", "7")


def test_where_it_came_from():
    observation = decode(
        request(span(), scope="lib", service__name="shop"), sdk_name="python", sdk_version="5.0.4"
    ).observations[0]
    assert (observation.source, observation.public_key, observation.project_id) == ("otel", "pk-1", "p1")
    assert (observation.scope_name, observation.scope_version, observation.service_name) == ("lib", "1.0", "shop")
    assert (observation.sdk_name, observation.sdk_version) == ("python", "5.0.4")
    assert observation.created_at == observation.updated_at == NOW


def test_roots():
    assert decode_one().is_root
    assert not decode_one(parentSpanId="aa").is_root
    assert decode_one({"langfuse.internal.is_app_root": True}, parentSpanId="aa").is_root
    assert decode_one({"langfuse.internal.is_app_root": "true"}, parentSpanId="aa").is_root
    assert decode_one(name="root").trace_name == "root"
    assert decode_one(name="child", parentSpanId="aa").trace_name == ""


# Model, prompt, first token


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"langfuse.observation.model.name": "a", "gen_ai.response.model": "b"}, "a"),
        ({"langfuse.observation.model.name": "", "gen_ai.response.model": "b", "model": "c"}, "b"),
        ({"llm.response.model": "d", "llm.model_name": "e"}, "d"),
        ({"model": "f"}, "f"),
        ({"genkit:metadata:subtype": "model", "genkit:name": "g"}, "g"),
        ({"genkit:name": "g"}, ""),
    ],
)
def test_model_precedence(attributes, expected):
    assert decode_one({"langfuse.observation.type": "generation", **attributes}).model == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(3, 3), ("3", 3), (65_535, 65_535), (65_536, None), (-1, None), ("x", None), (1.5, None)],
)
def test_prompt_version(sent, expected):
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.prompt.name": "p",
        "langfuse.prompt.version": sent,
    }
    observation = decode_one(attributes)
    assert (observation.prompt_name, observation.prompt_version) == ("p", expected)


def test_only_generations_have_a_prompt():
    observation = decode_one({"langfuse.observation.type": "agent", "langfuse.observation.prompt.name": "p"})
    assert observation.prompt_name == ""


@pytest.mark.parametrize(
    ("sent", "microseconds"),
    [
        ("2026-09-21T14:13:20.5Z", 500_000),
        ('"2026-09-21T14:13:20.500Z"', 500_000),
        ("2026-09-21T16:13:20.500+02:00", 500_000),
        ("2026-09-21T14:13:20.500", 500_000),
        ("soon", None),
        (5, None),
    ],
)
def test_completion_start(sent, microseconds):
    attributes = {"langfuse.observation.type": "generation", "langfuse.observation.completion_start_time": sent}
    assert decode_one(attributes).time_to_first_token_us == microseconds


def test_model_parameters_of_loose_attributes():
    attributes = {"gen_ai.request.model": "m", "gen_ai.request.top_p": 1, "llm.invocation_parameters.seed": ["x"]}
    assert json.loads(decode_one(attributes).model_parameters) == {"top_p": 1, "seed": '["x"]'}


def test_explicit_parameters_that_cannot_be_parsed_are_passed_over():
    attributes = {
        "langfuse.observation.model.parameters": "not json",
        "llm.invocation_parameters": "[1]",
        "model_config": '{"a": null, "b": {"c": true}}',
        "model": "m",
    }
    assert json.loads(decode_one(attributes).model_parameters) == {"a": "null", "b": '{"c":true}'}


# Usage and cost


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"langfuse.observation.usage_details": "not json", "gen_ai.usage.input_tokens": 3}, {"input": 3}),
        ({"langfuse.observation.usage_details": "[1]", "gen_ai.usage.input_tokens": 3}, {}),
        ({"langfuse.observation.usage_details": '{"input": -1, "output": 2.5, "x": "7"}'}, {"x": 7}),
        ({"gen_ai.usage.input_tokens": "12"}, {"input": 12}),
        ({"gen_ai.usage.input_tokens": "x"}, {}),
        ({"gen_ai.usage.input_tokens": -3, "gen_ai.usage.odd": -3}, {}),
        ({"gen_ai.usage.input_tokens": 2.5, "gen_ai.usage.output_tokens": 3.0}, {"output": 3}),
        ({"gen_ai.usage.input_tokens": 2**63 - 1, "gen_ai.usage.huge": 1e300}, {"input": 2**63 - 1}),
        ({"gen_ai.usage.prompt_tokens": 5, "gen_ai.usage.input_tokens": 9, "llm.token_count.prompt": 7}, {"input": 5}),
        ({"gen_ai.usage.input_tokens": 3, "gen_ai.usage.cache_read_tokens": 5}, {"input": 0, "input_cached_tokens": 5}),
        ({"gen_ai.usage.cost": 0.5}, {}),
    ],
)
def test_usage(attributes, expected):
    assert decode_one({"langfuse.observation.type": "generation", **attributes}).provided_usage == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"langfuse.observation.cost_details": '{"total": 0.1, "x": "1"}', "gen_ai.usage.cost": 5}, {"total": "0.1"}),
        ({"langfuse.observation.cost_details": "[]", "gen_ai.usage.cost": 5}, {"total": "5"}),
        ({"gen_ai.usage.cost": "", "llm.cost.total": 0.25}, {"total": "0.25"}),
        ({"gen_ai.usage.cost": -1}, {}),
    ],
)
def test_cost(attributes, expected):
    cost = decode_one({"langfuse.observation.type": "generation", **attributes}).provided_cost
    assert {key: str(amount) for key, amount in cost.items()} == expected


def test_spans_and_events_have_no_model_and_cost():
    observation = decode_one({"langfuse.observation.type": "span", "model": "m", "gen_ai.usage.input_tokens": 3})
    assert (observation.model, observation.provided_usage, observation.model_parameters) == ("", {}, "")


# Metadata


def test_user_metadata_is_flattened():
    observation = decode_one(
        {
            "langfuse.observation.metadata": '{"a": {"b": 1, "c": [1]}, "n": null, "t": "text"}',
            "langfuse.observation.metadata.d.e": "dotted",
            "langfuse.metadata.list": [1, "x"],
            "langfuse.observation.metadata.json": '{"stays": 1}',
        },
        scope="langfuse-sdk",
    )
    assert observation.metadata == {
        "a.b": "1",
        "a.c": "[1]",
        "n": "",
        "t": "text",
        "d.e": "dotted",
        "list": '[1,"x"]',
        "json": '{"stays": 1}',
        "scope.name": "langfuse-sdk",
        "scope.version": "1.0",
    }


@pytest.mark.parametrize("sent", ["[1]", "not json", "5", 5, ["a"]])
def test_metadata_that_is_no_object_is_dropped(sent):
    observation = decode_one({"langfuse.observation.metadata": sent}, scope="langfuse-sdk")
    assert observation.metadata.keys() == {"scope.name", "scope.version"}


def test_user_metadata_wins_over_ours():
    assert decode_one({"langfuse.observation.metadata.scope.name": "mine"}).metadata["scope.name"] == "mine"


def test_scope_and_resource_attributes_are_kept():
    document = request(span(), service__name="shop", host__cpus=4)
    document["resourceSpans"][0]["scopeSpans"][0]["scope"]["attributes"] = pairs({"public_key": "pk"})
    metadata = decode(document).observations[0].metadata
    assert metadata["resourceAttributes.service.name"] == "shop"
    assert metadata["resourceAttributes.host.cpus"] == "4"
    assert metadata["scope.attributes.public_key"] == "pk"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"ingestion_version": 4}, True),
        ({"sdk_name": "python", "sdk_version": "4.0.0rc1"}, True),
        ({"sdk_name": "python", "sdk_version": "3.9.1"}, False),
        ({"sdk_name": "javascript", "sdk_version": "5.11.1"}, True),
        ({"sdk_name": "javascript", "sdk_version": "4.9"}, False),
        ({"sdk_name": "go", "sdk_version": "9"}, False),
    ],
)
def test_trace_metadata_is_on_observations_of_newer_sdks(headers, expected):
    observation = decode(request(span({"langfuse.trace.metadata.k": "v"})), **headers).observations[0]
    assert ("k" in observation.metadata) is expected


# Whole payloads


def test_previews_are_one_line():
    observation = decode_one({"input": "a \n\t b" + "x" * 1000, "output": "  lead"})
    assert observation.input_preview.startswith("a b")
    assert len(observation.input_preview) == PREVIEW_CHARACTERS
    assert observation.output_preview == "lead"


def test_of_a_span_sent_twice_the_last_counts():
    decoded = decode(request(span(name="old"), span(name="other", spanId="ff"), span(name="new")))
    assert [observation.name for observation in decoded.observations] == ["new", "other"]
    assert len(decoded.trace_updates) == 2


def test_a_bad_span_is_set_aside_and_its_neighbours_go_through(monkeypatch):
    def type_of(attributes, *args, **kwargs):
        if "explode" in attributes:
            raise RuntimeError("boom")
        return "SPAN"

    monkeypatch.setattr("tracing.ingest.otlp.records.type_of", type_of)
    document = request(span(spanId="01"), span({"explode": 1}, spanId="02"), span(spanId="03"))
    for body, content_type in ((as_json(document), JSON), (as_protobuf(document), PROTOBUF)):
        decoded = otlp.decode(body, envelope(content_type))
        assert [observation.id for observation in decoded.observations] == ["01", "03"]
        (aside,) = decoded.set_aside
        assert aside.item_id == "02"
        assert "boom" in aside.reason


ODD_VALUES = {
    "text": "x",
    "int": 5,
    "negative": -7,
    "double": 0.1,
    "whole": 2.0,
    "true": True,
    "false": False,
    "list": ["a", 1, [2.5, False]],
    "empty list": [],
    "object": {"a": 1, "b": {"c": [True, "d"]}},
    "nothing": None,
    "empty": "",
}


def odd_request():
    """What the two encodings write differently: numbers, bytes, enums, ids, links, events."""
    failed = span(
        ODD_VALUES | {"langfuse.observation.input": "q"},
        spanId="02",
        parentSpanId="03",
        kind=3,
        status={"code": 2, "message": "no"},
        links=[{"traceId": TRACE_ID, "spanId": "04"}],
        events=[("exception", {"exception.message": "no", "n": 1})],
    )
    for odd in ({"bytesValue": "AP8="}, {"doubleValue": "NaN"}, {"doubleValue": "-Infinity"}):
        failed["attributes"].append({"key": str(odd), "value": odd})
    document = request(span(spanId="01"), failed, scope="my scope", service__name="shop", version__n=3)
    document["resourceSpans"][0]["scopeSpans"][0]["scope"]["attributes"] = pairs({"public_key": "pk", "n": 1.5})
    return document


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
def test_what_was_set_aside_is_an_export_that_decodes_to_the_same_span(monkeypatch, content_type):
    body = (as_json if content_type == JSON else as_protobuf)(odd_request())
    [_, wanted] = otlp.decode(body, envelope(content_type)).observations
    with monkeypatch.context() as broken:
        broken.setattr("tracing.ingest.otlp.records.type_of", lambda *_, **__: 1 / 0)
        [aside] = otlp.decode(body, envelope(content_type)).set_aside
    otlp.check(aside.payload.encode(), JSON)
    again = otlp.decode(aside.payload.encode(), envelope(JSON))
    assert not again.set_aside
    assert again.observations[-1] == wanted
    assert (wanted.level, wanted.service_name, wanted.scope_name) == ("ERROR", "shop", "my scope")


def test_spans_that_fail_for_one_reason_are_kept_together(monkeypatch):
    monkeypatch.setattr("tracing.ingest.otlp.records.type_of", lambda *_, **__: 1 / 0)
    resource = {"big": "x" * 10_000}
    decoded = decode(request(*(span(spanId=f"{n:016x}") for n in range(500)), **resource))
    assert len(decoded.set_aside) == 1
    assert len(decoded.set_aside[0].payload) < 200_000


def test_a_bad_scope_does_not_take_other_scopes_with_it(monkeypatch):
    def refuse(scope_name, *_):
        if scope_name == "bad":
            raise RuntimeError("boom")
        return False

    monkeypatch.setattr("tracing.ingest.otlp.records.writes_generations_as_spans", refuse)
    document = request(span(spanId="01"), span(spanId="02"), scope="bad")
    document["resourceSpans"] += request(span(spanId="03"))["resourceSpans"]
    decoded = decode(document)
    assert [observation.id for observation in decoded.observations] == ["03"]
    assert [aside.item_id for aside in decoded.set_aside] == ["01, 02"]
