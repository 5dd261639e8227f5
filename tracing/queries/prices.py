"""Unit prices of models, as lists show them beside each observation."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q

from accounts.access import ProjectScope
from tracing.models.prices import Model, PricingTier

#: A price that was changed elsewhere may show the old figure beside old observations this long.
_SECONDS = 30.0
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """US dollars per unit in the default tier; None where the model has no such price."""

    input: Decimal | None = None
    output: Decimal | None = None
    total: Decimal | None = None


UNKNOWN = UnitPrices()
_known: dict[tuple[str, str], tuple[float, UnitPrices]] = {}


def unit_prices(scope: ProjectScope, model_ids: set[str]) -> dict[str, UnitPrices]:
    """By model id, for the models that are built in or the project's own."""
    now = time.monotonic()
    wanted = {model_id for model_id in model_ids if model_id}
    with _lock:
        fresh = {
            key[1]: known[1]
            for key in ((scope.project_id, m) for m in wanted)
            if (known := _known.get(key)) and known[0] > now
        }
    missing = wanted - fresh.keys()
    if not missing:
        return fresh
    read = dict.fromkeys(missing, UNKNOWN) | _read(scope, missing)
    with _lock:
        if len(_known) > 10_000:
            _known.clear()
        _known.update({(scope.project_id, model_id): (now + _SECONDS, prices) for model_id, prices in read.items()})
    return fresh | read


def forget_unit_prices() -> None:
    """See changes at once in this process."""
    with _lock:
        _known.clear()


def _read(scope: ProjectScope, model_ids: set[str]) -> dict[str, UnitPrices]:
    visible = Q(project_id=scope.project_id) | Q(project=None)
    models = Model.objects.filter(visible, Model.is_called(*model_ids))
    tiers = PricingTier.objects.filter(is_default=True, model__in=models).select_related("model")
    return {
        tier.model.public_id: UnitPrices(*(_price(tier.prices.get(key)) for key in ("input", "output", "total")))
        for tier in tiers
    }


def _price(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))
