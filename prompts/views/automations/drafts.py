"""An automation while somebody edits it. Tokens, values of headers and addresses that are keys are not shown again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from config.sealing import Unreadable
from prompts.actions.automations import GITHUB, Given
from prompts.headers import typed_headers
from prompts.models import Automation, AutomationKind, PromptAction

_LONGEST = 200_000


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to begin; `about` says what to have at hand."""

    kind: AutomationKind
    about: str | Promise

    @property
    def title(self) -> str:
        return str(self.kind.label)


CHOICES = {
    choice.kind.value: choice
    for choice in (
        Choice(AutomationKind.WEBHOOK, _("A signed POST to an address of yours, as Langfuse sends it.")),
        Choice(AutomationKind.SLACK, _("A message in a channel: the address of an incoming webhook.")),
        Choice(AutomationKind.GITHUB, _("A repository dispatch that starts workflows: a token and a repository.")),
    )
}


@dataclass
class Draft:
    kind: str
    name: str = ""
    url: str = ""
    events: list[str] = field(default_factory=lambda: list(PromptAction.values))
    #: one a line
    names: str = ""
    labels: str = ""
    #: names of headers that are there and stay
    kept_headers: list[str] = field(default_factory=list)
    repository: str = ""
    event_type: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    # Typed, and not rendered.
    token: str = ""
    headers: str = ""

    @property
    def kind_title(self) -> str:
        return str(AutomationKind(self.kind).label)

    def given(self, known: Automation | None) -> Given:
        keeps_url = known is not None and not self.url and self.kind == AutomationKind.SLACK
        has_headers = self.kind == AutomationKind.WEBHOOK
        return Given(
            name=self.name,
            kind=self.kind,
            events=self.events,
            url=None if keeps_url else self.url,
            names=[line.strip() for line in self.names.splitlines() if line.strip()],
            labels=[word for word in re.split(r"[\s,]+", self.labels) if word],
            headers={**dict.fromkeys(self.kept_headers), **typed_headers(self.headers)} if has_headers else {},
            token=self.token or None,
            repository=self.repository if self.kind == AutomationKind.GITHUB else "",
            event_type=self.event_type if self.kind == AutomationKind.GITHUB else "",
        )


def blank(choice: Choice) -> Draft:
    return Draft(choice.kind.value, url=GITHUB if choice.kind is AutomationKind.GITHUB else "")


def of_automation(automation: Automation) -> Draft:
    return Draft(
        kind=automation.kind,
        name=automation.name,
        url=_shown_url(automation),
        events=list(automation.events),
        names="\n".join(automation.names),
        labels=" ".join(automation.labels),
        kept_headers=list(automation.header_names),
        repository=automation.repository,
        event_type=automation.event_type,
    )


def _shown_url(automation: Automation) -> str:
    """Whoever has the address of a channel can write there, so it is not shown again."""
    if automation.kind == AutomationKind.SLACK:
        return ""
    try:
        return automation.url
    except Unreadable:
        return ""


def of_post(data: QueryDict, known: Automation | None) -> Draft:
    """What was typed, as it was typed. The kind of an automation stays."""

    def text(name: str) -> str:
        return data.get(name, "").replace("\x00", "").strip()[:_LONGEST]

    kind = known.kind if known else text("kind")
    return Draft(
        kind=kind if kind in AutomationKind.values else AutomationKind.WEBHOOK.value,
        name=text("name"),
        url=text("url"),
        events=[one.replace("\x00", "") for one in data.getlist("event")],
        names=text("names"),
        labels=text("labels"),
        kept_headers=[name.replace("\x00", "") for name in data.getlist("keep")],
        repository=text("repository"),
        event_type=text("event_type"),
        token=text("token"),
        headers=text("headers"),
    )
