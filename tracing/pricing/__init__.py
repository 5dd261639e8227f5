"""What a model call costs: recognising models, choosing the tier, multiplying, explaining."""

from tracing.pricing.catalogue import Catalogue, catalogue_for, forget_catalogues
from tracing.pricing.cost import CostLine, Explanation, explain, units_of
from tracing.pricing.patterns import compile_pattern
from tracing.pricing.rates import PricedModel, Tier, priced_model

__all__ = [
    "Catalogue",
    "CostLine",
    "Explanation",
    "PricedModel",
    "Tier",
    "catalogue_for",
    "compile_pattern",
    "explain",
    "forget_catalogues",
    "priced_model",
    "units_of",
]
