"""What a model call costs: recognising models, choosing the tier, multiplying, explaining."""

from tracing.pricing.catalogue import Catalogue, catalogue_for, forget_catalogues
from tracing.pricing.cost import units_of
from tracing.pricing.explanation import CostLine, Explanation, Origin, Reason, explain, tried_tiers
from tracing.pricing.patterns import compile_pattern
from tracing.pricing.rates import Call, PricedModel, Tier, priced_model

__all__ = [
    "Call",
    "Catalogue",
    "CostLine",
    "Explanation",
    "Origin",
    "PricedModel",
    "Reason",
    "Tier",
    "catalogue_for",
    "compile_pattern",
    "explain",
    "forget_catalogues",
    "priced_model",
    "tried_tiers",
    "units_of",
]
