"""What rows of sessions and users need of templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def named(values: Mapping[str, Any], name: str) -> Any:
    """The value of a name; None where there is none."""
    return values.get(name)
