"""The account of a cost: every line, every condition that was compared, and every reason why there is none."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from accounts.models import Organization, Project
from tracing.analytics.records import Observation
from tracing.ingest.enrich import price
from tracing.models import Model, PricingTier
from tracing.pricing import Origin, Reason, catalogue_for, explain, forget_catalogues
from tracing.pricing.builtin import sync_builtin_models

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def catalogue():
    sync_builtin_models()
    forget_catalogues()
    yield
    forget_catalogues()


@pytest.fixture
def project():
    return Project.objects.create(name="Prices", organization=Organization.objects.create(name="Prices"))


def stored(project_id="nobody", **fields):
    base = {"project_id": project_id, "trace_id": "t", "id": "o", "start_time": datetime(2026, 11, 1, tzinfo=UTC)}
    observation = Observation(**{**base, "type": "GENERATION", **fields})
    price(observation, catalogue_for(project_id))
    return observation


def told(project_id="nobody", **fields):
    return explain(stored(project_id, **fields), catalogue_for(project_id))


def test_every_line_has_its_units_origin_price_and_amount():
    got = told(model="gpt-4o", provided_usage={"input": 1000, "output": 100, "cosmic_rays": 7})
    lines = {line.key: line for line in got.lines}
    assert (lines["input"].units, lines["input"].origin) == (1000, Origin.SENT)
    assert lines["input"].price_per_million == Decimal("2.5")
    assert lines["input"].amount == Decimal("0.0025")
    assert (lines["cosmic_rays"].units, lines["cosmic_rays"].price, lines["cosmic_rays"].amount) == (7, None, None)
    assert [line.key for line in got.unpriced] == ["cosmic_rays"]
    assert got.total == got.sum_of_lines == got.total_now == Decimal("0.0035")
    assert (got.units, got.is_current, got.is_provided, got.reason) == (1107, True, False, None)
    assert (got.model.name, got.model.is_builtin, got.tier.name) == ("gpt-4o", True, "Standard")


def test_tokens_counted_here_say_with_which_tokenizer():
    got = told(model="gpt-4o", input="hello world", output="hello")
    assert {line.origin for line in got.lines} == {Origin.COUNTED}
    assert (got.is_counted, got.is_estimated, got.model.tokenizer) == (True, False, "openai")
    assert told(model="claude-sonnet-5", input="hello world").is_estimated


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"provided_usage": {"input": 1}}, Reason.NO_MODEL_NAME),
        ({"model": "acme-9", "provided_usage": {"input": 1}}, Reason.NO_MATCH),
        ({"model": "gpt-4o"}, Reason.NO_TOKENS),
        ({"model": "gpt-4o", "input": "hello", "level": "ERROR"}, Reason.NO_TOKENS_FAILED),
        ({"model": "gpt-4o", "provided_usage": {"seconds": 1}}, Reason.NO_PRICE_FOR_KINDS),
        ({"model": "gpt-4o", "provided_usage": {"input": 2**62}}, Reason.TOO_LARGE),
    ],
)
def test_why_there_is_no_cost(fields, reason):
    got = told(**fields)
    assert (got.reason, got.total, got.is_current) == (reason, None, True)


def test_a_model_without_prices_says_so(project):
    Model.objects.create(project=project, name="mine", match_pattern="^mine$")
    forget_catalogues()
    assert told(project.id, model="mine", provided_usage={"input": 1}).reason == Reason.NO_PRICES


def test_a_name_that_nothing_matches_is_told_what_is_near():
    got = told(model="gpt-4o-mimi", provided_usage={"input": 1})
    assert "gpt-4o-mini" in [model.name for model in got.nearest]


def test_the_tier_says_which_numbers_were_compared():
    got = told(model="gemini-2.5-pro", provided_usage={"input": 150_000, "input_cached_tokens": 60_000, "output": 9})
    tried = {tier.name: tier for tier in got.tiers}
    [compared] = tried["Long context (> 200k)"].conditions
    assert (compared.operator, compared.wanted, compared.found, compared.holds) == ("gt", "200000", "210000", True)
    assert compared.keys == ("input", "input_cached_tokens")
    assert [tier.name for tier in got.tiers if tier.is_chosen] == ["Long context (> 200k)"]
    by_parameter, by_usage = tried["Batch, long context (> 200k)"].conditions
    assert (by_parameter.source, by_parameter.found, by_parameter.holds) == ("model_parameters", None, False)
    assert by_usage.holds


def test_a_cost_that_the_client_sent_wins_and_is_compared():
    got = told(
        model="gpt-4o", provided_usage={"input": 1000}, provided_cost={"input": Decimal(1), "output": Decimal(2)}
    )
    assert (got.total, got.is_provided, got.is_current) == (Decimal(3), True, True)
    assert got.total_now == Decimal("0.0025")
    assert [(line.key, line.price, line.amount) for line in got.lines] == [("input", None, 1), ("output", None, 2)]
    assert got.unpriced == ()


def own(project, price, start=None):
    model = Model.objects.create(project=project, name=f"mine {start}", match_pattern="^mine$", start_date=start)
    PricingTier.objects.create(model=model, name="Standard", is_default=True, prices={"input": price})
    forget_catalogues()


def test_prices_that_changed_since_are_seen_and_the_old_ones_shown(project):
    own(project, "0.000001")
    observation = stored(project.id, model="mine", provided_usage={"input": 2000})
    own(project, "0.000003", "2026-01-01T00:00:00Z")
    got = explain(observation, catalogue_for(project.id))
    assert (got.is_current, got.total, got.total_now) == (False, Decimal("0.002"), Decimal("0.006"))
    [line] = got.lines
    assert (line.price, line.amount) == (Decimal("0.000001"), Decimal("0.002"))


def test_a_price_of_a_later_day_changes_nothing_before_it(project):
    own(project, "0.000001")
    observation = stored(project.id, model="mine", provided_usage={"input": 2000})
    own(project, "0.000003", "2026-12-01T00:00:00Z")
    assert explain(observation, catalogue_for(project.id)).is_current


def test_free_is_a_price(project):
    own(project, "0")
    got = told(project.id, model="mine", provided_usage={"input": 2000})
    assert (got.total, got.reason, got.unpriced) == (0, None, ())


def test_a_price_for_the_total_is_a_line_of_its_own(project):
    model = Model.objects.create(project=project, name="flat", match_pattern="^flat$")
    PricingTier.objects.create(model=model, name="Standard", is_default=True, prices={"total": "0.01"})
    forget_catalogues()
    got = told(project.id, model="flat", provided_usage={"input": 2, "output": 1})
    lines = {line.key: line for line in got.lines}
    assert (lines["total"].units, lines["total"].amount, lines["total"].origin) == (3, Decimal("0.03"), Origin.ADDED_UP)
    assert got.total == Decimal("0.03")
    assert got.unpriced == ()
