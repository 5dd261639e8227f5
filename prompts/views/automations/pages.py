"""Automations: listed, added, edited, tried, looked into, switched on and off, deleted."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.queries import get_project
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Conflict, Invalid
from config.posting import posted_from
from config.rendering import render_page
from prompts.actions import automations as actions
from prompts.models import Automation, AutomationKind, Delivery, DeliveryStatus, PromptAction
from prompts.queries.automations import (
    count_deliveries,
    get_automation,
    get_delivery,
    list_automations,
    list_deliveries,
)
from prompts.views.automations import drafts
from prompts.views.automations.drafts import CHOICES, Draft
from prompts.views.automations.shown import ShownAutomation, ShownDelivery, address, list_address

#: names as programs write them, in any language
_EXAMPLES = {
    "url": {
        AutomationKind.WEBHOOK: "https://example.com/hooks/prompts",
        AutomationKind.SLACK: "https://hooks.slack.com/services/…",
        AutomationKind.GITHUB: actions.GITHUB,
    },
    "names": "movie-critic\nsupport/\nagent-*",
    "labels": "production",
    "header": "X-Team: search",
    "repository": "acme/prompts",
    "event_type": "prompt-changed",
}


@require_safe
@project_page(Role.VIEWER)
def automation_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    rows = [ShownAutomation(one.automation, one) for one in list_automations(scope)]
    context = {**_frame(scope), "rows": rows, "given_up": [row for row in rows if row.automation.off_reason]}
    return render_page(request, "prompts/automation_list.html", context)


@require_safe
@project_page(Role.ADMIN)
def automation_new(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """What is told? Then (`kind`) its form."""
    choice = CHOICES.get(request.GET.get("kind", ""))
    if choice is None:
        page = reverse("prompts:automation-new", args=[scope.project_id])
        context = {**_frame(scope), "choices": [(one, f"{page}?kind={one.kind}") for one in CHOICES.values()]}
        return render_page(request, "prompts/automation_choose.html", context)
    return _form(request, scope, drafts.blank(choice))


@never_cache
@posted_from("prompts:automation-new")
@project_page(Role.ADMIN)
def automation_create(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Shows the secret in the answer itself: for a redirect it would have to be kept somewhere."""
    draft = drafts.of_post(request.POST, None)
    try:
        automation, secret = actions.create_automation(scope, draft.given(None), actor=Actor.of(request))
    except (Invalid, Conflict) as refusal:
        return _refused(request, scope, draft, refusal)
    if secret:
        return _detail(request, scope, automation, secret=secret)
    messages.success(request, _("The automation “%(name)s” is saved.") % {"name": automation.name})
    return see_other(address("detail", automation))


