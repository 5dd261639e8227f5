from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command

from accounts.models import Organization, Project
from config.errors import Invalid
from tracing.models import Model, PricingTier
from tracing.pricing import catalogue_for, compile_pattern, forget_catalogues
from tracing.pricing import cost as costs
from tracing.pricing.builtin import entries, prices_per_unit, sync_builtin_models
from tracing.pricing.rates import Call

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def catalogue():
    sync_builtin_models()
    forget_catalogues()
    yield
    forget_catalogues()


@pytest.fixture
def project():
    organization = Organization.objects.create(name="Prices")
    return Project.objects.create(name="Prices", organization=organization)


def price(name: str, usage: dict[str, int], parameters: str = "", project_id: str = "nobody"):
    model = catalogue_for(project_id).match(name)
    tier = model.tier_for(Call(usage, parameters))
    return costs.computed_cost(usage, tier.prices), tier.name


def own_model(project, name="mine", pattern="(?i)^gpt-4o$", price="1", **more):
    model = Model.objects.create(project=project, name=name, match_pattern=pattern, **more)
    PricingTier.objects.create(model=model, name="Standard", is_default=True, prices={"input": price})
    forget_catalogues()
    return model


# Worked by hand from the pages named; prices in US dollars per million tokens.
WORKED = [
    # developers.openai.com/api/docs/pricing, 2026-03: gpt-4o 2.50 / 1.25 cached / 10.00
    ("gpt-4o-2024-08-06", {"input": 1000, "input_cached_tokens": 2000, "output": 500}, "0.01"),
    # the same page: o3 2.00 / 8.00, reasoning billed as output
    ("o3", {"input": 1000, "output": 200, "output_reasoning_tokens": 800}, "0.01"),
    ("gpt-4o-mini", {"input": 10, "output": 5, "total": 15}, "0.0000045"),
    # platform.claude.com/docs/en/about-claude/pricing, 2026-02: Sonnet 4.5 3 / 3.75 write / 6 for 1 h / 0.30 read / 15
    (
        "claude-sonnet-4-5-20250929",
        {
            "input": 1000,
            "input_cache_creation": 4000,
            "input_cache_creation_1h": 1000,
            "input_cache_read": 10_000,
            "output": 1000,
        },
        "0.042",
    ),
    # ai.google.dev/gemini-api/docs/pricing, 2026-03: gemini-2.5-pro 1.25 / 10, above 200k 2.50 / 15 and 0.25 cached
    ("gemini-2.5-pro", {"input": 100_000, "output": 1000}, "0.135"),
    ("models/gemini-2.5-pro", {"input": 150_000, "input_cached_tokens": 60_000, "output": 1000}, "0.405"),
    ("text-embedding-3-small", {"input": 1_000_000, "total": 1_000_000}, "0.02"),
    # docs.x.ai/docs/models, 2025-12: grok-4 3 / 15, beyond 128k 6 / 30
    ("grok-4", {"input": 128_000, "output": 1000}, "0.399"),
    ("xai/grok-4-0709", {"input": 100_000, "input_cached_tokens": 100_000, "output": 1000}, "0.705"),
]


