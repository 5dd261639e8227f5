"""Costs added up by the store: of a trace, and of the names that a project sends."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from accounts.access import scope_for_task
from tests.factories import make_project
from tests.tracing.page_data import put_trace
from tracing.queries.cost import cost_of_trace, list_observed_models
from tracing.queries.periods import Period

pytestmark = pytest.mark.usefixtures("workspace")

D = Decimal


def call(model, usage, cost, **fields):
    cost = {key: D(amount) for key, amount in cost.items()}
    total = {"total_tokens": sum(n for k, n in usage.items() if k != "total"), "total_cost": cost.get("total", D(0))}
    return {"type": "GENERATION", "model": model, "usage": usage, "cost": cost, **total, **fields}


CALLS = (
    call("gpt-4o", {"input": 1000, "output": 10}, {"input": "0.0025", "output": "0.0001", "total": "0.0026"}),
    call("gpt-4o", {"input": 2000, "rays": 5}, {"input": "0.005", "total": "0.005"}),
    call("free", {"input": 7}, {"input": "0", "total": "0"}),
    call("nobody", {"input": 9}, {}),
    call("sent", {"input": 3}, {"total": "1"}, provided_cost={"total": D(1)}),
    {"name": "a plain span"},
)


def test_a_traces_cost_by_model_tier_and_kind(project):
    traced = put_trace(project.id, *CALLS)
    put_trace(project.id, *CALLS)  # another trace
    groups = {group.model: group for group in cost_of_trace(scope_for_task(project.id), traced.trace)}
    assert list(groups) == ["sent", "gpt-4o", "free", "nobody"]
    assert (groups["gpt-4o"].calls, groups["gpt-4o"].total, groups["gpt-4o"].units) == (2, D("0.0076"), 3015)
    kinds = {kind.key: (kind.units, kind.amount, kind.price_per_million) for kind in groups["gpt-4o"].kinds}
    assert kinds["input"] == (3000, D("0.0075"), D("2.5"))
    assert kinds["rays"] == (5, None, None)
    assert (groups["free"].is_unpriced, groups["free"].kinds[0].amount) == (False, 0)
    assert groups["nobody"].is_unpriced
    assert groups["sent"].is_provided


def test_observed_names_say_what_has_no_price(project):
    put_trace(project.id, *CALLS)
    put_trace(make_project().id, call("of somebody else", {"input": 9}, {}))
    found = {model.name: model for model in list_observed_models(scope_for_task(project.id), Period.named("30d"))}
    assert found.keys() == {"gpt-4o", "free", "nobody", "sent"}
    assert (found["gpt-4o"].calls, found["gpt-4o"].unpriced_calls) == (2, 0)
    assert found["gpt-4o"].unpriced_kinds == ("rays",)
    assert (found["nobody"].unpriced_calls, found["nobody"].unpriced_kinds) == (1, ("input",))
    assert not found["free"].is_unpriced
    assert not found["sent"].is_unpriced
    assert found["gpt-4o"].cost == D("0.0076")


def test_observed_names_of_a_period(project):
    put_trace(project.id, call("old", {"input": 9}, {}), at=datetime(2020, 1, 1, tzinfo=UTC))
    scope = scope_for_task(project.id)
    assert list_observed_models(scope, Period.named("30d")) == []
    assert [model.name for model in list_observed_models(scope, Period.named("all"))] == ["old"]
    assert list_observed_models(scope, Period.named("all"), names=["new"]) == []
