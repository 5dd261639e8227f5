"""The providers' own price lists, through the doors that clients use: what is stored, and how it is explained."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.tracing.otlp_requests import as_json, request, span
from tests.tracing.sender import OTLP
from tracing.ingest import drain
from tracing.pricing import Origin, catalogue_for, explain, forget_catalogues
from tracing.pricing.builtin import sync_builtin_models

EXAMPLES = json.loads((Path(__file__).parent / "data" / "pricing_examples.json").read_text(encoding="utf-8"))[
    "examples"
]
START = "2026-11-01T10:00:00Z"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker", "analytics_server", "own_inbox"),
]


@pytest.fixture
def price_list():
    sync_builtin_models()
    forget_catalogues()
    yield
    forget_catalogues()


def event(number, example):
    return {
        "id": f"event-{number}",
        "type": "generation-create",
        "timestamp": START,
        "body": {
            "id": f"ingestion-{number}",
            "traceId": f"trace-{number}",
            "startTime": START,
            "model": example["model"],
            "modelParameters": example.get("model_parameters"),
            "usageDetails": example["ingestion"],
        },
    }


def otlp_span(identity, example, attributes):
    more = {"langfuse.observation.model.parameters": json.dumps(example.get("model_parameters", {}))}
    return span({"gen_ai.request.model": example["model"], **attributes, **more}, spanId=identity)


def sent_spans():
    """(span id, example, key of the expected cost) and the spans themselves, in both ways of OTLP."""
    for number, example in enumerate(EXAMPLES):
        usage = {"langfuse.observation.usage_details": json.dumps(example["ingestion"])}
        yield f"{number:016x}", example, "cost", usage
        if "otlp" in example:
            yield f"{number + 256:016x}", example, "otlp_cost" if "otlp_cost" in example else "cost", example["otlp"]


def amounts(cost):
    return {key: Decimal(amount) for key, amount in cost.items() if Decimal(amount)}


def test_stored_costs_and_their_explanations_are_those_of_the_price_lists(sender, price_list):
    events = [event(number, example) for number, example in enumerate(EXAMPLES)]
    assert sender.post("/api/public/ingestion", {"batch": events}).json()["errors"] == []
    spans = list(sent_spans())
    document = request(*(otlp_span(identity, example, attributes) for identity, example, _, attributes in spans))
    assert sender.post(OTLP, as_json(document)).status_code == 200
    drain.drain()
    expected = {f"ingestion-{number}": (example, "cost") for number, example in enumerate(EXAMPLES)}
    expected |= {identity: (example, key) for identity, example, key, _ in spans}
    stored = {observation.id: observation for observation in sender.observations()}
    assert stored.keys() == expected.keys()
    catalogue = catalogue_for(sender.project.id)
    for identity, (example, key) in expected.items():
        got, context = stored[identity], f"{example['name']} ({identity})"
        parts = amounts({kind: amount for kind, amount in got.cost.items() if kind != "total"})
        assert parts == amounts(example[key]), context
        assert (got.total_cost, got.pricing_tier_name) == (Decimal(example["total"]), example["tier"]), context
        told = explain(got, catalogue)
        assert told.is_current, context
        assert told.total == told.sum_of_lines == got.total_cost, context
        assert told.tier.name == example["tier"], context
        assert all(line.amount == line.units * line.price for line in told.lines), context
        assert {line.origin for line in told.lines} == {Origin.SENT}, context


def test_tokens_add_up_to_what_the_provider_says(sender, price_list):
    totals = {
        number: example["ingestion"].get("total_tokens") or example["ingestion"].get("totalTokenCount")
        for number, example in enumerate(EXAMPLES)
    }
    assert sum(total is not None for total in totals.values()) > 5
    sender.post("/api/public/ingestion", {"batch": [event(n, example) for n, example in enumerate(EXAMPLES)]})
    drain.drain()
    for got in sender.observations():
        total = totals[int(got.id.removeprefix("ingestion-"))]
        kinds = sum(units for key, units in got.usage.items() if key != "total")
        assert got.total_tokens == kinds == got.input_tokens + got.output_tokens, got.usage
        assert total in (None, got.total_tokens)


def test_every_example_says_where_it_is_from():
    for example in EXAMPLES:
        assert urlsplit(example["source"]).scheme == "https"
        assert example["read_on"] >= "2026-11-21"
        assert example["page"]
        assert sum(map(Decimal, example["cost"].values())) == Decimal(example["total"])
    assert {example["source"].split("/")[2] for example in EXAMPLES} == {
        "platform.claude.com",
        "developers.openai.com",
        "ai.google.dev",
    }
