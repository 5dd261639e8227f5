"""What can be done with automations: made, changed, switched on and off, tried, deleted."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.models import Project
from accounts.roles import Role
from config.api.values import to_json
from config.errors import Conflict, wrong
from config.outgoing import AddressRefused, Purpose, check_url
from config.sealing import Unreadable, masked, seal
from prompts import content
from prompts.actions import sending
from prompts.headers import headers_problem
from prompts.messages import sample_facts
from prompts.models import (
    LATEST,
    NAME_LENGTH,
    Automation,
    AutomationKind,
    Delivery,
    DeliveryStatus,
    PromptAction,
    PromptEvent,
)
from prompts.models.automations import ADDRESS_LENGTH, AUTOMATION_NAME_LENGTH, EVENT_TYPE_LENGTH
from prompts.queries.automations import get_automation, get_delivery

#: of one project; each change of a prompt looks at all of them
MOST_AUTOMATIONS = 50
GITHUB = "https://api.github.com"
_MOST_PATTERNS, _MOST_LABELS = 100, 50
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_LONGEST_TOKEN = 2_000


@dataclass(frozen=True, slots=True)
class Given:
    """What an automation is to be. None keeps what is there: address, token, or the value of a header."""

    name: str
    kind: str
    events: Sequence[str]
    url: str | None
    names: Sequence[str] = ()
    labels: Sequence[str] = ()
    headers: Mapping[str, str | None] = field(default_factory=dict)
    token: str | None = None
    repository: str = ""
    event_type: str = ""


def create_automation(scope: ProjectScope, given: Given, *, actor: Actor) -> tuple[Automation, str]:
    """The automation, and the secret that its messages are signed with, which is told this once; empty for kinds that
    are not signed. Raises Invalid by field, Conflict when there are too many."""
    _check(scope, None, given)
    with transaction.atomic():
        _lock(scope)
        if Automation.objects.filter(project_id=scope.project_id).count() >= MOST_AUTOMATIONS:
            raise Conflict(_("A project has at most %(most)d automations.") % {"most": MOST_AUTOMATIONS})
        automation = Automation(project_id=scope.project_id, kind=given.kind)
        secret = _sign_anew(automation) if given.kind == AutomationKind.WEBHOOK else ""
        _save(automation, given)
        record(actor, "automation.create", automation, after=_facts(automation))
    return automation, secret


def change_automation(scope: ProjectScope, automation_id: str, given: Given, *, actor: Actor) -> Automation:
    """Raises NotFound, and Invalid by field. Its kind stays."""
    _check(scope, get_automation(scope, automation_id), given)
    with transaction.atomic():
        _lock(scope)
        automation = _locked(scope, automation_id)
        before = _facts(automation)
        # What was checked before others changed it is checked again, but for the address.
        if problems := problems_of(automation, given):
            raise wrong(problems)
        _save(automation, given)
        record(actor, "automation.update", automation, before=before, after=_facts(automation))
    return automation


def renew_secret(scope: ProjectScope, automation_id: str, *, actor: Actor) -> tuple[Automation, str]:
    """From the next message on, the new one signs. Raises NotFound, and Conflict where nothing is signed."""
    scope.require(Role.ADMIN)
    with transaction.atomic():
        automation = _locked(scope, automation_id)
        if automation.kind != AutomationKind.WEBHOOK:
            raise Conflict(_("Only webhooks are signed."))
        before = automation.masked_secret
        secret = _sign_anew(automation)
        automation.save(update_fields=["sealed_secret", "masked_secret", "updated_at"])
        record(actor, "automation.secret", automation, before={"secret": before}, after=_secret_fact(automation))
    return automation, secret


def switch(scope: ProjectScope, automation_id: str, *, on: bool, actor: Actor) -> Automation:
    """On again, it begins with no failures. Off, what still waits is not sent. Raises NotFound."""
    scope.require(Role.ADMIN)
    with transaction.atomic():
        automation = _locked(scope, automation_id)
        if automation.is_on == on:
            return automation
        if on:
            automation.is_on, automation.off_reason, automation.off_at, automation.failures = True, "", None, 0
            automation.save(update_fields=["is_on", "off_reason", "off_at", "failures", "updated_at"])
        else:
            sending.switch_off(automation, None)
        action = "automation.on" if on else "automation.off"
        record(actor, action, automation, before={"is_on": not on}, after={"is_on": on})
    return automation


def delete_automation(scope: ProjectScope, automation_id: str, *, actor: Actor) -> Automation:
    """With its history. Raises NotFound."""
    scope.require(Role.ADMIN)
    with transaction.atomic():
        automation = _locked(scope, automation_id)
        record(actor, "automation.delete", automation, before=_facts(automation))
        Automation.objects.filter(pk=automation.pk).delete()
    return automation


def send_test(scope: ProjectScope, automation_id: str) -> Delivery:
    """Queues a message about a prompt that there is not, which is tried once and does not count. Raises NotFound."""
    scope.require(Role.ADMIN)
    now = timezone.now()
    with transaction.atomic():
        automation = get_automation(scope, automation_id)
        labels = [*dict.fromkeys([*automation.labels, LATEST])]
        event = PromptEvent.objects.create(
            project_id=scope.project_id,
            action=automation.events[0],
            prompt_name="spanwise-test",
            number=1,
            labels=labels,
            facts=to_json(sample_facts(scope.project_id, labels, now)).decode(),
            is_test=True,
            happened_at=now,
        )
        delivery = Delivery.objects.create(automation=automation, event=event, next_at=now)
        transaction.on_commit(sending.call_worker)
    return delivery


def send_again(scope: ProjectScope, delivery_id: str) -> Delivery:
    """The same message under the same id, behind all that waits; what still waits is tried at once. Raises NotFound,
    and Conflict while the automation is off."""
    scope.require(Role.ADMIN)
    with transaction.atomic():
        old = get_delivery(scope, delivery_id)
        if not (old.automation.is_on or old.event.is_test):
            raise Conflict(_("This automation is off. Switch it on first."))
        now = timezone.now()
        if old.status == DeliveryStatus.WAITING:
            Delivery.objects.filter(pk=old.pk, status=DeliveryStatus.WAITING).update(next_at=now)
            delivery = old
        else:
            delivery = Delivery.objects.create(key=old.key, automation=old.automation, event=old.event, next_at=now)
        transaction.on_commit(sending.call_worker)
    return delivery


def delete_project_automations(project_id: str) -> None:
    """Removes the automations of a project that was deleted, and what they told."""
    Automation.objects.filter(project_id=project_id).delete()
    PromptEvent.objects.filter(project_id=project_id).delete()


# --- Writing ----------------------------------------------------------------------------------------------
def _lock(scope: ProjectScope) -> None:
    """Changes of one project's automations wait for each other, so that names stay unique."""
    Project.objects.select_for_update().get(pk=scope.project_id)


