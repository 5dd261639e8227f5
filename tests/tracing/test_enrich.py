from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import OperationalError

from config.errors import Unavailable
from tracing.analytics.records import Observation
from tracing.ingest import enrich as module
from tracing.ingest.enrich import enrich, register_prompt_resolver
from tracing.pricing import forget_catalogues
from tracing.pricing.builtin import sync_builtin_models

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def catalogue():
    sync_builtin_models()
    forget_catalogues()
    yield
    forget_catalogues()


def generation(**fields) -> Observation:
    base = {"project_id": "p", "trace_id": "t", "id": "o", "start_time": datetime(2026, 11, 1, tzinfo=UTC)}
    return Observation(**{**base, "type": "GENERATION", **fields})


def enriched(**fields) -> Observation:
    observation = generation(**fields)
    enrich("p", [observation])
    return observation


def test_given_usage_is_kept_priced_and_added_up():
    got = enriched(model="gpt-4o", provided_usage={"input": 1000, "input_cached_tokens": 200, "output": 500})
    assert got.usage == {"input": 1000, "input_cached_tokens": 200, "output": 500, "total": 1700}
    assert (got.input_tokens, got.output_tokens, got.total_tokens) == (1200, 500, 1700)
    assert got.cost["input_cached_tokens"] == Decimal("0.00025")
    assert (got.input_cost, got.output_cost, got.total_cost) == (
        Decimal("0.00275"),
        Decimal("0.005"),
        Decimal("0.00775"),
    )
    assert got.model_id
    assert got.pricing_tier_id
    assert got.pricing_tier_name == "Standard"


def test_a_given_total_stands():
    assert enriched(model="x", provided_usage={"input": 1, "total": 9}).total_tokens == 9


def test_unknown_model_has_usage_and_no_cost():
    got = enriched(model="nobody-knows", provided_usage={"input": 5})
    assert (got.usage, got.cost, got.model_id, got.total_cost) == ({"input": 5, "total": 5}, {}, "", 0)


def test_given_cost_wins():
    got = enriched(
        model="gpt-4o", provided_usage={"input": 1}, provided_cost={"input": Decimal(1), "output": Decimal(2)}
    )
    assert got.cost == {"input": 1, "output": 2, "total": 3}
    assert got.total_cost == 3


def test_given_cost_of_other_kinds_gets_no_total():
    got = enriched(provided_cost={"input": Decimal(1), "search": Decimal(2)})
    assert (got.cost, got.total_cost) == ({"input": 1, "search": 2}, 0)


def test_missing_usage_is_counted():
    got = enriched(model="gpt-4o", input="hello world", output="hello")
    assert got.usage == {"input": 2, "output": 1, "total": 3}
    assert got.total_cost == Decimal("0.000015")


def test_only_what_is_there_is_counted():
    assert enriched(model="gpt-4o", output="hello").usage == {"output": 1, "total": 1}
    assert enriched(model="gpt-4o").usage == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"level": "ERROR"},
        {"provided_cost": {"total": Decimal(1)}},
        {"model": "nobody-knows"},
        {"model": "gemini-2.5-pro"},
        {"model": ""},
    ],
)
def test_tokens_are_not_counted_when(fields):
    assert enriched(**{"model": "gpt-4o", "input": "hello", **fields}).usage == {}


def test_enriching_again_gives_the_same_and_drops_what_no_longer_holds():
    got = enriched(model="gpt-4o", input="hello world")
    once = got.usage, got.cost, got.pricing_tier_id
    enrich("p", [got])
    assert (got.usage, got.cost, got.pricing_tier_id) == once
    got.level = "ERROR"
    enrich("p", [got])
    assert (got.usage, got.cost, got.total_cost, got.pricing_tier_id) == ({}, {}, 0, "")


def test_sums_stay_within_the_stores_integers():
    most = 2**63 - 1
    got = enriched(provided_usage={"input": most, "input_cached": most, "output": most, "output_reasoning": 5})
    assert (got.input_tokens, got.output_tokens, got.total_tokens) == (most, most, most)


def test_spans_ask_the_database_nothing(django_assert_num_queries):
    enriched(model="gpt-4o", provided_usage={"input": 1})
    with django_assert_num_queries(0):
        enrich("p", [generation(model="gpt-4o", provided_usage={"input": 1}, input="hi") for _ in range(100)])


def test_a_database_that_is_away_is_waited_for(monkeypatch):
    def away(_):
        raise OperationalError("connection refused")

    monkeypatch.setattr(module, "catalogue_for", away)
    with pytest.raises(Unavailable):
        enriched(model="gpt-4o")


@pytest.fixture
def prompts(monkeypatch):
    monkeypatch.setattr(module, "_prompts", module._Prompts())
    asked = []

    def resolve(project_id, wanted):
        asked.append((project_id, wanted))
        return {key: f"id-{key[0]}-{key[1]}" for key in wanted if key[0] != "gone"}

    register_prompt_resolver(resolve)
    return asked


def test_prompts_are_linked_by_one_question(prompts):
    rows = [generation(prompt_name=name, prompt_version=1) for name in ("a", "b", "a", "gone")]
    rows.append(generation(prompt_name="a"))
    enrich("p", rows)
    assert [row.prompt_id for row in rows] == ["id-a-1", "id-b-1", "id-a-1", "", ""]
    assert prompts == [("p", {("a", 1), ("b", 1), ("gone", 1)})]
    enrich("p", [generation(prompt_name="a", prompt_version=1)])
    assert len(prompts) == 1


def test_prompts_of_projects_are_apart(prompts):
    for project_id in ("p", "q"):
        enrich(project_id, [generation(prompt_name="a", prompt_version=1)])
    assert [project for project, _ in prompts] == ["p", "q"]
