"""The parameter `filter`, which many lists share."""

from __future__ import annotations

from config.api.describe import parameter

FILTER = parameter(
    "filter",
    "Conditions as a JSON list, all of which must hold: objects with `type`, `column`, `operator`, `value`, and `key` "
    "for columns that are objects. A condition on a field replaces the parameter of the same field.",
    example='[{"type":"string","column":"name","operator":"contains","value":"chat"}]',
)
