"""`{% range_steps period as steps %}`: the time ranges before, after and around a page's own."""

from __future__ import annotations

from django import template

from tracing.queries.periods import Period
from tracing.views.ranges import Steps, steps_from

register = template.Library()


@register.simple_tag
def range_steps(period: Period) -> Steps:
    return steps_from(period)
