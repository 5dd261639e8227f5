"""`{% environment_menu %}`: the environments one works in, and the choice of others."""

from __future__ import annotations

from typing import Any

from django import template

from config.errors import SpanwiseError
from tracing.queries.environments import list_environments
from tracing.views.environments import PARAMETER, environments_from

register = template.Library()

#: what an address says about a place in a list, which another environment does not have
_PLACES = ("before", "after", "peek", "observation", PARAMETER)


@register.inclusion_tag("tracing/_environments.html", takes_context=True)
def environment_menu(context: dict[str, Any]) -> dict[str, Any]:
    request, scope = context["request"], context["scope"]
    chosen = environments_from(request.GET)
    try:
        seen = list_environments(scope)
    except SpanwiseError:
        seen = []  # the list itself says what is wrong
    names = [*seen, *(name for name in chosen if name not in seen)]
    carried = [(name, value) for name, values in request.GET.lists() if name not in _PLACES for value in values]
    return {"request": request, "chosen": chosen, "names": names, "carried": carried}
