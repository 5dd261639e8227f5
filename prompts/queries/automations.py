"""Automations of a project, and what they told whom."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Max, Q, QuerySet

from accounts.access import ProjectScope
from accounts.roles import Role
from config.errors import NotFound
from prompts.models import Automation, Delivery, DeliveryStatus
from tracing.queries.paging import Keyed, cut

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Listed:
    """`last` is what it told most recently, tests aside; `waiting` is on its way."""

    automation: Automation
    last: Delivery | None
    waiting: int


def list_automations(scope: ProjectScope) -> list[Listed]:
    """By name."""
    scope.require(Role.VIEWER)
    found = list(Automation.objects.filter(project_id=scope.project_id).order_by("name", "id"))
    real = Delivery.objects.filter(automation__in=found, event__is_test=False).order_by()
    counted = real.values("automation_id").annotate(
        last=Max("id", filter=Q(tries__gt=0)), waiting=Count("id", filter=Q(status=DeliveryStatus.WAITING))
    )
    lasts, waiting = {}, {}
    for row in counted:
        lasts[row["automation_id"]], waiting[row["automation_id"]] = row["last"], row["waiting"]
    told = Delivery.objects.select_related("event").in_bulk([last for last in lasts.values() if last])
    return [Listed(one, told.get(lasts.get(one.pk) or 0), waiting.get(one.pk, 0)) for one in found]


def get_automation(scope: ProjectScope, automation_id: str) -> Automation:
    """Raises NotFound, for those of other projects too."""
    scope.require(Role.VIEWER)
    # PostgreSQL refuses NUL in text.
    known = Automation.objects.filter(project_id=scope.project_id).select_related("project")
    found = None if "\x00" in automation_id else known.filter(pk=automation_id).first()
    if found is None:
        raise NotFound("There is no such automation.")
    return found


def get_delivery(scope: ProjectScope, delivery_id: str) -> Delivery:
    """Raises NotFound, for those of other projects too."""
    scope.require(Role.VIEWER)
    found = None
    if _is_id(delivery_id):
        known = Delivery.objects.filter(automation__project_id=scope.project_id, pk=int(delivery_id))
        found = known.select_related("automation__project", "event").first()
    if found is None:
        raise NotFound("There is no such delivery. They are kept for 30 days.")
    return found


def list_deliveries(
    scope: ProjectScope, automation: Automation, *, status: str = "", before: str = "", limit: int = 50
) -> Keyed[Delivery]:
    """Newest first. `before` is a cursor of an earlier page; what is none begins anew."""
    found = _deliveries(scope, automation).select_related("event").prefetch_related("attempts")
    if status in DeliveryStatus.values:
        found = found.filter(status=status)
    if _is_id(before):
        found = found.filter(pk__lt=int(before))
    return cut(list(found.order_by("-id")[: limit + 1]), limit, lambda one: str(one.pk))


def count_deliveries(scope: ProjectScope, automation: Automation) -> dict[str, int]:
    """Status -> how many, of those that are kept."""
    found = _deliveries(scope, automation).order_by().values("status").annotate(number=Count("id"))
    return {row["status"]: row["number"] for row in found}


def _deliveries(scope: ProjectScope, automation: Automation) -> QuerySet[Delivery]:
    scope.require(Role.VIEWER)
    return Delivery.objects.filter(automation=automation, automation__project_id=scope.project_id)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _LARGEST_ID