def _locked(scope: ProjectScope, automation_id: str) -> Automation:
    Automation.objects.select_for_update().filter(pk=get_automation(scope, automation_id).pk).first()
    # Read once it is locked: somebody may have deleted it.
    return get_automation(scope, automation_id)


def _save(automation: Automation, given: Given) -> None:
    same = Automation.objects.filter(project_id=automation.project_id, name=given.name)
    if same.exclude(pk=automation.pk).exists():
        raise wrong({"name": _("Another automation has this name.")})
    automation.name, automation.events = given.name, [one for one in PromptAction.values if one in given.events]
    automation.names = list(dict.fromkeys(given.names))
    automation.labels = list(dict.fromkeys(given.labels))
    automation.repository, automation.event_type = given.repository, given.event_type
    try:
        _put_secrets(automation, given)
    except Unreadable as error:
        raise wrong({"url": error.message}) from None
    automation.save()


def _put_secrets(automation: Automation, given: Given) -> None:
    url = automation.url if given.url is None else given.url
    automation.sealed_url, automation.shown_url = seal(url), _shown(automation, url)
    if given.token is not None:
        automation.sealed_secret, automation.masked_secret = seal(given.token), masked(given.token)
    kept = automation.headers if None in given.headers.values() else {}
    automation.set_headers({name: kept[name] if text is None else text for name, text in given.headers.items()})


def _sign_anew(automation: Automation) -> str:
    secret = f"lf-whsec_{secrets.token_hex(32)}"
    automation.sealed_secret, automation.masked_secret = seal(secret), masked(secret)
    return secret


def _shown(automation: Automation, url: str) -> str:
    """Paths and queries of webhooks hold keys; of GitHub all is known."""
    if automation.kind == AutomationKind.GITHUB:
        return f"{url.rstrip('/')}/repos/{automation.repository}/dispatches"[:ADDRESS_LENGTH]
    parsed = httpx.URL(url)
    rest = "/…" if parsed.raw_path not in (b"/", b"") else ""
    return f"{parsed.scheme}://{parsed.netloc.decode()}{rest}"[:ADDRESS_LENGTH]


def _secret_fact(automation: Automation) -> dict[str, str]:
    return {"secret": automation.masked_secret}


def _facts(automation: Automation) -> dict[str, Any]:
    """For the log of changes: no secret, and no value of a header."""
    return {
        "name": automation.name,
        "kind": automation.kind,
        "events": automation.events,
        "names": automation.names,
        "labels": automation.labels,
        "address": automation.shown_url,
        "headers": automation.header_names,
        "event_type": automation.event_type,
        **_secret_fact(automation),
    }


