"""Models and their prices: the built-in ones, and those that a project defines."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from config.api.admin_key import ProjectOrAdminView
from config.api.describe import PAGE, Message, describe
from config.api.values import as_number, iso
from tracing import actions
from tracing.api import present
from tracing.api.model_bodies import read_model
from tracing.api.params import Params
from tracing.api.shapes import models as shapes
from tracing.models import Model, PricingTier
from tracing.queries import models

_PATTERN = (
    "`matchPattern` is a regular expression, searched in the name of the model that was called. It takes linear time, "
    "whatever the name, so it has neither look-around nor back-references. Put `(?i)` first to ignore case."
)
_EXAMPLE = {
    "modelName": "my-model",
    "matchPattern": "(?i)^my-model(-v\\d+)?$",
    "unit": "TOKENS",
    "inputPrice": 0.000001,
    "outputPrice": 0.000002,
}


class Models(ProjectOrAdminView):
    @describe("List models", query=PAGE, answer=shapes.ModelList, text="The project's own and the built-in ones.")
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        params.check()
        page = models.list_models(self.scope, number)
        return Response({"data": [_item(request, model) for model in page.items], "meta": present.meta(page)})

    @describe("Create a model", body=shapes.NewModel, answer=shapes.ModelItem, text=_PATTERN, example=_EXAMPLE)
    def post(self, request: Request) -> Response:
        model = actions.create_model(self.scope, read_model(self.body()), actor=self.actor)
        return Response(_item(request, model))


class OneModel(ProjectOrAdminView):
    @describe("Read a model", answer=shapes.ModelItem)
    def get(self, request: Request, model_id: str) -> Response:
        return Response(_item(request, models.get_model(self.scope, model_id)))

    @describe(
        "Create or replace a model",
        body=shapes.NewModel,
        answer=shapes.ModelItem,
        text=f"The id is yours to choose; a built-in model is not replaced. {_PATTERN}",
        example=_EXAMPLE,
    )
    def put(self, request: Request, model_id: str) -> Response:
        model = actions.put_model(self.scope, model_id, read_model(self.body()), actor=self.actor)
        return Response(_item(request, model))

    @describe("Delete a model", answer=Message, text="Only the project's own. What was priced with it keeps its cost.")
    def delete(self, request: Request, model_id: str) -> Response:
        actions.delete_model(self.scope, model_id, actor=self.actor)
        return Response({"message": "Model successfully deleted"})


def _item(request: Request, model: Model) -> dict[str, Any]:
    tiers = sorted(model.tiers.all(), key=lambda tier: tier.priority)
    if _knows_usage_only(request):
        tiers = [tier for tier in tiers if not any("source" in each for each in tier.conditions)]
    prices = next((_prices(tier) for tier in tiers if tier.is_default), {})
    return {
        "id": model.public_id,
        "modelName": model.name,
        "matchPattern": model.match_pattern,
        "startDate": iso(model.start_date) if model.start_date else None,
        "unit": model.unit or None,
        "inputPrice": prices.get("input"),
        "outputPrice": prices.get("output"),
        "totalPrice": prices.get("total"),
        "tokenizerId": model.tokenizer or None,
        "tokenizerConfig": model.tokenizer_config or None,
        "isLangfuseManaged": model.is_builtin,
        "createdAt": iso(model.created_at),
        "prices": {key: {"price": price} for key, price in prices.items()},
        "pricingTiers": [
            {
                "id": tier.id,
                "name": tier.name,
                "isDefault": tier.is_default,
                "priority": tier.priority,
                "conditions": [_condition(each) for each in tier.conditions],
                "prices": _prices(tier),
            }
            for tier in tiers
        ],
    }


def _knows_usage_only(request: Request) -> bool:
    """Python's clients 3 have no type for a condition on an attribute: one such tier, and a whole page fails there."""
    client, version = (request.headers.get(f"X-Langfuse-Sdk-{word}", "") for word in ("Name", "Version"))
    return client == "python" and version.startswith("3.")


def _condition(condition: dict[str, Any]) -> dict[str, Any]:
    """Clients need `caseSensitive` of each condition on usage; those that come with the product do not spell it out."""
    return condition if "source" in condition else {"caseSensitive": False, **condition}


def _prices(tier: PricingTier) -> dict[str, int | float]:
    # By way of the text: a row that was edited by hand may hold numbers.
    return {key: as_number(Decimal(str(price))) for key, price in tier.prices.items()}
