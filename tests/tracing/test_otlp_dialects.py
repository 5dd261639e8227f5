import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.tracing.otlp_requests import JSON, PROTOBUF, as_json, as_protobuf, envelope, pairs, request, span
from tracing.ingest import otlp

CASES = json.loads((Path(__file__).parent / "data" / "otlp_dialects.json").read_text())
JSON_FIELDS = ("input", "output", "model_parameters", "tool_calls", "events")


def _document(case):
    fields = {key: case[key] for key in ("name", "status", "events") if key in case}
    document = request(
        span(case["attributes"], **fields),
        scope=case.get("scope", "tests"),
        scope_version=case.get("scope_version", "1.0"),
    )
    document["resourceSpans"][0]["resource"]["attributes"] = pairs(case.get("resource", {}))
    return document


def _shown(observation, field):
    value = getattr(observation, field)
    if field == "provided_cost":
        return {key: str(amount) for key, amount in value.items()}
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["dialect"])
def test_dialect(case):
    decoded = otlp.decode(as_json(_document(case)), envelope(JSON))
    assert not decoded.set_aside
    (observation,) = decoded.observations
    for field, expected in case["expect"].items():
        actual = _shown(observation, field)
        if field in JSON_FIELDS and not isinstance(expected, str):
            actual = json.loads(actual)
        assert actual == expected, field
    assert case.get("metadata", {}).items() <= observation.metadata.items()
    assert not observation.metadata.keys() & set(case.get("no_metadata", []))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["dialect"])
def test_protobuf_and_json_give_equal_records(case):
    document = _document(case)
    from_json = otlp.decode(as_json(document), envelope(JSON))
    from_protobuf = otlp.decode(as_protobuf(document), envelope(PROTOBUF))
    assert from_protobuf == from_json


def test_decoding_twice_gives_equal_records():
    for case in CASES:
        body = as_json(_document(case))
        assert otlp.decode(body, envelope()) == otlp.decode(body, envelope())


def test_costs_are_decimals_of_what_was_written():
    (case,) = (case for case in CASES if case["dialect"] == "openrouter broadcast")
    observation = otlp.decode(as_json(_document(case)), envelope()).observations[0]
    assert observation.provided_cost == {"total": Decimal("0.002")}
