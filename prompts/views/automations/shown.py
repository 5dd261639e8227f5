"""Automations and what they told, as pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

import orjson
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.access import ProjectScope
from prompts.actions.sending import KEPT, MOST_FAILURES, MOST_TRIES
from prompts.drawing import prompt_url
from prompts.models import Attempt, Automation, Delivery, DeliveryStatus, OffReason, PromptAction
from prompts.queries.automations import Listed

#: class of the tag that says how a delivery ended
_LOOKS = {
    DeliveryStatus.WAITING: "running",
    DeliveryStatus.DELIVERED: "good",
    DeliveryStatus.FAILED: "level",
    DeliveryStatus.DROPPED: "",
}
_ACTIONS: dict[str, str | Promise] = {
    PromptAction.CREATED: gettext_lazy("created"),
    PromptAction.UPDATED: gettext_lazy("updated"),
    PromptAction.DELETED: gettext_lazy("deleted"),
}
#: patterns, labels and headers that a row names; the rest is counted
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class ShownDelivery:
    """One delivery; `attempts` only where they are at hand."""

    delivery: Delivery

    @property
    def status(self) -> str:
        return str(DeliveryStatus(self.delivery.status).label)

    @property
    def look(self) -> str:
        return _LOOKS[DeliveryStatus(self.delivery.status)]

    @property
    def action(self) -> str:
        return str(_ACTIONS[self.delivery.event.action])

    @property
    def is_open(self) -> bool:
        return self.delivery.status == DeliveryStatus.WAITING

    @property
    def url(self) -> str:
        project_id = self.delivery.automation.project_id
        return f"{reverse('prompts:automation-delivery', args=[project_id])}?delivery={self.delivery.pk}"

    @property
    def prompt_url(self) -> str:
        """Empty for a test, and for what is not there any more."""
        event = self.delivery.event
        if event.is_test or event.action == PromptAction.DELETED:
            return ""
        return prompt_url(event.project_id, event.prompt_name, event.number)

    @property
    def last(self) -> Attempt | None:
        attempts = list(self.delivery.attempts.all())
        return attempts[-1] if attempts else None

    @property
    def is_retried(self) -> bool:
        return self.is_open and self.delivery.tries > 0

    @property
    def attempts(self) -> list[ShownAttempt]:
        """The last one first."""
        return [ShownAttempt(one, self.delivery) for one in reversed(self.delivery.attempts.all())]


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    attempt: Attempt
    delivery: Delivery

    @property
    def microseconds(self) -> float | None:
        return None if self.attempt.seconds is None else self.attempt.seconds * 1_000_000

    @property
    def is_cut_short(self) -> bool:
        """Nobody came back from it."""
        ended = self.delivery.status != DeliveryStatus.WAITING
        return self.attempt.seconds is None and (ended or self.attempt.number < self.delivery.tries)

    @property
    def is_on_its_way(self) -> bool:
        return self.attempt.seconds is None and not self.is_cut_short

    @property
    def is_request_cut(self) -> bool:
        return self.attempt.request_bytes > len(self.attempt.request_body.encode())

    @property
    def request_body(self) -> str:
        return _readable(self.attempt.request_body)

    @property
    def response_body(self) -> str:
        return _readable(self.attempt.response_body)

    @property
    def request_id(self) -> str:
        """Of the element that is copied, as is the next one."""
        return f"request-body-{self.attempt.number}"

    @property
    def response_id(self) -> str:
        return f"response-body-{self.attempt.number}"

    @property
    def kept(self) -> int:
        return KEPT


def _readable(text: str) -> str:
    """JSON on lines of its own; all else as it is."""
    try:
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return text


@dataclass(frozen=True, slots=True)
class ShownAutomation:
    automation: Automation
    listed: Listed | None = None

    @property
    def url(self) -> str:
        return address("detail", self.automation)

    @property
    def kind(self) -> str:
        return str(self.automation.get_kind_display())

    @property
    def events(self) -> str:
        return ", ".join(str(_ACTIONS[one]) for one in self.automation.events)

    @property
    def event_titles(self) -> list[str]:
        return [str(PromptAction(one).label) for one in self.automation.events]

    @property
    def names(self) -> str:
        return _named(self.automation.names) or _("all prompts")

    @property
    def labels(self) -> str:
        return _named(self.automation.labels)

    @property
    def state(self) -> str:
        return _("on") if self.automation.is_on else _("off")

    @property
    def look(self) -> str:
        if self.automation.is_on:
            return "good"
        return "level" if self.automation.off_reason else ""

    @property
    def why_off(self) -> str:
        """Empty where a person switched it off, or nobody did."""
        if self.automation.off_reason == OffReason.GONE:
            return _("The receiver answered 410: it wants nothing any more.")
        if self.automation.off_reason == OffReason.FAILURES:
            return _("%(number)d deliveries in a row failed, each after %(tries)d attempts.") % {
                "number": MOST_FAILURES,
                "tries": MOST_TRIES,
            }
        return ""

    @property
    def warning(self) -> str:
        """How close it is to being switched off."""
        failures = self.automation.failures
        if not self.automation.is_on or not failures:
            return ""
        return ngettext(
            "The last delivery failed for good. After %(most)d in a row it is switched off.",
            "The last %(number)d deliveries failed for good. After %(most)d in a row it is switched off.",
            failures,
        ) % {"number": failures, "most": MOST_FAILURES}

    @property
    def last(self) -> ShownDelivery | None:
        return ShownDelivery(self.listed.last) if self.listed and self.listed.last else None


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return _("%(names)s and %(number)d more") % {"names": shown, "number": more} if more > 0 else shown


def address(page: str, automation: Automation, **parameters: str) -> str:
    query = urlencode({"automation": automation.pk, **parameters})
    return f"{reverse(f'prompts:automation-{page}', args=[automation.project_id])}?{query}"


def list_address(scope: ProjectScope) -> str:
    return reverse("prompts:automation-list", args=[scope.project_id])
