"""`{% jobs_indicator %}`: what the reader waits for, in the bar of every page of a project."""

from __future__ import annotations

from typing import Any

from django import template

from accounts.access import ProjectScope
from tracing.views.jobs import indicator

register = template.Library()


@register.inclusion_tag("tracing/_jobs_indicator.html", takes_context=True)
def jobs_indicator(context: dict[str, Any]) -> dict[str, Any]:
    scope = context.get("scope")
    if not isinstance(scope, ProjectScope) or not scope.user_id:
        return {}
    return {"scope": scope, **indicator(scope, [])}
