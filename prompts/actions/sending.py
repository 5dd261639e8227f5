"""Deliveries on their way: which is next, what came of it, and who gives up when.

Everything is in rows, so a killed worker loses nothing: the schedule asks every few seconds for what is due, and what
was being sent is sent again once nobody holds it any more. For one automation one delivery is sent at a time, in the
order of the changes; while one waits to be tried again, those behind it wait as well. Several automations are served at
once, by threads of this process, so that a slow receiver keeps neither the others nor the task queue waiting.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

import httpx
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import scope_for_task
from accounts.audit import SYSTEM, record
from accounts.queries import list_project_members
from accounts.roles import Role
from config import outgoing, runners
from config.calling import tell_worker
from config.crew import Crew
from config.errors import NotFound, SpanwiseError
from config.outgoing import Limits, OutgoingError, Purpose, TooMuch
from prompts.messages import Message, message_of
from prompts.models import Attempt, Automation, Delivery, DeliveryStatus, OffReason, PromptEvent

log = logging.getLogger(__name__)

#: seconds after an attempt that failed until the next one; after the last there is none
PLAN = (10, 60, 300, 1800)
MOST_TRIES = len(PLAN) + 1
#: deliveries in a row that failed for good, until the automation is switched off
MOST_FAILURES = 5
#: what is kept of bodies, in characters of what was sent and bytes of what came
KEPT = 20_000
#: of an automation's history
MOST_DELIVERIES = 1_000
_KEPT_FOR = timedelta(days=30)

_LIMITS = Limits(connect_seconds=5, silence_seconds=10, total_seconds=15, most_bytes=64 * 1024)
#: longer than one attempt can take, with every name on its way asked for
_LEASE = timedelta(seconds=75)
_TURN_SECONDS = 10.0
_LINES = 8
_REDIRECTS = 3
_LONGEST_WAIT_ASKED = 3600
_GONE = 410


@dataclass(slots=True)
class Outcome:
    """What came of one request. `problem` is empty where it was taken."""

    problem: str = ""
    status_code: int | None = None
    headers: dict[str, str] | None = None
    body: str = ""
    is_cut: bool = False
    #: whether trying again could help
    is_final: bool = False
    #: seconds that the receiver asked to be left alone for
    retry_after: int = 0


# --- Who works when ---------------------------------------------------------------------------------------
def call_worker() -> None:
    tell_worker("prompts.tasks.send_deliveries", "the deliveries")


def open_lines() -> None:
    """As many threads of this process as there are automations with something to send."""
    _free_abandoned()
    crew.call(len(_unserved()[:_LINES]))


def _free_abandoned() -> None:
    """Claims of processes that were killed are known at once on this machine; elsewhere they run out."""
    for automation in Automation.objects.exclude(claim="").filter(claimed_until__gt=timezone.now()):
        assert automation.claimed_until is not None
        if runners.is_gone(automation.claim, automation.claimed_until - _LEASE, _LEASE):
            _release(automation)


def send_due() -> None:
    """Sends all that is due, turn by turn, until nothing is or others are at work on the rest."""
    while not crew.is_ending and serve_next():
        pass


def serve_next() -> bool:
    """A turn of the automation that has waited longest. False where none has anything to send."""
    automation = _claim_next()
    if automation is None:
        return False
    try:
        _turn(automation)
    finally:
        _release(automation)
    return True


crew = Crew("deliveries", lambda: _LINES, serve_next)


def _release(automation: Automation) -> None:
    Automation.objects.filter(pk=automation.pk, claim=automation.claim).update(claim="", claimed_until=None)


def _due() -> QuerySet[Delivery]:
    """Tests, and of what waits for an automation the first."""
    waiting = Delivery.objects.filter(status=DeliveryStatus.WAITING).order_by()
    heads = waiting.filter(event__is_test=False).values("automation").annotate(head=Min("id")).values("head")
    is_next = Q(event__is_test=True) | Q(pk__in=heads, automation__is_on=True)
    return waiting.filter(is_next, next_at__lte=timezone.now(), automation__project__deleted_at=None)


def _unserved() -> QuerySet[Delivery, str]:
    """Ids of automations with something to send that nobody serves, in the order in which they have waited."""
    unclaimed = Q(automation__claimed_until=None) | Q(automation__claimed_until__lte=timezone.now())
    found = _due().filter(unclaimed).values("automation_id").annotate(since=Min("id")).order_by("since")
    return found.values_list("automation_id", flat=True)


def _claim_next() -> Automation | None:
    for automation_id in _unserved()[:_LINES]:
        automation = Automation.objects.select_related("project").filter(pk=automation_id).first()
        if automation is not None and _claim(automation):
            return automation
    return None


def _claim(automation: Automation) -> bool:
    now, claim = timezone.now(), runners.new_mark()
    unclaimed = Q(claimed_until=None) | Q(claimed_until__lte=now)
    unchanged = Automation.objects.filter(unclaimed, pk=automation.pk, claim=automation.claim)
    if not unchanged.update(claim=claim, claimed_until=now + _LEASE):
        return False
    automation.claim = claim
    return True


def _turn(automation: Automation) -> None:
    until = time.monotonic() + _TURN_SECONDS
    while not crew.is_ending and time.monotonic() < until and (delivery := _next_of(automation)):
        renewed = Automation.objects.filter(pk=automation.pk, claim=automation.claim)
        if not renewed.update(claimed_until=timezone.now() + _LEASE):
            return  # somebody else serves it by now
        _try(automation, delivery)


def _next_of(automation: Automation) -> Delivery | None:
    found = _due().filter(automation=automation).select_related("event")
    return found.order_by("-event__is_test", "id").first()


# --- One attempt ------------------------------------------------------------------------------------------
def _try(automation: Automation, delivery: Delivery) -> None:
    at = timezone.now()
    attempt = Attempt(delivery=delivery, number=delivery.tries + 1, began_at=at, url=automation.shown_url)
    if attempt.number > MOST_TRIES:  # the last one ended its worker
        return _settle(automation, delivery, Outcome(_("The last attempt was cut off by a restart."), is_final=True))
    try:
        message = message_of(automation, delivery, at)
    except SpanwiseError as error:
        attempt.seconds, attempt.problem = 0, error.message
        _begin(delivery, attempt)
        return _settle(automation, delivery, Outcome(error.message, is_final=True))
    attempt.request_headers = message.shown_headers
    text = message.body.decode()
    attempt.request_body, attempt.request_bytes = text[:KEPT], len(message.body)
    if not _begin(delivery, attempt):
        return None
    began = time.monotonic()
    outcome = post(message)
    attempt.seconds = time.monotonic() - began
    _write_down(attempt, message, outcome)
    return _settle(automation, delivery, outcome)


def _begin(delivery: Delivery, attempt: Attempt) -> bool:
    """Written down before anything is sent, so that attempts are counted that nobody came back from."""
    with transaction.atomic():
        mine = Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.WAITING, tries=delivery.tries)
        if not mine.update(tries=F("tries") + 1):
            return False
        attempt.save()
    delivery.tries = attempt.number
    return True


def _write_down(attempt: Attempt, message: Message, outcome: Outcome) -> None:
    attempt.status_code = outcome.status_code
    attempt.response_headers = {name: message.masked_in(text) for name, text in (outcome.headers or {}).items()}
    attempt.response_body, attempt.is_response_cut = message.masked_in(outcome.body), outcome.is_cut
    outcome.problem = attempt.problem = message.masked_in(outcome.problem)
    # Not `save`: what was deleted meanwhile stays deleted.
    Attempt.objects.filter(pk=attempt.pk).update(
        seconds=attempt.seconds,
        status_code=attempt.status_code,
        response_headers=attempt.response_headers,
        response_body=attempt.response_body,
        is_response_cut=attempt.is_response_cut,
        problem=attempt.problem,
    )


def post(message: Message) -> Outcome:
    """Sends one message. Raises nothing that a receiver could cause."""
    try:
        with outgoing.client(Purpose.WEBHOOK, _LIMITS) as client:
            return _exchange(client, message)
    except OutgoingError as error:
        return Outcome(error.message)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Outcome(outgoing.failure_of(error, _host(message.url)).message)


def _exchange(client: httpx.Client, message: Message) -> Outcome:
    """Follows redirects that keep what is sent. Secrets do not follow to another host."""
    url, headers = httpx.URL(message.url), dict(message.headers)
    for _hop in range(_REDIRECTS + 1):
        with client.stream("POST", url, headers=headers, content=message.body) as response:
            if response.status_code not in (307, 308) or "location" not in response.headers:
                return _outcome(response)
            there = url.join(response.headers["location"])
        if _origin(there) != _origin(url):
            headers = {name: text for name, text in headers.items() if name.lower() not in message.hidden}
        url = there
    return Outcome(_("%(host)s redirects too often.") % {"host": url.host})


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return ""


def _outcome(response: httpx.Response) -> Outcome:
    found = Outcome(status_code=response.status_code, headers=_kept_headers(response))
    body = b""
    try:
        for piece in outgoing.pieces(response, KEPT):
            body += piece
    except TooMuch:
        found.is_cut = True
    except OutgoingError as error:
        found.problem, found.is_cut = error.message, True
    found.body = body.decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if not response.is_success:
        found.problem = _problem_of(response)
        found.is_final = response.status_code == _GONE
        found.retry_after = _asked_to_wait(response)
    return found


def _kept_headers(response: httpx.Response) -> dict[str, str]:
    """Without what opens a session there, and no more than a page shows."""
    kept = [(name, text) for name, text in response.headers.items() if name != "set-cookie"][:50]
    return {name[:100]: text.replace("\x00", "")[:1000] for name, text in kept}


def _problem_of(response: httpx.Response) -> str:
    if response.is_redirect:
        there = response.headers.get("location", "")[:500]
        return _("It redirects to %(there)s, where the event would be lost. Enter that address instead.") % {
            "there": there
        }
    if response.status_code == _GONE:
        return _("It answered 410: it wants nothing any more.")
    return _("It answered %(status)d.") % {"status": response.status_code}


def _asked_to_wait(response: httpx.Response) -> int:
    text = response.headers.get("retry-after", "")
    return min(int(text), _LONGEST_WAIT_ASKED) if text.isascii() and text.isdigit() and len(text) < 7 else 0


# --- What comes of it -------------------------------------------------------------------------------------
def _settle(automation: Automation, delivery: Delivery, outcome: Outcome) -> None:
    """Ends the delivery or says when it is tried again; unless somebody else has taken over since."""
    with transaction.atomic():
        held = Automation.objects.select_for_update(of=("self",)).select_related("project")
        current = held.filter(pk=automation.pk, claim=automation.claim).first()
        waiting = Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.WAITING)
        if current is None:
            return
        is_test = delivery.event.is_test
        if not outcome.problem:
            if _end(waiting, DeliveryStatus.DELIVERED) and not is_test and current.failures:
                Automation.objects.filter(pk=current.pk).update(failures=0)
        elif is_test or outcome.is_final or delivery.tries >= MOST_TRIES:
            if _end(waiting, DeliveryStatus.FAILED) and not is_test:
                _failed_for_good(current, delivery, outcome)
        else:
            pause = max(PLAN[delivery.tries - 1], outcome.retry_after)
            waiting.update(next_at=timezone.now() + timedelta(seconds=pause))


def _end(waiting: QuerySet[Delivery], status: DeliveryStatus) -> int:
    return waiting.update(status=status, finished_at=timezone.now())


def _failed_for_good(automation: Automation, delivery: Delivery, outcome: Outcome) -> None:
    automation.failures += 1
    Automation.objects.filter(pk=automation.pk).update(failures=automation.failures)
    if not automation.is_on:
        return
    if outcome.status_code == _GONE:
        _give_up(automation, OffReason.GONE, outcome)
    elif automation.failures >= MOST_FAILURES:
        _give_up(automation, OffReason.FAILURES, outcome)


def _give_up(automation: Automation, reason: OffReason, outcome: Outcome) -> None:
    """Switches it off, and tells those who can do something about it."""
    record(SYSTEM, "automation.off", automation, before={"is_on": True}, after={"is_on": False, "why": reason})
    switch_off(automation, reason)
    transaction.on_commit(lambda: _tell_admins(automation, reason, outcome.problem))


def switch_off(automation: Automation, reason: OffReason | None) -> None:
    """Inside a transaction. What still waits is not sent any more: it would be old news once it is on again."""
    automation.is_on, automation.off_reason, automation.off_at = False, reason or "", timezone.now()
    automation.save(update_fields=["is_on", "off_reason", "off_at", "updated_at"])
    drop_waiting(automation)


def drop_waiting(automation: Automation) -> None:
    waiting = Delivery.objects.filter(automation=automation, status=DeliveryStatus.WAITING, event__is_test=False)
    _end(waiting, DeliveryStatus.DROPPED)


def _tell_admins(automation: Automation, reason: OffReason, problem: str) -> None:
    """One mail each, so that nobody learns who else there is. A mail that cannot be sent changes nothing."""
    page = reverse("prompts:automation-detail", args=[automation.project_id])
    why = (
        _("It answered 410, which says that it wants nothing any more.")
        if reason is OffReason.GONE
        else _("%(number)d deliveries in a row failed, each after %(tries)d attempts.")
        % {"number": automation.failures, "tries": MOST_TRIES}
    )
    names = {"name": automation.name, "project": automation.project.name}
    subject = _("The automation “%(name)s” of %(project)s was switched off") % names
    body = "\n\n".join(
        [
            subject + ".",
            why,
            _("What came last: %(problem)s") % {"problem": problem},
            _("Changes of prompts are not told to %(where)s any more. See what it answered, and switch it on again:")
            % {"where": automation.shown_url},
            f"{settings.PUBLIC_URL}{page}?automation={automation.pk}",
        ]
    )
    for address in _admins(automation):
        try:
            EmailMessage(" ".join(subject.split()), body, to=[address]).send()
        except Exception as error:  # whatever the mail backend raises
            log.warning("No mail about automation %s: %s", automation.pk, error)


def _admins(automation: Automation) -> list[str]:
    try:
        members = list_project_members(scope_for_task(automation.project_id))
    except NotFound:  # the project was deleted this moment
        return []
    return [member.email for member in members if member.role.allows(Role.ADMIN)]


# --- What is kept -----------------------------------------------------------------------------------------
def prune() -> None:
    """Forgets old deliveries, and events that nobody has to hear of any more."""
    ended = Delivery.objects.exclude(status=DeliveryStatus.WAITING)
    ended.filter(created_at__lt=timezone.now() - _KEPT_FOR).delete()
    for automation_id in Automation.objects.values_list("pk", flat=True):
        kept = ended.filter(automation_id=automation_id).order_by("-id")
        oldest = kept.values_list("pk", flat=True)[MOST_DELIVERIES : MOST_DELIVERIES + 1].first()
        if oldest is not None:
            ended.filter(automation_id=automation_id, pk__lte=oldest).delete()
    PromptEvent.objects.filter(deliveries=None).delete()
