"""A project's own models: created, replaced, deleted. Ingestion knows them at once here, within seconds elsewhere."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.models import Project
from accounts.roles import Role
from config.errors import Invalid, NotFound
from tracing.models import Model, PricingTier
from tracing.models.prices import LONGEST_ID
from tracing.pricing import forget_catalogues
from tracing.pricing.definition import ModelDefinition, TierDefinition
from tracing.queries.models import UNKNOWN
from tracing.queries.prices import forget_unit_prices


@transaction.atomic
def create_model(scope: ProjectScope, definition: ModelDefinition, *, actor: Actor) -> Model:
    """Raises Invalid when the project has a model of that name."""
    _begin(scope)
    model = Model(project_id=scope.project_id)
    _put(model, definition)
    record(actor, "model.create", model, after=_facts(model))
    return model


@transaction.atomic
def put_model(scope: ProjectScope, model_id: str, definition: ModelDefinition, *, actor: Actor) -> Model:
    """Creates the model under this id or replaces the one that has it. Ids are a project's own: what others chose is
    neither seen nor touched. Raises Invalid for a built-in model, and when another one has that name."""
    if not model_id or len(model_id) > LONGEST_ID:
        raise Invalid(f"The id of a model has 1 to {LONGEST_ID} characters.")
    _begin(scope)
    if Model.objects.filter(Model.is_called(model_id), project=None).exists():
        raise Invalid("This model is built in and cannot be changed. Create one of the same name to override it.")
    model = _own(scope, model_id)
    if model is None:
        model = Model(project_id=scope.project_id, chosen_id=model_id)
        _put(model, definition)
        record(actor, "model.create", model, after=_facts(model))
    else:
        before = _facts(model)
        _put(model, definition)
        record(actor, "model.update", model, before=before, after=_facts(model))
    return model


@transaction.atomic
def delete_model(scope: ProjectScope, model_id: str, *, actor: Actor) -> None:
    """Costs that were computed with it stay. Raises NotFound, for built-in models too."""
    _begin(scope)
    model = _own(scope, model_id)
    if model is None:
        raise NotFound(
            f"{UNKNOWN} Note: You cannot delete built-in models, override them with a model with the same name."
        )
    record(actor, "model.delete", model, before=_facts(model))
    model.delete()


def _begin(scope: ProjectScope) -> None:
    """Changes of one project's models wait for each other, so that names and ids stay unique."""
    scope.require(Role.MEMBER)
    Project.objects.select_for_update().get(pk=scope.project_id)
    transaction.on_commit(forget_catalogues)
    transaction.on_commit(forget_unit_prices)


def _own(scope: ProjectScope, model_id: str) -> Model | None:
    return Model.objects.filter(Model.is_called(model_id), project_id=scope.project_id).first()


def _put(model: Model, definition: ModelDefinition) -> None:
    """A price that changed is a definition more, of the same name, with a start of its own."""
    same = Model.objects.filter(project_id=model.project_id, name=definition.name, start_date=definition.start_date)
    if same.exclude(pk=model.pk).exists():
        raise Invalid(f"Model name '{definition.name}' already exists in project")
    model.name, model.match_pattern = definition.name, definition.match_pattern
    model.unit, model.start_date = definition.unit, definition.start_date
    model.tokenizer, model.tokenizer_config = definition.tokenizer, definition.tokenizer_config
    model.save()
    known = dict(model.tiers.values_list("name", "pk"))  # what was priced with a tier goes on naming it
    model.tiers.all().delete()
    PricingTier.objects.bulk_create(_tier(model, tier, known) for tier in definition.tiers)


def _tier(model: Model, tier: TierDefinition, known: dict[str, str]) -> PricingTier:
    row = PricingTier(
        model=model,
        name=tier.name,
        is_default=tier.is_default,
        priority=tier.priority,
        conditions=list(tier.conditions),
        prices={key: f"{price:f}" for key, price in tier.prices.items()},
    )
    row.pk = known.get(tier.name, row.pk)
    return row


def _facts(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "match_pattern": model.match_pattern,
        "unit": model.unit,
        "start_date": model.start_date.isoformat() if model.start_date else None,
        "tokenizer": model.tokenizer,
        "tiers": {tier.name: tier.prices for tier in model.tiers.all()},
    }
