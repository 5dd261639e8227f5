import json

import pytest

from tests.tracing.otlp_requests import JSON, PROTOBUF, as_json, as_protobuf, decode_one, envelope, pairs, request, span
from tracing.ingest import otlp
from tracing.ingest.otlp.nested import rebuild


def nested(depth):
    return "[" * depth + "]" * depth


def test_slots_of_spread_messages_are_bounded():
    attributes = {f"p.{n}.content": "x" for n in (0, 1, 10_000, 10_001, 10**9)}
    messages = rebuild(attributes, "p")
    assert len(messages) == 10_001
    assert messages[0] == {"content": "x"}
    assert messages[2] is None


def test_slots_count_for_all_lists_of_a_prefix():
    attributes = {f"p.{n}.list.9000": "x" for n in range(3)}
    lists = [message["list"] for message in rebuild(attributes, "p")]
    assert [len(items) for items in lists] == [9001, 0, 0]


@pytest.mark.parametrize("part", ["__proto__", "constructor", "prototype"])
def test_prototype_names_are_ignored(part):
    assert rebuild({f"p.0.{part}.polluted": "x", "p.0.role": "user"}, "p") == [{"role": "user"}]


def test_names_that_contradict_each_other_do_not_fail():
    rebuild({"p.0": "text", "p.0.role": "user", "p.0.role.deeper": "x", "p.²": "y", "p..": "z", "p.": "w"}, "p")


def test_a_very_long_path_is_dropped():
    assert rebuild({"p." + ".".join("a" * 5000): "x"}, "p") is None


@pytest.mark.parametrize("depth", [200, 600, 3000, 100_000])
@pytest.mark.parametrize(
    "key",
    [
        "langfuse.observation.metadata",
        "langfuse.observation.input",
        "langfuse.observation.output",
        "langfuse.observation.usage_details",
        "langfuse.observation.model.parameters",
        "gen_ai.tool.definitions",
        "events",
        "langfuse.trace.tags",
    ],
)
def test_deep_json_in_an_attribute(key, depth):
    for text in (nested(depth), '{"tool_calls":' * depth + "1" + "}" * depth, '{"a":' + nested(depth) + "}"):
        observation = decode_one({key: text, "langfuse.observation.type": "generation", "langfuse.trace.name": "n"})
        assert observation.trace_name == "n"


def test_deep_values_of_an_attribute():
    value = {"stringValue": "x"}
    for _ in range(150):
        value = {"arrayValue": {"values": [value]}}
    entry = span() | {"attributes": [{"key": "a", "value": value}]}
    decoded = otlp.decode(as_json(request(entry)), envelope(JSON))
    assert not decoded.set_aside
    assert decoded.observations[0].metadata["attributes.a"].startswith("[[[[")


@pytest.mark.parametrize("depth", [200, 300, 990])
def test_deep_json_in_place_of_a_value(depth):
    odd = '{"kvlistValue":' + '{"a":' * depth + "1" + "}" * depth + "}"
    document = request(span({"odd": "ODD"}), resource="ODD")
    document["resourceSpans"][0]["scopeSpans"][0]["scope"]["attributes"] = pairs({"scope": "ODD"})
    body = as_json(document).replace(b'{"stringValue": "ODD"}', odd.encode())
    decoded = otlp.decode(body, envelope(JSON))
    assert not decoded.set_aside
    metadata = decoded.observations[0].metadata
    assert metadata["attributes.odd"] == metadata["resourceAttributes.resource"] == odd
    assert metadata["scope.attributes.scope"] == odd


def test_calls_are_not_looked_for_in_endless_lists():
    deep = "[" * 1000 + '{"name":"t","arguments":"{}","type":"tool_call"}' + "]" * 1000
    assert decode_one({"output": deep}).output == deep


@pytest.mark.parametrize("version", ["4" * 5000, "4" * 5000 + ".0", "x", "", "٤"])
def test_odd_version_of_an_sdk(version):
    headers = {"sdk_name": "python", "sdk_version": version}
    assert len(otlp.decode(as_json(request(span())), envelope(JSON, **headers)).observations) == 1


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (r"\\ud83d \ud83d", "\\ud83d \ufffd"),
        (r"\uD83D\uDE00\ud83d\ud83d\ude00", "😀\ufffd😀"),
        (r"\udc00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\n\"\u00e9", '\ufffd\n"é'),
    ],
)
def test_only_halves_of_pairs_are_replaced(sent, kept):
    body = as_json(request(span({"input": "TEXT"}))).replace(b"TEXT", sent.encode())
    assert otlp.decode(body, envelope(JSON)).observations[0].input == kept


def test_half_a_surrogate_pair_in_deep_json():
    odd = '{"kvlistValue":' + "[" * 990 + r'"\ud83d"' + "]" * 990 + "}"
    body = as_json(request(span({"input": "TEXT"}))).replace(b'{"stringValue": "TEXT"}', odd.encode())
    assert otlp.decode(body, envelope(JSON)).observations[0].input == odd.replace(r"\ud83d", "\ufffd")


def test_half_a_surrogate_pair_becomes_the_replacement_character():
    body = json.dumps(request(span({"input": "cut \ud83d", "whole": "😀"}))).encode()
    observation = otlp.decode(body, envelope(JSON)).observations[0]
    assert observation.input == "cut \ufffd"
    assert observation.metadata["attributes.whole"] == "😀"


def test_zero_bytes_and_control_characters_are_kept():
    document = request(span({"input": "a\x00b\x1b[31m"}, name="n\x00"))
    for body, content_type in ((as_json(document), JSON), (as_protobuf(document), PROTOBUF)):
        observation = otlp.decode(body, envelope(content_type)).observations[0]
        assert (observation.input, observation.name) == ("a\x00b\x1b[31m", "n\x00")


def test_huge_numbers():
    entry = span() | {
        "attributes": [
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "9" * 400}},
            {"key": "gen_ai.usage.output_tokens", "value": {"intValue": 10**25}},
            {"key": "gen_ai.usage.cost", "value": {"doubleValue": 1e300}},
            {"key": "model", "value": {"stringValue": "m"}},
        ]
    }
    decoded = otlp.decode(as_json(request(entry)), envelope(JSON))
    assert not decoded.set_aside
    assert (decoded.observations[0].provided_usage, decoded.observations[0].provided_cost) == ({}, {})


def test_odd_types_in_every_field_of_a_span():
    for odd in (None, 5, 1.5, True, "x", [], [1], {}, {"a": 1}):
        document = request(
            span(name=odd, kind=odd, status=odd, events=[]) | {"events": [odd], "links": odd, "flags": odd}
        )
        decoded = otlp.decode(as_json(document), envelope(JSON))
        assert len(decoded.observations) == 1


def test_many_attributes():
    observation = decode_one({f"k{n}": "v" for n in range(20_000)})
    assert len(observation.metadata) == 20_002


def test_html_is_kept_as_text():
    text = "<script>alert(1)</script>"
    observation = decode_one({"input": text, "user.id": text, "langfuse.trace.tags": [text]}, name=text)
    assert (observation.input, observation.user_id, observation.tags, observation.name) == (text, text, [text], text)