@pytest.mark.parametrize(("name", "usage", "total"), WORKED)
def test_worked_examples_from_the_providers_pages(name, usage, total):
    assert price(name, usage)[0]["total"] == Decimal(total)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-4o", "gpt-4o"),
        ("GPT-4o-2024-11-20", "gpt-4o"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4.1-2025-04-14", "gpt-4.1"),
        ("gpt-4.1-mini", "gpt-4.1-mini"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-4", "gpt-4"),
        ("gpt-35-turbo", "gpt-3.5-turbo"),
        ("claude-3-5-sonnet-20241022", "claude-3.5-sonnet"),
        ("claude-3-5-haiku-20241022", "claude-3.5-haiku"),
        ("claude-3-5-sonnet-v2@20241022", "claude-3.5-sonnet"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3.5-sonnet"),
        ("anthropic/claude-opus-4.5", "claude-opus-4.5"),
        ("claude-opus-4-1-20250805", "claude-opus-4"),
        ("models/gemini-1.5-flash-002", "gemini-1.5-flash"),
        ("gemini-3-pro-preview", "gemini-3.1-pro"),
        ("deepseek/deepseek-chat", "deepseek-chat"),
        ("gpt-4o-ultra", None),
        ("my-gpt-4", None),
        ("ollama/mistral-small-2506", None),
    ],
)
def test_names_find_their_model(name, expected):
    model = catalogue_for("nobody").match(name)
    assert (model and model.name) == expected


def test_no_name_belongs_to_two_built_in_models():
    names = [entry["tokenizer_config"]["tokenizerModel"] for entry in entries() if "tokenizer_config" in entry]
    names += [entry["name"] for entry in entries()]
    compiled = {entry["name"]: compile_pattern(entry["match_pattern"]) for entry in entries()}
    for name in names:
        assert len([model for model, matches in compiled.items() if matches(name)]) <= 1, name


def test_every_entry_says_where_and_when_and_has_one_default_tier():
    for entry in entries():
        assert urlsplit(entry["source"]).scheme == "https"
        assert entry["date"] <= "2026-11-21"
        default = [tier for tier in entry["tiers"] if tier.get("is_default")]
        assert [tier["priority"] for tier in default] == [0]
        keys = {frozenset(prices_per_unit(tier["prices_per_million"])) for tier in entry["tiers"]}
        assert len(keys) == 1, entry["name"]


def test_cached_tokens_without_a_price_of_their_own_cost_what_input_costs():
    assert price("gpt-4", {"input": 0, "input_cached_tokens": 1000})[0]["total"] == Decimal("0.03")


@pytest.mark.parametrize(
    ("parameters", "tier"),
    [
        ('{"service_tier":"priority"}', "Priority"),
        ('{"service_tier":"default"}', "Standard"),
        ('{"note":"service_tier"}', "Standard"),
        ("{broken service_tier", "Standard"),
        ('["service_tier"]', "Standard"),
        ("", "Standard"),
    ],
)
def test_a_tier_by_model_parameter(parameters, tier):
    assert price("gpt-4o", {"input": 1}, parameters)[1] == tier


def test_a_call_that_may_wait_costs_less():
    """developers.openai.com/api/docs/pricing, flex processing: o4-mini 0.55 / 2.20, 0.138 cached."""
    usage = {"input": 1_000_000, "input_cached_tokens": 1_000_000, "output": 1_000_000}
    cost, tier = price("o4-mini-2025-04-16", usage, '{"service_tier":"flex"}')
    assert (cost["total"], tier) == (Decimal("2.888"), "Flex")


@pytest.mark.parametrize(("tokens", "tier"), [(200_000, "Standard"), (200_001, "Long context (> 200k)")])
def test_a_tier_by_usage_has_an_exact_border(tokens, tier):
    assert price("gemini-2.5-pro", {"input": tokens, "output": 500_000, "total": tokens + 500_000})[1] == tier


def test_tiers_are_tried_by_priority(project):
    model = own_model(project)
    over = {"usageDetailPattern": "INPUT", "operator": "gt", "value": 10}
    case = {"usageDetailPattern": "INPUT", "operator": "gt", "value": 10, "caseSensitive": True}
    attribute = {"source": "metadata", "key": "plan", "operator": "in", "values": ["gold"]}
    for priority, conditions in ((3, [over]), (2, [over, attribute]), (1, [case]), (4, [])):
        PricingTier.objects.create(
            model=model, name=f"T{priority}", priority=priority, conditions=conditions, prices={"input": "2"}
        )
    forget_catalogues()
    found = catalogue_for(project.id).match("gpt-4o")
    assert found.tier_for(Call({"input": 11})).name == "T3"
    assert found.tier_for(Call({"input": 11}, "", {"plan": "gold"})).name == "T2"
    assert found.tier_for(Call({"input": 10})).name == "Standard"


def test_a_projects_own_model_beats_the_built_in_one(project):
    own_model(project)
    assert catalogue_for(project.id).match("gpt-4o").name == "mine"
    assert catalogue_for("another").match("gpt-4o").name == "gpt-4o"


def test_the_newest_start_date_wins_and_none_is_last(project):
    own_model(project, "none")
    own_model(project, "old", start_date="2024-01-01T00:00:00Z")
    own_model(project, "new", start_date="2025-01-01T00:00:00Z")
    assert catalogue_for(project.id).match("gpt-4o").name == "new"


def test_a_change_is_seen_without_being_told(project, monkeypatch):
    assert catalogue_for(project.id).match("gpt-4o").name == "gpt-4o"
    monkeypatch.setattr("tracing.pricing.catalogue._CHECK_SECONDS", 0.0)
    Model.objects.create(project=project, name="mine", match_pattern="^gpt-4o$")
    assert catalogue_for(project.id).match("gpt-4o").name == "mine"


def test_a_change_that_was_committed_after_a_later_one_is_seen(project, monkeypatch):
    """As of two projects at once: the time of the newest change says nothing of the other."""
    first = Model.objects.create(project=project, name="mine", match_pattern="^nobody$")
    own_model(project, "later", "^other$")
    monkeypatch.setattr("tracing.pricing.catalogue._CHECK_SECONDS", 0.0)
    assert catalogue_for(project.id).match("gpt-4o").name == "gpt-4o"
    Model.objects.filter(pk=first.pk).update(match_pattern="^gpt-4o$")  # its time is the one it had
    assert catalogue_for(project.id).match("gpt-4o").name == "mine"


def test_matching_asks_the_database_nothing_once_loaded(project, django_assert_num_queries):
    catalogue_for(project.id).match("gpt-4o")
    with django_assert_num_queries(0):
        for number in range(50):
            catalogue_for(project.id).match(f"gpt-{number}")


def test_one_broken_model_does_not_stop_the_others(project):
    own_model(project, "broken", pattern="((")
    own_model(project, "odd price", price="a lot")
    assert catalogue_for(project.id).match("gpt-4o").name == "gpt-4o"


@pytest.mark.parametrize("pattern", ["((", "(?=a)", "x" * 1001])
def test_a_pattern_that_cannot_be_used_is_refused(pattern):
    with pytest.raises(Invalid):
        compile_pattern(pattern)


def test_a_hostile_pattern_takes_no_time():
    assert not compile_pattern("^(a+)+$")("a" * 5000 + "b")


def test_sync_is_idempotent_and_repairs(project):
    own_model(project)
    assert (sync_builtin_models().created, sync_builtin_models().changed) == (0, 0)
    before = set(Model.objects.values_list("id", flat=True))
    PricingTier.objects.filter(model__name="gpt-4o", model__project=None, is_default=True).update(prices={"input": "9"})
    Model.objects.create(name="withdrawn", match_pattern="^withdrawn$")
    result = sync_builtin_models()
    assert (result.created, result.changed, result.removed) == (0, 1, 1)
    assert set(Model.objects.values_list("id", flat=True)) == before
    assert price("gpt-4o", {"input": 1_000_000})[0]["total"] == Decimal("2.5")


def test_sync_command_runs():
    call_command("sync_models", verbosity=0)
    assert Model.objects.filter(project=None).count() == len(entries())


def test_a_definition_holds_from_its_start_on(project):
    own_model(project, "old", start_date="2024-01-01T00:00:00Z", price="3")
    own_model(project, "new", start_date="2025-01-01T00:00:00Z", price="4")
    own_model(project, "planned", start_date="2999-01-01T00:00:00Z", price="5")
    catalogue = catalogue_for(project.id)
    times = {2023: "gpt-4o", 2024: "old", 2025: "new", 2026: "new", 2999: "planned"}
    found = {year: catalogue.match("gpt-4o", datetime(year, 1, 1, tzinfo=UTC)).name for year in times}
    assert found == times
    assert catalogue.match("gpt-4o").name == "new"
    assert [model.name for model in catalogue.candidates("gpt-4o")] == ["planned", "new", "old", "gpt-4o"]


def test_the_nearest_definitions_are_named_for_a_name_that_none_matches(project):
    own_model(project, "acme-chat-2", pattern="^acme-chat-2$")
    catalogue = catalogue_for(project.id)
    assert catalogue.match("acme-chat-3") is None
    assert [model.name for model in catalogue.nearest("acme/acme-chat-3")] == ["acme-chat-2"]
    assert "gpt-4o-mini" in [model.name for model in catalogue.nearest("gpt-4o-mimi")]
    assert catalogue.nearest("!" * 600) == []


def test_amounts_are_rounded_before_they_are_added_up():
    prices = {"input": Decimal("0.0000000000004"), "output": Decimal("0.0000000000004")}
    cost = costs.computed_cost({"input": 1, "output": 1}, prices)
    assert cost == {"input": 0, "output": 0, "total": 0}
    given = costs.provided_cost({"input": Decimal("0.1234567890126"), "output": Decimal("0.1234567890126")})
    assert given["total"] == given["input"] + given["output"] == Decimal("0.246913578026")


def test_a_total_price_decides_the_total():
    prices = {"total": Decimal(2), "input": Decimal(1)}
    assert costs.computed_cost({"input": 3, "total": 4}, prices) == {"input": 3, "total": 8}


def test_absurd_units_cost_nothing_rather_than_break_the_store():
    assert costs.computed_cost({"input": 2**62}, {"input": Decimal(1)}) == {}
