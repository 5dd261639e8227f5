"""`{% settings_navigation %}`, `{% sign_up_is_open %}` and roles in words."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.utils.functional import Promise

from accounts.forms import ROLE_LABELS
from accounts.models import User
from accounts.roles import Role
from accounts.settings_navigation import Group, settings_groups

register = template.Library()


@register.simple_tag(takes_context=True)
def settings_navigation(context: dict[str, Any]) -> list[Group]:
    request = context["request"]
    if not isinstance(request.user, User):
        return []
    organization = context.get("organization")
    project = context.get("project") or (None if organization else context["frame"].project)
    return settings_groups(request, request.user, project=project, organization=organization)


@register.simple_tag
def sign_up_is_open() -> bool:
    return not settings.SIGN_UP_DISABLED


@register.filter
def role_label(role: str) -> str | Promise:
    return ROLE_LABELS[Role(role)]