@require_safe
@project_page(Role.ADMIN)
def automation_edit(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    automation = get_automation(scope, request.GET.get("automation", ""))
    return _form(request, scope, drafts.of_automation(automation), automation)


@never_cache
@posted_from("prompts:automation-list")
@project_page(Role.ADMIN)
def automation_update(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    known = get_automation(scope, request.POST.get("automation", ""))
    draft = drafts.of_post(request.POST, known)
    try:
        saved = actions.change_automation(scope, known.pk, draft.given(known), actor=Actor.of(request))
    except (Invalid, Conflict) as refusal:
        return _refused(request, scope, draft, refusal, known)
    messages.success(request, _("The automation “%(name)s” is saved.") % {"name": saved.name})
    return see_other(address("detail", saved))


@require_safe
@project_page(Role.VIEWER)
def automation_detail(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """What it is, and its history: `status` chooses, `before` goes on."""
    return _detail(request, scope, get_automation(scope, request.GET.get("automation", "")))


@require_safe
@project_page(Role.VIEWER)
def automation_delivery(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    delivery = get_delivery(scope, request.GET.get("delivery", ""))
    context = {**_frame(scope), **_about(delivery)}
    return render_page(request, "prompts/automation_delivery.html", context, fragment="delivery")


@posted_from("prompts:automation-list")
@project_page(Role.ADMIN)
def automation_test(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    delivery = actions.send_test(scope, request.POST.get("automation", ""))
    return see_other(ShownDelivery(delivery).url)


@posted_from("prompts:automation-list")
@project_page(Role.ADMIN)
def automation_again(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    given = request.POST.get("delivery", "")
    try:
        delivery = actions.send_again(scope, given)
    except Conflict as refusal:
        messages.error(request, refusal.message)
        delivery = get_delivery(scope, given)
    return see_other(ShownDelivery(delivery).url)


@never_cache
@posted_from("prompts:automation-list")
@project_page(Role.ADMIN)
def automation_secret(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """A new secret, in the answer itself."""
    given = request.POST.get("automation", "")
    try:
        automation, secret = actions.renew_secret(scope, given, actor=Actor.of(request))
    except Conflict as refusal:
        messages.error(request, refusal.message)
        return see_other(address("detail", get_automation(scope, given)))
    return _detail(request, scope, automation, secret=secret)


@posted_from("prompts:automation-list")
@project_page(Role.ADMIN)
def automation_switch(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    is_on = request.POST.get("on") == "1"
    automation = actions.switch(scope, request.POST.get("automation", ""), on=is_on, actor=Actor.of(request))
    said = _("The automation “%(name)s” is on.") if is_on else _("The automation “%(name)s” is off.")
    messages.success(request, said % {"name": automation.name})
    return see_other(address("detail", automation))


@posted_from("prompts:automation-list")
@project_page(Role.ADMIN)
def automation_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    automation = actions.delete_automation(scope, request.POST.get("automation", ""), actor=Actor.of(request))
    messages.success(request, _("The automation “%(name)s” is deleted.") % {"name": automation.name})
    return see_other(list_address(scope))


# --- What pages show --------------------------------------------------------------------------------------
def _detail(request: HttpRequest, scope: ProjectScope, automation: Automation, *, secret: str = "") -> HttpResponse:
    status = request.GET.get("status", "")
    page = list_deliveries(scope, automation, status=status, before=request.GET.get("before", ""))
    counts = count_deliveries(scope, automation)
    rows = [ShownDelivery(one) for one in page.items]
    context = {
        **_frame(scope),
        "automation": automation,
        "shown": ShownAutomation(automation),
        "secret": secret,
        "rows": rows,
        "page": page,
        "has_open": any(row.is_open for row in rows),
        "tabs": _tabs(automation, counts),
        "status": status if status in DeliveryStatus.values else "",
        "total": sum(counts.values()),
        "here": address("detail", automation),
    }
    return render_page(request, "prompts/automation_detail.html", context, fragment="history")


def _tabs(automation: Automation, counts: dict[str, int]) -> list[tuple[str, str, int, str]]:
    """Status, label, how many, address."""
    every = [("", _("All"), sum(counts.values()), address("detail", automation))]
    return every + [
        (status.value, str(status.label), counts[status], address("detail", automation, status=status.value))
        for status in DeliveryStatus
        if counts.get(status)
    ]


def _about(delivery: Delivery) -> dict[str, Any]:
    return {
        "automation": delivery.automation,
        "delivery": delivery,
        "event": delivery.event,
        "shown": ShownDelivery(delivery),
        "back": address("detail", delivery.automation),
        "may_send": delivery.automation.is_on or delivery.event.is_test,
    }


def _refused(
    request: HttpRequest,
    scope: ProjectScope,
    draft: Draft,
    refusal: Invalid | Conflict,
    known: Automation | None = None,
) -> HttpResponse:
    issues = refusal.issues if isinstance(refusal, Invalid) else None
    draft.errors = {str(issue["path"][0]): str(issue["message"]) for issue in issues or ()}  # type: ignore[index]
    return _form(request, scope, draft, known, problem="" if issues else refusal.message, status=422)


def _form(
    request: HttpRequest,
    scope: ProjectScope,
    draft: Draft,
    known: Automation | None = None,
    *,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        **_frame(scope),
        "draft": draft,
        "known": known,
        "problem": problem,
        "actions": [(one.value, one.label) for one in PromptAction],
        "examples": _EXAMPLES,
        "url_example": _EXAMPLES["url"][AutomationKind(draft.kind)],  # type: ignore[index]
        "back": address("detail", known) if known else list_address(scope),
    }
    return render_page(request, "prompts/automation_form.html", context, status=status)


def _frame(scope: ProjectScope) -> dict[str, Any]:
    return {"scope": scope, "project": get_project(scope), "may_edit": scope.role.allows(Role.ADMIN)}