# --- What is wrong ----------------------------------------------------------------------------------------


def _check(scope: ProjectScope, known: Automation | None, given: Given) -> None:
    """Before the database is locked: the address is asked for at servers of others."""
    scope.require(Role.ADMIN)
    problems = problems_of(known, given)
    if given.url is not None and "url" not in problems and (problem := _refused(given.url)):
        problems["url"] = problem
    if problems:
        raise wrong(problems)


def problems_of(known: Automation | None, given: Given) -> dict[str, str]:
    """Field -> what is wrong with it, for people; but for whether the address may be called."""
    kind = known.kind if known else given.kind
    found = {
        "name": _name_problem(given.name),
        "kind": "" if kind in AutomationKind.values else _("Choose what is told."),
        "events": _events_problem(given.events),
        "names": _names_problem(given.names),
        "labels": _labels_problem(given.labels),
        "url": _url_problem(known, given),
        "headers": _headers_problem(known, given),
    }
    if kind == AutomationKind.GITHUB:
        found |= {
            "token": _token_problem(known, given),
            "repository": "" if _REPOSITORY.fullmatch(given.repository) else _("Name the repository as owner/name."),
            "event_type": _event_type_problem(given.event_type),
        }
    return {name: str(text) for name, text in found.items() if text}


def _name_problem(name: str) -> str:
    if not name.strip():
        return _("Give it a name.")
    if len(name) > AUTOMATION_NAME_LENGTH:
        return _("A name has at most %(most)d characters.") % {"most": AUTOMATION_NAME_LENGTH}
    return "" if name.isprintable() else _("A name holds no line breaks or control characters.")


def _events_problem(events: Sequence[str]) -> str:
    if not events:
        return _("Choose at least one.")
    return "" if set(events) <= set(PromptAction.values) else _("This does not happen to prompts.")


def _names_problem(names: Sequence[str]) -> str:
    if len(names) > _MOST_PATTERNS:
        return _("Name at most %(most)d prompts and folders.") % {"most": _MOST_PATTERNS}
    if any(len(name) > NAME_LENGTH + 1 for name in names):
        return _("A name of a prompt has at most %(most)d characters.") % {"most": NAME_LENGTH}
    return "" if all(name.isprintable() for name in names) else _("A name holds no line breaks or control characters.")


def _labels_problem(labels: Sequence[str]) -> str:
    if len(labels) > _MOST_LABELS:
        return _("Name at most %(most)d labels.") % {"most": _MOST_LABELS}
    for label in labels:
        if not content.LABEL.fullmatch(label):
            return _("“%(label)s” is no label: they have small letters, digits and _ - . only.") % {"label": label[:50]}
    return ""


def _url_problem(known: Automation | None, given: Given) -> str:
    if given.url is None:
        return "" if known else _("Enter the address.")
    if not given.url:
        return _("Enter the address.")
    if len(given.url) > ADDRESS_LENGTH:
        return _("An address has at most %(most)d characters.") % {"most": ADDRESS_LENGTH}
    return ""


def _refused(url: str) -> str:
    try:
        check_url(Purpose.WEBHOOK, url)
    except AddressRefused as error:
        return error.message
    return ""


def _headers_problem(known: Automation | None, given: Given) -> str:
    if known is None:
        return headers_problem(given.headers, [], goes_elsewhere=False)
    return headers_problem(given.headers, known.header_names, goes_elsewhere=_goes_elsewhere(known, given))


def _token_problem(known: Automation | None, given: Given) -> str:
    if given.token is None:
        if known is None:
            return _("Enter a token.")
        if _goes_elsewhere(known, given):
            return _("Enter the token again: it would go to another address than before.")
        return ""
    if not given.token or len(given.token) > _LONGEST_TOKEN or not re.fullmatch(r"[!-~]+", given.token):
        return _("A token holds no spaces, line breaks or special characters.")
    return ""


def _event_type_problem(event_type: str) -> str:
    if not event_type.strip():
        return _("Name the event that your workflow waits for.")
    if len(event_type) > EVENT_TYPE_LENGTH or not event_type.isprintable():
        return _("The event is one line of at most %(most)d characters.") % {"most": EVENT_TYPE_LENGTH}
    return ""


def _goes_elsewhere(known: Automation, given: Given) -> bool:
    """Whoever may change the address must not thereby learn the secrets that somebody else entered."""
    if given.url is None:
        return False
    try:
        return _origin(known.url) != _origin(given.url)
    except Unreadable:
        return True


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return url, "", None
    return parsed.scheme, parsed.host, parsed.port
