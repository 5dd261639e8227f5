"""Under which name a call is traced, so that its price is found."""

from __future__ import annotations

from datetime import datetime

from tracing.pricing.catalogue import catalogue_for


def traced_model(project_id: str, asked: str, answered: str, at: datetime) -> str:
    """The model that answered, unless only the one that was asked for has a price: some servers answer with the name of
    a file."""
    if not answered or answered == asked:
        return asked
    catalogue = catalogue_for(project_id)
    if catalogue.match(answered, at) is None and catalogue.match(asked, at) is not None:
        return asked
    return answered
